package io.trainwatch.monitor.topology;

import static io.trainwatch.monitor.topology.TopologyRig.header;
import static org.assertj.core.api.Assertions.assertThat;

import io.trainwatch.alert.Alert;
import io.trainwatch.alert.AlertState;
import io.trainwatch.alert.Severity;
import io.trainwatch.event.RunStarted;
import io.trainwatch.event.TrainingEvent;
import io.trainwatch.monitor.judge.DetectionRule;
import io.trainwatch.monitor.judge.DetectionSettings;
import io.trainwatch.monitor.judge.Glob;
import io.trainwatch.monitor.judge.RunJudge;
import io.trainwatch.run.NotChecked;
import io.trainwatch.run.RunCondition;
import io.trainwatch.run.RunStatus;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.kafka.streams.test.TestRecord;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class MonitorTopologyTest {
    @TempDir
    Path dir;

    @Test
    void a_healthy_run_is_counted_and_raises_nothing() {
        try (TopologyRig rig = new TopologyRig(dir)) {
            Trainer trainer = new Trainer("healthy");
            rig.send(trainer, trainer.started());
            for (int i = 0; i < 1000; i++) {
                rig.send(trainer, trainer.step());
            }
            rig.send(trainer, trainer.finished());

            RunStatus status = rig.statuses().get("healthy");
            assertThat(status.getStepsJudged()).isEqualTo(1000);
            assertThat(status.getEvents()).isEqualTo(1002);
            assertThat(status.getCondition()).isEqualTo(RunCondition.completed);
            assertThat(rig.alerts()).isEmpty();
            assertThat(rig.deadLetters()).isEmpty();
            assertThat(rig.counters.events()).isEqualTo(1002);
        }
    }

    @Test
    void the_drawing_is_this() {
        try (TopologyRig rig = new TopologyRig(dir)) {
            assertThat(rig.topology.describe().toString().strip()).isEqualTo("""
                    Topologies:
                       Sub-topology: 0
                        Source: events (topics: [trainwatch.events])
                          --> judge
                        Processor: judge (stores: [runs])
                          --> outcome-
                          <-- events
                        Processor: outcome- (stores: [])
                          --> outcome-alert, outcome-dead-letter, outcome-status
                          <-- judge
                        Processor: outcome-alert (stores: [])
                          --> alerts
                          <-- outcome-
                        Processor: outcome-dead-letter (stores: [])
                          --> dead-letters
                          <-- outcome-
                        Processor: outcome-status (stores: [])
                          --> runs
                          <-- outcome-
                        Sink: alerts (topic: trainwatch.alerts)
                          <-- outcome-alert
                        Sink: dead-letters (topic: trainwatch.dead-letters)
                          <-- outcome-dead-letter
                        Sink: runs (topic: trainwatch.runs)
                          <-- outcome-status
                    """.strip());
        }
    }

    @Test
    void a_loss_that_is_not_a_number_is_an_alert_and_other_runs_are_untouched() {
        try (TopologyRig rig = new TopologyRig(dir)) {
            Trainer sick = new Trainer("sick");
            Trainer well = new Trainer("well");
            for (int i = 0; i < 100; i++) {
                rig.send(sick, sick.step(Double.NaN));
                rig.send(well, well.step());
            }

            assertThat(rig.alerts())
                    .isNotEmpty()
                    .allSatisfy(alert -> assertThat(alert.getRunId()).isEqualTo("sick"))
                    .first()
                    .satisfies(alert -> {
                        assertThat(alert.getDetector()).isEqualTo("non_finite_loss");
                        assertThat(alert.getState()).isEqualTo(AlertState.firing);
                        assertThat(alert.getOnsetStep()).isEqualTo(1);
                    });
            rig.pass(Duration.ofSeconds(11));
            assertThat(rig.statuses().get("well").getOpenAlerts()).isEmpty();
            assertThat(rig.board.run("well").orElseThrow().status().getStepsJudged())
                    .isEqualTo(100);
            assertThat(rig.board.run("sick").orElseThrow().status().getStepsJudged())
                    .isEqualTo(100);
            assertThat(rig.counters.commitsRequested()).isPositive();
        }
    }

    @Test
    void runs_of_two_projects_are_judged_by_their_own_settings() {
        RunJudge judge = new RunJudge(new DetectionSettings(
                Map.of(),
                List.of(new DetectionRule(
                        new Glob("gan-*"), null, Map.of(), Map.of("non_finite_loss.severity", "info")))));
        try (TopologyRig rig = new TopologyRig(TopologyRig.settings(dir), judge)) {
            Trainer gan = new Trainer("gan");
            Trainer llm = new Trainer("llm");
            TrainingEvent started = gan.started();
            ((RunStarted) started.getBody()).setProject("gan-7");
            rig.send(gan, started);
            rig.send(llm, llm.started());
            for (int i = 0; i < 10; i++) {
                rig.send(gan, gan.step(Double.NaN));
                rig.send(llm, llm.step(Double.NaN));
            }

            List<Alert> alerts = rig.alerts();
            assertThat(alerts)
                    .filteredOn(alert -> alert.getRunId().equals("gan"))
                    .isNotEmpty()
                    .allMatch(alert -> alert.getSeverity() == Severity.info);
            assertThat(alerts)
                    .filteredOn(alert -> alert.getRunId().equals("llm"))
                    .anyMatch(alert -> alert.getSeverity() == Severity.critical);
            assertThat(alerts).extracting(Alert::getConfigVersion).doesNotContain("");
            assertThat(rig.statuses().get("gan").getOpenAlerts()).containsEntry("non_finite_loss", "info");
        }
    }

    @Test
    void what_is_not_an_event_is_a_dead_letter_with_its_reason_and_stops_nothing() {
        try (TopologyRig rig = new TopologyRig(dir)) {
            Trainer trainer = new Trainer("r");
            byte[] good = trainer.encode(trainer.step());
            byte[] unknownSchema = good.clone();
            unknownSchema[5] ^= 1;
            byte[] cut = java.util.Arrays.copyOf(good, good.length - 3);
            Trainer endless = new Trainer("x".repeat(10_000));
            Trainer broken = new Trainer("a\nb");

            rig.send(trainer.key(), null);
            rig.send(trainer.key(), new byte[0]);
            rig.send(trainer.key(), "{\"event_type\":\"step_completed\"}".getBytes(StandardCharsets.UTF_8));
            rig.send(trainer.key(), unknownSchema);
            rig.send(trainer.key(), cut);
            rig.send(endless, endless.step());
            rig.send(broken, broken.step());
            rig.send(null, good);
            rig.send("other".getBytes(StandardCharsets.UTF_8), good);
            rig.send(trainer, trainer.step());

            List<TestRecord<byte[], byte[]>> letters = rig.deadLetters();
            assertThat(letters)
                    .extracting(letter -> header(letter, "reason"))
                    .containsExactly(
                            "empty",
                            "empty",
                            "not_single_object",
                            "unknown_schema",
                            "corrupt",
                            "run_id_invalid",
                            "run_id_invalid",
                            "null_key",
                            "key_mismatch");
            assertThat(letters.get(3).value()).isEqualTo(unknownSchema);
            assertThat(letters.get(3).key()).isEqualTo(trainer.key());
            assertThat(header(letters.get(3), "source_topic")).isEqualTo("trainwatch.events");
            assertThat(header(letters.get(3), "source_partition")).isEqualTo("0");
            assertThat(header(letters.get(3), "source_offset")).isEqualTo("3");
            assertThat(header(letters.get(5), "detail")).isEqualTo("run_id has 10000 characters, allowed are 1 to 256");
            assertThat(header(letters.get(8), "detail")).isEqualTo("key \"other\", run_id \"r\"");
            assertThat(rig.counters.rejected(RejectReason.EMPTY)).isEqualTo(2);
            assertThat(rig.counters.events()).isEqualTo(1);
            assertThat(rig.statuses().get("r").getStepsJudged()).isEqualTo(1);
        }
    }

    @Test
    void a_step_or_seq_beyond_all_counting_is_a_dead_letter_and_does_not_make_the_rest_of_its_run_the_past() {
        try (TopologyRig rig = new TopologyRig(dir)) {
            Trainer trainer = new Trainer("r");
            rig.send(trainer, trainer.step());
            TrainingEvent farStep = trainer.step();
            farStep.setStep(1L << 62);
            rig.send(trainer, farStep);
            TrainingEvent farSeq = trainer.step();
            farSeq.setSeq(Long.MIN_VALUE);
            rig.send(trainer, farSeq);
            rig.send(trainer, trainer.step());
            rig.send(trainer, trainer.finished());

            assertThat(rig.deadLetters())
                    .extracting(letter -> header(letter, "reason") + ": " + header(letter, "detail"))
                    .containsExactly(
                            "number_invalid: step is 4611686018427387904, allowed is up to 1000000000000000",
                            "number_invalid: seq is -9223372036854775808, allowed is up to 1000000000000000");
            RunStatus status = rig.statuses().get("r");
            assertThat(status.getStepsJudged()).isEqualTo(2);
            assertThat(status.getLastStep()).isEqualTo(4);
        }
    }

    @Test
    void bit_rot_anywhere_in_a_record_stops_nothing() {
        try (TopologyRig rig = new TopologyRig(dir)) {
            Trainer trainer = new Trainer("r");
            byte[] good = trainer.encode(trainer.step());
            int sent = 0;
            for (int bit = 0; bit < good.length * 8; bit++) {
                byte[] rotten = good.clone();
                rotten[bit / 8] ^= (byte) (1 << (bit % 8));
                rig.send(trainer.key(), rotten);
                sent++;
            }
            long rejected = 0;
            for (RejectReason reason : RejectReason.values()) {
                rejected += rig.counters.rejected(reason);
            }
            assertThat(rig.counters.events() + rejected).isEqualTo(sent);
            assertThat(rig.counters.rejected(RejectReason.UNKNOWN_SCHEMA)).isEqualTo(64);
            assertThat(rig.counters.rejected(RejectReason.JUDGE_FAILED)).isZero();
            assertThat(rig.deadLetters()).hasSize((int) rejected);

            Trainer well = new Trainer("well");
            rig.send(well, well.step());
            assertThat(rig.statuses().get("well").getStepsJudged()).isEqualTo(1);
        }
    }

    @Test
    void lengths_that_lie_do_not_exhaust_the_memory() {
        try (TopologyRig rig = new TopologyRig(dir)) {
            Trainer trainer = new Trainer("r");
            byte[] good = trainer.encode(trainer.step());
            // The run_id comes first: lengths of 2^31 - 1 and of 2^30 bytes where its own one byte of length was.
            for (byte[] length : new byte[][] {{-2, -1, -1, -1, 15}, {-128, -128, -128, -128, 8}}) {
                byte[] lying = new byte[good.length + 4];
                System.arraycopy(good, 0, lying, 0, 10);
                System.arraycopy(length, 0, lying, 10, 5);
                System.arraycopy(good, 11, lying, 15, good.length - 11);
                rig.send(trainer.key(), lying);
            }
            assertThat(rig.deadLetters())
                    .extracting(letter -> header(letter, "reason"))
                    .containsExactly("corrupt", "corrupt");
        }
    }

    @Test
    void a_step_that_goes_back_and_a_seq_that_repeats_are_no_errors() {
        try (TopologyRig rig = new TopologyRig(dir)) {
            Trainer trainer = new Trainer("r");
            for (int i = 0; i < 50; i++) {
                rig.send(trainer, trainer.step());
            }
            trainer.resumeAt(20);
            TrainingEvent again = trainer.step();
            rig.send(trainer, again);
            rig.send(trainer, again);
            rig.send(trainer, trainer.finished());

            RunStatus status = rig.statuses().get("r");
            assertThat(status.getStepsJudged()).isEqualTo(51);
            assertThat(status.getDuplicates()).isEqualTo(1);
            assertThat(status.getLastStep()).isEqualTo(21);
            assertThat(rig.deadLetters()).isEmpty();
        }
    }

    @Test
    void clocks_of_1970_and_2100_are_judged_like_any_other() {
        try (TopologyRig rig = new TopologyRig(dir)) {
            long[] clocks = {0, -1, 1_000, 4_102_444_800_000L, Long.MAX_VALUE, Long.MIN_VALUE};
            List<String> runs = new ArrayList<>();
            for (long clock : clocks) {
                Trainer trainer = new Trainer("clock" + clock);
                runs.add(trainer.runId());
                for (int i = 0; i < 10; i++) {
                    TrainingEvent event = trainer.step();
                    event.setTimestampMs(clock);
                    rig.sendAt(
                            trainer.key(),
                            trainer.encode(event),
                            java.time.Instant.ofEpochMilli(Math.max(0, Math.min(clock, 4_102_444_800_000L))));
                }
                rig.send(trainer, trainer.finished());
            }
            assertThat(rig.statuses())
                    .containsOnlyKeys(runs)
                    .allSatisfy(
                            (run, status) -> assertThat(status.getStepsJudged()).isEqualTo(10));
            assertThat(rig.deadLetters()).isEmpty();
        }
    }

    @Test
    void a_hundred_thousand_metric_names_cost_that_run_its_names_and_the_others_nothing() {
        try (TopologyRig rig = new TopologyRig(dir)) {
            Trainer trainer = new Trainer("many");
            Trainer well = new Trainer("well");
            TrainingEvent event = trainer.step();
            var metrics = new java.util.HashMap<String, Double>();
            for (int i = 0; i < 100_000; i++) {
                metrics.put("metric" + i, 1.0 * i);
            }
            ((io.trainwatch.event.StepCompleted) event.getBody()).setMetrics(metrics);
            rig.send(trainer, event);
            rig.send(well, well.step());
            rig.pass(Duration.ofSeconds(1));

            assertThat(rig.statuses().get("well").getStepsJudged()).isEqualTo(1);
            assertThat(rig.board.run("many").orElseThrow().status().getStepsJudged())
                    .isEqualTo(1);
            assertThat(rig.board.run("many").orElseThrow().series()).hasSizeLessThan(100);
        }
    }

    @Test
    void a_run_leaves_the_heap_for_want_of_room_and_comes_back_with_its_next_event() {
        try (TopologyRig rig = new TopologyRig(TopologyRig.settings(dir).withMaxLiveRuns(3))) {
            List<Trainer> trainers = new ArrayList<>();
            for (int i = 0; i < 20; i++) {
                trainers.add(new Trainer("run" + i));
            }
            for (int round = 0; round < 5; round++) {
                for (Trainer trainer : trainers) {
                    rig.send(trainer, trainer.step());
                }
            }
            assertThat(rig.store().live()).hasSize(3);
            for (Trainer trainer : trainers) {
                rig.send(trainer, trainer.finished());
            }
            assertThat(rig.statuses())
                    .hasSize(20)
                    .allSatisfy(
                            (run, status) -> assertThat(status.getStepsJudged()).isEqualTo(5));
        }
    }

    @Test
    void a_run_that_ended_leaves_the_board_after_its_time_and_is_forgotten_after_the_retention() {
        MonitorSettings settings = TopologyRig.settings(dir)
                .withLifetimes(Duration.ofMinutes(5), Duration.ofMinutes(1), Duration.ofMinutes(2))
                .withTickGrace(Duration.ZERO);
        try (TopologyRig rig = new TopologyRig(settings)) {
            Trainer trainer = new Trainer("r");
            rig.send(trainer, trainer.step());
            rig.send(trainer, trainer.finished());
            rig.pass(Duration.ofSeconds(30));
            assertThat(rig.board.run("r")).isPresent();
            assertThat(rig.store().live()).isEmpty();

            rig.pass(Duration.ofSeconds(35));
            assertThat(rig.board.run("r")).isEmpty();
            assertThat(rig.statuses().get("r").getCondition()).isEqualTo(RunCondition.completed);

            rig.pass(Duration.ofMinutes(5));
            assertThat(rig.statuses()).as("not while it may have a backlog").isEmpty();
            rig.caughtUp(2);
            rig.pass(Duration.ofSeconds(1));
            assertThat(rig.statuses()).containsEntry("r", null);
            assertThat(rig.store().keptAfter("", 10)).isEmpty();
        }
    }

    @Test
    void a_task_that_is_closed_takes_its_runs_off_the_board() {
        TopologyRig rig = new TopologyRig(dir);
        Trainer trainer = new Trainer("r");
        rig.send(trainer, trainer.step());
        rig.pass(Duration.ofSeconds(1));
        assertThat(rig.board.runs()).hasSize(1);
        rig.close();
        assertThat(rig.board.runs()).isEmpty();
    }

    @Test
    void a_run_that_appears_or_turns_sick_or_ends_is_on_the_board_at_once_and_its_numbers_at_the_next_tick() {
        try (TopologyRig rig = new TopologyRig(dir)) {
            Trainer trainer = new Trainer("r");
            rig.send(trainer, trainer.step());
            assertThat(shown(rig).getStepsJudged()).isEqualTo(1);
            for (int i = 0; i < 50; i++) {
                rig.send(trainer, trainer.step());
            }
            rig.pass(Duration.ofMillis(999));
            assertThat(shown(rig).getStepsJudged()).isEqualTo(1);
            rig.pass(Duration.ofMillis(1));
            assertThat(shown(rig).getStepsJudged()).isEqualTo(51);

            rig.send(trainer, trainer.step(Double.NaN));
            assertThat(shown(rig).getOpenAlerts()).containsValue("critical");
            rig.pass(Duration.ofMillis(200));
            rig.send(trainer, trainer.finished());
            assertThat(shown(rig).getCondition()).isEqualTo(RunCondition.completed);
        }
    }

    @Test
    void
            a_run_whose_alerts_change_in_a_row_is_shown_at_once_five_times_a_second_at_most_and_its_last_state_at_the_next_tick() {
        try (TopologyRig rig = new TopologyRig(dir)) {
            Trainer trainer = new Trainer("r");
            rig.send(trainer, trainer.step(Double.NaN));
            assertThat(shown(rig).getOpenAlerts()).isNotEmpty();

            rig.pass(Duration.ofMillis(199));
            rig.send(trainer, trainer.finished());
            assertThat(shown(rig).getCondition()).isEqualTo(RunCondition.running);
            rig.pass(Duration.ofMillis(801));
            assertThat(shown(rig).getCondition()).isEqualTo(RunCondition.completed);
        }
    }

    private static RunStatus shown(TopologyRig rig) {
        return rig.board.run("r").orElseThrow().status();
    }

    @Test
    void the_status_of_a_run_is_published_at_first_sight_and_then_at_most_every_ten_seconds() {
        try (TopologyRig rig = new TopologyRig(dir)) {
            Trainer trainer = new Trainer("r");
            rig.send(trainer, trainer.step());
            assertThat(rig.statuses().get("r").getStepsJudged()).isEqualTo(1);
            for (int second = 0; second < 9; second++) {
                rig.send(trainer, trainer.step());
                rig.pass(Duration.ofSeconds(1));
            }
            assertThat(rig.statuses()).isEmpty();
            rig.pass(Duration.ofSeconds(1));
            assertThat(rig.statuses().get("r").getStepsJudged()).isEqualTo(10);
            rig.pass(Duration.ofSeconds(20));
            assertThat(rig.statuses()).as("nothing changed").isEmpty();
        }
    }

    @Test
    void a_run_is_compared_with_the_one_that_it_names_when_both_are_judged_here() {
        try (TopologyRig rig = new TopologyRig(dir)) {
            Trainer reference = new Trainer("reference");
            rig.send(reference, reference.started());
            for (int i = 0; i < 600; i++) {
                rig.send(reference, reference.step());
            }
            rig.send(reference, reference.finished());
            Trainer alike = new Trainer("alike");
            Trainer worse = new Trainer("worse");
            Trainer lost = new Trainer("lost");
            rig.send(alike, alike.started("reference"));
            rig.send(worse, worse.started("reference"));
            rig.send(lost, lost.started("of another instance"));
            for (int i = 0; i < 500; i++) {
                rig.send(alike, alike.step());
                rig.send(worse, worse.step(1 + 2 * Math.exp(-i / 500.0)));
                rig.send(lost, lost.step());
            }
            rig.pass(Duration.ofSeconds(11));

            assertThat(rig.alerts())
                    .filteredOn(alert -> alert.getDetector().equals("worse_than_reference"))
                    .isNotEmpty()
                    .allSatisfy(alert -> assertThat(alert.getRunId()).isEqualTo("worse"));
            assertThat(rig.statuses().get("lost").getNotChecked())
                    .filteredOn(one -> one.getDetector().equals("worse_than_reference"))
                    .extracting(NotChecked::getMissing)
                    .containsExactly("the reference run of another instance, which is not known here");
        }
    }

    @Test
    void a_reference_that_begins_later_is_found_at_the_next_look() {
        try (TopologyRig rig = new TopologyRig(dir)) {
            Trainer early = new Trainer("early");
            Trainer reference = new Trainer("reference");
            rig.send(early, early.started("reference"));
            rig.send(early, early.step());
            rig.send(reference, reference.started());
            for (int i = 0; i < 600; i++) {
                rig.send(reference, reference.step());
            }
            rig.pass(Duration.ofSeconds(2));
            rig.send(early, early.step());
            rig.pass(Duration.ofSeconds(2));

            assertThat(rig.store().find("early").judged.wantedReference()).isNull();
        }
    }
}
