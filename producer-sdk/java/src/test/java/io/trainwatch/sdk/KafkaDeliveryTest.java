package io.trainwatch.sdk;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;

import io.trainwatch.event.Heartbeat;
import io.trainwatch.event.RunFinished;
import io.trainwatch.event.RunStarted;
import io.trainwatch.event.StepCompleted;
import io.trainwatch.event.TrainingEvent;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * What a real broker receives, and what becomes of events while there is none.
 *
 * <p>{@code -Doutage.seconds=30} sets how long the broker is away while a trainer emits, as long as 3,000 events take by default.
 */
class KafkaDeliveryTest {
    private static final Duration OUTAGE = Duration.ofSeconds(Long.getLong("outage.seconds", 0));

    @TempDir
    Path directory;

    private final int port = KafkaBroker.freePort();
    private final String location = "kafka:127.0.0.1:" + port;

    @BeforeAll
    static void patience() {
        Awaitility.setDefaultTimeout(Duration.ofSeconds(60));
    }

    private KafkaBroker newBroker() throws Exception {
        KafkaBroker broker = KafkaBroker.start(directory.resolve("kafka"), port);
        broker.createTopic();
        return broker;
    }

    private Path spool() {
        return directory.resolve("spool");
    }

    private TrainingRunBuilder run(String id) {
        return new TrainingRunBuilder(id, Map.of())
                .spoolDirectory(spool())
                .heartbeatInterval(Duration.ofHours(1))
                .closeTimeout(Duration.ofMinutes(1));
    }

    /** Returns the first of each event, as the monitor takes them. */
    private static List<TrainingEvent> deduplicated(List<TrainingEvent> events) {
        Map<String, TrainingEvent> first = new LinkedHashMap<>();
        events.forEach(event -> first.putIfAbsent(event.getSession() + event.getSeq(), event));
        return List.copyOf(first.values());
    }

    private static void assertInOrderWithoutGap(List<TrainingEvent> events) {
        assertThat(deduplicated(events))
                .extracting(TrainingEvent::getSeq)
                .isEqualTo(LongStream.rangeClosed(1, deduplicated(events).size())
                        .boxed()
                        .toList());
    }

    private static List<Long> steps(List<TrainingEvent> events) {
        return events.stream()
                .filter(event -> event.getBody() instanceof StepCompleted)
                .map(TrainingEvent::getStep)
                .toList();
    }

    private static List<Long> upTo(long last) {
        return LongStream.rangeClosed(1, last).boxed().toList();
    }

    private List<Path> spooledFiles() throws IOException {
        if (!Files.exists(spool())) {
            return List.of();
        }
        try (Stream<Path> files = Files.walk(spool())) {
            return files.filter(Files::isRegularFile).toList();
        }
    }

    @Test
    void a_broker_that_answers_gets_everything_once_and_nothing_stays_on_disk() throws Exception {
        try (KafkaBroker broker = newBroker()) {
            TrainingRun run = run("r").start(location);
            for (int step = 1; step <= 3_000; step++) {
                run.step(step, 1.0, 2.0, 3.0);
            }
            run.close();
            assertThat(run.delivery()).isEqualTo(new Delivery(3_002, 3_002, 0, 0, 0));
            List<TrainingEvent> events = broker.events();
            assertThat(events).hasSize(3_002);
            assertInOrderWithoutGap(events);
            assertThat(steps(events)).isEqualTo(upTo(3_000));
            assertThat(spooledFiles()).isEmpty();
        }
    }

    @Test
    void a_broker_that_is_down_at_the_start_gets_everything_in_order_once_it_is_up() throws Exception {
        TrainingRun run = run("r").start(location);
        for (int step = 1; step <= 5_000; step++) {
            run.step(step, 1.0);
        }
        await().untilAsserted(() -> assertThat(run.delivery().spooled()).isEqualTo(5_001));
        try (KafkaBroker broker = newBroker()) {
            run.step(5_001, 1.0);
            await().untilAsserted(() -> assertThat(run.delivery().delivered()).isGreaterThanOrEqualTo(5_002));
            run.close();
            List<TrainingEvent> events = broker.events();
            assertInOrderWithoutGap(events);
            assertThat(steps(deduplicated(events))).isEqualTo(upTo(5_001));
            assertThat(run.delivery().dropped()).isZero();
            assertThat(spooledFiles()).isEmpty();
        }
    }

