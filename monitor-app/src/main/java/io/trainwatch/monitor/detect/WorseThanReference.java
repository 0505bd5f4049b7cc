package io.trainwatch.monitor.detect;

import io.trainwatch.alert.Severity;
import io.trainwatch.event.StepCompleted;
import io.trainwatch.event.TrainingEvent;
import io.trainwatch.monitor.run.ReferenceCurve;
import io.trainwatch.monitor.run.RunView;
import io.trainwatch.monitor.run.Series;
import io.trainwatch.monitor.stats.Medians;
import io.trainwatch.monitor.stats.StateReader;
import io.trainwatch.monitor.stats.StateWriter;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Finds a loss that is worse than that of the run it was to be compared with ({@code reference_run_id}), at equal step and
 * for long.
 *
 * <pre>
 * B     = mean of a block of k points, k = clamp(points / 64, 4, 256), a power of two
 * R     = mean of the reference over the same steps; L = the same a tenth of the steps earlier, at least a bucket
 * D     = B - max(R, L)
 * sigma = 1.4826 MAD of the differences of B - R at lag 1 and at lag 8, the larger, / sqrt(2), over the last 32 blocks;
 *         at least robust scale of the loss / sqrt(k); and the scatter of the buckets of the reference, added as squares
 * worse = D &gt; limit = max(3 sigma, 5 % of |R|, 2 % of the progress |R_0 - R| of the reference), after 16 blocks, 64 points
 * fires if worse for 8 blocks in a row                                                          -&gt; warning
 *          -&gt; for as long as D is above half of the limit at least once in 8 blocks
 * </pre>
 *
 * <p>Eight blocks are an eighth of a run of up to 16,384 points, and 2,048 points beyond: the order of the data and luck make
 * a run worse for a while, not for that long. Lag 8 because what wanders as far between one such stretch and the next is no
 * finding. L because a run that is a tenth late is no worse run, and because a curve that falls at once is lowered before
 * its fall by the straight line into it. 5 % is what {@link TrainValDivergence} takes for worse, 2 % of the progress what
 * {@link LossDivergence} takes for lost: a loss near 0 doubles for nothing. Where both runs declared their batch, and perhaps
 * their sequence length, steps are compared at which equally many samples, or tokens, were seen. Nothing is compared before
 * the learning rate is warm, while steps are redone, nor where the reference has no points.
 *
 * <p>Measured on 40 pairs of runs that differ by noise of 5 % of their loss: no alarm for seven kinds of noise, 11 for
 * AR(0.99). On trainings of three small networks, each of 8 healthy settings against each other: told are the two settings
 * that do end worse (16 % to 17-fold), and no other. Known weakness: noise with a memory of hundreds of steps; a loss that means something else in
 * the two runs (another reduction, another vocabulary); a batch that grows within a run is not followed. Siblings: {@link
 * LossDivergence}, {@link NotLearning}, which need no reference. Source: SageMaker SimilarAcrossRuns, which compares tensors
 * of finished runs for equality; the rule is ours.
 */
public final class WorseThanReference extends Detector<WorseThanReference.State> {
    static final int BLOCKS_PER_RUN = 64;
    static final int SHORTEST_BLOCK = 4;
    static final int LONGEST_BLOCK = 256;
    static final double MANIFOLD = 2;
    static final int FEWEST_BLOCKS = 16;
    static final int BLOCKS_IN_A_ROW = 8;
    static final int HISTORY = 32;
    static final int FAR_LAG = BLOCKS_IN_A_ROW;
    static final double SIGMAS = 3;
    static final double LATE = 0.1;
    static final double RELEASE = 0.5;
    static final double LEAST_RELATIVE = 0.05;
    static final double LEAST_OF_PROGRESS = 0.02;

    /** The open block, and how the blocks before lay above the reference. */
    static final class State implements DetectorState {
        double sum;
        int inBlock;
        long blockStart;
        long points;
        long blocks;
        final double[] above = new double[HISTORY];
        /** Blocks in a row that were worse, negative if they were not; at most {@value #BLOCKS_IN_A_ROW} are counted. */
        int streak;

        boolean open;
        long onset = -1;

        @Override
        public int version() {
            return 1;
        }

        @Override
        public void write(StateWriter out) {
            out.writeDouble(sum);
            out.writeInt(inBlock);
            out.writeLong(blockStart);
            out.writeLong(points);
            out.writeLong(blocks);
            out.writeDoubles(above, HISTORY);
            out.writeInt(streak);
            out.writeBoolean(open);
            out.writeLong(onset);
        }

        @Override
        public void read(StateReader in) {
            sum = in.readDouble();
            inBlock = in.readCount(LONGEST_BLOCK);
            blockStart = in.readLong();
            points = in.readLong();
            blocks = Math.max(0, in.readLong());
            in.readDoubles(above, HISTORY);
            streak = in.readInt();
            open = in.readBoolean();
            onset = in.readLong();
        }

        /** Points of a block now. */
        int blockPoints() {
            long share = Long.highestOneBit(Math.max(1, points / BLOCKS_PER_RUN));
            return (int) Math.max(SHORTEST_BLOCK, Math.min(share, LONGEST_BLOCK));
        }

        /** Robust standard deviation of a block against the reference, whatever their distance. */
        double scatter() {
            int count = (int) Math.min(blocks, HISTORY);
            return Math.max(scatter(count, 1), scatter(count, FAR_LAG));
        }

