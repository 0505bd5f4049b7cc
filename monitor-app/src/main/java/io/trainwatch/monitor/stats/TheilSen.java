package io.trainwatch.monitor.stats;

import java.util.Arrays;

/**
 * Slope of a short series that outliers do not bend: the median of the slopes of all pairs (Theil-Sen), and the trend test
 * that goes with it (Mann-Kendall). Takes time in the square of the length.
 */
public final class TheilSen {
    private TheilSen() {}

    /** Change per position over {@code values[from]} to {@code values[to - 1]}; NaN below two of them. */
    public static double slope(double[] values, int from, int to) {
        int n = to - from;
        if (n < 2) {
            return Double.NaN;
        }
        double[] slopes = new double[n * (n - 1) / 2];
        int pairs = 0;
        for (int i = from; i < to; i++) {
            for (int j = i + 1; j < to; j++) {
                slopes[pairs++] = (values[j] - values[i]) / (j - i);
            }
        }
        Arrays.sort(slopes);
        return (slopes[(pairs - 1) / 2] + slopes[pairs / 2]) / 2;
    }

    /** Standard normal score of the trend, negative if the values fall; 0 below two of them. Ties count as no trend. */
    public static double trend(double[] values, int from, int to) {
        double n = to - from;
        long s = 0;
        for (int i = from; i < to; i++) {
            for (int j = i + 1; j < to; j++) {
                s += (long) Math.signum(values[j] - values[i]);
            }
        }
        return n < 2 ? 0 : s / Math.sqrt(n * (n - 1) * (2 * n + 5) / 18);
    }
}
