package io.trainwatch.monitor.topology;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.trainwatch.codec.SingleObjectCodec;
import io.trainwatch.event.StepCompleted;
import io.trainwatch.event.TrainingEvent;
import io.trainwatch.monitor.AgentProcess;
import io.trainwatch.run.RunStatus;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.LockSupport;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * An agent that is killed loses no point of a log that grows meanwhile, and the monitor counts none twice.
 *
 * <p>{@code -Dattach.kills=20} sets how often it is killed, 3 times by default.
 */
class AgentCrashTest {
    private static final int KILLS = Integer.getInteger("attach.kills", 3);
    private static final Duration LIMIT = Duration.ofMinutes(2);
    private static final int PAST_STEPS = 20_000;

    @TempDir
    Path dir;

    @Test
    void every_point_of_a_growing_log_is_judged_once_however_often_the_agent_is_killed() throws Exception {
        Path log = dir.resolve("gpt.log");
        StringBuilder past = new StringBuilder();
        for (int step = 0; step < PAST_STEPS; step++) {
            past.append(line(step));
        }
        Files.writeString(log, past);
        AtomicBoolean stopped = new AtomicBoolean();
        try (Broker broker = new Broker(dir.resolve("kafka"));
                Monitor monitor = Monitor.start(broker.settings(dir.resolve("state")))) {
            assertThat(monitor.awaitRunning(LIMIT)).isTrue();
            CompletableFuture<Integer> writing = CompletableFuture.supplyAsync(() -> write(log, stopped));
            SplittableRandom random = new SplittableRandom(11);
            Process agent = null;
            try {
                for (int kill = 1; kill <= KILLS; kill++) {
                    long before = broker.sent();
                    agent = agent(broker, log);
                    await().atMost(LIMIT).until(() -> broker.sent() > before);
                    LockSupport.parkNanos(
                            Duration.ofMillis(random.nextInt(1500)).toNanos());
                    agent.destroyForcibly().waitFor();
                }
                stopped.set(true);
                int steps = writing.join();
                agent = agent(broker, log);
                await().atMost(LIMIT).until(() -> read(broker).size() >= steps);

                Map<Long, Double> expected = new LinkedHashMap<>();
                for (int step = 0; step < steps; step++) {
                    expected.put((long) step, loss(step));
                }
                assertThat(read(broker)).isEqualTo(expected);
                assertThat(steps).isGreaterThan(PAST_STEPS);
                await().atMost(LIMIT).untilAsserted(() -> {
                    RunStatus status = broker.lastStatuses().get("gpt");
                    assertThat(status.getStepsJudged()).isEqualTo(steps);
                    assertThat(status.getMissing()).isZero();
                });
            } finally {
                stopped.set(true);
                if (agent != null) {
                    agent.destroyForcibly().waitFor();
                }
            }
        }
    }

    /** Loss by step, as the monitor counts: what has the session and number of an event before is none. */
    private static Map<Long, Double> read(Broker broker) throws Exception {
        SingleObjectCodec<TrainingEvent> codec = SingleObjectCodec.events();
        Set<String> seen = new HashSet<>();
        Map<Long, Double> losses = new LinkedHashMap<>();
        boolean past = true;
        for (ConsumerRecord<byte[], byte[]> record : broker.read(broker.topics.events())) {
            TrainingEvent event = TopologyRig.decode(codec, record.value());
            if (event.getBody() instanceof StepCompleted step && seen.add(event.getSession() + " " + event.getSeq())) {
                assertThat(losses.put(event.getStep(), step.getLoss()))
                        .as("step %s", event.getStep())
                        .isNull();
                boolean historical = Boolean.TRUE.equals(event.getHistorical());
                assertThat(historical).as("step %s", event.getStep()).isEqualTo(past && historical);
                assertThat(historical || event.getStep() >= PAST_STEPS).isTrue();
                past = historical;
            }
        }
        return losses;
    }

    private Process agent(Broker broker, Path log) throws IOException {
        return AgentProcess.start(
                dir.resolve("agent.out"),
                "attach",
                "--to",
                "kafka:" + broker.kafka.bootstrapServers() + "?topic=" + broker.topics.events(),
                "--state",
                dir.resolve("positions").toString(),
                "--interval",
                "0.05",
                log.toString());
    }

    /** Writes on until it is to stop, in pieces that end anywhere; returns how many steps there are. */
    private static int write(Path log, AtomicBoolean stopped) {
        SplittableRandom random = new SplittableRandom(5);
        int step = PAST_STEPS;
        StringBuilder waiting = new StringBuilder();
        try (FileChannel out = FileChannel.open(log, StandardOpenOption.APPEND)) {
            while (!stopped.get() || waiting.length() > 0) {
                if (!stopped.get()) {
                    waiting.append(line(step++));
                }
                int piece = Math.min(waiting.length(), 1 + random.nextInt(60));
                out.write(ByteBuffer.wrap(waiting.substring(0, piece).getBytes(StandardCharsets.UTF_8)));
                waiting.delete(0, piece);
                LockSupport.parkNanos(1_000_000);
            }
        } catch (IOException e) {
            throw new AssertionError(e);
        }
        return step;
    }

    private static double loss(int step) {
        return Math.round((2 + 2 / Math.sqrt(1 + step / 50.0)) * 10_000) / 10_000.0;
    }

    private static String line(int step) {
        return String.format(Locale.ROOT, "iter %d: loss %.4f, time 12.34ms, mfu 31.20%%\n", step, loss(step));
    }
}
