package io.trainwatch.monitor.judge;

import io.trainwatch.alert.Alert;
import io.trainwatch.event.RunFinished;
import io.trainwatch.event.RunStarted;
import io.trainwatch.event.TrainingEvent;
import io.trainwatch.monitor.detect.Detector;
import io.trainwatch.monitor.detect.DetectorCatalogue;
import io.trainwatch.monitor.detect.DetectorState;
import io.trainwatch.monitor.run.ReferenceCurve;
import io.trainwatch.monitor.run.RunState;
import io.trainwatch.monitor.run.Series;
import io.trainwatch.monitor.run.SeriesSnapshot;
import io.trainwatch.run.NotChecked;
import io.trainwatch.run.RunCondition;
import io.trainwatch.run.RunStatus;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * Judges every event of every run. Deterministic: equal events in equal order give equal alerts; it reads no clock, wall
 * time comes in as an argument. Stateless and thread-safe; what is known of a run is in its {@link JudgedRun}, which one
 * thread at a time may use.
 *
 * <p>A detector that throws is reset and counted; the others go on.
 */
public final class RunJudge {
    /** What is missing of a detector that does not judge because nobody wants it to. */
    public static final String SWITCHED_OFF = "switched off by configuration";

    /** Stands where the name of a detector does, for settings of a run that cannot be used. */
    public static final String RUN_SETTINGS = "run_started.settings";

    /** Panels that runs share; what is beyond has one of its own for each run. */
    private static final int MAX_PANELS = 256;

    private static final int MAX_IGNORED_TOLD = 3;

    private final DetectionSettings settings;
    private final Function<Map<String, String>, List<Detector<?>>> detectors;
    private final Map<Map<String, String>, Panel> panels = new ConcurrentHashMap<>();
    private final Panel forAll;

    /** A judge with every detector at its defaults. */
    public RunJudge() {
        this(DetectionSettings.DEFAULT);
    }

    /** A judge with every detector. */
    public RunJudge(DetectionSettings settings) {
        this(settings, DetectorCatalogue::with);
    }

    /**
     * A judge with the given detectors.
     *
     * @param detectors in the order in which they judge
     * @throws IllegalArgumentException if two have the same name, which names their part of the state
     */
    public RunJudge(List<Detector<?>> detectors) {
        this(DetectionSettings.DEFAULT, values -> detectors);
        Set<String> names = new HashSet<>();
        for (Detector<?> detector : detectors) {
            if (!names.add(detector.name())) {
                throw new IllegalArgumentException("two detectors are named " + detector.name() + ": rename one");
            }
        }
    }

    private RunJudge(DetectionSettings settings, Function<Map<String, String>, List<Detector<?>>> detectors) {
        this.settings = settings;
        this.detectors = detectors;
        forAll = panel(settings.forAll());
    }

    private Panel panel(Map<String, String> values) {
        Panel known = panels.get(values);
        if (known != null) {
            return known;
        }
        Panel panel = new Panel(detectors.apply(values), values);
        if (panels.size() < MAX_PANELS) {
            panels.put(Map.copyOf(values), panel);
        }
        return panel;
    }

    public JudgedRun newRun(String runId) {
        DetectorState[] states = new DetectorState[forAll.detectors.size()];
        for (int i = 0; i < states.length; i++) {
            states[i] = forAll.detectors.get(i).newState();
        }
        JudgedRun run = new JudgedRun(runId, forAll, states);
        run.alerts.under(forAll.terms);
        return run;
    }

    /**
     * Chooses the panel that what the run declared asks for. A detector that is switched off forgets what it knew, so that
     * it begins anew where it is switched on again, and its episodes end.
     */
    void settle(JudgedRun run, long atMs) {
        DetectionSettings.Effective effective = settings.forRun(run.state.facts(), run.declared);
        run.ignoredSettings = effective.ignored();
        run.panel = panel(effective.values());
        run.alerts.under(run.panel.terms);
        run.alerts.addressed(run.declared.labels(), run.declared.paging());
        for (int i = 0; i < run.detectors.length; i++) {
            if (!run.panel.isOn(i)) {
                Detector<?> detector = run.panel.detectors.get(i);
                run.detectors[i] = detector.newState();
                run.alerts.judgedNoMore(run.state, detector.name(), SWITCHED_OFF, atMs);
            }
        }
    }