    @Test
    void a_broker_that_stops_while_a_trainer_emits_gets_everything_in_order_afterwards() throws Exception {
        KafkaBroker broker = newBroker();
        TrainingRun run = run("r").heartbeatInterval(Duration.ofMillis(100)).start(location);
        AtomicBoolean stop = new AtomicBoolean();
        long[] emitted = new long[1];
        Thread trainer = new Thread(() -> {
            while (!stop.get()) {
                run.step(++emitted[0], 1.0);
                LockSupport.parkNanos(200_000);
            }
        });
        try {
            trainer.start();
            for (int outage = 0; outage < 2; outage++) {
                long before = run.delivery().delivered();
                await().untilAsserted(
                                () -> assertThat(run.delivery().delivered()).isGreaterThan(before + 1_000));
                broker.close();
                long gone = System.nanoTime();
                await().untilAsserted(() -> {
                    assertThat(run.delivery().spooled()).isGreaterThan(3_000);
                    assertThat(Duration.ofNanos(System.nanoTime() - gone)).isGreaterThan(OUTAGE);
                });
                broker = KafkaBroker.start(directory.resolve("kafka"), port);
                await().untilAsserted(() -> assertThat(run.delivery().spooled()).isZero());
            }
            stop.set(true);
            trainer.join();
            run.close();
            List<TrainingEvent> events = broker.events();
            assertInOrderWithoutGap(events);
            assertThat(steps(deduplicated(events))).isEqualTo(upTo(emitted[0]));
            assertThat(run.delivery().dropped()).isZero();
            assertThat(spooledFiles()).isEmpty();
            assertThat(events)
                    .extracting(TrainingEvent::getBody)
                    .filteredOn(Heartbeat.class::isInstance)
                    .extracting(body -> ((Heartbeat) body).getSpooledEvents())
                    .anyMatch(spooled -> spooled > 0);
        } finally {
            stop.set(true);
            broker.close();
        }
    }

    @Test
    void without_spool_the_oldest_steps_are_dropped_and_the_monitor_is_told() throws Exception {
        TrainingRun run = run("r").spoolBytes(0)
                .queueCapacity(64)
                .heartbeatInterval(Duration.ofMillis(100))
                .start(location);
        run.step(1, Double.NaN);
        for (int step = 2; step <= 3_000; step++) {
            run.step(step, 1.0);
            LockSupport.parkNanos(100_000);
        }
        await().untilAsserted(() -> assertThat(run.delivery().dropped()).isGreaterThan(2_900));
        try (KafkaBroker broker = newBroker()) {
            await().untilAsserted(() -> assertThat(run.delivery().delivered()).isGreaterThan(60));
            run.close();
            List<TrainingEvent> events = broker.events();
            assertThat(events.get(0).getBody()).isInstanceOf(RunStarted.class);
            assertThat(((StepCompleted) events.get(1).getBody()).getLoss()).isNaN();
            assertThat(events).extracting(TrainingEvent::getSeq).isSorted().doesNotHaveDuplicates();
            TrainingEvent last = events.get(events.size() - 1);
            assertThat(((RunFinished) last.getBody()).getDroppedEvents())
                    .isEqualTo(run.delivery().dropped())
                    .isEqualTo(last.getSeq() - events.size());
        }
    }

    @Test
    void a_spool_that_is_too_small_keeps_what_matters() throws Exception {
        TrainingRun run = run("r").spoolBytes(65_536).start(location);
        IntStream.rangeClosed(1, 200).forEach(step -> run.step(step, step % 20 == 0 ? Double.NaN : 1.0));
        await().untilAsserted(() -> assertThat(run.delivery().spooled()).isEqualTo(201));
        for (int step = 201; step <= 3_000; step++) {
            run.step(step, 1.0);
        }
        await().untilAsserted(() -> assertThat(run.delivery().dropped()).isPositive());
        try (KafkaBroker broker = newBroker()) {
            await().untilAsserted(() -> assertThat(run.delivery().spooled()).isZero());
            run.close();
            List<TrainingEvent> events = deduplicated(broker.events());
            assertThat(events).extracting(TrainingEvent::getSeq).isSorted();
            assertThat(events.get(0).getBody()).isInstanceOf(RunStarted.class);
            assertThat(steps(events)).contains(20L, 40L, 60L, 80L, 100L, 120L, 140L, 160L, 180L, 200L, 3_000L);
            assertThat(run.delivery().recorded())
                    .isEqualTo(events.size() + run.delivery().dropped());
        }
    }

