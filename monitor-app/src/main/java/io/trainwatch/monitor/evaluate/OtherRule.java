package io.trainwatch.monitor.evaluate;

import io.trainwatch.event.BatchStats;
import io.trainwatch.event.EvaluationCompleted;
import io.trainwatch.event.StepCompleted;
import io.trainwatch.event.TensorKind;
import io.trainwatch.event.TensorStats;
import io.trainwatch.event.TensorSummary;
import io.trainwatch.event.TrainingEvent;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Supplier;

/**
 * A rule that people use today, written anew from its documented parameters, to compare with. It says at each event
 * whether it would raise an alarm; one object judges one run.
 */
interface OtherRule {

    /** Whether the rule holds at this event. */
    boolean holds(TrainingEvent event);

    /** A set of rules by the name of where they come from. */
    record Named(String name, Supplier<List<OtherRule>> rules) {}

    /** The sets that are compared. */
    static List<Named> all() {
        return List.of(
                new Named(
                        "SageMaker Debugger, default parameters",
                        () -> List.of(
                                new NonFinite(),
                                new LossNotDecreasing(),
                                new Overfit(),
                                new Overtraining(),
                                new TensorRules(),
                                new ClassImbalance())),
                new Named(
                        "ReduceLROnPlateau (patience 10) and EarlyStopping (patience 10)",
                        () -> List.of(new Plateau(), new EarlyStopping())),
                new Named("mean + 6 sigma of 128 points, and NaN", () -> List.of(new NonFinite(), new SixSigma())));
    }

    private static double lossOf(TrainingEvent event) {
        return event.getRank() == 0 && event.getBody() instanceof StepCompleted step && step.getLoss() != null
                ? step.getLoss()
                : Double.NaN;
    }

    private static double evaluationLossOf(TrainingEvent event) {
        return event.getBody() instanceof EvaluationCompleted evaluation && evaluation.getMetrics() != null
                ? evaluation.getMetrics().getOrDefault("loss", Double.NaN)
                : Double.NaN;
    }

    /** SageMaker ExplodingTensor: any NaN or Inf. */
    final class NonFinite implements OtherRule {
        @Override
        public boolean holds(TrainingEvent event) {
            if (event.getBody() instanceof StepCompleted step) {
                return (step.getLoss() != null && !Double.isFinite(step.getLoss()))
                        || (step.getGradNorm() != null && !Double.isFinite(step.getGradNorm()));
            }
            if (event.getBody() instanceof TensorStats stats) {
                return stats.getTensors().stream()
                        .anyMatch(tensor -> tensor.getNonfiniteCount() != null && tensor.getNonfiniteCount() > 0);
            }
            return false;
        }
    }

    /** SageMaker LossNotDecreasing: num_steps 10, diff_percent 0.1. */
    final class LossNotDecreasing implements OtherRule {
        private static final long STEPS = 10;
        private static final double PERCENT = 0.1;
        private long step = Long.MIN_VALUE;
        private double loss;

        @Override
        public boolean holds(TrainingEvent event) {
            double now = lossOf(event);
            Long at = event.getStep();
            if (at == null || !Double.isFinite(now) || (step != Long.MIN_VALUE && at - step < STEPS)) {
                return false;
            }
            boolean holds = step != Long.MIN_VALUE && 100 * (loss - now) / Math.abs(loss) < PERCENT;
            step = at;
            loss = now;
            return holds;
        }
    }

    /** SageMaker Overfit: ratio_threshold 0.1, patience 1; mean training loss since the evaluation before. */
    final class Overfit implements OtherRule {
        private static final double RATIO = 0.1;
        private double sum;
        private long points;

        @Override
        public boolean holds(TrainingEvent event) {
            double loss = lossOf(event);
            if (Double.isFinite(loss)) {
                sum += loss;
                points++;
            }
            double evaluation = evaluationLossOf(event);
            if (Double.isNaN(evaluation) || points == 0) {
                return false;
            }
            double train = sum / points;
            sum = 0;
            points = 0;
            return (evaluation - train) / train > RATIO;
        }
    }

    /** SageMaker Overtraining: patience_train 5, patience_validation 10, delta 0.01. */
    final class Overtraining implements OtherRule {
        private static final double DELTA = 0.01;
        private double bestTrain = Double.POSITIVE_INFINITY;
        private double bestEvaluation = Double.POSITIVE_INFINITY;
        private int train;
        private int evaluations;

        @Override
        public boolean holds(TrainingEvent event) {
            double loss = lossOf(event);
            if (Double.isFinite(loss)) {
                train = loss < bestTrain - DELTA ? 0 : train + 1;
                bestTrain = Math.min(bestTrain, loss);
            }
            double evaluation = evaluationLossOf(event);
            if (Double.isNaN(evaluation)) {
                return false;
            }
            evaluations = evaluation < bestEvaluation - DELTA ? 0 : evaluations + 1;
            bestEvaluation = Math.min(bestEvaluation, evaluation);
            return train > 5 && evaluations > 10;
        }
    }

    /**
     * SageMaker VanishingGradient (mean |gradient| below 1e-7), UnchangedTensor (3 times within 1e-5), DeadRelu and
     * SaturatedActivation (50 % of a layer), AllZero.
     */
    final class TensorRules implements OtherRule {
        private final Map<String, double[]> norms = new HashMap<>();

