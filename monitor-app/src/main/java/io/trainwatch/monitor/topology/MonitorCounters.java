package io.trainwatch.monitor.topology;

import io.trainwatch.alert.Alert;
import io.trainwatch.alert.AlertState;
import io.trainwatch.alert.Severity;
import io.trainwatch.event.TrainingEvent;
import java.util.EnumMap;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.LongAdder;
import org.jspecify.annotations.Nullable;

/** What an instance did since its start. Written by the judging threads, read by metrics. */
public final class MonitorCounters {
    private final LongAdder events = new LongAdder();
    private final Map<RejectReason, LongAdder> rejected = new EnumMap<>(RejectReason.class);
    private final Map<AlertKind, AlertsOpened> alertsOpened = new ConcurrentHashMap<>();
    private final LongAdder commitsRequested = new LongAdder();
    private final LongAdder statesWritten = new LongAdder();
    private final LongAdder stateBytesWritten = new LongAdder();
    private final LongAdder statesUnreadable = new LongAdder();
    private final LongAdder outcomesDropped = new LongAdder();
    private final LongAdder threadsReplaced = new LongAdder();
    private volatile JudgeListener judgeListener = (nanos, runId, step) -> {};

    /** What an alert episode is when it is opened. */
    public record AlertKind(String detector, Severity severity) {}

    /**
     * Episodes of one kind.
     *
     * @param lastRunId the run of the latest one
     * @param lastStep the step at which that one was opened, null if the run had taken none
     * @param lastAtMs when, by the clock of the trainer, epoch milliseconds
     */
    public record AlertsOpened(
            long count, String lastRunId, @Nullable Long lastStep, long lastAtMs) {
        private AlertsOpened and(AlertsOpened later) {
            return new AlertsOpened(count + later.count, later.lastRunId, later.lastStep, later.lastAtMs);
        }
    }

    /** Hears of judgements on the judging threads. */
    @FunctionalInterface
    public interface JudgeListener {
        /** One judgement took so many nanoseconds; the step is null for an event that has none. */
        void judged(long nanos, String runId, @Nullable Long step);
    }

    public MonitorCounters() {
        for (RejectReason reason : RejectReason.values()) {
            rejected.put(reason, new LongAdder());
        }
    }

    /** Events judged; after a crash the ones since the last commit count again. */
    public long events() {
        return events.sum();
    }

    public long rejected(RejectReason reason) {
        return adder(reason).sum();
    }

    /** Alert episodes that were opened, by what they are; a kind of which none was opened is absent. */
    public Map<AlertKind, AlertsOpened> alertsOpened() {
        return Map.copyOf(alertsOpened);
    }

    /** Commits asked for ahead of the commit interval because of an alert. */
    public long commitsRequested() {
        return commitsRequested.sum();
    }

    /** Run states written to the store and its changelog. */
    public long statesWritten() {
        return statesWritten.sum();
    }

    public long stateBytesWritten() {
        return stateBytesWritten.sum();
    }

    /** Run states that this version cannot read: those runs were begun anew. */
    public long statesUnreadable() {
        return statesUnreadable.sum();
    }

    /** Alerts, statuses, dead letters and states that could not be written because they are too large. */
    public long outcomesDropped() {
        return outcomesDropped.sum();
    }

    /** Judging threads that died of an error and were replaced. */
    public long threadsReplaced() {
        return threadsReplaced.sum();
    }

    /** Hears of every 64th judgement from now on. */
    public void onJudged(JudgeListener listener) {
        judgeListener = listener;
    }

    void event() {
        events.increment();
    }

    void reject(RejectReason reason) {
        adder(reason).increment();
    }

    void alert(Alert change) {
        if (change.getState() == AlertState.firing) {
            alertsOpened.merge(
                    new AlertKind(change.getDetector(), change.getSeverity()),
                    new AlertsOpened(1, change.getRunId(), change.getOpenedStep(), change.getOpenedAtMs()),
                    AlertsOpened::and);
        }
    }

    void commitRequested() {
        commitsRequested.increment();
    }

    void stateWritten(int bytes) {
        statesWritten.increment();
        stateBytesWritten.add(bytes);
    }

    void stateUnreadable() {
        statesUnreadable.increment();
    }

    void outcomeDropped() {
        outcomesDropped.increment();
    }

    void threadReplaced() {
        threadsReplaced.increment();
    }

    void judged(long nanos, TrainingEvent event) {
        judgeListener.judged(nanos, event.getRunId(), event.getStep());
    }

    private LongAdder adder(RejectReason reason) {
        LongAdder adder = rejected.get(reason);
        if (adder == null) {
            throw new IllegalArgumentException("no counter for " + reason);
        }
        return adder;
    }
}
