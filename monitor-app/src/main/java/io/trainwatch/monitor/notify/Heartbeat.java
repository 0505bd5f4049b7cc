package io.trainwatch.monitor.notify;

import java.time.Duration;

/**
 * The dead man's switch: while the monitor judges, a receiver hears of it; where that stops, the receiver must page.
 *
 * @param sink name of an Alertmanager or webhook sink
 * @param every 5 s to 1 h, default 30 s
 */
public record Heartbeat(String sink, Duration every) {
    /** Default time between two. */
    public static final Duration DEFAULT_EVERY = Duration.ofSeconds(30);

    /** A beat is good for so many times {@link #every}: one or two may be lost. */
    private static final int VALID = 4;

    long validMs() {
        return VALID * every.toMillis();
    }

    /** A sink that can carry it. */
    interface Carrier {
        /**
         * Says that a monitor is alive.
         *
         * @param monitor its topic prefix, which names it
         * @param validMs how long that is to be believed
         */
        Receipt beat(String monitor, long nowMs, long validMs) throws InterruptedException;
    }
}
