package io.trainwatch.monitor.detect;

import io.trainwatch.alert.Severity;
import io.trainwatch.event.StepCompleted;
import io.trainwatch.event.TrainingEvent;
import io.trainwatch.monitor.run.RunView;
import io.trainwatch.monitor.run.Series;
import io.trainwatch.monitor.stats.LogBuckets;
import io.trainwatch.monitor.stats.Persistent;
import io.trainwatch.monitor.stats.StateReader;
import io.trainwatch.monitor.stats.StateWriter;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Finds a loss that stopped improving, by improvement per doubling of steps (D05).
 *
 * <pre>
 * whenever a log bucket closes, after 1,000 steps, with at least 12 buckets of at least 2 points:
 * m1, m2 = means of the two halves (two buckets each) of the last doubling
 * D = |initial - best half so far| ; I = 2 (m1 - m2) / D ; se likewise, from the variance within or from the
 * scatter of the means of 16 stretches of each half, whichever is larger
 * fires if I &gt; -2 % and I + 2.33 se &lt; 1 %    (less than 1 % of all progress per doubling, one-sided 99 %),
 *       unless ln loss improves by 1 % of its progress and by 2.33 se (losses above 0)
 * or if the learning rate has been nothing (below 0.01 % of its peak) for a quarter of the run, at least 100 steps
 * </pre>
 *
 * <p>The logarithm does justice to a loss that fell over orders of magnitude: what is nothing beside the first drop may
 * still be halving. What rises by more than 2 % is for {@link LossDivergence}, or a wave that this doubling happens to cut.
 * Without a learning rate nothing can improve, so nothing has to be waited for.
 *
 * <p>Not looked at while the last doubling began before the present phase: other data have another loss.
 *
 * <p>Info while the schedule explains it: learning rate below 10 % of its peak, progress above 90 % of max_steps, or loss
 * below 5 % of where it began. Info for a component of a loss that is logged itself: components settle at different times,
 * and the whole says whether anything stopped.
 *
 * <p>A power law improves by a constant ratio per doubling, so the test has no patience to tune: ReduceLROnPlateau's
 * fixed patience of 100 steps alarms on 75 of 75 healthy GPT runs, this on none of 840 tests; the least improvement seen
 * there was 2.1 %. A freeze at step s is found at about 1.8 s. Known weakness: that delay. Siblings: {@link NotLearning}.
 * Source: DETECTION.md D05.
 */
public final class LossPlateau extends Detector<PerScope<LossPlateau.State>> {
    static final Setting<Double> LEAST_IMPROVEMENT = Setting.number(
            "least_improvement",
            0.01,
            0.0001,
            0.5,
            "share of all progress",
            "A loss that improves by less from one doubling of the steps to the next has stopped. The "
                    + "least of 840 healthy tests on GPT trainings was 2.1 %; half of that leaves room for other "
                    + "models.");

    static final long MIN_STEPS = 1000;
    static final int MIN_BUCKETS = 12;
    static final int MIN_POINTS = 2;
    static final double ONE_SIDED_99 = 2.33;
    /** A loss below this share of where it began has made nearly all of its way: it has converged. */
    static final double CONVERGED = 0.05;

    /** A loss that gets worse by so much of its progress in a doubling rises, as for {@link LossDivergence}. */
    static final double RISING = 0.02;

    /** Without this many standard errors of progress there is nothing that could have stopped. */
    static final double PROGRESS_ERRORS = 5;

    private final double leastImprovement;

    LossPlateau(DetectorSettings settings) {
        leastImprovement = settings.get(LEAST_IMPROVEMENT);
    }

    /** The latest verdict on one loss. */
    static final class State implements Persistent {
        boolean checked;
        boolean flat;
        long since;
        double improvement;
        double error;
        long phase;
        long phaseSince = -1;

        @Override
        public void write(StateWriter out) {
            out.writeLong(phase);
            out.writeLong(phaseSince);
            out.writeBoolean(checked);
            out.writeBoolean(flat);
            out.writeLong(since);
            out.writeDouble(improvement);
            out.writeDouble(error);
        }

        @Override
        public void read(StateReader in) {
            phase = in.readLong();
            phaseSince = in.readLong();
            checked = in.readBoolean();
            flat = in.readBoolean();
            since = in.readLong();
            improvement = in.readDouble();
            error = in.readDouble();
        }
    }

    @Override
    public String name() {
        return "loss_plateau";
    }

