package io.trainwatch.attach;

import static org.assertj.core.api.Assertions.assertThat;

import io.trainwatch.attach.LogEntry.Event;
import io.trainwatch.attach.LogEntry.Problem;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.SequenceInputStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import org.junit.jupiter.api.Test;

class EventLinesTest {
    private static final String STARTED = "{\"event_type\":\"run_started\",\"run_id\":\"a\",\"timestamp_ms\":1}\n";
    private static final String STEP =
            "{\"event_type\":\"step_completed\",\"run_id\":\"a\",\"timestamp_ms\":2,\"step\":1,\"loss\":NaN}\n";
    private static final String OTHER =
            "{\"event_type\":\"heartbeat\",\"run_id\":\"b\",\"timestamp_ms\":3,\"new\":1}\n";

    @Test
    void every_line_is_an_event_with_its_place() throws Exception {
        List<LogEntry> entries = Reading.all("events", STARTED + STEP + OTHER);

        assertThat(entries).hasSize(3).allMatch(Event.class::isInstance);
        assertThat(entries).extracting(LogEntry::line).containsExactly(1L, 2L, 3L);
        assertThat(entries).extracting(LogEntry::offset).containsExactly(0L, (long) STARTED.length(), (long)
                (STARTED + STEP).length());
        assertThat(entries)
                .extracting(entry -> ((Event) entry).event().getRunId())
                .containsExactly("a", "a", "b");
    }

    @Test
    void a_broken_line_is_a_problem_and_the_rest_goes_on() throws Exception {
        List<LogEntry> entries = Reading.all("events", STARTED + "{\"event_type\":\n" + STEP);

        assertThat(entries).hasSize(3);
        assertThat(entries.get(1)).isInstanceOf(Problem.class);
        assertThat(entries.get(1).line()).isEqualTo(2);
        assertThat(((Problem) entries.get(1)).message()).startsWith("not valid JSON: ");
        assertThat(entries.get(2)).isInstanceOf(Event.class);
    }

    @Test
    void blank_lines_carriage_returns_and_a_byte_order_mark_are_no_problem() throws Exception {
        List<LogEntry> entries =
                Reading.all("events", "\ufeff\r\n" + STARTED.replace("\n", "\r\n") + "  \n\n" + STEP.strip());

        assertThat(entries).hasSize(2).allMatch(Event.class::isInstance);
        assertThat(entries).extracting(LogEntry::line).containsExactly(2L, 5L);
    }

    @Test
    void an_empty_log_has_no_entries() throws Exception {
        assertThat(Reading.all("events", "")).isEmpty();
    }

    @Test
    void unknown_fields_are_counted() throws Exception {
        try (LogReader reader = LogFormats.named("events").open(Reading.input(OTHER + STEP + OTHER))) {
            assertThat(Reading.rest(reader)).hasSize(3);
            assertThat(reader.ignoredFields()).isEqualTo(2);
        }
    }

    @Test
    void a_line_over_16_MiB_is_passed_over_in_bounded_memory() throws Exception {
        byte[] half = new byte[9 * 1024 * 1024];
        Arrays.fill(half, (byte) 'x');
        InputStream log = new SequenceInputStream(Collections.enumeration(
                List.of(bytes(STARTED), bytes(half), bytes(half), bytes("\n" + STEP), bytes(half))));

        List<LogEntry> entries;
        try (LogReader reader = LogFormats.named("events").open(LogInput.of("-", log))) {
            entries = Reading.rest(reader);
        }

        assertThat(entries).hasSize(4);
        assertThat(((Problem) entries.get(1)).message()).isEqualTo("the line has more than 16777216 bytes");
        assertThat(entries.get(2)).isInstanceOf(Event.class);
        assertThat(entries.get(2).line()).isEqualTo(3);
        assertThat(entries.get(2).offset()).isEqualTo(STARTED.length() + 2L * half.length + 1);
        assertThat(((Problem) entries.get(3)).message()).startsWith("not valid JSON: ");
    }

    @Test
    void a_stream_gives_its_events_as_they_arrive() throws Exception {
        InputStream first = bytes(STARTED);
        InputStream failing = new InputStream() {
            @Override
            public int read() throws IOException {
                throw new IOException("not yet");
            }

            @Override
            public int read(byte[] bytes, int start, int length) throws IOException {
                return read();
            }
        };
        try (LogReader reader =
                LogFormats.named("events").open(LogInput.of("-", new SequenceInputStream(first, failing)))) {
            assertThat(reader.next()).isInstanceOf(Event.class);
        }
    }

    private static InputStream bytes(String text) {
        return bytes(text.getBytes(StandardCharsets.UTF_8));
    }

    private static InputStream bytes(byte[] bytes) {
        return new ByteArrayInputStream(bytes);
    }
}
