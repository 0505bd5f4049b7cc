package io.trainwatch.monitor.run;

import io.trainwatch.event.MetricDeclaration;
import io.trainwatch.event.PreflightCheck;
import io.trainwatch.event.PreflightCompleted;
import io.trainwatch.event.RunStarted;
import io.trainwatch.monitor.stats.Persistent;
import io.trainwatch.monitor.stats.StateReader;
import io.trainwatch.monitor.stats.StateWriter;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** What a run declared of itself; absent is null or NaN, never 0. A later declaration replaces the fields that it has. */
public final class RunFacts implements Persistent {
    /** Checks before training that are remembered; where they are more, those that passed make room. */
    static final int MAX_CHECKS = 64;

    private static final int MAX_TEXT = 256;
    private static final int MAX_METRICS = 64;
    private static final int MAX_CHECK_NAME = 128;

    private @Nullable String project;
    private @Nullable String runName;
    private @Nullable String modelName;
    private @Nullable String task;
    private @Nullable String profile;
    private @Nullable String lossFunction;
    private @Nullable String precision;
    private @Nullable String optimizer;
    private long classes;
    private @Nullable String referenceRunId;
    private long globalBatchSize;
    private long sequenceLength;
    private long vocabulary;
    private long stepsPerEpoch;
    private long evaluationSamples;
    private final List<DeclaredMetric> metrics = new ArrayList<>();
    private long warmupSteps = -1;
    private long maxSteps;
    private double learningRatePeak = Double.NaN;
    private double maxGradNorm = Double.NaN;
    private boolean declared;
    private final Layers layers = new Layers();
    private final Map<String, PreflightResult> preflight = new LinkedHashMap<>();

    void declare(RunStarted started) {
        declared = true;
        project = text(started.getProject(), project);
        runName = text(started.getRunName(), runName);
        modelName = text(started.getModelName(), modelName);
        task = text(started.getTask(), task);
        profile = text(started.getMetricProfile(), profile);
        lossFunction = text(started.getLossFunction(), lossFunction);
        precision = text(started.getPrecision(), precision);
        optimizer = text(started.getOptimizer(), optimizer);
        referenceRunId = text(started.getReferenceRunId(), referenceRunId);
        if (started.getNumClasses() != null && started.getNumClasses() > 1) {
            classes = started.getNumClasses();
        }
        if (started.getVocabSize() != null && started.getVocabSize() > 1) {
            vocabulary = started.getVocabSize();
        }
        if (started.getStepsPerEpoch() != null && started.getStepsPerEpoch() > 0) {
            stepsPerEpoch = started.getStepsPerEpoch();
        }
        if (started.getEvalNumSamples() != null && started.getEvalNumSamples() > 0) {
            evaluationSamples = started.getEvalNumSamples();
        }
        if (started.getMetrics() != null) {
            declareMetrics(started.getMetrics());
        }
        if (started.getWarmupSteps() != null && started.getWarmupSteps() >= 0) {
            warmupSteps = started.getWarmupSteps();
        }
        if (started.getMaxSteps() != null && started.getMaxSteps() > 0) {
            maxSteps = started.getMaxSteps();
        }
        if (started.getLearningRatePeak() != null && Double.isFinite(started.getLearningRatePeak())) {
            learningRatePeak = started.getLearningRatePeak();
        }
        if (started.getMaxGradNorm() != null && started.getMaxGradNorm() > 0) {
            maxGradNorm = started.getMaxGradNorm();
        }
        if (started.getGlobalBatchSize() != null && started.getGlobalBatchSize() > 0) {
            globalBatchSize = started.getGlobalBatchSize();
        }
        if (started.getSequenceLength() != null && started.getSequenceLength() > 0) {
            sequenceLength = started.getSequenceLength();
        }
        if (started.getLayers() != null && !started.getLayers().isEmpty()) {
            layers.declare(started.getLayers());
        }
    }

    private void declareMetrics(List<MetricDeclaration> said) {
        metrics.clear();
        for (MetricDeclaration metric : said) {
            boolean dataset = metric.getDataset() == null || metric.getDataset().length() <= RunState.MAX_NAME;
            if (metrics.size() < MAX_METRICS && metric.getName().length() <= RunState.MAX_NAME && dataset) {
                metrics.add(DeclaredMetric.of(metric));
            }
        }
    }

