package io.trainwatch.monitor.topology;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.trainwatch.monitor.board.RunBoard;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The monitor against a real broker. */
class MonitorTest {
    private static final Duration LIMIT = Duration.ofSeconds(60);

    @TempDir
    Path dir;

    private Broker broker;

    @BeforeEach
    void startBroker() {
        broker = new Broker(dir.resolve("kafka"));
    }

    @AfterEach
    void stopBroker() {
        broker.close();
    }

    private Monitor running(Duration commitInterval) throws InterruptedException {
        Monitor monitor = Monitor.start(broker.settings(dir.resolve("state")).withCommitInterval(commitInterval));
        assertThat(monitor.awaitRunning(LIMIT)).isTrue();
        return monitor;
    }

    @Test
    void an_alert_is_readable_long_before_the_commit_interval_and_poison_stops_nothing() throws Exception {
        try (Monitor monitor = running(Duration.ofMinutes(1))) {
            Trainer trainer = new Trainer("r");
            broker.send(trainer.key(), "poison".getBytes(StandardCharsets.UTF_8));
            broker.send(trainer, trainer.step());
            broker.send(trainer, trainer.step(Double.NaN));
            broker.flush();

            await().atMost(LIMIT)
                    .untilAsserted(() -> assertThat(broker.alerts())
                            .singleElement()
                            .satisfies(alert -> assertThat(alert.getDetector()).isEqualTo("non_finite_loss")));
            await().atMost(LIMIT).until(() -> monitor.board().run("r").isPresent());
            assertThat(broker.read(broker.topics.deadLetters())).hasSize(1);
            assertThat(monitor.counters().rejected(RejectReason.NOT_SINGLE_OBJECT))
                    .isEqualTo(1);
            assertThat(monitor.state()).isEqualTo(MonitorState.RUNNING);
            await().atMost(LIMIT).until(() -> monitor.lag() == 0);
        }
    }

    @Test
    void a_status_without_an_alert_is_readable_after_the_commit_interval_of_a_monitor_that_keeps_up() throws Exception {
        try (Monitor monitor = running(Duration.ofSeconds(15))) {
            Trainer trainer = new Trainer("r");
            broker.send(trainer, trainer.step());
            broker.flush();

            // One that is behind would commit after 45 s.
            await().atMost(Duration.ofSeconds(30))
                    .untilAsserted(
                            () -> assertThat(broker.read(broker.topics.runs())).isNotEmpty());
            assertThat(monitor.counters().events()).isEqualTo(1);
        }
    }

    @Test
    void a_second_instance_takes_runs_over_and_gives_them_back_and_no_step_is_judged_twice() throws Exception {
        List<Trainer> trainers = new ArrayList<>();
        for (int i = 0; i < 40; i++) {
            trainers.add(new Trainer("run-" + i));
        }
        try (Monitor first =
                Monitor.start(broker.settings(dir.resolve("state-1")).withAddress("one:1"))) {
            assertThat(first.awaitRunning(LIMIT)).isTrue();
            stepAll(trainers, 50);
            await().atMost(LIMIT).until(() -> onBoard(first.board()).size() == 40);
            assertThat(first.others()).isEmpty();
            assertThat(first.judgeOf("run-1")).isEmpty();

            try (Monitor second =
                    Monitor.start(broker.settings(dir.resolve("state-2")).withAddress("two:2"))) {
                await().atMost(LIMIT).untilAsserted(() -> {
                    stepAll(trainers, 1);
                    Set<String> here = onBoard(first.board());
                    Set<String> there = onBoard(second.board());
                    assertThat(there).isNotEmpty().doesNotContainAnyElementsOf(here);
                    assertThat(here).isNotEmpty();
                    assertThat(here.size() + there.size()).isEqualTo(40);
                    assertThat(first.others()).containsExactly("two:2");
                    assertThat(second.others()).containsExactly("one:1");
                    assertThat(there).allSatisfy(run -> {
                        assertThat(first.judgeOf(run)).contains("two:2");
                        assertThat(second.judgeOf(run)).isEmpty();
                    });
                });
                stepAll(trainers, 50);
            }

            await().atMost(LIMIT).until(() -> onBoard(first.board()).size() == 40);
            trainers.forEach(trainer -> broker.send(trainer, trainer.finished()));
            broker.flush();
            Trainer any = trainers.get(0);
            long steps = any.finished().getStep();
            await().atMost(LIMIT)
                    .untilAsserted(() -> assertThat(broker.lastStatuses())
                            .hasSize(40)
                            .allSatisfy((run, status) -> {
                                assertThat(status.getStepsJudged()).isEqualTo(steps);
                                assertThat(status.getDuplicates()).isZero();
                            }));
            assertThat(first.counters().threadsReplaced()).isZero();
        }
    }

    @Test
    void a_topic_with_another_number_of_partitions_refuses_the_start() {
        assertThatThrownBy(() ->
                        Monitor.start(broker.settings(dir.resolve("state")).withPartitions(7)))
                .isInstanceOf(IllegalStateException.class)
                .hasMessageStartingWith("Topic trainwatch.events has 4 partitions, the monitor wants 7.")
                .hasMessageContaining("set partitions to that of the existing topics");
    }

    @Test
    void more_copies_than_brokers_refuse_the_start() {
        assertThatThrownBy(() -> Monitor.start(broker.settings(dir.resolve("state"))
                        .withTopicPrefix("other.")
                        .withReplication(3)))
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("Check that replication (3) is at most the number of brokers");
    }

    private void stepAll(List<Trainer> trainers, int steps) {
        for (int i = 0; i < steps; i++) {
            trainers.forEach(trainer -> broker.send(trainer, trainer.step()));
        }
        broker.flush();
    }

    private static Set<String> onBoard(RunBoard board) {
        Set<String> runs = new HashSet<>();
        board.runs().forEach(run -> runs.add(run.status().getRunId()));
        return runs;
    }
}
