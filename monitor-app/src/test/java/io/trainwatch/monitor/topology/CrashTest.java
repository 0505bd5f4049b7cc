package io.trainwatch.monitor.topology;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.trainwatch.alert.Alert;
import io.trainwatch.event.TrainingEvent;
import io.trainwatch.monitor.judge.JudgedRun;
import io.trainwatch.monitor.judge.RunJudge;
import io.trainwatch.run.RunStatus;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * A monitor that is killed loses nothing and says nothing twice.
 *
 * <p>{@code -Dcrash.events=500000} sets the size, 30,000 by default.
 */
class CrashTest {
    private static final int RUNS = 50;
    private static final int EVENTS = Integer.getInteger("crash.events", 30_000);
    private static final int KILLS = 3;
    private static final Duration SENDING = Duration.ofSeconds(20);

    @TempDir
    Path dir;

    @Test
    void after_three_kills_each_step_is_judged_once_and_the_alerts_are_those_of_an_undisturbed_run() throws Exception {
        int perRun = EVENTS / RUNS;
        Map<String, List<String>> expected = undisturbed(perRun);
        assertThat(expected).as("faults are planted in").hasSizeGreaterThanOrEqualTo(RUNS / 2);

        try (Broker broker = new Broker(dir.resolve("kafka"))) {
            CompletableFuture<Void> sending = CompletableFuture.runAsync(() -> sendAll(broker, perRun));
            SplittableRandom random = new SplittableRandom(7);
            MonitorProcess monitor = null;
            try {
                for (int kill = 1; kill <= KILLS; kill++) {
                    monitor = MonitorProcess.start(
                            broker.kafka.bootstrapServers(), dir.resolve("state"), Broker.PARTITIONS);
                    long before = broker.committed();
                    await().atMost(Duration.ofMinutes(2)).until(() -> broker.committed() > before);
                    LockSupport.parkNanos(
                            Duration.ofMillis(random.nextInt(1500)).toNanos());
                    monitor.kill();
                    assertThat(broker.committed()).as("judged at kill %s", kill).isBetween(1L, EVENTS - 1L);
                }
                monitor =
                        MonitorProcess.start(broker.kafka.bootstrapServers(), dir.resolve("state"), Broker.PARTITIONS);
                sending.join();
                long sent = broker.sent();
                assertThat(sent).isGreaterThanOrEqualTo(EVENTS);
                await().atMost(Duration.ofMinutes(5)).until(() -> broker.committed() == sent);

                Map<String, RunStatus> statuses = broker.lastStatuses();
                assertThat(statuses).hasSize(RUNS).allSatisfy((run, status) -> {
                    assertThat(status.getStepsJudged()).isEqualTo(perRun - 1);
                    assertThat(status.getEvents()).isEqualTo(perRun);
                    assertThat(status.getMissing()).isZero();
                });
                assertThat(statuses.values())
                        .as("what was sent twice is dropped, and nothing else")
                        .extracting(RunStatus::getDuplicates)
                        .satisfies(duplicates -> assertThat(
                                        duplicates.stream().mapToLong(d -> d).sum())
                                .isEqualTo(sent - EVENTS));
                assertThat(byRun(broker.alerts())).isEqualTo(expected);
                assertThat(monitor.isAlive()).isTrue();
            } finally {
                if (monitor != null) {
                    monitor.kill();
                }
            }
        }
    }

    /** What the judge says of the same events in a loop. */
    private static Map<String, List<String>> undisturbed(int perRun) {
        RunJudge judge = new RunJudge();
        List<Alert> alerts = new ArrayList<>();
        for (int i = 0; i < RUNS; i++) {
            Trainer trainer = new Trainer("run-" + i);
            JudgedRun run = judge.newRun(trainer.runId());
            for (int n = 0; n < perRun; n++) {
                TrainingEvent event = event(trainer, i, n, perRun);
                alerts.addAll(judge.judge(run, event, event.getTimestampMs()));
            }
        }
        return byRun(alerts);
    }

    private static void sendAll(Broker broker, int perRun) {
        List<Trainer> trainers = new ArrayList<>();
        for (int i = 0; i < RUNS; i++) {
            trainers.add(new Trainer("run-" + i));
        }
        long start = System.nanoTime();
        for (int n = 0; n < perRun; n++) {
            for (int i = 0; i < RUNS; i++) {
                broker.send(trainers.get(i), event(trainers.get(i), i, n, perRun));
            }
            LockSupport.parkNanos(start + SENDING.toNanos() * n / perRun - System.nanoTime());
        }
        broker.flush();
    }

    /** Every second run has three episodes of a loss that is not a number. */
    private static TrainingEvent event(Trainer trainer, int run, int n, int perRun) {
        if (n == perRun - 1) {
            return trainer.finished();
        }
        boolean sick = run % 2 == 0 && (n + run) % (perRun / 3) > perRun / 4;
        return sick ? trainer.step(Double.NaN) : trainer.step();
    }

    private static Map<String, List<String>> byRun(List<Alert> alerts) {
        Map<String, List<String>> byRun = new TreeMap<>(new HashMap<>());
        for (Alert alert : alerts) {
            byRun.computeIfAbsent(alert.getRunId(), run -> new ArrayList<>())
                    .add(alert.getDetector() + " " + alert.getAlertId() + " " + alert.getState() + " at step "
                            + alert.getLastStep());
        }
        return byRun;
    }
}
