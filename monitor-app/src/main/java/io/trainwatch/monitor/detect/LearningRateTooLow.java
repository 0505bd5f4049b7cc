package io.trainwatch.monitor.detect;

import io.trainwatch.alert.Evidence;
import io.trainwatch.alert.Severity;
import io.trainwatch.event.StepCompleted;
import io.trainwatch.event.TensorStats;
import io.trainwatch.event.TrainingEvent;
import io.trainwatch.monitor.run.Gates;
import io.trainwatch.monitor.run.RunView;
import io.trainwatch.monitor.stats.BlockMeans;
import io.trainwatch.monitor.stats.StateReader;
import io.trainwatch.monitor.stats.StateWriter;
import io.trainwatch.monitor.stats.TheilSen;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Finds a run that learns steadily and far too slowly to get anywhere (D12).
 *
 * <pre>
 * over the whole loss in 32 to 64 equal blocks behind the warm-up ({@link BlockMeans}), from 500 steps on:
 * updates &lt; 1e-4 of the weights ({@link UpdateRatio}), learning rate &gt; 50 % of its peak,
 * the loss falls (Mann-Kendall z &lt; -4) and does not slow down (slope of the last half &gt;= 0.7 x that of the first),
 * and at this slope more than 90 % of it is left at max_steps
 * fires if all hold                                             -&gt; info
 *       and the loss began at 80 % of ln C or more              -&gt; warning
 * </pre>
 *
 * <p>A healthy loss falls fast and then slowly; one that falls as a straight line has the whole of its curve still before
 * it. A run that begins far below chance is a fine-tuning, where small updates are meant; so is one that does not say what
 * chance is, as far as can be told. A run that learns nothing at all is {@link NotLearning}'s.
 *
 * <p>Measured: healthy updates 4e-4 to 6e-3 of the weights, too low ones 2e-6 to 4e-5. Known weakness: optimizers that are
 * not of Adam's kind have to report update_to_weight_ratio. Siblings: {@link NotLearning}, {@link UnchangedWeights}, {@link
 * LearningRateTooHigh}. Source: DETECTION.md D12.
 */
public final class LearningRateTooLow extends Detector<LearningRateTooLow.State> {
    static final Setting<Double> SMALL_UPDATE = Setting.number(
            "small_update",
            1e-4,
            1e-9,
            1,
            "update by weight, per step",
            "Smaller updates count as small. Healthy ones measured 4e-4 to 6e-3 of the weights, those "
                    + "of rates that were too low 2e-6 to 4e-5.");

    static final long EARLIEST = 500;
    static final int LEAST_BLOCKS = BlockMeans.MAX_BLOCKS / 2;
    static final double SHARE_OF_PEAK = 0.5;
    static final double TREND = -4;
    static final double STEADY = 0.7;
    static final double LEFT_AT_THE_END = 0.9;
    static final double FROM_SCRATCH = 0.8;

    private final double smallUpdate;

    LearningRateTooLow(DetectorSettings settings) {
        smallUpdate = settings.get(SMALL_UPDATE);
    }

    /** The loss in equal blocks, the size of the updates, and what was found when the latest block closed. */
    static final class State implements DetectorState {
        final BlockMeans blocks = new BlockMeans();
        final UpdateRatio updates = new UpdateRatio();
        long firstStep = -1;
        boolean checked;
        boolean slow;
        long since = -1;
        double projected = Double.NaN;

        @Override
        public int version() {
            return 1;
        }

        @Override
        public void write(StateWriter out) {
            blocks.write(out);
            updates.write(out);
            out.writeLong(firstStep);
            out.writeBoolean(checked);
            out.writeBoolean(slow);
            out.writeLong(since);
            out.writeDouble(projected);
        }

        @Override
        public void read(StateReader in) {
            blocks.read(in);
            updates.read(in);
            firstStep = in.readLong();
            checked = in.readBoolean();
            slow = in.readBoolean();
            since = in.readLong();
            projected = in.readDouble();
        }
    }

    @Override
    public String name() {
        return "learning_rate_too_low";
    }

    @Override
    public List<Setting<?>> settings() {
        return List.of(SMALL_UPDATE);
    }

    @Override
    public Set<Class<?>> reads() {
        return Set.of(StepCompleted.class, TensorStats.class);
    }

    @Override
    public State newState() {
        return new State();
    }

