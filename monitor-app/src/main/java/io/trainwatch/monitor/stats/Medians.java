package io.trainwatch.monitor.stats;

import java.util.Arrays;

/** Medians of small sets. */
public final class Medians {
    private Medians() {}

    /** The median, NaN of none. They must not be NaN, and stay as they are. */
    public static double of(double[] values) {
        return of(values, 0, values.length);
    }

    /** The median of the values from {@code from} to before {@code to}, NaN of none. They must not be NaN, and stay as they are. */
    public static double of(double[] values, int from, int to) {
        if (from == to) {
            return Double.NaN;
        }
        double[] sorted = Arrays.copyOfRange(values, from, to);
        Arrays.sort(sorted);
        return (sorted[(sorted.length - 1) / 2] + sorted[sorted.length / 2]) / 2;
    }

    /** 1.4826 times the median of what the values deviate from their median: their standard deviation if they are normal. */
    public static double standardDeviation(double[] values) {
        double centre = of(values);
        double[] deviations = new double[values.length];
        for (int i = 0; i < deviations.length; i++) {
            deviations[i] = Math.abs(values[i] - centre);
        }
        return 1.4826 * of(deviations);
    }

    /** The median of the first {@code count} values, which are sorted by it; NaN of none. They must not be NaN. */
    public static float of(float[] values, int count) {
        if (count == 0) {
            return Float.NaN;
        }
        Arrays.sort(values, 0, count);
        return (values[(count - 1) / 2] + values[count / 2]) / 2;
    }

    /** The median of what the first {@code count} values deviate from {@code centre}; they are replaced and sorted. */
    public static float absoluteDeviation(float[] values, int count, float centre) {
        for (int i = 0; i < count; i++) {
            values[i] = Math.abs(values[i] - centre);
        }
        return of(values, count);
    }
}
