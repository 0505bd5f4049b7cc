package io.trainwatch.monitor.detect;

import io.trainwatch.event.StepCompleted;
import io.trainwatch.event.TensorKind;
import io.trainwatch.event.TensorStats;
import io.trainwatch.event.TrainingEvent;
import io.trainwatch.monitor.run.RunView;
import io.trainwatch.monitor.stats.Persistent;
import io.trainwatch.monitor.stats.StateReader;
import io.trainwatch.monitor.stats.StateWriter;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * How far one update moves the weights, as a share of them: as the trainer reports it, or between bounds where it does not.
 *
 * <pre>
 * reported:  update_to_weight_ratio, its logarithm averaged over some 8 points,
 *            else the median over matrices of |update| / |weight| of the latest tensor_stats
 * Adam-type: each weight moves by 0.1 to 1 learning rates, so 0.1 lr / w to lr / w,
 *            w = median over matrices of the root mean square of their weights, at most 0.3
 * </pre>
 *
 * <p>0.3 is the root mean square that a matrix of 22 inputs begins with (sqrt(2 / inputs)); weights that a too high rate
 * has blown up do not excuse it, and where no weights are reported it is the lower bound alone that stands.
 */
final class UpdateRatio implements Persistent {
    static final double LARGEST_WEIGHT = 0.3;
    static final double LEAST_MOVE = 0.1;
    private static final double HORIZON = 8;

    private double logReported = Double.NaN;
    private double ofTensors = Double.NaN;
    private double weight = Double.NaN;

    void observe(RunView run, TrainingEvent event) {
        if (event.getBody() instanceof StepCompleted body) {
            Double ratio = body.getUpdateToWeightRatio();
            if (ratio != null && ratio > 0 && Double.isFinite(ratio)) {
                double log = Math.log(ratio);
                logReported = Double.isNaN(logReported) ? log : logReported + (log - logReported) / HORIZON;
            }
        } else if (event.getBody() instanceof TensorStats body) {
            List<WeightTensor> weights = WeightTensor.matrices(body, run, TensorKind.weight);
            weight = finiteOr(
                    weight,
                    median(weights.stream().mapToDouble(WeightTensor::rms).toArray()));
            ofTensors = finiteOr(ofTensors, ofTensors(weights, WeightTensor.matrices(body, run, TensorKind.update)));
        }
    }

    private static double ofTensors(List<WeightTensor> weights, List<WeightTensor> updates) {
        return median(updates.stream()
                .mapToDouble(update -> weights.stream()
                        .filter(weight -> weight.name().equals(update.name()))
                        .mapToDouble(weight -> update.norm() / weight.norm())
                        .findFirst()
                        .orElse(Double.NaN))
                .toArray());
    }

    private static double median(double[] values) {
        double[] finite =
                Arrays.stream(values).filter(Double::isFinite).sorted().toArray();
        return finite.length == 0 ? Double.NaN : finite[finite.length / 2];
    }

    private static double finiteOr(double before, double now) {
        return Double.isFinite(now) ? now : before;
    }

    /** At least so much, NaN where nothing is known. */
    double low(RunView run) {
        double reported = reported();
        if (!Double.isNaN(reported)) {
            return reported;
        }
        double w = Double.isNaN(weight) ? LARGEST_WEIGHT : Math.min(weight, LARGEST_WEIGHT);
        return isAdam(run.facts().optimizer()) && w > 0
                ? LEAST_MOVE * run.gates().learningRate() / w
                : Double.NaN;
    }

    /** At most so much, NaN where nothing is known. */
    double high(RunView run) {
        double reported = reported();
        if (!Double.isNaN(reported)) {
            return reported;
        }
        return isAdam(run.facts().optimizer()) && weight > 0 ? run.gates().learningRate() / weight : Double.NaN;
    }

    private double reported() {
        return Double.isNaN(logReported) ? ofTensors : Math.exp(logReported);
    }

    private static boolean isAdam(@Nullable String optimizer) {
        return optimizer != null && optimizer.toLowerCase(Locale.ROOT).contains("adam");
    }

    @Override
    public void write(StateWriter out) {
        out.writeDouble(logReported);
        out.writeDouble(ofTensors);
        out.writeDouble(weight);
    }

    @Override
    public void read(StateReader in) {
        logReported = in.readDouble();
        ofTensors = in.readDouble();
        weight = in.readDouble();
    }
}
