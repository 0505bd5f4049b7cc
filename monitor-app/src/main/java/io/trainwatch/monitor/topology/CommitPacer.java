package io.trainwatch.monitor.topology;

/**
 * Spaces out the commits that alerts ask for. A thread that is behind finds an alert between any two commits; if each one
 * asked for the next, the thread would only commit and fall further behind. So at least as much time as the last commit
 * took passes before the next one, and at least 20 ms.
 *
 * <p>One for each judging thread: under exactly-once all its tasks commit together. Thread-confined.
 */
final class CommitPacer {
    private static final long LEAST_GAP_NANOS = 20_000_000;

    private long startedAt;
    private boolean running;
    private long endedAt;
    private long took;
    private boolean none = true;

    /** The first task writes its states; the others of the thread follow. */
    void started(long nanoTime) {
        if (!running) {
            running = true;
            startedAt = nanoTime;
        }
    }

    /** A task learnt that the commit is done. */
    void ended(long nanoTime) {
        running = false;
        none = false;
        took = nanoTime - startedAt;
        endedAt = nanoTime;
    }

    /** How long a commit has to wait, nanoseconds; 0 or less if it need not. */
    long waitNanos(long nanoTime) {
        return none ? 0 : endedAt + Math.max(LEAST_GAP_NANOS, took) - nanoTime;
    }
}
