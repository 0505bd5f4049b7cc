package io.trainwatch.monitor.run;

import java.util.List;

/**
 * A whole series at bounded resolution.
 *
 * @param name name of the series, e.g. {@code loss} or {@code losses/box_loss}
 * @param points points seen, non-finite ones included
 * @param last latest value; may be non-finite
 * @param buckets consecutive stretches of the series, oldest first, at most 192
 */
public record SeriesSnapshot(String name, long points, double last, List<Bucket> buckets) {

    /**
     * The points up to {@code lastStep}; keeps their extremes, so that a spike of one step stays visible however long
     * the run.
     *
     * @param lastStep last step that it covers
     * @param min smallest finite value, NaN if there was none
     * @param mean mean of the finite values, NaN if there was none; where two buckets were merged both weigh the same
     * @param max largest finite value, NaN if there was none
     */
    public record Bucket(long lastStep, double min, double mean, double max) {}
}
