package io.trainwatch.monitor.intake;

import java.util.EnumMap;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
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

    private final Map<Protocol, Map<Outcome, LongAdder>> requests = counters(Outcome.class);
    private final Map<Protocol, Map<Loss, LongAdder>> lost = counters(Loss.class);
    private final Map<Protocol, LongAdder> events = counters();
    private final Map<Protocol, LongAdder> bytes = counters();

    private static <K extends Enum<K>> Map<Protocol, Map<K, LongAdder>> counters(Class<K> kinds) {
        Map<Protocol, Map<K, LongAdder>> counters = new EnumMap<>(Protocol.class);
        for (Protocol protocol : Protocol.values()) {
            Map<K, LongAdder> row = new EnumMap<>(kinds);
            for (K kind : kinds.getEnumConstants()) {
                row.put(kind, new LongAdder());
            }
            counters.put(protocol, row);
        }
        return counters;
    }

    private static Map<Protocol, LongAdder> counters() {
        Map<Protocol, LongAdder> counters = new EnumMap<>(Protocol.class);
        for (Protocol protocol : Protocol.values()) {
            counters.put(protocol, new LongAdder());
        }
        return counters;
    }

    private static <K> LongAdder of(Map<K, LongAdder> counters, K key) {
        return Objects.requireNonNull(counters.get(key));
    }

    private static <K> LongAdder of(Map<Protocol, Map<K, LongAdder>> counters, Protocol protocol, K key) {
        return of(Objects.requireNonNull(counters.get(protocol)), key);
    }

    void request(Protocol protocol, Outcome outcome) {
        of(requests, protocol, outcome).increment();
    }

    void lost(Protocol protocol, Loss why, long count) {
        of(lost, protocol, why).add(count);
    }

    void events(Protocol protocol, long count) {
        of(events, protocol).add(count);
    }

    void bytes(Protocol protocol, long count) {
        of(bytes, protocol).add(count);
    }

    long requests(Protocol protocol, Outcome outcome) {
        return of(requests, protocol, outcome).sum();
    }

    long lost(Protocol protocol, Loss why) {
        return of(lost, protocol, why).sum();
    }

    long events(Protocol protocol) {
        return of(events, protocol).sum();
    }

    long bytes(Protocol protocol) {
        return of(bytes, protocol).sum();
    }
}
