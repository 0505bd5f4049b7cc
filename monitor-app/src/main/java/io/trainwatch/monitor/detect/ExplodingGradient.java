package io.trainwatch.monitor.detect;

import io.trainwatch.alert.Severity;
import io.trainwatch.event.StepCompleted;
import io.trainwatch.event.TrainingEvent;
import io.trainwatch.monitor.run.RunView;
import io.trainwatch.monitor.run.Series;
import io.trainwatch.monitor.stats.DecayingSlope;
import io.trainwatch.monitor.stats.StateReader;
import io.trainwatch.monitor.stats.StateWriter;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Finds a gradient norm that leaves its range, often some steps before the loss does (D06).
 *
 * <pre>
 * on ln g, the norm before clipping:
 * jump:     persistent excess as in {@link LossSpike} and g &gt;= 5 x median      -&gt; warning
 *           and 2 of the last 3 g &gt;= 30 x median                               -&gt; critical
 * growth:   slope of ln g &gt; 0.01 per point over 200 points, t &gt; 6, while the
 *           loss rises too (t &gt; 3), not during learning-rate warm-up              -&gt; warning
 * start-up: in the first 50 points g &gt; 100 and (g &gt; 10 x the point before
 *           or loss - initial &gt; |initial|)                                             -&gt; warning
 * </pre>
 *
 * <p>Info while g is below the norm of the first 8 points, which the run survived, unless it is critical and the loss has
 * not converged.
 *
 * <p>Absolute limits are unsafe: healthy fp16 runs log norms of 2.5e3 to 2e5, and single peaks of 7.5 x are normal;
 * without a floor a healthy llm.c run alarmed once in 19,560 steps, with one never; small transformers in small batches have
 * bursts of three points at 3 to 4 x that the loss does not notice. In BLOOM-176B's first spike
 * the norm alarmed at 31216, the loss peaked at 31219. The growth rule asks the loss as a second witness because small
 * networks near their optimum show slopes of that size by chance.
 *
 * <p>Known weakness: gradients that were too large from the first step on are normal to it. Siblings: {@link
 * NonFiniteGradient}, {@link LossSpike}. Source: DETECTION.md D06.
 */
public final class ExplodingGradient extends Detector<ExplodingGradient.State> {
    static final Setting<Double> RATIO = Setting.number(
            "ratio",
            5,
            2,
            10_000,
            "times the median",
            "How many times its median a gradient norm has to be, beside being outside its own noise in "
                    + "three of five steps; single peaks of 7.5 times are normal.");

    static final Setting<Double> CRITICAL = Setting.number(
            "critical_ratio",
            30,
            2,
            100_000,
            "times the median",
            "From here on it is critical, twice in three steps. Before the first loss spike of "
                    + "BLOOM-176B it went from 0.24 to 145 and 960.");

    static final String BELOW_START = "below_start";
    static final double GROWTH_HORIZON = 200;
    static final double GROWTH = 0.01;
    static final double GROWTH_T = 6;
    static final double LOSS_T = 3;
    static final int START_POINTS = 50;
    static final double START_NORM = 100;
    static final double START_RATIO = 10;

    private final double warningRatio;
    private final double criticalRatio;

    ExplodingGradient(DetectorSettings settings) {
        warningRatio = settings.get(RATIO);
        criticalRatio = settings.get(CRITICAL);
    }

    /** The excess of the norm, its slope, the slope of the loss. */
    static final class State implements DetectorState {
        final Excess excess = new Excess();
        final DecayingSlope slope = new DecayingSlope(GROWTH_HORIZON);
        final DecayingSlope lossSlope = new DecayingSlope(GROWTH_HORIZON);
        long points;
        int huge;
        double previous = Double.NaN;
        long onset = -1;
        long phase;

        @Override
        public int version() {
            return 1;
        }

        @Override
        public void write(StateWriter out) {
            excess.write(out);
            slope.write(out);
            lossSlope.write(out);
            out.writeLong(points);
            out.writeInt(huge);
            out.writeDouble(previous);
            out.writeLong(onset);
            out.writeLong(phase);
        }

        @Override
        public void read(StateReader in) {
            excess.read(in);
            slope.read(in);
            lossSlope.read(in);
            points = in.readLong();
            huge = in.readInt();
            previous = in.readDouble();
            onset = in.readLong();
            phase = in.readLong();
        }
    }

    @Override
    public String name() {
        return "exploding_gradient";
    }

    @Override
    public List<Setting<?>> settings() {
        return List.of(RATIO, CRITICAL);
    }

