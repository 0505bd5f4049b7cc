package io.trainwatch.monitor.detect;

import io.trainwatch.event.TensorKind;
import io.trainwatch.event.TensorStats;
import io.trainwatch.event.TensorSummary;
import io.trainwatch.event.TrainingEvent;
import io.trainwatch.monitor.run.Layers;
import io.trainwatch.monitor.run.RunView;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * One tensor of a {@code tensor_stats} event that belongs to a weight matrix (its values, gradient or update), with what is
 * known of it. Biases, norms, embeddings and frozen layers are none: declared, or told by their name ("bias", "beta",
 * "gamma"), or by a bias beside them that is as long as they are.
 *
 * @param stats what came
 * @param layer the declared layer, null if none was
 * @param fanIn inputs per unit: declared, else elements of the matrix over those of its bias; 0 if neither is known
 */
record WeightTensor(TensorSummary stats, Layers.@Nullable Declared layer, long fanIn) {

    /** The matrices of one kind in forward order: declared, else as they came. */
    static List<WeightTensor> matrices(TensorStats body, RunView run, TensorKind kind) {
        Map<String, Long> counts = new HashMap<>();
        for (TensorSummary stats : body.getTensors()) {
            if (stats.getKind() == kind && stats.getCount() != null) {
                counts.put(stats.getName(), stats.getCount());
            }
        }
        List<WeightTensor> matrices = new ArrayList<>();
        boolean declared = true;
        for (TensorSummary stats : body.getTensors()) {
            if (stats.getKind() != kind) {
                continue;
            }
            Layers.Declared layer = run.facts().layers().of(stats.getName());
            Long bias = counts.get(biasOf(stats.getName()));
            if (isMatrix(stats, layer, bias)) {
                matrices.add(new WeightTensor(stats, layer, fanIn(stats, layer, bias)));
                declared &= layer != null;
            }
        }
        if (declared) {
            matrices.sort(Comparator.comparingInt(tensor -> index(tensor.layer())));
        }
        return matrices;
    }

    private static int index(Layers.@Nullable Declared layer) {
        return layer == null ? 0 : layer.index();
    }

    private static boolean isMatrix(TensorSummary stats, Layers.@Nullable Declared layer, @Nullable Long bias) {
        if (layer != null
                && (layer.role() == Layers.Role.EMBEDDING
                        || layer.role() == Layers.Role.NORM
                        || Boolean.FALSE.equals(layer.trainable()))) {
            return false;
        }
        String part = lastPart(stats.getName()).toLowerCase(Locale.ROOT);
        boolean vector = part.contains("bias")
                || part.equals("b")
                || part.startsWith("beta")
                || part.startsWith("gamma")
                || (bias != null && bias.equals(stats.getCount()));
        return !vector && (stats.getCount() == null || stats.getCount() > 1);
    }

    private static long fanIn(TensorSummary stats, Layers.@Nullable Declared layer, @Nullable Long bias) {
        if (layer != null && layer.fanIn() > 0) {
            return layer.fanIn();
        }
        Long count = stats.getCount();
        return count == null || bias == null || bias <= 0 || count % bias != 0 ? 0 : count / bias;
    }

    /** Name of the bias that a weight would have: "m.weight_ih_l0" has "m.bias_ih_l0", Haiku's "linear/w" has "linear/b". */
    private static String biasOf(String name) {
        String part = lastPart(name);
        String bias = part.equals("w") ? "b" : part.replace("weight", "bias").replace("kernel", "bias");
        return bias.equals(part) ? "" : name.substring(0, name.length() - part.length()) + bias;
    }

    private static String lastPart(String name) {
        return name.substring(Math.max(name.lastIndexOf('.'), name.lastIndexOf('/')) + 1);
    }

    String name() {
        return stats.getName();
    }

    /** L2 norm, from mean and std where it did not come; NaN if neither did. */
    double norm() {
        if (stats.getL2Norm() != null) {
            return stats.getL2Norm();
        }
        return stats.getStd() == null || stats.getMean() == null || stats.getCount() == null
                ? Double.NaN
                : Math.hypot(stats.getStd(), stats.getMean()) * Math.sqrt((double) stats.getCount());
    }

    /** Root of the mean square of the elements, NaN where it is not known. */
    double rms() {
        if (stats.getStd() != null && stats.getMean() != null) {
            return Math.hypot(stats.getStd(), stats.getMean());
        }
        return stats.getL2Norm() == null || stats.getCount() == null
                ? Double.NaN
                : stats.getL2Norm() / Math.sqrt((double) stats.getCount());
    }

    /** Mean absolute value of the elements that are not 0: rows that were not used do not dilute it. 0 if all are 0. */
    double meanOfNonZero() {
        if (isZero()) {
            return 0;
        }
        double mean = stats.getAbsMean() != null ? stats.getAbsMean() : rms();
        double zero = stats.getZeroFraction() == null ? 0 : stats.getZeroFraction();
        return zero > 0 && zero < 1 ? mean / (1 - zero) : mean;
    }

    boolean isZero() {
        return isZero(stats);
    }

    static boolean isZero(TensorSummary stats) {
        Double size = stats.getAbsMax() != null
                ? stats.getAbsMax()
                : stats.getL2Norm() != null ? stats.getL2Norm() : stats.getAbsMean();
        return size != null && size == 0;
    }

    /** Step of the event: its own, else the last one completed. */
    static long step(TrainingEvent event, RunView run) {
        return event.getStep() == null ? Math.max(0, run.lastStep()) : event.getStep();
    }
}
