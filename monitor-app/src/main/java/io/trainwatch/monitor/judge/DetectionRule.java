package io.trainwatch.monitor.judge;

import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Settings for the runs that match all of its conditions; what a run does not declare matches nothing.
 *
 * @param project what the project has to match, null for any or none
 * @param runName what the name of the run has to match, null for any or none
 * @param labels what each of these labels has to match
 * @param detectors allowed text by key, e.g. {@code loss_plateau.severity}
 */
public record DetectionRule(
        @Nullable Glob project, @Nullable Glob runName, Map<String, Glob> labels, Map<String, String> detectors) {

    public DetectionRule {
        labels = Map.copyOf(labels);
        detectors = Map.copyOf(detectors);
    }

    boolean matches(@Nullable String ofProject, @Nullable String name, Map<String, String> ofLabels) {
        return matches(project, ofProject)
                && matches(runName, name)
                && labels.entrySet().stream()
                        .allMatch(label -> matches(label.getValue(), ofLabels.get(label.getKey())));
    }

    private static boolean matches(@Nullable Glob glob, @Nullable String text) {
        return glob == null || (text != null && glob.matches(text));
    }
}
