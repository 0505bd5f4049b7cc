package io.trainwatch.monitor.detect;

import io.trainwatch.alert.Severity;
import io.trainwatch.event.StepCompleted;
import io.trainwatch.event.TrainingEvent;
import io.trainwatch.monitor.run.RunView;
import io.trainwatch.monitor.run.Series;
import io.trainwatch.monitor.stats.DecayingSlope;
import io.trainwatch.monitor.stats.Medians;
import io.trainwatch.monitor.stats.Persistent;
import io.trainwatch.monitor.stats.StateReader;
import io.trainwatch.monitor.stats.StateWriter;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Finds a loss that rises and does not come back (D03), slowly or past the level where it began.
 *
 * <pre>
 * B = median of each block of 32 points ; d = last 32 differences of B ; r = last 32 of B - ema before it, detrended
 * ema += (B - ema) / 8 ; ref = min(ref, ema) from block 8 on ; A = mean over some 64 blocks of how far B was above ema
 * sigma = max(1.4826 MAD(d) / sqrt 2, 1.4826 MAD(r), 2 A, 1.2533 scale / sqrt 32, 0.001 |first - ref|)
 * E = sd of ema by the scatter and the lag-1 correlation of r, x sqrt(2 ln(blocks / 16))
 * S = max(0, S + min((B - ref - E) / sigma, 8) - 2)
 * W = mean over some 256 blocks of how far ema was above its own mean of 16 blocks
 * H = the highest ema - ref - E that went back by itself, forgotten over some 1,024 blocks
 * fires if more than 12 blocks, S &gt; 12,
 *       ema - ref - E &gt; max(0.02 |first - ref|, 12 W, min(2 H, 0.5 |first - ref|))      -&gt; warning
 *       and ema - ref &gt; 0.2 |first - ref|                                           -&gt; critical
 * or before there are 12 blocks, if the points since the lowest mean of 3 rise along a line by 6 of its standard errors, and
 *       the latest 3 are above it by 0.1 |first - lowest| and by half of it            -&gt; warning, critical at 0.5
 * or if the median of 8 points exceeds the initial level by half of it and by 4 scales of the first 16 points,
 *       or twice the median of the first 3 points, by 4 present scales
 *                                                                                  -&gt; critical
 * or if most of 8 points are below -100 times the initial level: what is minimised has no floor, a sign is wrong
 *                                                                                  -&gt; critical
 * </pre>
 *
 * <p>A is what keeps a loss that swings with its epochs from alarming at every upswing; r, as it was before S rose, sees
 * noise with a memory of many steps, which differences of neighbours do not; E is how far below its usual level the lowest
 * of so many means lies by chance, which is no level to return to; W is how far the level of the loss wanders anyway, up and
 * back again; the error of a median keeps a log of few digits from
 * having none. A learning-rate rise or a declared phase re-anchors the reference; steps that are redone are not counted.
 * Info for a component of a loss that is logged itself: components are traded for each other (the Kullback-Leibler term of
 * an autoencoder rises as it learns), and a divergence of one that matters shows in the whole.
 *
 * <p>Ramps of 2, 5, 20 and 100 % of the progress per 1,000 steps are found within 1,400, 800, 320 and 160 steps
 * (LossDivergenceTest). Known weakness: noise with a memory of hundreds of steps (AR(0.99) at 8 % of the progress: 1 alarm
 * in 500,000, LossNoiseTest).
 * Siblings: {@link LossSpike}, {@link ExplodingGradient}. Source: CUSUM on standardised block medians; DETECTION.md D03.
 */
public final class LossDivergence extends Detector<PerScope<LossDivergence.State>> {
    static final Setting<Double> LEAST_RISE = Setting.number(
            "least_rise",
            0.02,
            0.001,
            10,
            "share of the progress made",
            "How much of its progress a loss has to lose before its rise counts, beside its noise: none "
                    + "of 75 healthy GPT trainings does.");

