package io.trainwatch.monitor.notify;

import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.databind.JsonNode;
import io.trainwatch.alert.Alert;
import io.trainwatch.monitor.judge.Glob;
import java.io.IOException;
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

    /** As it is answered, and kept. */
    void write(JsonGenerator out) throws IOException {
        out.writeStartObject();
        out.writeStringField("id", id);
        out.writeStringField("project", project);
        out.writeStringField("run_id", runId);
        out.writeStringField("detector", detector);
        out.writeStringField("comment", comment);
        out.writeStringField("created_by", createdBy);
        out.writeNumberField("created_at_ms", createdAtMs);
        out.writeNumberField("expires_at_ms", expiresAtMs);
        out.writeEndObject();
    }

    static Silence read(JsonNode json) {
        return new Silence(
                json.path("id").asText(),
                json.path("project").textValue(),
                json.path("run_id").textValue(),
                json.path("detector").textValue(),
                json.path("comment").asText(),
                json.path("created_by").asText(),
                json.path("created_at_ms").asLong(),
                json.path("expires_at_ms").asLong());
    }

    private static @Nullable Glob glob(@Nullable String pattern) {
        return pattern == null ? null : new Glob(pattern);
    }
}
