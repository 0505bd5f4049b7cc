package io.trainwatch.monitor.run;

import java.util.List;

/**
 * One measure of many layers or features over a run.
 *
 * @param title for people, e.g. {@code gradient norm by layer}
 * @param unit of its values, e.g. {@code log10}
 * @param rows in the order in which the run named them, at most 24
 */
public record HeatMap(String title, String unit, List<Row> rows) {

    /**
     * One layer or feature.
     *
     * @param name from the trainer and so not to be trusted, at most 128 characters
     * @param buckets consecutive stretches of steps, oldest first, at most 32
     */
    public record Row(String name, List<SeriesSnapshot.Bucket> buckets) {}
}
