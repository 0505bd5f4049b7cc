package io.trainwatch.attach;

import io.trainwatch.codec.EventJson;
import io.trainwatch.codec.InvalidEventException;
import java.io.IOException;
import java.io.InputStream;
import java.util.Optional;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** Events as JSON Lines, as {@link EventJson} has them: one event a line, of one run or of several. Blank lines are fine. */
final class EventLines implements LogFormat {
    private static final Pattern EVENT_TYPE = Pattern.compile("\"event_type\"\\s*:\\s*\"");

    @Override
    public String name() {
        return "events";
    }

    @Override
    public String description() {
        return "trainwatch events as JSON Lines, one event a line, one run or several (*.jsonl)";
    }

    @Override
    public boolean namesRuns() {
        return true;
    }

    @Override
    public Optional<String> recognise(LogInput input) throws IOException {
        String head = input.head();
        return head.stripLeading().startsWith("{") && EVENT_TYPE.matcher(head).find()
                ? Optional.of("lines with \"event_type\"")
                : Optional.empty();
    }

    @Override
    public LogReader open(LogInput input) throws IOException {
        return new Reader(input);
    }

    private static final class Reader implements LogReader {
        private final LogInput input;
        private final Lines lines;
        private final EventJson json = new EventJson();

        Reader(LogInput input) throws IOException {
            this.input = input;
            InputStream in = input.once();
            lines = new Lines(in, EventJson.MAX_LINE_CHARACTERS);
        }

        @Override
        public @Nullable LogEntry next() throws IOException {
            while (lines.next()) {
                String text = lines.text();
                if (text == null) {
                    return problem("the line has more than " + EventJson.MAX_LINE_CHARACTERS + " bytes");
                }
                if (!text.isBlank()) {
                    try {
                        return new LogEntry.Event(lines.line(), lines.offset(), json.read(text));
                    } catch (InvalidEventException e) {
                        return problem(String.valueOf(e.getMessage()));
                    }
                }
            }
            return null;
        }

        private LogEntry problem(String message) {
            return new LogEntry.Problem(lines.line(), lines.offset(), message);
        }

        @Override
        public long ignoredFields() {
            return json.unknownFields();
        }

        @Override
        public void close() throws IOException {
            input.close();
        }
    }
}
