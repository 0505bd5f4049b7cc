package io.trainwatch.monitor.metrics;

import java.time.Duration;

/**
 * Bounds of what is exported per run. A run has about 15 series and one for each other metric that it sends; Prometheus
 * holds a few million in all.
 *
 * @param maxRuns runs exported at once, 1 to 100,000; default 2,000: with 16 other metrics each 62,000 series and 6.7 MB a
 *     scrape. Runs with open alerts come first, then those that started last; what is left out is counted
 * @param maxMetricsPerRun series exported of what a run sends beside its loss, gradient norm, learning rate and step time,
 *     0 to 64; default 16. The first by name; what is left out is counted
 * @param endedRunTtl how long a run that has ended stays, at most a day; default 5 minutes: several scrapes see its last
 *     values at the usual interval of 15 s to 1 min
 */
public record MetricsSettings(int maxRuns, int maxMetricsPerRun, Duration endedRunTtl) {
    public static final int MAX_RUNS_LIMIT = 100_000;
    public static final int MAX_METRICS_PER_RUN_LIMIT = 64;
    public static final Duration MAX_ENDED_RUN_TTL = Duration.ofDays(1);
    public static final MetricsSettings DEFAULT = new MetricsSettings(2_000, 16, Duration.ofMinutes(5));

    public MetricsSettings {
        if (maxRuns < 1 || maxRuns > MAX_RUNS_LIMIT) {
            throw new IllegalArgumentException("maxRuns is " + maxRuns + ", allowed are 1 to " + MAX_RUNS_LIMIT);
        }
        if (maxMetricsPerRun < 0 || maxMetricsPerRun > MAX_METRICS_PER_RUN_LIMIT) {
            throw new IllegalArgumentException(
                    "maxMetricsPerRun is " + maxMetricsPerRun + ", allowed are 0 to " + MAX_METRICS_PER_RUN_LIMIT);
        }
        if (endedRunTtl.isNegative() || endedRunTtl.compareTo(MAX_ENDED_RUN_TTL) > 0) {
            throw new IllegalArgumentException("endedRunTtl is " + endedRunTtl + ", allowed are 0 s to 1 day");
        }
    }
}
