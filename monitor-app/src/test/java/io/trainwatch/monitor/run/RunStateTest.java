package io.trainwatch.monitor.run;

import static org.assertj.core.api.Assertions.assertThat;

import io.trainwatch.event.CheckpointSaved;
import io.trainwatch.event.EvaluationCompleted;
import io.trainwatch.event.FinishStatus;
import io.trainwatch.event.Heartbeat;
import io.trainwatch.event.PhaseChanged;
import io.trainwatch.event.RunFinished;
import io.trainwatch.event.RunStarted;
import io.trainwatch.event.StepCompleted;
import io.trainwatch.event.TrainingEvent;
import io.trainwatch.monitor.run.Checkpoints.Checkpoint;
import io.trainwatch.monitor.stats.RoundTrip;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

final class RunStateTest {
    private final RunState run = new RunState("run");

    @Test
    void a_run_that_goes_forward_is_one_segment() {
        steps(10, 300);

        assertThat(run.firstStep()).isEqualTo(10);
        assertThat(run.lastStep()).isEqualTo(300);
        assertThat(run.highestStep()).isEqualTo(300);
        assertThat(run.stepsSeen()).isEqualTo(290);
        assertThat(run.stepEvents()).isEqualTo(291);
        assertThat(run.eventNumber()).isEqualTo(291);
        assertThat(run.segmentStart()).isEqualTo(10);
        assertThat(run.segmentOpened()).isFalse();
        assertThat(run.redoing()).isFalse();
        assertThat(run.gates().upwardMove()).isNull();
    }

    @Test
    void a_trainer_that_names_no_step_counts_its_events() {
        run.accept(Events.of(new StepCompleted()), 0);
        assertThat(run.lastStep()).isZero();
        run.accept(Events.of(new StepCompleted()), 0);

        assertThat(run.lastStep()).isEqualTo(1);
        assertThat(run.segmentOpened()).isFalse();
    }

    @Test
    void two_events_of_one_step_are_no_way_back() {
        steps(0, 200);
        run.accept(Events.learningRate(200, 0.1), 0);

        assertThat(run.segmentOpened()).isFalse();
        assertThat(run.gates().upwardMove()).isNull();
    }

    @Test
    void a_step_that_goes_back_opens_a_segment_and_is_redone_until_the_largest_is_reached() {
        steps(0, 1000);
        accept(Events.loss(100, 1));

        assertThat(run.segmentOpened()).isTrue();
        assertThat(run.segmentStart()).isEqualTo(100);
        assertThat(run.redoing()).isTrue();
        assertThat(run.firstStep()).isZero();
        assertThat(run.loss().buckets().closed()).isEqualTo(3);
        assertThat(run.gates().upwardMove()).isEqualTo(Gates.RESUME);

        steps(101, 999);
        assertThat(run.segmentOpened()).isFalse();
        assertThat(run.redoing()).isTrue();
        steps(1000, 1000);
        assertThat(run.redoing()).isFalse();
        assertThat(run.loss().trusted()).isTrue();
    }

    @Test
    void a_run_that_begins_anew_before_its_first_step_begins_there() {
        steps(5000, 6000);
        steps(0, 200);

        assertThat(run.firstStep()).isZero();
        assertThat(run.stepsSeen()).isEqualTo(200);
        assertThat(run.loss().firstStep()).isZero();
    }

    @Test
    void a_new_attempt_opens_a_segment_and_forgets_nothing_before_it_goes_back() {
        steps(0, 1000);
        int closed = run.loss().buckets().closed();
        accept(Events.ofAttempt(1, Events.of(new RunStarted())));

        assertThat(run.attempt()).isEqualTo(1);
        assertThat(run.segmentOpened()).isTrue();
        assertThat(run.segmentStart()).isEqualTo(1001);
        assertThat(run.loss().buckets().closed()).isEqualTo(closed);

        accept(Events.ofAttempt(1, Events.loss(500, 1)));
        assertThat(run.segmentStart()).isEqualTo(500);
        assertThat(run.loss().buckets().closed()).isLessThan(closed);
    }

