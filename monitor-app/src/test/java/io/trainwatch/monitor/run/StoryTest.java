package io.trainwatch.monitor.run;

import static org.assertj.core.api.Assertions.assertThat;

import io.trainwatch.event.Change;
import io.trainwatch.event.CheckpointSaved;
import io.trainwatch.event.EvaluationCompleted;
import io.trainwatch.event.FinishStatus;
import io.trainwatch.event.PhaseChanged;
import io.trainwatch.event.RunFinished;
import io.trainwatch.event.RunStarted;
import io.trainwatch.event.TrainingEvent;
import io.trainwatch.monitor.run.Milestone.Kind;
import io.trainwatch.monitor.stats.RoundTrip;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class StoryTest {
    private final RunState run = new RunState("run");

    private void accept(TrainingEvent... events) {
        for (TrainingEvent event : events) {
            run.accept(event, event.getTimestampMs());
        }
    }

    private List<String> told() {
        return run.story().milestones().stream()
                .map(one -> one.step() + " " + one.kind().label() + " " + one.text())
                .toList();
    }

    private static TrainingEvent started(String model) {
        RunStarted body = new RunStarted();
        body.setModelName(model);
        body.setOptimizer("adam");
        body.setLearningRatePeak(0.001);
        body.setMaxSteps(90_000L);
        return Events.of(body);
    }

    private static TrainingEvent finished(FinishStatus status) {
        return Events.of(new RunFinished(status, null, null, null, null, null));
    }

    private static TrainingEvent evaluated(long step, double loss) {
        EvaluationCompleted body = new EvaluationCompleted();
        body.setMetrics(Map.of("loss", loss));
        return Events.at(step, body);
    }

    private static TrainingEvent saved(long step, String path) {
        CheckpointSaved body = new CheckpointSaved();
        body.setPath(path);
        return Events.at(step, body);
    }

    private static TrainingEvent phase(long step, String reason) {
        PhaseChanged body = new PhaseChanged();
        body.setReason(reason);
        body.setChanged(Map.of("sequence_length", new Change("512", "1024")));
        return Events.at(step, body);
    }

    @Test
    void steps_alone_are_no_story_but_its_beginning() {
        for (long step = 1; step <= 1000; step++) {
            accept(Events.loss(step, 1));
        }

        assertThat(told()).containsExactly("1 started ");
        assertThat(run.story().forgotten()).isZero();
    }

    @Test
    void what_every_rank_tells_is_there_once() {
        for (int rank = 0; rank < 8; rank++) {
            accept(Events.ofRank(rank, started("resnet")));
        }
        accept(Events.loss(1, 1));
        for (int rank = 0; rank < 8; rank++) {
            accept(
                    Events.ofRank(rank, phase(1, "longer")),
                    Events.ofRank(rank, saved(1, "a")),
                    Events.ofRank(rank, finished(rank == 5 ? FinishStatus.failed : FinishStatus.completed)));
        }

        assertThat(told())
                .containsExactly(
                        "-1 started resnet, adam, learning rate 0.001, 90,000 steps planned",
                        "1 phase_changed longer, sequence_length 512 to 1024",
                        "1 checkpoint_saved a",
                        "1 finished failed");
    }

    @Test
    void of_checkpoints_there_are_the_first_and_the_latest_and_of_evaluations_the_best() {
        for (long step = 1; step <= 9; step++) {
            accept(Events.loss(step, 1), saved(step, "c" + step), evaluated(step, (double) Math.abs(step - 5)));
        }

        assertThat(told())
                .containsExactly(
                        "1 started ",
                        "1 checkpoint_saved c1",
                        "5 best_evaluation val/loss 0",
                        "9 checkpoint_saved the latest of 9: c9");
    }

    @Test
    void a_step_that_goes_back_and_a_new_attempt_are_told() {
        accept(Events.loss(1, 1), Events.loss(900, 1), Events.loss(801, 1));
        accept(Events.ofAttempt(1, Events.loss(802, 1)));

        assertThat(told()).containsExactly("1 started ", "801 resumed back from step 900 to step 801", "802 started ");
        assertThat(run.story().milestones().get(2).attempt()).isEqualTo(1);
    }

    @Test
    void of_too_many_the_oldest_of_the_least_weight_are_forgotten_and_counted() {
        accept(started("resnet"), saved(0, "first"));
        for (long i = 1; i <= 200; i++) {
            accept(Events.loss(i, 1), phase(i, "phase " + i));
        }
        accept(finished(FinishStatus.completed));

        assertThat(run.story().milestones()).hasSize(Story.CAPACITY);
        assertThat(run.story().milestones().get(0).kind()).isEqualTo(Kind.STARTED);
        assertThat(run.story().milestones().get(1).text()).startsWith("phase 107,");
        assertThat(run.story().milestones().get(Story.CAPACITY - 1).kind()).isEqualTo(Kind.FINISHED);
        assertThat(run.story().forgotten()).isEqualTo(203 - Story.CAPACITY);
    }

    @Test
    void hostile_text_is_cut() {
        accept(Events.loss(1, 1), saved(1, "x".repeat(100_000)), phase(1, "y".repeat(100_000)));

        assertThat(run.story().milestones())
                .allSatisfy(one -> assertThat(one.text()).hasSizeLessThanOrEqualTo(256));
    }

    @Test
    void a_restart_changes_nothing() {
        accept(started("resnet"), Events.loss(1, 1), saved(1, "a"), saved(2, "b"), evaluated(2, 2));
        RunState again = RoundTrip.copy(run, new RunState("run"));
        for (RunState one : List.of(run, again)) {
            one.accept(saved(3, "c"), 0);
            one.accept(evaluated(3, 3), 0);
            one.accept(evaluated(4, 1), 0);
        }

        assertThat(again.story().milestones()).isEqualTo(run.story().milestones());
        assertThat(told()).endsWith("3 checkpoint_saved the latest of 3: c", "4 best_evaluation val/loss 1");
    }
}
