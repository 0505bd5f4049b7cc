package io.trainwatch.monitor.detect;

import io.trainwatch.alert.Severity;
import io.trainwatch.event.EvaluationCompleted;
import io.trainwatch.event.StepCompleted;
import io.trainwatch.event.TrainingEvent;
import io.trainwatch.monitor.run.MetricDirection;
import io.trainwatch.monitor.run.RunState;
import io.trainwatch.monitor.run.RunView;
import io.trainwatch.monitor.stats.Medians;
import io.trainwatch.monitor.stats.Moments;
import io.trainwatch.monitor.stats.Persistent;
import io.trainwatch.monitor.stats.StateReader;
import io.trainwatch.monitor.stats.StateWriter;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Finds an evaluation metric, or the return of a policy, that fell from its best and stays down (D18).
 *
 * <pre>
 * se    = as reported, or sqrt(p (1 - p) / n) of a rate, with n = 1 / the smallest change seen where nobody says it
 * sigma = robust scatter of the evaluations that were not low: 1.4826 MAD of their differences at lag 1 and at lag 4, the
 *         larger, / sqrt(2), at least the smallest change seen
 * luck  = sqrt(2 ln evaluations) sigma
 * low   = best - now &gt; max(3 se, k sigma) + luck, k = 3 if sigma &lt; 2 se or best - first &gt; 5 sigma + luck, else 10
 *         and best - now &gt; 2 % of |best| and &gt; 10 % of the progress |best - first| (returns: 50 %)
 * fires if low for 3 evaluations in a row, and twice as long as any fall that the metric came back from -&gt; warning
 * </pre>
 *
 * <p>The best is one that was held for two evaluations. Luck is how far the best of n equally good evaluations lies above
 * them: without it every long run would be below its best. A metric that wanders without having learned anything has to
 * fall out of its wandering, hence 10. Twice the longest recovered fall is the patience of the run itself: returns come and
 * go. A rate over n samples moves in steps of 1 / n, so the smallest change bounds n. Without a standard error six
 * evaluations are needed for a scatter.
 *
 * <p>Measured on seeded noise of unit scale around 20 + A exp(-i / 5), 200 runs for each of eight kinds of noise: for A from 8
 * to 80 at most 1 run of 200 alarmed in 30 evaluations. In 100 evaluations at most 2, but AR(0.9) 85 at A = 8, 22 at 40 and
 * none at 80, AR(0.99) 90, none and none, a slow sine 12, none and none: what wanders by half of its progress for ten
 * evaluations has fallen.
 *
 * <p>Reads every metric of {@code evaluation_completed} whose direction is declared or well known ({@link
 * MetricDirection}), each dataset, split and slice by itself. Losses and perplexities only where the run has no training
 * loss: beside one, {@link TrainValDivergence} judges them. Precision and recall are not judged where both are logged beside
 * another metric that holds them together: what one loses to the other as a threshold moves is no fall. A declared phase
 * starts anew. Evaluations of steps that are redone do not count.
 *
 * <p>And returns (rewards) of {@code step_completed} in means of 4 points, and of more as they become many: a thirty-second of
 * those that came. They are judged from 12 means on, or 32 where nothing was learned, and a policy has to be lost for a
 * quarter of its training, because most are found again. Not while an {@code exploration_rate} is above 0.2.
 *
 * <p>Known weakness: a fall of less than 3 standard errors is not seen however long it lasts; slow wandering, as measured. Siblings: {@link MetricMismatch}, {@link PredictionCollapse} for diversity. Source:
 * DETECTION.md D18.
 */
public final class MetricDrift extends Detector<MetricDrift.State> {
    static final Setting<Double> LEAST_FALL = Setting.number(
            "least_fall",
            0.02,
            0.0001,
            1,
            "share of its best",
            "How far a metric has to fall behind its best, beside three standard errors and a tenth of "
                    + "its progress. A choice: less is seldom worth a look.");

