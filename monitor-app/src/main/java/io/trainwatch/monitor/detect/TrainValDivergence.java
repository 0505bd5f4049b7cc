package io.trainwatch.monitor.detect;

import io.trainwatch.alert.Evidence;
import io.trainwatch.alert.Severity;
import io.trainwatch.event.EvaluationCompleted;
import io.trainwatch.event.StepCompleted;
import io.trainwatch.event.TrainingEvent;
import io.trainwatch.monitor.run.MetricDirection;
import io.trainwatch.monitor.run.RunState;
import io.trainwatch.monitor.run.RunView;
import io.trainwatch.monitor.stats.DecayingSlope;
import io.trainwatch.monitor.stats.Medians;
import io.trainwatch.monitor.stats.Persistent;
import io.trainwatch.monitor.stats.StateReader;
import io.trainwatch.monitor.stats.StateWriter;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Finds a validation loss that turns up after its minimum while the training loss goes on falling: overfitting (D13).
 *
 * <pre>
 * strips = means of k successive evaluations, k = clamp(evaluations / 8, 1, 5)
 * UP3: the last three strips each rose over the one before
 * GL  = E / E_best - 1                       generalisation loss of the latest strip
 * GL' = (E - E_best) / |E_first - E_best|    the same for losses of any sign
 * s   = 1.4826 median |e_i - (e_i-1 + e_i+1) / 2| / sqrt(1.5), the scatter of single evaluations about their trend
 * fires if UP3, GL' &gt; 5 %, GL &gt; 5 % (losses above 0), training loss not above what it was at E_best,
 *       and E - E_best &gt; 2 s / sqrt(k) + sqrt(2 ln evaluations) s / sqrt(k_best), because the best of many is luck in part:
 *       by twice that, or at two evaluations in a row; or instead of UP3 and the last, the evaluations since the best rise
 *       along a line by 5 of its standard errors
 *          -&gt; warning, for as long as GL' and GL stay above
 *          and GL' &gt; 10 % and accuracy (or its like) worse than its best by 2 standard errors -&gt; critical
 * or if, at 8 evaluations and more, the training loss T has fallen below a tenth of where it began, T0, and
 *       E_best - T &gt; (T0 - T) / 2, and E_first was not above 2 T0 -&gt; warning, scope "/gap": learned by heart
 * </pre>
 *
 * <p>E is the evaluation loss of one dataset; each has a scope of its own. The training loss is its mean since the
 * evaluation before. Standard errors come from {@code num_samples} of a rate; without them nothing is critical.
 *
 * <p>Measured on 913 real single-epoch curves: UP1 alone fires 15 times, UP2 3, UP3 1, GL alone never; SageMaker's
 * Overtraining 78 times. A gap between the two losses is no evidence by itself: dropout and augmentation make one. That
 * more than half of what training gained is not to be had in evaluation is: a squared error of what was learned by heart
 * stays where it was and never turns up. Known weakness: few evaluations that scatter hide a turn.
 * Sources: Prechelt 1998 (GL, UP); DETECTION.md D13.
 */
public final class TrainValDivergence extends Detector<TrainValDivergence.State> {
    static final Setting<Double> LEAST_RISE = Setting.number(
            "least_rise",
            0.05,
            0.001,
            100,
            "share of its best, and of the progress made",
            "How far the validation loss has to be above its best while the training loss goes on "
                    + "falling. Source: the generalisation loss of Prechelt.");

    static final double SLOPE_ERRORS = 5;
    /** Evaluations after which one weighs little in the line: as many as a training has, mostly. */
    static final double SLOPE_HORIZON = 100;

    static final int HISTORY = 20;
    static final int MAX_STRIP = 5;
    /** Three rises over strips that are longer than this would need the minimum in the first quarter of the curve. */
    static final int EVALUATIONS_PER_STRIP = 8;

    static final int RISES = 3;
    /** Beside the luck of the best: what is no more than this is noise that rose three times. */
    static final double ERRORS = 2;

