package io.trainwatch.monitor.diagnose;

import static org.assertj.core.api.Assertions.assertThat;

import io.trainwatch.alert.Alert;
import io.trainwatch.alert.Cause;
import io.trainwatch.alert.Severity;
import io.trainwatch.event.FinishStatus;
import io.trainwatch.monitor.Judging;
import io.trainwatch.monitor.RunStream;
import io.trainwatch.monitor.detect.Detector;
import io.trainwatch.monitor.detect.DetectorCatalogue;
import io.trainwatch.monitor.run.RunState;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;

final class DiagnosisTest {

    @Test
    void a_schedule_that_was_over_early_is_not_annealing_when_the_run_ends() {
        Alert alert = last(
                "loss_plateau",
                run -> run.started(declared -> declared.setMaxSteps(4000L))
                        .learningRate(step -> step < 1000 ? 1e-3 : 0)
                        .loss(step -> 1.5 + 3 * Math.pow(Math.min(step, 1000) + 10.0, -0.35) + run.noise(0.02))
                        .steps(4000)
                        .finished(FinishStatus.completed));

        assertThat(ids(alert)).startsWith("schedule_ended").doesNotContain("annealing_finished");
    }

    @Test
    void a_gradient_that_grew_before_the_nan_speaks_for_the_learning_rate() {
        Alert alert = last(
                "non_finite_loss",
                run -> run.started(declared -> declared.setOptimizer("adam"))
                        .learningRate(step -> 0.02)
                        .gradNorm(step -> step < 280 ? 1 : Math.pow(2, (double) (step - 280)))
                        .steps(299)
                        .gradNorm(step -> Double.NaN)
                        .step(Double.NaN));

        Cause first = alert.getCauses().get(0);
        assertThat(first.getId()).isEqualTo("learning_rate_too_high");
        assertThat(first.getWhy())
                .anySatisfy(why -> assertThat(why).startsWith("the gradient norm grew"))
                .anySatisfy(why -> assertThat(why).isEqualTo("a learning rate of 0.02 is large for adam"));
        assertThat(first.getFix())
                .contains("Lower the learning rate of 0.02: to 0.002 for a new run, to 0.006667 in the middle of one.");
    }

    @Test
    void a_nan_out_of_nowhere_after_a_calm_gradient_speaks_for_an_undefined_operation() {
        Alert alert = last(
                "non_finite_loss", run -> run.gradNorm(step -> 1).steps(299).step(Double.NaN));

        assertThat(ids(alert)).startsWith("undefined_operation");
        assertThat(alert.getCauses().get(0).getWhy())
                .containsExactly("the gradient norm did not grow before step 300", "nothing moved before step 300");
    }

    @Test
    void a_gradient_that_fails_before_the_loss_does_names_the_step_of_each() {
        Alert alert = last(
                "non_finite_loss",
                run -> run.gradNorm(step -> 1)
                        .steps(299)
                        .gradNorm(step -> Double.NaN)
                        .steps(1)
                        .step(Double.NaN));

        assertThat(alert.getCauses().get(0).getWhy())
                .contains("the gradient was not finite at step 300, the loss only at step 301");
    }

    @Test
    void a_checkpoint_from_before_the_onset_is_where_to_go_back_to() {
        Alert alert = last(
                "non_finite_loss",
                run -> run.gradNorm(step -> 1)
                        .steps(200)
                        .checkpointSaved("s3://bucket/step-200")
                        .steps(99)
                        .step(Double.NaN));

        assertThat(alert.getCauses().get(0).getFix()).contains("Go back to s3://bucket/step-200 (step 200).");
    }

    @Test
    void advice_that_needs_a_checkpoint_is_not_given_where_there_is_none() {
        Alert alert = last(
                "non_finite_loss", run -> run.gradNorm(step -> 1).steps(299).step(Double.NaN));

        for (Cause cause : alert.getCauses()) {
            assertThat(cause.getFix()).noneMatch(line -> line.contains("{") || line.contains("Go back"));
        }
    }

    @Test
    void a_loss_that_jumps_at_once_is_a_bad_batch() {
        Alert alert = last("loss_spike", run -> run.steps(300).step(9).step(9).steps(20));

        assertThat(ids(alert)).startsWith("bad_batch");
    }

