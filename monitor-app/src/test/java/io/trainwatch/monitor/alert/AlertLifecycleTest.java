package io.trainwatch.monitor.alert;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.trainwatch.alert.Alert;
import io.trainwatch.alert.AlertState;
import io.trainwatch.alert.Evidence;
import io.trainwatch.alert.Severity;
import io.trainwatch.monitor.RunStream;
import io.trainwatch.monitor.detect.Verdicts;
import io.trainwatch.monitor.run.RunState;
import io.trainwatch.monitor.stats.StateReader;
import io.trainwatch.monitor.stats.StateWriter;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

class AlertLifecycleTest {
    private static final int QUIET = 5;

    private AlertLifecycle alerts = new AlertLifecycle();
    private final RunState state = new RunState("run");
    private final RunStream run = streamInto(state);
    private String detector = "loss_spike";

    private static RunStream streamInto(RunState state) {
        return new RunStream("run", moment -> {
            if (moment.event() != null) {
                state.accept(moment.event(), moment.atMs());
            }
        });
    }

    private static Terms only(String detector) {
        return new Terms(List.of(detector), List.of(QUIET), Map.of(), "");
    }

    private static void judging(AlertLifecycle alerts, RunState state, String detector, long atMs) {
        alerts.under(only(detector));
        alerts.judging(state, 0, atMs);
    }

    private List<Alert> healthy(String scope) {
        run.steps(1);
        judging(alerts, state, detector, run.step() * 1000);
        alerts.healthy(scope);
        return alerts.takeChanges();
    }

    private List<Alert> unhealthy(Severity severity) {
        return unhealthy("", severity, 7, null);
    }

    private List<Alert> unhealthy(String scope, Severity severity, long onset, @Nullable String suppressedBy) {
        run.steps(1);
        judging(alerts, state, detector, run.step() * 1000);
        alerts.unhealthy(
                scope,
                severity,
                onset,
                suppressedBy,
                () -> new Verdicts.Explanation("loss is bad at step " + run.step(), List.of()));
        return alerts.takeChanges();
    }

    private Alert only(List<Alert> changes) {
        assertThat(changes).hasSize(1);
        return changes.get(0);
    }

    @Test
    void healthy_verdicts_alone_say_nothing() {
        assertThat(healthy("")).isEmpty();
        assertThat(alerts.open()).isEmpty();
        assertThat(alerts.recent(state)).isEmpty();
    }

    @Test
    void the_first_unhealthy_verdict_opens_an_episode() {
        run.steps(10);
        Alert alert = only(unhealthy(Severity.warning));
        assertThat(alert.getState()).isEqualTo(AlertState.firing);
        assertThat(alert.getSeverity()).isEqualTo(Severity.warning);
        assertThat(alert.getOpenedStep()).isEqualTo(11);
        assertThat(alert.getOnsetStep()).isEqualTo(7);
        assertThat(alert.getLastStep()).isEqualTo(11);
        assertThat(alert.getResolvedStep()).isNull();
        assertThat(alert.getOpenedAtMs()).isEqualTo(11_000);
        assertThat(alert.getMessage()).isEqualTo("loss is bad at step 11");
        assertThat(alert.getAlertId()).matches("[0-9a-f]{32}");
        assertThat(alerts.open()).containsExactly(Map.entry("loss_spike", "warning"));
    }

    @Test
    void a_graver_verdict_updates_it_a_milder_one_does_not_and_severity_never_falls() {
        unhealthy(Severity.warning);
        assertThat(unhealthy(Severity.warning)).isEmpty();
        assertThat(only(unhealthy(Severity.critical)).getState()).isEqualTo(AlertState.updated);
        assertThat(unhealthy(Severity.warning)).isEmpty();
        assertThat(unhealthy("", Severity.critical, 7, "resume")).isEmpty();
        assertThat(alerts.open()).containsValue("critical");
    }

    @Test
    void the_32nd_64th_and_128th_unhealthy_verdict_update_it() {
        for (int verdict = 1; verdict <= 200; verdict++) {
            boolean told = !unhealthy(Severity.warning).isEmpty();
            assertThat(told)
                    .as("verdict " + verdict)
                    .isEqualTo(List.of(1, 32, 64, 128).contains(verdict));
        }
    }

