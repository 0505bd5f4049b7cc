package io.trainwatch.attach;

import io.trainwatch.attach.MetricNames.Metric;
import io.trainwatch.attach.MetricNames.Role;
import io.trainwatch.event.MetricDeclaration;
import io.trainwatch.event.RunStarted;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/** What the names of a log's metrics tell of its run. */
final class MetricFacts {
    /** Metrics that are declared. */
    static final int MAX_DECLARED = 64;

    private MetricFacts() {}

    /** Puts what the names tell into the facts of a run that has not begun. */
    static void tell(RunStarted facts, Iterable<Metric> metrics) {
        facts.setMetricProfile(MetricNames.profile(metrics));
        List<MetricDeclaration> declared = declared(metrics);
        facts.setMetrics(declared.isEmpty() ? null : declared);
    }

    /** The metrics of which it is known whether larger or smaller is better. */
    static List<MetricDeclaration> declared(Iterable<Metric> metrics) {
        List<MetricDeclaration> declared = new ArrayList<>();
        Set<String> names = new HashSet<>();
        for (Metric metric : metrics) {
            String mode = metric.role() == Role.QUALITY || metric.role() == Role.REWARD
                    ? MetricNames.direction(metric.name())
                    : null;
            if (mode != null && declared.size() < MAX_DECLARED && names.add(metric.name())) {
                MetricDeclaration declaration = new MetricDeclaration();
                declaration.setName(metric.name());
                declaration.setMode(mode);
                declaration.setPrimary(false);
                declared.add(declaration);
            }
        }
        return declared;
    }
}