        @Override
        public boolean holds(TrainingEvent event) {
            if (!(event.getBody() instanceof TensorStats stats)) {
                return false;
            }
            boolean holds = false;
            for (TensorSummary tensor : stats.getTensors()) {
                holds |= tensor.getKind() == TensorKind.gradient
                        && tensor.getAbsMean() != null
                        && tensor.getAbsMean() < 1e-7;
                holds |= tensor.getDeadUnitFraction() != null && tensor.getDeadUnitFraction() > 0.5;
                holds |= tensor.getSaturatedFraction() != null && tensor.getSaturatedFraction() > 0.5;
                holds |= tensor.getZeroFraction() != null && tensor.getZeroFraction() >= 1;
                holds |= tensor.getKind() == TensorKind.weight
                        && tensor.getL2Norm() != null
                        && unchanged(tensor.getName(), tensor.getL2Norm());
            }
            return holds;
        }

        private boolean unchanged(String name, double norm) {
            double[] state = norms.computeIfAbsent(name, n -> new double[] {Double.NaN, 0});
            state[1] = Math.abs(norm - state[0]) <= 1e-8 + 1e-5 * Math.abs(norm) ? state[1] + 1 : 0;
            state[0] = norm;
            return state[1] >= 2;
        }
    }

    /** SageMaker ClassImbalance: threshold_imbalance 10 after 500 samples. */
    final class ClassImbalance implements OtherRule {
        private final Map<String, Long> counts = new HashMap<>();

        @Override
        public boolean holds(TrainingEvent event) {
            if (!(event.getBody() instanceof BatchStats stats) || stats.getLabelHistogram() == null) {
                return false;
            }
            stats.getLabelHistogram().forEach((label, count) -> counts.merge(label, count, Long::sum));
            long all = counts.values().stream().mapToLong(Long::longValue).sum();
            long most =
                    counts.values().stream().mapToLong(Long::longValue).max().orElse(0);
            long least =
                    counts.values().stream().mapToLong(Long::longValue).min().orElse(0);
            return all >= 500 && counts.size() > 1 && most > 10 * least;
        }
    }

    /** PyTorch's ReduceLROnPlateau on the training loss: patience 10 points, threshold 1e-4, relative. */
    final class Plateau implements OtherRule {
        private double best = Double.POSITIVE_INFINITY;
        private int bad;

        @Override
        public boolean holds(TrainingEvent event) {
            double loss = lossOf(event);
            if (Double.isNaN(loss)) {
                return false;
            }
            if (loss < best * (1 - 1e-4)) {
                best = loss;
                bad = 0;
                return false;
            }
            if (++bad <= 10) {
                return false;
            }
            bad = 0;
            return true;
        }
    }

    /** Keras' EarlyStopping on the evaluation loss: min_delta 0, patience 10. */
    final class EarlyStopping implements OtherRule {
        private double best = Double.POSITIVE_INFINITY;
        private int bad;

        @Override
        public boolean holds(TrainingEvent event) {
            double loss = evaluationLossOf(event);
            if (Double.isNaN(loss)) {
                return false;
            }
            bad = loss < best ? 0 : bad + 1;
            best = Math.min(best, loss);
            return bad >= 10;
        }
    }

    /** OLMo-core's skip-step rule: above the mean by 6 standard deviations of the last 128 points, from 64 on. */
    final class SixSigma implements OtherRule {
        private final Deque<Double> losses = new ArrayDeque<>();
        private final Deque<Double> norms = new ArrayDeque<>();

        @Override
        public boolean holds(TrainingEvent event) {
            if (event.getRank() != 0 || !(event.getBody() instanceof StepCompleted step)) {
                return false;
            }
            boolean loss = outside(losses, step.getLoss() == null ? Double.NaN : step.getLoss());
            boolean norm = outside(norms, step.getGradNorm() == null ? Double.NaN : step.getGradNorm());
            return loss || norm;
        }

        private static boolean outside(Deque<Double> window, double value) {
            if (!Double.isFinite(value)) {
                return false;
            }
            boolean outside = false;
            if (window.size() >= 64) {
                double mean = window.stream()
                        .mapToDouble(Double::doubleValue)
                        .average()
                        .orElseThrow();
                double variance = window.stream()
                        .mapToDouble(x -> (x - mean) * (x - mean))
                        .average()
                        .orElseThrow();
                outside = value > mean + 6 * Math.sqrt(variance);
            }
            window.addLast(value);
            if (window.size() > 128) {
                window.removeFirst();
            }
            return outside;
        }
    }

    /** The alarms of a set of rules on one run: the step of each; a rule is silent for 128 steps after one. */
    static List<Long> alarms(Named named, List<TrainingEvent> events) {
        List<OtherRule> rules = named.rules().get();
        Map<OtherRule, Long> silentUntil = new HashMap<>();
        Set<Long> alarms = new HashSet<>();
        long step = 0;
        for (TrainingEvent event : events) {
            step = event.getStep() == null ? step : event.getStep();
            for (OtherRule rule : rules) {
                if (rule.holds(event) && silentUntil.getOrDefault(rule, Long.MIN_VALUE) <= step) {
                    silentUntil.put(rule, step + 128);
                    alarms.add(step);
                }
            }
        }
        return new ArrayList<>(alarms).stream().sorted().toList();
    }
}
