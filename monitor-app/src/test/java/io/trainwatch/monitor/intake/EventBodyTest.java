package io.trainwatch.monitor.intake;

import static org.assertj.core.api.Assertions.assertThat;

import io.trainwatch.codec.EventJson;
import io.trainwatch.codec.SingleObjectCodec;
import io.trainwatch.monitor.intake.EventBody.Refused;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;

class EventBodyTest {
    private static final String HEARTBEAT =
            "{\"event_type\":\"heartbeat\",\"run_id\":\"r\",\"session\":\"s\",\"timestamp_ms\":1}";

    @Test
    void an_empty_body_has_no_events() {
        assertThat(EventBody.ofJsonLines(new byte[0]).events()).isEmpty();
        assertThat(EventBody.ofJsonLines("\n \r\n".getBytes(StandardCharsets.UTF_8))
                        .refused())
                .isEmpty();
        assertThat(EventBody.ofAvro(new byte[0]).events()).isEmpty();
    }

    @Test
    void lines_count_from_one_blank_ones_too_and_may_end_as_windows_ends_them() {
        EventBody body = lines("\r\n" + HEARTBEAT + "\r\n" + HEARTBEAT);

        assertThat(body.events()).extracting(EventBody.Event::number).containsExactly(2, 3);
        assertThat(body.refused()).isEmpty();
    }

    @Test
    void a_line_that_is_too_long_is_refused_alone() {
        EventBody body = lines("x".repeat(EventBody.MAX_EVENT_BYTES + 1) + "\n" + HEARTBEAT);

        assertThat(body.events()).hasSize(1);
        assertThat(body.refused()).containsExactly(new Refused(1, "the line has 1000001 bytes, allowed are 1000000"));
    }

    @Test
    void a_body_that_is_something_else_is_not_read_to_its_end() {
        EventBody body = lines("x\n".repeat(100_000));

        assertThat(body.refused()).hasSize(EventBody.MAX_REFUSED + 1);
        assertThat(body.refused().get(EventBody.MAX_REFUSED))
                .isEqualTo(new Refused(1001, "1000 events were refused: the rest of the body was not read"));
    }

    @Test
    void an_avro_length_that_cannot_be_one_ends_the_body_and_what_came_before_is_kept() throws Exception {
        byte[] event = SingleObjectCodec.events().encode(new EventJson().read(HEARTBEAT));

        for (int length : new int[] {0, -1, Integer.MIN_VALUE, 5, Integer.MAX_VALUE}) {
            EventBody body = EventBody.ofAvro(ByteBuffer.allocate(4 + event.length + 4 + 4)
                    .putInt(event.length)
                    .put(event)
                    .putInt(length)
                    .array());
            assertThat(body.events()).hasSize(1);
            assertThat(body.refused())
                    .containsExactly(new Refused(
                            2,
                            "its length is " + length + ", but 4 bytes are left: the rest of the body was not read"));
        }
        assertThat(EventBody.ofAvro(new byte[] {0, 0, 0}).refused())
                .containsExactly(new Refused(1, "the body ends within the length of an event"));
    }

    @Test
    void avro_that_is_no_event_is_refused_alone() throws Exception {
        byte[] event = SingleObjectCodec.events().encode(new EventJson().read(HEARTBEAT));

        EventBody body = EventBody.ofAvro(ByteBuffer.allocate(4 + 3 + 4 + event.length)
                .putInt(3)
                .put(new byte[] {1, 2, 3})
                .putInt(event.length)
                .put(event)
                .array());

        assertThat(body.events()).extracting(EventBody.Event::number).containsExactly(2);
        assertThat(body.refused()).singleElement().satisfies(refused -> {
            assertThat(refused.number()).isEqualTo(1);
            assertThat(refused.detail()).startsWith("3 bytes that do not begin with C3 01");
        });
    }

    private static EventBody lines(String text) {
        return EventBody.ofJsonLines(text.getBytes(StandardCharsets.UTF_8));
    }
}
