package io.trainwatch.monitor.intake;

import com.fasterxml.jackson.core.JsonGenerator;
import io.javalin.config.RoutesConfig;
import io.javalin.http.Context;
import io.javalin.http.HttpStatus;
import io.trainwatch.monitor.intake.EventBody.Event;
import io.trainwatch.monitor.intake.EventBody.Refused;
import io.trainwatch.monitor.intake.IntakeCounters.Loss;
import io.trainwatch.monitor.intake.IntakeCounters.Outcome;
import io.trainwatch.monitor.intake.IntakeCounters.Protocol;
import io.trainwatch.monitor.web.Endpoints;
import io.trainwatch.monitor.web.Json;
import io.trainwatch.monitor.web.Problem;
import io.trainwatch.run.Command;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * {@code POST /api/v1/events}: events as they are, as JSON Lines or, with {@code Content-Type:
 * application/vnd.trainwatch.avro}, as {@link EventBody} has them.
 *
 * <table>
 * <caption>What it answers</caption>
 * <tr><td>200<td>the broker has all of them; {@code {"accepted":2,"rejected":[],"commands":[]}}
 * <tr><td>400<td>the broker has {@code accepted} of them; {@code rejected} tells of each other one why. Do not send it again
 * <tr><td>408, 413, 415<td>nothing was taken: the body is slow, too large, or not what is read here
 * <tr><td>429<td>nothing was taken: too much at once. Come back after {@code Retry-After}
 * <tr><td>503<td>the broker did not answer in time. Come back after {@code Retry-After}
 * </table>
 *
 * <p>What is sent again and was there is dropped by the monitor by its {@code seq}. The commands are those that the runs of
 * the body have still to carry out.
 */
final class EventsApi implements Endpoints {
    static final String AVRO = "application/vnd.trainwatch.avro";

    /** Refusals that are listed; further ones are counted. */
    private static final int MAX_LISTED = 100;

    /** Runs of one body whose commands are told. */
    private static final int MAX_RUNS = 100;

    private static final Set<String> TEXT = Set.of(
            "application/json",
            "application/jsonl",
            "application/x-ndjson",
            "application/json-lines",
            "text/plain",
            "application/octet-stream",
            // What curl says where nobody says anything.
            "application/x-www-form-urlencoded");

    private final Gateway gateway;
    private final Function<String, List<Command>> commands;

    EventsApi(Gateway gateway, Function<String, List<Command>> commands) {
        this.gateway = gateway;
        this.commands = commands;
    }

    @Override
    public void addTo(RoutesConfig routes) {
        routes.post("/api/v1/events", this::take);
    }

    private void take(Context context) throws Problem, IOException {
        EventBody body = gateway.read(context, Protocol.EVENTS, bytes -> read(context.contentType(), bytes));
        gateway.deliver(context, Protocol.EVENTS, body.events(), refusedByBroker -> {
            List<Refused> refused = new ArrayList<>(body.refused());
            refusedByBroker.forEach(index -> refused.add(new Refused(
                    body.events().get(index).number(), "the broker refuses it: it is larger than the topic allows")));
            refused.sort(Comparator.comparingInt(Refused::number));
            gateway.counters().lost(Protocol.EVENTS, Loss.INVALID, refused.size());
            answer(context, body, refused, body.events().size() - refusedByBroker.size());
        });
    }

    private static EventBody read(@Nullable String contentType, byte[] bytes) throws Problem {
        String type = contentType == null
                ? "text/plain"
                : contentType.split(";", 2)[0].strip().toLowerCase(Locale.ROOT);
        if (type.equals(AVRO)) {
            return EventBody.ofAvro(bytes);
        }
        if (TEXT.contains(type)) {
            return EventBody.ofJsonLines(bytes);
        }
        throw Problem.of(
                HttpStatus.UNSUPPORTED_MEDIA_TYPE,
                "Content-Type is '" + RequestBody.shown(type)
                        + "', allowed are application/x-ndjson for JSON Lines and " + AVRO);
    }

    private void answer(Context context, EventBody body, List<Refused> refused, int accepted) {
        HttpStatus status = refused.isEmpty() ? HttpStatus.OK : HttpStatus.BAD_REQUEST;
        context.status(status)
                .result(Json.text(out -> {
                    out.writeStartObject();
                    if (!refused.isEmpty()) {
                        Refused first = refused.get(0);
                        out.writeStringField("title", status.getMessage());
                        out.writeNumberField("status", status.getCode());
                        out.writeStringField(
                                "detail",
                                refused.size() + " of " + (accepted + refused.size())
                                        + " events were refused, the others were taken; event " + first.number() + ": "
                                        + first.detail());
                        out.writeNumberField("rejected_total", refused.size());
                    }
                    out.writeNumberField("accepted", accepted);
                    writeRefused(out, refused);
                    writeCommands(out, body.events());
                    out.writeEndObject();
                }))
                .contentType(refused.isEmpty() ? "application/json" : Problem.CONTENT_TYPE);
        gateway.counters().request(Protocol.EVENTS, refused.isEmpty() ? Outcome.ACCEPTED : Outcome.REFUSED);
    }

    private static void writeRefused(JsonGenerator out, List<Refused> refused) throws IOException {
        out.writeArrayFieldStart("rejected");
        for (Refused one : refused.subList(0, Math.min(MAX_LISTED, refused.size()))) {
            out.writeStartObject();
            out.writeNumberField("line", one.number());
            out.writeStringField("detail", one.detail());
            out.writeEndObject();
        }
        out.writeEndArray();
    }

    private void writeCommands(JsonGenerator out, List<Event> events) throws IOException {
        Set<String> runs = new LinkedHashSet<>();
        for (Event event : events) {
            if (runs.size() < MAX_RUNS) {
                runs.add(event.runId());
            }
        }
        out.writeArrayFieldStart("commands");
        for (String runId : runs) {
            for (Command command : commands.apply(runId)) {
                out.writeStartObject();
                out.writeStringField("command_id", command.getCommandId());
                out.writeStringField("run_id", command.getRunId());
                Integer attempt = command.getAttempt();
                if (attempt != null) {
                    out.writeNumberField("attempt", attempt);
                }
                out.writeStringField("action", command.getAction().toString());
                out.writeStringField("reason", command.getReason());
                out.writeNumberField("issued_at_ms", command.getIssuedAtMs());
                out.writeNumberField("expires_at_ms", command.getExpiresAtMs());
                out.writeEndObject();
            }
        }
        out.writeEndArray();
    }
}