    static final double CRITICAL_SCALE_FREE_GL = 0.1;
    static final double STANDARD_ERRORS = 2;
    static final int EVALUATIONS_OF_GAP = 8;
    static final double TRAINED = 0.1;
    static final double NOT_CARRIED_OVER = 0.5;
    /** An evaluation loss that begins further above is of another unit, a sum perhaps. */
    static final double SAME_UNIT = 2;

    private final double leastRise;

    TrainValDivergence(DetectorSettings settings) {
        leastRise = settings.get(LEAST_RISE);
    }

    /** Mean training loss since the latest evaluation, and the curve of each dataset. */
    static final class State implements DetectorState {
        double trainSum;
        long trainPoints;
        double trainMean = Double.NaN;
        boolean evaluated;
        final PerScope<Curve> curves = new PerScope<>(1, 32, Curve::new);

        @Override
        public int version() {
            return 2;
        }

        @Override
        public void write(StateWriter out) {
            out.writeDouble(trainSum);
            out.writeLong(trainPoints);
            out.writeDouble(trainMean);
            out.writeBoolean(evaluated);
            curves.write(out);
        }

        @Override
        public void read(StateReader in) {
            trainSum = in.readDouble();
            trainPoints = in.readLong();
            trainMean = in.readDouble();
            evaluated = in.readBoolean();
            curves.read(in);
        }
    }

    /** The evaluations of one dataset. */
    static final class Curve implements Persistent {
        final double[] latest = new double[HISTORY];
        long count;
        double first = Double.NaN;
        double best = Double.NaN;
        long bestStep;
        /** Evaluations in the strip that was the best. */
        int bestStrip = 1;

        double trainAtBest = Double.NaN;
        /** Whether the evaluation before had turned up. */
        boolean turned;

        final DecayingSlope sinceBest = new DecayingSlope(SLOPE_HORIZON);
        double trainAtFirst = Double.NaN;
        double bestRate = Double.NaN;
        boolean open;
        long onset;

        @Override
        public void write(StateWriter out) {
            out.writeLong(count);
            out.writeDoubles(latest, HISTORY);
            out.writeDouble(first);
            out.writeDouble(best);
            out.writeLong(bestStep);
            out.writeInt(bestStrip);
            out.writeDouble(trainAtBest);
            out.writeBoolean(turned);
            sinceBest.write(out);
            out.writeDouble(trainAtFirst);
            out.writeDouble(bestRate);
            out.writeBoolean(open);
            out.writeLong(onset);
        }

        @Override
        public void read(StateReader in) {
            count = in.readLong();
            in.readDoubles(latest, HISTORY);
            first = in.readDouble();
            best = in.readDouble();
            bestStep = in.readLong();
            bestStrip = Math.max(1, in.readInt());
            trainAtBest = in.readDouble();
            turned = in.readBoolean();
            sinceBest.read(in);
            trainAtFirst = in.readDouble();
            bestRate = in.readDouble();
            open = in.readBoolean();
            onset = in.readLong();
        }

        /** Robust standard deviation of one evaluation about the line through its neighbours; 0 below three. */
        double scatter() {
            int points = (int) Math.min(count, HISTORY);
            if (points < 3) {
                return 0;
            }
            double[] deviations = new double[points - 2];
            for (int i = 0; i < deviations.length; i++) {
                deviations[i] = Math.abs(back(i + 1) - (back(i) + back(i + 2)) / 2);
            }
            return 1.4826 * Medians.of(deviations) / Math.sqrt(1.5);
        }

        /** The evaluation so many before the latest. */
        private double back(int evaluations) {
            return latest[(int) ((count - 1 - evaluations) % HISTORY)];
        }

        /** How far the latest strip has to be above the best of all to be no noise. */
        double margin(int k) {
            double luck = Math.sqrt(2 * Math.log((double) count) / bestStrip);
            return (ERRORS / Math.sqrt(k) + luck) * scatter();
        }

        /** Mean of the {@code k} evaluations that end {@code back} strips ago. */
        double strip(int k, int back) {
            double sum = 0;
            for (int i = 0; i < k; i++) {
                sum += back(back * k + i);
            }
            return sum / k;
        }
    }

