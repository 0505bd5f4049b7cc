package io.trainwatch.monitor.detect;

import java.util.Map;

/** How much of what a policy does is left to chance. */
final class Exploration {
    private static final String RATE = "exploration_rate";
    private static final double MOSTLY = 0.2;

    private Exploration() {}

    /** Whether the policy acts at random so often that it earns what chance earns, however well it has learned. */
    static boolean mostlyRandom(Map<String, Double> metrics) {
        for (Map.Entry<String, Double> metric : metrics.entrySet()) {
            if (metric.getKey().endsWith(RATE) && metric.getValue() > MOSTLY) {
                return true;
            }
        }
        return false;
    }
}