    static final int BLOCK = 32;
    static final int DIFFERENCES = 32;
    static final int REFERENCE_BLOCKS = 8;
    static final int ARMED_BLOCKS = 12;
    static final double SLACK = 2;
    static final double LIMIT = 12;
    static final double WINSOR = 8;
    static final double CRITICAL_SHARE = 0.2;
    static final double SWING_BLOCKS = 64;
    static final double LEVEL_BLOCKS = 16;
    static final double WANDER_BLOCKS = 256;
    static final double WANDERS = 12;
    static final double HEALED_BLOCKS = 1_024;
    static final double RECORD = 2;
    static final double RECORD_SHARE = 0.5;
    static final int LEVEL_POINTS = 8;
    static final int FIRST_POINTS = 3;
    static final double EARLY_ERRORS = 6;
    static final double EARLY_SHARE = 0.1;
    static final double EARLY_RATIO = 1.5;
    static final double EARLY_CRITICAL_SHARE = 0.5;
    /** Points after which one weighs little in the line: as many as there are before the blocks take over. */
    static final double EARLY_HORIZON = 400;

    /** A loss so many times its start below 0 has no floor. */
    static final double BOTTOMLESS = 100;

    static final double LEVEL_SHARE = 0.5;
    static final double LEVEL_SCALES = 4;

    private final double leastRise;

    LossDivergence(DetectorSettings settings) {
        leastRise = settings.get(LEAST_RISE);
    }

    /** The block medians of one loss and where it began. */
    static final class State implements Persistent {
        final double[] block = new double[BLOCK];
        int inBlock;
        final double[] differences = new double[DIFFERENCES];
        final double[] residuals = new double[DIFFERENCES];
        long blocks;
        double previous = Double.NaN;
        double first = Double.NaN;
        double ema = Double.NaN;
        double reference = Double.NaN;
        double swing;
        double level = Double.NaN;
        double wander;
        double scatter;
        double extreme;
        double sum;
        double height;
        double healed;
        boolean anchor;
        long phase;
        boolean diverging;
        long risingSince = -1;
        final double[] latest = new double[LEVEL_POINTS];
        long points;
        double initialScale = Double.NaN;
        final double[] first3 = new double[FIRST_POINTS];
        long levelSince = -1;
        double firstMean = Double.NaN;
        double lowest = Double.NaN;
        long lowestStep;
        final DecayingSlope sinceLowest = new DecayingSlope(EARLY_HORIZON);

        @Override
        public void write(StateWriter out) {
            out.writeInt(inBlock);
            out.writeDoubles(block, inBlock);
            out.writeLong(blocks);
            out.writeDoubles(differences, (int) Math.min(DIFFERENCES, Math.max(0, blocks - 1)));
            out.writeDoubles(residuals, (int) Math.min(DIFFERENCES, Math.max(0, blocks - 1)));
            out.writeDouble(previous);
            out.writeDouble(first);
            out.writeDouble(ema);
            out.writeDouble(reference);
            out.writeDouble(swing);
            out.writeDouble(level);
            out.writeDouble(wander);
            out.writeDouble(scatter);
            out.writeDouble(extreme);
            out.writeDouble(sum);
            out.writeDouble(height);
            out.writeDouble(healed);
            out.writeBoolean(anchor);
            out.writeLong(phase);
            out.writeBoolean(diverging);
            out.writeLong(risingSince);
            out.writeDoubles(latest, LEVEL_POINTS);
            out.writeLong(points);
            out.writeDouble(initialScale);
            out.writeDoubles(first3, FIRST_POINTS);
            out.writeLong(levelSince);
            out.writeDouble(firstMean);
            out.writeDouble(lowest);
            out.writeLong(lowestStep);
            sinceLowest.write(out);
        }

        @Override
        public void read(StateReader in) {
            inBlock = in.readCount(BLOCK - 1);
            in.readDoubles(block, inBlock);
            blocks = in.readLong();
            in.readDoubles(differences, (int) Math.min(DIFFERENCES, Math.max(0, blocks - 1)));
            in.readDoubles(residuals, (int) Math.min(DIFFERENCES, Math.max(0, blocks - 1)));
            previous = in.readDouble();
            first = in.readDouble();
            ema = in.readDouble();
            reference = in.readDouble();
            swing = in.readDouble();
            level = in.readDouble();
            wander = in.readDouble();
            scatter = in.readDouble();
            extreme = in.readDouble();
            sum = in.readDouble();
            height = in.readDouble();
            healed = in.readDouble();
            anchor = in.readBoolean();
            phase = in.readLong();
            diverging = in.readBoolean();
            risingSince = in.readLong();
            in.readDoubles(latest, LEVEL_POINTS);
            points = in.readLong();
            initialScale = in.readDouble();
            in.readDoubles(first3, FIRST_POINTS);
            levelSince = in.readLong();
            firstMean = in.readDouble();
            lowest = in.readDouble();
            lowestStep = in.readLong();
            sinceLowest.read(in);
        }
    }

