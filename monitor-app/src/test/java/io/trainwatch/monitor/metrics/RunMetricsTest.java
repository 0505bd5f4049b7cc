package io.trainwatch.monitor.metrics;

import static io.trainwatch.monitor.board.SampleRuns.alert;
import static io.trainwatch.monitor.board.SampleRuns.bare;
import static io.trainwatch.monitor.board.SampleRuns.full;
import static io.trainwatch.monitor.board.SampleRuns.snapshot;
import static io.trainwatch.monitor.board.SampleRuns.with;
import static org.assertj.core.api.Assertions.assertThat;

import io.trainwatch.alert.Alert;
import io.trainwatch.alert.AlertState;
import io.trainwatch.alert.Severity;
import io.trainwatch.monitor.board.RunBoard;
import io.trainwatch.monitor.judge.RunSnapshot;
import io.trainwatch.monitor.run.RunKind;
import io.trainwatch.monitor.run.SeriesSnapshot;
import io.trainwatch.run.RunCondition;
import io.trainwatch.run.RunStatus;
import java.time.Duration;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class RunMetricsTest {
    private final RunBoard board = new RunBoard();
    private Instant now = Instant.ofEpochSecond(1_763_760_000);

    @Test
    void without_runs_there_are_no_series_but_the_count_of_dropped_ones() {
        assertThat(scrape(metrics(10))).isEqualTo("""
                # HELP trainwatch_monitor_run_metrics_dropped_total Series that were left out of a run because metrics.max_metrics_per_run was reached
                # TYPE trainwatch_monitor_run_metrics_dropped_total counter
                trainwatch_monitor_run_metrics_dropped_total 0.0
                # HELP trainwatch_monitor_run_series_dropped_total Times that a run was left out of the run metrics because metrics.max_runs was reached
                # TYPE trainwatch_monitor_run_series_dropped_total counter
                trainwatch_monitor_run_series_dropped_total 0.0
                """);
    }

    @Test
    void everything_known_of_a_run_is_exported_and_nan_is_visible() {
        board.publish(snapshot(full("r1")));

        assertThat(scrape(metrics(10))).isEqualTo("""
                # HELP trainwatch_alert_active Open episodes of a detector in a run, one per scope
                # TYPE trainwatch_alert_active gauge
                trainwatch_alert_active{detector="loss_spike",project="vision",run_id="r1",severity="warning"} 1.0
                # HELP trainwatch_monitor_run_metrics_dropped_total Series that were left out of a run because metrics.max_metrics_per_run was reached
                # TYPE trainwatch_monitor_run_metrics_dropped_total counter
                trainwatch_monitor_run_metrics_dropped_total 0.0
                # HELP trainwatch_monitor_run_series_dropped_total Times that a run was left out of the run metrics because metrics.max_runs was reached
                # TYPE trainwatch_monitor_run_series_dropped_total counter
                trainwatch_monitor_run_series_dropped_total 0.0
                # HELP trainwatch_run_info What a run is called; join on run_id
                # TYPE trainwatch_run_info gauge
                trainwatch_run_info{model_name="resnet-7",project="vision",run_id="r1",run_name="resnet"} 1
                # HELP trainwatch_run_condition 1 for where the run is in its life: running, silent, completed, failed, killed, unknown
                # TYPE trainwatch_run_condition gauge
                trainwatch_run_condition{condition="running",project="vision",run_id="r1"} 1.0
                # HELP trainwatch_run_detectors_not_checked Detectors that cannot judge the run because a signal is missing
                # TYPE trainwatch_run_detectors_not_checked gauge
                trainwatch_run_detectors_not_checked{project="vision",run_id="r1"} 1.0
                # HELP trainwatch_run_eval_loss Latest evaluation loss; NaN and Inf are shown as such
                # TYPE trainwatch_run_eval_loss gauge
                trainwatch_run_eval_loss{project="vision",run_id="r1"} 2.5
                # HELP trainwatch_run_events_total Events of the run that were judged
                # TYPE trainwatch_run_events_total counter
                trainwatch_run_events_total{project="vision",run_id="r1"} 120.0
                # HELP trainwatch_run_events_duplicate_total Events that came twice and were dropped
                # TYPE trainwatch_run_events_duplicate_total counter
                trainwatch_run_events_duplicate_total{project="vision",run_id="r1"} 2.0
                # HELP trainwatch_run_events_missing_total Events that the trainer sent and that never came
                # TYPE trainwatch_run_events_missing_total counter
                trainwatch_run_events_missing_total{project="vision",run_id="r1"} 3.0
                # HELP trainwatch_run_grad_norm Latest gradient norm before clipping; NaN and Inf are shown as such
                # TYPE trainwatch_run_grad_norm gauge
                trainwatch_run_grad_norm{project="vision",run_id="r1"} +Inf
                # HELP trainwatch_run_last_event_timestamp_seconds When the latest event happened, by the clock of the trainer
                # TYPE trainwatch_run_last_event_timestamp_seconds gauge
                trainwatch_run_last_event_timestamp_seconds{project="vision",run_id="r1"} 1.76376E9
                # HELP trainwatch_run_last_step Last completed optimizer step
                # TYPE trainwatch_run_last_step gauge
                trainwatch_run_last_step{project="vision",run_id="r1"} 100.0
                # HELP trainwatch_run_learning_rate Latest learning rate
                # TYPE trainwatch_run_learning_rate gauge
                trainwatch_run_learning_rate{project="vision",run_id="r1"} 0.001
                # HELP trainwatch_run_loss Latest training loss; NaN and Inf are shown as such
                # TYPE trainwatch_run_loss gauge
                trainwatch_run_loss{project="vision",run_id="r1"} NaN
                # HELP trainwatch_run_max_steps Optimizer steps that the run will take
                # TYPE trainwatch_run_max_steps gauge
                trainwatch_run_max_steps{project="vision",run_id="r1"} 1000.0
                # HELP trainwatch_run_started_timestamp_seconds When the first event happened, by the clock of the trainer
                # TYPE trainwatch_run_started_timestamp_seconds gauge
                trainwatch_run_started_timestamp_seconds{project="vision",run_id="r1"} 1.76375E9
                # HELP trainwatch_run_steps_total Steps of the run that were judged
                # TYPE trainwatch_run_steps_total counter
                trainwatch_run_steps_total{project="vision",run_id="r1"} 100.0
                """);
    }

    @Test
    void what_a_trainer_did_not_say_is_absent_and_not_zero() {
        board.publish(snapshot(bare("r1")));

        assertThat(scrape(metrics(10)))
                .contains("trainwatch_run_events_total{project=\"\",run_id=\"r1\"} 0.0")
                .doesNotContain("trainwatch_run_loss", "trainwatch_run_last_step", "trainwatch_alert_active");
    }

    @Test
    void episodes_of_one_detector_and_severity_are_one_series_that_counts_them() {
        RunStatus run = bare("r1");
        run.getOpenAlerts().put("loss_spike", "warning");
        run.getOpenAlerts().put("loss_spike/val", "warning");
        run.getOpenAlerts().put("loss_spike/losses/a\nb", "critical");
        board.publish(snapshot(run));

        assertThat(scrape(metrics(10)))
                .contains(
                        "trainwatch_alert_active{detector=\"loss_spike\",project=\"\",run_id=\"r1\",severity=\"warning\"} 2.0\n",
                        "trainwatch_alert_active{detector=\"loss_spike\",project=\"\",run_id=\"r1\",severity=\"critical\"} 1.0\n");
    }

    @Test
    void a_hostile_name_is_escaped_and_a_long_one_is_cut() {
        board.publish(snapshot(with(bare("a\"b\\c\nd"), run -> run.setProject("p".repeat(1_000)))));

        assertThat(scrape(metrics(10)))
                .contains("trainwatch_run_events_total{project=\"" + "p".repeat(255)
                        + "…\",run_id=\"a\\\"b\\\\c\\nd\"} 0.0\n");
    }

    @Test
    void the_other_series_of_a_run_are_exported_by_name_up_to_the_cap_and_what_is_left_out_is_counted_once() {
        RunMetrics metrics = metrics(10);
        board.publish(withSeries("r1", "loss", "val/loss", "val/accuracy", "step_time_seconds", "metrics/entropy"));

        scrape(metrics);
        assertThat(scrape(metrics))
                .contains(
                        "trainwatch_run_metric{metric=\"metrics/entropy\",project=\"\",run_id=\"r1\"} 0.5\n",
                        "trainwatch_run_metric{metric=\"val/accuracy\",project=\"\",run_id=\"r1\"} 0.5\n",
                        "trainwatch_run_step_time_seconds{project=\"\",run_id=\"r1\"} 0.5\n",
                        "trainwatch_monitor_run_metrics_dropped_total 1.0\n")
                .doesNotContain("metric=\"val/loss\"", "metric=\"loss\"");

        board.publish(withSeries("r1", "a", "b", "c", "d", "e"));
        assertThat(scrape(metrics)).contains("trainwatch_monitor_run_metrics_dropped_total 3.0\n");
    }

    @Test
    void the_time_that_a_run_has_lost_is_that_of_its_costliest_episode() {
        Alert cheap = alert("a1", "r1", Severity.warning, AlertState.resolved, 1);
        cheap.setAcceleratorSecondsLost(3.0);
        Alert costly = alert("a2", "r1", Severity.critical, AlertState.firing, 2);
        costly.setAcceleratorSecondsLost(12.5);
        Alert unknown = alert("a3", "r1", Severity.info, AlertState.firing, 3);
        board.publish(snapshot(bare("r1"), cheap, costly, unknown));
        board.publish(snapshot(bare("r2"), unknown));

        assertThat(scrape(metrics(10)))
                .contains("trainwatch_run_accelerator_lost_seconds{project=\"\",run_id=\"r1\"} 12.5\n")
                .doesNotContain("trainwatch_run_accelerator_lost_seconds{project=\"\",run_id=\"r2\"}");
    }

    @Test
    void a_run_that_ended_stays_for_its_time_to_live_from_the_first_scrape_that_saw_the_end() {
        RunMetrics metrics = metrics(10);
        board.publish(snapshot(with(full("r1"), run -> {
            run.setCondition(RunCondition.completed);
            run.setLastEventAtMs(4_102_444_800_000L);
        })));

        assertThat(scrape(metrics)).contains("condition=\"completed\"");
        now = now.plusSeconds(300);
        assertThat(scrape(metrics)).contains("condition=\"completed\"");
        now = now.plusSeconds(1);
        assertThat(scrape(metrics)).doesNotContain("run_id");
    }

    @Test
    void a_run_that_goes_on_after_its_end_is_back() {
        RunMetrics metrics = metrics(10);
        board.publish(snapshot(with(bare("r1"), run -> run.setCondition(RunCondition.failed))));
        scrape(metrics);
        now = now.plusSeconds(1_000);
        board.publish(snapshot(bare("r1")));

        assertThat(scrape(metrics)).contains("condition=\"running\"");
    }

    @Test
    void a_run_that_the_board_forgets_is_gone_at_the_next_scrape() {
        RunMetrics metrics = metrics(10);
        board.publish(snapshot(bare("r1")));
        scrape(metrics);
        board.remove("r1");

        assertThat(scrape(metrics)).doesNotContain("run_id");
    }

    @Test
    void at_the_cap_runs_with_open_alerts_come_first_and_what_is_left_out_is_counted_once() {
        RunMetrics metrics = metrics(2);
        RunStatus old = with(bare("old-with-alert"), run -> run.setStartedAtMs(1));
        old.getOpenAlerts().put("loss_spike", "warning");
        board.publish(snapshot(old));
        board.publish(snapshot(with(bare("older"), run -> run.setStartedAtMs(2))));
        board.publish(snapshot(with(bare("newer"), run -> run.setStartedAtMs(3))));

        scrape(metrics);
        assertThat(scrape(metrics))
                .contains(
                        "trainwatch_monitor_run_series_dropped_total 1.0",
                        "run_id=\"old-with-alert\"",
                        "run_id=\"newer\"")
                .doesNotContain("run_id=\"older\"");
    }

    private static RunSnapshot withSeries(String runId, String... names) {
        Map<String, SeriesSnapshot> series = new LinkedHashMap<>();
        for (String name : names) {
            series.put(name, new SeriesSnapshot(name, 1, 0.5, List.of()));
        }
        return new RunSnapshot(bare(runId), series, List.of(), List.of(), 0, RunKind.UNKNOWN);
    }

    private RunMetrics metrics(int maxRuns) {
        return new RunMetrics(board, new MetricsSettings(maxRuns, 2, Duration.ofMinutes(5)), () -> now);
    }

    private static String scrape(RunMetrics metrics) {
        return Scrape.of(metrics);
    }
}
