package io.trainwatch.monitor.judge;

import io.trainwatch.alert.Alert;
import io.trainwatch.alert.AlertState;
import io.trainwatch.monitor.run.Milestone;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * All that happened to a run, in time order: its milestones, and its episodes as they began and ended.
 *
 * @param entries oldest first
 * @param forgotten milestones that are missing because there were too many
 */
public record RunStory(List<Entry> entries, long forgotten) {

    /**
     * One thing that happened.
     *
     * @param kind {@code alert_opened}, {@code alert_resolved}, or what the milestone is
     * @param step last completed step; -1 before the first
     * @param atMs when it happened by the trainer, epoch milliseconds
     * @param text for people, from the trainer and so not to be trusted; may be empty
     * @param alert the episode, at its latest state; null for a milestone
     */
    public record Entry(
            String kind,
            int attempt,
            long step,
            long atMs,
            String text,
            @Nullable Alert alert) {}

    static RunStory of(RunSnapshot run) {
        List<Entry> entries = new ArrayList<>();
        for (Milestone milestone : run.milestones()) {
            entries.add(new Entry(
                    milestone.kind().label(),
                    milestone.attempt(),
                    milestone.step(),
                    milestone.atMs(),
                    milestone.text(),
                    null));
        }
        for (Alert alert : run.alerts()) {
            entries.add(entry("alert_opened", alert, alert.getOpenedStep(), alert.getOpenedAtMs()));
            if (alert.getState() == AlertState.resolved) {
                entries.add(entry("alert_resolved", alert, alert.getLastStep(), alert.getChangedAtMs()));
            }
        }
        entries.sort(Comparator.comparingLong(Entry::atMs));
        return new RunStory(entries, run.milestonesForgotten());
    }

    private static Entry entry(String kind, Alert alert, @Nullable Long step, long atMs) {
        return new Entry(kind, alert.getAttempt(), step == null ? -1 : step, atMs, alert.getMessage(), alert);
    }
}