        private double scatter(int count, int lag) {
            double[] changes = new double[count - lag];
            for (int i = 0; i < changes.length; i++) {
                changes[i] = at(i) - at(i + lag);
            }
            return Medians.standardDeviation(changes) / Math.sqrt(2);
        }

        private double at(int back) {
            return above[(int) ((blocks - 1 - back) % HISTORY)];
        }
    }

    @Override
    public String name() {
        return "worse_than_reference";
    }

    @Override
    public Set<Class<?>> reads() {
        return Set.of(StepCompleted.class);
    }

    @Override
    public int quietVerdicts() {
        return BLOCKS_IN_A_ROW;
    }

    @Override
    public State newState() {
        return new State();
    }

    @Override
    public void observe(State state, RunView run, TrainingEvent event, Verdicts verdicts) {
        ReferenceCurve reference = run.reference();
        Series loss = run.loss();
        if (reference == null || !loss.isFresh(run) || !Double.isFinite(loss.last())) {
            return;
        }
        if (run.redoing()
                || run.gates().learningRateStillRising()
                || run.lastStep() <= run.gates().warmupEnd(run.facts())) {
            state.inBlock = 0;
            return;
        }
        if (state.inBlock == 0) {
            state.blockStart = run.lastStep();
            state.sum = 0;
        }
        state.sum += loss.last();
        state.points++;
        if (++state.inBlock >= state.blockPoints()) {
            judge(state, run, reference, verdicts);
            state.inBlock = 0;
        }
    }

    private static void judge(State state, RunView run, ReferenceCurve reference, Verdicts verdicts) {
        int points = state.inBlock;
        double mean = state.sum / points;
        double stretch = reference.stepsPerStep(run.facts().kind());
        double from = stretch * state.blockStart;
        double to = stretch * run.lastStep();
        if (from < reference.firstStep() || to > reference.lastStep()) {
            return;
        }
        double there = reference.mean(from, to);
        double late = Math.max(LATE * (to - reference.firstStep()), reference.width(to));
        double earlier = reference.mean(
                Math.max(reference.firstStep(), from - late), Math.max(reference.firstStep(), to - late));
        state.above[(int) (state.blocks % HISTORY)] = mean - there;
        state.blocks++;
        if (state.blocks < FEWEST_BLOCKS || state.points < Series.TRUSTED_POINTS) {
            return;
        }
        double independent = run.loss().scale() / Math.sqrt((double) points);
        double sigma = Math.hypot(Math.max(state.scatter(), independent), reference.scatter());
        double least =
                Math.max(LEAST_RELATIVE * Math.abs(there), LEAST_OF_PROGRESS * Math.abs(reference.initial() - there));
        double excess = mean - Math.max(there, earlier);
        double limit = Math.max(SIGMAS * sigma, least);
        boolean worse = excess > (state.open ? RELEASE * limit : limit);
        state.streak = worse
                ? Math.min(Math.max(state.streak, 0) + 1, BLOCKS_IN_A_ROW)
                : Math.max(Math.min(state.streak, 0) - 1, -BLOCKS_IN_A_ROW);
        if (!state.open && state.streak == 1) {
            state.onset = state.blockStart;
        }
        state.open = state.streak >= BLOCKS_IN_A_ROW || (state.open && state.streak > -BLOCKS_IN_A_ROW);
        if (!state.open || !worse) {
            verdicts.healthy(Verdicts.RUN);
            return;
        }
        String profile = LossGates.profile(run);
        verdicts.unhealthy(
                Verdicts.RUN,
                Severity.warning,
                state.onset,
                profile != null ? profile : run.gates().upwardMove(),
                () -> explain(state.onset, run, reference, stretch, mean, there, excess / sigma));
    }

    private static Verdicts.Explanation explain(
            long onset,
            RunView run,
            ReferenceCurve reference,
            double stretch,
            double mean,
            double there,
            double score) {
        String by = !(there > 0)
                ? Figures.text(mean - there) + " above that of"
                : mean < MANIFOLD * there
                        ? Figures.percent(mean / there - 1) + " worse than that of"
                        : Figures.text(mean / there) + " times that of";
        String where =
                stretch == 1 ? "at equal step" : "after equal work, its step " + Math.round(stretch * run.lastStep());
        return new Verdicts.Explanation(
                "loss is " + by + " run " + reference.runId() + " since step " + onset + ": " + Figures.text(mean)
                        + " now, " + Figures.text(there) + " there " + where,
                List.of(Figures.evidence("loss", onset, run.lastStep(), mean, there, score, null)));
    }

    @Override
    public @Nullable String missing(State state, RunView run) {
        ReferenceCurve reference = run.reference();
        String named = run.facts().referenceRunId();
        if (reference == null) {
            return named == null
                    ? "run_started.reference_run_id"
                    : named.equals(run.runId())
                            ? "run_started.reference_run_id of another run"
                            : "the reference run " + named + ", which is not known here";
        }
        if (state.blocks >= FEWEST_BLOCKS) {
            return null;
        }
        return run.loss().points() == 0
                ? "step_completed.loss"
                : FEWEST_BLOCKS + " blocks of loss at steps that run " + reference.runId() + " has, " + state.blocks
                        + " came";
    }
}
