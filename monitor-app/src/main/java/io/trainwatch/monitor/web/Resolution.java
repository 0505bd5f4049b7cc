package io.trainwatch.monitor.web;

import io.trainwatch.monitor.run.SeriesSnapshot.Bucket;
import java.util.ArrayList;
import java.util.List;

/** A series in fewer stretches. */
final class Resolution {
    private Resolution() {}

    /**
     * Joins neighbours until at most {@code limit} are left, each of as many stretches as the others within one. The
     * extremes are those of the points; the mean is the mean of the joined means.
     */
    static List<Bucket> atMost(int limit, List<Bucket> buckets) {
        if (buckets.size() <= limit) {
            return buckets;
        }
        List<Bucket> joined = new ArrayList<>(limit);
        for (int i = 0; i < limit; i++) {
            int from = (int) ((long) buckets.size() * i / limit);
            int to = (int) ((long) buckets.size() * (i + 1) / limit);
            joined.add(join(buckets.subList(from, to)));
        }
        return joined;
    }

    private static Bucket join(List<Bucket> buckets) {
        double min = Double.NaN;
        double max = Double.NaN;
        double sum = 0;
        int finite = 0;
        for (Bucket bucket : buckets) {
            if (!Double.isNaN(bucket.mean())) {
                min = finite == 0 ? bucket.min() : Math.min(min, bucket.min());
                max = finite == 0 ? bucket.max() : Math.max(max, bucket.max());
                sum += bucket.mean();
                finite++;
            }
        }
        return new Bucket(
                buckets.get(buckets.size() - 1).lastStep(), min, finite == 0 ? Double.NaN : sum / finite, max);
    }
}
