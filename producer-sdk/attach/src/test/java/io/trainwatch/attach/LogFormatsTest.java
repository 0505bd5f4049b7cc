package io.trainwatch.attach;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class LogFormatsTest {
    private static final String EVENT = "{\"event_type\": \"heartbeat\",\"run_id\":\"r\",\"timestamp_ms\":1}\n";
    private static final String STATE = "{\n  \"epoch\": 1.0,\n  \"log_history\": []\n}\n";

    @TempDir
    private Path folder;

    @Test
    void the_formats_are_named() {
        assertThat(LogFormats.names())
                .containsExactly(
                        "events",
                        "hf-trainer-state",
                        "tfevents",
                        "wandb",
                        "mlflow",
                        "points",
                        "parquet",
                        "jsonl",
                        "llm.c",
                        "olmo",
                        "megatron",
                        "deepspeed",
                        "composer",
                        "yolo",
                        "csv",
                        "text");
        assertThat(LogFormats.all()).allMatch(format -> LogFormats.named(format.name()) == format);
    }

    @Test
    void lines_with_an_event_type_are_events() throws Exception {
        assertDetected("run.jsonl", EVENT, "events", "lines with \"event_type\"");
        assertDetected("anything", "\n{\"run_id\":\"r\",\"event_type\":\"x\"}", "events", "lines with \"event_type\"");
    }

    @Test
    void a_log_history_is_a_trainer_state() throws Exception {
        assertDetected("state.json", STATE, "hf-trainer-state", "has \"log_history\"");
        assertDetected("x", STATE.replaceAll("\\s", ""), "hf-trainer-state", "has \"log_history\"");
        assertDetected("trainer_state.json", "{\"epoch\":", "hf-trainer-state", "is called trainer_state.json");
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "step 1 loss 2.5\n", "[1]", "{\"a\": 1}\n", "a,b\n1,2\n", "\u0000\u0001"})
    void anything_else_is_not_recognised(String log) throws Exception {
        assertThat(LogFormats.detect(Reading.input(log))).isEmpty();
    }

    @Test
    void looking_at_the_beginning_takes_nothing_away() throws Exception {
        try (LogInput stdin = Reading.input(EVENT.repeat(5000))) {
            LogFormat format = LogFormats.detect(stdin).orElseThrow().format();
            assertThat(Reading.rest(format.open(stdin))).hasSize(5000).allMatch(LogEntry.Event.class::isInstance);
        }
    }

    @Test
    void an_unknown_name_is_answered_with_the_known_ones() {
        assertThatThrownBy(() -> LogFormats.named("yaml"))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("format yaml is not known; known are " + String.join(", ", LogFormats.names()));
    }

    @Test
    void a_folder_is_no_log() {
        assertThatThrownBy(() -> LogInput.of(folder))
                .isInstanceOf(IOException.class)
                .hasMessage(folder + " is a directory, where a log file should be");
    }

    private void assertDetected(String name, String log, String format, String why) throws IOException {
        Path file = Files.writeString(folder.resolve(name), log);
        try (LogInput input = LogInput.of(file)) {
            LogFormats.Detection detection = LogFormats.detect(input).orElseThrow();
            assertThat(detection.format().name()).isEqualTo(format);
            assertThat(detection.why()).isEqualTo(why);
        }
    }
}
