package io.trainwatch.monitor.detect;

import io.trainwatch.alert.Severity;
import io.trainwatch.event.StepCompleted;
import io.trainwatch.event.TrainingEvent;
import io.trainwatch.monitor.run.MetricDirection;
import io.trainwatch.monitor.run.RunView;
import io.trainwatch.monitor.run.Series;
import io.trainwatch.monitor.run.SeriesSnapshot.Bucket;
import io.trainwatch.monitor.stats.Medians;
import io.trainwatch.monitor.stats.Moments;
import io.trainwatch.monitor.stats.StateReader;
import io.trainwatch.monitor.stats.StateWriter;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Finds a run that has learned nothing by the time it should have (D04).
 *
 * <pre>
 * at n1 = max(2 warm-up, min(500, a quarter of max_steps), 50) steps, and at every doubling of n1:
 * A = median of the first points (a fifth of them, at most 50), B = median of the latest (a quarter, at most 100), s = robust sd of those
 * fires if (A - B) / (1.2533 s / sqrt(points of B)) &lt; 5  or  (A - B) / |A| &lt; 2 %
 *       or |B - chance| &lt; 2 % of chance, where the run declares its classes
 * unless the median of the first 3 points was at chance and B is below it by 2 % and by 5 standard errors:
 *       a linear model has learned all it can within its first points
 * </pre>
 *
 * <p>A run without a loss is judged by its return (a reward of {@code step_completed.metrics}), from 2,048 episodes on and
 * whenever they have doubled, over the 192 stretches of its curve:
 *
 * <pre>
 * E = mean of the second eighth of the episodes, L = mean of their second half
 * fires if L - E &lt; 2 standard errors and &lt; 5 % of the range of the curve,
 *       unless a tenth of the late stretches reach the best value ever seen: a return at its ceiling
 * </pre>
 *
 * <p>Looked at after 500 steps, or a quarter of the declared ones if that is earlier, and each time the steps have doubled;
 * at once, from 20 points on, if the gradient norm was exactly 0 all along: then nothing has to be waited for. s = max(1.4826
 * MAD, IQR / 1.349), because the error of a median is set by the middle of the points and not by their tail.
 *
 * <p>1.2533 s / sqrt(n) is the standard error of a median. Chance is ln C for cross entropy over C classes. Needs 20
 * points; a warning and not critical, because some tasks sit flat for long before they fall.
 *
 * <p>Measured on a zoo of 28 small networks: fires on frozen, vanishing, dead and unnormalised ones and on learning rates
 * of 1e-6 and 0.1 (Adam), on none of 7 healthy ones. Known weakness: fine-tuning that improves by less than 2 % on
 * purpose. Siblings: {@link LossPlateau} for what learned and stopped. Source: DETECTION.md D04.
 */
public final class NotLearning implements Detector<NotLearning.State> {
    static final Setting<Long> FIRST_CHECK = Setting.whole(
            "first_check",
            500,
            50,
            1_000_000,
            "steps",
            "After so many steps something should have been learned; a quarter of max_steps where that is "
                    + "less, and never before twice the warm-up. A run that begins slowly, as on random labels or "
                    + "in reinforcement learning, needs more.");

    static final int EARLIEST_CHECK = 50;
    static final int FIRST_POINTS = 50;
    static final int VERY_FIRST_POINTS = 3;
    static final int LATEST_POINTS = 100;
    static final int FEWEST_POINTS = 20;
    static final double SIGNIFICANCE = 5;
    static final double LEAST_IMPROVEMENT = 0.02;
    /** So much better is no flat loss, however noisy it is. */
    static final double CLEAR_IMPROVEMENT = 0.1;

    static final double CHANCE_BAND = 0.02;
    static final int FEWEST_EPISODES = 2048;
    static final double RETURN_ERRORS = 2;
    static final double LEAST_RETURN = 0.05;
    static final double CEILING = 0.1;

    private final long firstCheck;

    NotLearning(DetectorSettings settings) {
        firstCheck = settings.get(FIRST_CHECK);
    }

    /** First and latest points of the loss, and when to look next. */
    static final class State implements DetectorState {
        final double[] first = new double[FIRST_POINTS];
        final double[] latest = new double[LATEST_POINTS];
        long points;
        long nextCheck;
        boolean checked;
        boolean flat;
        double was;
        double is;
        double score;
        boolean atChance;
        long nextReturnCheck = FEWEST_EPISODES;
        long flatSince;

        @Override
        public int version() {
            return 1;
        }

