package io.trainwatch.monitor.metrics;

import java.util.concurrent.atomic.LongAdder;

/** Counts durations by size. Many threads may record; a reader may see a record counted and not yet summed. */
final class LatencyHistogram {
    /** From half a microsecond to a tenth of a second: a judgement takes about one microsecond. */
    private static final long[] UPPER_BOUNDS_NANOS = {
        500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 1_000_000, 10_000_000, 100_000_000
    };

    private final LongAdder[] counts = new LongAdder[UPPER_BOUNDS_NANOS.length + 1];
    private final LongAdder nanos = new LongAdder();

    LatencyHistogram() {
        for (int i = 0; i < counts.length; i++) {
            counts[i] = new LongAdder();
        }
    }

    void record(long duration) {
        int i = 0;
        while (i < UPPER_BOUNDS_NANOS.length && duration > UPPER_BOUNDS_NANOS[i]) {
            i++;
        }
        counts[i].increment();
        nanos.add(duration);
    }

    double[] upperBoundsSeconds() {
        double[] bounds = new double[counts.length];
        for (int i = 0; i < UPPER_BOUNDS_NANOS.length; i++) {
            bounds[i] = UPPER_BOUNDS_NANOS[i] / 1e9;
        }
        bounds[UPPER_BOUNDS_NANOS.length] = Double.POSITIVE_INFINITY;
        return bounds;
    }

    long[] counts() {
        long[] sums = new long[counts.length];
        for (int i = 0; i < sums.length; i++) {
            sums[i] = counts[i].sum();
        }
        return sums;
    }

    double sumSeconds() {
        return nanos.sum() / 1e9;
    }
}
