package io.trainwatch.monitor.metrics;

import static io.trainwatch.monitor.board.SampleRuns.alert;
import static io.trainwatch.monitor.board.SampleRuns.bare;
import static io.trainwatch.monitor.board.SampleRuns.full;
import static io.trainwatch.monitor.board.SampleRuns.snapshot;
import static io.trainwatch.monitor.board.SampleRuns.with;
import static org.assertj.core.api.Assertions.assertThat;

import io.prometheus.metrics.model.snapshots.MetricSnapshots;
import io.trainwatch.alert.Alert;
import io.trainwatch.alert.AlertState;
import io.trainwatch.alert.Severity;
import io.trainwatch.monitor.board.RunBoard;
import io.trainwatch.monitor.judge.RunSnapshot;
import io.trainwatch.monitor.notify.SampleNotifyMetrics;
import io.trainwatch.monitor.run.RunKind;
import io.trainwatch.monitor.run.SeriesSnapshot;
import io.trainwatch.monitor.topology.Counting;
import io.trainwatch.monitor.topology.MonitorCounters;
import io.trainwatch.run.RunCondition;
import java.time.InstantSource;
import java.util.List;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

class MonitorMetricsTest {
    private static final List<String> DETECTORS = List.of("loss_spike");

    private final RunBoard board = new RunBoard();
    private final MonitorCounters counters = new MonitorCounters();

    @Test
    void a_monitor_that_has_done_nothing_shows_every_counter_at_zero() {
        MonitorMetrics metrics =
                new MonitorMetrics(counters, board, OptionalDouble::empty, () -> false, DETECTORS, "1.0");

        assertThat(samples(Scrape.of(metrics))).isEqualTo(SILENT);
    }

    @Test
    void runs_that_ended_are_not_active_and_the_lag_is_shown_once_it_is_known() {
        board.publish(snapshot(bare("r1")));
        board.publish(snapshot(with(bare("r2"), run -> run.setCondition(RunCondition.killed))));
        MonitorMetrics metrics =
                new MonitorMetrics(counters, board, () -> OptionalDouble.of(12), () -> true, DETECTORS, "1.0");

        assertThat(Scrape.of(metrics))
                .contains(
                        "trainwatch_monitor_active_runs 1.0\n",
                        "trainwatch_monitor_lag_events 12.0\n",
                        "trainwatch_monitor_ready 1.0\n");
    }

    @Test
    void a_latency_is_counted_in_the_first_bucket_that_holds_it() {
        JudgeLatency latency = new JudgeLatency();
        latency.judged(500, "r1", 1L);
        latency.judged(501, "r1", 2L);
        latency.judged(2_000_000_000, "r1", null);

        assertThat(Scrape.of(() -> new MetricSnapshots(latency.collect())))
                .contains(
                        "trainwatch_monitor_judge_seconds_bucket{le=\"5.0E-7\"} 1\n",
                        "trainwatch_monitor_judge_seconds_bucket{le=\"1.0E-6\"} 2\n",
                        "trainwatch_monitor_judge_seconds_bucket{le=\"0.1\"} 2\n",
                        "trainwatch_monitor_judge_seconds_bucket{le=\"+Inf\"} 3\n",
                        "trainwatch_monitor_judge_seconds_sum 2.000001001\n");
    }

    @Test
    void a_latency_is_a_native_histogram_to_those_who_ask_for_one() {
        JudgeLatency latency = new JudgeLatency();
        latency.judged(1_000, "r1", 1L);

        assertThat(latency.collect().getDataPoints().get(0).hasNativeHistogramData())
                .isTrue();
        assertThat(Scrape.protobuf(() -> new MetricSnapshots(latency.collect())))
                .contains("schema: 5", "positive_span");
    }

    @Test
    void openmetrics_tells_the_run_and_step_of_the_latest_episode_and_of_a_judgement() {
        MonitorMetrics metrics =
                new MonitorMetrics(counters, board, OptionalDouble::empty, () -> true, DETECTORS, "1.0");
        Counting.alert(counters, alert("a1", "r0", Severity.warning, AlertState.firing, 1));
        Counting.alert(counters, alert("a2", "r1", Severity.warning, AlertState.firing, 2));
        Counting.judged(counters, 1_500, "r2", 7L);

        assertThat(Scrape.openMetrics(metrics))
                .contains(
                        "trainwatch_alerts_total{detector=\"loss_spike\",severity=\"warning\"} 2.0"
                                + " # {run_id=\"r1\",step=\"12\"} 1.0 1.000\n",
                        "trainwatch_alerts_total{detector=\"loss_spike\",severity=\"critical\"} 0.0\n",
                        "trainwatch_monitor_judge_seconds_bucket{le=\"2.0E-6\"} 1"
                                + " # {run_id=\"r2\",step=\"7\"} 1.5E-6 ");
    }