    @Test
    void a_spike_behind_a_declared_change_is_another_part_of_the_data() {
        Alert alert = last(
                "loss_spike",
                run -> run.steps(300)
                        .phaseChanged("data mix")
                        .steps(3)
                        .step(9)
                        .step(9)
                        .steps(20));

        assertThat(ids(alert)).startsWith("data_switch");
        assertThat(alert.getCauses().get(0).getWhy()).contains("the trainer declared a change at step 300");
    }

    @Test
    void a_spike_right_after_a_resume_is_a_state_that_was_not_restored() {
        Alert alert = last(
                "loss_spike",
                run -> run.steps(400).restartAt(400).steps(5).step(9).step(9).steps(20));

        assertThat(ids(alert)).startsWith("state_not_restored");
    }

    @Test
    void a_learning_rate_that_is_gone_explains_a_plateau() {
        Alert alert = last(
                "loss_plateau",
                run -> run.learningRate(step -> step < 300 ? 1e-3 : 0)
                        .loss(step -> 0.5 + 2 * Math.exp(-(double) Math.min(step, 300) / 200.0) + run.noise(0.02))
                        .steps(3000));

        assertThat(ids(alert)).startsWith("schedule_ended");
    }

    @Test
    void a_process_whose_heartbeats_go_on_hangs_and_one_whose_heartbeats_stopped_is_gone() {
        Alert hang = last("stalled_run", run -> {
            run.steps(100);
            for (int i = 0; i < 7; i++) {
                run.heartbeat("train").silence(9);
            }
        });
        assertThat(ids(hang)).startsWith("deadlock");

        Alert lost =
                last("stalled_run", run -> run.steps(100).heartbeat("train").silence(70));
        assertThat(ids(lost)).startsWith("process_gone");
    }

    @Test
    void what_began_later_is_a_consequence_and_no_cause() {
        Finding nan = new Finding("non_finite_loss", "", Severity.critical, 100, 100, "loss is NaN", null);
        Finding later = new Finding("non_finite_input", "", Severity.critical, 200, 200, "input is NaN", null);
        Finding earlier = new Finding("non_finite_input", "", Severity.critical, 99, 99, "input is NaN", null);
        RunState run = new RunState("run");
        Judging.moments("run", stream -> stream.steps(300)).forEach(moment -> {
            if (moment.event() != null) {
                run.accept(moment.event(), moment.atMs());
            }
        });

        assertThat(Diagnosis.of(nan, List.of(later), run).get(0).getId()).isNotEqualTo("non_finite_input_batch");
        assertThat(Diagnosis.of(nan, List.of(earlier), run).get(0).getId()).isEqualTo("non_finite_input_batch");
    }

    @Test
    void dead_units_explain_a_run_that_learned_nothing_from_its_first_step() {
        Finding flat = new Finding("not_learning", "", Severity.warning, 1, 500, "nothing was learned", null);
        Finding dead = new Finding("dead_units", "", Severity.critical, 20, 60, "all units are dead", null);

        assertThat(Diagnosis.of(flat, List.of(dead), new RunState("run")).get(0).getId())
                .isEqualTo("dead_units");
    }

    @Test
    void every_detector_has_a_cause_and_every_clue_has_a_source() {
        Set<String> detectors = new HashSet<>();
        for (Detector<?> detector : DetectorCatalogue.defaults()) {
            detectors.add(detector.name());
        }
        Set<String> explained = new HashSet<>();
        Set<String> ids = new HashSet<>();
        for (CauseRule rule : CauseCatalogue.RULES) {
            assertThat(ids.add(rule.id())).as(rule.id() + " is there once").isTrue();
            assertThat(rule.fixes()).as("fixes of " + rule.id()).isNotEmpty();
            explained.addAll(rule.explains().keySet());
            assertThat(detectors)
                    .as("explained by " + rule.id())
                    .containsAll(rule.explains().keySet());
            for (String clue : rule.clues().keySet()) {
                assertThat(detectors.contains(clue) || Facts.names().contains(clue))
                        .as("clue " + clue + " of " + rule.id())
                        .isTrue();
            }
        }
        assertThat(explained).containsExactlyInAnyOrderElementsOf(detectors);
    }

    private static List<String> ids(Alert alert) {
        return alert.getCauses().stream().map(Cause::getId).toList();
    }

    private static Alert last(String detector, Consumer<RunStream> scenario) {
        List<Alert> changes = Judging.of(scenario::accept).changes().stream()
                .filter(alert ->
                        alert.getDetector().equals(detector) && alert.getScope().isEmpty())
                .toList();
        assertThat(changes).as("changes of " + detector).isNotEmpty();
        return changes.get(changes.size() - 1);
    }
}
