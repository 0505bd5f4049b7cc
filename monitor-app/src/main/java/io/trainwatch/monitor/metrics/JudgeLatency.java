package io.trainwatch.monitor.metrics;

import io.prometheus.metrics.core.metrics.Histogram;
import io.prometheus.metrics.model.snapshots.HistogramSnapshot;
import org.jspecify.annotations.Nullable;

/**
 * Counts how long judgements took, in classic buckets and as a native histogram: a Prometheus that asks for the latter gets
 * it. A bucket tells the run and step of a judgement that fell into it.
 */
final class JudgeLatency {
    /** From half a microsecond to a tenth of a second: a judgement takes a few microseconds. */
    private static final double[] UPPER_BOUNDS_SECONDS = {
        5e-7, 1e-6, 2e-6, 5e-6, 1e-5, 2e-5, 5e-5, 1e-4, 1e-3, 1e-2, 1e-1
    };

    private final Histogram histogram = Histogram.builder()
            .name(MetricCatalog.MONITOR_JUDGE_SECONDS.name())
            .help(MetricCatalog.MONITOR_JUDGE_SECONDS.help())
            .classicUpperBounds(UPPER_BOUNDS_SECONDS)
            .build();

    void judged(long nanos, String runId, @Nullable Long step) {
        histogram.observeWithExemplar(nanos / 1e9, Examples.labels(runId, step));
    }

    HistogramSnapshot collect() {
        return histogram.collect();
    }
}