    @Override
    public String name() {
        return "loss_divergence";
    }

    @Override
    public List<Setting<?>> settings() {
        return List.of(LEAST_RISE);
    }

    @Override
    public Set<Class<?>> reads() {
        return Set.of(StepCompleted.class);
    }

    @Override
    public PerScope<State> newState() {
        return new PerScope<>(2, 64, State::new);
    }

    @Override
    public void observe(PerScope<State> states, RunView run, TrainingEvent event, Verdicts verdicts) {
        if (run.redoing()) {
            states.all().forEach(state -> state.height = 0);
            return;
        }
        List<Series> losses = run.losses();
        for (int i = 0; i < losses.size(); i++) {
            Series loss = losses.get(i);
            if (loss.isFresh(run) && Double.isFinite(loss.last())) {
                String scope = LossGates.scope(run, loss);
                State state = states.of(scope);
                if (state != null) {
                    judge(state, run, loss, scope, verdicts);
                }
            }
        }
    }

    private void judge(State state, RunView run, Series loss, String scope, Verdicts verdicts) {
        if (state.points < FIRST_POINTS) {
            state.first3[(int) state.points] = loss.last();
        }
        state.latest[(int) (state.points % LEVEL_POINTS)] = loss.last();
        state.points++;
        if (run.gates().upwardMove() != null || state.phase != run.phase()) {
            state.anchor = true;
            state.phase = run.phase();
        }
        state.block[state.inBlock++] = loss.last();
        if (state.inBlock == BLOCK) {
            state.inBlock = 0;
            closeBlock(state, run, loss);
        }
        if (bottomless(state, loss)) {
            verdicts.unhealthy(
                    scope,
                    Severity.critical,
                    run.lastStep(),
                    LossGates.rise(run, loss),
                    () -> explainBottomless(run, loss));
            return;
        }
        boolean aboveStart = aboveStart(state, run, loss);
        if (!state.diverging && !aboveStart && turnedEarly(state, run, loss)) {
            verdicts.unhealthy(
                    scope,
                    mean3(state) - state.lowest > EARLY_CRITICAL_SHARE * (state.firstMean - state.lowest)
                            ? Severity.critical
                            : Severity.warning,
                    state.lowestStep,
                    LossGates.rise(run, loss),
                    () -> explainEarly(state, run, loss));
            return;
        }
        if (!state.diverging && !aboveStart) {
            if (state.points >= 2 * LEVEL_POINTS) {
                verdicts.healthy(scope);
            }
            return;
        }
        double progress = Math.abs(state.first - state.reference);
        boolean grave = aboveStart || state.ema - state.reference > CRITICAL_SHARE * progress;
        long onset = state.diverging && state.risingSince >= 0 ? state.risingSince : state.levelSince;
        verdicts.unhealthy(
                scope,
                grave ? Severity.critical : Severity.warning,
                onset,
                LossGates.rise(run, loss),
                () -> explain(state, run, loss, onset, aboveStart));
    }

    /** Takes in the latest point of a run of few: whether it has left its lowest loss behind, long before there are blocks to tell its noise by. */
    private static boolean turnedEarly(State state, RunView run, Series loss) {
        if (state.blocks > ARMED_BLOCKS || state.points < FIRST_POINTS) {
            return false;
        }
        double mean = mean3(state);
        if (Double.isNaN(state.firstMean)) {
            state.firstMean = mean;
        }
        if (!(mean >= state.lowest) || run.gates().upwardMove() != null) {
            state.lowest = mean;
            state.lowestStep = run.lastStep();
            state.sinceLowest.reset();
            return false;
        }
        state.sinceLowest.add(loss.last());
        return mean - state.lowest > EARLY_SHARE * (state.firstMean - state.lowest)
                && mean > EARLY_RATIO * state.lowest
                && state.lowest > 0
                && state.sinceLowest.rises(EARLY_ERRORS);
    }

    private static double mean3(State state) {
        double sum = 0;
        for (int i = 1; i <= FIRST_POINTS; i++) {
            sum += state.latest[(int) ((state.points - i) % LEVEL_POINTS)];
        }
        return sum / FIRST_POINTS;
    }

