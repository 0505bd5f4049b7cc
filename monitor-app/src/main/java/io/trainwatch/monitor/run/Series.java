package io.trainwatch.monitor.run;

import io.trainwatch.monitor.stats.LogBuckets;
import io.trainwatch.monitor.stats.Persistent;
import io.trainwatch.monitor.stats.RobustWindow;
import io.trainwatch.monitor.stats.StateReader;
import io.trainwatch.monitor.stats.StateWriter;
import io.trainwatch.monitor.stats.TailQuantiles;
import org.jspecify.annotations.Nullable;

/**
 * One signal of a run, with the statistics that detectors share. What {@link #score} and its kin say is about the latest
 * point against the points before it.
 */
public final class Series implements Persistent {

    /** How a series is looked at. */
    public enum Kind {
        /** Curve only: for people, never judged against itself. */
        SHOWN,
        /** Judged on its own scale: losses, which may be negative. */
        LINEAR,
        /** Judged on the scale of its logarithm: positive and heavy-tailed, like a gradient norm. */
        LOGARITHMIC
    }

    /**
     * Points after which a baseline is trusted: OLMo-core's skip-step optimizer is active from 64 of its 128 steps too
     * (DETECTION.md D02).
     */
    public static final int TRUSTED_POINTS = 64;

    /** Points that say where a series began. */
    public static final int INITIAL_POINTS = 8;

    /** Scales above the median from which on a point is an outlier. */
    private static final double OUTLYING = 5;

    /** Share of the median below which no scale falls: half a per cent of change is never five scales. */
    private static final double RELATIVE_FLOOR = 1e-3;

    private final String name;
    private final Kind kind;
    private final Curve curve = new Curve();
    private final @Nullable RobustWindow window;
    private final TailQuantiles tail = new TailQuantiles();
    private final @Nullable LogBuckets buckets;

    private long points;
    private long finitePoints;
    private long firstStep;
    private double last = Double.NaN;
    private double initial = Double.NaN;

    private long stamp = -1;
    private double median = Double.NaN;
    private double scale = Double.NaN;
    private double score = Double.NaN;
    private double t5 = 5;
    private double t8 = 8;
    private int baselinePoints;
    private double smallest = Double.NaN;
    private int outliers;
    private int above;
    private boolean bucketClosed;

    Series(String name, Kind kind) {
        this.name = name;
        this.kind = kind;
        this.window = kind == Kind.SHOWN ? null : new RobustWindow(kind == Kind.LINEAR ? RELATIVE_FLOOR : 0);
        this.buckets = kind == Kind.LINEAR ? new LogBuckets() : null;
    }

    void add(long stamp, long step, double value) {
        this.stamp = stamp;
        if (points == 0) {
            firstStep = step;
        }
        points++;
        last = value;
        curve.add(step, value);
        bucketClosed = false;
        if (window == null) {
            return;
        }
        baselinePoints = window.size();
        median = window.median();
        scale = window.scale();
        smallest = window.smallest();
        t5 = tail.t5();
        t8 = tail.t8();
        if (!Double.isFinite(value) || (kind == Kind.LOGARITHMIC && value <= 0)) {
            score = Double.NaN;
            return;
        }
        finitePoints++;
        if (finitePoints <= INITIAL_POINTS) {
            initial = finitePoints == 1 ? value : initial + (value - initial) / finitePoints;
        }
        double x = kind == Kind.LOGARITHMIC ? Math.log(value) : value;
        score = window.score(x);
        if (trusted()) {
            tail.add(score);
            if (score > OUTLYING) {
                outliers = window.above(median + OUTLYING * scale);
                above = window.above(x);
            }
        }
        window.add(x);
        if (buckets != null) {
            bucketClosed = buckets.add(Math.max(0, step - firstStep), value);
        }
    }

    /** A segment begins at {@code step}: what is to be redone is forgotten where it can be. */
    void rewind(long step) {
        firstStep = Math.min(firstStep, step);
        if (buckets != null) {
            buckets.truncate(Math.max(0, step - firstStep));
        }
    }

    public String name() {
        return name;
    }

