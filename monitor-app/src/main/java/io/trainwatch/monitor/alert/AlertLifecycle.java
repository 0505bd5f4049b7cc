package io.trainwatch.monitor.alert;

import static java.util.Map.entry;

import io.trainwatch.alert.Alert;
import io.trainwatch.alert.AlertState;
import io.trainwatch.alert.Evidence;
import io.trainwatch.alert.Severity;
import io.trainwatch.monitor.detect.Episodes;
import io.trainwatch.monitor.detect.Verdicts;
import io.trainwatch.monitor.diagnose.Diagnosis;
import io.trainwatch.monitor.diagnose.Finding;
import io.trainwatch.monitor.run.Checkpoints.Checkpoint;
import io.trainwatch.monitor.run.RunView;
import io.trainwatch.monitor.stats.Persistent;
import io.trainwatch.monitor.stats.StateReader;
import io.trainwatch.monitor.stats.StateWriter;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Deque;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Turns verdicts, which are levels, into episodes, which begin and end. One for each run; an episode belongs to a
 * detector and a scope.
 *
 * <table>
 * <caption>Transitions</caption>
 * <tr><th>from</th><th>on</th><th>to</th><th>alert</th></tr>
 * <tr><td>none</td><td>unhealthy</td><td>firing</td><td>firing</td></tr>
 * <tr><td>firing</td><td>unhealthy, more severe than ever in the episode</td><td>firing</td><td>updated</td></tr>
 * <tr><td>firing</td><td>unhealthy for the 32nd, 64th, 128th ... time</td><td>firing</td><td>updated</td></tr>
 * <tr><td>firing</td><td>unhealthy otherwise</td><td>firing</td><td>-</td></tr>
 * <tr><td>firing</td><td>the past that was read later ends and the episode goes on</td><td>firing</td><td>updated, not historical any more</td></tr>
 * <tr><td>firing</td><td>healthy as often in a row as the detector asks for</td><td>none</td><td>resolved</td></tr>
 * <tr><td>firing</td><td>the run ends, or the detector is switched off</td><td>none</td><td>resolved, without a resolved_step</td></tr>
 * <tr><td>none</td><td>healthy</td><td>none</td><td>-</td></tr>
 * </table>
 *
 * <p>The quiet verdicts that resolve an episode are also its cooldown: what returns within them continues it. How many
 * bad points make a verdict is the detector's own rule, so nothing is pending here.
 *
 * <p>A verdict that a gate holds back, or that an episode of {@link #INHIBITED_BY} explains, opens at info and names why
 * in {@code suppressed_by}; if it outlasts that, its severity rises. The severity of an episode never falls.
 *
 * <p>Settings may hold what a detector says below a severity. That bounds what leaves here, and nothing within: an
 * episode explains others, and counts as an alarm for those who ask, as if nothing held it.
 */
public final class AlertLifecycle implements Verdicts, Episodes, Persistent {
    static final int FIRST_UPDATE = 32;
    static final int MAX_OPEN = 64;
    static final int MAX_HISTORY = 64;

    /**
     * What explains what: a non-finite training loss all that reads the loss, the gradient or the tensors; overfitting a
     * training loss that has nothing left to learn; a divergence that nothing was learned; either that another run was better; what blew up the units and
     * gradients that died of it; that nothing is learned at all that it is learned slowly; input and labels that drift, a collapse, and
     * whatever is wrong with the training the predictions and metrics that follow; data or a rank that all wait for a lower
     * throughput. An episode that was itself only info
     * explains nothing. Names of detectors, for their episodes in the
     * scope of the run; with {@code /} behind, for those in any other scope.
     */
    private static final Map<String, List<String>> INHIBITED_BY = Map.ofEntries(
            entry("loss_spike", List.of("non_finite_loss")),
            entry("loss_divergence", List.of("non_finite_loss")),
            entry("loss_plateau", List.of("non_finite_loss", "train_val_divergence/")),
            entry("not_learning", List.of("non_finite_loss", "loss_divergence")),
            entry("worse_than_reference", List.of("non_finite_loss", "loss_divergence", "not_learning")),
            entry("exploding_gradient", List.of("non_finite_loss")),
            entry("vanishing_gradient", List.of("non_finite_loss", "loss_divergence", "exploding_gradient")),
            entry("dead_units", List.of("non_finite_loss", "loss_divergence", "exploding_gradient")),
            entry("saturated_units", List.of("non_finite_loss", "loss_divergence", "exploding_gradient")),
            entry("unchanged_weights", List.of("non_finite_loss")),
            entry("learning_rate_too_high", List.of("non_finite_loss")),
            entry("learning_rate_too_low", List.of("not_learning", "vanishing_gradient", "unchanged_weights")),
            entry("prediction_collapse", List.of("non_finite_loss", "label_drift/")),
            entry("prediction_drift", List.of("non_finite_loss", "label_drift/", "prediction_collapse/")),
            entry("class_imbalance", List.of("non_finite_loss", "prediction_collapse/")),
            entry(
                    "metric_drift",
                    List.of(
                            "non_finite_loss",
                            "loss_divergence",
                            "exploding_gradient",
                            "not_learning",
                            "train_val_divergence/",
                            "feature_drift/",
                            "label_drift/",
                            "prediction_collapse/")),
            entry("metric_mismatch", List.of("metric_drift/")),
            entry("throughput_drop", List.of("input_bottleneck", "straggler_rank")));

    private static final HexFormat HEX = HexFormat.of();

    /** Oldest first. Few are open at a time, so a walk beats a map, whose keys would be put together at each verdict. */
    private final List<Episode> open = new ArrayList<>();

    private final Deque<Alert> history = new ArrayDeque<>();
    private long refused;

    private List<Alert> changes = List.of();
    private Terms terms = Terms.NONE;
    private Map<String, String> labels = Map.of();
    private @Nullable String paging;
    private @Nullable RunView run;
    /** Whose verdicts come, by its number in the terms. */
    private int judging;

    private long atMs;
    private long waitedMs;

    /** Says under which terms the verdicts come from now on; they are no part of the state. */
    public void under(Terms newTerms) {
        terms = newTerms;
    }

    /** Says for whom the alerts are, as the run declared it; no part of the state either. */
    public void addressed(Map<String, String> runLabels, @Nullable String runPaging) {
        labels = Map.copyOf(runLabels);
        paging = runPaging;
    }

    /** The run was read from its past and is live now: what is still open is announced to those who can act. */
    public void live(RunView judged, long eventAtMs) {
        for (Episode episode : open) {
            if (episode.alert.getHistorical()) {
                run = judged;
                atMs = eventAtMs;
                waitedMs = 0;
                change(episode, AlertState.updated, null);
            }
        }
    }

    /**
     * Begins the verdicts of one detector at one event or tick.
     *
     * @param detector its number in the terms
     * @param eventAtMs time of the event, epoch milliseconds
     */
    public void judging(RunView judged, int detector, long eventAtMs) {
        // Storing a reference costs the garbage collector's barrier, two dozen times at every step of every run.
        // The run is seldom another one, and a number has no barrier.
        if (run != judged) {
            run = judged;
        }
        judging = detector;
        atMs = eventAtMs;
        waitedMs = 0;
    }

    /** The same where no event came but time passed: {@code nowMs} by the clock of the monitor, epoch milliseconds. */
    public void waiting(RunView judged, int detector, long nowMs) {
        judging(judged, detector, nowMs);
        waitedMs = Math.max(0, nowMs - judged.lastArrivalMs());
    }

    /** The alert changes since the last call, in order. */
    public List<Alert> takeChanges() {
        List<Alert> taken = changes;
        if (!taken.isEmpty()) {
            changes = List.of();
        }
        return taken;
    }

    @Override
    public void healthy(String scope) {
        if (open.isEmpty()) {
            return;
        }
        Episode episode = find(terms.detectors().get(judging), scope);
        if (episode != null && ++episode.quiet >= terms.quietVerdicts().get(judging)) {
            open.remove(episode);
            change(episode, AlertState.resolved, judged().lastStep());
        }
    }

    @Override
    public void unhealthy(
            String scope,
            Severity severity,
            long onsetStep,
            @Nullable String suppressedBy,
            Supplier<Explanation> explanation) {
        String detector = terms.detectors().get(judging);
        Episode episode = find(detector, scope);
        String why = suppressedBy != null ? suppressedBy : inhibitor(detector);
        Severity effective = why == null ? severity : Severity.info;
        if (episode == null) {
            if (open.size() >= MAX_OPEN) {
                refused++;
                return;
            }
            episode = begin(detector, scope, onsetStep);
            describe(episode, effective, why, explanation);
            open.add(episode);
            change(episode, AlertState.firing, null);
            return;
        }
        episode.quiet = 0;
        episode.unhealthy++;
        Severity before = shown(episode.alert);
        boolean graver = effective.compareTo(episode.alert.getSeverity()) > 0;
        boolean due = episode.unhealthy >= episode.nextUpdate;
        if (graver || due) {
            describe(episode, effective, why, explanation);
        }
        if (due) {
            episode.nextUpdate *= 2;
        }
        if (due || shown(episode.alert) != before) {
            change(episode, AlertState.updated, null);
        }
    }

    @Override
    public Episodes episodes() {
        return this;
    }

    @Override
    public boolean isAlarming(String byDetector) {
        return openedSince(byDetector, Long.MIN_VALUE) > 0;
    }

    @Override
    public int alarmsSince(String byDetector, long step) {
        int count = openedSince(byDetector, step);
        for (Alert alert : history) {
            count += isAlarm(alert, byDetector, step) ? 1 : 0;
        }
        return count;
    }

    private int openedSince(String byDetector, long step) {
        int count = 0;
        for (int i = 0; i < open.size(); i++) {
            count += isAlarm(open.get(i).alert, byDetector, step) ? 1 : 0;
        }
        return count;
    }

    private static boolean isAlarm(Alert alert, String byDetector, long step) {
        return alert.getSeverity() != Severity.info
                && alert.getDetector().equals(byDetector)
                && (alert.getOpenedStep() == null ? -1 : alert.getOpenedStep()) >= step;
    }

    /** The run ended: nothing is left to resolve its episodes. */
    public void runEnded(RunView judged, String how, long eventAtMs) {
        if (open.isEmpty()) {
            return;
        }
        run = judged;
        atMs = eventAtMs;
        waitedMs = 0;
        for (Episode episode : open) {
            episode.alert.setMessage(episode.alert.getMessage() + "; still so when the run ended (" + how + ")");
            change(episode, AlertState.resolved, null);
        }
        open.clear();
    }

    /** Ends the episodes of a detector that judges the run no more. */
    public void judgedNoMore(RunView judged, String byDetector, String why, long atTimeMs) {
        for (Episode episode : List.copyOf(open)) {
            if (episode.alert.getDetector().equals(byDetector)) {
                run = judged;
                atMs = atTimeMs;
                open.remove(episode);
                episode.alert.setMessage(episode.alert.getMessage() + "; " + why);
                change(episode, AlertState.resolved, null);
            }
        }
    }

    /** Severity of the open episodes by "detector" or "detector/scope". */
    public Map<String, String> open() {
        Map<String, String> severities = new LinkedHashMap<>();
        for (Episode episode : open) {
            String scope = episode.alert.getScope();
            String name = episode.alert.getDetector();
            severities.put(
                    scope.isEmpty() ? name : name + "/" + scope,
                    shown(episode.alert).name());
        }
        return severities;
    }

    public boolean isOpen(String byDetector, String scope) {
        return find(byDetector, scope) != null;
    }

    /** The latest state of the most recent episodes of the run, oldest first: those that ended, then those that are open. */
    public List<Alert> recent(RunView judged) {
        List<Alert> recent = new ArrayList<>(history.size() + open.size());
        for (Alert ended : history) {
            recent.add(shown(ended) == ended.getSeverity() ? ended : outwards(ended));
        }
        for (Episode episode : open) {
            Alert alert = outwards(episode.alert);
            alert.setAcceleratorSecondsLost(
                    LostTime.of(episode.alert, judged.acceleratorSeconds(0) - episode.lostFrom));
            recent.add(alert);
        }
        return recent.size() <= MAX_HISTORY ? recent : recent.subList(recent.size() - MAX_HISTORY, recent.size());
    }

    /** Episodes that could not be opened because {@value #MAX_OPEN} of this run are open. */
    public long refused() {
        return refused;
    }

    private Episode begin(String detector, String scope, long onsetStep) {
        RunView judged = judged();
        Alert alert = new Alert();
        alert.setAlertId(id(judged, detector, scope, onsetStep));
        alert.setRunId(judged.runId());
        alert.setAttempt(judged.attempt());
        alert.setProject(judged.facts().project());
        alert.setRunName(judged.facts().runName());
        alert.setDetector(detector);
        alert.setScope(scope);
        alert.setOpenedStep(known(judged.lastStep()));
        alert.setOnsetStep(known(onsetStep));
        alert.setOpenedAtMs(atMs);
        alert.setCauses(List.of());
        Checkpoint checkpoint = judged.checkpoints().before(onsetStep);
        alert.setCheckpointStep(checkpoint == null ? null : (Long) checkpoint.step());
        alert.setCheckpointPath(checkpoint == null ? null : checkpoint.path());
        return new Episode(alert, judged.acceleratorSecondsAt(onsetStep));
    }

    private static void describe(
            Episode episode, Severity effective, @Nullable String suppressedBy, Supplier<Explanation> explanation) {
        Explanation explained = explanation.get();
        Severity before = episode.alert.getSeverity();
        boolean falls = before != null && effective.compareTo(before) < 0;
        if (!falls) {
            episode.alert.setSeverity(effective);
        }
        // A gate that closes too late to lower the severity does not explain it.
        episode.alert.setSuppressedBy(falls ? null : suppressedBy);
        episode.alert.setMessage(explained.message());
        episode.alert.setReason(explained.reason());
        episode.alert.setEvidence(new ArrayList<Evidence>(explained.evidence()));
    }

    private void change(Episode episode, AlertState state, @Nullable Long resolvedStep) {
        Alert alert = episode.alert;
        alert.setState(state);
        alert.setLastStep(known(judged().lastStep()));
        alert.setResolvedStep(resolvedStep);
        alert.setChangedAtMs(atMs);
        alert.setAcceleratorSecondsLost(LostTime.of(alert, judged().acceleratorSeconds(waitedMs) - episode.lostFrom));
        alert.setCauses(Diagnosis.of(finding(alert), others(alert), judged()));
        alert.setConfigVersion(terms.version());
        alert.setHistorical(judged().historical());
        alert.setLabels(labels);
        alert.setPaging(paging);
        Alert copy = outwards(alert);
        if (changes.isEmpty()) {
            changes = new ArrayList<>(2);
        }
        changes.add(copy);
        if (state == AlertState.resolved) {
            if (history.size() == MAX_HISTORY) {
                history.removeFirst();
            }
            history.addLast(copy.getSeverity() == alert.getSeverity() ? copy : copy(alert));
        }
    }

    /** The severity that others get to see. */
    private Severity shown(Alert alert) {
        Severity most = terms.highest().get(alert.getDetector());
        return most != null && most.compareTo(alert.getSeverity()) < 0 ? most : alert.getSeverity();
    }

    /** A copy as others get to see it. */
    private Alert outwards(Alert alert) {
        Alert copy = copy(alert);
        copy.setSeverity(shown(alert));
        return copy;
    }

    private List<Finding> others(Alert alert) {
        List<Finding> others = new ArrayList<>(history.size() + open.size());
        history.forEach(ended -> others.add(finding(ended)));
        for (Episode episode : open) {
            if (!episode.alert.getAlertId().equals(alert.getAlertId())) {
                others.add(finding(episode.alert));
            }
        }
        return others;
    }

    private static Finding finding(Alert alert) {
        return new Finding(
                alert.getDetector(),
                alert.getScope(),
                alert.getSeverity(),
                alert.getOnsetStep() == null ? -1 : alert.getOnsetStep(),
                alert.getOpenedStep() == null ? -1 : alert.getOpenedStep(),
                alert.getMessage(),
                alert.getReason());
    }

    /** A copy that shares its lists, which are replaced and never changed. */
    private static Alert copy(Alert alert) {
        Alert copy = new Alert();
        for (int field = 0; field < alert.getSchema().getFields().size(); field++) {
            copy.put(field, alert.get(field));
        }
        return copy;
    }

    private @Nullable String inhibitor(String detector) {
        if (open.isEmpty()) {
            return null;
        }
        List<String> inhibitors = INHIBITED_BY.getOrDefault(detector, List.of());
        for (int i = 0; i < inhibitors.size(); i++) {
            String by = inhibitors.get(i);
            boolean inScopes = by.endsWith("/");
            int length = inScopes ? by.length() - 1 : by.length();
            for (int j = 0; j < open.size(); j++) {
                Alert alert = open.get(j).alert;
                if (alert.getSeverity() != Severity.info
                        && alert.getScope().isEmpty() != inScopes
                        && alert.getDetector().length() == length
                        && by.startsWith(alert.getDetector())) {
                    return alert.getDetector();
                }
            }
        }
        return null;
    }

    private RunView judged() {
        if (run == null) {
            throw new IllegalStateException("a verdict before judging() said what is judged");
        }
        return run;
    }

    private static @Nullable Long known(long step) {
        return step < 0 ? null : (Long) step;
    }

    private @Nullable Episode find(String byDetector, String scope) {
        for (int i = 0; i < open.size(); i++) {
            Alert alert = open.get(i).alert;
            if (alert.getScope().equals(scope) && alert.getDetector().equals(byDetector)) {
                return open.get(i);
            }
        }
        return null;
    }

    /** The first 128 bits of SHA-256 over what makes an episode that episode. */
    private static String id(RunView run, String detector, String scope, long onsetStep) {
        String identity = String.join(
                "\n", run.runId(), String.valueOf(run.attempt()), detector, scope, String.valueOf(onsetStep));
        try {
            byte[] hash = MessageDigest.getInstance("SHA-256").digest(identity.getBytes(StandardCharsets.UTF_8));
            return HEX.formatHex(hash, 0, 16);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java platform has SHA-256", e);
        }
    }

    @Override
    public void write(StateWriter out) {
        out.writeLong(refused);
        out.writeInt(open.size());
        for (Episode episode : open) {
            out.writeLong(episode.unhealthy);
            out.writeLong(episode.nextUpdate);
            out.writeInt(episode.quiet);
            out.writeDouble(episode.lostFrom);
            AlertBytes.write(episode.alert, out);
        }
        writeAll(history, out);
    }

    private static void writeAll(Collection<Alert> alerts, StateWriter out) {
        out.writeInt(alerts.size());
        for (Alert alert : alerts) {
            AlertBytes.write(alert, out);
        }
    }

    @Override
    public void read(StateReader in) {
        refused = in.readLong();
        open.clear();
        int episodes = in.readCount(MAX_OPEN);
        for (int i = 0; i < episodes; i++) {
            long unhealthy = in.readLong();
            long nextUpdate = in.readLong();
            int quiet = in.readInt();
            double lostFrom = in.readDouble();
            Episode episode = new Episode(AlertBytes.read(in), lostFrom);
            episode.unhealthy = unhealthy;
            episode.nextUpdate = nextUpdate;
            episode.quiet = quiet;
            open.add(episode);
        }
        history.clear();
        int ended = in.readCount(MAX_HISTORY);
        for (int i = 0; i < ended; i++) {
            history.add(AlertBytes.read(in));
        }
    }

    private static final class Episode {
        final Alert alert;
        /** What the accelerators had spent on the run at the onset, in seconds times ranks. */
        final double lostFrom;

        long unhealthy = 1;
        long nextUpdate = FIRST_UPDATE;
        int quiet;

        Episode(Alert alert, double lostFrom) {
            this.alert = alert;
            this.lostFrom = lostFrom;
        }
    }
}
