package io.trainwatch.monitor.topology;

import java.util.Arrays;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.processor.api.RecordMetadata;

/**
 * Events that wait to be judged run by run, while a task is behind. Thousands of runs that take turns would each time fetch
 * their state from memory anew; some thousand events together hold several of each run, and the second one finds its
 * state in the cache. Events of one run keep their order. A task that is not behind has nothing here.
 *
 * <p>At most {@value #CAPACITY} records, of some 300 bytes each.
 */
final class CatchUp {
    static final int CAPACITY = 16_384;

    /** Age of a record, by the time of its append, from which on a task is behind. */
    static final long BEHIND_MS = 1_000;

    /** What judges one record. */
    interface Judge {
        void judge(Record<byte[], byte[]> record, RecordMetadata source);
    }

    private record Waiting(Record<byte[], byte[]> record, RecordMetadata source) {}

    private final Waiting[] waiting = new Waiting[CAPACITY];
    /** Hash of the key in the upper half, place in {@link #waiting} in the lower: sorting groups runs and keeps order. */
    private final long[] order = new long[CAPACITY];

    private int count;
    private int countAtTick;

    boolean isEmpty() {
        return count == 0;
    }

    boolean isFull() {
        return count == CAPACITY;
    }

    /** Whether no record came since the last call: the stream ended within what waits. */
    boolean isStale() {
        boolean stale = count == countAtTick;
        countAtTick = count;
        return stale;
    }

    void add(Record<byte[], byte[]> record, RecordMetadata source) {
        waiting[count] = new Waiting(record, source);
        order[count] = ((long) Arrays.hashCode(record.key()) << Integer.SIZE) | count;
        count++;
    }

    /** Judges what waits, run by run. What was judged does not wait any more, also if {@code judge} throws. */
    void drain(Judge judge) {
        Arrays.sort(order, 0, count);
        int waited = count;
        count = 0;
        for (int i = 0; i < waited; i++) {
            int place = (int) order[i];
            Waiting next = waiting[place];
            waiting[place] = null;
            judge.judge(next.record(), next.source());
        }
    }

    /** Forgets what waits: the task is closed, and another one reads it again. */
    void clear() {
        Arrays.fill(waiting, 0, count, null);
        count = 0;
    }
}