        @Override
        public void write(StateWriter out) {
            out.writeLong(points);
            out.writeDoubles(first, (int) Math.min(points, FIRST_POINTS));
            out.writeDoubles(latest, (int) Math.min(points, LATEST_POINTS));
            out.writeLong(nextCheck);
            out.writeBoolean(checked);
            out.writeBoolean(flat);
            out.writeDouble(was);
            out.writeDouble(is);
            out.writeDouble(score);
            out.writeBoolean(atChance);
            out.writeLong(nextReturnCheck);
            out.writeLong(flatSince);
        }

        @Override
        public void read(StateReader in) {
            points = in.readLong();
            in.readDoubles(first, (int) Math.max(0, Math.min(points, FIRST_POINTS)));
            in.readDoubles(latest, (int) Math.max(0, Math.min(points, LATEST_POINTS)));
            nextCheck = in.readLong();
            checked = in.readBoolean();
            flat = in.readBoolean();
            was = in.readDouble();
            is = in.readDouble();
            score = in.readDouble();
            atChance = in.readBoolean();
            nextReturnCheck = in.readLong();
            flatSince = in.readLong();
        }
    }

    @Override
    public String name() {
        return "not_learning";
    }

    @Override
    public List<Setting<?>> settings() {
        return List.of(FIRST_CHECK);
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
        Series loss = run.loss();
        if (loss.points() == 0 && event.getBody() instanceof StepCompleted step && step.getMetrics() != null) {
            returns(state, run, step.getMetrics(), verdicts);
            return;
        }
        if (!loss.isFresh(run) || !Double.isFinite(loss.last()) || run.redoing()) {
            return;
        }
        if (state.points < FIRST_POINTS) {
            state.first[(int) state.points] = loss.last();
        }
        state.latest[(int) (state.points % LATEST_POINTS)] = loss.last();
        state.points++;
        long steps = run.stepsSeen() + 1;
        if (state.nextCheck == 0) {
            state.nextCheck = firstCheck(run, firstCheck);
        }
        if ((steps >= state.nextCheck || hasNoGradient(run, state)) && state.points >= FEWEST_POINTS) {
            long warmup = run.gates().warmupEnd(run.facts());
            if (!hasNoGradient(run, state) && (run.gates().learningRateStillRising() || steps < 2 * warmup)) {
                state.nextCheck = Math.max(state.nextCheck + 1, 2 * warmup);
                return;
            }
            state.nextCheck = 2 * steps;
            check(state, run);
        }
        if (!state.checked) {
            return;
        }
        if (!state.flat) {
            verdicts.healthy(Verdicts.RUN);
            return;
        }
        verdicts.unhealthy(
                Verdicts.RUN, Severity.warning, run.firstStep(), LossGates.profile(run), () -> explain(state, run));
    }

    private static void returns(State state, RunView run, Map<String, Double> metrics, Verdicts verdicts) {
        for (String name : metrics.keySet()) {
            Series series = MetricDirection.isReturn(name) ? run.series("metrics/" + name) : null;
            if (series == null || !series.isFresh(run)) {
                continue;
            }
            if (series.points() >= state.nextReturnCheck) {
                state.nextReturnCheck = 2 * series.points();
                check(state, series.snapshot().buckets());
            }
            if (!state.checked) {
                return;
            }
            if (!state.flat) {
                verdicts.healthy(series.name());
                return;
            }
            verdicts.unhealthy(
                    series.name(), Severity.warning, state.flatSince, null, () -> explain(state, run, series));
            return;
        }
    }

    private static void check(State state, List<Bucket> buckets) {
        List<Bucket> early = buckets.subList(buckets.size() / 8, buckets.size() / 4);
        List<Bucket> late = buckets.subList(buckets.size() / 2, buckets.size());
        Moments before = moments(early);
        Moments now = moments(late);
        Moments all = moments(buckets);
        double best = buckets.stream().mapToDouble(Bucket::max).max().orElse(Double.NaN);
        long atBest = late.stream().filter(bucket -> bucket.max() >= best).count();
        double range = buckets.stream().mapToDouble(Bucket::mean).max().orElse(0)
                - buckets.stream().mapToDouble(Bucket::mean).min().orElse(0);
        double error = Math.hypot(before.std() / Math.sqrt(before.count()), now.std() / Math.sqrt(now.count()));
        double gained = now.mean() - before.mean();
        state.checked = all.count() > 0;
        state.was = before.mean();
        state.is = now.mean();
        state.score = gained / Math.max(error, Double.MIN_NORMAL);
        state.flat = gained < RETURN_ERRORS * error && gained < LEAST_RETURN * range && atBest < CEILING * late.size();
        state.flatSince = early.get(early.size() - 1).lastStep();
    }