    @Test
    void a_spool_directory_that_cannot_be_written_leaves_the_events_in_memory() throws Exception {
        Path file = Files.createFile(directory.resolve("not-a-directory"));
        TrainingRun run = run("r").spoolDirectory(file).start(location);
        IntStream.rangeClosed(1, 1_000).forEach(step -> run.step(step, 1.0));
        await().untilAsserted(() -> assertThat(run.delivery().recorded()).isEqualTo(1_001));
        try (KafkaBroker broker = newBroker()) {
            await().untilAsserted(() -> assertThat(run.delivery().delivered()).isGreaterThanOrEqualTo(1_001));
            run.close();
            List<TrainingEvent> events = broker.events();
            assertInOrderWithoutGap(events);
            assertThat(steps(events)).isEqualTo(upTo(1_000));
        }
    }

    @Test
    void close_is_bounded_when_the_broker_hangs_and_the_next_start_sends_what_was_left() throws Exception {
        TrainingRun first = run("r").closeTimeout(Duration.ofSeconds(1)).start(location);
        // Accepts connections into its backlog and never answers.
        try (ServerSocket silent = new ServerSocket(port, 50, InetAddress.getLoopbackAddress())) {
            assertThat(silent.getLocalPort()).isEqualTo(port);
            IntStream.rangeClosed(1, 1_000).forEach(step -> first.step(step, 1.0));
            assertTimeoutPreemptively(Duration.ofSeconds(10), first::close);
        }
        assertThat(first.delivery()).isEqualTo(new Delivery(1_002, 0, 1_002, 0, 0));
        try (KafkaBroker broker = newBroker()) {
            run("r").attempt(1).start(location).close();
            List<TrainingEvent> events = broker.events();
            assertThat(events).extracting(TrainingEvent::getAttempt).isSorted().contains(0, 1);
            assertInOrderWithoutGap(events.subList(0, 1_002));
            assertThat(events.get(1_001).getBody()).isInstanceOf(RunFinished.class);
            assertThat(events.subList(1_002, events.size()))
                    .extracting(TrainingEvent::getSeq)
                    .containsExactly(1L, 2L);
            assertThat(spooledFiles()).isEmpty();
        }
    }

    @Test
    void a_killed_trainer_loses_nothing_that_was_spooled_and_its_events_are_sent_first() throws Exception {
        Process child = child("wait");
        try (BufferedReader out =
                new BufferedReader(new InputStreamReader(child.getInputStream(), StandardCharsets.UTF_8))) {
            String line = out.readLine();
            while (line != null && !line.equals("spooled")) {
                line = out.readLine();
            }
            assertThat(line).isEqualTo("spooled");
        } finally {
            child.destroyForcibly().waitFor();
        }
        assertThat(spooledFiles()).isNotEmpty();

        TrainingRun next = run("child").attempt(1).start(location);
        next.step(1, 1.0);
        try (KafkaBroker broker = newBroker()) {
            await().untilAsserted(() -> assertThat(next.delivery().delivered()).isEqualTo(2));
            next.close();
            List<TrainingEvent> events = broker.events();
            List<TrainingEvent> old = new ArrayList<>(events);
            old.removeIf(event -> event.getAttempt() == 1);
            assertThat(events.subList(0, old.size())).isEqualTo(old);
            assertInOrderWithoutGap(old);
            assertThat(steps(old)).isEqualTo(upTo(1_000));
            assertThat(old)
                    .extracting(TrainingEvent::getSession)
                    .containsOnly(old.get(0).getSession());
            List<TrainingEvent> own = events.subList(old.size(), events.size());
            assertThat(deduplicated(own)).extracting(TrainingEvent::getSeq).containsExactly(1L, 2L, 3L);
            assertThat(spooledFiles()).isEmpty();
        }
    }

    @Test
    void a_process_that_ends_without_close_sends_its_events_but_does_not_claim_that_the_run_is_completed()
            throws Exception {
        try (KafkaBroker broker = newBroker()) {
            Process child = child("leave");
            try {
                assertThat(child.waitFor(60, TimeUnit.SECONDS)).isTrue();
            } finally {
                child.destroyForcibly();
            }
            assertThat(child.exitValue()).isZero();
            List<TrainingEvent> events = broker.events();
            assertThat(steps(events)).isEqualTo(upTo(1_000));
            assertThat(events).extracting(TrainingEvent::getBody).noneMatch(RunFinished.class::isInstance);
        }
    }

    private Process child(String what) throws IOException {
        return new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-cp",
                        System.getProperty("java.class.path"),
                        ChildTrainer.class.getName(),
                        location,
                        spool().toString(),
                        what)
                .redirectErrorStream(true)
                .start();
    }
}
