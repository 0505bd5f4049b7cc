package io.trainwatch.monitor.intake;

import java.util.Locale;
import java.util.concurrent.atomic.LongAdder;

/** What came in over HTTP since the start. Thread-safe. */
final class IntakeCounters {
    /** Who may come in. The label is stable. */
    enum Protocol {
        /** Events as they are. */
        EVENTS,
        /** MLflow's tracking API. */
        MLFLOW,
        /** OpenTelemetry metrics. */
        OTLP;

        final String label = name().toLowerCase(Locale.ROOT);
    }

    /** How a request ended. The label is stable. */
    enum Outcome {
        /** All of it was taken. */
        ACCEPTED,
        /** The sender has to mend it, at least in part. */
        REFUSED,
        /** Too much at once: the sender was told to come back. */
        BUSY,
        /** The broker did not answer: the sender was told to come back. */
        UNAVAILABLE;

        final String label = name().toLowerCase(Locale.ROOT);
    }

    /** Why an event or a number was not taken. The label is stable. */
    enum Loss {
        /** It is none, or out of bounds. */
        INVALID,
        /** There was no room for it while the broker did not answer, and its sender would have waited. */
        NO_ROOM,
        /** The broker did not take it in time, and its sender had its answer already. */
        NOT_DELIVERED;

        final String label = name().toLowerCase(Locale.ROOT);
    }

    private final LongAdder[][] requests = counters(Outcome.values().length);
    private final LongAdder[][] lost = counters(Loss.values().length);
    private final LongAdder[][] events = counters(1);
    private final LongAdder[][] bytes = counters(1);

    private static LongAdder[][] counters(int kinds) {
        LongAdder[][] counters = new LongAdder[Protocol.values().length][kinds];
        for (LongAdder[] row : counters) {
            for (int i = 0; i < kinds; i++) {
                row[i] = new LongAdder();
            }
        }
        return counters;
    }

    void request(Protocol protocol, Outcome outcome) {
        requests[protocol.ordinal()][outcome.ordinal()].increment();
    }

    void lost(Protocol protocol, Loss why, long count) {
        lost[protocol.ordinal()][why.ordinal()].add(count);
    }

    void events(Protocol protocol, long count) {
        events[protocol.ordinal()][0].add(count);
    }

    void bytes(Protocol protocol, long count) {
        bytes[protocol.ordinal()][0].add(count);
    }

    long requests(Protocol protocol, Outcome outcome) {
        return requests[protocol.ordinal()][outcome.ordinal()].sum();
    }

    long lost(Protocol protocol, Loss why) {
        return lost[protocol.ordinal()][why.ordinal()].sum();
    }

    long events(Protocol protocol) {
        return events[protocol.ordinal()][0].sum();
    }

    long bytes(Protocol protocol) {
        return bytes[protocol.ordinal()][0].sum();
    }
}
