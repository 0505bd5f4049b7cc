package io.trainwatch.monitor.board;

import io.trainwatch.alert.Alert;
import io.trainwatch.alert.AlertState;
import io.trainwatch.alert.Severity;
import io.trainwatch.monitor.judge.RunSnapshot;
import io.trainwatch.monitor.run.RunKind;
import io.trainwatch.monitor.run.SeriesSnapshot;
import io.trainwatch.run.NotChecked;
import io.trainwatch.run.RunCondition;
import io.trainwatch.run.RunStatus;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;

/** Runs as a topology would publish them. */
public final class SampleRuns {
    private SampleRuns() {}

    /** A running run that has said nothing but its name. */
    public static RunStatus bare(String runId) {
        RunStatus status = new RunStatus();
        status.setRunId(runId);
        status.setCondition(RunCondition.running);
        status.setOpenAlerts(new HashMap<>());
        status.setNotChecked(List.of());
        return status;
    }

    /** A running run of which everything is known. */
    public static RunStatus full(String runId) {
        RunStatus status = bare(runId);
        status.setProject("vision");
        status.setRunName("resnet");
        status.setModelName("resnet-7");
        status.setStartedAtMs(1_763_750_000_000L);
        status.setLastEventAtMs(1_763_760_000_000L);
        status.setLastStep(100L);
        status.setMaxSteps(1_000L);
        status.setEvents(120);
        status.setStepsJudged(100);
        status.setDuplicates(2);
        status.setMissing(3);
        status.setLoss(Double.NaN);
        status.setGradNorm(Double.POSITIVE_INFINITY);
        status.setLearningRate(0.001);
        status.setEvalLoss(2.5);
        status.getOpenAlerts().put("loss_spike/losses/box", "warning");
        status.setNotChecked(List.of(new NotChecked("label_drift", "batch_stats")));
        return status;
    }

    public static RunStatus with(RunStatus status, Consumer<RunStatus> change) {
        change.accept(status);
        return status;
    }

    public static RunSnapshot snapshot(RunStatus status, Alert... alerts) {
        return new RunSnapshot(status, Map.of(), List.of(alerts), List.of(), 0, RunKind.UNKNOWN);
    }

    public static RunSnapshot snapshot(RunStatus status, SeriesSnapshot series, Alert... alerts) {
        return new RunSnapshot(status, Map.of(series.name(), series), List.of(alerts), List.of(), 0, RunKind.UNKNOWN);
    }

    public static Alert alert(String id, String runId, Severity severity, AlertState state, long changedAtMs) {
        Alert alert = new Alert();
        alert.setAlertId(id);
        alert.setRunId(runId);
        alert.setProject("vision");
        alert.setDetector("loss_spike");
        alert.setSeverity(severity);
        alert.setState(state);
        alert.setScope("");
        alert.setOpenedStep(12L);
        alert.setOnsetStep(11L);
        alert.setOpenedAtMs(1_000);
        alert.setChangedAtMs(changedAtMs);
        alert.setMessage("loss 9.5, usually 2.3");
        alert.setEvidence(List.of());
        alert.setCauses(List.of());
        alert.setConfigVersion("");
        return alert;
    }
}
