package io.trainwatch.attach;

import io.trainwatch.attach.MetricNames.Metric;
import java.util.HashMap;
import java.util.Map;

/** What the names of one log mean, looked up once. Bounded: names beyond the limit are looked up again each time. */
final class KnownNames {
    static final int MAX_NAMES = 10_000;

    private final Map<String, Metric> known = new HashMap<>();

    Metric of(String name) {
        Metric metric = known.get(name);
        if (metric == null) {
            metric = MetricNames.of(name);
            if (known.size() < MAX_NAMES && name.length() <= MetricNames.MAX_NAME_CHARACTERS) {
                known.put(name, metric);
            }
        }
        return metric;
    }
}
