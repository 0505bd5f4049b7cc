package io.trainwatch.monitor.judge;

import io.trainwatch.monitor.alert.AlertLifecycle;
import io.trainwatch.monitor.detect.DetectorState;
import io.trainwatch.monitor.run.ReferenceCurve;
import io.trainwatch.monitor.run.RunState;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** All that the monitor knows of one run. Mutable, bounded in size however long the run, owned by one thread. */
public final class JudgedRun {
    final RunState state;
    AlertLifecycle alerts = new AlertLifecycle();
    final DeclaredSettings declared = new DeclaredSettings();

    /** The detectors that judge it; another one after a declaration that other settings apply to. */
    Panel panel;
    /** Settings that it asked for and does not get, each with what is allowed. */
    List<String> ignoredSettings = List.of();

    /** One for each detector of the panel, in its order. */
    final DetectorState[] detectors;

    /** Times that a detector threw and was reset. */
    long detectorFailures;
    /** Parts of the state that could not be read after a restart and began anew. */
    long slotsLost;

    JudgedRun(String runId, Panel panel, DetectorState[] detectors) {
        this.state = new RunState(runId);
        this.panel = panel;
        this.detectors = detectors;
    }

    public String runId() {
        return state.runId();
    }

    /** Events judged, duplicates not counted. */
    public long events() {
        return state.eventNumber();
    }

    /** Whether the run said that it ended. */
    public boolean finished() {
        return state.finished();
    }

    /** The run whose loss this one is to be compared with and is not yet, see {@link RunJudge#compare}; null if none. */
    public @Nullable String wantedReference() {
        return state.wantedReference();
    }

    /** Its loss, for others to be compared with; null while it has too few points. */
    public @Nullable ReferenceCurve curve() {
        return ReferenceCurve.of(
                runId(),
                state.facts().kind(),
                finished(),
                state.loss().points() == 0 ? null : state.loss().snapshot());
    }

    /** Arrival of its latest event, epoch milliseconds of the monitor. */
    public long lastArrivalMs() {
        return state.lastArrivalMs();
    }

    /** Times that a detector threw and was reset. */
    public long detectorFailures() {
        return detectorFailures;
    }

    /** Parts of the state that could not be read after a restart and began anew. */
    public long slotsLost() {
        return slotsLost;
    }
}