    static final int MAX_CURVES = 64;
    static final int HISTORY = 32;
    static final int FAR_LAG = 4;
    static final int FEWEST_FOR_SCATTER = 6;
    static final int EVALUATIONS_IN_A_ROW = 3;
    static final double ERRORS = 3;
    static final double WANDERING = 10;
    static final double PROGRESS = 5;
    static final double SAMPLING = 2;
    static final double LEAST_OF_PROGRESS = 0.1;
    /** Policies explore: half of what was learned is lost and found again in healthy runs. */
    static final double LEAST_OF_RETURN = 0.5;

    static final int SHORTEST_BLOCK = 4;
    /** Blocks in all while they grow: as many as the scatter looks back on. */
    static final int BLOCKS = HISTORY;

    static final int FEWEST_BLOCKS = 12;
    /** Share of all returns that have to be low. */
    static final double LOST = 0.25;

    private final double leastFall;

    MetricDrift(DetectorSettings settings) {
        leastFall = settings.get(LEAST_FALL);
    }

    /** The curves, and what could not be judged. */
    static final class State implements DetectorState {
        final PerScope<Curve> curves = new PerScope<>(1, MAX_CURVES, Curve::new);
        boolean judged;
        boolean undirected;

        @Override
        public int version() {
            return 2;
        }

        @Override
        public void write(StateWriter out) {
            curves.write(out);
            out.writeBoolean(judged);
            out.writeBoolean(undirected);
        }

        @Override
        public void read(StateReader in) {
            curves.read(in);
            judged = in.readBoolean();
            undirected = in.readBoolean();
        }
    }

    /** One metric of one dataset; values are turned so that more is better. */
    static final class Curve implements Persistent {
        final double[] latest = new double[HISTORY];
        final Moments block = new Moments();
        /** Returns that came with steps; 0 for what an evaluation measured. */
        long points;
        /** Those before the present fall. */
        long pointsBefore;

        long phase;
        long count;
        long kept;
        double last = Double.NaN;
        double first = Double.NaN;
        double best = Double.NaN;
        long bestStep;
        double resolution = Double.NaN;
        long low;
        long longestRecovered;
        long onset = -1;
        boolean open;

        @Override
        public void write(StateWriter out) {
            out.writeDoubles(latest, HISTORY);
            block.write(out);
            out.writeLong(points);
            out.writeLong(pointsBefore);
            out.writeLong(phase);
            out.writeLong(count);
            out.writeLong(kept);
            out.writeDouble(last);
            out.writeDouble(first);
            out.writeDouble(best);
            out.writeLong(bestStep);
            out.writeDouble(resolution);
            out.writeLong(low);
            out.writeLong(longestRecovered);
            out.writeLong(onset);
            out.writeBoolean(open);
        }

        @Override
        public void read(StateReader in) {
            in.readDoubles(latest, HISTORY);
            block.read(in);
            points = in.readLong();
            pointsBefore = in.readLong();
            phase = in.readLong();
            count = in.readLong();
            kept = Math.max(0, in.readLong());
            last = in.readDouble();
            first = in.readDouble();
            best = in.readDouble();
            bestStep = in.readLong();
            resolution = in.readDouble();
            low = in.readLong();
            longestRecovered = in.readLong();
            onset = in.readLong();
            open = in.readBoolean();
        }

        void add(double gain, long step) {
            double held = count == 0 ? gain : Math.min(gain, last);
            if (count == 0) {
                first = gain;
            }
            last = gain;
            count++;
            if (!(held <= best)) {
                best = held;
                bestStep = step;
            }
        }

        /** Takes the latest value into the scatter. */
        void keep() {
            double change = kept == 0 ? 0 : Math.abs(last - at(0));
            if (change > 0 && !(change >= resolution)) {
                resolution = change;
            }
            latest[(int) (kept % HISTORY)] = last;
            kept++;
        }

        /** The kept value so many ago. */
        private double at(int back) {
            return latest[(int) ((kept - 1 - back) % HISTORY)];
        }

