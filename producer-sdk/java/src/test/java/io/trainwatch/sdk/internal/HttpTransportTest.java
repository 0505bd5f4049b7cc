package io.trainwatch.sdk.internal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.trainwatch.codec.SingleObjectCodec;
import io.trainwatch.event.Heartbeat;
import io.trainwatch.event.RunStarted;
import io.trainwatch.event.TrainingEvent;
import io.trainwatch.run.Command;
import io.trainwatch.sdk.TrainingRun;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Collections;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.stream.LongStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A trainer and a monitor that takes events over HTTP, or does not. */
class HttpTransportTest {
    private static final Duration LIMIT = Duration.ofSeconds(20);

    @TempDir
    Path dir;

    private Receiver receiver;
    private final Queue<Command> commands = new ConcurrentLinkedQueue<>();

    @BeforeEach
    void start() throws Exception {
        receiver = new Receiver(0);
    }

    @AfterEach
    void stop() {
        receiver.close();
    }

    @Test
    void what_is_offered_arrives_once_in_order_and_with_the_token() throws Exception {
        Path token = Files.writeString(dir.resolve("token"), "a secret of enough characters\n");
        try (Transport transport = new HttpTransport(
                new Location.Http(receiver.location().events(), token), "not this one", "r", commands::add)) {
            offer(transport, 1, 3_000);
            awaitSettled(transport, 3_000);
        }

        assertThat(receiver.acknowledged).containsExactlyElementsOf(seqs(1, 3_000));
        assertThat(receiver.posted).allSatisfy(request -> {
            assertThat(request.authorization()).isEqualTo("Bearer a secret of enough characters");
            assertThat(request.contentType()).isEqualTo("application/vnd.trainwatch.avro");
        });
    }

    @Test
    void a_monitor_that_is_busy_is_left_alone_for_as_long_as_it_says() throws Exception {
        receiver.next.add((exchange, posted) -> {
            exchange.getResponseHeaders().set("Retry-After", "1");
            Receiver.answer(exchange, 429, "{\"title\":\"Too Many Requests\"}");
        });
        long beganNanos = System.nanoTime();
        try (Transport transport = transport()) {
            offer(transport, 1, 10);
            awaitSettled(transport, 10);
        }

        assertThat(Duration.ofNanos(System.nanoTime() - beganNanos)).isGreaterThan(Duration.ofSeconds(1));
        assertThat(receiver.acknowledged).containsExactlyElementsOf(seqs(1, 10));
    }

    @Test
    void whatever_else_answers_is_asked_again_and_nothing_is_taken_for_delivered() throws Exception {
        receiver.next.add((exchange, posted) -> Receiver.answer(exchange, 503, ""));
        receiver.next.add((exchange, posted) -> Receiver.answer(exchange, 200, "<html>Log in to this network</html>"));
        receiver.next.add((exchange, posted) -> Receiver.answer(exchange, 200, "{\"ok\":true}"));
        receiver.next.add((exchange, posted) -> Receiver.answer(exchange, 401, "x".repeat(1 << 20)));
        receiver.next.add((exchange, posted) -> exchange.close());
        try (Transport transport = transport()) {
            offer(transport, 1, 10);
            awaitSettled(transport, 10);
            assertThat(transport.rejected()).isZero();
        }

        assertThat(receiver.posted.size()).isGreaterThanOrEqualTo(6);
        assertThat(receiver.acknowledged).containsExactlyElementsOf(seqs(1, 10));
    }

    @Test
    void a_monitor_that_hangs_before_or_within_its_answer_is_given_up_and_asked_again() throws Exception {
        CountDownLatch end = new CountDownLatch(1);
        receiver.next.add((exchange, posted) -> end.await());
        receiver.next.add((exchange, posted) -> {
            exchange.sendResponseHeaders(200, 100);
            exchange.getResponseBody().write('{');
            exchange.getResponseBody().flush();
            end.await();
        });
        try (Transport transport =
                new HttpTransport(receiver.location(), null, "r", commands::add, Duration.ofMillis(500))) {
            offer(transport, 1, 10);
            awaitSettled(transport, 10);
        } finally {
            end.countDown();
        }

        assertThat(receiver.acknowledged).containsExactlyElementsOf(seqs(1, 10));
    }

    @Test
    void events_that_the_monitor_refuses_by_name_are_counted_and_the_next_ones_follow() throws Exception {
        receiver.next.add((exchange, posted) -> Receiver.answer(
                exchange,
                400,
                "{\"title\":\"Bad Request\",\"detail\":\"loss is bad\",\"rejected_total\":1,\"accepted\":"
                        + (posted.seqs().size() - 1) + ",\"rejected\":[{\"line\":1}],\"commands\":[]}"));
        try (Transport transport = transport()) {
            offer(transport, 1, 10);
            awaitSettled(transport, 10);
            assertThat(transport.rejected()).isEqualTo(1);
        }
    }

