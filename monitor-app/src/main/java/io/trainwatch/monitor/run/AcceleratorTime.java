package io.trainwatch.monitor.run;

import io.trainwatch.monitor.stats.Persistent;
import io.trainwatch.monitor.stats.StateReader;
import io.trainwatch.monitor.stats.StateWriter;
import java.util.List;

/**
 * Time that the accelerators of a run have spent on it, in seconds times ranks, now and at any step.
 *
 * <p>It runs by the timestamps of the events, from the first to the last of each attempt: between two attempts nothing is
 * held. A log without a clock has times before {@link #FIRST_CREDIBLE_MS}, made up by its reader; there the step times
 * count, each for the steps since the point before. A run that has neither has no such time: NaN.
 *
 * <p>The time at a past step is interpolated in a curve of at most 192 points. Of steps that were redone it is the latest.
 */
final class AcceleratorTime implements Persistent {
    /** 2001-01-01: earlier is no clock. Readers of logs without one begin at 2000-01-01. */
    static final long FIRST_CREDIBLE_MS = 978_307_200_000L;

    /** Time grows steadily, so few buckets say when a step was. */
    private static final int BUCKETS = 96;

    private final Curve curve = new Curve(BUCKETS);
    private double seconds;
    private boolean known;
    private long lastMs;
    private int attempt;
    private long ranks = 1;
    private long lastStep = -1;

    /** An event of any rank: the clock goes on. */
    void event(long timestampMs, int ofAttempt, int ofRanks) {
        if (ofAttempt > attempt) {
            attempt = ofAttempt;
            ranks = 1;
            lastMs = 0;
        }
        ranks = Math.max(ranks, ofRanks);
        if (timestampMs < FIRST_CREDIBLE_MS) {
            return;
        }
        if (lastMs > 0 && timestampMs > lastMs) {
            seconds += ranks * ((timestampMs - lastMs) / 1e3);
            known = true;
        }
        lastMs = Math.max(lastMs, timestampMs);
    }

    /** A step of the rank whose steps make the series, after its event; {@code stepSeconds} is NaN where it is not told. */
    void step(long step, double stepSeconds) {
        if (lastMs == 0 && stepSeconds > 0 && Double.isFinite(stepSeconds)) {
            seconds += ranks * stepSeconds * (lastStep >= 0 && step > lastStep ? step - lastStep : 1);
            known = true;
        }
        lastStep = step;
        curve.add(step, seconds);
    }

    /** So far, with {@code waitedMs} in which no event came, in seconds times ranks; NaN if it cannot be told. */
    double seconds(long waitedMs) {
        return known ? seconds + ranks * (Math.max(0, waitedMs) / 1e3) : Double.NaN;
    }

    /** When the step was completed, in seconds times ranks; that of the last one for a later step. */
    double at(long step) {
        List<SeriesSnapshot.Bucket> points = curve.snapshot();
        double before = 0;
        long stepBefore = step;
        for (SeriesSnapshot.Bucket point : points) {
            if (point.lastStep() >= step) {
                double share = point.lastStep() == stepBefore
                        ? 1
                        : (step - stepBefore) / (double) (point.lastStep() - stepBefore);
                return before + share * (point.max() - before);
            }
            before = point.max();
            stepBefore = point.lastStep();
        }
        return before;
    }

    /** Seconds of training, as one rank sees them, up to the step of each point; empty if they cannot be told. */
    List<SeriesSnapshot.Bucket> elapsed() {
        if (!known) {
            return List.of();
        }
        if (ranks == 1) {
            return curve.snapshot();
        }
        return curve.snapshot().stream()
                .map(point -> new SeriesSnapshot.Bucket(
                        point.lastStep(), point.min() / ranks, point.mean() / ranks, point.max() / ranks))
                .toList();
    }

    @Override
    public void write(StateWriter out) {
        curve.write(out);
        out.writeDouble(seconds);
        out.writeBoolean(known);
        out.writeLong(lastMs);
        out.writeInt(attempt);
        out.writeLong(ranks);
        out.writeLong(lastStep);
    }

    @Override
    public void read(StateReader in) {
        curve.read(in);
        seconds = in.readDouble();
        known = in.readBoolean();
        lastMs = in.readLong();
        attempt = in.readInt();
        ranks = in.readLong();
        lastStep = in.readLong();
    }
}
