package io.trainwatch.monitor.notify;

import io.prometheus.metrics.model.registry.MultiCollector;
import io.prometheus.metrics.model.snapshots.MetricSnapshots;
import io.trainwatch.monitor.metrics.Exposition;
import io.trainwatch.monitor.metrics.MetricCatalog;
import io.trainwatch.run.CommandAction;
import java.util.List;

/**
 * What this instance told since its start.
 *
 * <pre>
 * trainwatch_approvals_total{outcome="approved"} 0.0
 * trainwatch_commands_total{action="stop"} 0.0
 * trainwatch_notify_heartbeats_total{sink="team"} 0.0
 * trainwatch_notify_held_total{reason="rate_limit",sink="team"} 0.0
 * trainwatch_notify_lag_seconds{sink="team"} 0.0
 * trainwatch_notify_open_incidents{sink="team"} 0.0
 * trainwatch_notify_overflowed_total{sink="team"} 0.0
 * trainwatch_notify_pages_total{outcome="delivered",sink="team"} 1.0
 * trainwatch_notify_untold_total{reason="rate_limit",sink="team"} 0.0
 * </pre>
 */
public final class NotifyMetrics implements MultiCollector {
    private static final List<String> OUTCOMES = List.of("approved", "forged", "expired", "used");

    private final NotifyCounters counters;
    private final List<String> sinks;

    /** Shows the counters of a notifier. */
    public NotifyMetrics(Notifier notifier) {
        this(
                notifier.counters(),
                notifier.settings().sinks().stream().map(SinkSettings::name).toList());
    }

    NotifyMetrics(NotifyCounters counters, List<String> sinks) {
        this.counters = counters;
        this.sinks = sinks;
    }

    @Override
    public MetricSnapshots collect() {
        Exposition to = new Exposition();
        for (String sink : sinks) {
            to.add(MetricCatalog.NOTIFY_PAGES, counters.deliveredPages(sink), sink, "delivered");
            to.add(MetricCatalog.NOTIFY_PAGES, counters.failedAttempts(sink), sink, "retried");
            to.add(MetricCatalog.NOTIFY_PAGES, counters.parkedPages(sink), sink, "parked");
            to.add(MetricCatalog.NOTIFY_PAGES, counters.heldPages(sink), sink, "held");
            long waiting = counters.waitingSinceMs(sink);
            to.add(
                    MetricCatalog.NOTIFY_LAG,
                    waiting == 0 ? 0 : Math.max(0, System.currentTimeMillis() - waiting) / 1_000.0,
                    sink);
            for (Hold reason : Hold.values()) {
                to.add(MetricCatalog.NOTIFY_HELD, counters.heldPages(sink, reason), sink, reason.label());
                to.add(MetricCatalog.NOTIFY_UNTOLD, counters.untoldIncidents(sink, reason), sink, reason.label());
            }
            to.add(MetricCatalog.NOTIFY_OVERFLOWED, counters.overflowedEpisodes(sink), sink);
            to.add(MetricCatalog.NOTIFY_INCIDENTS, counters.incidents(sink), sink);
            to.add(MetricCatalog.NOTIFY_HEARTBEATS, counters.heartbeats(sink), sink);
        }
        for (CommandAction action : CommandAction.values()) {
            if (action != CommandAction.unknown) {
                to.add(MetricCatalog.COMMANDS, counters.commands(action.name()), action.name());
            }
        }
        for (String outcome : OUTCOMES) {
            to.add(MetricCatalog.APPROVALS, counters.approvals(outcome), outcome);
        }
        return to.snapshots();
    }
}
