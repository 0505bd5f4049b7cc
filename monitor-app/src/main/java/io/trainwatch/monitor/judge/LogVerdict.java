package io.trainwatch.monitor.judge;

import io.trainwatch.alert.Alert;
import io.trainwatch.alert.Severity;
import io.trainwatch.event.TrainingEvent;
import io.trainwatch.monitor.run.ReferenceCurve;
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
    private final References references;
    private final Map<String, Run> runs = new LinkedHashMap<>();
    private long events;

    /** Runs of the log may name each other as reference, and no others. */
    public LogVerdict(RunJudge judge) {
        this(judge, References.NONE);
    }

    /** The same, where runs may also be compared with others. */
    public LogVerdict(RunJudge judge, References references) {
        this.judge = judge;
        this.references = references;
    }

    public void event(TrainingEvent event) {
        events++;
        Run run = runs.computeIfAbsent(event.getRunId(), this::begin);
        run.events++;
        Long step = event.getStep();
        if (step != null) {
            run.firstStep = run.firstStep == null ? step : run.firstStep;
            run.lastStep = step;
        }
        List<Alert> changes = judge.judge(run.judged, event, event.getTimestampMs());
        seekReference(run.judged);
        for (Alert change : changes) {
            run.episodes.merge(
                    change.getAlertId(),
                    new Episode(change, change.getSeverity()),
                    (before, now) -> new Episode(change, higher(before.severity(), now.severity())));
        }
    }

    private Run begin(String runId) {
        JudgedRun run = judge.newRun(runId);
        ReferenceCurve given = references.byDefault();
        if (given != null) {
            judge.compare(run, given);
        }
        return new Run(run);
    }

    private void seekReference(JudgedRun run) {
        String wanted = run.wantedReference();
        if (wanted == null || references.byDefault() != null) {
            return;
        }
        Run other = runs.get(wanted);
        ReferenceCurve curve = other == null ? references.find(wanted) : other.judged.curve();
        if (curve != null) {
            judge.compare(run, curve);
        }
    }

    public long events() {
        return events;
    }

    /** The losses of the runs so far, for others to be compared with. */
    public List<ReferenceCurve> curves() {
        List<ReferenceCurve> curves = new ArrayList<>();
        for (Run run : runs.values()) {
            ReferenceCurve curve = run.judged.curve();
            if (curve != null) {
                curves.add(curve);
            }
        }
        return curves;
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