    public Kind kind() {
        return kind;
    }

    /** Points seen, non-finite ones included. */
    public long points() {
        return points;
    }

    /** Points that entered the baseline. */
    public long finitePoints() {
        return finitePoints;
    }

    /** Whether the event that is being judged carried a point of this series. */
    public boolean isFresh(RunView run) {
        return stamp == run.eventNumber();
    }

    /** Latest value, as it came; may be non-finite. NaN before the first. */
    public double last() {
        return last;
    }

    /** Mean of the first {@value #INITIAL_POINTS} points, or of those that came; NaN before the first. */
    public double initial() {
        return initial;
    }

    /** Step at which the series began: of the first point, or of a segment that began before it. */
    public long firstStep() {
        return firstStep;
    }

    /** Whether the baseline holds the {@value #TRUSTED_POINTS} points that a verdict needs. */
    public boolean trusted() {
        return baselinePoints >= TRUSTED_POINTS;
    }

    /** Robust score of the latest point against those before it, in scales; NaN if it is not finite. */
    public double score() {
        return score;
    }

    /** Points of the window before the latest that were, like the latest, more than 5 scales above its median. */
    public int outliers() {
        return outliers;
    }

    /** Points of the window before the latest that were above the latest, if that is more than 5 scales above its median. */
    public int above() {
        return above;
    }

    /** Median of the points before the latest, in the unit of the series (the logarithm undone). */
    public double median() {
        return kind == Kind.LOGARITHMIC ? Math.exp(median) : median;
    }

    /** Robust scale of the points before the latest: unit of the series, or of its logarithm. */
    public double scale() {
        return scale;
    }

    /** Smallest change between consecutive points, slowly forgotten: the resolution of a rounded log; NaN before one. */
    public double resolution() {
        return window == null ? Double.NaN : window.resolution();
    }

    /** Smallest of the points before the latest, in the unit of the series (the logarithm undone). */
    public double smallest() {
        return kind == Kind.LOGARITHMIC ? Math.exp(smallest) : smallest;
    }

    /** Threshold for a repeated excess, in scales, at least 5. */
    public double t5() {
        return t5;
    }

    /** Threshold for a rare excess, in scales, at least 8. */
    public double t8() {
        return t8;
    }

    /** The learning curve in log-spaced buckets of steps since {@link #firstStep}; only for linear series. */
    public LogBuckets buckets() {
        if (buckets == null) {
            throw new IllegalStateException("series " + name + " of kind " + kind + " has no log buckets");
        }
        return buckets;
    }

    /** Whether the latest point closed a log bucket. */
    public boolean bucketClosed() {
        return bucketClosed;
    }

    public SeriesSnapshot snapshot() {
        return new SeriesSnapshot(name, points, last, curve.snapshot());
    }

    @Override
    public void write(StateWriter out) {
        out.writeLong(points);
        out.writeLong(finitePoints);
        out.writeLong(firstStep);
        out.writeDouble(last);
        out.writeDouble(initial);
        curve.write(out);
        if (window != null) {
            window.write(out);
            tail.write(out);
            // Not what the window says: that has the latest point in it already.
            out.writeInt(baselinePoints);
            out.writeDouble(median);
            out.writeDouble(scale);
            out.writeDouble(smallest);
            out.writeDouble(score);
            out.writeDouble(t5);
            out.writeDouble(t8);
        }
        if (buckets != null) {
            buckets.write(out);
        }
    }

    @Override
    public void read(StateReader in) {
        points = in.readLong();
        finitePoints = in.readLong();
        firstStep = in.readLong();
        last = in.readDouble();
        initial = in.readDouble();
        curve.read(in);
        if (window != null) {
            window.read(in);
            tail.read(in);
            baselinePoints = in.readCount(RobustWindow.CAPACITY);
            median = in.readDouble();
            scale = in.readDouble();
            smallest = in.readDouble();
            score = in.readDouble();
            t5 = in.readDouble();
            t8 = in.readDouble();
        }
        stamp = -1;
        bucketClosed = false;
        if (buckets != null) {
            buckets.read(in);
        }
    }
}
