package io.trainwatch.monitor.metrics;

import io.prometheus.metrics.model.snapshots.CounterSnapshot;
import io.prometheus.metrics.model.snapshots.DataPointSnapshot;
import io.prometheus.metrics.model.snapshots.Exemplar;
import io.prometheus.metrics.model.snapshots.GaugeSnapshot;
import io.prometheus.metrics.model.snapshots.HistogramSnapshot;
import io.prometheus.metrics.model.snapshots.InfoSnapshot;
import io.prometheus.metrics.model.snapshots.Labels;
import io.prometheus.metrics.model.snapshots.MetricSnapshot;
import io.prometheus.metrics.model.snapshots.MetricSnapshots;
import io.trainwatch.monitor.metrics.MetricCatalog.Metric;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Collects the points of one scrape by metric. */
public final class Exposition {
    private final Map<Metric, List<DataPointSnapshot>> points = new LinkedHashMap<>();
    private final List<MetricSnapshot> whole = new ArrayList<>();

    /** Adds one point; one without a value is not there. */
    public void add(Metric metric, @Nullable Number value, String... labelValues) {
        if (value != null) {
            add(metric, value, null, labelValues);
        }
    }

    /** Adds one point of a counter with an example of what it counted, null for none. */
    void add(Metric metric, Number value, @Nullable Exemplar example, String... labelValues) {
        Labels labels = Labels.of(metric.labelNames(), labelValues);
        points.computeIfAbsent(metric, created -> new ArrayList<>())
                .add(
                        switch (metric.type()) {
                            case GAUGE -> new GaugeSnapshot.GaugeDataPointSnapshot(value.doubleValue(), labels, null);
                            case COUNTER ->
                                new CounterSnapshot.CounterDataPointSnapshot(value.doubleValue(), labels, example, 0L);
                            case INFO -> new InfoSnapshot.InfoDataPointSnapshot(labels);
                            case HISTOGRAM ->
                                throw new IllegalArgumentException(
                                        metric.name() + " is a histogram: one number is no point of it");
                        });
    }

    /** Adds a histogram that counts for itself. */
    public void add(HistogramSnapshot histogram) {
        whole.add(histogram);
    }

    /** What was added. */
    public MetricSnapshots snapshots() {
        List<MetricSnapshot> snapshots = new ArrayList<>(whole);
        points.forEach((metric, of) -> snapshots.add(snapshot(metric, of)));
        return new MetricSnapshots(snapshots);
    }

    private static MetricSnapshot snapshot(Metric metric, List<DataPointSnapshot> points) {
        switch (metric.type()) {
            case GAUGE -> {
                GaugeSnapshot.Builder gauge =
                        GaugeSnapshot.builder().name(metric.name()).help(metric.help());
                points.forEach(point -> gauge.dataPoint((GaugeSnapshot.GaugeDataPointSnapshot) point));
                return gauge.build();
            }
            case COUNTER -> {
                CounterSnapshot.Builder counter =
                        CounterSnapshot.builder().name(metric.family()).help(metric.help());
                points.forEach(point -> counter.dataPoint((CounterSnapshot.CounterDataPointSnapshot) point));
                return counter.build();
            }
            case INFO -> {
                InfoSnapshot.Builder info =
                        InfoSnapshot.builder().name(metric.family()).help(metric.help());
                points.forEach(point -> info.dataPoint((InfoSnapshot.InfoDataPointSnapshot) point));
                return info.build();
            }
            default -> throw new IllegalArgumentException(metric.name() + " is a histogram and counts for itself");
        }
    }
}