    void preflight(PreflightCompleted completed) {
        for (PreflightCheck check : completed.getChecks()) {
            String name = bounded(check.getName(), MAX_CHECK_NAME);
            if (preflight.containsKey(name) || preflight.size() < MAX_CHECKS || makesRoom(check)) {
                preflight.put(
                        name,
                        new PreflightResult(
                                name,
                                check.getPassed(),
                                check.getValue(),
                                check.getThreshold() == null ? Double.NaN : check.getThreshold(),
                                text(check.getDetail(), null)));
            }
        }
    }

    private boolean makesRoom(PreflightCheck check) {
        return !Boolean.TRUE.equals(check.getPassed())
                && preflight.values().stream()
                        .filter(result -> Boolean.TRUE.equals(result.passed()))
                        .findFirst()
                        .map(passed -> preflight.remove(passed.name()))
                        .isPresent();
    }

    private static @Nullable String text(@Nullable String said, @Nullable String before) {
        if (said == null) {
            return before;
        }
        return bounded(said, MAX_TEXT);
    }

    /** The first {@code max} characters, one less where the last would be half of a surrogate pair. */
    static String bounded(String text, int max) {
        if (text.length() <= max) {
            return text;
        }
        return text.substring(0, Character.isHighSurrogate(text.charAt(max - 1)) ? max - 1 : max);
    }

    /** Whether a {@code run_started} came at all. */
    public boolean declared() {
        return declared;
    }

    public @Nullable String project() {
        return project;
    }

    public @Nullable String runName() {
        return runName;
    }

    public @Nullable String modelName() {
        return modelName;
    }

    /** What the loss of the run means; supervised unless the run says otherwise. */
    public MetricProfile profile() {
        return MetricProfile.of(profile, task);
    }

    /** Loss of a model that knows nothing, in nats: ln of the classes or of the vocabulary; NaN where it has none. */
    public double chanceLoss() {
        long outcomes = classes > 1 ? classes : vocabulary;
        return outcomes > 1 && mayBeEntropy() ? Math.log((double) outcomes) : Double.NaN;
    }

    /** Whether the loss is declared a cross entropy, or not declared. */
    public boolean mayBeEntropy() {
        return lossFunction == null || lossIs("entropy") || lossIs("nll");
    }

    /** Whether the loss is declared a mean squared error. */
    public boolean isSquaredError() {
        return lossIs("mse") || lossIs("squared");
    }

    private boolean lossIs(String word) {
        return lossFunction != null && lossFunction.toLowerCase(Locale.ROOT).contains(word);
    }

    /** Classes of the task, 0 where not declared. A vocabulary does not count: its tokens are no classes. */
    public long classes() {
        return classes;
    }

    /** Whether the run predicts tokens, whose frequencies are as uneven as language is. */
    public boolean predictsTokens() {
        return vocabulary > 1 || (task != null && task.toLowerCase(Locale.ROOT).contains("language"));
    }

    /** Optimizer steps in one epoch, 0 where not declared. */
    public long stepsPerEpoch() {
        return stepsPerEpoch;
    }

    /** Samples in the evaluation set, 0 where not declared. */
    public long evaluationSamples() {
        return evaluationSamples;
    }

    /** What the run said of a metric of this dataset or split; null if nothing. */
    public @Nullable DeclaredMetric metric(String dataset, String name) {
        for (DeclaredMetric metric : metrics) {
            if (metric.speaksOf(dataset, name)) {
                return metric;
            }
        }
        return null;
    }

    /** Which way the metric gets better: as declared, else as its name says; null if neither. */
    public @Nullable MetricDirection direction(String dataset, String name) {
        DeclaredMetric metric = metric(dataset, name);
        return metric != null && metric.direction() != null ? metric.direction() : MetricDirection.ofName(name);
    }

    /** Name of the optimizer as declared, null where it is not. */
    public @Nullable String optimizer() {
        return optimizer;
    }

    /** Threshold of gradient clipping, above 0; NaN where none was declared. */
    public double maxGradNorm() {
        return maxGradNorm;
    }

