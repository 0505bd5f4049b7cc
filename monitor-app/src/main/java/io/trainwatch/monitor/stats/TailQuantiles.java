package io.trainwatch.monitor.stats;

/**
 * Thresholds that calibrate themselves to the tail of a score: {@code t5 = max(5, Q.99)}, {@code t8 = max(8, Q.999)},
 * with Q tracked by Robbins-Monro steps, {@code Q += gain ((z > Q) - p)}. A heavy-tailed series raises its own bar:
 * log-normal noise of sigma 1 falls from 50 to some 10 spike alarms per 100,000 points (DETECTION.md 2.3). 16 bytes.
 */
public final class TailQuantiles implements Persistent {
    private double q99;
    private double q999;

    /** Threshold for a repeated excess, in scales, at least 5. */
    public double t5() {
        return Math.max(5, q99);
    }

    /** Threshold for a rare excess, in scales, at least 8. */
    public double t8() {
        return Math.max(8, q999);
    }

    public void add(double score) {
        q99 += 0.5 * ((score > q99 ? 1 : 0) - 0.01);
        q999 += (score > q999 ? 1 : 0) - 0.001;
    }

    @Override
    public void write(StateWriter out) {
        out.writeDouble(q99);
        out.writeDouble(q999);
    }

    @Override
    public void read(StateReader in) {
        q99 = in.readDouble();
        q999 = in.readDouble();
    }
}
