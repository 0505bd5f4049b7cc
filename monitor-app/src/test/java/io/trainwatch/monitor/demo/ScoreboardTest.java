package io.trainwatch.monitor.demo;

import static org.assertj.core.api.Assertions.assertThat;

import io.trainwatch.alert.Alert;
import io.trainwatch.alert.AlertState;
import io.trainwatch.alert.Severity;
import io.trainwatch.monitor.demo.Scenario.Ending;
import io.trainwatch.monitor.demo.Scenario.Fault;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

class ScoreboardTest {
    private final Scoreboard board = new Scoreboard(List.of(
            scenario("calm", null, Ending.FINISHES),
            scenario(
                    "spiky",
                    new Fault("a bad batch", 100, Set.of("loss_spike"), 10, Set.of("exploding_gradient")),
                    Ending.FINISHES),
            scenario("dead", new Fault("silence", 50, Set.of("stalled_run"), 0, Set.of()), Ending.IS_KILLED)));

    private static Scenario scenario(String name, Fault fault, Ending ending) {
        return new Scenario(name, "a story", fault, ending, 10, seed -> {
            throw new UnsupportedOperationException();
        });
    }

    private static Alert alert(
            String run, String detector, Severity severity, AlertState state, long opened, long last) {
        Alert alert = new Alert();
        alert.setRunId(run);
        alert.setDetector(detector);
        alert.setSeverity(severity);
        alert.setState(state);
        alert.setOpenedStep(opened);
        alert.setLastStep(last);
        alert.setMessage("loss 27.2, usually 1.0");
        return alert;
    }

    private static Alert warning(String run, String detector, long step) {
        return alert(run, detector, Severity.warning, AlertState.firing, step, step);
    }

    private void everyFaultIsFound() {
        board.faultReached("spiky", 1_000);
        board.faultReached("dead", 2_000);
        board.raised(warning("spiky", "loss_spike", 102), 1_500);
        board.raised(warning("dead", "stalled_run", 48), 62_000);
    }

    @Test
    void every_fault_found_and_the_healthy_run_quiet_is_a_pass() {
        everyFaultIsFound();
        assertThat(board.missing()).isEmpty();
        assertThat(board.passed()).isTrue();
        assertThat(board.allFound()).isTrue();
        assertThat(board.falseAlarms()).isEmpty();
    }

    @Test
    void what_is_not_raised_is_missing() {
        assertThat(board.missing())
                .containsExactly(
                        "spiky: a bad batch was not raised by loss_spike within 10 steps",
                        "dead: silence was not raised by stalled_run");
        assertThat(board.allFound()).isFalse();
    }

    @Test
    void an_alarm_about_a_healthy_run_is_a_failure() {
        everyFaultIsFound();
        board.raised(warning("calm", "loss_plateau", 1_200), 9_000);
        assertThat(board.missing()).containsExactly("calm is healthy, but loss_plateau (1200, warning) was raised");
        assertThat(board.falseAlarms()).containsExactly("calm: loss_plateau (1200, warning)");
    }

    @Test
    void an_info_is_neither_an_alarm_nor_a_finding() {
        board.raised(alert("calm", "loss_spike", Severity.info, AlertState.firing, 70, 70), 0);
        board.raised(alert("spiky", "loss_spike", Severity.info, AlertState.firing, 102, 102), 0);
        assertThat(board.falseAlarms()).isEmpty();
        assertThat(board.missing()).hasSize(2);
    }

    @Test
    void an_episode_that_becomes_a_warning_later_is_found_then() {
        board.raised(alert("spiky", "loss_spike", Severity.info, AlertState.firing, 101, 101), 0);
        board.raised(alert("spiky", "loss_spike", Severity.warning, AlertState.updated, 101, 107), 0);
        assertThat(board.table(Ink.PLAIN)).contains("loss_spike (107, warning)").contains("7 steps");
    }

    @Test
    void a_consequence_is_no_false_alarm_after_the_fault_and_is_one_before() {
        board.raised(warning("spiky", "exploding_gradient", 101), 0);
        assertThat(board.falseAlarms()).isEmpty();
        board.raised(warning("spiky", "exploding_gradient", 99), 0);
        assertThat(board.falseAlarms()).containsExactly("spiky: exploding_gradient (99, warning)");
    }

    @Test
    void the_right_detector_too_early_is_a_false_alarm_and_too_late_is_no_finding() {
        board.raised(warning("spiky", "loss_spike", 99), 0);
        board.raised(warning("spiky", "loss_spike", 111), 0);
        assertThat(board.falseAlarms()).containsExactly("spiky: loss_spike (99, warning)");
        assertThat(board.missing()).anyMatch(line -> line.startsWith("spiky"));
    }

    @Test
    void silence_counts_from_the_moment_it_began() {
        board.raised(warning("dead", "stalled_run", 48), 1_000);
        assertThat(board.falseAlarms()).containsExactly("dead: stalled_run (48, warning)");
        board.faultReached("dead", 2_000);
        board.raised(warning("dead", "stalled_run", 49), 64_500);
        assertThat(board.missing()).noneMatch(line -> line.startsWith("dead"));
        assertThat(board.table(Ink.PLAIN)).contains("62.5 s");
    }

    @Test
    void resolving_and_runs_of_others_change_nothing() {
        board.raised(alert("calm", "loss_spike", Severity.warning, AlertState.resolved, 70, 90), 0);
        board.raised(warning("stranger", "loss_spike", 70), 0);
        assertThat(board.falseAlarms()).isEmpty();
    }

    @Test
    void the_table_fits_a_terminal_of_120_columns_even_with_the_longest_of_the_real_scenarios() {
        Scoreboard real = new Scoreboard(Scenarios.all());
        for (Scenario scenario : Scenarios.all()) {
            real.faultReached(scenario.name(), 0);
            Scenario.Fault fault = scenario.fault();
            String detector = fault == null
                    ? "train_val_divergence"
                    : fault.foundBy().iterator().next();
            long step = fault == null ? 2_999 : fault.step() + fault.withinSteps();
            Alert alert = alert(scenario.name(), detector, Severity.critical, AlertState.firing, step, step);
            alert.setMessage("x".repeat(500) + "\n\u001b[31m");
            real.raised(alert, 70_000);
        }
        assertThat(real.allFound()).isTrue();
        assertThat(real.table(Ink.PLAIN).lines())
                .allSatisfy(
                        line -> assertThat(line).hasSizeLessThanOrEqualTo(120).doesNotContain("\u001b"));
    }

    @Test
    void the_table_reads_like_this() {
        everyFaultIsFound();
        assertThat(board.table(Ink.PLAIN).lines().map(String::stripTrailing))
                .containsExactly(
                        "       run                       planted (at step)            detected (at step, severity)          delay",
                        "quiet  calm                      nothing                      -                                     -",
                        "found  spiky                     a bad batch (100)            loss_spike (102, warning)             2 steps, 0.5 s",
                        "       loss 27.2, usually 1.0",
                        "found  dead                      silence (50)                 stalled_run (48, warning)             60.0 s",
                        "       loss 27.2, usually 1.0");
    }
}
