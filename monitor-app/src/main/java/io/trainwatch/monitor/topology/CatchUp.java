package io.trainwatch.monitor.topology;

import java.util.Arrays;
import java.util.Objects;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.processor.api.RecordMetadata;
import org.jspecify.annotations.Nullable;

/**
 * Events that wait to be judged run by run, while a task is behind. Thousands of runs that take turns would each time fetch
 * their state from memory anew; some thousand events together hold several of each run, and the second one finds its
 * state in the cache. Events of one run keep their order. A task that is not behind has nothing here.
 *
 * <p>At most {@value #CAPACITY} records and {@value #MAX_BYTES} bytes of them, whichever comes first.
 */
final class CatchUp {
    static final int CAPACITY = 65_536;

    /** Keys and values that wait: records may be as large as the topic takes. */
    static final int MAX_BYTES = 16 << 20;

    /** Age of a record, by the time of its append, from which on a task is behind. */
    static final long BEHIND_MS = 1_000;

    /** What judges one record. */
    interface Judge {
        void judge(Record<byte[], byte[]> record, RecordMetadata source);
    }

    private record Waiting(Record<byte[], byte[]> record, RecordMetadata source) {}

    private static final int FIRST_CAPACITY = 1_024;

    private @Nullable Waiting[] waiting = new Waiting[FIRST_CAPACITY];
    /** Hash of the key in the upper half, place in {@link #waiting} in the lower: sorting groups runs and keeps order. */
    private long[] order = new long[FIRST_CAPACITY];

    private int count;
    private long bytes;
    private int countAtTick;

    boolean isEmpty() {
        return count == 0;
    }

    boolean isFull() {
        return count == CAPACITY || bytes >= MAX_BYTES;
    }

    /** Whether no record came since the last call: the stream ended within what waits. */
    boolean isStale() {
        boolean stale = count == countAtTick;
        countAtTick = count;
        return stale;
    }

    void add(Record<byte[], byte[]> record, RecordMetadata source) {
        if (count == waiting.length) {
            waiting = Arrays.copyOf(waiting, 4 * count);
            order = Arrays.copyOf(order, 4 * count);
        }
        waiting[count] = new Waiting(record, source);
        order[count] = ((long) Arrays.hashCode(record.key()) << Integer.SIZE) | count;
        bytes += record.key().length + (record.value() == null ? 0 : record.value().length);
        count++;
    }

    /** Judges what waits, run by run. What was judged does not wait any more, also if {@code judge} throws. */
    void drain(Judge judge) {
        Arrays.sort(order, 0, count);
        int waited = count;
        count = 0;
        bytes = 0;
        for (int i = 0; i < waited; i++) {
            int place = (int) order[i];
            Waiting next = Objects.requireNonNull(waiting[place]);
            waiting[place] = null;
            judge.judge(next.record(), next.source());
        }
    }

    /** Forgets what waits: the task is closed, and another one reads it again. */
    void clear() {
        Arrays.fill(waiting, 0, count, null);
        count = 0;
        bytes = 0;
    }
}
