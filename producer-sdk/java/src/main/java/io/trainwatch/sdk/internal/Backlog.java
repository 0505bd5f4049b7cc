package io.trainwatch.sdk.internal;

import java.util.ArrayDeque;
import java.util.EnumMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Events in memory that wait to be sent or spooled, in order. Bounded by count and by bytes: what does not fit pushes out
 * the oldest event of the lowest {@link Importance}, which may be the new one itself.
 */
final class Backlog {
    private record Entry(long order, Outgoing event) {}

    private final Map<Importance, ArrayDeque<Entry>> lanes = new EnumMap<>(Importance.class);
    private final int maxEvents;
    private final long maxBytes;
    private long nextOrder;
    private int events;
    private long bytes;
    private long dropped;

    Backlog(int maxEvents, long maxBytes) {
        this.maxEvents = maxEvents;
        this.maxBytes = maxBytes;
        for (Importance importance : Importance.values()) {
            lanes.put(importance, new ArrayDeque<>());
        }
    }

    void add(Outgoing event) {
        lane(event.importance).add(new Entry(nextOrder++, event));
        events++;
        bytes += event.bytes.length;
        while (events > maxEvents || bytes > maxBytes) {
            dropOne();
        }
    }

    /** Returns the oldest event and leaves it; null if there is none. */
    @Nullable
    Outgoing peek() {
        Entry oldest = oldest();
        return oldest == null ? null : oldest.event();
    }

    /** Removes and returns the oldest event; null if there is none. */
    @Nullable
    Outgoing poll() {
        Entry oldest = oldest();
        return oldest == null ? null : remove(oldest.event().importance);
    }

    int size() {
        return events;
    }

    /** Events pushed out so far. */
    long dropped() {
        return dropped;
    }

    private @Nullable Entry oldest() {
        Entry oldest = null;
        if (events > 0) {
            for (ArrayDeque<Entry> lane : lanes.values()) {
                Entry first = lane.peek();
                if (first != null && (oldest == null || first.order() < oldest.order())) {
                    oldest = first;
                }
            }
        }
        return oldest;
    }

    private void dropOne() {
        for (Importance importance : Importance.values()) {
            if (!lane(importance).isEmpty()) {
                remove(importance);
                dropped++;
                return;
            }
        }
    }

    private Outgoing remove(Importance importance) {
        Outgoing event = lane(importance).remove().event();
        events--;
        bytes -= event.bytes.length;
        return event;
    }

    private ArrayDeque<Entry> lane(Importance importance) {
        ArrayDeque<Entry> lane = lanes.get(importance);
        if (lane == null) {
            throw new IllegalStateException("no lane for " + importance);
        }
        return lane;
    }
}
