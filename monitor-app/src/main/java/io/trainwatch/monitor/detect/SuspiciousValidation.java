package io.trainwatch.monitor.detect;

import io.trainwatch.alert.Evidence;
import io.trainwatch.alert.Severity;
import io.trainwatch.event.EvaluationCompleted;
import io.trainwatch.event.PreflightCheck;
import io.trainwatch.event.PreflightCompleted;
import io.trainwatch.event.TrainingEvent;
import io.trainwatch.monitor.run.DeclaredMetric;
import io.trainwatch.monitor.run.MetricDirection;
import io.trainwatch.monitor.run.RunState;
import io.trainwatch.monitor.run.RunView;
import io.trainwatch.monitor.stats.Persistent;
import io.trainwatch.monitor.stats.StateReader;
import io.trainwatch.monitor.stats.StateWriter;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Finds a validation that is too good to be true: leakage, duplicates between the sets, a broken metric (D14).
 *
 * <pre>
 * overlap   pre-flight train_eval_overlap_count &gt; 0          -&gt; critical; warning below 1 % of the evaluation set
 * better    val loss below train_loss_same_mode by 3 standard errors and by 20 %, 5 evaluations in a row -&gt; warning
 * early     within the first epoch, 3 evaluations in a row (1 with a standard error):
 *             a metric above its declared expected value, by 3 standard errors if known                  -&gt; warning
 *             a rate of 99 % or more                                                                     -&gt; info
 * alike     from the third epoch on val loss and train_loss_same_mode within 1 standard error (1 % where it is unknown)
 *             and correlated by 0.99 over 10 evaluations                                                 -&gt; info
 * </pre>
 *
 * <p>Each of the last three has a scope of its own under its dataset. The training loss has to be measured as the
 * validation loss is ({@code train_loss_same_mode}): with dropout, or averaged while it falls, a training loss above the
 * validation loss is health. In the first two epochs curves that run alike are health as well: all data is unseen. Easy
 * data reaches 99 % in an epoch, so that alone is info.
 *
 * <p>Known weakness: a validation set that really is easier than the training set by 20 %. Siblings: {@link
 * TrainValDivergence} for the opposite. Sources: UMLAUT (validation accuracy above 95 %, or above training); DETECTION.md
 * D14.
 */
public final class SuspiciousValidation extends Detector<SuspiciousValidation.State> {
    static final Setting<Double> LEAST_BETTER = Setting.number(
            "least_better",
            0.2,
            0.01,
            100,
            "share of the training loss",
            "A validation loss that is better by more, in the same mode and five times in a row, is "
                    + "suspicious, unless the validation set really is that much easier.");

    static final String OVERLAP = "train_eval_overlap_count";
    static final double SMALL_OVERLAP = 0.01;
    static final double ERRORS = 3;
    static final int BETTER_IN_A_ROW = 5;
    static final double NEARLY_PERFECT = 0.99;
    static final int EARLY_IN_A_ROW = 3;
    static final double EARLIEST_ALIKE_EPOCH = 3;
    static final int ALIKE_IN_A_ROW = 10;
    static final double ALIKE_WITHIN = 0.01;
    static final double CORRELATED = 0.99;

    private final double leastBetter;

    SuspiciousValidation(DetectorSettings settings) {
        leastBetter = settings.get(LEAST_BETTER);
    }

    /** The datasets, and whether there was anything to judge. */
    static final class State implements DetectorState {
        final PerScope<Curve> curves = new PerScope<>(1, 32, Curve::new);
        final PerScope<Early> early = new PerScope<>(1, 64, Early::new);
        boolean judged;

        @Override
        public int version() {
            return 1;
        }

        @Override
        public void write(StateWriter out) {
            curves.write(out);
            early.write(out);
            out.writeBoolean(judged);
        }

        @Override
        public void read(StateReader in) {
            curves.read(in);
            early.read(in);
            judged = in.readBoolean();
        }
    }

    /** Validation and training loss of one dataset, the latest last. */
    static final class Curve implements Persistent {
        final double[] validation = new double[ALIKE_IN_A_ROW];
        final double[] training = new double[ALIKE_IN_A_ROW];
        long count;
        int better;
        long betterSince = -1;
        int alike;

        void add(double val, double train) {
            System.arraycopy(validation, 1, validation, 0, ALIKE_IN_A_ROW - 1);
            System.arraycopy(training, 1, training, 0, ALIKE_IN_A_ROW - 1);
            validation[ALIKE_IN_A_ROW - 1] = val;
            training[ALIKE_IN_A_ROW - 1] = train;
            count++;
        }

