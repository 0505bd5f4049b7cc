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
        return middle(sorted);
    }

    private static double middle(double[] sorted) {
        return (sorted[(sorted.length - 1) / 2] + sorted[sorted.length / 2]) / 2;
    }

    /** 1.4826 times the median of what the values deviate from their median: their standard deviation if they are normal. */
    public static double standardDeviation(double[] values) {
        if (values.length == 0) {
            return Double.NaN;
        }
        double[] sorted = values.clone();
        Arrays.sort(sorted);
        return 1.4826 * absoluteDeviation(sorted, middle(sorted));
    }

    /** From the median outwards the deviations are sorted on either side: half of them are merged, and nothing is sorted again. */
    private static double absoluteDeviation(double[] sorted, double median) {
        int right = sorted.length / 2;
        int left = right - 1;
        double before = 0;
        double last = 0;
        for (int i = 0; i <= sorted.length / 2; i++) {
            before = last;
            boolean below = right == sorted.length || (left >= 0 && median - sorted[left] < sorted[right] - median);
            last = below ? median - sorted[left--] : sorted[right++] - median;
        }
        return sorted.length % 2 == 1 ? last : (before + last) / 2;
    }

    /** The median of the first {@code count} values, which are sorted by it; NaN of none. They must not be NaN. */
    public static float of(float[] values, int count) {
        if (count == 0) {
            return Float.NaN;
        }
        Arrays.sort(values, 0, count);
        return (values[(count - 1) / 2] + values[count / 2]) / 2;
    }

    /**
     * The median of what the first {@code count} values, which are sorted, deviate from their median; NaN of none. What lies
     * to its left and what to its right is sorted each, so the split of the nearer half between the two sides is found by
     * bisection: of 128 values 7 steps instead of 64 unpredictable ones.
     */
    public static double absoluteDeviation(float[] sorted, int count, double median) {
        if (count == 0) {
            return Double.NaN;
        }
        int left = (count + 1) / 2;
        int nearer = count / 2 + 1;
        int low = Math.max(0, nearer - (count - left));
        for (int rest = Math.min(left, nearer) - low; rest > 0; ) {
            int half = (rest + 1) >>> 1;
            int fromLeft = low + half - 1;
            double below = median - sorted[left - 1 - fromLeft];
            double above = sorted[left + nearer - fromLeft - 1] - median;
            // Without a jump: the sign of the difference says on which side it goes on.
            low += half * (int) (Double.doubleToRawLongBits(below - above) >>> (Long.SIZE - 1));
            rest -= half;
        }
        // The farthest of the nearer half is on one of the two sides, the one before it next to it or on the other.
        int fromRight = nearer - low;
        double lastLeft = low > 0 ? median - sorted[left - low] : 0;
        double lastRight = fromRight > 0 ? sorted[left + fromRight - 1] - median : 0;
        if (count % 2 == 1) {
            return Math.max(lastLeft, lastRight);
        }
        double before = lastLeft > lastRight
                ? Math.max(low > 1 ? median - sorted[left - low + 1] : 0, lastRight)
                : Math.max(fromRight > 1 ? sorted[left + fromRight - 2] - median : 0, lastLeft);
        return (Math.max(lastLeft, lastRight) + before) / 2;
    }
}
