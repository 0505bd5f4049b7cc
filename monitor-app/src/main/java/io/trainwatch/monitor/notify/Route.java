package io.trainwatch.monitor.notify;

import io.trainwatch.alert.Alert;
import io.trainwatch.alert.Severity;
import io.trainwatch.monitor.judge.Glob;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Which alerts go where. What is null or empty matches everything; what a run does not declare matches nothing.
 *
 * @param project pattern of the project
 * @param detector pattern of the name of the detector
 * @param severity the least
 * @param labels patterns by label of the run
 * @param sinks names of the sinks; none to page nobody
 */
public record Route(
        @Nullable Glob project,
        @Nullable Glob detector,
        @Nullable Severity severity,
        Map<String, Glob> labels,
        Set<String> sinks) {

    public Route {
        labels = Map.copyOf(labels);
        sinks = Set.copyOf(sinks);
    }

    boolean matches(Alert alert) {
        return matches(project, alert.getProject())
                && matches(detector, alert.getDetector())
                && (severity == null || alert.getSeverity().compareTo(severity) >= 0)
                && labels.entrySet().stream()
                        .allMatch(label ->
                                matches(label.getValue(), alert.getLabels().get(label.getKey())));
    }

    static boolean matches(@Nullable Glob pattern, @Nullable String text) {
        return pattern == null || (text != null && pattern.matches(text));
    }
}
