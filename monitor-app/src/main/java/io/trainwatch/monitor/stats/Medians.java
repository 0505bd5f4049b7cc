package io.trainwatch.monitor.stats;

import java.util.Arrays;

/** Medians of small sets. */
public final class Medians {
    private Medians() {}

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
