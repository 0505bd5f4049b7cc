package io.trainwatch.monitor.topology;

/**
 * Spaces out the commits that alerts ask for. A thread that is behind finds an alert between any two commits; if each one
 * asked for the next, the thread would only commit and fall further behind. So at least as much time as the last commit
 * took passes before the next one, and at least a second, which is how late such an alert is already. A thread that is
 * not behind has time to commit again at once: 5 ms later, with what was judged meanwhile. Commits that no alert asked for,
 * at the interval of the topology, delay none: they come seldom, and when one of them ended is not known.
 *
 * <p>One for each judging thread: under exactly-once all its tasks commit together. Thread-confined.
 */
final class CommitPacer {
    private static final long LEAST_GAP_BEHIND_NANOS = CatchUp.BEHIND_MS * 1_000_000;
    private static final long LIVE_GAP_NANOS = 5_000_000;

    private boolean asked;
    private boolean committing;
    private long startedAt;
    private long commits;
    private long endedAt;
    private long took;

    /** A commit is asked for. From now on somebody looks, each millisecond or so, whether it is done. */
    void asked() {
        asked = true;
    }

    /** A task writes its states; the others of the thread follow. */
    void committing(long nanoTime) {
        if (asked && !committing) {
            committing = true;
            startedAt = nanoTime;
        }
    }

    /** The thread is at judging: a commit that had begun is done. */
    void judging(long nanoTime) {
        if (committing) {
            asked = false;
            committing = false;
            commits++;
            endedAt = nanoTime;
            took = nanoTime - startedAt;
        }
    }

    long commits() {
        return commits;
    }

    /**
     * How long the next commit has to wait, nanoseconds; 0 or less if it need not.
     *
     * @param behind whether what asks for it happened long ago ({@link CatchUp#BEHIND_MS})
     */
    long waitNanos(long nanoTime, boolean behind) {
        judging(nanoTime);
        long gap = behind ? Math.max(LEAST_GAP_BEHIND_NANOS, took) : LIVE_GAP_NANOS;
        return commits == 0 ? 0 : endedAt + gap - nanoTime;
    }
}
