package io.trainwatch.monitor.notify;

import io.trainwatch.alert.Alert;
import io.trainwatch.monitor.judge.Glob;
import org.jspecify.annotations.Nullable;

/**
 * Until a time, nothing is told of what matches. What still fires when it ends is told then.
 *
 * @param id 16 hexadecimal digits
 * @param project pattern, null for any
 * @param runId pattern, null for any
 * @param detector pattern, null for any
 * @param comment why, may be empty
 * @param createdBy who says so, may be empty
 * @param createdAtMs epoch milliseconds
 * @param expiresAtMs epoch milliseconds
 */
public record Silence(
        String id,
        @Nullable String project,
        @Nullable String runId,
        @Nullable String detector,
        String comment,
        String createdBy,
        long createdAtMs,
        long expiresAtMs) {

    boolean covers(Alert alert, long nowMs) {
        return nowMs < expiresAtMs
                && Route.matches(glob(project), alert.getProject())
                && Route.matches(glob(runId), alert.getRunId())
                && Route.matches(glob(detector), alert.getDetector());
    }

    private static @Nullable Glob glob(@Nullable String pattern) {
        return pattern == null ? null : new Glob(pattern);
    }
}
