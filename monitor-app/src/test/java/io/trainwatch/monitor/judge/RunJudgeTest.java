package io.trainwatch.monitor.judge;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.trainwatch.alert.Severity;
import io.trainwatch.event.FeatureSummary;
import io.trainwatch.event.FinishStatus;
import io.trainwatch.event.StepCompleted;
import io.trainwatch.event.TrainingEvent;
import io.trainwatch.monitor.Judging;
import io.trainwatch.monitor.RunStream;
import io.trainwatch.monitor.RunStream.Moment;
import io.trainwatch.monitor.RunStream.Scenario;
import io.trainwatch.monitor.detect.Detector;
import io.trainwatch.monitor.detect.DetectorCatalogue;
import io.trainwatch.monitor.detect.DetectorState;
import io.trainwatch.monitor.detect.Verdicts;
import io.trainwatch.monitor.run.RunView;
import io.trainwatch.monitor.stats.StateReader;
import io.trainwatch.monitor.stats.StateWriter;
import io.trainwatch.run.NotChecked;
import io.trainwatch.run.RunCondition;
import io.trainwatch.run.RunStatus;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

class RunJudgeTest {
    /** A long run in which most things happen, good and bad. */
    static final Scenario EVENTFUL = run -> {
        run.started(body -> {
            body.setProject("p");
            body.setRunName("n");
            body.setModelName("m");
            body.setMaxSteps(100_000L);
        });
        for (int epoch = 1; epoch <= 8; epoch++) {
            double val = 2 + 0.1 * Math.abs(epoch - 4);
            run.steps(250, (body, step) -> body.setLosses(Map.of("box", 1 + run.noise(0.1), "cls", 2.0)));
            run.evaluation(val).checkpointSaved("c").heartbeat("train");
            for (int i = 0; i < 6; i++) {
                FeatureSummary feature = new FeatureSummary();
                feature.setName("f");
                feature.setMean(epoch > 5 ? 2 : run.noise(0.1));
                feature.setStd(1 + run.noise(0.05));
                run.features(100, List.of(feature)).labels(Map.of("a", 50L, "b", 50L + (long) epoch * i));
            }
        }
        run.steps(20, (body, step) -> body.setLoss(body.getLoss() + 2)).lose(30).steps(300);
        run.silence(100).restartAt(1800).steps(400).phaseChanged("data_mix").steps(200);
        run.steps(10, (body, step) -> body.setGradNorm(1e4)).steps(100);
        run.loss(step -> Double.NaN).steps(100).finished(FinishStatus.failed);
    };

    @Test
    void equal_events_give_equal_alerts_with_and_without_restarts() {
        Judging once = Judging.of(EVENTFUL);
        assertThat(once.episodes())
                .extracting(Judging.Episode::detector)
                .contains("loss_spike", "feature_drift", "telemetry_gap", "stalled_run", "exploding_gradient")
                .contains("non_finite_loss", "train_val_divergence");
        assertThat(Judging.of(EVENTFUL).changes()).isEqualTo(once.changes());
        assertThat(Judging.restarting(97, EVENTFUL).changes()).isEqualTo(once.changes());
        assertThat(Judging.restarting(97, EVENTFUL).encoded()).isEqualTo(once.encoded());
    }

    @Test
    void an_event_that_came_before_changes_nothing() {
        Judging once = Judging.of(EVENTFUL);
        Judging twice = Judging.of(EVENTFUL);
        long events = twice.run().events();
        Judging.moments("run", EVENTFUL).forEach(moment -> {
            if (moment.event() != null) {
                twice.accept(moment);
            }
        });
        assertThat(twice.run().events()).isEqualTo(events);
        assertThat(twice.changes()).isEqualTo(once.changes());
    }

