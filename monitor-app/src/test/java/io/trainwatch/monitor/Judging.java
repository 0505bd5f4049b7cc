package io.trainwatch.monitor;

import static org.assertj.core.api.Assertions.assertThat;

import io.trainwatch.alert.Alert;
import io.trainwatch.alert.AlertState;
import io.trainwatch.alert.Severity;
import io.trainwatch.monitor.RunStream.Moment;
import io.trainwatch.monitor.RunStream.Scenario;
import io.trainwatch.monitor.judge.JudgedRun;
import io.trainwatch.monitor.judge.JudgedRunCodec;
import io.trainwatch.monitor.judge.RunJudge;
import io.trainwatch.monitor.run.ReferenceCurve;
import io.trainwatch.run.NotChecked;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Consumer;

/**
 * Judges one run and keeps what came of it. A restart puts the state of the run through its bytes. A detector that throws
 * fails the test.
 */
public final class Judging implements Consumer<Moment> {
    private static final Map<String, ReferenceCurve> REFERENCES = new ConcurrentHashMap<>();

    private final RunJudge judge;
    private final JudgedRunCodec codec;
    private final long restartEvery;
    private final List<Alert> changes = new ArrayList<>();
    private JudgedRun run;
    private long moments;

    private Judging(RunJudge judge, String runId, long restartEvery) {
        this.judge = judge;
        this.codec = new JudgedRunCodec(judge);
        this.restartEvery = restartEvery;
        this.run = judge.newRun(runId);
    }

    /** Judges the run of a scenario by every detector at its defaults. */
    public static Judging of(Scenario scenario) {
        return of("run", scenario, Long.MAX_VALUE);
    }

    /** The same with a restart of the monitor after each {@code restartEvery}-th event. */
    public static Judging restarting(long restartEvery, Scenario scenario) {
        return of("run", scenario, restartEvery);
    }

    private static Judging of(String runId, Scenario scenario, long restartEvery) {
        Judging judging = new Judging(new RunJudge(), runId, restartEvery);
        scenario.accept(new RunStream(runId, judging));
        assertThat(judging.run.detectorFailures()).as("detectors that threw").isZero();
        assertThat(judging.run.slotsLost()).as("slots lost in a restart").isZero();
        return judging;
    }

    /** Judges the run of a scenario while another run is judged by the same judge, event by event. */
    public static Judging interleaved(Scenario scenario, Scenario other) {
        RunJudge judge = new RunJudge();
        Judging judging = new Judging(judge, "run", Long.MAX_VALUE);
        Judging beside = new Judging(judge, "other", Long.MAX_VALUE);
        List<Moment> moments = moments("run", scenario);
        List<Moment> others = moments("other", other);
        for (int i = 0; i < Math.max(moments.size(), others.size()); i++) {
            if (i < others.size()) {
                beside.accept(others.get(i));
            }
            if (i < moments.size()) {
                judging.accept(moments.get(i));
            }
        }
        return judging;
    }

    /** Judges a run that others may name as their reference. */
    public static Judging reference(String runId, Scenario scenario) {
        Judging judging = of(runId, scenario, Long.MAX_VALUE);
        REFERENCES.put(runId, judging.run.curve());
        return judging;
    }

    /** What happens in the run of a scenario. */
    public static List<Moment> moments(String runId, Scenario scenario) {
        List<Moment> moments = new ArrayList<>();
        scenario.accept(new RunStream(runId, moments::add));
        return moments;
    }

    @Override
    public void accept(Moment moment) {
        changes.addAll(
                moment.event() == null
                        ? judge.tick(run, moment.atMs())
                        : judge.judge(run, moment.event(), moment.atMs()));
        String wanted = run.wantedReference();
        ReferenceCurve reference = wanted == null ? null : REFERENCES.get(wanted);
        if (reference != null) {
            judge.compare(run, reference);
        }
        if (++moments % restartEvery == 0) {
            run = codec.decode(codec.encode(run));
        }
    }

    public JudgedRun run() {
        return run;
    }

    /** Every change of every alert, in order. */
    public List<Alert> changes() {
        return changes;
    }

    /** The changes of one detector, in order. */
    public List<Alert> changes(String detector) {
        return changes.stream().filter(a -> a.getDetector().equals(detector)).toList();
    }

    /** Every episode, in the order in which they were opened. */
    public List<Episode> episodes() {
        Map<String, List<Alert>> byId = new LinkedHashMap<>();
        for (Alert change : changes) {
            byId.computeIfAbsent(change.getAlertId(), id -> new ArrayList<>()).add(change);
        }
        return byId.values().stream().map(Episode::new).toList();
    }

    public List<Episode> episodes(String detector) {
        return episodes().stream().filter(e -> e.detector().equals(detector)).toList();
    }

    /** Episodes that reached a warning. */
    public List<Episode> alarms() {
        return episodes().stream()
                .filter(e -> e.highest().compareTo(Severity.warning) >= 0)
                .toList();
    }

    public List<Episode> alarms(String detector) {
        return alarms().stream().filter(e -> e.detector().equals(detector)).toList();
    }

    /** The one episode of the detector. */
    public Episode only(String detector) {
        List<Episode> episodes = episodes(detector);
        assertThat(episodes).as("episodes of %s among %s", detector, episodes()).hasSize(1);
        return episodes.get(0);
    }

    /** What the detector says that it lacks; "" if it has judged. */
    public String notChecked(String detector) {
        return judge.status(run).getNotChecked().stream()
                .filter(n -> n.getDetector().equals(detector))
                .map(NotChecked::getMissing)
                .findFirst()
                .orElse("");
    }

    /** Bytes of the state of the run. */
    public byte[] encoded() {
        return codec.encode(run);
    }

    /**
     * The changes of one alert_id.
     *
     * @param changes in order, the first one firing
     */
    public record Episode(List<Alert> changes) {
        public Alert first() {
            return changes.get(0);
        }

        public Alert last() {
            return changes.get(changes.size() - 1);
        }

        public String detector() {
            return first().getDetector();
        }

        public String scope() {
            return first().getScope();
        }

        public Severity highest() {
            return changes.stream()
                    .map(Alert::getSeverity)
                    .max(Comparator.naturalOrder())
                    .orElseThrow();
        }

        /** Step at which the episode was opened. */
        public Long openedStep() {
            return first().getOpenedStep();
        }

        public Long onsetStep() {
            return first().getOnsetStep();
        }

        public String message() {
            return first().getMessage();
        }

        public boolean resolved() {
            return last().getState() == AlertState.resolved;
        }

        /** Step at which it first was as severe; null if never. */
        public Long stepOf(Severity severity) {
            return changes.stream()
                    .filter(a -> a.getSeverity() == severity)
                    .map(Alert::getLastStep)
                    .findFirst()
                    .orElse(null);
        }

        @Override
        public String toString() {
            return detector() + "/" + scope() + " " + highest() + " opened " + openedStep() + " onset " + onsetStep()
                    + " by " + last().getSuppressedBy() + ": " + message();
        }
    }
}
