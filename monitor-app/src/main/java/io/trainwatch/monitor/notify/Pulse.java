package io.trainwatch.monitor.notify;

import java.time.Duration;
import java.util.Optional;
import java.util.function.LongSupplier;
import java.util.function.Supplier;

/**
 * Whether a monitor really judges: nothing is in its way, and while events wait, it judges some. Safe for many threads.
 *
 * <p>A process that runs, answers HTTP and judges nothing is dead all the same; so this looks at the events judged and
 * not at threads.
 */
public final class Pulse {
    /** How long events may wait without one being judged. */
    static final Duration PATIENCE = Duration.ofSeconds(60);

    private final Supplier<Optional<String>> trouble;
    private final LongSupplier judged;
    private final LongSupplier waiting;
    private long lastJudged = -1;
    private long movedAtMs;

    /**
     * Watches a monitor.
     *
     * @param trouble what is in the way of judging, empty if nothing is
     * @param judged events judged so far
     * @param waiting events that wait to be judged
     */
    public Pulse(Supplier<Optional<String>> trouble, LongSupplier judged, LongSupplier waiting) {
        this.trouble = trouble;
        this.judged = judged;
        this.waiting = waiting;
    }

    /** Why it does not judge, one line; empty if it does, or has nothing to judge. */
    synchronized Optional<String> failing(long nowMs) {
        long now = judged.getAsLong();
        long wait = waiting.getAsLong();
        if (now != lastJudged || wait == 0) {
            lastJudged = now;
            movedAtMs = nowMs;
        }
        Optional<String> told = trouble.get();
        if (told.isPresent()) {
            return told;
        }
        long stillMs = nowMs - movedAtMs;
        return stillMs >= PATIENCE.toMillis()
                ? Optional.of(wait + " events wait, and none has been judged for " + stillMs / 1_000 + " s.")
                : Optional.empty();
    }
}