    @Test
    void an_exemplar_leaves_a_run_out_whose_name_has_no_room() {
        assertThat(Examples.labels("r".repeat(128 - 6 - 4 - 2), 12L).get("run_id"))
                .isNotNull();
        assertThat(Examples.labels("r".repeat(128 - 6 - 4 - 1), 12L).get("run_id"))
                .isNull();
        assertThat(Examples.labels("r1", null).get("run_id")).isEqualTo("r1");
    }

    @Test
    void every_metric_that_is_exported_is_in_the_catalogue_and_the_reverse() {
        Alert alert = alert("a1", "r1", Severity.warning, AlertState.firing, 1);
        alert.setAcceleratorSecondsLost(1.0);
        board.publish(new RunSnapshot(
                full("r1"),
                Map.of(
                        "step_time_seconds", new SeriesSnapshot("step_time_seconds", 1, 0.5, List.of()),
                        "val/loss", new SeriesSnapshot("val/loss", 1, 0.5, List.of())),
                List.of(alert),
                List.of(),
                0,
                RunKind.UNKNOWN));
        String text = Scrape.of(
                new RunMetrics(board, MetricsSettings.DEFAULT, InstantSource.system()),
                new MonitorMetrics(counters, board, () -> OptionalDouble.of(0), () -> true, DETECTORS, "1.0"),
                SampleNotifyMetrics.oneTold());

        assertThat(text.lines()
                        .filter(line -> line.startsWith("# HELP "))
                        .map(line -> line.substring("# HELP ".length()))
                        .collect(Collectors.toSet()))
                .isEqualTo(MetricCatalog.all().stream()
                        .filter(metric -> !metric.name().startsWith("trainwatch_intake_"))
                        .map(metric -> metric.name() + " " + metric.help())
                        .collect(Collectors.toSet()));
    }

    private static String samples(String text) {
        return text.lines()
                .filter(line -> !line.startsWith("#"))
                .map(line -> line.replace(Runtime.version().toString(), "JAVA") + "\n")
                .collect(Collectors.joining());
    }

    private static final String SILENT = """
            trainwatch_alerts_total{detector="loss_spike",severity="critical"} 0.0
            trainwatch_alerts_total{detector="loss_spike",severity="info"} 0.0
            trainwatch_alerts_total{detector="loss_spike",severity="warning"} 0.0
            trainwatch_monitor_info{java_version="JAVA",version="1.0"} 1
            trainwatch_monitor_active_runs 0.0
            trainwatch_monitor_commits_requested_total 0.0
            trainwatch_monitor_events_total 0.0
            trainwatch_monitor_events_rejected_total{reason="corrupt"} 0.0
            trainwatch_monitor_events_rejected_total{reason="empty"} 0.0
            trainwatch_monitor_events_rejected_total{reason="judge_failed"} 0.0
            trainwatch_monitor_events_rejected_total{reason="key_mismatch"} 0.0
            trainwatch_monitor_events_rejected_total{reason="not_single_object"} 0.0
            trainwatch_monitor_events_rejected_total{reason="null_key"} 0.0
            trainwatch_monitor_events_rejected_total{reason="number_invalid"} 0.0
            trainwatch_monitor_events_rejected_total{reason="run_id_invalid"} 0.0
            trainwatch_monitor_events_rejected_total{reason="unknown_schema"} 0.0
            trainwatch_monitor_judge_seconds_bucket{le="5.0E-7"} 0
            trainwatch_monitor_judge_seconds_bucket{le="1.0E-6"} 0
            trainwatch_monitor_judge_seconds_bucket{le="2.0E-6"} 0
            trainwatch_monitor_judge_seconds_bucket{le="5.0E-6"} 0
            trainwatch_monitor_judge_seconds_bucket{le="1.0E-5"} 0
            trainwatch_monitor_judge_seconds_bucket{le="2.0E-5"} 0
            trainwatch_monitor_judge_seconds_bucket{le="5.0E-5"} 0
            trainwatch_monitor_judge_seconds_bucket{le="1.0E-4"} 0
            trainwatch_monitor_judge_seconds_bucket{le="0.001"} 0
            trainwatch_monitor_judge_seconds_bucket{le="0.01"} 0
            trainwatch_monitor_judge_seconds_bucket{le="0.1"} 0
            trainwatch_monitor_judge_seconds_bucket{le="+Inf"} 0
            trainwatch_monitor_judge_seconds_count 0
            trainwatch_monitor_judge_seconds_sum 0.0
            trainwatch_monitor_outcomes_dropped_total 0.0
            trainwatch_monitor_ready 0.0
            trainwatch_monitor_state_written_bytes_total 0.0
            trainwatch_monitor_states_unreadable_total 0.0
            trainwatch_monitor_states_written_total 0.0
            trainwatch_monitor_threads_replaced_total 0.0
            """;
}
