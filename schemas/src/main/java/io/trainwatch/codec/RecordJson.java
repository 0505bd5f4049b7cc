package io.trainwatch.codec;

import com.fasterxml.jackson.core.JsonGenerator;
import io.trainwatch.event.TrainingEvent;
import java.io.IOException;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.avro.Schema;
import org.apache.avro.generic.IndexedRecord;

/**
 * Events, alerts and run statuses as JSON for people and tools: one object, field names as in the schema, absent fields
 * left out, non-finite numbers as the strings {@code "NaN"}, {@code "Infinity"} and {@code "-Infinity"}, bytes in base64.
 * An event is flat, as {@link EventJson} has it.
 */
public final class RecordJson {
    private static final Map<Schema, RecordType> TYPES = new ConcurrentHashMap<>();

    private RecordJson() {}

    /** One line, without its end. */
    public static String write(IndexedRecord record) {
        StringWriter text = new StringWriter(256);
        try (JsonGenerator out = JsonSource.FACTORY.createGenerator(text)) {
            write(record, out);
        } catch (IOException e) {
            throw new UncheckedIOException("writing to memory failed", e);
        }
        return text.toString();
    }

    /**
     * Writes one object as part of a larger text.
     *
     * @throws IOException if {@code out} cannot be written to
     */
    public static void write(IndexedRecord record, JsonGenerator out) throws IOException {
        if (record instanceof TrainingEvent event) {
            EventJson.write(event, out);
        } else {
            TYPES.computeIfAbsent(record.getSchema(), RecordType::of).write(record, out);
        }
    }
}
