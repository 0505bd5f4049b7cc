package io.trainwatch.monitor.alert;

import io.trainwatch.alert.Alert;
import io.trainwatch.alert.Evidence;
import io.trainwatch.alert.Severity;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Training time that an episode has cost, in seconds times ranks.
 *
 * <ul>
 *   <li>0 for info, and for lost telemetry: the training is not the worse for it
 *   <li>of what only slows the training down ({@code throughput_drop}, {@code straggler_rank}, {@code input_bottleneck}) the
 *       part of the time since the onset by which it exceeds the usual: {@code 1 - baseline / value} of its first evidence,
 *       or the share of time that this is
 *   <li>of all else the time since the onset: what was trained meanwhile is in doubt. An upper bound, for a person to weigh
 * </ul>
 */
final class LostTime {
    private static final Set<String> SLOWDOWNS = Set.of("throughput_drop", "straggler_rank", "input_bottleneck");
    private static final String TELEMETRY = "telemetry_gap";

    private LostTime() {}

    /**
     * The time lost.
     *
     * @param sinceOnset what the accelerators have spent on the run since the onset, in seconds times ranks; NaN if unknown
     * @return null if it cannot be told
     */
    static @Nullable Double of(Alert alert, double sinceOnset) {
        if (!Double.isFinite(sinceOnset)) {
            return null;
        }
        if (alert.getSeverity() == Severity.info || alert.getDetector().equals(TELEMETRY)) {
            return 0.0;
        }
        double share = SLOWDOWNS.contains(alert.getDetector()) ? excess(alert) : 1;
        return Double.isNaN(share) ? null : (Double) (Math.max(0, sinceOnset) * share);
    }

    private static double excess(Alert alert) {
        if (alert.getEvidence().isEmpty()) {
            return Double.NaN;
        }
        Evidence first = alert.getEvidence().get(0);
        if (first.getValue() == null || !(first.getValue() > 0)) {
            return Double.NaN;
        }
        if (first.getSignal().endsWith("_share")) {
            return Math.min(1, first.getValue());
        }
        return first.getBaseline() == null ? Double.NaN : Math.max(0, 1 - first.getBaseline() / first.getValue());
    }
}
