package io.trainwatch.monitor.notify;

import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Locale;
import java.util.Optional;
import java.util.function.LongSupplier;
import java.util.function.Supplier;

/**
 * Whether a monitor really judges, and in time: nothing is in its way, while events wait it judges some, and they do not wait
 * for long. Safe for many threads.
 *
 * <p>A process that runs, answers HTTP and judges nothing is dead all the same; so this looks at the events judged and
 * not at threads.
 */
public final class Pulse {
    /** How long events may wait without one being judged. */
    static final Duration PATIENCE = Duration.ofSeconds(60);

    /** So many events that wait are no matter, however slowly they are judged. */
    static final long FEW = 1_000;

    /** More work than this is too much at the pace of the last {@link #WINDOW}, as in the rule TrainwatchMonitorBehind. */
    static final Duration MUCH = Duration.ofMinutes(1);

    /** The pace is taken over this, and so long it must be too slow: a restart catches up sooner. */
    static final Duration WINDOW = Duration.ofMinutes(5);

    private static final Duration BETWEEN_SAMPLES = Duration.ofSeconds(5);

    /** Events judged up to a time. */
    private record Sample(long atMs, long judged) {}

    private final Supplier<Optional<String>> trouble;
    private final LongSupplier judged;
    private final LongSupplier waiting;
    private long lastJudged = -1;
    private long movedAtMs;
    private final Deque<Sample> samples = new ArrayDeque<>();
    private long behindSinceMs;

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
                ? Optional.of((wait == 1 ? "1 event waits" : wait + " events wait") + ", and none has been judged for " + stillMs / 1_000 + " s.")
                : Optional.empty();
    }

    /** Why its alerts come late, one line; empty if they do not, or if it does not judge at all. */
    synchronized Optional<String> behind(long nowMs) {
        long now = judged.getAsLong();
        long wait = waiting.getAsLong();
        if (samples.isEmpty() || nowMs - samples.getLast().atMs() >= BETWEEN_SAMPLES.toMillis()) {
            samples.add(new Sample(nowMs, now));
        }
        // The last one stays: it is not older than the time between two, or than the last call.
        while (samples.size() > 1 && nowMs - samples.getFirst().atMs() > WINDOW.toMillis()) {
            samples.removeFirst();
        }
        Sample first = samples.getFirst();
        double perMs = (double) (now - first.judged()) / Math.max(1, nowMs - first.atMs());
        if (wait <= FEW || wait <= perMs * MUCH.toMillis() || failing(nowMs).isPresent()) {
            behindSinceMs = 0;
            return Optional.empty();
        }
        behindSinceMs = behindSinceMs == 0 ? nowMs : behindSinceMs;
        return nowMs - behindSinceMs < WINDOW.toMillis()
                ? Optional.empty()
                : Optional.of(String.format(
                        Locale.ROOT,
                        "%,d events wait to be judged, and %,.0f were judged each second of the last %d minutes.",
                        wait,
                        perMs * 1_000,
                        WINDOW.toMinutes()));
    }
}