    @Test
    void an_event_that_came_before_changes_nothing() {
        accept(Events.numbered("s", 1, Events.loss(0, 1)));
        byte[] before = RoundTrip.bytes(run.loss());

        assertThat(run.accept(Events.numbered("s", 1, Events.loss(0, 1)), 99)).isFalse();

        assertThat(run.duplicates()).isEqualTo(1);
        assertThat(run.eventNumber()).isEqualTo(1);
        assertThat(run.lastArrivalMs()).isZero();
        assertThat(RoundTrip.bytes(run.loss())).isEqualTo(before);
    }

    @Test
    void ranks_that_arrive_in_batches_are_neither_a_way_back_nor_points_of_a_series() {
        for (int batch = 0; batch < 20; batch++) {
            for (int rank : new int[] {3, 0, 1, 2}) {
                for (int i = 0; i < 50; i++) {
                    accept(Events.ofRank(rank, Events.loss(50 * batch + i, rank)));
                    assertThat(run.segmentOpened()).isFalse();
                }
            }
        }

        assertThat(run.gates().upwardMove()).isNull();
        assertThat(run.stepEvents()).isEqualTo(4000);
        assertThat(run.lastStep()).isEqualTo(999);
        assertThat(run.loss().points()).isEqualTo(1000);
        assertThat(run.loss().median()).isZero();
    }

    @Test
    void a_run_whose_steps_come_from_its_last_rank_alone_has_series() {
        for (int step = 1; step <= 100; step++) {
            accept(Events.ofRank(7, Events.loss(step, step)));
            assertThat(run.reporting()).isTrue();
        }
        accept(Events.ofRank(7, Events.of(new Heartbeat())));

        assertThat(run.reporting()).isFalse();
        assertThat(run.reportingRank()).isEqualTo(7);
        assertThat(run.lastStep()).isEqualTo(100);
        assertThat(run.loss().points()).isEqualTo(100);
    }

    @Test
    void the_lowest_rank_takes_over_at_the_step_after_the_last_one() {
        for (int step = 1; step <= 50; step++) {
            accept(Events.ofRank(5, Events.loss(step, 5)));
        }
        for (int step = 1; step <= 60; step++) {
            accept(Events.ofRank(2, Events.loss(step, 2)));
            assertThat(run.reporting()).isEqualTo(step > 50);
        }
        accept(Events.ofRank(5, Events.loss(61, 5)));

        assertThat(run.reportingRank()).isEqualTo(2);
        assertThat(run.segmentStart()).isEqualTo(1);
        assertThat(run.lastStep()).isEqualTo(60);
        assertThat(run.loss().points()).isEqualTo(60);
    }

    @Test
    void a_rank_that_has_the_loss_reports_for_lower_ones_that_have_none() {
        accept(Events.learningRate(1, 0.1));
        assertThat(run.reportingRank()).isZero();
        accept(Events.ofRank(3, Events.loss(1, 1)));
        accept(Events.ofRank(3, Events.loss(2, 1)));
        accept(Events.learningRate(3, 0.1));

        assertThat(run.reportingRank()).isEqualTo(3);
        assertThat(run.lastStep()).isEqualTo(2);
    }

    @Test
    void a_new_attempt_may_report_from_another_rank() {
        steps(0, 100);
        accept(Events.ofAttempt(1, Events.ofRank(3, Events.loss(50, 1))));
        accept(Events.ofRank(1, Events.loss(101, 1)));

        assertThat(run.reportingRank()).isEqualTo(3);
        assertThat(run.segmentStart()).isEqualTo(50);
        assertThat(run.lastStep()).isEqualTo(50);
    }

