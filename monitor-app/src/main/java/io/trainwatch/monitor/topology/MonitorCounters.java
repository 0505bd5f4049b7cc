package io.trainwatch.monitor.topology;

import java.util.EnumMap;
import java.util.Map;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.LongConsumer;

/** What an instance did since its start. Written by the judging threads, read by metrics. */
public final class MonitorCounters {
    private final LongAdder events = new LongAdder();
    private final Map<RejectReason, LongAdder> rejected = new EnumMap<>(RejectReason.class);
    private final LongAdder alerts = new LongAdder();
    private final LongAdder commitsRequested = new LongAdder();
    private final LongAdder statesWritten = new LongAdder();
    private final LongAdder stateBytesWritten = new LongAdder();
    private final LongAdder statesUnreadable = new LongAdder();
    private final LongAdder outcomesDropped = new LongAdder();
    private final LongAdder threadsReplaced = new LongAdder();
    private volatile LongConsumer judgeNanos = nanos -> {};

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

    /** Changes of alert episodes. */
    public long alerts() {
        return alerts.sum();
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

    /** Receives the nanoseconds of every 64th judgement, on the judging thread. */
    public void onJudgeNanos(LongConsumer listener) {
        judgeNanos = listener;
    }

    void event() {
        events.increment();
    }

    void reject(RejectReason reason) {
        adder(reason).increment();
    }

    void alert() {
        alerts.increment();
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

    void judged(long nanos) {
        judgeNanos.accept(nanos);
    }

    private LongAdder adder(RejectReason reason) {
        LongAdder adder = rejected.get(reason);
        if (adder == null) {
            throw new IllegalArgumentException("no counter for " + reason);
        }
        return adder;
    }
}
