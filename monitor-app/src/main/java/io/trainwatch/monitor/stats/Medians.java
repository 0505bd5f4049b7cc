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
        double[] sorted = values.clone();
        Arrays.sort(sorted);
        return values.length == 0
                ? Double.NaN
                : 1.4826 * deviation(sorted, (sorted[(sorted.length - 1) / 2] + sorted[sorted.length / 2]) / 2);
    }

    /** The median of the first {@code count} values, which are sorted by it; NaN of none. They must not be NaN. */
    public static float of(float[] values, int count) {
        if (count == 0) {
            return Float.NaN;
        }
        Arrays.sort(values, 0, count);
        return (values[(count - 1) / 2] + values[count / 2]) / 2;
    }

    /** The median of what the first {@code count} values, which are sorted, deviate from {@code centre}; NaN of none. */
    public static float absoluteDeviation(float[] sorted, int count, float centre) {
        double[] wide = new double[count];
        for (int i = 0; i < count; i++) {
            wide[i] = sorted[i];
        }
        return count == 0 ? Float.NaN : (float) deviation(wide, centre);
    }

    /** From the centre outwards the deviations are sorted on either side: the nearer half is counted, and nothing sorted again. */
    private static double deviation(double[] sorted, double centre) {
        int right = 0;
        while (right < sorted.length && sorted[right] < centre) {
            right++;
        }
        int left = right - 1;
        double before = 0;
        double last = 0;
        for (int i = 0; i <= sorted.length / 2; i++) {
            before = last;
            boolean below = right == sorted.length || (left >= 0 && centre - sorted[left] < sorted[right] - centre);
            last = below ? centre - sorted[left--] : sorted[right++] - centre;
        }
        return sorted.length % 2 == 1 ? last : (before + last) / 2;
    }
}
