package io.trainwatch.monitor.topology;

import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;

/**
 * How far the tasks of this instance are behind the end of the events topic.
 *
 * <p>Silence of a run means something only while the monitor would hear it: with a broker that does not answer, or a
 * backlog, every run is silent. So the end of the topic is asked for, and an answer that is older than {@code 10 s} counts
 * as none.
 */
final class Lag {
    private static final long ANSWER_LIFE_MS = 10_000;
    private static final long QUIET_MS = 30_000;
    /** Offsets at the end of a partition that may be transaction markers of a producer and never come as records. */
    private static final int MARKERS = 16;

    private final Map<Integer, Partition> partitions = new ConcurrentHashMap<>();

    Partition assigned(int partition) {
        Partition fresh = new Partition();
        partitions.put(partition, fresh);
        return fresh;
    }

    void revoked(int partition, Partition ofTask) {
        partitions.remove(partition, ofTask);
    }

    Set<Integer> assigned() {
        return Set.copyOf(partitions.keySet());
    }

    /**
     * Notes an answer of the broker.
     *
     * @param start first offset that a reader without progress would read: the committed one, or the start of the log
     * @param end offset after the last record
     */
    void observe(int partition, long start, long end, long nowMs) {
        Partition observed = partitions.get(partition);
        if (observed != null) {
            observed.observe(start, end, nowMs);
        }
    }

    /** Events that wait, over the partitions of this instance, as of the latest answer of the broker. */
    long events() {
        return partitions.values().stream().mapToLong(Partition::behind).sum();
    }

    static final class Partition {
        private final AtomicLong next = new AtomicLong();
        private volatile long end = -1;
        private volatile long observedAtMs;
        private volatile long quietSinceMs;
        private long nextAtObservation = -1;

        void processed(long offset) {
            next.lazySet(offset + 1);
        }

        private void observe(long start, long newEnd, long nowMs) {
            next.accumulateAndGet(start, Math::max);
            if (newEnd != end || next.get() != nextAtObservation) {
                quietSinceMs = nowMs;
            }
            nextAtObservation = next.get();
            end = newEnd;
            observedAtMs = nowMs;
        }

        private long behind() {
            return Math.max(0, end - next.get());
        }

        boolean isCaughtUp(long nowMs) {
            if (end < 0 || nowMs - observedAtMs > ANSWER_LIFE_MS) {
                return false;
            }
            long behind = behind();
            return behind == 0 || (behind <= MARKERS && nowMs - quietSinceMs >= QUIET_MS);
        }
    }
}