    /**
     * Judges one event.
     *
     * @param arrivedAtMs when the event reached the monitor, epoch milliseconds; offline the timestamp of the event
     * @return the alert changes that it caused, in order; almost always empty
     */
    public List<Alert> judge(JudgedRun run, TrainingEvent event, long arrivedAtMs) {
        RunState state = run.state;
        boolean wasHistorical = state.historical();
        if (!state.accept(event, arrivedAtMs)) {
            return List.of();
        }
        if (event.getBody() instanceof RunStarted started) {
            run.declared.declare(started);
            settle(run, event.getTimestampMs());
        }
        for (int i : run.panel.readers(event.getBody())) {
            observe(run, i, event);
        }
        if (wasHistorical && !state.historical()) {
            run.alerts.live(state, event.getTimestampMs());
        }
        if (event.getBody() instanceof RunFinished finished) {
            run.alerts.runEnded(state, finished.getStatus().name(), event.getTimestampMs());
        }
        return run.alerts.takeChanges();
    }

    /**
     * Judges the passing of time: the only source of {@code stalled_run}. Call it every second or so. A run of which only the
     * past was read is not expected to go on.
     */
    public List<Alert> tick(JudgedRun run, long nowMs) {
        if (run.state.historical()) {
            return List.of();
        }
        for (int i : run.panel.judging) {
            Detector<?> detector = run.panel.detectors.get(i);
            run.alerts.waiting(run.state, i, nowMs);
            try {
                ticked(detector, run, i, nowMs);
            } catch (RuntimeException e) {
                reset(run, i);
            }
        }
        return run.alerts.takeChanges();
    }

    /**
     * Compares the run with another one from here on. The curve is copied into the state of the run: what becomes of the other
     * run changes nothing, before and after a restart.
     */
    public void compare(JudgedRun run, ReferenceCurve reference) {
        run.state.compareWith(reference);
    }

    private void observe(JudgedRun run, int i, TrainingEvent event) {
        Detector<?> detector = run.panel.detectors.get(i);
        run.alerts.judging(run.state, i, event.getTimestampMs());
        try {
            observed(detector, run, i, event);
        } catch (RuntimeException e) {
            reset(run, i);
        }
    }

    private void reset(JudgedRun run, int i) {
        run.detectors[i] = run.panel.detectors.get(i).newState();
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
        for (int i = 0; i < run.detectors.length; i++) {
            String missing = run.panel.isOn(i) ? missingOrReset(run, i) : SWITCHED_OFF;
            if (missing != null) {
                notChecked.add(new NotChecked(run.panel.detectors.get(i).name(), missing));
            }
        }
        int ignored = run.ignoredSettings.size() + run.declared.dropped();
        if (ignored > 0) {
            List<String> told = new ArrayList<>(
                    run.ignoredSettings.subList(0, Math.min(run.ignoredSettings.size(), MAX_IGNORED_TOLD)));
            if (ignored > told.size()) {
                told.add((ignored - told.size()) + " more");
            }
            notChecked.add(new NotChecked(RUN_SETTINGS, "ignored: " + String.join("; ", told)));
        }
        return notChecked;
    }

    /** Whether a detector lacks something, and is neither unwanted nor a note about settings. */
    public static boolean isMissing(NotChecked notChecked) {
        return !notChecked.getMissing().equals(SWITCHED_OFF)
                && !notChecked.getDetector().equals(RUN_SETTINGS);
    }

    private @Nullable String missingOrReset(JudgedRun run, int i) {
        try {
            return missing(run.panel.detectors.get(i), run, i);
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
                run.state.story().forgotten(),
                run.state.facts().kind(),
                run.state.elapsed(),
                run.state.heatMaps());
    }
}
