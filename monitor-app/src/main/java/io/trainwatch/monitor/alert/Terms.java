package io.trainwatch.monitor.alert;

import io.trainwatch.alert.Severity;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Under what verdicts become alerts: whose they are, when each has gone quiet, and how grave it may be. Immutable. */
public final class Terms {
    static final Terms NONE = new Terms(List.of(), List.of(), Map.of(), "");

    private final List<String> detectors;
    private final List<Integer> quietVerdicts;
    private final Map<String, Severity> highest;
    private final String version;

    /**
     * Terms for detectors that are known by their place in a list.
     *
     * @param detectors their names
     * @param quietVerdicts of each, the healthy verdicts in a row after which an episode of it is over, at least 1
     * @param highest the highest severity by detector, where it is not critical
     * @param version fingerprint of the settings
     */
    public Terms(List<String> detectors, List<Integer> quietVerdicts, Map<String, Severity> highest, String version) {
        this.detectors = List.copyOf(detectors);
        this.quietVerdicts = List.copyOf(quietVerdicts);
        this.highest = Map.copyOf(highest);
        this.version = version;
    }

    String detector(int number) {
        return detectors.get(number);
    }

    int quietVerdicts(int number) {
        return quietVerdicts.get(number);
    }

    @Nullable
    Severity highest(String detector) {
        return highest.isEmpty() ? null : highest.get(detector);
    }

    /** Fingerprint of the settings. */
    public String version() {
        return version;
    }
}
