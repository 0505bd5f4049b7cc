package io.trainwatch.monitor.topology;

import io.trainwatch.monitor.judge.JudgedRun;

/** A run on the heap of its task, with what the task has to remember beside what the judge knows. */
final class StoredRun {
    private static final long NEVER = Long.MIN_VALUE / 2;

    final String runId;
    final JudgedRun judged;

    /** An event or a look-up came since the store last looked for a run to evict. */
    boolean used;
    /** The store below does not have this state yet. */
    boolean dirty;
    /** The board does not have this state yet, and the run waits in the queue for it. */
    boolean awaitsBoard;
    /** The runs topic does not have this state yet. */
    boolean awaitsStatus;

    long statusAtMs = NEVER;
    /** When it was put on the board between two ticks. */
    long shownAtMs = NEVER;

    StoredRun(JudgedRun judged) {
        this.runId = judged.runId();
        this.judged = judged;
    }

    /** No status was published from this object yet. */
    boolean isNew() {
        return statusAtMs == NEVER;
    }

    long silentMs(long nowMs) {
        return nowMs - judged.lastArrivalMs();
    }
}
