package io.trainwatch.monitor.topology;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Events that wait to be judged run by run, while a task is behind. Thousands of runs that take turns would each time fetch
 * their state from memory anew; some thousand events together hold several of each run, and the second one finds its
 * state in the cache. Events of one run keep their order. A task that is not behind has nothing here.
 *
 * <p>At most {@value #CAPACITY} records and {@value #MAX_BYTES} bytes of them, whichever comes first. They wait as bytes in
 * one array: as objects, each of them would be copied by the garbage collector before it is judged. Headers do not wait.
 */
final class CatchUp {
    static final int CAPACITY = 65_536;

    /** Keys and values that wait: records may be as large as the topic takes. */
    static final int MAX_BYTES = 16 << 20;

    /** Age of a record, by the time of its append, from which on a task is behind. */
    static final long BEHIND_MS = 1_000;

    /** Runs of a task that take turns without harm: the states of so many, of 30 kB each, stay in a cache of 1 MB. */
    static final int FEW_RUNS = 16;

    /** Some that lie far apart: 8 and 32 were about as good. */
    private static final int HANDFUL = 16;

    private static final int FIRST_CAPACITY = 1_024;
    private static final int FIRST_BYTES = 256 << 10;
    private static final int NO_VALUE = -1;
    /** Offset, timestamp, length of the key, length of the value. */
    private static final int HEAD_BYTES = 2 * Long.BYTES + 2 * Integer.BYTES;

    private ByteBuffer waiting = ByteBuffer.allocate(FIRST_BYTES);
    /** Hash of the key in the upper half, place in {@link #waiting} in the lower: sorting groups runs and keeps order. */
    private long[] order = new long[FIRST_CAPACITY];

    private int count;
    private int countAtTick;

    boolean isEmpty() {
        return count == 0;
    }

    boolean isFull() {
        return count == CAPACITY || waiting.position() - count * HEAD_BYTES >= MAX_BYTES;
    }

    /** Whether no record came since the last call: the stream ended within what waits. */
    boolean isStale() {
        boolean stale = count == countAtTick;
        if (stale && count == 0 && waiting.capacity() > FIRST_BYTES) {
            waiting = ByteBuffer.allocate(FIRST_BYTES);
            order = new long[FIRST_CAPACITY];
        }
        countAtTick = count;
        return stale;
    }

    /** Adds a record; all of them come from one partition. */
    void add(byte[] key, byte @Nullable [] value, long timestampMs, long offset) {
        if (count == order.length) {
            order = Arrays.copyOf(order, 4 * count);
        }
        order[count] = ((long) Arrays.hashCode(key) << Integer.SIZE) | waiting.position();
        room(HEAD_BYTES + key.length + (value == null ? 0 : value.length))
                .putLong(offset)
                .putLong(timestampMs)
                .putInt(key.length)
                .putInt(value == null ? NO_VALUE : value.length)
                .put(key);
        if (value != null) {
            waiting.put(value);
        }
        count++;
    }

    private ByteBuffer room(int bytes) {
        if (waiting.remaining() < bytes) {
            int needed = waiting.position() + bytes;
            waiting = ByteBuffer.allocate(Math.max(needed, 2 * waiting.capacity()))
                    .put(waiting.flip());
        }
        return waiting;
    }

    /**
     * Judges what waits, run by run, a handful at a time. What was judged does not wait any more, also if {@code judge}
     * throws.
     */
    void drain(Consumer<List<EventRecord>> judge) {
        Arrays.sort(order, 0, count);
        int waited = count;
        clear();
        List<EventRecord> handful = new ArrayList<>(HANDFUL);
        // Nothing is added while these are judged, so they can be read where they are.
        for (int i = 0; i < waited; i++) {
            // They lie far apart: looked up one right after the other, they come from memory together.
            handful.add(recordAt((int) order[i]));
            if (handful.size() == HANDFUL || i == waited - 1) {
                judge.accept(handful);
                handful.clear();
            }
        }
    }

    private EventRecord recordAt(int at) {
        byte[] bytes = waiting.array();
        int keyLength = waiting.getInt(at + 2 * Long.BYTES);
        int valueLength = waiting.getInt(at + 2 * Long.BYTES + Integer.BYTES);
        int key = at + HEAD_BYTES;
        return new EventRecord(
                ByteBuffer.wrap(bytes, key, keyLength),
                valueLength == NO_VALUE ? null : ByteBuffer.wrap(bytes, key + keyLength, valueLength),
                waiting.getLong(at + Long.BYTES),
                waiting.getLong(at));
    }

    /** Forgets what waits: the task is closed, and another one reads it again. */
    void clear() {
        count = 0;
        waiting.clear();
    }
}