    @Test
    void a_step_number_gone_wrong_on_another_rank_does_not_silence_the_run() {
        accept(Events.ofRank(1, Events.loss(Long.MAX_VALUE, 1)));
        steps(1, RunState.MAX_BEHIND);
        assertThat(run.loss().points()).isEqualTo(1);
        steps(RunState.MAX_BEHIND + 1, RunState.MAX_BEHIND + 9);

        assertThat(run.lastStep()).isEqualTo(RunState.MAX_BEHIND + 9);
        assertThat(run.loss().points()).isEqualTo(10);
    }

    @Test
    void a_negative_rank_makes_no_series() {
        accept(Events.ofRank(Integer.MIN_VALUE, Events.loss(1, 1)));
        accept(Events.ofRank(-1, Events.loss(1, 1)));
        accept(Events.ofRank(Integer.MAX_VALUE, Events.loss(1, 1)));

        assertThat(run.reportingRank()).isEqualTo(Integer.MAX_VALUE);
        assertThat(run.loss().points()).isEqualTo(1);
    }

    @Test
    void a_series_is_fresh_in_the_event_that_carried_a_point_of_it() {
        accept(Events.loss(0, 1));
        assertThat(run.loss().isFresh(run)).isTrue();
        assertThat(run.gradNorm().isFresh(run)).isFalse();
        accept(Events.of(new Heartbeat()));

        assertThat(run.loss().isFresh(run)).isFalse();
    }

    @Test
    void every_number_of_a_step_finds_its_series() {
        StepCompleted body = new StepCompleted();
        body.setLoss(1.0);
        body.setGradNorm(2.0);
        body.setLearningRate(0.1);
        body.setStepTimeSeconds(0.5);
        body.setLosses(Map.of("box", 3.0));
        body.setMetrics(Map.of("accuracy", 0.9));
        accept(Events.at(1, body));

        assertThat(run.series().keySet())
                .containsExactly(
                        "loss", "grad_norm", "learning_rate", "step_time_seconds", "losses/box", "metrics/accuracy");
        assertThat(run.losses()).extracting(Series::name).containsExactly("loss", "losses/box");
        assertThat(run.series("losses/box").last()).isEqualTo(3);
        assertThat(run.series("none")).isNull();
    }

    @Test
    void the_gradient_of_a_skipped_optimizer_step_is_no_point() {
        StepCompleted body = new StepCompleted();
        body.setGradNorm(Double.POSITIVE_INFINITY);
        body.setOptimizerStepSkipped(true);
        accept(Events.at(1, body));

        assertThat(run.gradNorm().points()).isZero();
    }

    @Test
    void an_evaluation_is_named_by_its_dataset_split_and_slice() {
        EvaluationCompleted body = new EvaluationCompleted();
        assertThat(RunState.evaluationScope(body)).isEqualTo("val");
        body.setSplit("test");
        assertThat(RunState.evaluationScope(body)).isEqualTo("test");
        body.setDataset("c4");
        body.setSlice("long");
        assertThat(RunState.evaluationScope(body)).isEqualTo("c4/long");

        assertThat(run.evaluationLossKnown()).isFalse();
        body.setMetrics(Map.of("loss", Double.NaN));
        accept(Events.at(1, body));

        assertThat(run.evaluationLossKnown()).isTrue();
        assertThat(run.evaluationLoss()).isNaN();
        assertThat(run.series("c4/long/loss").kind()).isEqualTo(Series.Kind.SHOWN);
    }

    @Test
    void a_name_that_a_series_of_another_kind_has_is_refused() {
        StepCompleted step = new StepCompleted();
        step.setLosses(Map.of("box", 3.0));
        accept(Events.at(1, step));
        EvaluationCompleted evaluation = new EvaluationCompleted();
        evaluation.setDataset("losses");
        evaluation.setMetrics(Map.of("box", 99.0));
        accept(Events.at(1, evaluation));

        assertThat(run.series("losses/box").last()).isEqualTo(3);
        assertThat(run.refusedNames()).isEqualTo(1);
    }

