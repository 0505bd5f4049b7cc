package io.trainwatch.monitor.detect;

import io.trainwatch.alert.Evidence;
import io.trainwatch.alert.Severity;
import io.trainwatch.event.EvaluationCompleted;
import io.trainwatch.event.TrainingEvent;
import io.trainwatch.monitor.run.DeclaredMetric;
import io.trainwatch.monitor.run.MetricDirection;
import io.trainwatch.monitor.run.RunState;
import io.trainwatch.monitor.run.RunView;
import io.trainwatch.monitor.stats.Persistent;
import io.trainwatch.monitor.stats.StateReader;
import io.trainwatch.monitor.stats.StateWriter;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Finds a loss that improves while the metric that the run is for does not: the objective is not the aim (D18).
 *
 * <pre>
 * over 5 evaluations after a first one, of one dataset:
 *   loss improved = each of them better than that one, the latest by 2 % and by 10 % of |first - best| of the loss
 *   metric worse  = each of the latest 3 worse than that one by 3 standard errors, and by 2 % -&gt; warning
 *   metric as is  = the latest not better than the first of all by 1 standard error, and a rate below half -&gt; info
 * </pre>
 *
 * <p>The loss is the evaluation loss, the training loss (its median) where the evaluation has none. The metric is the
 * declared primary one, else the first well-known one by name. Without a standard error ({@link StandardError}) there is no
 * verdict: a rate needs {@code num_samples}.
 *
 * <p>A metric that improved and then stays where it is has done its work; one that never moved is info, because it is common
 * early: a language model learns frequencies first. Known weakness: losses that
 * need not fall (GAN, RL) are not read. Siblings: {@link MetricDrift}, which inhibits it. Source: DETECTION.md D18.
 */
public final class MetricMismatch extends Detector<MetricMismatch.State> {
    static final int MAX_PAIRS = 32;
    static final int EVALUATIONS = 5;
    static final int WORSE_IN_A_ROW = 3;
    static final double ERRORS = 3;
    static final double LEAST_OF_PROGRESS = 0.1;
    static final double LEAST_RELATIVE = 0.02;
    static final double MUCH_TO_GAIN = 0.5;

    /** The pairs, and whether one could be judged. */
    static final class State implements DetectorState {
        final PerScope<Pair> pairs = new PerScope<>(1, MAX_PAIRS, Pair::new);
        boolean judged;

        @Override
        public int version() {
            return 1;
        }

        @Override
        public void write(StateWriter out) {
            pairs.write(out);
            out.writeBoolean(judged);
        }

        @Override
        public void read(StateReader in) {
            pairs.read(in);
            judged = in.readBoolean();
        }
    }

    /** Loss and metric (turned so that more is better) of one dataset, the latest last. */
    static final class Pair implements Persistent {
        private static final int KEPT = EVALUATIONS + 1;

        final double[] losses = new double[KEPT];
        final double[] gains = new double[KEPT];
        final double[] errors = new double[KEPT];
        final long[] steps = new long[KEPT];
        long count;
        double firstLoss = Double.NaN;
        double bestLoss = Double.NaN;
        double firstGain = Double.NaN;
        String metric = "";

        void add(double loss, double gain, double error, long step) {
            for (double[] values : List.of(losses, gains, errors)) {
                System.arraycopy(values, 1, values, 0, EVALUATIONS);
            }
            System.arraycopy(steps, 1, steps, 0, EVALUATIONS);
            losses[EVALUATIONS] = loss;
            gains[EVALUATIONS] = gain;
            errors[EVALUATIONS] = error;
            steps[EVALUATIONS] = step;
            if (count++ == 0) {
                firstLoss = loss;
                bestLoss = loss;
                firstGain = gain;
            }
            bestLoss = Math.min(bestLoss, loss);
        }

        boolean lossImproved() {
            for (int i = 1; i <= EVALUATIONS; i++) {
                if (!(losses[i] < losses[0])) {
                    return false;
                }
            }
            double improvement = losses[0] - losses[EVALUATIONS];
            return improvement > LEAST_OF_PROGRESS * Math.abs(firstLoss - bestLoss)
                    && improvement > LEAST_RELATIVE * Math.abs(losses[0]);
        }

        boolean metricWorse() {
            for (int i = EVALUATIONS; i > EVALUATIONS - WORSE_IN_A_ROW; i--) {
                double fall = gains[0] - gains[i];
                if (!(fall > ERRORS * Math.max(errors[0], errors[i]) && fall > LEAST_RELATIVE * Math.abs(gains[0]))) {
                    return false;
                }
            }
            return true;
        }

        boolean metricAsIs() {
            return gains[EVALUATIONS] - firstGain <= errors[EVALUATIONS];
        }

        @Override
        public void write(StateWriter out) {
            out.writeDoubles(losses, KEPT);
            out.writeDoubles(gains, KEPT);
            out.writeDoubles(errors, KEPT);
            for (long step : steps) {
                out.writeLong(step);
            }
            out.writeLong(count);
            out.writeDouble(firstLoss);
            out.writeDouble(bestLoss);
            out.writeDouble(firstGain);
            out.writeString(metric);
        }