    @Test
    void as_many_healthy_verdicts_in_a_row_as_the_detector_asks_for_resolve_it() {
        String id = only(unhealthy(Severity.warning)).getAlertId();
        for (int i = 1; i < QUIET; i++) {
            assertThat(healthy("")).isEmpty();
        }
        Alert resolved = only(healthy(""));
        assertThat(resolved.getState()).isEqualTo(AlertState.resolved);
        assertThat(resolved.getAlertId()).isEqualTo(id);
        assertThat(resolved.getResolvedStep()).isEqualTo(6);
        assertThat(alerts.open()).isEmpty();
        assertThat(healthy("")).isEmpty();
    }

    @Test
    void what_returns_within_the_quiet_verdicts_continues_the_episode() {
        unhealthy(Severity.warning);
        for (int round = 0; round < 10; round++) {
            for (int i = 1; i < QUIET; i++) {
                assertThat(healthy("")).isEmpty();
            }
            assertThat(unhealthy(Severity.warning)).isEmpty();
        }
        assertThat(alerts.recent(state)).hasSize(1);
    }

    @Test
    void the_end_of_the_run_resolves_all_without_a_resolved_step() {
        unhealthy(Severity.warning);
        unhealthy("val", Severity.info, 7, null);
        alerts.runEnded(state, "failed", 99);
        assertThat(alerts.takeChanges()).hasSize(2).allSatisfy(alert -> {
            assertThat(alert.getState()).isEqualTo(AlertState.resolved);
            assertThat(alert.getResolvedStep()).isNull();
            assertThat(alert.getChangedAtMs()).isEqualTo(99);
            assertThat(alert.getMessage()).endsWith("; still so when the run ended (failed)");
        });
        assertThat(alerts.open()).isEmpty();
        alerts.runEnded(state, "failed", 100);
        assertThat(alerts.takeChanges()).isEmpty();
    }

    @Test
    void a_gate_opens_it_at_info_and_is_named_and_what_outlasts_it_rises() {
        Alert held = only(unhealthy("", Severity.critical, 7, "resume"));
        assertThat(held.getSeverity()).isEqualTo(Severity.info);
        assertThat(held.getSuppressedBy()).isEqualTo("resume");
        Alert risen = only(unhealthy(Severity.critical));
        assertThat(risen.getState()).isEqualTo(AlertState.updated);
        assertThat(risen.getSeverity()).isEqualTo(Severity.critical);
        assertThat(risen.getSuppressedBy()).isNull();
    }

    @Test
    void a_gate_that_closes_later_neither_lowers_nor_is_named() {
        unhealthy(Severity.warning);
        Alert update = null;
        for (int i = 0; i < 31; i++) {
            for (Alert change : unhealthy("", Severity.warning, 7, "learning_rate_rise")) {
                update = change;
            }
        }
        assertThat(update).isNotNull();
        assertThat(update.getSeverity()).isEqualTo(Severity.warning);
        assertThat(update.getSuppressedBy()).isNull();
    }

    @Test
    void a_non_finite_loss_explains_a_spike_but_an_evaluation_that_is_does_not() {
        detector = "non_finite_loss";
        unhealthy("val", Severity.warning, 7, null);
        detector = "loss_spike";
        assertThat(only(unhealthy("losses/a", Severity.warning, 7, null)).getSuppressedBy())
                .isNull();
        detector = "non_finite_loss";
        unhealthy(Severity.critical);
        detector = "loss_spike";
        Alert explained = only(unhealthy("losses/b", Severity.warning, 7, null));
        assertThat(explained.getSeverity()).isEqualTo(Severity.info);
        assertThat(explained.getSuppressedBy()).isEqualTo("non_finite_loss");
    }

    @Test
    void overfitting_on_any_dataset_explains_a_plateau() {
        detector = "train_val_divergence";
        unhealthy("val", Severity.warning, 7, null);
        detector = "loss_plateau";
        assertThat(only(unhealthy(Severity.warning)).getSuppressedBy()).isEqualTo("train_val_divergence");
    }

    @Test
    void what_was_only_info_itself_explains_nothing() {
        detector = "loss_divergence";
        unhealthy(Severity.info);
        detector = "not_learning";
        assertThat(only(unhealthy(Severity.warning)).getSuppressedBy()).isNull();
    }

