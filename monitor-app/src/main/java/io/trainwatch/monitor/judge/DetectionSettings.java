package io.trainwatch.monitor.judge;

import io.trainwatch.monitor.detect.DetectorCatalogue;
import io.trainwatch.monitor.detect.Setting;
import io.trainwatch.monitor.run.RunFacts;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/**
 * How runs are judged. Of several values for one setting the last counts: the default, that for all runs, those of the
 * rules that match from first to last, that of the run itself. Immutable.
 *
 * @param detectors what is set for all runs and is not the default: text by the keys of {@link
 *     DetectorCatalogue#settings}
 * @param rules what is set for some of them
 */
public record DetectionSettings(Map<String, String> detectors, List<DetectionRule> rules) {
    /** Every detector at its defaults. */
    public static final DetectionSettings DEFAULT = new DetectionSettings(Map.of(), List.of());

    /** @throws IllegalArgumentException if a key is unknown or a text is not allowed */
    public DetectionSettings {
        rules = List.copyOf(rules);
        check(detectors);
        Map<String, String> values = new TreeMap<>();
        put(detectors, values);
        detectors = Map.copyOf(values);
        rules.forEach(rule -> check(rule.detectors()));
    }

    private static void check(Map<String, String> values) {
        values.forEach((key, text) -> {
            Setting<?> setting = DetectorCatalogue.settings().get(key);
            if (setting == null || setting.canonical(text).isEmpty()) {
                throw new IllegalArgumentException(key + " cannot be " + text);
            }
        });
    }

    /**
     * What counts for one run.
     *
     * @param values what is not at its default, in canonical text by key, sorted
     * @param ignored settings of the run itself that cannot be used, each with what is allowed
     */
    record Effective(Map<String, String> values, List<String> ignored) {}

    /** What counts for a run that has not declared itself. */
    Map<String, String> forAll() {
        return new TreeMap<>(detectors);
    }

    Effective forRun(RunFacts facts, DeclaredSettings declared) {
        Map<String, String> values = forAll();
        for (DetectionRule rule : rules) {
            if (rule.matches(facts.project(), facts.runName(), declared.labels())) {
                put(rule.detectors(), values);
            }
        }
        List<String> ignored = new ArrayList<>();
        declared.settings().forEach((key, text) -> {
            Setting<?> setting = DetectorCatalogue.settings().get(key);
            Optional<String> canonical = setting == null ? Optional.empty() : setting.canonical(text);
            if (canonical.isPresent()) {
                put(Map.of(key, canonical.get()), values);
            } else {
                ignored.add(
                        setting == null
                                ? key + " is no setting"
                                : key + " cannot be '" + text + "', only " + setting.allowed());
            }
        });
        return new Effective(values, ignored);
    }

    /** Leaves out what is at its default, so that equal settings are equal maps. */
    private static void put(Map<String, String> from, Map<String, String> into) {
        from.forEach((key, text) -> {
            Setting<?> setting = DetectorCatalogue.settings().get(key);
            if (setting != null) {
                String canonical = setting.canonical(text).orElseThrow();
                if (canonical.equals(setting.standardText())) {
                    into.remove(key);
                } else {
                    into.put(key, canonical);
                }
            }
        });
    }
}
