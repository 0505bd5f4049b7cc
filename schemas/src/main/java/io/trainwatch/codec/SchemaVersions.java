package io.trainwatch.codec;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.HashMap;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import org.apache.avro.Schema;
import org.apache.avro.SchemaNormalization;
import org.apache.avro.io.DatumReader;
import org.apache.avro.io.FastReaderBuilder;
import org.apache.avro.specific.SpecificRecordBase;
import org.jspecify.annotations.Nullable;

/**
 * Every version of one record type that was ever released, by fingerprint, each with a reader that turns it into the
 * current one: fields that came later get their default, fields that went are passed over. The current schema is always
 * among them.
 *
 * <p>The versions are resources {@code released/NAME-vN.avsc}, numbered from 1 without a gap; {@link SchemaRelease} adds
 * the next one. A release never changes or goes, or records that wait in topics and spools could no longer be read.
 *
 * <p>Immutable, and so are the readers: threads share them.
 */
final class SchemaVersions<T extends SpecificRecordBase> {
    private final Schema current;
    private final SortedMap<Integer, Schema> released;
    private final Map<Long, DatumReader<T>> readers = new HashMap<>();

    SchemaVersions(Schema current) {
        this.current = current;
        released = released(current.getName());
        FastReaderBuilder builder = new FastReaderBuilder(Vocabulary.INSTANCE);
        try {
            for (Schema writer : released.values()) {
                readers.put(fingerprint(writer), builder.createDatumReader(writer, current));
            }
            readers.put(fingerprint(current), builder.createDatumReader(current, current));
        } catch (IOException e) {
            throw new UncheckedIOException("no reader for a released schema of " + current.getFullName(), e);
        }
    }

    private static SortedMap<Integer, Schema> released(String name) {
        SortedMap<Integer, Schema> versions = new TreeMap<>();
        for (int version = 1; ; version++) {
            try (InputStream resource = SchemaVersions.class.getResourceAsStream(resource(name, version))) {
                if (resource == null) {
                    return versions;
                }
                versions.put(version, new Schema.Parser().parse(resource));
            } catch (IOException e) {
                throw new UncheckedIOException("cannot read " + resource(name, version), e);
            }
        }
    }

    static String resource(String name, int version) {
        return "/released/" + name + "-v" + version + ".avsc";
    }

    static long fingerprint(Schema schema) {
        return SchemaNormalization.parsingFingerprint64(schema);
    }

    Schema current() {
        return current;
    }

    /** By version number, in order. */
    SortedMap<Integer, Schema> released() {
        return released;
    }

    /** Reads what a writer with this fingerprint wrote; null if no version has it. */
    @Nullable
    DatumReader<T> reader(long fingerprint) {
        return readers.get(fingerprint);
    }
}
