package io.trainwatch.monitor.judge;

import io.trainwatch.alert.Alert;
import io.trainwatch.monitor.run.Milestone;
import io.trainwatch.monitor.run.SeriesSnapshot;
import io.trainwatch.run.RunStatus;
import java.util.List;
import java.util.Map;

/**
 * An immutable picture of a {@link JudgedRun} for readers on other threads.
 *
 * @param status what is known of the run
 * @param series its series by name, at bounded resolution
 * @param alerts the latest state of its most recent episodes, oldest first, at most {@value #MAX_ALERTS}
 * @param milestones what happened to it beside them, in the order in which it was told
 * @param milestonesForgotten milestones that made room for others
 */
public record RunSnapshot(
        RunStatus status,
        Map<String, SeriesSnapshot> series,
        List<Alert> alerts,
        List<Milestone> milestones,
        long milestonesForgotten) {
    public static final int MAX_ALERTS = 64;

    /** What happened to the run, in time order. */
    public RunStory story() {
        return RunStory.of(this);
    }
}
