package io.trainwatch.monitor.judge;

import io.trainwatch.alert.Alert;
import io.trainwatch.monitor.run.HeatMap;
import io.trainwatch.monitor.run.Milestone;
import io.trainwatch.monitor.run.ReferenceCurve;
import io.trainwatch.monitor.run.RunKind;
import io.trainwatch.monitor.run.SeriesSnapshot;
import io.trainwatch.run.RunStatus;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * An immutable picture of a {@link JudgedRun} for readers on other threads.
 *
 * @param status what is known of the run
 * @param series its series by name, at bounded resolution
 * @param alerts the latest state of its most recent episodes, oldest first, at most {@value #MAX_ALERTS}
 * @param milestones what happened to it beside them, in the order in which it was told
 * @param milestonesForgotten milestones that made room for others
 * @param kind what decides which runs its losses may be compared with
 * @param elapsed seconds of training, pauses between attempts left out: the maximum of each point is that of its last step;
 *     empty if the run has no clock
 * @param heatMaps what its layers and features did, as far as it sends them
 */
public record RunSnapshot(
        RunStatus status,
        Map<String, SeriesSnapshot> series,
        List<Alert> alerts,
        List<Milestone> milestones,
        long milestonesForgotten,
        RunKind kind,
        List<SeriesSnapshot.Bucket> elapsed,
        List<HeatMap> heatMaps) {
    public static final int MAX_ALERTS = 64;

    /** A run without a clock, that sends nothing of its layers and features. */
    public RunSnapshot(
            RunStatus status,
            Map<String, SeriesSnapshot> series,
            List<Alert> alerts,
            List<Milestone> milestones,
            long milestonesForgotten,
            RunKind kind) {
        this(status, series, alerts, milestones, milestonesForgotten, kind, List.of(), List.of());
    }

    /** What happened to the run, in time order. */
    public RunStory story() {
        return RunStory.of(this);
    }

    /** Its loss, for others to be compared with; null while it has too few points. */
    public @Nullable ReferenceCurve curve() {
        return ReferenceCurve.of(status.getRunId(), kind, isEnded(), series.get("loss"));
    }

    /** Whether the run said that it ended. */
    public boolean isEnded() {
        return switch (status.getCondition()) {
            case running, silent -> false;
            case completed, failed, killed, unknown -> true;
        };
    }
}
