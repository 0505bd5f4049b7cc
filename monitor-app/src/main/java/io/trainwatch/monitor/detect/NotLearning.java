package io.trainwatch.monitor.detect;

import io.trainwatch.alert.Severity;
import io.trainwatch.event.EvaluationCompleted;
import io.trainwatch.event.StepCompleted;
import io.trainwatch.event.TrainingEvent;
import io.trainwatch.monitor.run.MetricDirection;
import io.trainwatch.monitor.run.RunFacts;
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
 * at n1 = max(2 warm-up, min(max(500, 4,096 samples), a quarter of max_steps), 50) steps, or 20 epochs where a step is one,
 * and at every doubling:
 * A = median of the first points (a fifth of them, at most 50), B = median of the latest (a quarter, at most 100), s = robust sd of those
 * fires if (A - B) / (1.2533 s / sqrt(points of B)) &lt; 5  or  (A - B) / |A| &lt; 2 %
 *       or |B - chance| &lt; 2 % of chance, where the run declares its classes
 *       or all of the latest are within 0.5 % of ln C for a usual number C of classes: a constant answer
 * unless fewer points came than both medians take, and (A - B) + 2 standard errors of it &gt; 10 % of |A|, or A - B is 2 % and
 *       2 standard errors; or fewer than four evaluations did, where there are any: too few to say
 * unless an evaluation loss has fallen: its latest three are below the first by 2 %, or each the lowest yet and the last
 *       of them by 0.5 %
 * unless B is below chance by 2 % and by 5 standard errors, and the first 3 points do not say that it began there, or
 *       the very first point is above B by 2 % and 5 s and above each of the latest: what is easy is learned at once;
 *       but not if B is the loss of a constant answer: ln C for a usual number of classes, 1 for a squared error;
 *       nor if three evaluations say how often the model is right, and that is less than half and no 3 % more than at first
 * </pre>
 *
 * <p>A run without a loss is judged by its return (a reward of {@code step_completed.metrics}), from 2,048 episodes on, once
 * an {@code exploration_rate} is at most 0.2, and whenever they have doubled, over the 192 stretches of its curve:
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
public final class NotLearning extends Detector<NotLearning.State> {
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
    /** So close to a level of chance that nobody declared is no coincidence. */
    static final double PRESUMED_CHANCE_BAND = 0.005;

    /** What guesses without a reason, where the run does not say how many classes it has. */
    private static final int[] USUAL_CLASSES = {2, 3, 4, 5, 10, 20, 50, 100, 200, 1000};

    /** More points make neither median better. */
    static final int ENOUGH_POINTS = 4 * LATEST_POINTS;
    /** An evaluation loss has to be lower so many times in a row. */
    static final int EVALUATIONS = 3;

    static final double LEAST_FALL_OF_EVALUATION = 0.005;
    /** So few samples say little: 500 steps of batches of 8. */
    static final long FEWEST_SAMPLES = 4096;
    /** What the share of right answers has to gain. */
    static final double LEAST_GAIN_OF_RATE = 0.03;

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
        double presumed = Double.NaN;
        double firstEvaluation = Double.NaN;
        double lowestEvaluation = Double.NaN;
        int evaluations;
        int lowerEvaluations;
        double firstRate = Double.NaN;
        double bestRate = Double.NaN;
        int rates;
        long nextReturnCheck = FEWEST_EPISODES;
        long flatSince;

        /** Whether evaluations say that the model is as seldom right as it was at first. */
        boolean rateStays() {
            return rates == EVALUATIONS && bestRate < 0.5 && bestRate - firstRate < LEAST_GAIN_OF_RATE;
        }

        /** Whether evaluations say that the run learns, however noisy its training loss. */
        boolean evaluationFell() {
            return !rateStays()
                    && lowerEvaluations == EVALUATIONS
                    && firstEvaluation - lowestEvaluation > LEAST_FALL_OF_EVALUATION * Math.abs(firstEvaluation);
        }

        @Override
        public int version() {
            return 2;
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
            out.writeDouble(presumed);
            out.writeDouble(firstEvaluation);
            out.writeDouble(lowestEvaluation);
            out.writeInt(evaluations);
            out.writeInt(lowerEvaluations);
            out.writeDouble(firstRate);
            out.writeDouble(bestRate);
            out.writeInt(rates);
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
            presumed = in.readDouble();
            firstEvaluation = in.readDouble();
            lowestEvaluation = in.readDouble();
            evaluations = in.readInt();
            lowerEvaluations = in.readInt();
            firstRate = in.readDouble();
            bestRate = in.readDouble();
            rates = in.readInt();
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
        return Set.of(StepCompleted.class, EvaluationCompleted.class);
    }

