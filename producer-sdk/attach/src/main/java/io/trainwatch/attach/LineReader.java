package io.trainwatch.attach;

import java.io.IOException;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** A log that is read line by line: what a line means is said by {@link #line}. */
abstract class LineReader implements LogReader {
    /** Longest line that is looked at, in bytes; the widest table that was seen has 60 kB. */
    static final int MAX_LINE_BYTES = 1 << 20;

    private final LogInput input;
    private final Lines lines;
    private final RunEvents events;
    private boolean ended;

    /** Fields that were passed over. */
    long ignored;

    LineReader(LogInput input, Lines lines, RunEvents events) {
        this.input = input;
        this.lines = lines;
        this.events = events;
    }

    RunEvents events() {
        return events;
    }

    /** Takes in one line, which is not blank; what it means goes to {@link #events}. */
    abstract void line(String text);

    /** The line is blank. */
    void blank() {}

    /** The line is longer than {@value #MAX_LINE_BYTES} bytes. */
    void tooLong() {
        problem("the line has more than " + MAX_LINE_BYTES + " bytes");
    }

    /** The log is at its end. */
    void end() {}

    /** Nothing follows for now: what is held back and says something goes to {@link #events}. */
    void settled() {}

    @Override
    public List<LogEntry> settle() {
        settled();
        return events.drain();
    }

    void problem(String message) {
        events.problem(line(), offset(), message);
    }

    long line() {
        return Math.max(1, lines.line());
    }

    long offset() {
        return lines.offset();
    }

    /** Whether the line has an end: what its writer still writes, or never finished, has none. */
    boolean isWhole() {
        return lines.ended();
    }

    @Override
    public @Nullable LogEntry next() throws IOException {
        while (events.isEmpty() && !ended) {
            if (!lines.next()) {
                ended = true;
                end();
            } else {
                String text = lines.text();
                if (text == null) {
                    tooLong();
                } else if (text.isBlank()) {
                    blank();
                } else {
                    line(text);
                }
            }
        }
        return events.poll();
    }

    @Override
    public long ignoredFields() {
        return ignored;
    }

    @Override
    public void close() throws IOException {
        input.close();
    }
}