    public boolean fp16() {
        return "fp16".equals(precision);
    }

    /** Steps of learning-rate warm-up, -1 where not declared. */
    public long warmupSteps() {
        return warmupSteps;
    }

    /** Steps that the run will take, 0 where not declared. */
    public long maxSteps() {
        return maxSteps;
    }

    /** Largest learning rate of the schedule, NaN where not declared. */
    public double learningRatePeak() {
        return learningRatePeak;
    }

    /** Samples per optimizer step over all ranks, 0 where not declared. */
    public long globalBatchSize() {
        return globalBatchSize;
    }

    /** The run to compare this one with, null where none was named. */
    public @Nullable String referenceRunId() {
        return referenceRunId;
    }

    /** What its losses may be compared with. */
    public RunKind kind() {
        return new RunKind(modelName, task, lossFunction, globalBatchSize, sequenceLength);
    }

    /** The layers that the run declared. */
    public Layers layers() {
        return layers;
    }

    /** What the checks before training found, the latest result of each; empty where none was told. */
    public Collection<PreflightResult> preflight() {
        return preflight.values();
    }

    /** The latest result of one check before training; null where it was not told. */
    public @Nullable PreflightResult preflight(String name) {
        return preflight.get(name);
    }

    @Override
    public void write(StateWriter out) {
        out.writeBoolean(declared);
        for (String text : new @Nullable String[] {
            project, runName, modelName, task, profile, lossFunction, precision, optimizer, referenceRunId
        }) {
            writeText(out, text);
        }
        out.writeLong(classes);
        out.writeLong(vocabulary);
        out.writeLong(stepsPerEpoch);
        out.writeLong(evaluationSamples);
        out.writeInt(metrics.size());
        metrics.forEach(metric -> metric.write(out));
        out.writeLong(warmupSteps);
        out.writeLong(maxSteps);
        out.writeDouble(learningRatePeak);
        out.writeDouble(maxGradNorm);
        out.writeLong(globalBatchSize);
        out.writeLong(sequenceLength);
        layers.write(out);
        out.writeInt(preflight.size());
        for (PreflightResult result : preflight.values()) {
            out.writeString(result.name());
            writeText(out, result.passed() == null ? null : result.passed().toString());
            out.writeBoolean(result.value() != null);
            out.writeDouble(result.value() == null ? 0 : result.value());
            out.writeDouble(result.threshold());
            writeText(out, result.detail());
        }
    }

    @Override
    public void read(StateReader in) {
        declared = in.readBoolean();
        project = readText(in);
        runName = readText(in);
        modelName = readText(in);
        task = readText(in);
        profile = readText(in);
        lossFunction = readText(in);
        precision = readText(in);
        optimizer = readText(in);
        referenceRunId = readText(in);
        classes = in.readLong();
        vocabulary = in.readLong();
        stepsPerEpoch = in.readLong();
        evaluationSamples = in.readLong();
        metrics.clear();
        int declaredMetrics = in.readCount(MAX_METRICS);
        for (int i = 0; i < declaredMetrics; i++) {
            metrics.add(DeclaredMetric.read(in));
        }
        warmupSteps = in.readLong();
        maxSteps = in.readLong();
        learningRatePeak = in.readDouble();
        maxGradNorm = in.readDouble();
        globalBatchSize = in.readLong();
        sequenceLength = in.readLong();
        layers.read(in);
        preflight.clear();
        int checks = in.readCount(MAX_CHECKS);
        for (int i = 0; i < checks; i++) {
            String name = in.readString();
            String passed = readText(in);
            boolean measured = in.readBoolean();
            double value = in.readDouble();
            preflight.put(
                    name,
                    new PreflightResult(
                            name,
                            passed == null ? null : (Boolean) Boolean.parseBoolean(passed),
                            measured ? (Double) value : null,
                            in.readDouble(),
                            readText(in)));
        }
    }

    static void writeText(StateWriter out, @Nullable String text) {
        out.writeBoolean(text != null);
        if (text != null) {
            out.writeString(text);
        }
    }

    static @Nullable String readText(StateReader in) {
        return in.readBoolean() ? in.readString() : null;
    }
}
