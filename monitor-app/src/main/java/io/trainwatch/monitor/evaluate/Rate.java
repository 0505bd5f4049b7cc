package io.trainwatch.monitor.evaluate;

import java.util.Locale;
import org.apache.commons.statistics.distribution.ChiSquaredDistribution;

/**
 * Events per 100,000 points with the exact 95 % interval of Garwood for a Poisson count.
 *
 * <pre>
 * low = chi^2(0.025; 2 k) / 2, high = chi^2(0.975; 2 k + 2) / 2, each x 100,000 / n
 * </pre>
 *
 * @param count events, at least 0
 * @param points what they were counted in, at least 0
 */
record Rate(long count, long points) {
    private static final double PER = 100_000;

    double value() {
        return points == 0 ? Double.NaN : PER * count / points;
    }

    double low() {
        return count == 0
                ? 0
                : PER * ChiSquaredDistribution.of(2.0 * count).inverseCumulativeProbability(0.025) / 2 / points;
    }

    double high() {
        return points == 0
                ? Double.NaN
                : PER * ChiSquaredDistribution.of(2.0 * count + 2).inverseCumulativeProbability(0.975) / 2 / points;
    }

    @Override
    public String toString() {
        return String.format(Locale.ROOT, "%.2f (%.2f to %.2f)", value(), low(), high());
    }
}
