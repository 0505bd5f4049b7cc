package io.trainwatch.monitor.intake;

import io.javalin.http.Context;
import io.javalin.http.HttpStatus;
import io.trainwatch.monitor.intake.IntakeCounters.Outcome;
import io.trainwatch.monitor.intake.IntakeCounters.Protocol;
import io.trainwatch.monitor.web.Problem;
import java.io.IOException;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;

/** What all that take something in share: how much at once, and that the answer waits for the broker. Thread-safe. */
final class Gateway {
    private static final int BUSY_RETRY_SECONDS = 1;
    private static final int UNAVAILABLE_RETRY_SECONDS = 5;

    private final IntakeSettings settings;
    private final EventOutlet outlet;
    private final IntakeCounters counters;
    private final Semaphore readers;

    Gateway(IntakeSettings settings, EventOutlet outlet, IntakeCounters counters) {
        this.settings = settings;
        this.outlet = outlet;
        this.counters = counters;
        readers = new Semaphore(settings.maxRequests());
    }

    IntakeCounters counters() {
        return counters;
    }

    /** Makes something of a body. */
    interface Reader<T> {
        T read(byte[] body) throws Problem, IOException;
    }

    /**
     * Reads the body of a request.
     *
     * @throws Problem if too many are read already, or what {@link RequestBody} and the reader say
     */
    <T> T read(Context context, Protocol protocol, Reader<T> reader) throws Problem, IOException {
        return read(context, protocol, settings.maxBodyBytes(), reader);
    }

    /** The same for a protocol whose bodies are shorter. */
    <T> T read(Context context, Protocol protocol, int maxBytes, Reader<T> reader) throws Problem, IOException {
        if (!readers.tryAcquire()) {
            throw busy(context, protocol, settings.maxRequests() + " requests are being read (intake.max_requests)");
        }
        try {
            byte[] body = RequestBody.read(context, Math.min(maxBytes, settings.maxBodyBytes()));
            counters.bytes(protocol, body.length);
            return reader.read(body);
        } catch (Problem e) {
            counters.request(protocol, Outcome.REFUSED);
            throw e;
        } finally {
            readers.release();
        }
    }

    /**
     * Sends events and answers when the broker has them, or that the sender should come back.
     *
     * @param answer writes the answer, knowing the indices of the events that the broker refuses for good
     * @throws Problem if there is no room for the events
     */
    void deliver(Context context, Protocol protocol, List<EventBody.Event> events, Consumer<List<Integer>> answer)
            throws Problem {
        CompletableFuture<List<Integer>> sent = outlet.send(events);
        if (sent == null) {
            throw busy(
                    context,
                    protocol,
                    outlet.unacknowledgedBytes() + " bytes wait for the broker (intake.max_unacknowledged_bytes)");
        }
        var unused = sent.thenAccept(refused -> counters.events(protocol, events.size() - refused.size()));
        CompletableFuture<List<Integer>> inTime =
                sent.copy().orTimeout(settings.brokerLimit().toMillis(), TimeUnit.MILLISECONDS);
        context.future(() -> inTime.handle((refused, error) -> {
            if (error == null) {
                answer.accept(refused);
            } else {
                counters.request(protocol, Outcome.UNAVAILABLE);
                retryAfter(context, UNAVAILABLE_RETRY_SECONDS);
                Problem.answer(
                        context,
                        HttpStatus.SERVICE_UNAVAILABLE,
                        "Kafka has not taken the events within "
                                + settings.brokerLimit().toMillis()
                                + " ms: send them again; those that arrived are not counted twice");
            }
            return null;
        }));
    }

    private Problem busy(Context context, Protocol protocol, String why) {
        counters.request(protocol, Outcome.BUSY);
        retryAfter(context, BUSY_RETRY_SECONDS);
        return Problem.of(HttpStatus.TOO_MANY_REQUESTS, why + ": come back in a moment");
    }

    private static void retryAfter(Context context, int seconds) {
        context.header("Retry-After", Integer.toString(seconds));
    }
}