        /**
         * Robust standard deviation of the evaluations around their trend; NaN while there are too few.
         *
         * @param wanders whether how the metric differs from itself some evaluations ago is noise too
         */
        double scatter(boolean wanders) {
            int points = (int) Math.min(kept, HISTORY);
            if (points < FEWEST_FOR_SCATTER) {
                return Double.NaN;
            }
            double near = scatter(points, 1);
            double far = !wanders || points < 2 * FAR_LAG ? near : scatter(points, FAR_LAG);
            return Math.max(Math.max(near, far), Double.isNaN(resolution) ? 0 : resolution);
        }

        /** How far the best of so many equally good evaluations lies above them. */
        double luck(double scatter) {
            return Math.sqrt(2 * Math.log((double) count)) * scatter;
        }

        boolean learned(double scatter) {
            return best - first > PROGRESS * scatter + luck(scatter);
        }

        private double scatter(int points, int lag) {
            double[] changes = new double[points - lag];
            for (int i = 0; i < changes.length; i++) {
                changes[i] = at(i) - at(i + lag);
            }
            return Medians.standardDeviation(changes) / Math.sqrt(2);
        }
    }

    @Override
    public String name() {
        return "metric_drift";
    }

    @Override
    public List<Setting<?>> settings() {
        return List.of(LEAST_FALL);
    }

    @Override
    public Set<Class<?>> reads() {
        return Set.of(EvaluationCompleted.class, StepCompleted.class);
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
        if (event.getBody() instanceof EvaluationCompleted evaluation) {
            if (!run.redoing()) {
                evaluation(state, run, step(run, event), evaluation, verdicts);
            }
        } else if (event.getBody() instanceof StepCompleted completed
                && completed.getMetrics() != null
                && event.getRank() == 0
                && !run.redoing()) {
            returns(state, run, step(run, event), completed.getMetrics(), verdicts);
        }
    }

    private static long step(RunView run, TrainingEvent event) {
        return event.getStep() == null ? run.lastStep() : event.getStep();
    }

    private void evaluation(State state, RunView run, long step, EvaluationCompleted body, Verdicts verdicts) {
        if (body.getMetrics() == null) {
            return;
        }
        String dataset = StandardError.dataset(body);
        String where = RunState.evaluationScope(body);
        boolean traded = MetricDirection.holdTogether(body.getMetrics().keySet());
        for (Map.Entry<String, Double> metric : body.getMetrics().entrySet()) {
            String name = metric.getKey();
            if ((traded && MetricDirection.isTraded(name))
                    || MetricDirection.isDiversity(name)
                    || (MetricDirection.isLoss(name) && run.loss().points() > 0)) {
                continue;
            }
            MetricDirection direction = run.facts().direction(dataset, name);
            if (direction == null) {
                state.undirected = true;
                continue;
            }
            Curve curve = curve(state, run, where + "/" + name);
            if (curve == null || !Double.isFinite(metric.getValue())) {
                continue;
            }
            double value = metric.getValue();
            curve.add(direction.gain(value), step);
            double error = StandardError.of(run, body, name, value);
            if (Double.isNaN(error) && curve.resolution > 0) {
                error = StandardError.ofRate(run, dataset, name, value, Math.max(1, 1 / curve.resolution));
            }
            judge(state, run, curve, where + "/" + name, direction, name, error, step, verdicts);
        }
    }

    private void returns(State state, RunView run, long step, Map<String, Double> metrics, Verdicts verdicts) {
        if (Exploration.mostlyRandom(metrics)) {
            return;
        }
        for (Map.Entry<String, Double> metric : metrics.entrySet()) {
            if (!Double.isFinite(metric.getValue()) || !MetricDirection.isReturn(metric.getKey())) {
                continue;
            }
            String scope = "metrics/" + metric.getKey();
            Curve curve = curve(state, run, scope);
            if (curve == null) {
                continue;
            }
            curve.block.add(metric.getValue());
            curve.points++;
            if (curve.block.count() >= Math.max(SHORTEST_BLOCK, curve.points / BLOCKS)) {
                double error = curve.block.std() / Math.sqrt(curve.block.count());
                curve.add(curve.block.mean(), step);
                curve.block.reset();
                judge(state, run, curve, scope, MetricDirection.MAX, metric.getKey(), error, step, verdicts);
            }
        }
    }

