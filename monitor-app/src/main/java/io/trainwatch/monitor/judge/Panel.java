package io.trainwatch.monitor.judge;

import io.trainwatch.alert.Severity;
import io.trainwatch.event.StepCompleted;
import io.trainwatch.monitor.alert.Terms;
import io.trainwatch.monitor.detect.Detector;
import io.trainwatch.monitor.detect.DetectorCatalogue;
import io.trainwatch.monitor.stats.Fingerprint;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.IntStream;

/**
 * The detectors under one choice of settings, with all that the settings decide worked out before the first event. Runs
 * that are judged alike share one. Immutable.
 */
final class Panel {
    private static final int[] NONE = {};

    final List<Detector<?>> detectors;
    /** What the states of the detectors are called in the state of a run. */
    final byte[][] slots;
    /** Indexes of the detectors that are switched on. */
    final int[] judging;
    /** Under what their verdicts become alerts, each by its index. */
    final Terms terms;

    private final boolean[] on;
    private final Map<Class<?>, int[]> readers = new HashMap<>();
    /** Those of what nearly all events are. */
    private final int[] ofSteps;

    /**
     * A panel.
     *
     * @param detectors in the order in which they judge, made with the values
     * @param values what is not at its default, by key
     */
    Panel(List<Detector<?>> detectors, Map<String, String> values) {
        this.detectors = List.copyOf(detectors);
        slots = detectors.stream().map(JudgedRunCodec::slotOf).toArray(byte[][]::new);
        on = new boolean[detectors.size()];
        Map<String, Severity> highest = new HashMap<>();
        Map<Class<?>, List<Integer>> byBody = new HashMap<>();
        for (int i = 0; i < on.length; i++) {
            Detector<?> detector = detectors.get(i);
            String enabled = values.get(detector.name() + "." + DetectorCatalogue.ENABLED.name());
            on[i] = enabled == null || Boolean.parseBoolean(enabled);
            String severity = values.get(detector.name() + "." + DetectorCatalogue.SEVERITY.name());
            if (severity != null) {
                highest.put(detector.name(), Severity.valueOf(severity));
            }
            if (on[i]) {
                for (Class<?> body : detector.reads()) {
                    byBody.computeIfAbsent(body, b -> new ArrayList<>()).add(i);
                }
            }
        }
        byBody.forEach((body, indexes) ->
                readers.put(body, indexes.stream().mapToInt(Integer::intValue).toArray()));
        ofSteps = readers.getOrDefault(StepCompleted.class, NONE);
        judging = IntStream.range(0, on.length).filter(this::isOn).toArray();
        terms = new Terms(
                detectors.stream().<String>map(Detector::name).toList(),
                detectors.stream().<Integer>map(Detector::quietVerdicts).toList(),
                highest,
                version(values));
    }

    boolean isOn(int detector) {
        return on[detector];
    }

    /** Indexes of the detectors that want to see an event with this body. */
    int[] readers(Object body) {
        return body instanceof StepCompleted ? ofSteps : readers.getOrDefault(body.getClass(), NONE);
    }

    /** Fingerprint of every setting that counts, defaults included: another default is another version. */
    private static String version(Map<String, String> values) {
        StringBuilder all = new StringBuilder();
        DetectorCatalogue.settings()
                .forEach((key, setting) -> all.append(key)
                        .append('=')
                        .append(values.getOrDefault(key, setting.standardText()))
                        .append('\n'));
        return String.format(Locale.ROOT, "%016x", Fingerprint.of(all.toString()));
    }
}