        @Override
        public void read(StateReader in) {
            in.readDoubles(losses, KEPT);
            in.readDoubles(gains, KEPT);
            in.readDoubles(errors, KEPT);
            for (int i = 0; i < KEPT; i++) {
                steps[i] = in.readLong();
            }
            count = in.readLong();
            firstLoss = in.readDouble();
            bestLoss = in.readDouble();
            firstGain = in.readDouble();
            metric = in.readString();
        }
    }

    @Override
    public String name() {
        return "metric_mismatch";
    }

    @Override
    public Set<Class<?>> reads() {
        return Set.of(EvaluationCompleted.class);
    }

    @Override
    public int quietVerdicts() {
        return 3;
    }

    @Override
    public State newState() {
        return new State();
    }

    @Override
    public void observe(State state, RunView run, TrainingEvent event, Verdicts verdicts) {
        EvaluationCompleted body = (EvaluationCompleted) event.getBody();
        if (body.getMetrics() == null || run.redoing() || LossGates.profile(run) != null) {
            return;
        }
        Double said = body.getMetrics().get("loss");
        double loss = said != null ? said : run.loss().median();
        String dataset = StandardError.dataset(body);
        String metric = primary(run, dataset, body.getMetrics());
        if (metric == null || !Double.isFinite(loss)) {
            return;
        }
        Double value = body.getMetrics().get(metric);
        if (value == null || !Double.isFinite(value)) {
            return;
        }
        double error = StandardError.of(run, body, metric, value);
        MetricDirection direction = run.facts().direction(dataset, metric);
        if (direction == null || Double.isNaN(error)) {
            return;
        }
        String scope = RunState.evaluationScope(body);
        Pair pair = state.pairs.of(scope);
        if (pair == null) {
            return;
        }
        if (!pair.metric.equals(metric)) {
            pair = state.pairs.renew(scope);
            pair.metric = metric;
        }
        pair.add(loss, direction.gain(value), error, event.getStep() == null ? run.lastStep() : event.getStep());
        if (pair.count > EVALUATIONS) {
            state.judged = true;
            judge(run, pair, scope, direction, muchToGain(run, dataset, metric, value), verdicts);
        }
    }

    /** The metric that the run is for; null if none is known. */
    private static @Nullable String primary(RunView run, String dataset, Map<String, Double> metrics) {
        String first = null;
        for (String name : metrics.keySet()) {
            if (name.length() > PerScope.MAX_NAME) {
                continue;
            }
            DeclaredMetric declared = run.facts().metric(dataset, name);
            if (declared != null && declared.primary()) {
                return name;
            }
            boolean known = !MetricDirection.isLoss(name) && run.facts().direction(dataset, name) != null;
            if (known && (first == null || name.compareTo(first) < 0)) {
                first = name;
            }
        }
        return first;
    }

    /** Whether the metric is below half of what it can reach. */
    private static boolean muchToGain(RunView run, String dataset, String metric, double value) {
        DeclaredMetric declared = run.facts().metric(dataset, metric);
        double bound = declared != null && !Double.isNaN(declared.upperBound())
                ? declared.upperBound()
                : MetricDirection.isRate(metric) ? 1 : Double.NaN;
        return value < MUCH_TO_GAIN * bound;
    }

    private static void judge(
            RunView run, Pair pair, String scope, MetricDirection direction, boolean muchToGain, Verdicts verdicts) {
        boolean worse = pair.metricWorse();
        if (!pair.lossImproved() || (!worse && !(muchToGain && pair.metricAsIs()))) {
            verdicts.healthy(scope);
            return;
        }
        verdicts.unhealthy(
                scope,
                worse ? Severity.warning : Severity.info,
                pair.steps[0],
                run.gates().upwardMove(),
                () -> explain(pair, scope, direction, worse));
    }

    private static Verdicts.Explanation explain(Pair pair, String scope, MetricDirection direction, boolean worse) {
        double was = direction.gain(pair.gains[0]);
        double is = direction.gain(pair.gains[EVALUATIONS]);
        List<Evidence> evidence = new ArrayList<>();
        evidence.add(Figures.evidence(
                scope + "/" + pair.metric,
                pair.steps[0],
                pair.steps[EVALUATIONS],
                is,
                was,
                (pair.gains[EVALUATIONS] - pair.gains[0]) / pair.errors[EVALUATIONS],
                null));
        evidence.add(Figures.evidence(
                scope + "/loss",
                pair.steps[0],
                pair.steps[EVALUATIONS],
                pair.losses[EVALUATIONS],
                pair.losses[0],
                Double.NaN,
                null));
        return new Verdicts.Explanation(
                scope + "/" + pair.metric + (worse ? " got worse, " : " did not improve, ") + Figures.text(was) + " -> "
                        + Figures.text(is) + ", while the loss improved, " + Figures.text(pair.losses[0]) + " -> "
                        + Figures.text(pair.losses[EVALUATIONS]) + ", over " + EVALUATIONS + " evaluations since step "
                        + pair.steps[0],
                evidence);
    }

    @Override
    public @Nullable String missing(State state, RunView run) {
        if (state.judged) {
            return null;
        }
        if (LossGates.profile(run) != null) {
            return "a loss that has to fall";
        }
        return state.pairs.all().isEmpty()
                ? "evaluation_completed.metrics of known direction, with num_samples or metric_std_error"
                : (EVALUATIONS + 1) + " evaluations";
    }
}