    private static Verdicts.Explanation explainEarly(State state, RunView run, Series loss) {
        return explainRise(
                run,
                loss,
                state.lowestStep,
                mean3(state),
                state.lowest,
                state.firstMean,
                state.sinceLowest.tStatistic());
    }

    private static Verdicts.Explanation explain(State state, RunView run, Series loss, long onset, boolean aboveStart) {
        if (!aboveStart) {
            return explainRise(run, loss, onset, state.ema, state.reference, state.first, state.sum);
        }
        double now = Medians.of(state.latest);
        return explained(
                run,
                loss,
                onset,
                now,
                loss.initial(),
                state.sum,
                "is " + Figures.text(now) + ", above the " + Figures.text(loss.initial()) + " where it began");
    }

    private static Verdicts.Explanation explainBottomless(RunView run, Series loss) {
        return explained(
                run,
                loss,
                run.lastStep(),
                loss.last(),
                loss.initial(),
                Double.NaN,
                "is " + Figures.text(loss.last()) + " and began at " + Figures.text(loss.initial())
                        + ": what is minimised has no floor");
    }

    private static Verdicts.Explanation explainRise(
            RunView run, Series loss, long onset, double now, double best, double first, double score) {
        return explained(
                run,
                loss,
                onset,
                now,
                best,
                score,
                "rises since step " + onset + ": " + Figures.text(now) + " now, " + Figures.text(best)
                        + " at its best, " + Figures.percent((now - best) / Math.abs(first - best))
                        + " of its progress lost");
    }

    private static Verdicts.Explanation explained(
            RunView run, Series loss, long onset, double now, double baseline, double score, String what) {
        return new Verdicts.Explanation(
                loss.name() + " " + what,
                List.of(Figures.evidence(loss.name(), onset, run.lastStep(), now, baseline, score, null)));
    }

    private void closeBlock(State state, RunView run, Series loss) {
        double median = Medians.of(state.block);
        double emaBefore = state.ema;
        if (state.blocks == 0) {
            state.first = median;
            state.ema = median;
            state.level = median;
        } else {
            int next = (int) ((state.blocks - 1) % DIFFERENCES);
            state.differences[next] = median - state.previous;
            state.residuals[next] = median - state.ema;
            state.ema += (median - state.ema) / 8;
        }
        state.previous = median;
        state.blocks++;
        if (state.anchor) {
            state.anchor = false;
            state.sum = 0;
            state.height = 0;
            // Not where the mean happens to be on its way to the new level.
            state.ema = median;
            state.level = median;
            state.reference = state.blocks >= REFERENCE_BLOCKS ? median : Double.NaN;
        }
        if (state.blocks >= REFERENCE_BLOCKS) {
            state.reference = Double.isNaN(state.reference) ? state.ema : Math.min(state.reference, state.ema);
            int known = (int) Math.min(DIFFERENCES, state.blocks - 1);
            if (state.sum == 0) {
                // What may be a rise is measured against what was before it.
                double[] residuals = detrended(state, known);
                state.scatter = Medians.standardDeviation(residuals);
                state.extreme = extreme(state, residuals);
            }
            double noise = Math.max(
                    Medians.standardDeviation(Arrays.copyOf(state.differences, known)) / Math.sqrt(2), state.scatter);
            double error = 1.2533 * loss.scale() / Math.sqrt((double) BLOCK);
            double floor = Math.max(error, 1e-3 * Math.abs(state.first - state.reference));
            double sigma = Math.max(Math.max(noise, 2 * state.swing), floor);
            double above = Math.max(0, Math.min(median - emaBefore, WINSOR * sigma));
            state.level += (state.ema - state.level) / LEVEL_BLOCKS;
            if (state.sum <= LIMIT) {
                state.wander += (Math.max(0, state.ema - state.level) - state.wander)
                        / Math.min(WANDER_BLOCKS, state.blocks - REFERENCE_BLOCKS + 1.0);
            }
            state.swing += (above - state.swing) / Math.min(SWING_BLOCKS, state.blocks - REFERENCE_BLOCKS + 1.0);
            double score = (median - state.reference - state.extreme) / Math.max(sigma, 1e-12);
            double before = state.sum;
            state.sum = Math.max(0, state.sum + Math.min(score, WINSOR) - SLACK);
            state.healed -= state.healed / HEALED_BLOCKS;
            if (state.sum == 0) {
                state.risingSince = -1;
                state.healed = Math.max(state.healed, state.height);
                state.height = 0;
            } else if (before == 0) {
                state.risingSince = Math.max(run.firstStep(), run.lastStep() - BLOCK);
            }
        }
        double rise = state.ema - state.reference - state.extreme;
        state.diverging = state.blocks > ARMED_BLOCKS && state.sum > LIMIT && rise > leastRise(state);
        if (state.sum > 0) {
            state.height = Math.max(state.height, rise);
        }
    }

