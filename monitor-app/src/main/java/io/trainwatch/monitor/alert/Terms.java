package io.trainwatch.monitor.alert;

import io.trainwatch.alert.Severity;
import java.util.List;
import java.util.Map;

/**
 * Under what verdicts become alerts. Detectors are known by their place in the list.
 *
 * @param detectors their names
 * @param quietVerdicts of each, the healthy verdicts in a row after which an episode of it is over, at least 1
 * @param highest the highest severity by detector, where it is not critical
 * @param version fingerprint of the settings
 */
public record Terms(
        List<String> detectors, List<Integer> quietVerdicts, Map<String, Severity> highest, String version) {
    static final Terms NONE = new Terms(List.of(), List.of(), Map.of(), "");

    public Terms {
        detectors = List.copyOf(detectors);
        quietVerdicts = List.copyOf(quietVerdicts);
        highest = Map.copyOf(highest);
    }
}
