package io.trainwatch.monitor.run;

import io.trainwatch.monitor.stats.Persistent;
import io.trainwatch.monitor.stats.StateReader;
import io.trainwatch.monitor.stats.StateWriter;
import io.trainwatch.monitor.stats.UnreadableStateException;
import java.util.AbstractList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.RandomAccess;
import org.jspecify.annotations.Nullable;

/**
 * A whole series in at most {@value #CAPACITY} buckets of equally many points, each with its minimum, mean and maximum.
 * When all are full, neighbours are merged and each bucket takes twice the points: a spike of one step stays visible
 * however long the run. Values beyond the range of a float count as its largest.
 *
 * <p>At most 2.3 kB as long as the buckets end at equal distances, as they do where each step brings a point, and 0.8 kB
 * while each bucket is one point; at most 3 kB otherwise: steps are then kept as distances from the first one, in units of 1,
 * and of 2, 4, 8 ... where that is too fine for an int (steps that count tokens).
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
    /** Last step of the first closed bucket, or of one that was before it. */
    private long base;
    /** From the last step of a closed bucket to that of the next, while {@link #lastSteps} is null. */
    private long stride;
    /** Last step of each closed bucket: its distance from {@link #base} in units of 2^{@link #unit}. Null while equally far apart. */
    private int @Nullable [] lastSteps;

    private int unit;
    /** The value of each closed bucket while that is one point, after that minimum, mean and maximum of each in turn. */
    private float[] values = new float[FIRST_CAPACITY];

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

    /** The buckets as they are now. Takes a third of what as many objects would: the board keeps those of every run. */
    List<SeriesSnapshot.Bucket> snapshot() {
        int each = valuesPerBucket();
        int buckets = closed + (points > 0 ? 1 : 0);
        float[] copy = Arrays.copyOf(values, each * buckets);
        if (points > 0) {
            put(copy, each * closed);
        }
        return new Snapshot(this, buckets, copy);
    }

    /** Buckets made as they are asked for. */
    private static final class Snapshot extends AbstractList<SeriesSnapshot.Bucket> implements RandomAccess {
        private final int size;
        private final int closed;
        private final long base;
        private final long stride;
        private final int unit;
        private final int @Nullable [] lastSteps;
        private final long lastStep;
        private final float[] values;
        private final boolean pointByPoint;

        Snapshot(Curve curve, int size, float[] values) {
            this.size = size;
            this.values = values;
            closed = curve.closed;
            base = curve.base;
            stride = curve.stride;
            unit = curve.unit;
            lastSteps = curve.lastSteps == null ? null : Arrays.copyOf(curve.lastSteps, curve.closed);
            lastStep = curve.lastStep;
            pointByPoint = curve.pointsPerBucket == 1;
        }

        @Override
        public SeriesSnapshot.Bucket get(int bucket) {
            Objects.checkIndex(bucket, size);
            long step = bucket == closed
                    ? lastStep
                    : lastSteps == null ? base + bucket * stride : base + ((long) lastSteps[bucket] << unit);
            if (pointByPoint) {
                float value = values[bucket];
                return new SeriesSnapshot.Bucket(step, value, value, value);
            }
            int at = VALUES * bucket;
            return new SeriesSnapshot.Bucket(step, values[at + MIN], values[at + MEAN], values[at + MAX]);
        }

        @Override
        public int size() {
            return size;
        }
    }

    private int valuesPerBucket() {
        return pointsPerBucket == 1 ? 1 : VALUES;
    }

    private float value(int bucket, int which) {
        return pointsPerBucket == 1 ? values[bucket] : values[VALUES * bucket + which];
    }

    private void truncate(long step) {
        while (closed > 0 && stepAt(closed - 1) >= step) {
            closed--;
        }
        if (closed == 0) {
            pointsPerBucket = 1;
            values = new float[FIRST_CAPACITY];
            lastSteps = null;
        }
        open();
    }

    private void close() {
        int each = valuesPerBucket();
        int at = each * closed;
        if (at == values.length) {
            values = Arrays.copyOf(values, each * Math.min(capacity, GROWTH * closed));
        }
        put(values, at);
        placeLast(lastStep);
        closed++;
        if (closed == capacity) {
            merge();
        }
        open();
    }

    /** Writes the open bucket into an array of closed ones. */
    private void put(float[] into, int at) {
        if (pointsPerBucket == 1) {
            into[at] = mean;
        } else {
            into[at + MIN] = min;
            into[at + MEAN] = mean;
            into[at + MAX] = max;
        }
    }

    private long stepAt(int bucket) {
        return lastSteps == null ? base + bucket * stride : base + ((long) lastSteps[bucket] << unit);
    }

    /** Notes the last step of the bucket that is being closed. */
    private void placeLast(long step) {
        if (closed == 0) {
            base = step;
        } else if (closed == 1 && lastSteps == null) {
            stride = step - base;
        }
        int[] steps = lastSteps;
        int room = values.length / valuesPerBucket();
        if (steps == null) {
            if (step == stepAt(closed)) {
                return;
            }
            steps = new int[room];
            unit = 0;
            for (int i = 0; i < closed; i++) {
                place(steps, i, stepAt(i));
            }
        } else if (steps.length < room) {
            steps = Arrays.copyOf(steps, room);
        }
        place(steps, closed, step);
        lastSteps = steps;
    }

    private void place(int[] steps, int bucket, long step) {
        while (unit < LARGEST_UNIT && (step - base) >> unit > Integer.MAX_VALUE) {
            unit++;
            for (int i = 0; i < bucket; i++) {
                steps[i] >>= 1;
            }
        }
        steps[bucket] = (int) Math.max(0, Math.min((step - base) >> unit, Integer.MAX_VALUE));
    }

    private void open() {
        points = 0;
        finitePoints = 0;
        min = Float.NaN;
        max = Float.NaN;
        mean = Float.NaN;
    }

    private void merge() {
        float[] merged = pointsPerBucket == 1 ? new float[VALUES * capacity] : values;
        for (int i = 0; i < capacity / 2; i++) {
            int a = 2 * i;
            int b = a + 1;
            int to = VALUES * i;
            boolean none = Float.isNaN(value(a, MIN));
            boolean only = Float.isNaN(value(b, MIN));
            merged[to + MIN] = none ? value(b, MIN) : only ? value(a, MIN) : Math.min(value(a, MIN), value(b, MIN));
            merged[to + MAX] = none ? value(b, MAX) : only ? value(a, MAX) : Math.max(value(a, MAX), value(b, MAX));
            merged[to + MEAN] = none ? value(b, MEAN) : only ? value(a, MEAN) : value(a, MEAN) / 2 + value(b, MEAN) / 2;
            if (lastSteps != null) {
                lastSteps[i] = lastSteps[b];
            }
        }
        if (lastSteps == null) {
            base += stride;
            stride *= 2;
        }
        values = merged;
        closed = capacity / 2;
        pointsPerBucket *= 2;
    }

    @Override
    public void write(StateWriter out) {
        out.writeInt(closed);
        out.writeLong(pointsPerBucket);
        out.writeLong(base);
        out.writeBoolean(lastSteps == null);
        if (lastSteps == null) {
            out.writeLong(stride);
        } else {
            out.writeInt(unit);
            out.writeInts(lastSteps, closed);
        }
        out.writeFloats(values, valuesPerBucket() * closed);
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
        pointsPerBucket = in.readLong();
        if (pointsPerBucket < 1) {
            throw new UnreadableStateException("buckets of " + pointsPerBucket + " points");
        }
        base = in.readLong();
        lastSteps = null;
        if (in.readBoolean()) {
            stride = in.readLong();
        } else {
            unit = in.readCount(LARGEST_UNIT);
            lastSteps = new int[room];
            in.readInts(lastSteps, closed);
        }
        values = new float[valuesPerBucket() * room];
        in.readFloats(values, valuesPerBucket() * closed);
        points = in.readLong();
        finitePoints = in.readLong();
        lastStep = in.readLong();
        min = in.readFloat();
        max = in.readFloat();
        mean = in.readFloat();
    }
}