    @Test
    void the_id_is_that_of_run_attempt_detector_scope_and_onset() {
        String id = only(unhealthy("a", Severity.warning, 7, null)).getAlertId();
        assertThat(again("run", "loss_spike", "a", 7)).isEqualTo(id);
        assertThat(List.of(
                        id,
                        again("other", "loss_spike", "a", 7),
                        again("run", "loss_plateau", "a", 7),
                        again("run", "loss_spike", "b", 7),
                        again("run", "loss_spike", "a", 8)))
                .doesNotHaveDuplicates();
        alerts = new AlertLifecycle();
        run.restartAt(0);
        assertThat(only(unhealthy("a", Severity.warning, 7, null)).getAlertId()).isNotEqualTo(id);
    }

    private static String again(String runId, String detector, String scope, long onset) {
        AlertLifecycle alerts = new AlertLifecycle();
        judging(alerts, new RunState(runId), detector, 123_456);
        alerts.unhealthy(
                scope, Severity.info, onset, null, () -> new Verdicts.Explanation("said otherwise", List.of()));
        return alerts.takeChanges().get(0).getAlertId();
    }

    @Test
    void at_most_64_episodes_are_open_and_the_others_are_counted() {
        for (int i = 0; i < 100; i++) {
            unhealthy("scope" + i, Severity.warning, 7, null);
        }
        assertThat(alerts.open()).hasSize(64);
        assertThat(alerts.refused()).isEqualTo(36);
    }

    @Test
    void the_latest_64_episodes_are_remembered() {
        for (int i = 0; i < 100; i++) {
            unhealthy("scope" + i, Severity.warning, 7, null);
            for (int j = 0; j < QUIET; j++) {
                healthy("scope" + i);
            }
        }
        unhealthy("open", Severity.warning, 7, null);
        assertThat(alerts.recent(state)).hasSize(64);
        assertThat(alerts.recent(state).get(63).getScope()).isEqualTo("open");
        assertThat(alerts.recent(state).get(0).getScope()).isEqualTo("scope37");
    }

    @Test
    void an_explanation_that_throws_leaves_no_half_episode() {
        judging(alerts, state, detector, 0);
        assertThatThrownBy(() -> alerts.unhealthy("", Severity.warning, 7, null, () -> {
                    throw new IllegalStateException("no numbers");
                }))
                .isInstanceOf(IllegalStateException.class);
        assertThat(alerts.open()).isEmpty();
        assertThat(alerts.takeChanges()).isEmpty();
        assertThat(restarted(alerts).recent(state)).isEmpty();
    }

    @Test
    void what_is_only_info_or_only_telemetry_costs_no_time() {
        run.steps(10);
        assertThat(only(unhealthy(Severity.info)).getAcceleratorSecondsLost()).isZero();
        detector = "telemetry_gap";
        assertThat(only(unhealthy(Severity.warning)).getAcceleratorSecondsLost())
                .isZero();
    }

    @Test
    void the_time_since_the_onset_is_lost_until_it_resolves() {
        run.steps(10);
        assertThat(only(unhealthy(Severity.warning)).getAcceleratorSecondsLost())
                .isEqualTo(4);
        run.steps(10);
        assertThat(alerts.recent(state).get(0).getAcceleratorSecondsLost()).isEqualTo(14);
        for (int i = 1; i < QUIET; i++) {
            healthy("");
        }
        assertThat(only(healthy("")).getAcceleratorSecondsLost()).isEqualTo(19);
        run.steps(100);
        assertThat(alerts.recent(state).get(0).getAcceleratorSecondsLost()).isEqualTo(19);
    }

    @Test
    void while_nothing_comes_the_time_since_the_last_event_is_lost_too() {
        run.steps(10);
        alerts.under(only("stalled_run"));
        alerts.waiting(state, 0, state.lastArrivalMs() + 60_000);
        alerts.unhealthy(
                "", Severity.warning, 10, null, () -> new Verdicts.Explanation("nothing came for 60 s", List.of()));
        assertThat(only(alerts.takeChanges()).getAcceleratorSecondsLost()).isEqualTo(60);
    }

