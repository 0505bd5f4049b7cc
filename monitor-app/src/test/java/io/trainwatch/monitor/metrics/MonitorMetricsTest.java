package io.trainwatch.monitor.metrics;

import static io.trainwatch.monitor.board.SampleRuns.bare;
import static io.trainwatch.monitor.board.SampleRuns.full;
import static io.trainwatch.monitor.board.SampleRuns.snapshot;
import static io.trainwatch.monitor.board.SampleRuns.with;
import static org.assertj.core.api.Assertions.assertThat;

import io.trainwatch.monitor.board.RunBoard;
import io.trainwatch.monitor.notify.SampleNotifyMetrics;
import io.trainwatch.monitor.topology.MonitorCounters;
import io.trainwatch.run.RunCondition;
import java.time.InstantSource;
import java.util.List;
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
        LatencyHistogram histogram = new LatencyHistogram();
        histogram.record(500);
        histogram.record(501);
        histogram.record(2_000_000_000);

        assertThat(histogram.counts()).containsExactly(1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1);
        assertThat(histogram.sumSeconds()).isEqualTo(2.000001001);
    }

    @Test
    void every_metric_that_is_exported_is_in_the_catalogue_and_the_reverse() {
        board.publish(snapshot(full("r1")));
        String text = Scrape.of(
                new RunMetrics(board, MetricsSettings.DEFAULT, InstantSource.system()),
                new MonitorMetrics(counters, board, () -> OptionalDouble.of(0), () -> true, DETECTORS, "1.0"),
                SampleNotifyMetrics.oneTold());

        assertThat(text.lines()
                        .filter(line -> line.startsWith("# HELP "))
                        .map(line -> line.substring("# HELP ".length()))
                        .collect(Collectors.toSet()))
                .isEqualTo(MetricCatalog.all().stream()
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
