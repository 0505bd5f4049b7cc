package io.trainwatch.monitor.metrics;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.stream.Stream;

/**
 * Every metric of our own: its name as Prometheus has it, what it is, and its labels. A series is absent, never 0, where
 * the trainer said nothing. Metrics of the JVM, the process and Kafka come from their binders under {@code jvm_},
 * {@code process_}, {@code system_}, {@code disk_} and {@code kafka_}.
 */
public final class MetricCatalog {

    /** What Prometheus makes of the values. */
    public enum Type {
        COUNTER,
        GAUGE,
        HISTOGRAM,
        INFO
    }

    /**
     * One metric.
     *
     * @param name name in the exposition, with unit and {@code _total} or {@code _info}; a histogram without
     *     {@code _bucket}
     * @param labels label names in the order in which values are given
     */
    public record Metric(String name, Type type, String help, List<String> labels) {

        /** Name of the family: a counter is without {@code _total}, an info without {@code _info}. */
        String family() {
            return switch (type) {
                case COUNTER -> name.substring(0, name.length() - "_total".length());
                case INFO -> name.substring(0, name.length() - "_info".length());
                case GAUGE, HISTOGRAM -> name;
            };
        }

        String[] labelNames() {
            return labels.toArray(String[]::new);
        }
    }

    private static final List<Metric> ALL = new ArrayList<>();

    public static final Metric RUN_INFO = add(
            "trainwatch_run_info",
            Type.INFO,
            "What a run is called; join on run_id",
            "run_id",
            "project",
            "run_name",
            "model_name");
    public static final Metric RUN_CONDITION = add(
            "trainwatch_run_condition",
            Type.GAUGE,
            "1 for where the run is in its life: running, silent, completed, failed, killed, unknown",
            "run_id",
            "project",
            "condition");
    public static final Metric RUN_LOSS =
            run("loss", Type.GAUGE, "Latest training loss; NaN and Inf are shown as such");
    public static final Metric RUN_EVAL_LOSS =
            run("eval_loss", Type.GAUGE, "Latest evaluation loss; NaN and Inf are shown as such");
    public static final Metric RUN_GRAD_NORM =
            run("grad_norm", Type.GAUGE, "Latest gradient norm before clipping; NaN and Inf are shown as such");
    public static final Metric RUN_LEARNING_RATE = run("learning_rate", Type.GAUGE, "Latest learning rate");
    public static final Metric RUN_STEP_TIME =
            run("step_time_seconds", Type.GAUGE, "Time that the latest step took, as the trainer measured it");
    public static final Metric RUN_METRIC = add(
            "trainwatch_run_metric",
            Type.GAUGE,
            "Latest value of each other series of the run, e.g. val/accuracy, as many as metrics.max_metrics_per_run",
            "run_id",
            "project",
            "metric");
    public static final Metric RUN_LAST_STEP = run("last_step", Type.GAUGE, "Last completed optimizer step");
    public static final Metric RUN_MAX_STEPS = run("max_steps", Type.GAUGE, "Optimizer steps that the run will take");
    public static final Metric RUN_STARTED =
            run("started_timestamp_seconds", Type.GAUGE, "When the first event happened, by the clock of the trainer");
    public static final Metric RUN_LAST_EVENT = run(
            "last_event_timestamp_seconds", Type.GAUGE, "When the latest event happened, by the clock of the trainer");
    public static final Metric RUN_EVENTS = run("events_total", Type.COUNTER, "Events of the run that were judged");
    public static final Metric RUN_STEPS = run("steps_total", Type.COUNTER, "Steps of the run that were judged");
    public static final Metric RUN_ACCELERATOR_LOST = run(
            "accelerator_lost_seconds",
            Type.GAUGE,
            "Accelerator time, seconds times ranks, that the costliest episode of the run has cost; episodes overlap");
    public static final Metric RUN_EVENTS_DUPLICATE =
            run("events_duplicate_total", Type.COUNTER, "Events that came twice and were dropped");
    public static final Metric RUN_EVENTS_MISSING =
            run("events_missing_total", Type.COUNTER, "Events that the trainer sent and that never came");
    public static final Metric RUN_DETECTORS_NOT_CHECKED =
            run("detectors_not_checked", Type.GAUGE, "Detectors that cannot judge the run because a signal is missing");
    public static final Metric RUN_SERIES_DROPPED = monitor(
            "run_series_dropped_total",
            Type.COUNTER,
            "Times that a run was left out of the run metrics because metrics.max_runs was reached");
    public static final Metric RUN_METRICS_DROPPED = monitor(
            "run_metrics_dropped_total",
            Type.COUNTER,
            "Series that were left out of a run because metrics.max_metrics_per_run was reached");
    public static final Metric MONITOR_INFO =
            add("trainwatch_monitor_info", Type.INFO, "What this monitor is", "version", "java_version");
    public static final Metric MONITOR_READY =
            monitor("ready", Type.GAUGE, "1 while this instance judges, 0 while it cannot; /health/ready says why");
    public static final Metric MONITOR_ACTIVE_RUNS =
            monitor("active_runs", Type.GAUGE, "Runs that this instance judges and that have not ended");
    public static final Metric MONITOR_EVENTS = monitor("events_total", Type.COUNTER, "Events judged");
    public static final Metric MONITOR_EVENTS_REJECTED = monitor(
            "events_rejected_total", Type.COUNTER, "Records that went to the dead letters, by reason", "reason");
    public static final Metric MONITOR_LAG = monitor(
            "lag_events", Type.GAUGE, "Events that wait in the partitions of this instance; absent until it reads");
    public static final Metric MONITOR_JUDGE_SECONDS =
            monitor("judge_seconds", Type.HISTOGRAM, "Time to judge one event, of every 64th one");
    public static final Metric MONITOR_COMMITS_REQUESTED = monitor(
            "commits_requested_total", Type.COUNTER, "Commits ahead of the commit interval, because of an alert");
    public static final Metric MONITOR_STATES_WRITTEN =
            monitor("states_written_total", Type.COUNTER, "Run states written to the store and its changelog");
    public static final Metric MONITOR_STATE_BYTES_WRITTEN =
            monitor("state_written_bytes_total", Type.COUNTER, "Bytes of the run states written");
    public static final Metric MONITOR_STATES_UNREADABLE = monitor(
            "states_unreadable_total",
            Type.COUNTER,
            "Run states that this version could not read; those runs began anew");
    public static final Metric MONITOR_OUTCOMES_DROPPED = monitor(
            "outcomes_dropped_total",
            Type.COUNTER,
            "Alerts, statuses, dead letters and states too large to be written");
    public static final Metric MONITOR_THREADS_REPLACED =
            monitor("threads_replaced_total", Type.COUNTER, "Judging threads that died of an error and were replaced");
    public static final Metric INTAKE_REQUESTS =
            intake("requests_total", "Requests of trainers over HTTP, by how they ended", "protocol", "outcome");
    public static final Metric INTAKE_EVENTS =
            intake("events_total", "Events that came over HTTP and that the broker has", "protocol");
    public static final Metric INTAKE_RECEIVED_BYTES =
            intake("received_bytes_total", "Bytes of the bodies of such requests, unpacked", "protocol");
    public static final Metric INTAKE_LOST =
            intake("lost_total", "Events and numbers that came over HTTP and were not taken", "protocol", "reason");
    public static final Metric INTAKE_UNACKNOWLEDGED_BYTES =
            add("trainwatch_intake_unacknowledged_bytes", Type.GAUGE, "Bytes of events that wait for the broker");
    public static final Metric ALERTS = add(
            "trainwatch_alerts_total",
            Type.COUNTER,
            "Alert episodes opened, by the severity that they began with",
            "detector",
            "severity");
    public static final Metric ALERT_ACTIVE = add(
            "trainwatch_alert_active",
            Type.GAUGE,
            "Open episodes of a detector in a run, one per scope",
            "run_id",
            "project",
            "detector",
            "severity");

