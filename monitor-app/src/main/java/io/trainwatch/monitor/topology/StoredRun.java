package io.trainwatch.monitor.topology;

import io.trainwatch.monitor.judge.JudgedRun;
import io.trainwatch.run.RunCondition;

/** A run on the heap of its task, with what the task has to remember beside what the judge knows. */
final class StoredRun {
    private static final long NEVER = Long.MIN_VALUE / 2;

    final String runId;
    final JudgedRun judged;
    /** Append time of its latest event, epoch milliseconds. */
    long arrivedAtMs;

    RunCondition condition = RunCondition.running;
    /** The store does not have this state yet. */
    boolean dirty;
    /** The board does not have this state yet, and the run waits in the queue for it. */
    boolean awaitsBoard;
    /** The runs topic does not have this state yet. */
    boolean awaitsStatus = true;

    long statusAtMs = NEVER;

    StoredRun(JudgedRun judged, long arrivedAtMs) {
        this.runId = judged.runId();
        this.judged = judged;
        this.arrivedAtMs = arrivedAtMs;
    }

    /** No status was ever published from this object. */
    boolean isNew() {
        return statusAtMs == NEVER;
    }

    boolean ended() {
        return ended(condition);
    }

    static boolean ended(RunCondition condition) {
        return switch (condition) {
            case completed, failed, killed -> true;
            case running, silent, unknown -> false;
        };
    }
}
