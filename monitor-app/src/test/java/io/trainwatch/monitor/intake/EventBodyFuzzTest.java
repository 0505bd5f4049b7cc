package io.trainwatch.monitor.intake;

import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.junit.FuzzTest;
import io.trainwatch.codec.SingleObjectCodec;
import io.trainwatch.codec.UndecodableException;
import io.trainwatch.monitor.web.Problem;
import java.io.ByteArrayInputStream;

/**
 * Whatever is posted becomes events that the monitor can read, or refusals of one line each. In the ordinary build the inputs
 * under {@code EventBodyFuzzTestInputs} are run once; with {@code JAZZER_FUZZ=1} and {@code -Djazzer.hooks=true} new ones are
 * sought, one method at a time.
 */
class EventBodyFuzzTest {
    @FuzzTest(maxDuration = "2m")
    void any_text_is_events_and_refusals(byte[] body) throws UndecodableException {
        check(EventBody.ofJsonLines(body));
    }

    @FuzzTest(maxDuration = "2m")
    void any_frames_are_events_and_refusals(byte[] body) throws UndecodableException {
        check(EventBody.ofAvro(body));
    }

    @FuzzTest(maxDuration = "2m")
    void any_gzip_is_bounded(byte[] body) {
        try {
            assertThat(RequestBody.read(new ByteArrayInputStream(body), "gzip", 1 << 16))
                    .hasSizeLessThanOrEqualTo(1 << 16);
        } catch (Problem e) {
            assertThat(e.getMessage()).isNotBlank();
        }
    }

    private static void check(EventBody body) throws UndecodableException {
        assertThat(body.refused())
                .hasSizeLessThanOrEqualTo(EventBody.MAX_REFUSED + 1)
                .allSatisfy(refused -> assertThat(refused.detail())
                        .isNotBlank()
                        .doesNotContain("\n")
                        .hasSizeLessThan(1000));
        SingleObjectCodec<?> codec = SingleObjectCodec.events();
        for (EventBody.Event event : body.events()) {
            assertThat(codec.decode(event.bytes())).isNotNull();
            assertThat(event.runId()).isNotEmpty();
        }
    }
}
