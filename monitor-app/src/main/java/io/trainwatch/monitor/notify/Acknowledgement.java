package io.trainwatch.monitor.notify;

import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;

/**
 * Somebody looks after an episode, and so after the incident that it is a part of: until a time nothing is told that is no
 * worse than what they knew of, but its end.
 *
 * @param alertId the episode
 * @param by who, may be empty
 * @param atMs epoch milliseconds
 * @param expiresAtMs epoch milliseconds
 */
public record Acknowledgement(String alertId, String by, long atMs, long expiresAtMs) {
    /** As it is answered, and kept. */
    void write(JsonGenerator out) throws IOException {
        out.writeStartObject();
        out.writeStringField("alert_id", alertId);
        out.writeStringField("by", by);
        out.writeNumberField("at_ms", atMs);
        out.writeNumberField("expires_at_ms", expiresAtMs);
        out.writeEndObject();
    }

    static Acknowledgement read(JsonNode json) {
        return new Acknowledgement(
                json.path("alert_id").asText(),
                json.path("by").asText(),
                json.path("at_ms").asLong(),
                json.path("expires_at_ms").asLong());
    }
}
