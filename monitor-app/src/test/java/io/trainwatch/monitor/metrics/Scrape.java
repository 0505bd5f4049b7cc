package io.trainwatch.monitor.metrics;

import io.prometheus.metrics.config.EscapingScheme;
import io.prometheus.metrics.expositionformats.ExpositionFormatWriter;
import io.prometheus.metrics.expositionformats.OpenMetricsTextFormatWriter;
import io.prometheus.metrics.expositionformats.PrometheusProtobufWriter;
import io.prometheus.metrics.expositionformats.PrometheusTextFormatWriter;
import io.prometheus.metrics.model.registry.MultiCollector;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;

/** What Prometheus would read. */
final class Scrape {
    private Scrape() {}

    static String of(MultiCollector... collectors) {
        return written(PrometheusTextFormatWriter.create(), collectors);
    }

    static String openMetrics(MultiCollector... collectors) {
        return written(OpenMetricsTextFormatWriter.create(), collectors);
    }

    /** The binary form, which alone has native histograms, made readable. */
    static String protobuf(MultiCollector... collectors) {
        return new PrometheusProtobufWriter()
                .toDebugString(registry(collectors).scrape(), EscapingScheme.UNDERSCORE_ESCAPING);
    }

    private static String written(ExpositionFormatWriter writer, MultiCollector... collectors) {
        ByteArrayOutputStream text = new ByteArrayOutputStream();
        try {
            writer.write(text, registry(collectors).scrape());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return text.toString(StandardCharsets.UTF_8);
    }

    private static PrometheusRegistry registry(MultiCollector... collectors) {
        PrometheusRegistry registry = new PrometheusRegistry();
        for (MultiCollector collector : collectors) {
            registry.register(collector);
        }
        return registry;
    }
}