    @Override
    public List<Setting<?>> settings() {
        return List.of(LEAST_IMPROVEMENT);
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
            return;
        }
        List<Series> losses = run.losses();
        for (int i = 0; i < losses.size(); i++) {
            Series loss = losses.get(i);
            if (loss.isFresh(run)) {
                String scope = LossGates.scope(run, loss);
                State state = states.of(scope);
                if (state != null) {
                    judge(state, run, loss, scope, verdicts);
                }
            }
        }
    }

    private void judge(State state, RunView run, Series loss, String scope, Verdicts verdicts) {
        if (state.phase != run.phase()) {
            state.phase = run.phase();
            state.phaseSince = run.lastStep();
            state.flat = false;
        }
        if (loss.bucketClosed() && run.lastStep() - loss.firstStep() > MIN_STEPS && isOfOnePhase(state, run, loss)) {
            check(state, run, loss);
        }
        boolean gone = run.gates().learningRateGone(run);
        if (gone && !state.flat) {
            state.checked = true;
            state.flat = true;
            state.since = run.gates().learningRateGoneSince();
        }
        if (!state.checked) {
            return;
        }
        if (!state.flat) {
            verdicts.healthy(scope);
            return;
        }
        verdicts.unhealthy(
                scope, Severity.warning, state.since, suppressedBy(run, loss), () -> explain(state, run, loss));
    }

    /** Whether the last doubling of steps lies in the present phase: another one has another loss. */
    private static boolean isOfOnePhase(State state, RunView run, Series loss) {
        return 2 * (state.phaseSince - loss.firstStep()) <= run.lastStep() - loss.firstStep();
    }

    private void check(State state, RunView run, Series loss) {
        LogBuckets buckets = loss.buckets();
        int closed = buckets.closed();
        if (closed < MIN_BUCKETS) {
            return;
        }
        Half late = Half.of(buckets, closed - 1);
        Half early = Half.of(buckets, closed - 3);
        if (late.points < 2 * MIN_POINTS || early.points < 2 * MIN_POINTS) {
            return;
        }
        double best = Double.POSITIVE_INFINITY;
        for (int end = 1; end < closed; end++) {
            Half half = Half.of(buckets, end);
            if (half.points >= 2 * MIN_POINTS) {
                best = Math.min(best, half.mean);
            }
        }
        double progress = Math.abs(loss.initial() - best);
        double meanError = Math.hypot(error(early, buckets.errorOfHalf(false)), error(late, buckets.errorOfHalf(true)));
        if (progress < PROGRESS_ERRORS * meanError) {
            return;
        }
        state.checked = true;
        state.improvement = 2 * (early.mean - late.mean) / progress;
        state.error = 2 * meanError / progress;
        boolean flat = state.improvement + ONE_SIDED_99 * state.error < leastImprovement
                && state.improvement > -RISING
                && !improvesInOrders(loss.initial(), best, early, late);
        if (flat && !state.flat) {
            state.since = loss.firstStep() + (run.lastStep() - loss.firstStep()) / 2;
        }
        state.flat = flat || run.gates().learningRateGone(run);
    }

    /** The larger of what independent points would have and what the scatter of shorter means shows. */
    private static double error(Half half, double byScatter) {
        double independent = Math.sqrt(half.meanVariance);
        return Double.isNaN(byScatter) ? independent : Math.max(independent, byScatter);
    }

    private boolean improvesInOrders(double initial, double best, Half early, Half late) {
        if (!(best > 0 && initial > best)) {
            return false;
        }
        double progress = Math.log(initial / best);
        double improvement = 2 * Math.log(early.mean / late.mean) / progress;
        double error = 2
                * Math.sqrt(
                        early.meanVariance / (early.mean * early.mean) + late.meanVariance / (late.mean * late.mean))
                / progress;
        return improvement >= leastImprovement && improvement > ONE_SIDED_99 * error;
    }

    /** Two neighbouring buckets as one. */
    private static final class Half {
        double points;
        double mean;
        double meanVariance;

        static Half of(LogBuckets buckets, int last) {
            Half half = new Half();
            double sum = 0;
            double squares = 0;
            for (int i = last - 1; i <= last; i++) {
                long count = buckets.count(i);
                if (count > 0) {
                    half.points += count;
                    sum += count * buckets.mean(i);
                    squares += count > 1 ? (count - 1) * buckets.variance(i) : 0;
                }
            }
            half.mean = sum / half.points;
            half.meanVariance = half.points > 2 ? squares / (half.points - 2) / half.points : Double.POSITIVE_INFINITY;
            return half;
        }
    }

    private static @Nullable String suppressedBy(RunView run, Series loss) {
        String profile = LossGates.profile(run);
        if (profile != null) {
            return profile;
        }
        if (Math.abs(loss.median()) < CONVERGED * Math.abs(loss.initial())) {
            return LossGates.AT_FLOOR;
        }
        if (LossGates.isComponent(run, loss)) {
            return LossGates.COMPONENT;
        }
        String gate = run.gates().flatLoss(run);
        return gate != null ? gate : run.gates().upwardMove();
    }

    private Verdicts.Explanation explain(State state, RunView run, Series loss) {
        String gone = run.gates().learningRateGone(run)
                ? ": the learning rate is " + Figures.text(run.gates().learningRate()) + " since step "
                        + run.gates().learningRateGoneSince() + " (peak "
                        + Figures.text(run.gates().peakLearningRate()) + ")"
                : "";
        String told = !gone.isEmpty()
                ? gone
                : ": " + Figures.percent(state.improvement) + " of its progress in the last doubling of steps";
        return new Verdicts.Explanation(
                loss.name() + " stopped improving at " + Figures.text(loss.median()) + told,
                List.of(Figures.evidence(
                        loss.name(),
                        state.since,
                        run.lastStep(),
                        state.improvement,
                        leastImprovement,
                        (leastImprovement - state.improvement) / state.error,
                        "share of progress per doubling")));
    }

    @Override
    public @Nullable String missing(PerScope<State> states, RunView run) {
        if (states.all().stream().anyMatch(state -> state.checked)) {
            return null;
        }
        return run.loss().points() == 0
                ? "step_completed.loss"
                : "more than " + MIN_STEPS + " steps with points in every stretch, " + run.stepsSeen() + " came";
    }
}
