package io.trainwatch.monitor.notify;

import static io.trainwatch.monitor.notify.Alerts.nan;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.trainwatch.monitor.notify.Receiver.Answer;
import io.trainwatch.monitor.topology.Broker;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A notifier is killed at each stage of a delivery: every page arrives, and what arrives twice has the same key. */
class NotifierCrashTest {
    private static final Duration LIMIT = Duration.ofMinutes(2);

    @TempDir
    Path dir;

    @Test
    void killed_before_it_sends_after_it_sent_and_before_that_is_kept_and_while_it_waits_to_try_again() throws Exception {
        try (Broker broker = new Broker(dir.resolve("kafka"));
                AlertTopic topic = new AlertTopic(broker, "k.")) {
            int port = killedBeforeItSends(topic);
            URI url = URI.create("http://127.0.0.1:" + port + "/");
            try (Receiver receiver = new Receiver(port)) {
                receiver.behaving(request -> Answer.status(-1));
                killedAfterItSent(topic, url, receiver);
                receiver.behaving(request -> new Answer(503, "", "3600"));
                killedInBackoff(topic, url, receiver, broker);

                receiver.behaving(request -> Answer.OK);
                NotifierProcess last = NotifierProcess.start(topic.monitor(), url);
                try {
                    await().atMost(LIMIT)
                            .untilAsserted(() -> assertThat(receiver.taken().stream()
                                            .map(NotifierCrashTest::runOf)
                                            .collect(Collectors.toSet()))
                                    .containsExactlyInAnyOrder("before-sending", "after-sending", "in-backoff"));
                } finally {
                    last.kill();
                }

                // One key for each run, however often it was sent; each was taken once.
                assertThat(receiver.requests().stream()
                                .map(request ->
                                        runOf(request) + request.json().get("key").asText())
                                .distinct())
                        .hasSize(3);
                assertThat(receiver.taken()).hasSize(3);
            }
        }
    }

    /** It has read the alert and decided to tell; its receiver does not take the connection. Returns the port of that. */
    private static int killedBeforeItSends(AlertTopic topic) throws Exception {
        List<Socket> waiting = new ArrayList<>();
        try (ServerSocket busy = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            InetSocketAddress address = new InetSocketAddress(busy.getInetAddress(), busy.getLocalPort());
            try {
                while (true) {
                    Socket socket = new Socket();
                    waiting.add(socket);
                    socket.connect(address, 500);
                }
            } catch (SocketTimeoutException full) {
                waiting.remove(waiting.size() - 1).close();
            }
            NotifierProcess process =
                    NotifierProcess.start(topic.monitor(), URI.create("http://127.0.0.1:" + address.getPort() + "/"));
            topic.put(nan("before-sending"));
            await().atMost(LIMIT).until(() -> isConnecting(address.getPort()));
            process.kill();
            return address.getPort();
        } finally {
            for (Socket socket : waiting) {
                socket.close();
            }
        }
    }

    /** The receiver has the page, and its answer never comes. */
    private static void killedAfterItSent(AlertTopic topic, URI url, Receiver receiver) throws Exception {
        topic.put(nan("after-sending"));
        NotifierProcess process = NotifierProcess.start(topic.monitor(), url);
        await().atMost(LIMIT).until(() -> !receiver.requests().isEmpty());
        process.kill();
    }

    /** It was told to come back in an hour, and has kept and committed that. */
    private static void killedInBackoff(AlertTopic topic, URI url, Receiver receiver, Broker broker) throws Exception {
        topic.put(nan("in-backoff"));
        int before = receiver.requests().size();
        NotifierProcess process = NotifierProcess.start(topic.monitor(), url);
        await().atMost(LIMIT).until(() -> receiver.requests().size() > before);
        await().atMost(LIMIT).until(() -> committed(broker) == 3);
        process.kill();
    }

    private static long committed(Broker broker) throws Exception {
        return broker.admin
                .listConsumerGroupOffsets("k.notify-hook")
                .partitionsToOffsetAndMetadata()
                .get()
                .values()
                .stream()
                .mapToLong(place -> place == null ? 0 : place.offset())
                .sum();
    }

    /** Whether somebody's connection to a port of this machine waits to be taken: SYN_SENT, as Linux shows it. */
    private static boolean isConnecting(int port) {
        String waits = String.format(Locale.ROOT, ":%04X 02 ", port);
        return List.of("/proc/net/tcp", "/proc/net/tcp6").stream().anyMatch(table -> {
            try {
                return Files.readString(Path.of(table)).contains(waits);
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        });
    }

    private static String runOf(Receiver.Request request) {
        return request.json().at("/alerts/0/run_id").asText();
    }
}