    private static Moments moments(List<Bucket> buckets) {
        Moments moments = new Moments();
        for (Bucket bucket : buckets) {
            if (Double.isFinite(bucket.mean())) {
                moments.add(bucket.mean());
            }
        }
        return moments;
    }

    private static Verdicts.Explanation explain(State state, RunView run, Series series) {
        return new Verdicts.Explanation(
                series.name() + " no longer improves after " + series.points() + " episodes: "
                        + Figures.text(state.was) + " in the second eighth of them, " + Figures.text(state.is)
                        + " in the second half",
                List.of(Figures.evidence(
                        series.name(), state.flatSince, run.lastStep(), state.is, state.was, state.score, null)));
    }

    /** Steps after which something should have been learned. */
    static long firstCheck(RunView run) {
        return firstCheck(run, FIRST_CHECK.standard());
    }

    private static long firstCheck(RunView run, long most) {
        long maxSteps = run.facts().maxSteps();
        long quarter = maxSteps > 0 ? maxSteps / 4 : most;
        return Math.max(EARLIEST_CHECK, Math.min(most, quarter));
    }

    /** Every gradient norm so far was exactly 0: none is in the window, which holds logarithms. */
    private static boolean hasNoGradient(RunView run, State state) {
        return !state.checked
                && run.gradNorm().points() >= FEWEST_POINTS
                && run.gradNorm().finitePoints() == 0
                && run.gradNorm().last() == 0;
    }

    private static void check(State state, RunView run) {
        state.checked = true;
        int a = (int) Math.max(3, Math.min(FIRST_POINTS, state.points / 5));
        int b = (int) Math.max(3, Math.min(LATEST_POINTS, state.points / 4));
        double[] latest = new double[b];
        for (int i = 0; i < b; i++) {
            latest[i] = state.latest[(int) ((state.points - 1 - i) % LATEST_POINTS)];
        }
        double was = Medians.of(state.first, 0, a);
        double is = Medians.of(latest);
        double sd = robustDeviation(latest);
        double error = 1.2533 * sd / Math.sqrt(b);
        double chance = run.facts().chanceLoss();
        state.was = was;
        state.is = is;
        state.score = error == 0 ? (was - is) / 1e-12 : (was - is) / error;
        state.atChance = Math.abs(is - chance) < CHANCE_BAND * chance;
        boolean improved = was - is >= LEAST_IMPROVEMENT * Math.abs(was)
                && (state.score >= SIGNIFICANCE || was - is >= CLEAR_IMPROVEMENT * Math.abs(was));
        state.flat = state.atChance || !(improved || fellBelowChance(state, is, error, chance));
    }

    /** What began at chance or above and is below it now has learned, however few points that took. */
    private static boolean fellBelowChance(State state, double is, double error, double chance) {
        double lowest = (1 - CHANCE_BAND) * chance;
        return Medians.of(state.first, 0, VERY_FIRST_POINTS) >= lowest
                && is < lowest
                && chance - is > SIGNIFICANCE * error;
    }

    private static Verdicts.Explanation explain(State state, RunView run) {
        long steps = run.stepsSeen() + 1;
        String chance = state.atChance
                ? ", the level of chance (" + Figures.text(run.facts().chanceLoss()) + ")"
                : "";
        double change = (state.was - state.is) / Math.abs(state.was);
        String moved = change >= 0 ? "improved by only " + Figures.percent(change) : "got worse";
        return new Verdicts.Explanation(
                "after " + steps + " steps the loss " + moved + ": " + Figures.text(state.was) + " at the start, "
                        + Figures.text(state.is) + " now" + chance,
                List.of(Figures.evidence(
                        "loss", run.firstStep(), run.lastStep(), state.is, state.was, state.score, null)));
    }

    private static double robustDeviation(double[] points) {
        double[] sorted = points.clone();
        Arrays.sort(sorted);
        double iqr = sorted[sorted.length - 1 - sorted.length / 4] - sorted[sorted.length / 4];
        return Math.max(Medians.standardDeviation(sorted), iqr / 1.349);
    }

    @Override
    public @Nullable String missing(State state, RunView run) {
        if (state.checked) {
            return null;
        }
        return run.loss().points() == 0
                ? "step_completed.loss, or " + FEWEST_EPISODES + " episodes of a return"
                : firstCheck(run, firstCheck) + " steps and " + FEWEST_POINTS + " points of loss, "
                        + (run.stepsSeen() + 1) + " and " + state.points + " came";
    }
}