    @Override
    public Set<Class<?>> reads() {
        return Set.of(StepCompleted.class);
    }

    @Override
    public State newState() {
        return new State();
    }

    @Override
    public void observe(State state, RunView run, TrainingEvent event, Verdicts verdicts) {
        Series norm = run.gradNorm();
        if (!norm.isFresh(run) || !(norm.last() > 0) || !Double.isFinite(norm.last())) {
            return;
        }
        double g = norm.last();
        long step = run.lastStep();
        state.points++;
        if (state.phase != run.phase() || run.segmentOpened()) {
            state.phase = run.phase();
            state.slope.reset();
            state.lossSlope.reset();
        }
        state.slope.add(Math.log(g));
        if (run.loss().isFresh(run) && Double.isFinite(run.loss().last())) {
            state.lossSlope.add(run.loss().last());
        }
        double ratio = g / norm.median();
        boolean excess = norm.trusted() && state.excess.add(norm, step);
        state.huge = ((state.huge << 1) | (norm.trusted() && ratio >= criticalRatio ? 1 : 0)) & 0b111;
        boolean startUp = state.points <= START_POINTS
                && g > START_NORM
                && (g > START_RATIO * state.previous
                        || run.loss().last() - run.loss().initial()
                                > Math.abs(run.loss().initial()));
        state.previous = g;

        if (excess && Integer.bitCount(state.huge) >= 2) {
            unhealthy(state, run, norm, Severity.critical, ratio, jump(norm, ratio), verdicts);
        } else if (excess && ratio >= warningRatio) {
            unhealthy(state, run, norm, Severity.warning, ratio, jump(norm, ratio), verdicts);
        } else if (startUp) {
            String message = "gradient norm is " + Figures.text(g) + " at step " + step + ", within the first "
                    + START_POINTS + " points, and grows";
            unhealthy(state, run, norm, Severity.warning, ratio, message, verdicts);
        } else if (grows(state, run)) {
            String message = "gradient norm grows by " + Figures.percent(state.slope.slope())
                    + " per point while the loss rises, " + Figures.text(g) + " now";
            unhealthy(state, run, norm, Severity.warning, state.slope.tStatistic(), message, verdicts);
        } else {
            state.onset = -1;
            if (state.points >= Series.TRUSTED_POINTS || state.points > START_POINTS) {
                verdicts.healthy(Verdicts.RUN);
            }
        }
    }

    private static boolean grows(State state, RunView run) {
        return state.points >= GROWTH_HORIZON
                && state.slope.slope() > GROWTH
                && state.slope.tStatistic() > GROWTH_T
                && state.lossSlope.tStatistic() > LOSS_T
                && !run.gates().learningRateStillRising()
                && run.lastStep() > run.gates().warmupEnd(run.facts());
    }

    private static String jump(Series norm, double ratio) {
        return "gradient norm is " + Figures.text(norm.last()) + ", " + Figures.text(ratio) + " times its median of "
                + Figures.text(norm.median());
    }

    private static void unhealthy(
            State state, RunView run, Series norm, Severity severity, double score, String message, Verdicts verdicts) {
        if (state.onset < 0) {
            state.onset = state.excess.since() >= 0 ? state.excess.since() : run.lastStep();
        }
        long from = state.onset;
        verdicts.unhealthy(
                Verdicts.RUN,
                severity,
                from,
                suppressedBy(state, run, norm),
                () -> new Verdicts.Explanation(
                        message,
                        List.of(Figures.evidence(
                                "grad_norm", from, run.lastStep(), norm.last(), norm.median(), score, null))));
    }

    /**
     * What stays below the norm of the first steps, which the run survived, is no explosion yet, unless it left its range
     * by far while there still was something to learn.
     */
    private static @Nullable String suppressedBy(State state, RunView run, Series norm) {
        if (norm.last() < norm.initial()) {
            if (Integer.bitCount(state.huge) < 2) {
                return BELOW_START;
            }
            if (run.loss().trusted() && LossGates.atFloor(run.loss())) {
                return LossGates.AT_FLOOR;
            }
        }
        return run.gates().upwardMove();
    }

    @Override
    public @Nullable String missing(State state, RunView run) {
        if (state.points >= Series.TRUSTED_POINTS) {
            return null;
        }
        return run.gradNorm().points() == 0
                ? "step_completed.grad_norm"
                : Series.TRUSTED_POINTS + " points of gradient norm, " + state.points + " came";
    }
}
