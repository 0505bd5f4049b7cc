package io.trainwatch.monitor.stats;

import java.util.Arrays;

/**
 * Median and robust scale of the last {@value #CAPACITY} points of a series.
 *
 * <pre>
 * scale = max(1.4826 MAD, IQR / 1.349, q, 0.7 A, relativeFloor |median|, 1e-12)
 * score(x) = (x - median) / scale
 * </pre>
 *
 * <p>The floors keep a score honest where the MAD alone is not: {@code q} is the smallest change between consecutive
 * points, forgotten by a thousandth at each later change, which is the resolution of a rounded log (llm.c prints gradient
 * norms with two decimals and has windows whose MAD is 0); {@code A} is a mean over some 2,048 points of {@code min(|x - median|, 5 scale)}, which
 * keeps strongly autocorrelated noise quiet: with 0.7 AR(0.99) and AR(0.999) give 0 to 2 alarms in 100,000 points, without it
 * 6, and 1.25 would halve the recall of 10-sigma spikes (DETECTION.md 2.2).
 *
 * <p>Points are kept as floats: trainers log no more digits, and half the memory is half the cache misses when thousands of
 * runs take turns. Adding costs two binary searches and a copy within 512 bytes. About 1.2 kB. Magnitudes above
 * {@value #LARGEST} count as that, so that no difference overflows. Known weakness: half of the window has to leave before
 * a new level is normal.
 */
public final class RobustWindow implements Persistent {
    public static final int CAPACITY = 128;

    static final double LARGEST = 1e37;

    private static final double SLOW_WEIGHT = 1.0 / 2048;
    private static final double RESOLUTION_FORGETTING = 1.001;

    private final double relativeFloor;
    private final float[] ring = new float[CAPACITY];
    /** The points in ascending order; behind them what is above each of them. */
    private final float[] sorted = new float[CAPACITY];

    private long added;
    private int size;
    private double previous = Double.NaN;
    private double resolution = Double.NaN;
    private double slowDeviation;
    private double median = Double.NaN;
    private double scale = Double.NaN;

    /**
     * An empty window.
     *
     * @param relativeFloor share of |median| below which the scale does not fall, at least 0
     */
    public RobustWindow(double relativeFloor) {
        this.relativeFloor = relativeFloor;
        Arrays.fill(sorted, Float.POSITIVE_INFINITY);
    }

    /** Points in the window, 0 to {@value #CAPACITY}. */
    public int size() {
        return size;
    }

    /** The median, NaN while empty. */
    public double median() {
        return median;
    }

    /** The scale of one standard deviation if the series were normal, above 0; NaN while empty. */
    public double scale() {
        return scale;
    }

    /** The smallest change between consecutive points, slowly forgotten: the resolution of the log; NaN before a change. */
    public double resolution() {
        return resolution;
    }

    /** The smallest point in the window, NaN while empty. */
    public double smallest() {
        return size == 0 ? Double.NaN : sorted[0];
    }

    /** How many of the points are above {@code x}, which is no NaN. */
    public int above(double x) {
        float nearest = (float) x;
        float largestNotAbove = nearest > x ? Math.nextDown(nearest) : nearest;
        return size - below(Math.nextUp(largestNotAbove));
    }

    /** How many scales {@code x} lies above the median; NaN while empty. */
    public double score(double x) {
        return (x - median) / scale;
    }

    /** Adds a finite point. */
    public void add(double point) {
        float x = (float) Math.max(-LARGEST, Math.min(point, LARGEST));
        if (size > 0) {
            double deviation = Math.min(Math.abs(x - median), 5 * scale);
            slowDeviation += (deviation - slowDeviation) * Math.max(SLOW_WEIGHT, 1.0 / added);
            double change = Math.abs(x - previous);
            if (change > 0) {
                // A stretch without change says nothing of the resolution, so it forgets nothing.
                double remembered = resolution * RESOLUTION_FORGETTING;
                resolution = change < remembered || Double.isNaN(remembered) ? change : remembered;
            }
        }
        previous = x;
        int next = (int) (added % CAPACITY);
        if (size == CAPACITY) {
            replace(ring[next], x);
        } else {
            int at = below(x);
            System.arraycopy(sorted, at, sorted, at + 1, size - at);
            sorted[at] = x;
            size++;
        }
        ring[next] = x;
        added++;
        measure();
    }

    private void replace(float old, float x) {
        int from = below(old);
        int to = below(x);
        if (to > from) {
            to--;
            System.arraycopy(sorted, from + 1, sorted, from, to - from);
        } else {
            System.arraycopy(sorted, to, sorted, to + 1, from - to);
        }
        sorted[to] = x;
    }

    /** How many of the points are below {@code x}: a bisection without a jump, of which half would be predicted wrong. */
    private int below(float x) {
        long key = ordered(x);
        int below = 0;
        for (int half = CAPACITY / 2; half > 0; half /= 2) {
            below += half * smaller(sorted[below + half - 1], key);
        }
        return below + smaller(sorted[below], key);
    }

    /** 1 if the point is below the one with the key, else 0. */
    private static int smaller(float point, long key) {
        return (int) ((ordered(point) - key) >>> (Long.SIZE - 1));
    }

    /** An integer for each float, in the same order. */
    private static long ordered(float x) {
        int bits = Float.floatToRawIntBits(x);
        return bits ^ (bits >> (Integer.SIZE - 1) & Integer.MAX_VALUE);
    }

    private void measure() {
        median = middle();
        double iqr = (double) sorted[size - 1 - size / 4] - sorted[size / 4];
        double widest = Math.max(1.4826 * Medians.absoluteDeviation(sorted, size, median), iqr / 1.349);
        widest = Math.max(widest, 0.7 * slowDeviation);
        widest = Math.max(widest, relativeFloor * Math.abs(median));
        if (resolution > widest) {
            widest = resolution;
        }
        scale = Math.max(widest, 1e-12);
    }

    private double middle() {
        int half = size / 2;
        return size % 2 == 1 ? sorted[half] : ((double) sorted[half - 1] + sorted[half]) / 2;
    }

    @Override
    public void write(StateWriter out) {
        out.writeLong(added);
        out.writeDouble(previous);
        out.writeDouble(resolution);
        out.writeDouble(slowDeviation);
        out.writeFloats(ring, size);
    }

    @Override
    public void read(StateReader in) {
        added = in.readLong();
        if (added < 0) {
            throw new UnreadableStateException("a window of " + added + " points");
        }
        size = (int) Math.min(added, CAPACITY);
        previous = in.readDouble();
        resolution = in.readDouble();
        slowDeviation = in.readDouble();
        in.readFloats(ring, size);
        System.arraycopy(ring, 0, sorted, 0, size);
        Arrays.fill(sorted, size, CAPACITY, Float.POSITIVE_INFINITY);
        Arrays.sort(sorted, 0, size);
        if (size > 0) {
            measure();
        } else {
            median = scale = Double.NaN;
        }
    }
}
