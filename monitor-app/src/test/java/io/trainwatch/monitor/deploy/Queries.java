package io.trainwatch.monitor.deploy;

import io.trainwatch.monitor.metrics.MetricCatalog;
import java.util.Set;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** What a query in PromQL reads. */
final class Queries {
    /** Every name under which a metric of ours may be read. */
    static final Set<String> KNOWN_METRICS = MetricCatalog.all().stream()
            .flatMap(metric -> metric.type() == MetricCatalog.Type.HISTOGRAM
                    ? Stream.of("", "_bucket", "_sum", "_count").map(suffix -> metric.name() + suffix)
                    : Stream.of(metric.name()))
            .collect(Collectors.toUnmodifiableSet());

    /** Not within the name of a recording rule, which has colons. */
    private static final Pattern OURS = Pattern.compile("(?<![\\w:])trainwatch_[a-z_0-9]+(?![\\w:])");

    private Queries() {}

    static Set<String> metricsOf(String query) {
        return OURS.matcher(query).results().map(MatchResult::group).collect(Collectors.toSet());
    }
}