    @Test
    void a_request_that_is_too_large_is_sent_in_parts() throws Exception {
        CountDownLatch offered = new CountDownLatch(1);
        receiver.next.add((exchange, posted) -> {
            offered.await();
            Receiver.answer(exchange, 503, "");
        });
        for (int i = 0; i < 3; i++) {
            receiver.next.add((exchange, posted) -> Receiver.answer(exchange, 413, "{}"));
        }
        try (Transport transport = transport()) {
            offer(transport, 1, 9_000);
            offered.countDown();
            awaitSettled(transport, 9_000);
            assertThat(transport.rejected()).isZero();
        }

        assertThat(receiver.acknowledged).containsExactlyElementsOf(seqs(1, 9_000));
        List<Integer> sizes = receiver.posted.stream()
                .skip(1)
                .limit(4)
                .map(request -> request.seqs().size())
                .toList();
        assertThat(sizes).isSortedAccordingTo(Collections.reverseOrder());
        assertThat(sizes.get(3)).isLessThan(sizes.get(0) / 4);
    }

    @Test
    void commands_for_the_run_are_handed_over_and_those_of_other_runs_or_times_are_not() throws Exception {
        receiver.next.add((exchange, posted) -> Receiver.answer(exchange, 200, """
                {"accepted":1,"rejected":[],"commands":[
                  {"command_id":"c1","run_id":"r","attempt":2,"action":"stop","reason":"NaN","expires_at_ms":99},
                  {"command_id":"c2","run_id":"other","action":"stop","reason":"","expires_at_ms":99},
                  {"command_id":"c3","run_id":"r","action":"of_the_future","reason":"","expires_at_ms":99}]}"""));
        try (Transport transport = transport()) {
            offer(transport, 1, 1);
            awaitSettled(transport, 1);
            await().atMost(LIMIT).until(() -> !commands.isEmpty());
        }

        assertThat(commands).singleElement().satisfies(command -> {
            assertThat(command.getCommandId()).isEqualTo("c1");
            assertThat(command.getAttempt()).isEqualTo(2);
            assertThat(command.getAction()).hasToString("stop");
            assertThat(command.getReason()).isEqualTo("NaN");
            assertThat(command.getExpiresAtMs()).isEqualTo(99);
        });
    }

    @Test
    void a_trainer_whose_monitor_is_away_trains_on_and_sends_everything_in_order_when_it_is_back() throws Exception {
        int port = freePort();
        RunSettings settings = new RunSettings(
                "r", 0, 0, null, null, new RunStarted(), 1 << 15, dir, 16 << 20, LIMIT, Duration.ofHours(1));
        TrainingRun run = LiveRun.start(settings, Location.parse("http://127.0.0.1:" + port));
        long beganNanos = System.nanoTime();
        for (int step = 1; step <= 5_000; step++) {
            run.step(step, 1.0);
        }
        assertThat(Duration.ofNanos(System.nanoTime() - beganNanos)).isLessThan(Duration.ofSeconds(1));
        await().atMost(LIMIT).until(() -> run.delivery().spooled() >= 5_000);

        try (Receiver back = new Receiver(port)) {
            run.close();
            // run_started, the steps, run_finished
            assertThat(back.acknowledged.stream().distinct()).containsExactlyElementsOf(seqs(1, 5_002));
            assertThat(run.delivery().dropped()).isZero();
        }
    }

    private Transport transport() {
        return new HttpTransport(receiver.location(), null, "r", commands::add);
    }

    private static void offer(Transport transport, long first, long last) {
        SingleObjectCodec<TrainingEvent> codec = SingleObjectCodec.events();
        for (long seq = first; seq <= last; seq++) {
            TrainingEvent event = new TrainingEvent();
            event.setRunId("r");
            event.setSession("s");
            event.setSeq(seq);
            event.setTimestampMs(1L);
            event.setBody(new Heartbeat());
            assertThat(transport.offer(codec.encode(event))).isTrue();
        }
    }

    private static void awaitSettled(Transport transport, long events) {
        await().atMost(LIMIT).until(() -> transport.settled() == events);
    }

    private static List<Long> seqs(long first, long last) {
        return LongStream.rangeClosed(first, last).boxed().toList();
    }

    private static int freePort() throws Exception {
        try (ServerSocket socket = new ServerSocket(0)) {
            return socket.getLocalPort();
        }
    }
}
