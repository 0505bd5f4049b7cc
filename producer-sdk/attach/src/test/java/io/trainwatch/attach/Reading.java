package io.trainwatch.attach;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/** Reads logs that tests hold as text. */
final class Reading {
    private Reading() {}

    static LogInput input(String log) {
        return LogInput.of("stdin", new ByteArrayInputStream(log.getBytes(StandardCharsets.UTF_8)));
    }

    static List<LogEntry> all(String format, String log) throws IOException {
        try (LogReader reader = LogFormats.named(format).open(input(log))) {
            return rest(reader);
        }
    }

    static List<LogEntry> rest(LogReader reader) throws IOException {
        List<LogEntry> entries = new ArrayList<>();
        for (LogEntry entry = reader.next(); entry != null; entry = reader.next()) {
            entries.add(entry);
        }
        if (reader.next() != null) {
            throw new AssertionError("an entry behind the end");
        }
        return entries;
    }
}
