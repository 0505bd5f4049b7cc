package io.trainwatch.attach;

import io.trainwatch.attach.MetricNames.Metric;
import io.trainwatch.attach.MetricNames.Span;
import io.trainwatch.event.EvaluationCompleted;
import io.trainwatch.event.StepCompleted;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * What a log says of one moment, number by number, and the events that come of it.
 *
 * <table>
 *   <caption>What becomes what</caption>
 *   <tr><td>numbers of training</td><td>one step_completed: loss, component losses, gradient norm, learning rate (the largest
 *       one, where each parameter group has its own), times, throughput; all others are metrics</td></tr>
 *   <tr><td>numbers of a split</td><td>one evaluation_completed for each split, the evaluation loss as {@code loss}</td></tr>
 *   <tr><td>measures of quality of no split</td><td>go with training, or with the evaluation where the row has no number of
 *       training</td></tr>
 *   <tr><td>a mean over the epoch</td><td>the metric {@code NAME_epoch} where the log also has the numbers of the steps, else
 *       the number itself</td></tr>
 *   <tr><td>box, cls, dfl, obj ... losses of YOLO</td><td>components; their sum, which is what YOLO minimises, is the
 *       loss</td></tr>
 * </table>
 *
 * <p>What an event may not carry (a negative step, a learning rate of NaN) is left out and counted.
 */
final class MetricRow {
    /** Names in one row and split: the limit of the SDK for one map. */
    static final int MAX_NAMES = 1_000;

    private static final double LARGEST_EXACT = 0x1p53;
    private static final Set<String> YOLO = Set.of(
            "box_loss",
            "cls_loss",
            "dfl_loss",
            "obj_loss",
            "seg_loss",
            "pose_loss",
            "kobj_loss",
            "giou_loss",
            "l1_loss");

    private final Map<String, Double> losses = new LinkedHashMap<>();
    private final Map<String, Double> learningRates = new LinkedHashMap<>();
    private final Map<String, Double> metrics = new LinkedHashMap<>();
    private final Map<String, Double> quality = new LinkedHashMap<>();
    private final Map<String, Map<String, Double>> evaluations = new TreeMap<>();
    private StepCompleted training = new StepCompleted();
    private boolean trained;
    private long left;

    @Nullable
    Double step;

    private boolean globalStep;

    /** Whether the step counts anew in each epoch, as far as its form says. */
    boolean countsInEpoch;

    /** How far the step counts in one epoch if it counts anew in each; 0 where that is not known. */
    long epochLength;

    @Nullable
    Double epoch;

    @Nullable
    Double maxSteps;

    @Nullable
    Double maxEpochs;

    /**
     * Takes in a number.
     *
     * @param stepsLogged whether the log has this very number for steps too, so that its mean over an epoch is another
     */
    void put(Metric metric, double value, boolean stepsLogged) {
        switch (metric.role()) {
            case STEP, GLOBAL_STEP -> step(metric, value);
            case EPOCH -> epoch = value >= 0 && value <= LARGEST_EXACT ? (Double) value : epoch;
            case MAX_STEPS -> maxSteps = value;
            case MAX_EPOCHS -> maxEpochs = value;
            case NOTHING -> left++;
            default -> {
                if (metric.evaluation()) {
                    evaluation(metric, value);
                } else {
                    training(metric, value, stepsLogged);
                }
            }
        }
    }

    private void step(Metric metric, double value) {
        boolean global = metric.role() == MetricNames.Role.GLOBAL_STEP;
        if (metric.evaluation() || !(value >= 0 && value <= LARGEST_EXACT)) {
            left++;
        } else if (step == null || (global && !globalStep)) {
            step = value;
            globalStep = global;
        }
    }

    private void evaluation(Metric metric, double value) {
        switch (metric.role()) {
            case LOSS, COMPONENT_LOSS, QUALITY, REWARD, OTHER ->
                keep(
                        evaluations.computeIfAbsent(String.valueOf(metric.split()), split -> new LinkedHashMap<>()),
                        metric,
                        value);
            default -> left++;
        }
    }

    private void training(Metric metric, double value, boolean stepsLogged) {
        boolean summary = metric.span() == Span.EPOCH && stepsLogged;
        if (summary) {
            keep(metrics, metric.name() + "_epoch", value);
            trained = true;
            return;
        }
        boolean finite = value >= 0 && value < Double.POSITIVE_INFINITY;
        switch (metric.role()) {
            case LOSS -> {
                if (training.getLoss() == null) {
                    training.setLoss(value);
                } else {
                    keep(losses, metric.written(), value);
                }
                trained = true;
            }
            case COMPONENT_LOSS -> {
                keep(losses, metric, value);
                trained = true;
            }
            case GRAD_NORM -> {
                if (value < 0 || training.getGradNorm() != null) {
                    keep(metrics, metric, value);
                } else {
                    training.setGradNorm(value);
                }
                trained = true;
            }
            case GRAD_NORM_CLIPPED -> training.setGradNormClipped(value < 0 ? null : (Double) value);
            case LEARNING_RATE -> {
                if (finite && learningRates.size() < MAX_NAMES) {
                    learningRates.put(metric.written(), value);
                } else {
                    left++;
                }
            }
            case LOSS_SCALE -> training.setLossScale(finite && value > 0 ? (Double) value : null);
            case PARAM_NORM -> training.setParamNorm(value < 0 ? null : (Double) value);
            case SAMPLES_SEEN -> training.setSamplesSeen(whole(value));
            case TOKENS_SEEN -> training.setNumInputTokensSeen(whole(value));
            case STEP_TIME_SECONDS -> training.setStepTimeSeconds(finite && value > 0 ? (Double) value : null);
            case STEP_TIME_MILLIS -> training.setStepTimeSeconds(finite && value > 0 ? (Double) (value / 1000) : null);
            case DATA_TIME_SECONDS -> training.setDataTimeSeconds(finite ? (Double) value : null);
            case TOKENS_PER_SECOND -> training.setTokensPerSecond(finite ? (Double) value : null);
            case SAMPLES_PER_SECOND -> training.setSamplesPerSecond(finite ? (Double) value : null);
            case QUALITY, REWARD -> {
                if (metric.split() == null) {
                    keep(quality, metric, value);
                } else {
                    keep(metrics, metric, value);
                    trained = true;
                }
            }
            default -> keep(metrics, metric, value);
        }
    }

