package io.trainwatch.codec;

import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import io.trainwatch.event.TrainingEvent;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Collections;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.apache.avro.Schema;
import org.apache.avro.generic.IndexedRecord;
import org.jspecify.annotations.Nullable;

/**
 * Training events as JSON Lines: one flat object per line, {@code event_type} and the fields of the envelope beside those
 * of the body.
 *
 * <pre>{@code
 * {"event_type":"step_completed","run_id":"r1","seq":12,"timestamp_ms":1763760000000,"step":100,"loss":2.31,"grad_norm":"NaN"}
 * }</pre>
 *
 * <ul>
 *   <li>{@code event_type} is the name of the body in snake case; it may stand anywhere in the object.
 *   <li>Non-finite numbers are the strings {@code "NaN"}, {@code "Infinity"} and {@code "-Infinity"}; as bare words they
 *       are read too, because Python writes them so. Any other number in quotes is an error.
 *   <li>Null is the same as absent. Absent is never 0: what the schema gives no default for has to be there.
 *   <li>Unknown fields are passed over and counted.
 *   <li>Bytes are base64.
 *   <li>A line has at most {@value #MAX_LINE_CHARACTERS} characters, nesting is at most 32 deep, a text has at most 65,536
 *       characters, an array or map at most 100,000 entries.
 * </ul>
 *
 * <p>Cheap to make. Not thread-safe: give each thread its own.
 */
public final class EventJson {
    /** Longest line that is read, in characters. */
    public static final int MAX_LINE_CHARACTERS = 16 * 1024 * 1024;

    /** Longest run_id, in characters. */
    public static final int MAX_RUN_ID_CHARACTERS = 256;

    private static final String EVENT_TYPE = "event_type";
    private static final String BODY = "body";

    private static final RecordType ENVELOPE = RecordType.without(BODY, TrainingEvent.getClassSchema());
    private static final Map<String, RecordType> BODIES = bodies();
    private static final Map<String, String> TYPES_BY_BODY = BODIES.entrySet().stream()
            .collect(Collectors.toMap(e -> e.getValue().name(), Map.Entry::getKey));
    private static final String ALLOWED_TYPES = "one of " + String.join(", ", BODIES.keySet());

    private long unknownFields;

    private static Map<String, RecordType> bodies() {
        Map<String, RecordType> bodies = new TreeMap<>();
        for (Schema body :
                TrainingEvent.getClassSchema().getField(BODY).schema().getTypes()) {
            bodies.put(snakeCase(body.getName()), RecordType.of(body));
        }
        return Collections.unmodifiableMap(bodies);
    }

    private static String snakeCase(String name) {
        return name.replaceAll("(?<=[a-z0-9])(?=[A-Z])", "_").toLowerCase(Locale.ROOT);
    }

    /** Every event type, in alphabetical order. */
    public static Set<String> eventTypes() {
        return BODIES.keySet();
    }

    /** The type of an event, e.g. {@code step_completed}. */
    public static String eventType(TrainingEvent event) {
        String body = ((IndexedRecord) event.getBody()).getSchema().getName();
        String type = TYPES_BY_BODY.get(body);
        if (type == null) {
            throw new IllegalArgumentException("body is a " + body + ", but must be one of " + TYPES_BY_BODY.keySet());
        }
        return type;
    }

    /** Fields that no schema knew, over all that this instance has read. */
    public long unknownFields() {
        return unknownFields;
    }

    /**
     * Reads one line.
     *
     * @throws InvalidEventException if it is not an event; the message names field, value and what is allowed
     */
    public TrainingEvent read(String line) throws InvalidEventException {
        if (line.length() > MAX_LINE_CHARACTERS) {
            throw new InvalidEventException("too large: the line has " + line.length()
                    + " characters, but must have at most " + MAX_LINE_CHARACTERS);
        }
        try (JsonSource in = new JsonSource(line)) {
            TrainingEvent event = read(in);
            unknownFields += in.unknownFields();
            return event;
        } catch (JsonProcessingException e) {
            throw JsonSource.malformed(e);
        } catch (IOException e) {
            throw new UncheckedIOException("reading from memory failed", e);
        }
    }

    private static TrainingEvent read(JsonSource in) throws IOException, InvalidEventException {
        if (in.parser().nextToken() != JsonToken.START_OBJECT) {
            throw in.wrong("a JSON object");
        }
        String name = in.parser().nextFieldName();
        boolean typed = EVENT_TYPE.equals(name);
        RecordType.Partial body =
                bodyOf(typed ? in.nextText() : in.lookAhead(EVENT_TYPE)).begin();
        RecordType.Partial envelope = ENVELOPE.begin();
        for (name = typed ? in.parser().nextFieldName() : name;
                name != null;
                name = in.parser().nextFieldName()) {
            if (name.equals(EVENT_TYPE)) {
                if (typed) {
                    throw in.repeated();
                }
                typed = true;
                in.parser().nextToken();
            } else if (!envelope.accept(name, in) && !body.accept(name, in)) {
                in.skipUnknown();
            }
        }
        TrainingEvent event = (TrainingEvent) envelope.complete(in);
        event.setBody(body.complete(in));
        if (event.getRunId().isEmpty() || event.getRunId().length() > MAX_RUN_ID_CHARACTERS) {
            throw new InvalidEventException("run_id is \"" + JsonSource.shown(event.getRunId(), 64) + "\" ("
                    + event.getRunId().length() + " characters), but must have 1 to " + MAX_RUN_ID_CHARACTERS);
        }
        if (in.parser().nextToken() != null) {
            throw new InvalidEventException("the line goes on behind the event, but must hold one JSON object");
        }
        return event;
    }

    private static RecordType bodyOf(@Nullable String type) throws InvalidEventException {
        if (type == null) {
            throw new InvalidEventException(EVENT_TYPE + " is missing, and must be " + ALLOWED_TYPES);
        }
        RecordType body = BODIES.get(type);
        if (body == null) {
            throw new InvalidEventException(
                    EVENT_TYPE + " is \"" + JsonSource.shown(type, 64) + "\", but must be " + ALLOWED_TYPES);
        }
        return body;
    }

    /** One line, without its end. */
    public static String write(TrainingEvent event) {
        return RecordJson.write(event);
    }

    static void write(TrainingEvent event, JsonGenerator out) throws IOException {
        String type = eventType(event);
        out.writeStartObject();
        out.writeStringField(EVENT_TYPE, type);
        ENVELOPE.writeFields(event, out);
        Objects.requireNonNull(BODIES.get(type)).writeFields((IndexedRecord) event.getBody(), out);
        out.writeEndObject();
    }
}
