package io.trainwatch.monitor.web;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodySubscriber;
import java.net.http.HttpResponse.BodySubscribers;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Flow;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * Hears what one other instance tells of its runs ({@link LiveApi}), and takes it up where it ended when the connection broke.
 * Nothing waits here: the next line is asked for when the ear is done with the one before.
 */
final class Relay implements AutoCloseable {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final int OK = 200;
    private static final String SILENT = "does not answer";

    /** An instance says every few seconds that it is there. */
    private static final long SILENCE_NS =
            Duration.ofSeconds(3L * LiveApi.ALIVE_SECONDS).toNanos();

    private static final long RETRY_NS = Duration.ofSeconds(1).toNanos();

    /** Told each message, by a thread of the HTTP client. */
    @FunctionalInterface
    interface Ear {
        void heard(Relay from, String event, ObjectNode message);
    }

    private final String address;
    private final HttpClient client;
    private final Function<@Nullable String, HttpRequest> stream;
    private final Ear ear;
    private volatile @Nullable String id;
    private volatile @Nullable String trouble;
    private volatile String refusal = SILENT;
    private @Nullable Connection connection;
    private long triedNs;

    /**
     * Hears nothing before {@link #keepUp}.
     *
     * @param address of the instance
     * @param stream the request for what it tells after an id, null for from now on
     * @param id the last that was told; null to hear from now on
     */
    Relay(
            String address,
            HttpClient client,
            Function<@Nullable String, HttpRequest> stream,
            @Nullable String id,
            Ear ear) {
        this.address = address;
        this.client = client;
        this.stream = stream;
        this.id = id;
        this.ear = ear;
    }

    String address() {
        return address;
    }

    /** The last that was told; empty if nothing was: whoever goes on from there has to look at the whole fleet. */
    String id() {
        String last = id;
        return last == null ? "" : last;
    }

    /** What is wrong with that instance, e.g. {@code does not answer}; null if nothing is known to be. */
    @Nullable
    String trouble() {
        return trouble;
    }

    /** Connects, if it is not; to be called every now and then by one thread. */
    void keepUp() {
        if (connection != null) {
            if (!connection.isLost()) {
                return;
            }
            trouble = refusal;
            if (System.nanoTime() - triedNs < RETRY_NS) {
                return;
            }
        }
        close();
        triedNs = System.nanoTime();
        refusal = SILENT;
        Connection next = new Connection();
        next.answer = client.sendAsync(
                stream.apply(id),
                head -> head.statusCode() == OK
                        ? BodySubscribers.fromLineSubscriber(next)
                        : refused(head.statusCode()));
        connection = next;
    }

    private BodySubscriber<Void> refused(int status) {
        refusal = "answers " + status;
        return BodySubscribers.discarding();
    }

    @Override
    public void close() {
        if (connection != null) {
            connection.end();
        }
    }

    /** One life of the stream. */
    private final class Connection implements Flow.Subscriber<String> {
        private @Nullable CompletableFuture<?> answer;
        private volatile Flow.@Nullable Subscription lines;
        private String event = "";
        private volatile long heardNs = System.nanoTime();
        private volatile boolean over;

        boolean isLost() {
            return over || (answer != null && answer.isDone()) || System.nanoTime() - heardNs > SILENCE_NS;
        }

        void end() {
            over = true;
            Flow.Subscription subscription = lines;
            if (subscription != null) {
                subscription.cancel();
            }
            if (answer != null) {
                answer.cancel(true);
            }
        }

        @Override
        public void onSubscribe(Flow.Subscription subscription) {
            lines = subscription;
            subscription.request(1);
        }

        @Override
        public void onNext(String line) {
            heardNs = System.nanoTime();
            if (line.startsWith("event:")) {
                event = line.substring("event:".length()).strip();
            } else if (line.startsWith("data:") && !over) {
                hear(line.substring("data:".length()));
            }
            Flow.Subscription subscription = lines;
            if (subscription != null) {
                subscription.request(1);
            }
        }

        private void hear(String data) {
            try {
                if (!(JSON.readTree(data) instanceof ObjectNode message)) {
                    return;
                }
                if (event.equals("alive")) {
                    trouble = message.has("not_ready")
                            ? "does not judge now: " + message.get("not_ready").asText()
                            : null;
                } else {
                    id = message.path("id").asText("");
                    ear.heard(Relay.this, event, message);
                }
            } catch (JsonProcessingException e) {
                over = true;
            }
        }

        @Override
        public void onError(Throwable broken) {
            over = true;
        }

        @Override
        public void onComplete() {
            over = true;
        }
    }
}
