package io.trainwatch.monitor.metrics;

import io.prometheus.metrics.model.snapshots.Exemplar;
import io.prometheus.metrics.model.snapshots.Labels;
import io.trainwatch.monitor.topology.MonitorCounters.AlertsOpened;
import org.jspecify.annotations.Nullable;

/** Exemplars: the run and step behind a number. They are part of OpenMetrics and carry what no label may. */
final class Examples {
    /** Names and values of all labels of an exemplar together, in characters: what OpenMetrics allows. */
    private static final int MAX_CHARACTERS = 128;

    private Examples() {}

    /** The step always fits; a run with a longer name stays unnamed rather than be cut to the name of another. */
    static Labels labels(String runId, @Nullable Long step) {
        Labels labels = step == null ? Labels.EMPTY : Labels.of("step", Long.toString(step));
        int taken = step == null ? 0 : "step".length() + Long.toString(step).length();
        int room = MAX_CHARACTERS - taken - "run_id".length();
        return runId.codePointCount(0, runId.length()) <= room ? labels.add("run_id", runId) : labels;
    }

    /** The episode that was opened last. */
    static Exemplar of(AlertsOpened opened) {
        return Exemplar.builder()
                .value(1)
                .labels(labels(opened.lastRunId(), opened.lastStep()))
                .timestampMillis(opened.lastAtMs())
                .build();
    }
}