    @Test
    void a_hundred_thousand_metric_names_fill_the_64_series_and_the_rest_is_counted() {
        Map<String, Double> metrics = new HashMap<>();
        for (int i = 0; i < 100_000; i++) {
            metrics.put("m" + i, 1.0);
        }
        StepCompleted body = new StepCompleted();
        body.setLoss(1.0);
        body.setMetrics(metrics);
        accept(Events.at(1, body));

        assertThat(run.series()).hasSize(RunState.MAX_SERIES);
        assertThat(run.refusedNames()).isEqualTo(100_000 - (RunState.MAX_SERIES - 4));
        assertThat(run.loss().points()).isEqualTo(1);
        assertThat(RoundTrip.bytes(run)).hasSizeLessThan(10_000);
    }

    @Test
    void a_name_of_more_than_128_characters_is_refused() {
        StepCompleted body = new StepCompleted();
        body.setMetrics(Map.of("x".repeat(128 - "metrics/".length()), 1.0, "x".repeat(129), 1.0));
        accept(Events.at(1, body));

        assertThat(run.series()).hasSize(5);
        assertThat(run.refusedNames()).isEqualTo(1);
    }

    @Test
    void a_finished_run_goes_on_with_the_next_step_of_rank_0_alone() {
        steps(0, 10);
        RunFinished finished = new RunFinished();
        finished.setStatus(FinishStatus.completed);
        accept(Events.at(10, finished));
        assertThat(run.finished()).isTrue();
        assertThat(run.finish()).isEqualTo(FinishStatus.completed);

        accept(Events.ofRank(1, Events.loss(10, 1)));
        assertThat(run.finished()).isTrue();
        accept(Events.loss(11, 1));
        assertThat(run.finished()).isFalse();
    }

    @Test
    void a_checkpoint_is_known_by_its_path_and_step() {
        assertThat(run.checkpoints().before(Long.MAX_VALUE)).isNull();
        steps(0, 10);
        CheckpointSaved saved = new CheckpointSaved();
        saved.setPath("s3://b/" + "x".repeat(100_000));
        accept(Events.of(saved));

        Checkpoint checkpoint = run.checkpoints().before(11);
        assertThat(checkpoint.path()).startsWith("s3://b/x").hasSize(Checkpoints.MAX_PATH);
        assertThat(checkpoint.step()).isEqualTo(10);
        assertThat(run.checkpoints().before(10)).isNull();
    }

    @Test
    void of_many_checkpoints_the_latest_before_a_step_is_found_among_the_latest_sixteen() {
        for (int i = 1; i <= 20; i++) {
            steps(10L * (i - 1), 10L * i);
            accept(Events.of(new CheckpointSaved()));
        }

        assertThat(run.checkpoints().before(120)).isEqualTo(new Checkpoint(110, null));
        assertThat(run.checkpoints().before(41)).isNull();
    }

    @Test
    void phases_dropped_events_and_times_are_kept() {
        accept(Events.numbered("s", 1, Events.of(new PhaseChanged())));
        Heartbeat heartbeat = new Heartbeat();
        heartbeat.setDroppedEvents(7L);
        TrainingEvent earlier = Events.numbered("s", 2, Events.of(heartbeat));
        earlier.setTimestampMs(5);
        run.accept(earlier, 42);

        assertThat(run.phase()).isEqualTo(1);
        assertThat(run.droppedByTrainer()).isEqualTo(7);
        assertThat(run.missingEvents()).isZero();
        assertThat(run.startedAtMs()).isEqualTo(1_763_760_000_000L);
        assertThat(run.lastEventAtMs()).isEqualTo(1_763_760_000_000L);
        assertThat(run.lastArrivalMs()).isEqualTo(42);
    }

