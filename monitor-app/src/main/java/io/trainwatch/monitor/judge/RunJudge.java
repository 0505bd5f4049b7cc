package io.trainwatch.monitor.judge;

import io.trainwatch.alert.Alert;
import io.trainwatch.event.RunFinished;
import io.trainwatch.event.TrainingEvent;
import io.trainwatch.monitor.detect.Detector;
import io.trainwatch.monitor.detect.DetectorCatalogue;
import io.trainwatch.monitor.detect.DetectorState;
import io.trainwatch.monitor.run.RunState;
import io.trainwatch.monitor.run.Series;
import io.trainwatch.monitor.run.SeriesSnapshot;
import io.trainwatch.run.NotChecked;
import io.trainwatch.run.RunCondition;
import io.trainwatch.run.RunStatus;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Judges every event of every run. Deterministic: equal events in equal order give equal alerts; it reads no clock, wall
 * time comes in as an argument. Stateless and thread-safe; what is known of a run is in its {@link JudgedRun}, which one
 * thread at a time may use.
 *
 * <p>A detector that throws is reset and counted; the others go on.
 */
public final class RunJudge {
    private final List<Detector<?>> detectors;
    private final Map<Class<?>, int[]> readers = new HashMap<>();

    /** A judge with every detector at its defaults. */
    public RunJudge() {
        this(DetectorCatalogue.defaults());
    }

    /**
     * A judge with the given detectors.
     *
     * @param detectors in the order in which they judge
     * @throws IllegalArgumentException if two have the same name, which names their part of the state
     */
    public RunJudge(List<Detector<?>> detectors) {
        this.detectors = List.copyOf(detectors);
        Set<String> names = new HashSet<>();
        for (Detector<?> detector : detectors) {
            if (!names.add(detector.name())) {
                throw new IllegalArgumentException("two detectors are named " + detector.name() + ": rename one");
            }
        }
        Map<Class<?>, List<Integer>> byBody = new HashMap<>();
        for (int i = 0; i < detectors.size(); i++) {
            for (Class<?> body : detectors.get(i).reads()) {
                byBody.computeIfAbsent(body, b -> new ArrayList<>()).add(i);
            }
        }
        byBody.forEach((body, indexes) ->
                readers.put(body, indexes.stream().mapToInt(Integer::intValue).toArray()));
    }

    List<Detector<?>> detectors() {
        return detectors;
    }

    public JudgedRun newRun(String runId) {
        DetectorState[] states = new DetectorState[detectors.size()];
        for (int i = 0; i < states.length; i++) {
            states[i] = detectors.get(i).newState();
        }
        return new JudgedRun(runId, states);
    }

    /**
     * Judges one event.
     *
     * @param arrivedAtMs when the event reached the monitor, epoch milliseconds; offline the timestamp of the event
     * @return the alert changes that it caused, in order; almost always empty
     */
    public List<Alert> judge(JudgedRun run, TrainingEvent event, long arrivedAtMs) {
        RunState state = run.state;
        if (!state.accept(event, arrivedAtMs)) {
            return List.of();
        }
        int[] readersOfBody = readers.get(event.getBody().getClass());
        if (readersOfBody != null) {
            for (int i : readersOfBody) {
                observe(run, i, event);
            }
        }
        if (event.getBody() instanceof RunFinished finished) {
            run.alerts.runEnded(state, finished.getStatus().name(), event.getTimestampMs());
        }
        return run.alerts.takeChanges();
    }

    /** Judges the passing of time: the only source of {@code stalled_run}. Call it every second or so. */
    public List<Alert> tick(JudgedRun run, long nowMs) {
        for (int i = 0; i < detectors.size(); i++) {
            Detector<?> detector = detectors.get(i);
            run.alerts.waiting(run.state, detector.name(), detector.quietVerdicts(), nowMs);
            try {
                ticked(detector, run, i, nowMs);
            } catch (RuntimeException e) {
                reset(run, i);
            }
        }
        return run.alerts.takeChanges();
    }

    private void observe(JudgedRun run, int i, TrainingEvent event) {
        Detector<?> detector = detectors.get(i);
        run.alerts.judging(run.state, detector.name(), detector.quietVerdicts(), event.getTimestampMs());
        try {
            observed(detector, run, i, event);
        } catch (RuntimeException e) {
            reset(run, i);
        }
    }