    @Test
    void of_a_slowdown_only_the_excess_is_lost() {
        run.steps(100);
        assertThat(slower("step_time", 0.4, 0.1)).isEqualTo(0.75 * 50);
        assertThat(slower("step_time", 0.3, 0.4)).isZero();
        assertThat(slower("paused_share", 0.2, 0.1)).isEqualTo(0.2 * 50);
        assertThat(slower("step_time", Double.NaN, 0.4)).isNull();
    }

    private @Nullable Double slower(String signal, double value, double usual) {
        AlertLifecycle episodes = new AlertLifecycle();
        judging(episodes, state, "throughput_drop", 0);
        episodes.unhealthy(
                "",
                Severity.warning,
                50,
                null,
                () -> new Verdicts.Explanation(
                        "slower", List.of(new Evidence(signal, 50L, 100L, value, usual, null, "seconds"))));
        return episodes.takeChanges().get(0).getAcceleratorSecondsLost();
    }

    @Test
    void hostile_names_stay_on_one_line_of_bounded_length() {
        String name = "<b>\r\n\u2028\u0000" + "x".repeat(10_000);
        Verdicts.Explanation explanation = new Verdicts.Explanation("loss of " + name + " is bad", List.of());
        assertThat(explanation.message())
                .hasSize(1000)
                .startsWith("loss of <b>    xxx")
                .endsWith("xxx...");
        assertThat(explanation.message()).doesNotContainPattern("[\\p{Cntrl}\u2028\u2029]");
        unhealthy("a\n7", Severity.warning, 7, null);
        unhealthy("a", Severity.warning, 7, null);
        assertThat(alerts.open()).hasSize(2);
    }

    @Test
    void a_restart_changes_nothing() {
        unhealthy("", Severity.warning, 7, "resume");
        for (int i = 0; i < 70; i++) {
            unhealthy("a", Severity.warning, 7, null);
        }
        healthy("a");
        AlertLifecycle undisturbed = alerts;
        AlertLifecycle restarted = restarted(undisturbed);
        assertThat(restarted.recent(state)).isEqualTo(undisturbed.recent(state));
        assertThat(restarted.open()).isEqualTo(undisturbed.open());
        for (int i = 0; i < 70; i++) {
            boolean quiet = i > 60;
            alerts = undisturbed;
            List<Alert> expected = quiet ? healthy("a") : unhealthy("a", Severity.critical, 7, null);
            run.resumeAt(run.step() - 1);
            alerts = restarted;
            List<Alert> actual = quiet ? healthy("a") : unhealthy("a", Severity.critical, 7, null);
            // Its step was told twice, which took time.
            for (Alert alert : actual) {
                alert.setAcceleratorSecondsLost(expected.get(0).getAcceleratorSecondsLost());
            }
            assertThat(actual).isEqualTo(expected);
        }
        assertThat(undisturbed.open()).hasSize(1);
    }

    private static AlertLifecycle restarted(AlertLifecycle alerts) {
        StateWriter out = new StateWriter();
        alerts.write(out);
        AlertLifecycle again = new AlertLifecycle();
        again.read(new StateReader(out.toByteArray()));
        return again;
    }

    @Test
    void detectors_can_ask_for_the_alarms_of_others_open_or_ended_and_infos_are_none() {
        unhealthy("a", Severity.info, 1, null);
        assertThat(alerts.episodes().isAlarming("loss_spike")).isFalse();
        unhealthy("a", Severity.warning, 1, null);
        unhealthy("b", Severity.critical, 2, null);
        assertThat(alerts.episodes().isAlarming("loss_spike")).isTrue();
        assertThat(alerts.episodes().isAlarming("loss_divergence")).isFalse();
        assertThat(alerts.episodes().alarmsSince("loss_spike", 1)).isEqualTo(2);
        assertThat(alerts.episodes().alarmsSince("loss_spike", 2)).isEqualTo(1);
        for (int i = 0; i < QUIET; i++) {
            healthy("a");
            healthy("b");
        }
        assertThat(alerts.episodes().isAlarming("loss_spike")).isFalse();
        assertThat(alerts.episodes().alarmsSince("loss_spike", 1)).isEqualTo(2);
        assertThat(alerts.episodes().alarmsSince("loss_divergence", 1)).isZero();
    }
}