    @Override
    public void observe(State state, RunView run, TrainingEvent event, Verdicts verdicts) {
        if (event.getRank() != 0 || run.redoing()) {
            return;
        }
        state.updates.observe(run, event);
        if (event.getBody() instanceof TensorStats
                || !run.loss().isFresh(run)
                || !Double.isFinite(run.loss().last())
                || warmsUp(run)) {
            return;
        }
        if (state.firstStep < 0) {
            state.firstStep = run.lastStep();
        }
        if (state.blocks.add(run.loss().last()) && state.blocks.closed() >= LEAST_BLOCKS) {
            check(state, run);
        }
        if (!state.checked) {
            return;
        }
        if (!state.slow) {
            verdicts.healthy(Verdicts.RUN);
            return;
        }
        verdicts.unhealthy(
                Verdicts.RUN,
                fromScratch(run) ? Severity.warning : Severity.info,
                state.since,
                suppressedBy(run),
                () -> explain(state, run));
    }

    private static boolean warmsUp(RunView run) {
        return run.gates().learningRateStillRising()
                || run.lastStep() <= run.gates().warmupEnd(run.facts());
    }

    private static boolean fromScratch(RunView run) {
        return run.loss().initial() >= FROM_SCRATCH * run.facts().chanceLoss();
    }

    private void check(State state, RunView run) {
        double update = state.updates.high(run);
        long maxSteps = run.facts().maxSteps();
        double steps = run.lastStep() - state.firstStep;
        if (Double.isNaN(update) || maxSteps <= 0 || run.lastStep() - run.firstStep() < EARLIEST - 1) {
            return;
        }
        state.checked = true;
        BlockMeans blocks = state.blocks;
        int n = blocks.closed();
        double[] means = new double[n];
        for (int i = 0; i < n; i++) {
            means[i] = blocks.mean(i);
        }
        double slope = TheilSen.slope(means, 0, n);
        double first = TheilSen.slope(means, 0, n / 2);
        double last = TheilSen.slope(means, n / 2, n);
        double now = means[n - 1];
        double blocksLeft = Math.max(0, maxSteps - run.lastStep()) / Math.max(1, steps) * n;
        state.projected = now + slope * blocksLeft;
        Gates gates = run.gates();
        boolean slow = update < smallUpdate
                && gates.learningRate() > SHARE_OF_PEAK * gates.peakLearningRate()
                && TheilSen.trend(means, 0, n) < TREND
                && first < 0
                && last <= STEADY * first
                && now > 0
                && state.projected > LEFT_AT_THE_END * now;
        if (slow && !state.slow) {
            state.since = state.firstStep;
        }
        state.slow = slow;
    }

    private static @Nullable String suppressedBy(RunView run) {
        String profile = LossGates.profile(run);
        if (profile != null) {
            return profile;
        }
        return LossGates.atFloor(run.loss()) ? LossGates.AT_FLOOR : run.gates().flatLoss(run);
    }

    private Verdicts.Explanation explain(State state, RunView run) {
        double update = state.updates.high(run);
        Evidence ratio = Figures.evidence(
                "update_to_weight_ratio", state.since, run.lastStep(), update, smallUpdate, Double.NaN, null);
        Evidence loss = Figures.evidence(
                "loss",
                state.since,
                run.lastStep(),
                run.loss().median(),
                run.loss().initial(),
                Double.NaN,
                null);
        return new Verdicts.Explanation(
                "learning rate " + Figures.text(run.gates().learningRate())
                        + " is too low: updates of at most " + Figures.percent(update)
                        + " of the weights, the loss falls steadily and will be "
                        + Figures.text(state.projected) + " at step "
                        + run.facts().maxSteps(),
                List.of(ratio, loss));
    }

    @Override
    public @Nullable String missing(State state, RunView run) {
        if (state.checked) {
            return null;
        }
        if (run.facts().maxSteps() <= 0) {
            return "run_started.max_steps";
        }
        return Double.isNaN(state.updates.high(run))
                ? "step_completed.update_to_weight_ratio, or an Adam-type optimizer with a learning rate and tensor_stats"
                        + " of weights"
                : EARLIEST + " steps and " + LEAST_BLOCKS + " points of loss behind the warm-up, "
                        + (run.stepsSeen() + 1) + " steps came";
    }
}
