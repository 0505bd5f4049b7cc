package io.trainwatch.monitor.stats;

import java.util.Arrays;

/**
 * Mean and variance of a series in buckets whose edges grow by 2^(1/4): four buckets to a doubling, the first one up to
 * {@value #FIRST_EDGE} steps. A million steps take 57 buckets. Improvement per doubling of steps is constant for a power
 * law, which makes these buckets the natural clock of a learning curve (DETECTION.md D05).
 *
 * <p>The last doubling is kept eight times finer too, in {@value #FINE} buckets: how much their means scatter says how well
 * its mean is known, whatever memory the noise has ({@link #errorOfHalf}).
 *
 * <p>Positions are steps since the start of the series, ascending; {@link #truncate} goes back to an earlier one.
 */
public final class LogBuckets implements Persistent {
    public static final int FIRST_EDGE = 64;
    public static final int PER_DOUBLING = 4;

    /** Fine buckets of the last doubling. */
    static final int FINE = 32;

    private static final int MAX_BUCKETS = 240;
    private static final int FEWEST_FINE = 8;
    private static final double MOST_CORRELATED = 0.9;

    private double[] means = new double[16];
    private double[] squares = new double[16];
    private double[] counts = new double[16];
    private int last;

    // The open bucket, which every point touches, beside the object's other fields: one cache line instead of four.
    private double openMean;
    private double openSquares;
    private double openCount;

    private final double[] fineMeans = new double[FINE];
    private final int[] fineCounts = new int[FINE];
    /** Closed fine buckets since {@link #FIRST_EDGE}; the latest {@value #FINE} are kept, each at its number modulo that. */
    private int fine;

    private double fineEdge = FIRST_EDGE;
    private double openFineMean;
    private int openFineCount;
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
        while (position >= fineEdge && fine < MAX_BUCKETS * FINE) {
            closeFine();
        }
        if (position >= FIRST_EDGE) {
            openFineCount++;
            openFineMean += (x - openFineMean) / openFineCount;
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

    private void closeFine() {
        if (fineEdge > FIRST_EDGE) {
            fineMeans[fine % FINE] = openFineMean;
            fineCounts[fine % FINE] = openFineCount;
            fine++;
        }
        openFineMean = 0;
        openFineCount = 0;
        fineEdge = fineEdgeAfter(fine);
    }

    private static double fineEdgeAfter(int closed) {
        return FIRST_EDGE * Math.pow(2, (closed + 1) / (double) FINE);
    }

    /**
     * Standard error of the mean of a half of the last doubling, from the scatter of its fine buckets, widened for what neighbours have in common; NaN if fewer than {@value #FEWEST_FINE} of them have points.
     *
     * <pre>
     * se = sd of their means / sqrt(n) x sqrt((1 + rho) / (1 - rho))
     * r = their lag-1 correlation ; rho = r + (1 + 4 r) / n, 0 to 0.9 (so few underestimate it: Marriott and Pope 1954)
     * </pre>
     *
     * @param late whether of the later half
     */
    public double errorOfHalf(boolean late) {
        int from = fine - (late ? FINE / 2 : FINE);
        double[] y = new double[FINE / 2];
        int n = 0;
        for (int i = Math.max(0, from); i < from + FINE / 2 && i < fine; i++) {
            if (fineCounts[i % FINE] > 0) {
                y[n++] = fineMeans[i % FINE];
            }
        }
        if (n < FEWEST_FINE) {
            return Double.NaN;
        }
        double mean = Arrays.stream(y, 0, n).sum() / n;
        double squares = 0;
        double products = 0;
        for (int i = 0; i < n; i++) {
            squares += (y[i] - mean) * (y[i] - mean);
            products += i > 0 ? (y[i] - mean) * (y[i - 1] - mean) : 0;
        }
        double estimate = squares == 0 ? 0 : products / squares;
        double rho = Math.max(0, Math.min(estimate + (1 + 4 * estimate) / n, MOST_CORRELATED));
        return Math.sqrt(squares / (n - 1) / n * (1 + rho) / (1 - rho));
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
        clearFine(position);
        last = bucket;
        edge = edgeAfter(last);
    }

    /** What was redone is not known so finely: the next doubling is. */
    private void clearFine(long position) {
        Arrays.fill(fineMeans, 0);
        Arrays.fill(fineCounts, 0);
        openFineMean = 0;
        openFineCount = 0;
        fine = 0;
        fineEdge = FIRST_EDGE;
        while (position >= fineEdge && fine < MAX_BUCKETS * FINE) {
            if (fineEdge > FIRST_EDGE) {
                fine++;
            }
            fineEdge = fineEdgeAfter(fine);
        }
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
        out.writeInt(fine);
        out.writeDouble(fineEdge);
        for (int i = 0; i < Math.min(fine, FINE); i++) {
            out.writeDouble(fineMeans[i]);
            out.writeInt(fineCounts[i]);
        }
        out.writeDouble(openFineMean);
        out.writeInt(openFineCount);
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
        fine = in.readCount(MAX_BUCKETS * FINE);
        fineEdge = in.readDouble();
        Arrays.fill(fineMeans, 0);
        Arrays.fill(fineCounts, 0);
        for (int i = 0; i < Math.min(fine, FINE); i++) {
            fineMeans[i] = in.readDouble();
            fineCounts[i] = in.readInt();
        }
        openFineMean = in.readDouble();
        openFineCount = in.readInt();
        edge = edgeAfter(last);
    }
}