    private double leastRise(State state) {
        double progress = Math.abs(state.first - state.reference);
        double record = Math.min(RECORD * state.healed, RECORD_SHARE * progress);
        return Math.max(leastRise * progress, Math.max(WANDERS * state.wander, record));
    }

    /**
     * How far below its level the lowest of all values of {@code ema} so far lies by chance, if the blocks are an
     * autoregressive noise of first order: sd(ema)^2 = sigma^2 a / (2 - a) (1 + (1 - a) rho) / (1 - (1 - a) rho), a = 1/8.
     */
    private static double extreme(State state, double[] residuals) {
        double squares = 0;
        double products = 0;
        for (int i = 0; i < residuals.length; i++) {
            squares += residuals[i] * residuals[i];
            products += i > 0 ? residuals[i] * residuals[i - 1] : 0;
        }
        double estimate = squares == 0 ? 0 : products / squares;
        // So few points underestimate it (Marriott and Pope 1954).
        double rho = Math.max(0, Math.min(1, estimate + (1 + 4 * estimate) / residuals.length));
        double sd = state.scatter * Math.sqrt((1 + 7 * rho / 8) / (1 - 7 * rho / 8) / 15);
        return sd * Math.sqrt(2 * Math.log(Math.max(1, state.blocks / 16.0)));
    }

    /** The latest residuals, oldest first, without their line: ema lags behind a loss that still falls, ever less so. */
    private static double[] detrended(State state, int known) {
        double[] residuals = new double[known];
        int oldest = known < DIFFERENCES ? 0 : (int) ((state.blocks - 1) % DIFFERENCES);
        double middle = (known - 1) / 2.0;
        double mean = 0;
        double xy = 0;
        double xx = 0;
        for (int i = 0; i < known; i++) {
            residuals[i] = state.residuals[(oldest + i) % DIFFERENCES];
            mean += residuals[i] / known;
            xy += (i - middle) * residuals[i];
            xx += (i - middle) * (i - middle);
        }
        for (int i = 0; i < known; i++) {
            residuals[i] -= mean + xy / xx * (i - middle);
        }
        return residuals;
    }

    private static boolean aboveStart(State state, RunView run, Series loss) {
        if (state.points < 2 * LEVEL_POINTS) {
            return false;
        }
        if (Double.isNaN(state.initialScale)) {
            state.initialScale = loss.scale();
        }
        double initial = loss.initial();
        double level = initial + Math.max(LEVEL_SHARE * Math.abs(initial), LEVEL_SCALES * state.initialScale);
        boolean is = most(state.latest, level) || most(state.latest, settledAbove(state, loss));
        if (!is) {
            state.levelSince = -1;
        } else if (state.levelSince < 0) {
            state.levelSince = run.lastStep();
        }
        return is;
    }

    private static boolean bottomless(State state, Series loss) {
        return state.points >= 2 * LEVEL_POINTS
                && loss.initial() != 0
                && !most(state.latest, -BOTTOMLESS * Math.abs(loss.initial()));
    }

    /** A loss that blew up within its first points is part of their mean and scale; three points and its present scale are not. */
    private static double settledAbove(State state, Series loss) {
        double first = Math.max(
                Math.min(state.first3[0], state.first3[1]),
                Math.min(Math.max(state.first3[0], state.first3[1]), state.first3[2]));
        return first + Math.max(Math.abs(first), LEVEL_SCALES * loss.scale());
    }

    private static boolean most(double[] points, double level) {
        int above = 0;
        for (double point : points) {
            above += point > level ? 1 : 0;
        }
        return above > points.length / 2;
    }

    @Override
    public @Nullable String missing(PerScope<State> states, RunView run) {
        if (states.all().stream().anyMatch(state -> state.points >= 2 * LEVEL_POINTS)) {
            return null;
        }
        return run.loss().points() == 0
                ? "step_completed.loss"
                : 2 * LEVEL_POINTS + " points of loss, " + run.loss().finitePoints() + " came";
    }
}
