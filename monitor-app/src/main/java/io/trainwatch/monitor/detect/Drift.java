package io.trainwatch.monitor.detect;

import io.trainwatch.monitor.stats.Persistent;
import io.trainwatch.monitor.stats.StateReader;
import io.trainwatch.monitor.stats.StateWriter;
import org.apache.commons.statistics.distribution.ChiSquaredDistribution;

/**
 * The clock of drift detection: what comes first in a phase is the reference, then tumbling windows are compared with it
 * (DETECTION.md D17). The reference is never the window before: a slow drift would hide in it.
 *
 * <pre>
 * reference: the first 2,000 samples in at least 8 batches, or 32 batches of at least 500 samples
 * window: 500 samples or more ; looked at once before, at 8 batches of at least 128 samples, and closed there if it drifted
 * effect: PSI &gt; max(0.1, 2 (1/n + 1/m) chi^2(dof, 0.999))
 * two windows in a row
 * </pre>
 *
 * <p>What a test needs to know is the scatter between batches, which 32 of them give to an eighth; small batches, or one in
 * ten of them, would have to wait ten times as long for 2,000 samples. The early look is for large shifts: its PSI has to be
 * larger by as much as fewer samples give by chance.
 */
final class Drift implements Persistent {
    static final Setting<Double> PSI = Setting.number(
            "psi",
            0.1,
            0.01,
            100,
            "population stability index",
            "How far a window has to be from its reference, in two windows in a row; more where chance "
                    + "alone may give more. The custom of credit scoring, its source: 0.1 is a moderate shift, 0.25 "
                    + "a large one.");

    static final double REFERENCE_SAMPLES = 2000;
    static final int REFERENCE_BATCHES = 8;
    static final int ENOUGH_BATCHES = 32;
    static final double WINDOW_SAMPLES = 500;
    static final int EARLY_BATCHES = 8;
    static final double EARLY_SAMPLES = 128;
    static final double ALPHA = 0.001;
    static final int WINDOWS_IN_A_ROW = 2;

    private double referenceSamples;
    private long referenceBatches;
    private double windowSamples;
    private long windowBatches;
    private long windowStart = -1;
    private long windows;

    /** Whether batches still go to the reference. */
    boolean learning() {
        boolean enough = referenceSamples >= REFERENCE_SAMPLES
                || (referenceBatches >= ENOUGH_BATCHES && referenceSamples >= WINDOW_SAMPLES);
        return !enough || referenceBatches < REFERENCE_BATCHES;
    }

    /** Counts a batch to the reference or to the window; true if the window is to be looked at. */
    boolean add(double samples, long step) {
        if (learning()) {
            referenceSamples += samples;
            referenceBatches++;
            return false;
        }
        if (windowBatches == 0) {
            windowStart = step;
        }
        windowSamples += samples;
        windowBatches++;
        return isFull() || (windowBatches == EARLY_BATCHES && windowSamples >= EARLY_SAMPLES);
    }

    /** Whether the window is to be judged; before, it counts only if it drifted. */
    boolean isFull() {
        return windowSamples >= WINDOW_SAMPLES;
    }

    void nextWindow() {
        windowSamples = 0;
        windowBatches = 0;
        windows++;
    }

    double referenceSamples() {
        return referenceSamples;
    }

    long referenceBatches() {
        return referenceBatches;
    }

    double windowSamples() {
        return windowSamples;
    }

    long windowBatches() {
        return windowBatches;
    }

    /** First step of the window. */
    long windowStart() {
        return windowStart;
    }

    /** Windows judged so far. */
    long windows() {
        return windows;
    }

    /**
     * The PSI that the window has to exceed.
     *
     * @param least what counts as a shift at all
     * @param dof degrees of freedom, at least 1
     * @param designEffect how many times the batches vary more than independent samples would, at least 1
     */
    double leastPsi(double least, double dof, double designEffect) {
        double chance = designEffect
                * (1 / referenceSamples + 1 / windowSamples)
                * ChiSquaredDistribution.of(dof).inverseSurvivalProbability(ALPHA);
        return Math.max(least, 2 * chance);
    }

    @Override
    public void write(StateWriter out) {
        out.writeDouble(referenceSamples);
        out.writeLong(referenceBatches);
        out.writeDouble(windowSamples);
        out.writeLong(windowBatches);
        out.writeLong(windowStart);
        out.writeLong(windows);
    }

    @Override
    public void read(StateReader in) {
        referenceSamples = in.readDouble();
        referenceBatches = in.readLong();
        windowSamples = in.readDouble();
        windowBatches = in.readLong();
        windowStart = in.readLong();
        windows = in.readLong();
    }
}
