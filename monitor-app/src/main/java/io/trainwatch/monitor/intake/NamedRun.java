package io.trainwatch.monitor.intake;

import io.trainwatch.attach.MetricStream;
import io.trainwatch.codec.SingleObjectCodec;
import io.trainwatch.event.FinishStatus;
import io.trainwatch.event.Heartbeat;
import io.trainwatch.event.RunFinished;
import io.trainwatch.event.RunStarted;
import io.trainwatch.event.TrainingEvent;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * A run whose numbers come by name, a few at a time: joins those of one step and numbers the events that come of them. A step
 * ends when it has rested for {@value #REST_MS} ms, or {@value #MAX_OPEN} later ones have come: MLflow's client sends what was
 * logged without waiting on several threads, so that steps come out of their order. A step that is further back than that is
 * one from which the trainer goes on, as from a checkpoint.
 *
 * <p>A trainer that never gives a step gives 0 always. Where a name then comes again, a step has passed. One that gives steps
 * and once does not (a result at the end) means the latest step.
 *
 * <p>Bounded in what it keeps. Not thread-safe: its owner holds its lock.
 */
final class NamedRun {
    /** Longest rest within the numbers of one step: calls that follow one another in one loop are milliseconds apart. */
    static final long REST_MS = 1_000;

    /** Steps that are open: six calls of each of the ten threads of MLflow's client. */
    static final int MAX_OPEN = 64;

    private static final int MAX_LABELS = 32;
    private static final int MAX_TEXT = 256;
    /** Names in one step. */
    static final int MAX_NAMES = 1_000;

    private final SingleObjectCodec<TrainingEvent> codec = SingleObjectCodec.events();
    private final String runId;
    private final String session;
    private final RunStarted facts = new RunStarted();
    private final Map<String, String> labels = new HashMap<>();
    private final Set<String> namesOfStep = new HashSet<>();
    private final List<EventBody.Event> ready = new ArrayList<>();
    private final MetricStream numbers;
    private Map<String, Double> lastExport = Map.of();
    private int attempt;
    private long seq;
    private final TreeMap<Long, Step> open = new TreeMap<>();
    private int openNumbers;
    private long latestStep;
    private long timestampMs;
    private boolean stepsGiven;
    private boolean factsToTell;
    private boolean finished;

    /** What came of a step so far. */
    private static final class Step {
        final Map<String, Double> numbers = new LinkedHashMap<>();
        long measuredMs;
        long sinceMs;
    }

    /** Continues a run: at its attempt and behind its last step; both 0 for a new one. */
    NamedRun(String runId, String session, int attempt, long lastStep) {
        this.runId = runId;
        this.session = session;
        this.attempt = attempt;
        numbers = new MetricStream(lastStep);
        latestStep = lastStep;
    }

    String runId() {
        return runId;
    }

    /** What is declared of the run; {@link #declared} tells it. */
    RunStarted facts() {
        return facts;
    }

    Map<String, String> labels() {
        return labels;
    }

    void label(String name, String value) {
        if (labels.containsKey(name) || labels.size() < MAX_LABELS) {
            labels.put(bounded(name), bounded(value));
            facts.setLabels(Map.copyOf(labels));
            factsToTell = true;
        }
    }

    static String bounded(String text) {
        return text.length() > MAX_TEXT ? text.substring(0, MAX_TEXT) : text;
    }

    /** The facts changed: they are told with what comes next. */
    void declared() {
        factsToTell = true;
    }

    /**
     * Takes in a number.
     *
     * @param givenStep the step as the trainer gives it, 0 where it gives none
     * @param atMs when it was measured, epoch milliseconds
     * @param nowMs the time of this machine, for the rest
     */
    void put(String name, double value, long givenStep, long atMs, long nowMs) {
        long step = stepOf(name, givenStep);
        latestStep = step;
        if (!open.isEmpty() && step < open.firstKey() - MAX_OPEN) {
            complete();
        }
        Step its = open.computeIfAbsent(step, unused -> new Step());
        its.measuredMs = Math.max(its.measuredMs, atMs);
        its.sinceMs = nowMs;
        openNumbers += its.numbers.put(name, value) == null ? 1 : 0;
        while (open.size() > MAX_OPEN || (openNumbers > MAX_NAMES && open.size() > 1)) {
            completeFirst();
        }
        if (its.numbers.size() > MAX_NAMES) {
            its.numbers.remove(name);
            openNumbers--;
        }
    }

    /**
     * Takes in all numbers of a step at once, as a sender that repeats its latest ones has them: none that is other than
     * before is no step and says that the process lives.
     *
     * @param givenStep the step, null where the sender gives none: it is the next one then
     */
    void export(Map<String, Double> all, @Nullable Long givenStep, long atMs) {
        complete();
        timestampMs = atMs;
        if (lastExport.entrySet().containsAll(all.entrySet())) {
            Heartbeat heartbeat = new Heartbeat();
            heartbeat.setLastStep(numbers.lastStep());
            tell(numbers.lastStep(), null, atMs, heartbeat);
            return;
        }
        lastExport = Map.copyOf(all);
        all.forEach(numbers::put);
        tell(numbers.complete(givenStep));
        latestStep = numbers.lastStep();
    }

    /** Whether nothing was told of it yet. */
    boolean isNew() {
        return seq == 0;
    }

    private long stepOf(String name, long given) {
        if (given > 0) {
            stepsGiven = true;
            return given;
        }
        if (stepsGiven) {
            return open.isEmpty() ? numbers.lastStep() : Math.max(open.lastKey(), numbers.lastStep());
        }
        if (namesOfStep.size() < MAX_NAMES && namesOfStep.add(name)) {
            return latestStep;
        }
        namesOfStep.clear();
        namesOfStep.add(name);
        return latestStep + 1;
    }

    /** Whether something waits for more. */
    boolean isOpen() {
        return factsToTell || !open.isEmpty();
    }

    /** Completes the steps that have rested for long enough, and those before them. */
    void completeRested(long nowMs) {
        while (open.values().stream().anyMatch(step -> nowMs - step.sinceMs >= REST_MS)) {
            completeFirst();
        }
        if (open.isEmpty()) {
            tellFacts();
        }
    }

    /** Completes all steps that are open. */
    void complete() {
        tellFacts();
        while (!open.isEmpty()) {
            completeFirst();
        }
    }

    private void completeFirst() {
        tellFacts();
        Map.Entry<Long, Step> first = open.pollFirstEntry();
        Step step = first.getValue();
        openNumbers -= step.numbers.size();
        timestampMs = Math.max(timestampMs, step.measuredMs);
        step.numbers.forEach(numbers::put);
        tell(numbers.complete(first.getKey()));
    }

    private void tellFacts() {
        if (factsToTell) {
            factsToTell = false;
            tell(null, null, timestampMs == 0 ? System.currentTimeMillis() : timestampMs, copyOf(facts));
        }
    }

    private void tell(List<MetricStream.Happening> happenings) {
        for (MetricStream.Happening happening : happenings) {
            tell(happening.step(), happening.epoch(), timestampMs, happening.body());
        }
    }

    /** Begins the run, or a further attempt of it. */
    void begin(int newAttempt, long atMs) {
        finished = false;
        attempt = newAttempt;
        factsToTell = false;
        tell(null, null, atMs, copyOf(facts));
    }

    void finish(FinishStatus status, long atMs) {
        complete();
        finished = true;
        RunFinished end = new RunFinished();
        end.setStatus(status);
        tell(numbers.lastStep() > 0 ? (Long) numbers.lastStep() : null, null, atMs, end);
    }

    boolean isFinished() {
        return finished;
    }

    int attempt() {
        return attempt;
    }

    private void tell(@Nullable Long step, @Nullable Double epoch, long atMs, Object body) {
        TrainingEvent event = new TrainingEvent();
        event.setRunId(runId);
        event.setAttempt(attempt);
        event.setSession(session);
        event.setSeq(++seq);
        event.setTimestampMs(atMs);
        event.setStep(step);
        event.setEpoch(epoch);
        event.setBody(body);
        byte[] bytes = codec.encode(event);
        // Thousands of long names may make one too large; its number is missing then, which the monitor sees.
        if (bytes.length <= EventBody.MAX_EVENT_BYTES) {
            ready.add(new EventBody.Event((int) seq, runId, bytes));
        }
    }

    static RunStarted copyOf(RunStarted facts) {
        RunStarted copy = new RunStarted();
        for (int field = 0; field < facts.getSchema().getFields().size(); field++) {
            copy.put(field, facts.get(field));
        }
        return copy;
    }

    /** Takes the events that are ready to be sent. */
    List<EventBody.Event> takeReady() {
        List<EventBody.Event> taken = List.copyOf(ready);
        ready.clear();
        return taken;
    }
}
