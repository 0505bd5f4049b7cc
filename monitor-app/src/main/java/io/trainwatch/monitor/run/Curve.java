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
 * however long the run. Values beyond the range of a float count as its largest. At most 4 kB.
 */
final class Curve implements Persistent {
    static final int CAPACITY = 192;

    private long[] lastSteps = new long[8];
    private float[] mins = new float[8];
    private float[] means = new float[8];
    private float[] maxs = new float[8];
    private int buckets;
    private long pointsPerBucket = 1;
    private long pointsInLast;
    private long finiteInLast;

    /** Adds a point, finite or not; a step that went back first forgets the buckets that reach it. */
    void add(long step, double value) {
        if (buckets > 0 && step < lastSteps[buckets - 1]) {
            truncate(step);
        }
        if (buckets == 0 || pointsInLast == pointsPerBucket) {
            open();
        }
        int i = buckets - 1;
        lastSteps[i] = step;
        pointsInLast++;
        if (Double.isFinite(value)) {
            float point = (float) Math.max(-Float.MAX_VALUE, Math.min(value, Float.MAX_VALUE));
            finiteInLast++;
            mins[i] = Float.isNaN(mins[i]) ? point : Math.min(mins[i], point);
            maxs[i] = Float.isNaN(maxs[i]) ? point : Math.max(maxs[i], point);
            means[i] = finiteInLast == 1 ? point : (float) (means[i] + ((double) point - means[i]) / finiteInLast);
        }
    }

    List<SeriesSnapshot.Bucket> snapshot() {
        List<SeriesSnapshot.Bucket> snapshot = new ArrayList<>(buckets);
        for (int i = 0; i < buckets; i++) {
            snapshot.add(new SeriesSnapshot.Bucket(lastSteps[i], mins[i], means[i], maxs[i]));
        }
        return snapshot;
    }

    private void truncate(long step) {
        while (buckets > 0 && lastSteps[buckets - 1] >= step) {
            buckets--;
        }
        if (buckets == 0) {
            pointsPerBucket = 1;
        }
        pointsInLast = pointsPerBucket;
    }

    private void open() {
        if (buckets == CAPACITY) {
            merge();
        }
        if (buckets == lastSteps.length) {
            int capacity = Math.min(CAPACITY, 2 * buckets);
            lastSteps = Arrays.copyOf(lastSteps, capacity);
            mins = Arrays.copyOf(mins, capacity);
            means = Arrays.copyOf(means, capacity);
            maxs = Arrays.copyOf(maxs, capacity);
        }
        mins[buckets] = means[buckets] = maxs[buckets] = Float.NaN;
        buckets++;
        pointsInLast = 0;
        finiteInLast = 0;
    }

    private void merge() {
        for (int i = 0; i < CAPACITY / 2; i++) {
            int a = 2 * i;
            int b = a + 1;
            lastSteps[i] = lastSteps[b];
            mins[i] = Float.isNaN(mins[a]) ? mins[b] : Float.isNaN(mins[b]) ? mins[a] : Math.min(mins[a], mins[b]);
            maxs[i] = Float.isNaN(maxs[a]) ? maxs[b] : Float.isNaN(maxs[b]) ? maxs[a] : Math.max(maxs[a], maxs[b]);
            means[i] =
                    Float.isNaN(means[a]) ? means[b] : Float.isNaN(means[b]) ? means[a] : means[a] / 2 + means[b] / 2;
        }
        buckets = CAPACITY / 2;
        pointsPerBucket *= 2;
        pointsInLast = pointsPerBucket;
    }

    @Override
    public void write(StateWriter out) {
        out.writeInt(buckets);
        out.writeLong(pointsPerBucket);
        out.writeLong(pointsInLast);
        out.writeLong(finiteInLast);
        for (int i = 0; i < buckets; i++) {
            out.writeLong(lastSteps[i]);
            out.writeFloat(mins[i]);
            out.writeFloat(means[i]);
            out.writeFloat(maxs[i]);
        }
    }

    @Override
    public void read(StateReader in) {
        buckets = in.readCount(CAPACITY);
        pointsPerBucket = in.readLong();
        pointsInLast = in.readLong();
        finiteInLast = in.readLong();
        int capacity = 8;
        while (capacity < buckets) {
            capacity = Math.min(CAPACITY, 2 * capacity);
        }
        lastSteps = new long[capacity];
        mins = new float[capacity];
        means = new float[capacity];
        maxs = new float[capacity];
        for (int i = 0; i < buckets; i++) {
            lastSteps[i] = in.readLong();
            mins[i] = in.readFloat();
            means[i] = in.readFloat();
            maxs[i] = in.readFloat();
        }
    }
}
