package io.trainwatch.monitor.notify;

import java.time.Duration;

/**
 * How many pages one sink tells: a bucket of {@code pages} that refills evenly over {@code per}. Pages that end an
 * incident are free.
 *
 * @param pages at least 1, default 30: more in ten minutes no person can act on
 * @param per 1 s to 1 d, default 10 min
 */
public record RateLimit(int pages, Duration per) {
    /** The default. */
    public static final RateLimit DEFAULT = new RateLimit(30, Duration.ofMinutes(10));

    /** The pages that are left at a time. Not thread-safe. */
    static final class Bucket {
        private final RateLimit limit;
        private double left;
        private long atMs;

        Bucket(RateLimit limit, long nowMs) {
            this.limit = limit;
            left = limit.pages;
            atMs = nowMs;
        }

        boolean hasOne(long nowMs) {
            double refilled = (double) Math.max(0, nowMs - atMs) * limit.pages / limit.per.toMillis();
            left = Math.min(limit.pages, left + refilled);
            atMs = nowMs;
            return left >= 1;
        }

        void take() {
            left -= 1;
        }
    }
}
