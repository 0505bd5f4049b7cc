package io.trainwatch.monitor.stats;

import java.util.Arrays;

/**
 * Mean and variance of a series in buckets whose edges grow by 2^(1/4): four buckets to a doubling, the first one up to
 * {@value #FIRST_EDGE} steps. A million steps take 57 buckets. Improvement per doubling of steps is constant for a power
 * law, which makes these buckets the natural clock of a learning curve (DETECTION.md D05).
 *
 * <p>Positions are steps since the start of the series, ascending; {@link #truncate} goes back to an earlier one.
 */
public final class LogBuckets implements Persistent {
    public static final int FIRST_EDGE = 64;
    public static final int PER_DOUBLING = 4;

    private static final int MAX_BUCKETS = 240;

    private double[] means = new double[16];
    private double[] squares = new double[16];
    private double[] counts = new double[16];
    private int last;
    private double edge = FIRST_EDGE;

    /** Closed buckets; the open one is not among them. */
    public int closed() {
        return last;
    }

    /** Points of a closed bucket. */
    public long count(int bucket) {
        return (long) counts[bucket];
    }

    /** Mean of a closed bucket, NaN if it is empty. */
    public double mean(int bucket) {
        return counts[bucket] == 0 ? Double.NaN : means[bucket];
    }

    /** Unbiased variance within a closed bucket, NaN below two points. */
    public double variance(int bucket) {
        return counts[bucket] < 2 ? Double.NaN : squares[bucket] / (counts[bucket] - 1);
    }

    /**
     * Adds a finite point.
     *
     * @return true if the point closed a bucket (it is the first behind it)
     */
    public boolean add(long position, double x) {
        boolean closes = false;
        while (position >= edge && last < MAX_BUCKETS - 1) {
            last++;
            edge = edgeAfter(last);
            closes = true;
            if (last == means.length) {
                means = Arrays.copyOf(means, 2 * last);
                squares = Arrays.copyOf(squares, 2 * last);
                counts = Arrays.copyOf(counts, 2 * last);
            }
        }
        counts[last]++;
        double delta = x - means[last];
        means[last] += delta / counts[last];
        squares[last] += delta * (x - means[last]);
        return closes;
    }

    /**
     * Forgets what lies in and behind the bucket of {@code position}: the run goes on from there. A position behind the
     * open bucket forgets nothing.
     */
    public void truncate(long position) {
        if (position >= edge) {
            return;
        }
        int bucket = 0;
        while (bucket < last && position >= edgeAfter(bucket)) {
            bucket++;
        }
        Arrays.fill(means, bucket, last + 1, 0);
        Arrays.fill(squares, bucket, last + 1, 0);
        Arrays.fill(counts, bucket, last + 1, 0);
        last = bucket;
        edge = edgeAfter(last);
    }

    private static double edgeAfter(int bucket) {
        return FIRST_EDGE * Math.pow(2, bucket / (double) PER_DOUBLING);
    }

    @Override
    public void write(StateWriter out) {
        out.writeInt(last);
        out.writeDoubles(means, last + 1);
        out.writeDoubles(squares, last + 1);
        out.writeDoubles(counts, last + 1);
    }

    @Override
    public void read(StateReader in) {
        last = in.readCount(MAX_BUCKETS - 1);
        int capacity = Math.max(16, last + 1);
        means = new double[capacity];
        squares = new double[capacity];
        counts = new double[capacity];
        in.readDoubles(means, last + 1);
        in.readDoubles(squares, last + 1);
        in.readDoubles(counts, last + 1);
        edge = edgeAfter(last);
    }
}
