package io.trainwatch.monitor.intake;

import io.prometheus.metrics.model.registry.MultiCollector;
import io.prometheus.metrics.model.snapshots.MetricSnapshots;
import io.trainwatch.monitor.intake.IntakeCounters.Loss;
import io.trainwatch.monitor.intake.IntakeCounters.Outcome;
import io.trainwatch.monitor.intake.IntakeCounters.Protocol;
import io.trainwatch.monitor.metrics.Exposition;
import io.trainwatch.monitor.metrics.MetricCatalog;
import java.util.function.LongSupplier;

/**
 * What came in over HTTP since the start.
 *
 * <pre>
 * trainwatch_intake_events_total{protocol="mlflow"} 12.0
 * trainwatch_intake_lost_total{protocol="mlflow",reason="invalid"} 0.0
 * trainwatch_intake_received_bytes_total{protocol="mlflow"} 2048.0
 * trainwatch_intake_requests_total{outcome="accepted",protocol="mlflow"} 3.0
 * trainwatch_intake_unacknowledged_bytes 0.0
 * </pre>
 */
final class IntakeMetrics implements MultiCollector {
    private final IntakeCounters counters;
    private final LongSupplier unacknowledgedBytes;

    IntakeMetrics(IntakeCounters counters, LongSupplier unacknowledgedBytes) {
        this.counters = counters;
        this.unacknowledgedBytes = unacknowledgedBytes;
    }

    @Override
    public MetricSnapshots collect() {
        Exposition to = new Exposition();
        for (Protocol protocol : Protocol.values()) {
            for (Outcome outcome : Outcome.values()) {
                to.add(
                        MetricCatalog.INTAKE_REQUESTS,
                        counters.requests(protocol, outcome),
                        protocol.label,
                        outcome.label);
            }
            to.add(MetricCatalog.INTAKE_EVENTS, counters.events(protocol), protocol.label);
            to.add(MetricCatalog.INTAKE_RECEIVED_BYTES, counters.bytes(protocol), protocol.label);
            for (Loss why : Loss.values()) {
                to.add(MetricCatalog.INTAKE_LOST, counters.lost(protocol, why), protocol.label, why.label);
            }
        }
        to.add(MetricCatalog.INTAKE_UNACKNOWLEDGED_BYTES, unacknowledgedBytes.getAsLong());
        return to.snapshots();
    }
}