    @Test
    void the_largest_and_the_smallest_step_there_is_do_no_harm() {
        for (long step : new long[] {0, Long.MAX_VALUE, Long.MIN_VALUE, -1, 5}) {
            accept(Events.loss(step, 1));
        }

        assertThat(run.lastStep()).isEqualTo(5);
        assertThat(run.loss().points()).isEqualTo(5);
    }

    @Test
    void a_run_that_is_read_back_in_its_middle_continues_as_if_nothing_had_been() {
        SplittableRandom random = new SplittableRandom(1);
        RunState restored = new RunState("run");
        for (int i = 0; i < 4000; i++) {
            if (i % 371 == 0) {
                // Into a state that has seen other things, which must leave no trace.
                RunState other = new RunState("run");
                StepCompleted body = new StepCompleted();
                body.setLosses(Map.of("other", 1.0));
                other.accept(Events.at(9, body), 3);
                restored = RoundTrip.copy(run, other);
            }
            TrainingEvent event = randomEvent(random, i);
            assertThat(restored.accept(event, i)).isEqualTo(run.accept(event, i));
            assertThat(seen(restored)).isEqualTo(seen(run));
        }

        assertThat(run.missingEvents()).isPositive();
        assertThat(RoundTrip.bytes(restored)).isEqualTo(RoundTrip.bytes(run));
    }

    private static TrainingEvent randomEvent(SplittableRandom random, int i) {
        long step = i % 1000 < 900 ? i : i - 300;
        Object body = switch (random.nextInt(30)) {
            case 0 -> new PhaseChanged();
            case 1 -> new RunStarted();
            case 2 -> new CheckpointSaved();
            case 3 -> {
                EvaluationCompleted evaluation = new EvaluationCompleted();
                evaluation.setMetrics(Map.of("loss", random.nextDouble()));
                yield evaluation;
            }
            case 4 -> {
                RunFinished finished = new RunFinished();
                finished.setStatus(FinishStatus.failed);
                yield finished;
            }
            default -> {
                StepCompleted completed = new StepCompleted();
                completed.setLoss(random.nextInt(50) == 0 ? Double.NaN : 2 + random.nextGaussian());
                completed.setLosses(Map.of("part", random.nextGaussian()));
                if (random.nextBoolean()) {
                    completed.setGradNorm(Math.exp(random.nextGaussian()));
                    completed.setLearningRate(random.nextInt(1, 20) / 1000.0);
                }
                yield completed;
            }
        };
        TrainingEvent event = Events.numbered("s" + i / 1500, i + random.nextInt(3), Events.at(step, body));
        event.setAttempt(i / 1500);
        event.setRank(random.nextInt(8) == 0 ? 1 : i < 500 ? 2 : 0);
        return event;
    }

    /** What a detector may read of the run. */
    private static List<Object> seen(RunState run) {
        return List.of(
                run.eventNumber(),
                run.lastStep(),
                run.reportingRank(),
                run.firstStep(),
                run.redoing(),
                run.segmentOpened(),
                run.segmentStart(),
                String.valueOf(run.gates().upwardMove()),
                String.valueOf(run.gates().flatLoss(run)),
                run.gates().learningRateStillRising(),
                run.losses().stream().map(RunStateTest::seen).toList(),
                seen(run.gradNorm()),
                run.missingEvents(),
                run.pendingEvents(),
                run.finished());
    }

    private static List<Object> seen(Series series) {
        return List.of(
                series.name(),
                series.points(),
                series.last(),
                series.score(),
                series.median(),
                series.scale(),
                series.smallest(),
                series.trusted(),
                series.t5(),
                series.t8(),
                series.initial());
    }

    private void accept(TrainingEvent event) {
        assertThat(run.accept(event, 0)).isTrue();
    }

    private void steps(long from, long to) {
        for (long step = from; step <= to; step++) {
            accept(Events.loss(step, 1));
        }
    }
}
