package io.trainwatch.codec;

import io.trainwatch.event.TrainingEvent;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import org.apache.avro.Schema;
import org.apache.avro.specific.SpecificRecordBase;

/** A record of a released version, as JSON and as the bytes that every writer of that version makes of it. */
record Golden(Schema type, int version, String json, String hex) {
    /** The records of one version. */
    static List<Golden> of(Schema type, int version) {
        List<String> lines = lines(type, version, "jsonl");
        List<String> bytes = lines(type, version, "hex");
        if (lines.size() != bytes.size()) {
            throw new AssertionError(type.getName() + "-v" + version + " has " + lines.size() + " lines and "
                    + bytes.size() + " records");
        }
        List<Golden> golden = new ArrayList<>();
        for (int i = 0; i < lines.size(); i++) {
            golden.add(new Golden(type, version, lines.get(i), bytes.get(i)));
        }
        return golden;
    }

    private static List<String> lines(Schema type, int version, String suffix) {
        String name = "/golden/" + type.getName() + "-v" + version + "." + suffix;
        try (InputStream resource = Golden.class.getResourceAsStream(name)) {
            if (resource == null) {
                throw new AssertionError("there is no " + name + "; run " + SchemaRelease.COMMAND);
            }
            return new String(resource.readAllBytes(), StandardCharsets.UTF_8)
                    .lines()
                    .toList();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    byte[] bytes() {
        return HexFormat.of().parseHex(hex);
    }

    /** The record that the JSON means. */
    SpecificRecordBase read() throws InvalidEventException, IOException {
        return read(type, json);
    }

    static SpecificRecordBase read(Schema type, String json) throws InvalidEventException, IOException {
        if (type.equals(TrainingEvent.getClassSchema())) {
            return new EventJson().read(json);
        }
        try (JsonSource in = new JsonSource(json)) {
            in.parser().nextToken();
            return (SpecificRecordBase) RecordType.of(type).read(in);
        }
    }

    @Override
    public String toString() {
        return type.getName() + " v" + version + " " + json;
    }
}