    private static @Nullable Curve curve(State state, RunView run, String scope) {
        Curve curve = state.curves.of(scope);
        if (curve != null && curve.phase != run.phase()) {
            curve = state.curves.renew(scope);
            curve.phase = run.phase();
        }
        return curve;
    }

    private void judge(
            State state,
            RunView run,
            Curve curve,
            String scope,
            MetricDirection direction,
            String name,
            double error,
            long step,
            Verdicts verdicts) {
        boolean ofSteps = curve.points > 0;
        // What a policy that has learned earns wanders because it learned: that its fall lasts says more.
        double scatter = curve.scatter(!(ofSteps && curve.learned(curve.scatter(false))));
        if (Double.isNaN(scatter)) {
            scatter = error;
        }
        if (Double.isNaN(scatter) || curve.count <= 1) {
            curve.keep();
            return;
        }
        state.judged = true;
        double fall = curve.best - curve.last;
        double luck = curve.luck(scatter);
        boolean learned = curve.learned(scatter);
        boolean calm = learned || scatter <= SAMPLING * error;
        double noise = Math.max((calm ? ERRORS : WANDERING) * scatter, Double.isNaN(error) ? 0 : ERRORS * error);
        double margin = noise + luck;
        double share = MetricDirection.isReturn(name) ? LEAST_OF_RETURN : LEAST_OF_PROGRESS;
        double least = Math.max(leastFall * Math.abs(curve.best), share * (curve.best - curve.first));
        if (fall > margin && fall > least) {
            if (curve.low++ == 0) {
                curve.onset = step;
                curve.pointsBefore = curve.points;
            }
        } else {
            curve.keep();
        }
        if (fall < Math.max(margin, least) / 2) {
            // Back up: not when it merely wavers at the threshold.
            curve.longestRecovered = Math.max(curve.longestRecovered, curve.low);
            curve.low = 0;
            curve.open = false;
        }
        boolean lost = !ofSteps
                || (curve.count >= (learned ? FEWEST_BLOCKS : BLOCKS)
                        && curve.points - curve.pointsBefore >= LOST * curve.points);
        curve.open |= lost && curve.low >= Math.max(EVALUATIONS_IN_A_ROW, 2 * curve.longestRecovered);
        if (!curve.open) {
            verdicts.healthy(scope);
            return;
        }
        double errors = noise > 0 ? ERRORS * fall / noise : Double.NaN;
        verdicts.unhealthy(
                scope,
                Severity.warning,
                curve.onset,
                // A quarter of a training is longer than any move on purpose holds.
                ofSteps ? null : run.gates().upwardMove(),
                () -> explain(curve, scope, direction, errors, step));
    }

    private static Verdicts.Explanation explain(
            Curve curve, String scope, MetricDirection direction, double errors, long step) {
        double now = direction.gain(curve.last);
        double best = direction.gain(curve.best);
        String by = Double.isNaN(errors) ? "" : ", " + Figures.text(errors) + " standard errors";
        return new Verdicts.Explanation(
                scope + " is " + Figures.text(now) + " and was " + Figures.text(best) + " at its best, at step "
                        + curve.bestStep + by + "; " + curve.low + " times in a row since step " + curve.onset,
                List.of(Figures.evidence(scope, curve.onset, step, now, best, errors, null)));
    }

    @Override
    public @Nullable String missing(State state, RunView run) {
        if (state.judged) {
            return null;
        }
        if (!state.curves.all().isEmpty()) {
            return "further evaluations, or evaluation_completed.num_samples";
        }
        return state.undirected
                ? "run_started.metrics: which way they are better"
                : "evaluation_completed.metrics beside the loss";
    }
}