    @Test
    void a_million_steps_take_no_more_room_than_ten_thousand() {
        RunJudge judge = new RunJudge();
        JudgedRunCodec codec = new JudgedRunCodec(judge);
        JudgedRun run = judge.newRun("run");
        SplittableRandom random = new SplittableRandom(7);
        StepCompleted body = new StepCompleted();
        TrainingEvent event =
                Judging.moments("run", stream -> stream.steps(1)).get(0).event();
        event.setBody(body);
        int after10k = 0;
        for (long step = 1; step <= 1_000_000; step++) {
            event.setSeq(step);
            event.setStep(step);
            event.setTimestampMs(step);
            body.setLoss(2 + random.nextDouble());
            body.setGradNorm(1 + random.nextDouble());
            judge.judge(run, event, step);
            if (step == 10_000) {
                after10k = codec.encode(run).length;
            }
        }
        assertThat(run.events()).isEqualTo(1_000_000);
        assertThat(after10k).isLessThan(30_000);
        assertThat(codec.encode(run).length).isLessThan(after10k + 2_000);
    }

    @Test
    void what_a_hostile_trainer_names_is_bounded() {
        Judging judging = Judging.of(run -> {
            for (int i = 0; i < 500; i++) {
                String name = "\n".repeat(i % 3) + "x".repeat(i % 2 == 0 ? 10_000 : 10) + i;
                run.steps(1, (body, step) -> body.setLosses(Map.of(name, Double.NaN)));
                run.evaluation(Map.of("loss", Double.NaN, name, 1.0), body -> body.setDataset(name));
            }
        });
        assertThat(judging.encoded().length).isLessThan(300_000);
        assertThat(judging.changes()).isNotEmpty().allSatisfy(alert -> {
            assertThat(alert.getMessage()).hasSizeLessThanOrEqualTo(1000).doesNotContain("\n");
            assertThat(alert.getScope()).hasSizeLessThanOrEqualTo(128);
        });
    }

    @Test
    void the_status_says_where_the_run_is() {
        Judging judging = Judging.of(run -> {
            run.started(body -> {
                body.setProject("p");
                body.setMaxSteps(500L);
            });
            run.steps(99).step(Double.NaN).evaluation(1.25).lose(70).steps(1);
        });
        RunStatus status = new RunJudge().status(judging.run());
        assertThat(status.getRunId()).isEqualTo("run");
        assertThat(status.getProject()).isEqualTo("p");
        assertThat(status.getCondition()).isEqualTo(RunCondition.running);
        assertThat(status.getStartedAtMs()).isEqualTo(RunStream.BEGIN_MS + 1000);
        assertThat(status.getLastEventAtMs()).isEqualTo(RunStream.BEGIN_MS + 103_000);
        assertThat(status.getLastStep()).isEqualTo(101);
        assertThat(status.getMaxSteps()).isEqualTo(500);
        assertThat(status.getEvents()).isEqualTo(103);
        assertThat(status.getStepsJudged()).isEqualTo(101);
        assertThat(status.getMissing()).isEqualTo(7);
        assertThat(status.getLoss()).isBetween(1.5, 3.0);
        assertThat(status.getLearningRate()).isEqualTo(1e-3);
        assertThat(status.getEvalLoss()).isEqualTo(1.25);
        assertThat(status.getOpenAlerts()).containsEntry("non_finite_loss", "critical");
        assertThat(status.getNotChecked())
                .extracting(NotChecked::getDetector)
                .containsExactlyInAnyOrder(
                        "worse_than_reference",
                        "not_learning",
                        "loss_plateau",
                        "dead_units",
                        "saturated_units",
                        "vanishing_gradient",
                        "unchanged_weights",
                        "abnormal_weights",
                        "learning_rate_too_low",
                        "train_val_divergence",
                        "suspicious_validation",
                        "non_finite_input",
                        "abnormal_input",
                        "feature_drift",
                        "label_drift",
                        "prediction_collapse",
                        "prediction_drift",
                        "class_imbalance",
                        "metric_drift",
                        "metric_mismatch",
                        "preflight_failed",
                        "rank_desync",
                        "input_bottleneck",
                        "straggler_rank",
                        "throughput_drop",
                        "stalled_run");
    }

    @Test
    void a_run_of_which_nothing_came_is_all_not_checked() {
        RunJudge judge = new RunJudge();
        RunStatus status = judge.status(judge.newRun("r"));
        assertThat(status.getLastStep()).isNull();
        assertThat(status.getLoss()).isNull();
        assertThat(status.getNotChecked()).hasSameSizeAs(DetectorCatalogue.defaults());
    }

