package io.trainwatch.monitor.notify;

/**
 * Somebody looks after an episode: nothing more is told of it but its end, until a time.
 *
 * @param alertId the episode
 * @param by who, may be empty
 * @param atMs epoch milliseconds
 * @param expiresAtMs epoch milliseconds
 */
public record Acknowledgement(String alertId, String by, long atMs, long expiresAtMs) {}
