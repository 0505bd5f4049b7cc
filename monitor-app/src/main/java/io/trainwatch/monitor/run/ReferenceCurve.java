package io.trainwatch.monitor.run;

import io.trainwatch.monitor.run.SeriesSnapshot.Bucket;
import io.trainwatch.monitor.stats.StateReader;
import io.trainwatch.monitor.stats.StateWriter;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The loss of another run, for comparison: the means of its at most {@value #CAPACITY} buckets at the middle of their
 * steps, with straight lines between. Immutable, some 3 kB; a copy, so that what becomes of the other run changes nothing.
 *
 * <p>Steps are those of the other run. Where both runs declared their batch, equal work is compared and not equal steps
 * ({@link #stepsPerStep}).
 */
public final class ReferenceCurve {
    static final int CAPACITY = Curve.CAPACITY;
    static final int MAX_RUN_ID = 256;

    /** Buckets without which there is nothing to interpolate between. */
    static final int FEWEST = 4;

    private final String runId;
    private final RunKind kind;
    private final boolean ended;
    private final long[] lastSteps;
    private final float[] means;
    private final double[] middles;
    private final double scatter;

    private ReferenceCurve(String runId, RunKind kind, boolean ended, long[] lastSteps, float[] means) {
        this.runId = runId;
        this.kind = kind;
        this.ended = ended;
        this.lastSteps = lastSteps;
        this.means = means;
        middles = new double[means.length];
        for (int i = 0; i < middles.length; i++) {
            middles[i] = (begin(i) + 1 + lastSteps[i]) / 2;
        }
        scatter = scatterOf(means);
    }

    /** The curve of a run; null if it has too few points yet. */
    public static @Nullable ReferenceCurve of(
            String runId, RunKind kind, boolean ended, @Nullable SeriesSnapshot loss) {
        if (loss == null) {
            return null;
        }
        List<Bucket> finite = loss.buckets().stream()
                .filter(bucket -> Double.isFinite(bucket.mean()))
                .toList();
        if (finite.size() < FEWEST || finite.size() > CAPACITY) {
            return null;
        }
        long[] steps = finite.stream().mapToLong(Bucket::lastStep).toArray();
        float[] means = new float[steps.length];
        for (int i = 0; i < means.length; i++) {
            means[i] = (float) finite.get(i).mean();
        }
        return new ReferenceCurve(runId, kind, ended, steps, means);
    }

    /** Last step before the bucket; the first one is taken to be as wide as the second. */
    private double begin(int i) {
        return i > 0 ? lastSteps[i - 1] : Math.max(-1.0, 2.0 * lastSteps[0] - lastSteps[1]);
    }

    /**
     * Robust scatter of the buckets around the line through their neighbours, whose variance is 1.5 times that of a bucket.
     */
    private static double scatterOf(float[] means) {
        double[] bends = new double[means.length - 2];
        for (int i = 0; i < bends.length; i++) {
            bends[i] = Math.abs(means[i + 1] - ((double) means[i] + means[i + 2]) / 2);
        }
        Arrays.sort(bends);
        return 1.4826 * bends[bends.length / 2] / Math.sqrt(1.5);
    }

    public String runId() {
        return runId;
    }

    /** Whether the run had ended when the copy was made, so that there is no more to come. */
    public boolean ended() {
        return ended;
    }

    /** Where it begins, in its steps. */
    public double firstStep() {
        return begin(0) + 1;
    }

    public long lastStep() {
        return lastSteps[lastSteps.length - 1];
    }

    /** Standard deviation of one of its points, as far as its neighbours can tell. */
    public double scatter() {
        return scatter;
    }

    /** Mean of its first bucket. */
    public double initial() {
        return means[0];
    }

    /** Steps of this run that do the work of one step of {@code other}; 1 where not both said what a step is. */
    public double stepsPerStep(RunKind other) {
        return other.workOver(kind);
    }

    /** Width of the bucket that holds {@code step}. */
    public double width(double step) {
        int i = Math.min(after(step), means.length - 1);
        return lastSteps[i] - begin(i);
    }

    /** Its loss at {@code step}; at the ends that of the outermost buckets. */
    double at(double step) {
        int i = after(step);
        if (i == 0) {
            return means[0];
        }
        if (i == means.length) {
            return means[i - 1];
        }
        double share = (step - middles[i - 1]) / (middles[i] - middles[i - 1]);
        return means[i - 1] + share * (means[i] - means[i - 1]);
    }

    /** Its mean loss from one step to another. */
    public double mean(double from, double to) {
        if (!(to > from)) {
            return at(from);
        }
        double sum = 0;
        double x = from;
        double y = at(from);
        for (int i = after(from); i < means.length && middles[i] < to; i++) {
            sum += (y + means[i]) / 2 * (middles[i] - x);
            x = middles[i];
            y = means[i];
        }
        sum += (y + at(to)) / 2 * (to - x);
        return sum / (to - from);
    }

    /** The first bucket with its middle beyond {@code step}. */
    private int after(double step) {
        int low = 0;
        int high = middles.length;
        while (low < high) {
            int middle = (low + high) >>> 1;
            if (middles[middle] > step) {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        return low;
    }

    void write(StateWriter out) {
        out.writeString(runId);
        kind.write(out);
        out.writeBoolean(ended);
        out.writeInt(means.length);
        out.writeLongs(lastSteps, lastSteps.length);
        out.writeFloats(means, means.length);
    }

    static @Nullable ReferenceCurve read(StateReader in) {
        String runId = in.readString();
        RunKind kind = RunKind.read(in);
        boolean ended = in.readBoolean();
        long[] steps = new long[in.readCount(CAPACITY)];
        float[] means = new float[steps.length];
        in.readLongs(steps, steps.length);
        in.readFloats(means, means.length);
        return steps.length < FEWEST ? null : new ReferenceCurve(runId, kind, ended, steps, means);
    }
}