    @Override
    public String name() {
        return "train_val_divergence";
    }

    @Override
    public List<Setting<?>> settings() {
        return List.of(LEAST_RISE);
    }

    @Override
    public Set<Class<?>> reads() {
        return Set.of(StepCompleted.class, EvaluationCompleted.class);
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
            evaluation(state, run, event, evaluation, verdicts);
        } else if (run.loss().isFresh(run) && Double.isFinite(run.loss().last())) {
            if (state.evaluated) {
                state.evaluated = false;
                state.trainSum = 0;
                state.trainPoints = 0;
            }
            state.trainSum += run.loss().last();
            state.trainPoints++;
        }
    }

    private void evaluation(
            State state, RunView run, TrainingEvent event, EvaluationCompleted body, Verdicts verdicts) {
        Double loss = body.getMetrics() == null ? null : body.getMetrics().get("loss");
        if (state.trainPoints > 0) {
            state.trainMean = state.trainSum / state.trainPoints;
        }
        state.evaluated = true;
        long step = event.getStep() == null ? run.lastStep() : event.getStep();
        if (loss == null || !Double.isFinite(loss) || run.redoing()) {
            return;
        }
        String scope = RunState.evaluationScope(body);
        Curve curve = state.curves.of(scope);
        if (curve == null) {
            return;
        }
        if (curve.count == 0) {
            curve.first = loss;
        }
        curve.latest[(int) (curve.count % HISTORY)] = loss;
        curve.count++;
        double train = body.getTrainLossSameMode() != null ? body.getTrainLossSameMode() : state.trainMean;
        double rate = rate(body);
        int k = (int) Math.max(1, Math.min(MAX_STRIP, curve.count / EVALUATIONS_PER_STRIP));
        double now = curve.strip(k, 0);
        if (Double.isNaN(curve.best) || now < curve.best) {
            curve.best = now;
            curve.bestStep = step;
            curve.bestStrip = k;
            curve.trainAtBest = train;
            curve.sinceBest.reset();
        } else {
            curve.sinceBest.add(loss);
        }
        if (Double.isNaN(curve.trainAtFirst)) {
            curve.trainAtFirst = train;
        }
        boolean worseRate = worseByTwoErrors(curve, body, rate);
        curve.bestRate = Double.isNaN(curve.bestRate) ? rate : Math.max(curve.bestRate, rate);
        if (curve.count <= RISES || Double.isNaN(train)) {
            return;
        }
        double gl = curve.best > 0 ? now / curve.best - 1 : Double.POSITIVE_INFINITY;
        double scaleFree = (now - curve.best) / Math.abs(curve.first - curve.best);
        boolean above = gl > leastRise && scaleFree > leastRise;
        double margin = curve.margin(k);
        boolean apart = above && train <= curve.trainAtBest;
        boolean stands = apart && now - curve.best > margin;
        boolean rises = rises(curve, k);
        boolean turned = stands && (curve.turned || (rises && now - curve.best > 2 * margin));
        boolean fires = turned || (apart && curve.sinceBest.rises(SLOPE_ERRORS));
        curve.turned = stands && (curve.turned || rises);
        if (fires && !curve.open) {
            curve.open = true;
            curve.onset = curve.bestStep;
        }
        curve.open &= above;
        gap(curve, run, train, scope + "/gap", step, verdicts);
        if (!curve.open) {
            verdicts.healthy(scope);
            return;
        }
        boolean grave = scaleFree > CRITICAL_SCALE_FREE_GL && worseRate;
        double trainThen = curve.trainAtBest;
        verdicts.unhealthy(
                scope,
                grave ? Severity.critical : Severity.warning,
                curve.onset,
                LossGates.profile(run),
                () -> explain(curve, scope, step, now, train, trainThen, gl, rate, worseRate));
    }

    /** What was learned by heart: most of what training gained never came in evaluation. Said unless the loss turned up. */
    private static void gap(Curve curve, RunView run, double train, String scope, long step, Verdicts verdicts) {
        // The means of epochs fall within those that say where a loss began.
        double initial = curve.trainAtFirst > run.loss().initial()
                ? curve.trainAtFirst
                : run.loss().initial();
        double gained = initial - train;
        boolean byHeart = curve.count >= EVALUATIONS_OF_GAP
                && train >= 0
                && train < TRAINED * initial
                && curve.first < SAME_UNIT * initial
                && curve.best - train > NOT_CARRIED_OVER * gained;
        if (!byHeart || curve.open) {
            verdicts.healthy(scope);
            return;
        }
        double lost = (curve.best - train) / gained;
        verdicts.unhealthy(
                scope,
                Severity.warning,
                run.firstStep(),
                LossGates.profile(run),
                () -> new Verdicts.Explanation(
                        "the training loss went from " + Figures.text(initial) + " to " + Figures.text(train)
                                + ", the evaluation loss never below " + Figures.text(curve.best) + ": "
                                + Figures.percent(lost) + " of what was gained is learned by heart",
                        List.of(Figures.evidence(
                                scope, run.firstStep(), step, curve.best, train, lost, "share of the progress"))));
    }

    private static boolean rises(Curve curve, int k) {
        for (int back = 0; back < RISES; back++) {
            if (!(curve.strip(k, back) > curve.strip(k, back + 1))) {
                return false;
            }
        }
        return true;
    }

    /** The metric that says how often the model is right, the first by name if there are several, NaN if there is none. */
    private static double rate(EvaluationCompleted body) {
        String first = null;
        for (String metric : body.getMetrics().keySet()) {
            if (MetricDirection.isRate(metric) && (first == null || metric.compareTo(first) < 0)) {
                first = metric;
            }
        }
        return first == null ? Double.NaN : body.getMetrics().get(first);
    }

    private static boolean worseByTwoErrors(Curve curve, EvaluationCompleted body, double rate) {
        Long samples = body.getNumSamples();
        if (samples == null || samples < 1 || !(rate >= 0 && rate <= 1) || !(curve.bestRate <= 1)) {
            return false;
        }
        double error = Math.sqrt(curve.bestRate * (1 - curve.bestRate) / samples + rate * (1 - rate) / samples);
        return curve.bestRate - rate > STANDARD_ERRORS * error;
    }

    private static Verdicts.Explanation explain(
            Curve curve,
            String scope,
            long step,
            double now,
            double train,
            double trainThen,
            double gl,
            double rate,
            boolean worseRate) {
        String worse = Double.isFinite(gl) ? " (" + Figures.percent(gl) + " worse)" : "";
        String accuracy = Double.isNaN(rate)
                ? ""
                : worseRate
                        ? "; accuracy fell from " + Figures.text(curve.bestRate) + " to " + Figures.text(rate)
                        : "; accuracy holds at " + Figures.text(rate) + ": over-confidence";
        List<Evidence> evidence = new ArrayList<>();
        evidence.add(Figures.evidence(scope + "/loss", curve.bestStep, step, now, curve.best, gl, null));
        evidence.add(Figures.evidence("loss", curve.bestStep, step, train, trainThen, Double.NaN, null));
        return new Verdicts.Explanation(
                scope + " loss rose from " + Figures.text(curve.best) + " at step " + curve.bestStep + " to "
                        + Figures.text(now) + worse + " while the training loss went from " + Figures.text(trainThen)
                        + " to " + Figures.text(train) + accuracy,
                evidence);
    }

    @Override
    public @Nullable String missing(State state, RunView run) {
        if (state.curves.all().stream().anyMatch(curve -> curve.count > RISES) && !Double.isNaN(state.trainMean)) {
            return null;
        }
        long most = state.curves.all().stream()
                .mapToLong(curve -> curve.count)
                .max()
                .orElse(0);
        return most == 0
                ? "evaluation_completed.metrics.loss"
                : Double.isNaN(state.trainMean)
                        ? "step_completed.loss beside the evaluations"
                        : (RISES + 1) + " evaluations, " + most + " came";
    }
}
