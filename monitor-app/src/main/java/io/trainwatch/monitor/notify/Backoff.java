package io.trainwatch.monitor.notify;

import java.time.Duration;
import java.util.SplittableRandom;
import org.jspecify.annotations.Nullable;

/**
 * When to try again: after a random time between 0 and a bound that doubles, from one second to one minute, so that many
 * who wait for the same receiver do not come back together; never before the receiver asked to. Not thread-safe.
 */
final class Backoff {
    private static final long FIRST_MS = 1_000;
    private static final long LONGEST_MS = 60_000;

    private final SplittableRandom random;
    private int failures;
    private long notBeforeMs = Long.MIN_VALUE;

    Backoff(SplittableRandom random) {
        this.random = random;
    }

    boolean isOver(long nowMs) {
        return nowMs >= notBeforeMs;
    }

    void failed(long nowMs, @Nullable Duration retryAfter) {
        long bound = Math.min(LONGEST_MS, FIRST_MS << Math.min(20, failures++));
        long wait = random.nextLong(bound + 1);
        notBeforeMs = nowMs + Math.max(wait, retryAfter == null ? 0 : retryAfter.toMillis());
    }

    void succeeded() {
        failures = 0;
        notBeforeMs = Long.MIN_VALUE;
    }
}