        double correlation() {
            double meanVal = mean(validation);
            double meanTrain = mean(training);
            double both = 0;
            double val = 0;
            double train = 0;
            for (int i = 0; i < ALIKE_IN_A_ROW; i++) {
                both += (validation[i] - meanVal) * (training[i] - meanTrain);
                val += (validation[i] - meanVal) * (validation[i] - meanVal);
                train += (training[i] - meanTrain) * (training[i] - meanTrain);
            }
            return both / Math.sqrt(val * train);
        }

        private static double mean(double[] values) {
            double sum = 0;
            for (double value : values) {
                sum += value;
            }
            return sum / values.length;
        }

        @Override
        public void write(StateWriter out) {
            out.writeDoubles(validation, ALIKE_IN_A_ROW);
            out.writeDoubles(training, ALIKE_IN_A_ROW);
            out.writeLong(count);
            out.writeInt(better);
            out.writeLong(betterSince);
            out.writeInt(alike);
        }

        @Override
        public void read(StateReader in) {
            in.readDoubles(validation, ALIKE_IN_A_ROW);
            in.readDoubles(training, ALIKE_IN_A_ROW);
            count = in.readLong();
            better = in.readInt();
            betterSince = in.readLong();
            alike = in.readInt();
        }
    }

    /** How often in a row a metric was too good too early. */
    static final class Early implements Persistent {
        int tooGood;
        long onset = -1;

        @Override
        public void write(StateWriter out) {
            out.writeInt(tooGood);
            out.writeLong(onset);
        }

        @Override
        public void read(StateReader in) {
            tooGood = in.readInt();
            onset = in.readLong();
        }
    }

    @Override
    public String name() {
        return "suspicious_validation";
    }

    @Override
    public List<Setting<?>> settings() {
        return List.of(LEAST_BETTER);
    }

    @Override
    public Set<Class<?>> reads() {
        return Set.of(EvaluationCompleted.class, PreflightCompleted.class);
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
        if (event.getBody() instanceof PreflightCompleted preflight) {
            overlap(state, run, preflight, verdicts);
            return;
        }
        EvaluationCompleted body = (EvaluationCompleted) event.getBody();
        if (body.getMetrics() == null
                || run.redoing()
                || StandardError.dataset(body).startsWith("train")) {
            return;
        }
        long step = event.getStep() == null ? run.lastStep() : event.getStep();
        double epoch = epoch(run, event, step);
        losses(state, run, body, step, epoch, verdicts);
        if (!Double.isNaN(epoch)) {
            early(state, run, body, step, epoch, verdicts);
        }
    }

    /** Epochs completed; NaN if that is not known. */
    private static double epoch(RunView run, TrainingEvent event, long step) {
        if (event.getEpoch() != null && Double.isFinite(event.getEpoch())) {
            return event.getEpoch();
        }
        return run.facts().stepsPerEpoch() > 0 ? step / (double) run.facts().stepsPerEpoch() : Double.NaN;
    }

    private static void overlap(State state, RunView run, PreflightCompleted body, Verdicts verdicts) {
        for (PreflightCheck check : body.getChecks()) {
            if (check.getName().equals(OVERLAP) && check.getValue() != null) {
                state.judged = true;
                double count = Boolean.TRUE.equals(check.getPassed()) ? 0 : check.getValue();
                if (!(count > 0)) {
                    verdicts.healthy(Verdicts.RUN);
                    return;
                }
                long samples = run.facts().evaluationSamples();
                boolean few = samples > 0 && count < SMALL_OVERLAP * samples;
                String of = samples > 0 ? " of " + samples : "";
                verdicts.unhealthy(
                        Verdicts.RUN,
                        few ? Severity.warning : Severity.critical,
                        Math.max(0, run.lastStep()),
                        null,
                        () -> new Verdicts.Explanation(
                                Figures.text(count) + of + " evaluation samples are in the training set too",
                                List.of(Figures.evidence(
                                        OVERLAP, 0, Math.max(0, run.lastStep()), count, 0, Double.NaN, "samples"))));
            }
        }
    }

