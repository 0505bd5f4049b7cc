package io.trainwatch.monitor.notify;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.javalin.config.RoutesConfig;
import io.javalin.http.Context;
import io.trainwatch.monitor.detect.Setting;
import io.trainwatch.monitor.web.Endpoints;
import io.trainwatch.monitor.web.Problem;
import java.security.SecureRandom;
import java.time.Duration;
import java.time.InstantSource;
import java.util.HexFormat;
import java.util.Iterator;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * What people say is not to be told.
 *
 * <ul>
 *   <li>{@code POST /api/v1/alerts/{id}/acknowledge {"by": "anna", "for": "4h"}}: somebody looks after it; until the time is
 *       over only what is worse is told, and the end. Both fields may be absent
 *   <li>{@code GET /api/v1/acknowledgements}
 *   <li>{@code POST /api/v1/silences {"project": "gan-*", "run_id": "*", "detector": "loss_*", "for": "2h", "by": "anna",
 *       "comment": "known"}}: patterns with {@code *} and {@code ?}, at least one; answers 201 with the silence
 *   <li>{@code GET /api/v1/silences}, {@code DELETE /api/v1/silences/{id}}
 * </ul>
 */
final class PagingApi implements Endpoints {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final Pattern ALERT_ID = Pattern.compile("[0-9a-f]{32}");
    private static final Duration LONGEST = Duration.ofDays(30);
    private static final Setting<Duration> FOR =
            Setting.duration("for", Duration.ofHours(4), Duration.ofMinutes(1), LONGEST, "");
    private static final int MAX_TEXT = 300;

    private final NotifyState state;
    private final InstantSource clock;
    private final SecureRandom random = new SecureRandom();

    PagingApi(NotifyState state, InstantSource clock) {
        this.state = state;
        this.clock = clock;
    }

    @Override
    public void addTo(RoutesConfig routes) {
        routes.post("/api/v1/alerts/{id}/acknowledge", this::acknowledge);
        routes.get("/api/v1/acknowledgements", this::acknowledgements);
        routes.post("/api/v1/silences", this::silence);
        routes.get("/api/v1/silences", this::silences);
        routes.delete("/api/v1/silences/{id}", this::unsilence);
    }

    private void acknowledge(Context context) throws Problem, InterruptedException {
        String id = context.pathParam("id");
        if (!ALERT_ID.matcher(id).matches()) {
            throw Problem.badRequest("'" + PlainText.line(id, 60) + "' is no alert_id: 32 hexadecimal digits");
        }
        JsonNode body = body(context, "by", "for");
        long now = clock.millis();
        Acknowledgement acknowledgement = new Acknowledgement(
                id, text(body, "by", ""), now, now + time(body).toMillis());
        state.acknowledge(acknowledgement);
        answer(context, PageJson.text(acknowledgement::write));
    }

    private void acknowledgements(Context context) {
        answer(context, PageJson.text(out -> {
            out.writeStartObject();
            out.writeArrayFieldStart("acknowledgements");
            for (Acknowledgement one : state.acknowledgements(clock.millis())) {
                one.write(out);
            }
            out.writeEndArray();
            out.writeEndObject();
        }));
    }

    private void silence(Context context) throws Problem, InterruptedException {
        JsonNode body = body(context, "project", "run_id", "detector", "for", "by", "comment");
        String project = pattern(body, "project");
        String runId = pattern(body, "run_id");
        String detector = pattern(body, "detector");
        if (project == null && runId == null && detector == null) {
            throw Problem.badRequest(
                    "a silence for nothing: give project, run_id or detector; '*' stands for any text");
        }
        long now = clock.millis();
        if (state.silences(now).size() >= NotifyState.MAX_SILENCES) {
            throw Problem.badRequest("there are " + NotifyState.MAX_SILENCES + " silences; end some first");
        }
        byte[] id = new byte[8];
        random.nextBytes(id);
        Silence silence = new Silence(
                HexFormat.of().formatHex(id),
                project,
                runId,
                detector,
                text(body, "comment", ""),
                text(body, "by", ""),
                now,
                now + time(body).toMillis());
        state.silence(silence);
        context.status(201);
        answer(context, PageJson.text(silence::write));
    }

    private void silences(Context context) {
        answer(context, PageJson.text(out -> {
            out.writeStartObject();
            out.writeArrayFieldStart("silences");
            for (Silence silence : state.silences(clock.millis())) {
                silence.write(out);
            }
            out.writeEndArray();
            out.writeEndObject();
        }));
    }

    private void unsilence(Context context) throws Problem, InterruptedException {
        String id = context.pathParam("id");
        if (!state.unsilence(id)) {
            throw Problem.notFound(
                    "there is no silence '" + PlainText.line(id, 60) + "'; GET /api/v1/silences lists them");
        }
        context.status(204);
    }

    private static JsonNode body(Context context, String... allowed) throws Problem {
        String text = context.body();
        JsonNode body;
        try {
            body = JSON.readTree(text.isBlank() ? "{}" : text);
        } catch (JsonProcessingException e) {
            throw Problem.badRequest("the body is not JSON: " + PlainText.line(e.getOriginalMessage(), 200));
        }
        if (!body.isObject()) {
            throw Problem.badRequest("the body must be a JSON object");
        }
        Set<String> known = new TreeSet<>(Set.of(allowed));
        for (Iterator<String> names = body.fieldNames(); names.hasNext(); ) {
            String name = names.next();
            if (!known.contains(name)) {
                throw Problem.badRequest(
                        "unknown field '" + PlainText.line(name, 60) + "'; allowed: " + String.join(", ", known));
            }
        }
        return body;
    }

    private static @Nullable String pattern(JsonNode body, String name) throws Problem {
        String text = text(body, name, "");
        return text.isEmpty() ? null : text;
    }

    private static String text(JsonNode body, String name, String otherwise) throws Problem {
        JsonNode value = body.path(name);
        if (value.isMissingNode() || value.isNull()) {
            return otherwise;
        }
        if (!value.isTextual() || value.textValue().length() > MAX_TEXT) {
            throw Problem.badRequest(name + " must be a text of at most " + MAX_TEXT + " characters");
        }
        return value.textValue();
    }

    private static Duration time(JsonNode body) throws Problem {
        String text = text(body, "for", FOR.standardText());
        return FOR.parse(text)
                .orElseThrow(() ->
                        Problem.badRequest("for is '" + PlainText.line(text, 60) + "', allowed is " + FOR.allowed()));
    }

    private static void answer(Context context, String json) {
        context.result(json).contentType("application/json");
    }
}
