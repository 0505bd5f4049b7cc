package io.trainwatch.monitor.run;

import io.trainwatch.monitor.stats.Persistent;
import io.trainwatch.monitor.stats.StateReader;
import io.trainwatch.monitor.stats.StateWriter;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * A whole series in at most {@value #CAPACITY} buckets of equally many points, each with its minimum, mean and maximum.
 * When all are full, neighbours are merged and each bucket takes twice the points: a spike of one step stays visible
 * however long the run. Values beyond the range of a float count as its largest. At most 3 kB: steps are kept as distances
 * from the first one, in units of 1, and of 2, 4, 8 ... where that is too fine for an int (steps that count tokens).
 */
final class Curve implements Persistent {
    static final int CAPACITY = 192;

    private static final int FIRST_CAPACITY = 12;
    private static final int GROWTH = 2;
    private static final int LARGEST_UNIT = 62;

    private static final int MIN = 0;
    private static final int MEAN = 1;
    private static final int MAX = 2;
    private static final int VALUES = 3;

    private final int capacity;
    /** Last step of each closed bucket: its distance from {@link #base} in units of 2^{@link #unit}. */
    private int[] lastSteps = new int[FIRST_CAPACITY];

    private long base;
    private int unit;
    /** Minimum, mean and maximum of each closed bucket in turn. */
    private float[] values = new float[VALUES * FIRST_CAPACITY];

    private int closed;
    private long pointsPerBucket = 1;

    // The open bucket, which every point touches: beside each other, away from the arrays. None is open before a point.
    private long points;
    private long finitePoints;
    private long lastStep;
    private float min = Float.NaN;
    private float max = Float.NaN;
    private float mean = Float.NaN;

    Curve() {
        this(CAPACITY);
    }

    /** A curve of fewer buckets: an even number of them, from {@value #FIRST_CAPACITY} to {@value #CAPACITY}. */
    Curve(int capacity) {
        this.capacity = capacity;
    }

    /** Adds a point, finite or not; a step that went back first forgets the buckets that reach it. */
    void add(long step, double value) {
        if (points > 0 && step < lastStep) {
            truncate(step);
        } else if (points == pointsPerBucket) {
            close();
        }
        lastStep = step;
        points++;
        if (Double.isFinite(value)) {
            float point = (float) Math.max(-Float.MAX_VALUE, Math.min(value, Float.MAX_VALUE));
            finitePoints++;
            min = Float.isNaN(min) ? point : Math.min(min, point);
            max = Float.isNaN(max) ? point : Math.max(max, point);
            mean = finitePoints == 1 ? point : (float) (mean + ((double) point - mean) / finitePoints);
        }
    }

    List<SeriesSnapshot.Bucket> snapshot() {
        List<SeriesSnapshot.Bucket> snapshot = new ArrayList<>(closed + 1);
        for (int i = 0; i < closed; i++) {
            int at = VALUES * i;
            snapshot.add(new SeriesSnapshot.Bucket(stepAt(i), values[at + MIN], values[at + MEAN], values[at + MAX]));
        }
        if (points > 0) {
            snapshot.add(new SeriesSnapshot.Bucket(lastStep, min, mean, max));
        }
        return snapshot;
    }

    private void truncate(long step) {
        while (closed > 0 && stepAt(closed - 1) >= step) {
            closed--;
        }
        if (closed == 0) {
            pointsPerBucket = 1;
        }
        open();
    }

    private void close() {
        if (closed == lastSteps.length) {
            int room = Math.min(capacity, GROWTH * closed);
            lastSteps = Arrays.copyOf(lastSteps, room);
            values = Arrays.copyOf(values, VALUES * room);
        }
        int at = VALUES * closed;
        lastSteps[closed] = place(lastStep);
        values[at + MIN] = min;
        values[at + MEAN] = mean;
        values[at + MAX] = max;
        closed++;
        if (closed == capacity) {
            merge();
        }
        open();
    }

    private long stepAt(int bucket) {
        return base + ((long) lastSteps[bucket] << unit);
    }

    private int place(long step) {
        if (closed == 0) {
            base = step;
            unit = 0;
        }
        while (unit < LARGEST_UNIT && (step - base) >> unit > Integer.MAX_VALUE) {
            unit++;
            for (int i = 0; i < closed; i++) {
                lastSteps[i] >>= 1;
            }
        }
        return (int) Math.max(0, Math.min((step - base) >> unit, Integer.MAX_VALUE));
    }

    private void open() {
        points = 0;
        finitePoints = 0;
        min = Float.NaN;
        max = Float.NaN;
        mean = Float.NaN;
    }

    private void merge() {
        for (int i = 0; i < capacity / 2; i++) {
            int to = VALUES * i;
            int a = VALUES * 2 * i;
            int b = a + VALUES;
            lastSteps[i] = lastSteps[2 * i + 1];
            boolean none = Float.isNaN(values[a]);
            boolean only = Float.isNaN(values[b]);
            values[to + MIN] =
                    none ? values[b + MIN] : only ? values[a + MIN] : Math.min(values[a + MIN], values[b + MIN]);
            values[to + MAX] =
                    none ? values[b + MAX] : only ? values[a + MAX] : Math.max(values[a + MAX], values[b + MAX]);
            values[to + MEAN] =
                    none ? values[b + MEAN] : only ? values[a + MEAN] : values[a + MEAN] / 2 + values[b + MEAN] / 2;
        }
        closed = capacity / 2;
        pointsPerBucket *= 2;
    }

    @Override
    public void write(StateWriter out) {
        out.writeInt(closed);
        out.writeLong(base);
        out.writeInt(unit);
        out.writeInts(lastSteps, closed);
        out.writeFloats(values, VALUES * closed);
        out.writeLong(pointsPerBucket);
        out.writeLong(points);
        out.writeLong(finitePoints);
        out.writeLong(lastStep);
        out.writeFloat(min);
        out.writeFloat(max);
        out.writeFloat(mean);
    }

    @Override
    public void read(StateReader in) {
        closed = in.readCount(capacity - 1);
        int room = FIRST_CAPACITY;
        while (room < closed) {
            room = Math.min(capacity, GROWTH * room);
        }
        base = in.readLong();
        unit = in.readCount(LARGEST_UNIT);
        lastSteps = new int[room];
        values = new float[VALUES * room];
        in.readInts(lastSteps, closed);
        in.readFloats(values, VALUES * closed);
        pointsPerBucket = in.readLong();
        points = in.readLong();
        finitePoints = in.readLong();
        lastStep = in.readLong();
        min = in.readFloat();
        max = in.readFloat();
        mean = in.readFloat();
    }
}
