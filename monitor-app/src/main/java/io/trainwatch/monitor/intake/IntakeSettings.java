package io.trainwatch.monitor.intake;

import java.time.Duration;

/**
 * What is taken over HTTP, and how much of it at once.
 *
 * @param enabled whether anything is; default true: who may ask at all is decided by {@code http.host} and the token
 * @param maxBodyBytes longest body after unpacking, 1 MiB to 64 MiB, default 8 MiB: some 100,000 steps as JSON, and eight of
 *     them at a time fit into any heap
 * @param maxRequests bodies that are read at the same time, 1 to 64, default 8: half of the threads that serve HTTP, so that
 *     the page and the scrape are answered whatever trainers send
 * @param maxUnacknowledgedBytes events that wait for the broker, 1 MiB to 1 GiB, default 32 MiB; with more, senders are
 *     told to come back
 * @param brokerLimit how long a request waits for the broker before its sender is told to come back, 100 ms to 25 s, default
 *     10 s: longer than a broker needs to elect a leader, shorter than most clients wait
 */
public record IntakeSettings(
        boolean enabled, int maxBodyBytes, int maxRequests, int maxUnacknowledgedBytes, Duration brokerLimit) {

    public static final int MIN_BODY_BYTES = 1 << 20;
    public static final int MAX_BODY_BYTES = 64 << 20;
    public static final int MAX_REQUESTS = 64;
    public static final int MIN_UNACKNOWLEDGED_BYTES = 1 << 20;
    public static final int MAX_UNACKNOWLEDGED_BYTES = 1 << 30;
    public static final Duration MIN_BROKER_LIMIT = Duration.ofMillis(100);
    public static final Duration MAX_BROKER_LIMIT = Duration.ofSeconds(25);

    public static final IntakeSettings DEFAULT = new IntakeSettings(true, 8 << 20, 8, 32 << 20, Duration.ofSeconds(10));

    /** Checks the settings. @throws IllegalArgumentException if one is out of its range */
    public IntakeSettings {
        require("maxBodyBytes", maxBodyBytes, MIN_BODY_BYTES, MAX_BODY_BYTES);
        require("maxRequests", maxRequests, 1, MAX_REQUESTS);
        require("maxUnacknowledgedBytes", maxUnacknowledgedBytes, MIN_UNACKNOWLEDGED_BYTES, MAX_UNACKNOWLEDGED_BYTES);
        require("brokerLimit", brokerLimit, MIN_BROKER_LIMIT, MAX_BROKER_LIMIT);
    }

    private static <T extends Comparable<T>> void require(String name, T value, T least, T most) {
        if (value.compareTo(least) < 0 || value.compareTo(most) > 0) {
            throw new IllegalArgumentException(name + " is " + value + "; allowed is " + least + " to " + most);
        }
    }
}
