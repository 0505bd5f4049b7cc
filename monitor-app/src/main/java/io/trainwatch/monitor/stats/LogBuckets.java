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

    // The open bucket, which every point touches, beside the object's other fields: one cache line instead of four.
    private double openMean;
    private double openSquares;
    private double openCount;
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
            close();
            closes = true;
        }
        openCount++;
        double delta = x - openMean;
        openMean += delta / openCount;
        openSquares += delta * (x - openMean);
        return closes;
    }

    private void close() {
        if (last == means.length) {
            means = Arrays.copyOf(means, 2 * last);
            squares = Arrays.copyOf(squares, 2 * last);
            counts = Arrays.copyOf(counts, 2 * last);
        }
        means[last] = openMean;
        squares[last] = openSquares;
        counts[last] = openCount;
        last++;
        edge = edgeAfter(last);
        clearOpen();
    }

    private void clearOpen() {
        openMean = 0;
        openSquares = 0;
        openCount = 0;
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
        clearOpen();
        last = bucket;
        edge = edgeAfter(last);
    }

    private static double edgeAfter(int bucket) {
        return FIRST_EDGE * Math.pow(2, bucket / (double) PER_DOUBLING);
    }

    @Override
    public void write(StateWriter out) {
        out.writeInt(last);
        out.writeDoubles(means, last);
        out.writeDoubles(squares, last);
        out.writeDoubles(counts, last);
        out.writeDouble(openMean);
        out.writeDouble(openSquares);
        out.writeDouble(openCount);
    }

    @Override
    public void read(StateReader in) {
        last = in.readCount(MAX_BUCKETS - 1);
        int capacity = Math.max(16, last);
        means = new double[capacity];
        squares = new double[capacity];
        counts = new double[capacity];
        in.readDoubles(means, last);
        in.readDoubles(squares, last);
        in.readDoubles(counts, last);
        openMean = in.readDouble();
        openSquares = in.readDouble();
        openCount = in.readDouble();
        edge = edgeAfter(last);
    }
}
