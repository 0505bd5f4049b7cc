package io.trainwatch.attach;

import io.trainwatch.codec.EventJson;
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

    /** The events as JSON without what is the same for all of them, and the problems as '!line message'. */
    static List<String> shown(String format, String log) throws IOException {
        return all(format, log).stream().map(Reading::shown).toList();
    }

    static String shown(LogEntry entry) {
        return entry instanceof LogEntry.Event event
                ? EventJson.write(event.event())
                        .replaceFirst(
                                "\"attempt\":0,\"rank\":0,\"session\":\"\",\"seq\":\\d+,\"timestamp_ms\":\\d+,?", "")
                        .replace("\"run_id\":\"stdin\",", "")
                        .replaceFirst("^\\{\"event_type\":\"(\\w+)\",?(\"run_id\":\"[^\"]*\")?,?", "$1 $2 ")
                        .replaceFirst("  ", " ")
                        .replaceFirst("}$", "")
                        .strip()
                : "!" + entry.line() + " " + ((LogEntry.Problem) entry).message();
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
