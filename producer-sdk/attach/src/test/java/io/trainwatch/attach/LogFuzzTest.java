package io.trainwatch.attach;

import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.junit.FuzzTest;
import io.trainwatch.codec.SingleObjectCodec;
import java.io.ByteArrayInputStream;

/**
 * Whatever stands in a file, its reader comes to an end, and all that it gives is an event that can be sent or a problem
 * on one line. In the ordinary build the inputs under {@code LogFuzzTestInputs} are run once; with {@code JAZZER_FUZZ=1}
 * and {@code -Djazzer.hooks=true} new ones are sought, one method at a time.
 */
class LogFuzzTest {
    @FuzzTest(maxDuration = "2m")
    void any_trainer_state_is_read_to_its_end(byte[] log) throws Exception {
        read("hf-trainer-state", log);
    }

    @FuzzTest(maxDuration = "2m")
    void any_event_lines_are_read_to_their_end(byte[] log) throws Exception {
        read("events", log);
    }

    @FuzzTest(maxDuration = "2m")
    void any_table_is_read_to_its_end(byte[] log) throws Exception {
        read("csv", log);
    }

    @FuzzTest(maxDuration = "2m")
    void any_json_lines_are_read_to_their_end(byte[] log) throws Exception {
        read("jsonl", log);
    }

    @FuzzTest(maxDuration = "2m")
    void any_event_file_is_read_to_its_end(byte[] log) throws Exception {
        read("tfevents", log);
    }

    @FuzzTest(maxDuration = "2m")
    void any_transaction_log_is_read_to_its_end(byte[] log) throws Exception {
        read("wandb", log);
    }

    @FuzzTest(maxDuration = "2m")
    void any_table_of_points_is_read_to_its_end(byte[] log) throws Exception {
        read("points", log);
    }

    @FuzzTest(maxDuration = "2m")
    void any_text_is_read_to_its_end(byte[] log) throws Exception {
        read("text", log);
    }

    private static void read(String format, byte[] log) throws Exception {
        try (LogReader reader = LogFormats.named(format).open(LogInput.of("-", new ByteArrayInputStream(log)))) {
            for (LogEntry entry = reader.next(); entry != null; entry = reader.next()) {
                assertThat(entry.line()).isPositive();
                assertThat(entry.offset()).isBetween(0L, (long) log.length);
                if (entry instanceof LogEntry.Event event) {
                    assertThat(SingleObjectCodec.events().encode(event.event())).isNotEmpty();
                } else if (entry instanceof LogEntry.Problem problem) {
                    assertThat(problem.message())
                            .isNotBlank()
                            .doesNotContain("\n")
                            .hasSizeLessThan(1000);
                }
            }
        }
    }
}
