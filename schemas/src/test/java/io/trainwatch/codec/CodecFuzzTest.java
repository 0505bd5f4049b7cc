package io.trainwatch.codec;

import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.junit.FuzzTest;
import io.trainwatch.event.TrainingEvent;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;

/**
 * Whatever arrives is an event or one clear refusal. In the ordinary build the inputs under {@code CodecFuzzTestInputs}
 * are run once; with {@code JAZZER_FUZZ=1} and {@code -Djazzer.hooks=true} new ones are sought, one method at a time.
 */
class CodecFuzzTest {
    private final SingleObjectCodec<TrainingEvent> codec = SingleObjectCodec.events();

    @FuzzTest(maxDuration = "2m")
    void bytes_behind_a_good_header_are_an_event_or_corrupt(byte[] body) {
        byte[] record = ByteBuffer.allocate(10 + body.length)
                .order(ByteOrder.LITTLE_ENDIAN)
                .put(new byte[] {(byte) 0xC3, 0x01})
                .putLong(SchemaVersions.fingerprint(TrainingEvent.getClassSchema()))
                .put(body)
                .array();
        try {
            TrainingEvent event = codec.decode(record);
            assertThat(EventJson.write(codec.decode(codec.encode(event)))).isEqualTo(EventJson.write(event));
        } catch (UndecodableException e) {
            assertThat(e.reason()).isEqualTo(UndecodableException.Reason.CORRUPT);
        }
    }

    @FuzzTest(maxDuration = "2m")
    void a_line_is_an_event_or_one_line_that_says_why_not(byte[] line) throws Exception {
        TrainingEvent event;
        try {
            event = new EventJson().read(new String(line, StandardCharsets.UTF_8));
        } catch (InvalidEventException e) {
            assertThat(e.getMessage()).isNotBlank().doesNotContain("\n").hasSizeLessThan(1000);
            return;
        }
        String written = EventJson.write(event);
        assertThat(EventJson.write(new EventJson().read(written))).isEqualTo(written);
    }
}