    private void losses(
            State state, RunView run, EvaluationCompleted body, long step, double epoch, Verdicts verdicts) {
        Double val = body.getMetrics().get("loss");
        Double train = body.getTrainLossSameMode();
        if (val == null || train == null || !Double.isFinite(val) || !Double.isFinite(train)) {
            return;
        }
        String dataset = RunState.evaluationScope(body);
        Curve curve = state.curves.of(dataset);
        if (curve == null) {
            return;
        }
        state.judged = true;
        curve.add(val, train);
        double error = StandardError.of(run, body, "loss", val);
        double margin = Math.max(leastBetter * Math.abs(train), Double.isNaN(error) ? 0 : ERRORS * error);
        boolean better = train - val > margin;
        curve.better = better ? curve.better + 1 : 0;
        if (curve.better == 1) {
            curve.betterSince = step;
        }
        if (curve.better >= BETTER_IN_A_ROW) {
            long since = curve.betterSince;
            verdicts.unhealthy(
                    dataset + "/better",
                    Severity.warning,
                    since,
                    LossGates.profile(run),
                    () -> new Verdicts.Explanation(
                            dataset + " loss of " + Figures.text(val) + " is below the training loss of "
                                    + Figures.text(train) + ", measured alike, since step " + since,
                            List.of(Figures.evidence(
                                    dataset + "/loss", since, step, val, train, (train - val) / error, null))));
        } else {
            verdicts.healthy(dataset + "/better");
        }
        double within = Double.isNaN(error) ? ALIKE_WITHIN * Math.abs(train) : error;
        boolean alike = epoch >= EARLIEST_ALIKE_EPOCH && Math.abs(val - train) < within;
        curve.alike = alike ? curve.alike + 1 : 0;
        if (curve.alike >= ALIKE_IN_A_ROW && curve.correlation() > CORRELATED) {
            verdicts.unhealthy(
                    dataset + "/alike",
                    Severity.info,
                    step,
                    null,
                    () -> new Verdicts.Explanation(
                            dataset + " loss and training loss are the same after " + Figures.text(epoch)
                                    + " epochs: is it evaluated on training data?",
                            List.of(Figures.evidence(
                                    dataset + "/loss", step, step, val, train, curve.correlation(), null))));
        } else {
            verdicts.healthy(dataset + "/alike");
        }
    }

    private static void early(
            State state, RunView run, EvaluationCompleted body, long step, double epoch, Verdicts verdicts) {
        String dataset = StandardError.dataset(body);
        for (Map.Entry<String, Double> metric : body.getMetrics().entrySet()) {
            String name = metric.getKey();
            MetricDirection direction = run.facts().direction(dataset, name);
            if (direction == null || MetricDirection.isLoss(name) || !Double.isFinite(metric.getValue())) {
                continue;
            }
            double value = metric.getValue();
            DeclaredMetric declared = run.facts().metric(dataset, name);
            double expected = declared == null ? Double.NaN : declared.expected();
            double error = StandardError.of(run, body, name, value);
            boolean known = !Double.isNaN(error);
            if (Double.isNaN(expected) && !MetricDirection.isRate(name)) {
                continue;
            }
            String scope = RunState.evaluationScope(body) + "/" + name;
            Early early = state.early.of(scope);
            if (early == null) {
                continue;
            }
            state.judged = true;
            boolean beyond = direction.gain(value) - direction.gain(expected) > (known ? ERRORS * error : 0);
            boolean perfect = MetricDirection.isRate(name) && value >= NEARLY_PERFECT && value <= 1;
            boolean tooGood = epoch <= 1 && (beyond || (perfect && Double.isNaN(expected)));
            early.tooGood = tooGood ? early.tooGood + 1 : 0;
            if (early.tooGood == 1) {
                early.onset = step;
            }
            if (early.tooGood >= (known ? 1 : EARLY_IN_A_ROW)) {
                long onset = early.onset;
                verdicts.unhealthy(
                        scope,
                        beyond ? Severity.warning : Severity.info,
                        onset,
                        null,
                        () -> explainEarly(scope, value, expected, epoch, onset, step));
            } else {
                verdicts.healthy(scope);
            }
        }
    }

    private static Verdicts.Explanation explainEarly(
            String scope, double value, double expected, double epoch, long onset, long step) {
        String than = Double.isNaN(expected) ? "" : ", beyond the expected " + Figures.text(expected);
        Evidence evidence = Figures.evidence(scope, onset, step, value, expected, Double.NaN, null);
        return new Verdicts.Explanation(
                scope + " is " + Figures.text(value) + " after " + Figures.text(epoch) + " epochs" + than
                        + ": does the evaluation set leak into training?",
                List.of(evidence));
    }

    @Override
    public @Nullable String missing(State state, RunView run) {
        return state.judged ? null : "evaluation_completed.train_loss_same_mode, or epochs, or pre-flight " + OVERLAP;
    }
}