    private static @Nullable Long whole(double value) {
        return value >= 0 && value <= LARGEST_EXACT ? (Long) (long) value : null;
    }

    private void keep(Map<String, Double> map, Metric metric, double value) {
        keep(map, map.containsKey(metric.name()) ? metric.written() : metric.name(), value);
    }

    private void keep(Map<String, Double> map, String name, double value) {
        if (map.size() < MAX_NAMES) {
            map.putIfAbsent(
                    name.length() > MetricNames.MAX_NAME_CHARACTERS
                            ? name.substring(0, MetricNames.MAX_NAME_CHARACTERS)
                            : name,
                    value);
        } else {
            left++;
        }
    }

    /** What it says of the training is a mean over an epoch, in a log of steps. */
    void meanOverEpoch() {
        if (training.getLoss() != null) {
            keep(metrics, "loss_epoch", training.getLoss());
            training.setLoss(null);
        }
        losses.forEach((name, value) -> keep(metrics, name + "_epoch", value));
        losses.clear();
    }

    /** Whether it has a number of training, of an evaluation or of quality: more than counters and unknown numbers. */
    boolean saysSomething() {
        return trained || !learningRates.isEmpty() || !evaluations.isEmpty() || !quality.isEmpty();
    }

    /** Whether nothing but counters came in. */
    boolean isEmpty() {
        return !saysSomething() && metrics.isEmpty();
    }

    boolean hasLoss() {
        return training.getLoss() != null || !losses.isEmpty();
    }

    boolean hasQuality() {
        return !quality.isEmpty() || (!metrics.isEmpty() && trained);
    }

    /** Whether it may say that the run went back: more than metrics, which are often logged late. */
    boolean mayGoBack() {
        return hasLoss() || training.getGradNorm() != null || !learningRates.isEmpty();
    }

    boolean hasEvaluation() {
        return !evaluations.isEmpty();
    }

    /** Numbers that no event has a place for. */
    long left() {
        return left;
    }

    /** The training, for what is known beside the numbers. */
    StepCompleted training() {
        trained = true;
        return training;
    }

    /** A training that is ready. */
    void training(StepCompleted completed) {
        training = completed;
        trained = true;
        if (completed.getLosses() != null) {
            losses.putAll(completed.getLosses());
        }
        if (completed.getMetrics() != null) {
            metrics.putAll(completed.getMetrics());
        }
    }

    void metric(String name, double value) {
        keep(metrics, name, value);
    }

    /** The step of it all, where it is given as a whole number. */
    @Nullable
    Long wholeStep() {
        return step == null || step != Math.rint(step) ? null : (Long) step.longValue();
    }

    @Nullable
    Long wholeEpoch() {
        return epoch == null || epoch != Math.rint(epoch) ? null : (Long) epoch.longValue();
    }

    /** The step_completed; null if the row says nothing of training. */
    @Nullable
    StepCompleted completed() {
        boolean alone = evaluations.isEmpty() || trained;
        if (!alone && learningRates.isEmpty()) {
            return null;
        }
        if (alone) {
            quality.forEach((name, value) -> keep(metrics, name, value));
        }
        if (training.getLoss() == null && !losses.isEmpty() && YOLO.containsAll(losses.keySet()) && losses.size() > 1) {
            training.setLoss(sum(losses));
        }
        if (!losses.isEmpty()) {
            training.setLosses(losses);
        }
        if (!learningRates.isEmpty()) {
            training.setLearningRate(learningRates.values().stream()
                    .mapToDouble(Double::doubleValue)
                    .max()
                    .orElseThrow());
            if (learningRates.size() > 1) {
                training.setLearningRates(learningRates);
            }
        }
        if (!metrics.isEmpty()) {
            training.setMetrics(metrics);
        }
        return training;
    }

    private static double sum(Map<String, Double> losses) {
        return losses.values().stream().mapToDouble(Double::doubleValue).sum();
    }

    /** One evaluation for each split. */
    Iterable<EvaluationCompleted> evaluations() {
        if (evaluations.isEmpty()) {
            return List.of();
        }
        boolean alone = !trained && evaluations.size() == 1;
        return evaluations.entrySet().stream()
                .map(split -> {
                    Map<String, Double> numbers = split.getValue();
                    if (alone) {
                        quality.forEach(numbers::putIfAbsent);
                    }
                    Map<String, Double> yolo = new LinkedHashMap<>(numbers);
                    yolo.keySet().retainAll(YOLO);
                    if (!numbers.containsKey("loss") && yolo.size() > 1) {
                        numbers.put("loss", sum(yolo));
                    }
                    EvaluationCompleted evaluation = new EvaluationCompleted();
                    evaluation.setSplit(split.getKey());
                    evaluation.setMetrics(numbers);
                    return evaluation;
                })
                .toList();
    }
}