    private void reset(JudgedRun run, int i) {
        run.detectors[i] = detectors.get(i).newState();
        run.detectorFailures++;
    }

    // The state at a detector's index came from that detector's newState: newRun and the codec keep it so.
    @SuppressWarnings("unchecked")
    private static <S extends DetectorState> void observed(
            Detector<S> detector, JudgedRun run, int i, TrainingEvent event) {
        detector.observe((S) run.detectors[i], run.state, event, run.alerts);
    }

    @SuppressWarnings("unchecked")
    private static <S extends DetectorState> void ticked(Detector<S> detector, JudgedRun run, int i, long nowMs) {
        detector.tick((S) run.detectors[i], run.state, nowMs, run.alerts);
    }

    @SuppressWarnings("unchecked")
    private static <S extends DetectorState> @Nullable String missing(Detector<S> detector, JudgedRun run, int i) {
        return detector.missing((S) run.detectors[i], run.state);
    }

    /** What is known of the run now: small, for the runs topic and the metrics. */
    public RunStatus status(JudgedRun run) {
        RunState state = run.state;
        RunStatus status = new RunStatus();
        status.setRunId(state.runId());
        status.setAttempt(state.attempt());
        status.setProject(state.facts().project());
        status.setRunName(state.facts().runName());
        status.setModelName(state.facts().modelName());
        status.setCondition(condition(run));
        status.setStartedAtMs(state.startedAtMs());
        status.setLastEventAtMs(state.lastEventAtMs());
        status.setLastStep(state.lastStep() < 0 ? null : (Long) state.lastStep());
        status.setMaxSteps(
                state.facts().maxSteps() <= 0 ? null : (Long) state.facts().maxSteps());
        status.setEvents(state.eventNumber());
        status.setStepsJudged(state.stepEvents());
        status.setDuplicates(state.duplicates());
        status.setMissing(state.missingEvents());
        status.setLoss(lastOf(state.loss()));
        status.setGradNorm(lastOf(state.gradNorm()));
        Series learningRate = state.series("learning_rate");
        status.setLearningRate(learningRate == null ? null : lastOf(learningRate));
        status.setEvalLoss(state.evaluationLossKnown() ? (Double) state.evaluationLoss() : null);
        status.setOpenAlerts(run.alerts.open());
        status.setNotChecked(notChecked(run));
        return status;
    }

    private static @Nullable Double lastOf(Series series) {
        return series.points() == 0 ? null : (Double) series.last();
    }

    private static RunCondition condition(JudgedRun run) {
        if (run.state.finish() == null) {
            return run.alerts.isOpen("stalled_run", "") ? RunCondition.silent : RunCondition.running;
        }
        return switch (run.state.finish()) {
            case completed -> RunCondition.completed;
            case failed -> RunCondition.failed;
            case killed -> RunCondition.killed;
            case unknown -> RunCondition.unknown;
        };
    }

    private List<NotChecked> notChecked(JudgedRun run) {
        List<NotChecked> notChecked = new ArrayList<>();
        for (int i = 0; i < detectors.size(); i++) {
            String missing = missingOrReset(run, i);
            if (missing != null) {
                notChecked.add(new NotChecked(detectors.get(i).name(), missing));
            }
        }
        return notChecked;
    }

    private @Nullable String missingOrReset(JudgedRun run, int i) {
        try {
            return missing(detectors.get(i), run, i);
        } catch (RuntimeException e) {
            reset(run, i);
            return "a state that it can read: its own was reset";
        }
    }

    /** A picture of the run for readers on other threads, series included: some ten thousand bytes, so take it seldom. */
    public RunSnapshot snapshot(JudgedRun run) {
        Map<String, SeriesSnapshot> series = new LinkedHashMap<>();
        run.state.series().forEach((name, one) -> {
            if (one.points() > 0) {
                series.put(name, one.snapshot());
            }
        });
        return new RunSnapshot(
                status(run),
                series,
                run.alerts.recent(run.state),
                run.state.story().milestones(),
                run.state.story().forgotten());
    }
}