    @Test
    void the_condition_follows_silence_and_end() {
        RunJudge judge = new RunJudge();
        assertThat(judge.status(Judging.of(run -> run.steps(5).silence(70)).run())
                        .getCondition())
                .isEqualTo(RunCondition.silent);
        assertThat(judge.status(Judging.of(run -> run.steps(5).finished(FinishStatus.killed))
                                .run())
                        .getCondition())
                .isEqualTo(RunCondition.killed);
        assertThat(judge.status(Judging.of(run -> run.steps(5)
                                        .finished(FinishStatus.killed)
                                        .restartAt(2)
                                        .steps(1))
                                .run())
                        .getCondition())
                .isEqualTo(RunCondition.running);
    }

    @Test
    void the_end_of_the_run_ends_its_episodes() {
        Judging judging = Judging.of(EVENTFUL);
        assertThat(judging.episodes()).allMatch(Judging.Episode::resolved);
        assertThat(judging.only("non_finite_loss").last().getMessage())
                .endsWith("; still so when the run ended (failed)");
    }

    @Test
    void a_snapshot_holds_status_series_and_episodes() {
        RunSnapshot snapshot = new RunJudge().snapshot(Judging.of(EVENTFUL).run());
        assertThat(snapshot.series().keySet())
                .contains("loss", "grad_norm", "learning_rate", "losses/box", "losses/cls", "val/loss");
        assertThat(snapshot.series().get("loss").buckets()).hasSizeLessThanOrEqualTo(256);
        assertThat(snapshot.alerts()).hasSizeLessThanOrEqualTo(RunSnapshot.MAX_ALERTS);
        assertThat(snapshot.status().getCondition()).isEqualTo(RunCondition.failed);
    }

    @Test
    void a_detector_that_throws_is_reset_and_counted_and_the_others_go_on() {
        RunJudge judge =
                new RunJudge(List.of(new Fragile(), DetectorCatalogue.defaults().get(0)));
        JudgedRun run = judge.newRun("run");
        List<Moment> moments = Judging.moments("run", stream -> stream.steps(7).step(Double.NaN));
        long alerts = moments.stream()
                .mapToLong(moment ->
                        judge.judge(run, moment.event(), moment.atMs()).size())
                .sum();
        // Throws at the third event that it sees since it was new: at 3 and at 6.
        assertThat(run.detectorFailures()).isEqualTo(2);
        assertThat(alerts).isEqualTo(1);
        assertThat(judge.tick(run, 0)).isEmpty();
        assertThat(run.detectorFailures()).isEqualTo(3);
        assertThat(judge.status(run).getNotChecked())
                .extracting(NotChecked::getMissing)
                .containsExactly("a state that it can read: its own was reset");
        assertThat(run.detectorFailures()).isEqualTo(4);
    }

    @Test
    void two_detectors_of_one_name_are_refused() {
        assertThatThrownBy(() -> new RunJudge(List.of(new Fragile(), new Fragile())))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("two detectors are named fragile: rename one");
    }

    /** Throws at every third event, at every tick, and when asked what it lacks. */
    private static final class Fragile extends Detector<Fragile.Count> {
        private static final class Count implements DetectorState {
            private int events;

            @Override
            public int version() {
                return 1;
            }

            @Override
            public void write(StateWriter out) {
                out.writeInt(events);
            }

            @Override
            public void read(StateReader in) {
                events = in.readInt();
            }
        }

        @Override
        public String name() {
            return "fragile";
        }

        @Override
        public Set<Class<?>> reads() {
            return Set.of(StepCompleted.class);
        }

        @Override
        public Count newState() {
            return new Count();
        }

        @Override
        public void observe(Count state, RunView run, TrainingEvent event, Verdicts verdicts) {
            if (++state.events == 3) {
                verdicts.unhealthy(Verdicts.RUN, Severity.critical, 0, null, () -> {
                    throw new IllegalStateException("observe");
                });
            }
        }

        @Override
        public void tick(Count state, RunView run, long nowMs, Verdicts verdicts) {
            throw new IllegalStateException("tick");
        }

        @Override
        public @Nullable String missing(Count state, RunView run) {
            throw new IllegalStateException("missing");
        }
    }
}
