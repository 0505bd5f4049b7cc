package io.trainwatch.monitor.metrics;

import io.prometheus.metrics.model.registry.MultiCollector;
import io.prometheus.metrics.model.snapshots.MetricSnapshots;
import io.trainwatch.alert.Severity;
import io.trainwatch.monitor.board.RunBoard;
import io.trainwatch.monitor.topology.MonitorCounters;
import io.trainwatch.monitor.topology.MonitorCounters.AlertKind;
import io.trainwatch.monitor.topology.MonitorCounters.AlertsOpened;
import io.trainwatch.monitor.topology.RejectReason;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;

/**
 * What this monitor did since its start.
 *
 * <pre>
 * trainwatch_alerts_total{detector="loss_spike",severity="warning"} 0.0
 * trainwatch_monitor_active_runs 1.0
 * trainwatch_monitor_commits_requested_total 0.0
 * trainwatch_monitor_events_rejected_total{reason="corrupt"} 0.0
 * trainwatch_monitor_events_total 0.0
 * trainwatch_monitor_info{java_version="17",version="1.0"} 1
 * trainwatch_monitor_judge_seconds_bucket{le="1.0E-6"} 1
 * trainwatch_monitor_judge_seconds_sum 9.0E-7
 * trainwatch_monitor_judge_seconds_count 1
 * trainwatch_monitor_lag_events 12.0
 * trainwatch_monitor_outcomes_dropped_total 0.0
 * trainwatch_monitor_ready 1.0
 * trainwatch_monitor_state_written_bytes_total 0.0
 * trainwatch_monitor_states_unreadable_total 0.0
 * trainwatch_monitor_states_written_total 0.0
 * trainwatch_monitor_threads_replaced_total 0.0
 * </pre>
 *
 * <p>In OpenMetrics, {@code trainwatch_alerts_total} tells the run and step of the latest episode and a bucket of {@code
 * trainwatch_monitor_judge_seconds} those of one judgement in it:
 *
 * <pre>
 * trainwatch_alerts_total{detector="loss_spike",severity="warning"} 3.0 # {run_id="r1",step="412"} 1.0 1.76E9
 * </pre>
 */
public final class MonitorMetrics implements MultiCollector {
    private final MonitorCounters counters;
    private final RunBoard board;
    private final Supplier<OptionalDouble> lag;
    private final BooleanSupplier ready;
    private final List<String> detectors;
    private final String version;
    private final JudgeLatency judgeLatency = new JudgeLatency();

    /**
     * Listens to the counters.
     *
     * @param lag events that wait to be judged, empty while that is not known
     * @param ready whether this instance judges
     * @param detectors names of those that judge: each has its series from the start, so that a first alert is an increase
     * @param version of the program
     */
    public MonitorMetrics(
            MonitorCounters counters,
            RunBoard board,
            Supplier<OptionalDouble> lag,
            BooleanSupplier ready,
            List<String> detectors,
            String version) {
        this.counters = counters;
        this.board = board;
        this.lag = lag;
        this.ready = ready;
        this.detectors = List.copyOf(detectors);
        this.version = version;
        counters.onJudged(judgeLatency::judged);
    }

    @Override
    public MetricSnapshots collect() {
        Exposition to = new Exposition();
        to.add(MetricCatalog.MONITOR_INFO, 1, version, Runtime.version().toString());
        to.add(MetricCatalog.MONITOR_READY, ready.getAsBoolean() ? 1 : 0);
        to.add(
                MetricCatalog.MONITOR_ACTIVE_RUNS,
                board.runs().stream().filter(RunMetrics::isActive).count());
        to.add(MetricCatalog.MONITOR_EVENTS, counters.events());
        for (RejectReason reason : RejectReason.values()) {
            to.add(MetricCatalog.MONITOR_EVENTS_REJECTED, counters.rejected(reason), reason.label());
        }
        Map<AlertKind, AlertsOpened> alerts = counters.alertsOpened();
        for (String detector : detectors) {
            for (Severity severity : Severity.values()) {
                AlertsOpened opened = alerts.get(new AlertKind(detector, severity));
                to.add(
                        MetricCatalog.ALERTS,
                        opened == null ? 0 : opened.count(),
                        opened == null ? null : Examples.of(opened),
                        detector,
                        severity.name());
            }
        }
        lag.get().ifPresent(events -> to.add(MetricCatalog.MONITOR_LAG, events));
        to.add(judgeLatency.collect());
        to.add(MetricCatalog.MONITOR_COMMITS_REQUESTED, counters.commitsRequested());
        to.add(MetricCatalog.MONITOR_STATES_WRITTEN, counters.statesWritten());
        to.add(MetricCatalog.MONITOR_STATE_BYTES_WRITTEN, counters.stateBytesWritten());
        to.add(MetricCatalog.MONITOR_STATES_UNREADABLE, counters.statesUnreadable());
        to.add(MetricCatalog.MONITOR_OUTCOMES_DROPPED, counters.outcomesDropped());
        to.add(MetricCatalog.MONITOR_THREADS_REPLACED, counters.threadsReplaced());
        return to.snapshots();
    }
}
