package io.trainwatch.monitor.metrics;

import io.micrometer.core.instrument.binder.jvm.ClassLoaderMetrics;
import io.micrometer.core.instrument.binder.jvm.JvmGcMetrics;
import io.micrometer.core.instrument.binder.jvm.JvmMemoryMetrics;
import io.micrometer.core.instrument.binder.jvm.JvmThreadMetrics;
import io.micrometer.core.instrument.binder.kafka.KafkaStreamsMetrics;
import io.micrometer.core.instrument.binder.system.FileDescriptorMetrics;
import io.micrometer.core.instrument.binder.system.ProcessorMetrics;
import io.micrometer.core.instrument.binder.system.UptimeMetrics;
import io.micrometer.prometheusmetrics.PrometheusConfig;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.trainwatch.monitor.detect.Detector;
import io.trainwatch.monitor.detect.DetectorCatalogue;
import io.trainwatch.monitor.topology.Monitor;
import io.trainwatch.monitor.topology.MonitorState;
import java.time.InstantSource;
import java.util.OptionalDouble;

/** All that a running {@link Monitor} shows to Prometheus: its runs, itself, Kafka Streams, the JVM and the process. */
public final class Metrics implements AutoCloseable {
    private final PrometheusMeterRegistry registry = new PrometheusMeterRegistry(PrometheusConfig.DEFAULT);
    private final JvmGcMetrics garbageCollection = new JvmGcMetrics();
    private final KafkaStreamsMetrics streams;

    /**
     * Begins to count.
     *
     * @param version of the program
     */
    public Metrics(Monitor monitor, MetricsSettings settings, String version) {
        PrometheusRegistry prometheus = registry.getPrometheusRegistry();
        prometheus.register(new RunMetrics(monitor.board(), settings, InstantSource.system()));
        prometheus.register(new MonitorMetrics(
                monitor.counters(),
                monitor.board(),
                () -> monitor.state() == MonitorState.STARTING
                        ? OptionalDouble.empty()
                        : OptionalDouble.of((double) monitor.lag()),
                () -> monitor.state() == MonitorState.RUNNING,
                DetectorCatalogue.defaults().stream().map(Detector::name).toList(),
                version));
        new ClassLoaderMetrics().bindTo(registry);
        new JvmMemoryMetrics().bindTo(registry);
        new JvmThreadMetrics().bindTo(registry);
        garbageCollection.bindTo(registry);
        new FileDescriptorMetrics().bindTo(registry);
        new ProcessorMetrics().bindTo(registry);
        new UptimeMetrics().bindTo(registry);
        streams = new KafkaStreamsMetrics(monitor.streams());
        streams.bindTo(registry);
    }

    /** What a scrape reads. */
    public PrometheusRegistry prometheus() {
        return registry.getPrometheusRegistry();
    }

    @Override
    public void close() {
        streams.close();
        garbageCollection.close();
        registry.close();
    }
}
