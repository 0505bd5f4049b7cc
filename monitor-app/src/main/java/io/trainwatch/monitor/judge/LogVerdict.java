package io.trainwatch.monitor.judge;

import io.trainwatch.alert.Alert;
import io.trainwatch.alert.Severity;
import io.trainwatch.event.TrainingEvent;
import io.trainwatch.run.RunStatus;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Judges the events of one log, run by run, in the order in which they come. */
public final class LogVerdict {

    /**
     * What was found in one run.
     *
     * @param snapshot all that is known of it at the end
     * @param firstStep step of the first event that has one
     * @param lastStep step of the last event that has one
     * @param episodes each at its last change, in the order in which they were opened
     */
    public record RunVerdict(
            RunSnapshot snapshot,
            long events,
            @Nullable Long firstStep,
            @Nullable Long lastStep,
            List<Episode> episodes) {

        public RunStatus status() {
            return snapshot.status();
        }

        public boolean isQuiet() {
            return episodes.stream().noneMatch(episode -> episode.severity() != Severity.info);
        }
    }

    /**
     * One alert from its first change to its last.
     *
     * @param last its last change
     * @param severity the highest that it had
     */
    public record Episode(Alert last, Severity severity) {
        /** Last completed step when it was opened; null before the first. */
        public @Nullable Long opened() {
            return last.getOpenedStep();
        }
    }

    private static final class Run {
        final JudgedRun judged;
        final Map<String, Episode> episodes = new LinkedHashMap<>();
        long events;

        @Nullable
        Long firstStep;

        @Nullable
        Long lastStep;

        Run(JudgedRun judged) {
            this.judged = judged;
        }
    }

    private final RunJudge judge;
    private final Map<String, Run> runs = new LinkedHashMap<>();
    private long events;

    public LogVerdict(RunJudge judge) {
        this.judge = judge;
    }

    public void event(TrainingEvent event) {
        events++;
        Run run = runs.computeIfAbsent(event.getRunId(), id -> new Run(judge.newRun(id)));
        run.events++;
        Long step = event.getStep();
        if (step != null) {
            run.firstStep = run.firstStep == null ? step : run.firstStep;
            run.lastStep = step;
        }
        for (Alert change : judge.judge(run.judged, event, event.getTimestampMs())) {
            run.episodes.merge(
                    change.getAlertId(),
                    new Episode(change, change.getSeverity()),
                    (before, now) -> new Episode(change, higher(before.severity(), now.severity())));
        }
    }

    public long events() {
        return events;
    }

    public List<RunVerdict> runs() {
        return runs.values().stream().map(this::verdict).toList();
    }

    private RunVerdict verdict(Run run) {
        RunSnapshot snapshot = judge.snapshot(run.judged);
        for (Alert now : snapshot.alerts()) {
            run.episodes.computeIfPresent(now.getAlertId(), (id, episode) -> new Episode(now, episode.severity()));
        }
        return new RunVerdict(
                snapshot, run.events, run.firstStep, run.lastStep, new ArrayList<>(run.episodes.values()));
    }

    private static Severity higher(Severity one, Severity other) {
        return one.compareTo(other) >= 0 ? one : other;
    }
}