    public static final Metric NOTIFY_PAGES = add(
            "trainwatch_notify_pages_total",
            Type.COUNTER,
            "Pages of a sink by what came of them: delivered, retried, parked (given up, kept in a topic), held (by limits)",
            "sink",
            "outcome");
    public static final Metric NOTIFY_LAG = add(
            "trainwatch_notify_lag_seconds",
            Type.GAUGE,
            "Age of the oldest alert that a sink has not dealt with, 0 if there is none",
            "sink");
    public static final Metric NOTIFY_HELD =
            notify("held_total", Type.COUNTER, "Times that a page began to be held back, by what held it", "reason");
    public static final Metric NOTIFY_UNTOLD = notify(
            "untold_total",
            Type.COUNTER,
            "Incidents that ended while they were held back, and were never told",
            "reason");
    public static final Metric NOTIFY_OVERFLOWED = notify(
            "overflowed_total", Type.COUNTER, "Episodes that were not told because too many incidents were open");
    public static final Metric NOTIFY_INCIDENTS =
            notify("open_incidents", Type.GAUGE, "Open incidents of a sink; 0 where another instance tells them");
    public static final Metric NOTIFY_HEARTBEATS =
            notify("heartbeats_total", Type.COUNTER, "Heartbeats of the dead man's switch that a sink took");
    public static final Metric COMMANDS =
            add("trainwatch_commands_total", Type.COUNTER, "Commands that were given to trainers", "action");
    public static final Metric APPROVALS = add(
            "trainwatch_approvals_total",
            Type.COUNTER,
            "Links for approval that were used: approved, or without effect because forged, expired or used before",
            "outcome");

    private MetricCatalog() {}

    /** Every metric, in the order of this file. */
    public static List<Metric> all() {
        return Collections.unmodifiableList(ALL);
    }

    private static Metric run(String name, Type type, String help) {
        return add("trainwatch_run_" + name, type, help, "run_id", "project");
    }

    private static Metric monitor(String name, Type type, String help, String... labels) {
        return add("trainwatch_monitor_" + name, type, help, labels);
    }

    private static Metric notify(String name, Type type, String help, String... more) {
        return add(
                "trainwatch_notify_" + name,
                type,
                help,
                Stream.concat(Stream.of("sink"), Stream.of(more)).toArray(String[]::new));
    }

    private static Metric intake(String name, String help, String... labels) {
        return add("trainwatch_intake_" + name, Type.COUNTER, help, labels);
    }

    private static Metric add(String name, Type type, String help, String... labels) {
        Metric metric = new Metric(name, type, help, List.of(labels));
        ALL.add(metric);
        return metric;
    }
}
