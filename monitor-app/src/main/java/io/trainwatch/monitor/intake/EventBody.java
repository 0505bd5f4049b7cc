package io.trainwatch.monitor.intake;

import io.trainwatch.codec.EventJson;
import io.trainwatch.codec.InvalidEventException;
import io.trainwatch.codec.SingleObjectCodec;
import io.trainwatch.codec.UndecodableException;
import io.trainwatch.event.TrainingEvent;
import io.trainwatch.monitor.run.EventBounds;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The events of one body, in order, and what is none. Two forms:
 *
 * <ul>
 *   <li>JSON Lines, as {@link EventJson} has them, each of at most {@value #MAX_EVENT_BYTES} bytes; blank lines are passed
 *       over.
 *   <li>Avro: for each event 4 bytes of length, big endian, and as many bytes of single-object encoding. Behind a length that
 *       cannot be one, nothing more is read.
 * </ul>
 *
 * <p>What is refused stops nothing else: the good events of the body are taken. Of {@value #MAX_REFUSED} refusals on, the
 * rest of the body is not read.
 */
final class EventBody {
    /** Longest event in bytes, as a line and as Avro: a broker takes 1 MiB by default, and its batch has a frame. */
    static final int MAX_EVENT_BYTES = 1_000_000;

    /** After that many, a body is something else than events. */
    static final int MAX_REFUSED = 1_000;

    private static final int LENGTH_BYTES = 4;

    /**
     * One event that was read.
     *
     * @param number its line, or its place among the events of an Avro body, from 1 on
     * @param bytes single-object encoding
     */
    @SuppressWarnings("ArrayRecordComponent") // Never compared, and handed on as it is.
    record Event(int number, String runId, byte[] bytes) {}

    /** One that was not: where, and why in one line. */
    record Refused(int number, String detail) {}

    private final SingleObjectCodec<TrainingEvent> codec = SingleObjectCodec.events();
    private final List<Event> events = new ArrayList<>();
    private final List<Refused> refused = new ArrayList<>();

    private EventBody() {}

    List<Event> events() {
        return events;
    }

    List<Refused> refused() {
        return refused;
    }

    static EventBody ofJsonLines(byte[] body) {
        EventBody result = new EventBody();
        EventJson json = new EventJson();
        int number = 0;
        for (int start = 0; start < body.length && result.goesOn(number); ) {
            int end = start;
            while (end < body.length && body[end] != '\n') {
                end++;
            }
            result.line(json, ++number, body, start, end - start);
            start = end + 1;
        }
        return result;
    }

    private void line(EventJson json, int number, byte[] body, int start, int length) {
        if (length > MAX_EVENT_BYTES) {
            refuse(number, "the line has " + length + " bytes, allowed are " + MAX_EVENT_BYTES);
            return;
        }
        String line = new String(body, start, length, StandardCharsets.UTF_8);
        if (line.isBlank()) {
            return;
        }
        try {
            TrainingEvent event = json.read(line);
            byte[] bytes = codec.encode(event);
            if (bytes.length > MAX_EVENT_BYTES) {
                refuse(number, "the event has " + bytes.length + " bytes, allowed are " + MAX_EVENT_BYTES);
            } else {
                add(number, event, bytes);
            }
        } catch (InvalidEventException e) {
            refuse(number, String.valueOf(e.getMessage()));
        }
    }

    static EventBody ofAvro(byte[] body) {
        EventBody result = new EventBody();
        ByteBuffer in = ByteBuffer.wrap(body);
        for (int number = 1; in.hasRemaining() && result.goesOn(number - 1); number++) {
            if (!result.framed(number, in)) {
                break;
            }
        }
        return result;
    }

    private boolean framed(int number, ByteBuffer in) {
        if (in.remaining() < LENGTH_BYTES) {
            refuse(number, "the body ends within the length of an event");
            return false;
        }
        int length = in.getInt();
        if (length < 1 || length > in.remaining()) {
            refuse(
                    number,
                    "its length is " + length + ", but " + in.remaining()
                            + " bytes are left: the rest of the body was not read");
            return false;
        }
        byte[] bytes = new byte[length];
        in.get(bytes);
        if (length > MAX_EVENT_BYTES) {
            refuse(number, "the event has " + length + " bytes, allowed are " + MAX_EVENT_BYTES);
            return true;
        }
        try {
            add(number, codec.decode(bytes), bytes);
        } catch (UndecodableException e) {
            refuse(number, String.valueOf(e.getMessage()));
        }
        return true;
    }

    private void add(int number, TrainingEvent event, byte[] bytes) {
        @Nullable EventBounds violated = EventBounds.violatedBy(event);
        if (violated == null) {
            events.add(new Event(number, event.getRunId(), bytes));
        } else {
            refuse(number, violated.detail());
        }
    }

    private void refuse(int number, String detail) {
        refused.add(new Refused(number, detail));
    }

    private boolean goesOn(int number) {
        if (refused.size() < MAX_REFUSED) {
            return true;
        }
        refuse(number + 1, MAX_REFUSED + " events were refused: the rest of the body was not read");
        return false;
    }
}