    @Override
    public State newState() {
        return new State();
    }

    @Override
    public void observe(State state, RunView run, TrainingEvent event, Verdicts verdicts) {
        if (event.getBody() instanceof EvaluationCompleted evaluation) {
            evaluated(state, evaluation);
            return;
        }
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
        boolean noGradient = hasNoGradient(run, state);
        if ((steps >= state.nextCheck || noGradient) && state.points >= FEWEST_POINTS) {
            long warmup = run.gates().warmupEnd(run.facts());
            if (!noGradient && (run.gates().learningRateStillRising() || steps < 2 * warmup)) {
                state.nextCheck = Math.max(state.nextCheck + 1, 2 * warmup);
                return;
            }
            state.nextCheck = 2 * steps;
            check(state, run, noGradient);
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

    /** The first dataset that is evaluated, if there are several: what it learns, the run learns. */
    private static void evaluated(State state, EvaluationCompleted evaluation) {
        if (evaluation.getMetrics() == null) {
            return;
        }
        evaluation.getMetrics().forEach((name, value) -> {
            if (name.equals("accuracy") && Double.isFinite(value)) {
                state.firstRate = state.rates == 0 ? value : state.firstRate;
                state.bestRate = state.rates == 0 ? value : Math.max(state.bestRate, value);
                state.rates = Math.min(state.rates + 1, EVALUATIONS);
            }
        });
        Double loss = evaluation.getMetrics().get("loss");
        if (loss == null || !Double.isFinite(loss)) {
            return;
        }
        if (Double.isNaN(state.firstEvaluation)) {
            state.firstEvaluation = loss;
            state.lowestEvaluation = loss;
        }
        double lower = state.firstEvaluation - LEAST_IMPROVEMENT * Math.abs(state.firstEvaluation);
        state.evaluations = Math.min(state.evaluations + 1, EVALUATIONS + 1);
        boolean lowest = loss < state.lowestEvaluation;
        state.lowestEvaluation = Math.min(loss, state.lowestEvaluation);
        state.lowerEvaluations = loss < lower || lowest ? Math.min(state.lowerEvaluations + 1, EVALUATIONS) : 0;
    }

    private static void returns(State state, RunView run, Map<String, Double> metrics, Verdicts verdicts) {
        for (String name : metrics.keySet()) {
            Series series = MetricDirection.isReturn(name) ? run.series("metrics/" + name) : null;
            if (series == null || !series.isFresh(run)) {
                continue;
            }
            if (series.points() >= state.nextReturnCheck && !Exploration.mostlyRandom(metrics)) {
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
        if (run.facts().stepsPerEpoch() == 1) {
            return FEWEST_POINTS;
        }
        long maxSteps = run.facts().maxSteps();
        long batch = run.facts().globalBatchSize();
        long enough = batch > 0 ? Math.max(most, FEWEST_SAMPLES / batch) : most;
        return Math.max(EARLIEST_CHECK, maxSteps > 0 ? Math.min(enough, maxSteps / 4) : enough);
    }

    /** Every gradient norm so far was exactly 0: none is in the window, which holds logarithms. */
    private static boolean hasNoGradient(RunView run, State state) {
        return !state.checked
                && run.gradNorm().points() >= FEWEST_POINTS
                && run.gradNorm().finitePoints() == 0
                && run.gradNorm().last() == 0;
    }

    private static void check(State state, RunView run, boolean noGradient) {
        state.checked = true;
        int a = (int) Math.max(3, Math.min(FIRST_POINTS, state.points / 5));
        int b = (int) Math.max(3, Math.min(LATEST_POINTS, state.points / 4));
        double[] latest = new double[b];
        for (int i = 0; i < b; i++) {
            latest[i] = state.latest[(int) ((state.points - 1 - i) % LATEST_POINTS)];
        }
        double was = Medians.of(state.first, 0, a);
        double is = Medians.of(latest);
        double error = 1.2533 * robustDeviation(latest) / Math.sqrt(b);
        // Of as many points as there are: so few as make a median say little of their scatter.
        double sd = robustDeviation(Arrays.copyOf(state.latest, (int) Math.min(state.points, LATEST_POINTS)));
        double chance = run.facts().chanceLoss();
        double presumed = Double.isNaN(chance) ? presumedChance(run.facts(), is, error) : chance;
        state.was = was;
        state.is = is;
        state.score = error == 0 ? (was - is) / 1e-12 : (was - is) / error;
        state.atChance = Math.abs(is - chance) < CHANCE_BAND * chance;
        boolean improved = was > is
                && was - is >= LEAST_IMPROVEMENT * Math.abs(was)
                && (state.score >= SIGNIFICANCE || was - is >= CLEAR_IMPROVEMENT * Math.abs(was));
        double errorOfBoth = 1.2533 * sd * Math.sqrt(1.0 / a + 1.0 / b);
        boolean fewEvaluations = state.evaluations > 0 && state.evaluations <= EVALUATIONS;
        boolean mayHaveImproved = was - is + 2 * errorOfBoth > CLEAR_IMPROVEMENT * Math.abs(was)
                || was - is > Math.max(2 * errorOfBoth, LEAST_IMPROVEMENT * Math.abs(was));
        boolean tooFew = !noGradient && (fewEvaluations || (state.points < ENOUGH_POINTS && mayHaveImproved));
        boolean constant = Double.isNaN(chance)
                && run.facts().mayBeEntropy()
                && !Double.isNaN(presumed)
                && within(latest, presumed, PRESUMED_CHANCE_BAND);
        boolean learnedAtOnce = fellBelowChance(state, is, sd, error, chance)
                || (Double.isNaN(presumed) && !state.rateStays() && fellAtOnce(state, latest, is, sd));
        state.flat = state.atChance || constant || !(improved || learnedAtOnce || tooFew || state.evaluationFell());
        state.presumed = state.flat && !state.atChance ? presumed : Double.NaN;
    }

    /** What is below chance, and for all that its first points say may have begun there, has learned. */
    private static boolean fellBelowChance(State state, double is, double sd, double error, double chance) {
        double lowest = (1 - CHANCE_BAND) * chance;
        double errorOfFirst = 1.2533 * sd / Math.sqrt(VERY_FIRST_POINTS);
        return Medians.of(state.first, 0, VERY_FIRST_POINTS) + 2 * errorOfFirst >= lowest
                && is < lowest
                && chance - is > SIGNIFICANCE * error;
    }

    /** The first point is of a model that had not learned what all later ones have. */
    private static boolean fellAtOnce(State state, double[] latest, double is, double sd) {
        double fall = state.first[0] - is;
        return fall > SIGNIFICANCE * sd
                && fall > LEAST_IMPROVEMENT * Math.abs(state.first[0])
                && state.first[0] > Arrays.stream(latest).max().orElseThrow();
    }

    /**
     * The loss of a constant answer that this one is, told by its level: ln C for a usual number C of classes, 1 for the squared
     * error of targets that were brought to unit variance. NaN if it is none, or not known well enough to say.
     */
    private static double presumedChance(RunFacts facts, double is, double error) {
        if (facts.mayBeEntropy()) {
            for (int classes : USUAL_CLASSES) {
                if (isLevel(Math.log(classes), is, error)) {
                    return Math.log(classes);
                }
            }
        }
        return facts.isSquaredError() && isLevel(1, is, error) ? 1 : Double.NaN;
    }

    private static boolean within(double[] points, double level, double share) {
        for (double point : points) {
            if (Math.abs(point - level) > share * level) {
                return false;
            }
        }
        return true;
    }

    private static boolean isLevel(double level, double is, double error) {
        double band = PRESUMED_CHANCE_BAND * level;
        return error < 2 * band && Math.abs(is - level) < Math.max(band, 2 * error);
    }

    private static Verdicts.Explanation explain(State state, RunView run) {
        long steps = run.stepsSeen() + 1;
        String chance = state.atChance
                ? ", the level of chance (" + Figures.text(run.facts().chanceLoss()) + ")"
                : Double.isNaN(state.presumed)
                        ? ""
                        : ", which is what a constant answer has ("
                                + (state.presumed == 1
                                        ? "1: the variance of targets of unit variance"
                                        : "ln " + Math.round(Math.exp(state.presumed)))
                                + ")";
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
