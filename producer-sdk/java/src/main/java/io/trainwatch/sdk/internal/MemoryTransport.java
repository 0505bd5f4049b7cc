package io.trainwatch.sdk.internal;

import io.trainwatch.codec.SingleObjectCodec;
import io.trainwatch.codec.UndecodableException;
import io.trainwatch.event.TrainingEvent;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ConcurrentMap;

/** Keeps events in this JVM under a name, for tests: at most {@value #MAX_EVENTS} per transport, then refuses for good. */
public final class MemoryTransport implements Transport {
    static final int MAX_EVENTS = 1_000_000;

    private static final ConcurrentMap<String, ConcurrentLinkedQueue<byte[]>> NAMED = new ConcurrentHashMap<>();

    private final ConcurrentLinkedQueue<byte[]> events;
    private long settled;
    private long rejected;

    MemoryTransport(String name) {
        events = NAMED.computeIfAbsent(name, n -> new ConcurrentLinkedQueue<>());
    }

    /** Returns the events that have arrived under a name, oldest first. */
    public static List<TrainingEvent> events(String name) {
        SingleObjectCodec<TrainingEvent> codec = SingleObjectCodec.events();
        List<TrainingEvent> decoded = new ArrayList<>();
        for (byte[] event : NAMED.getOrDefault(name, new ConcurrentLinkedQueue<>())) {
            try {
                decoded.add(codec.decode(event));
            } catch (UndecodableException e) {
                throw new IllegalStateException("memory:" + name + " holds what is not an event", e);
            }
        }
        return decoded;
    }

    /** Forgets the events under a name. */
    public static void forget(String name) {
        NAMED.remove(name);
    }

    @Override
    public boolean offer(byte[] event) {
        if (settled - rejected < MAX_EVENTS) {
            events.add(event);
        } else {
            rejected++;
        }
        settled++;
        return true;
    }

    @Override
    public long settled() {
        return settled;
    }

    @Override
    public long rejected() {
        return rejected;
    }

    @Override
    public boolean hasFailed() {
        return false;
    }

    @Override
    public void close() {}
}
