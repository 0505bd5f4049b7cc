package io.trainwatch.codec;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.trainwatch.event.BatchStats;
import io.trainwatch.event.FinishStatus;
import io.trainwatch.event.RunFinished;
import io.trainwatch.event.RunStarted;
import io.trainwatch.event.StepCompleted;
import io.trainwatch.event.TensorKind;
import io.trainwatch.event.TensorStats;
import io.trainwatch.event.TrainingEvent;
import java.nio.ByteBuffer;
import java.util.Map;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.apache.avro.Schema;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class EventJsonTest {
    private static final String STEP = """
            {"event_type":"step_completed","run_id":"r1","attempt":0,"rank":0,"session":"","seq":12,\
            "timestamp_ms":1763760000000,"step":100,"loss":2.31,"grad_norm":"NaN","learning_rate":0.001,\
            "metrics":{"accuracy":0.4}}""";

    private final EventJson json = new EventJson();

    @Test
    void a_step_is_read_into_envelope_and_body() throws Exception {
        TrainingEvent event = json.read(STEP);

        assertThat(event.getRunId()).isEqualTo("r1");
        assertThat(event.getSeq()).isEqualTo(12);
        assertThat(event.getTimestampMs()).isEqualTo(1763760000000L);
        assertThat(event.getStep()).isEqualTo(100);
        StepCompleted step = (StepCompleted) event.getBody();
        assertThat(step.getLoss()).isEqualTo(2.31);
        assertThat(step.getGradNorm()).isNaN();
        assertThat(step.getLearningRate()).isEqualTo(0.001);
        assertThat(step.getMetrics()).isEqualTo(Map.of("accuracy", 0.4));
        assertThat(json.unknownFields()).isZero();
    }

    @Test
    void what_was_read_is_written_as_it_was() throws Exception {
        assertThat(EventJson.write(json.read(STEP))).isEqualTo(STEP);
    }

    @ParameterizedTest
    @MethodSource("io.trainwatch.codec.RandomEvents#one_of_each_type")
    void every_type_of_event_survives_writing_and_reading(TrainingEvent event) throws Exception {
        String line = EventJson.write(event);

        assertThat(line).doesNotContain("\n");
        // Not equals(): generated classes compare a required double with ==, by which NaN differs from itself.
        assertThat(SingleObjectCodec.events().encode(json.read(line)))
                .isEqualTo(SingleObjectCodec.events().encode(event));
        assertThat(json.unknownFields()).isZero();
    }

    @Test
    void the_types_are_the_bodies_in_snake_case() {
        assertThat(EventJson.eventTypes())
                .containsExactly(
                        "batch_stats",
                        "checkpoint_loaded",
                        "checkpoint_saved",
                        "command_acknowledged",
                        "evaluation_completed",
                        "heartbeat",
                        "phase_changed",
                        "prediction_stats",
                        "preflight_completed",
                        "rank_fingerprint",
                        "run_finished",
                        "run_started",
                        "step_completed",
                        "step_profile",
                        "tensor_stats");
    }

    @Test
    void no_field_of_a_body_is_called_like_one_of_the_envelope() {
        Schema envelope = TrainingEvent.getClassSchema();
        Set<String> reserved = Stream.concat(
                        Stream.of("event_type"), envelope.getFields().stream().map(Schema.Field::name))
                .collect(Collectors.toSet());
        for (Schema body : envelope.getField("body").schema().getTypes()) {
            Set<String> clashing =
                    body.getFields().stream().map(Schema.Field::name).collect(Collectors.toCollection(TreeSet::new));
            clashing.retainAll(reserved);
            assertThat(clashing).as(body.getFullName()).isEmpty();
        }
    }

    @Test
    void the_type_may_stand_behind_the_fields() throws Exception {
        TrainingEvent event = json.read("""
                {"tensors":[{"kind":"gradient","name":"fc1"}],"timestamp_ms":1,"run_id":"r","event_type":"tensor_stats"}""");

        assertThat(((TensorStats) event.getBody()).getTensors())
                .singleElement()
                .satisfies(t -> assertThat(t.getKind()).isEqualTo(TensorKind.gradient));
    }

    @ParameterizedTest
    @CsvSource({
        "'\"NaN\"', NaN",
        "NaN, NaN",
        "'\"Infinity\"', Infinity",
        "Infinity, Infinity",
        "'\"-Infinity\"', -Infinity",
        "-Infinity, -Infinity",
        "3, 3.0",
        "-1.5e-7, -1.5e-7",
        "1e999, Infinity",
    })
    void numbers_may_be_non_finite_in_quotes_or_as_bare_words(String written, Double meant) throws Exception {
        assertThat(step("loss", written).getLoss()).isEqualTo(meant);
    }

    @Test
    void absent_is_null_and_never_0() throws Exception {
        StepCompleted step = step("grad_norm", "null");

        assertThat(step.getLoss()).isNull();
        assertThat(step.getGradNorm()).isNull();
        assertThat(step.getMetrics()).isNull();
    }

    @Test
    void an_unknown_field_is_passed_over_and_counted() throws Exception {
        assertThat(step("colour", "{\"loss\":[1,{\"seq\":3}]}").getLoss()).isNull();
        step("flavour", "1");

        assertThat(json.unknownFields()).isEqualTo(2);
    }

    @ParameterizedTest
    @CsvSource({"5.0, 5", "9223372036854775807, 9223372036854775807", "-1, -1"})
    void a_whole_number_may_be_written_with_a_point(String written, long meant) throws Exception {
        assertThat(step("samples_seen", written).getSamplesSeen()).isEqualTo(meant);
    }

    @Test
    void bytes_are_base64() throws Exception {
        BatchStats batch = (BatchStats) json.read("""
                        {"event_type":"batch_stats","run_id":"r","timestamp_ms":1,\
                        "features":[{"name":"age","sketch":{"type":"kll","bytes":"AAEC/w=="}}]}""").getBody();

        assertThat(batch.getFeatures().get(0).getSketch().getBytes())
                .isEqualTo(ByteBuffer.wrap(new byte[] {0, 1, 2, -1}));
    }

    @Test
    void defaults_of_the_schema_stand_for_absent_fields() throws Exception {
        TrainingEvent event = json.read("{\"event_type\":\"run_started\",\"run_id\":\"r\",\"timestamp_ms\":1}");

        assertThat(event.getAttempt()).isZero();
        assertThat(event.getSession()).isEmpty();
        assertThat(event.getSeq()).isNull();
        assertThat(event.getBody()).isEqualTo(new RunStarted());
    }

    @Test
    void an_enum_is_its_symbol() throws Exception {
        RunFinished finished = (RunFinished)
                json.read("{\"event_type\":\"run_finished\",\"run_id\":\"r\",\"timestamp_ms\":1,\"status\":\"killed\"}")
                        .getBody();

        assertThat(finished.getStatus()).isEqualTo(FinishStatus.killed);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "loss | '\"2.31\"' | 'loss is \"2.31\", but must be a number, \"NaN\", \"Infinity\" or \"-Infinity\"'",
                "loss | true | 'loss is true, but must be a number, \"NaN\", \"Infinity\" or \"-Infinity\"'",
                "loss | [1] | 'loss is an array, but must be a number, \"NaN\", \"Infinity\" or \"-Infinity\"'",
                "metrics | 3 | metrics is 3, but must be an object",
                "metrics | '{\"acc\":\"high\"}' | 'metrics/acc is \"high\", but must be a number, \"NaN\", \"Infinity\" or \"-Infinity\"'",
                "metrics | '{\"a\":1,\"a\":2}' | 'metrics/a is there twice, but must be there once'",
                "samples_seen | 1.5 | samples_seen is 1.5, but must be a whole number of 64 bits",
                "samples_seen | NaN | samples_seen is NaN, but must be a whole number of 64 bits",
                "samples_seen | 9223372036854775808 | samples_seen is 9223372036854775808, but must be a whole number of 64 bits",
                "window_steps | 2147483648 | window_steps is 2147483648, but must be a whole number of 32 bits",
                "is_first_step | 1 | 'is_first_step is 1, but must be true or false'",
                "batch_id | 17 | 'batch_id is 17, but must be text'",
                "attempt | null | 'attempt is null, but must be a whole number of 32 bits'",
                "run_id | '\"again\"' | 'run_id is there twice, but must be there once'",
                "event_type | '\"run_started\"' | 'event_type is there twice, but must be there once'",
            })
    void a_wrong_value_is_an_error_that_names_field_value_and_what_is_allowed(
            String field, String value, String message) {
        assertThatThrownBy(() -> step(field, value))
                .isExactlyInstanceOf(InvalidEventException.class)
                .hasMessage(message);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "{\"event_type\":\"heartbeat\",\"timestamp_ms\":1} | 'run_id is missing, and must be text'",
                "{\"event_type\":\"heartbeat\",\"run_id\":\"r\"} | 'timestamp_ms is missing, and must be a whole number of 64 bits'",
                "{\"event_type\":\"heartbeat\",\"run_id\":\"\",\"timestamp_ms\":1} | 'run_id is \"\" (0 characters), but must have 1 to 256'",
                "{\"event_type\":\"run_finished\",\"run_id\":\"r\",\"timestamp_ms\":1,\"status\":\"done\"} | 'status is \"done\", but must be one of completed, failed, killed, unknown'",
                "{\"event_type\":\"tensor_stats\",\"run_id\":\"r\",\"timestamp_ms\":1,\"tensors\":[{\"name\":\"a\"}]} | 'tensors/0/kind is missing, and must be one of gradient, weight, activation, activation_gradient, update, other'",
                "{\"event_type\":3,\"run_id\":\"r\",\"timestamp_ms\":1} | 'event_type is 3, but must be text'",
                "[1] | 'the line is an array, but must be a JSON object'",
                "'' | 'the line is empty, but must be a JSON object'",
                "'{\"event_type\":\"heartbeat\",\"run_id\":\"r\",\"timestamp_ms\":1} {}' | 'the line goes on behind the event, but must hold one JSON object'",
            })
    void a_line_that_is_no_event_says_what_is_wrong(String line, String message) {
        assertThatThrownBy(() -> json.read(line))
                .isExactlyInstanceOf(InvalidEventException.class)
                .hasMessage(message);
    }

    @Test
    void an_unknown_event_type_is_answered_with_the_known_ones() {
        assertThatThrownBy(() -> json.read("{\"event_type\":\"step\",\"run_id\":\"r\",\"timestamp_ms\":1}"))
                .isExactlyInstanceOf(InvalidEventException.class)
                .hasMessageStartingWith("event_type is \"step\", but must be one of batch_stats, checkpoint_loaded, ")
                .hasMessageEndingWith(", tensor_stats");
        assertThatThrownBy(() -> json.read("{\"run_id\":\"r\",\"timestamp_ms\":1}"))
                .isExactlyInstanceOf(InvalidEventException.class)
                .hasMessageStartingWith("event_type is missing, and must be one of batch_stats, ");
    }

    @ParameterizedTest
    @ValueSource(strings = {"{", "{\"event_type\"", "{\"event_type\":\"heartbeat\",", "nonsense", "{'a':1}", "\u0000"})
    void a_line_that_is_no_json_says_where(String line) {
        assertThatThrownBy(() -> json.read(line))
                .isExactlyInstanceOf(InvalidEventException.class)
                .hasMessageStartingWith("not valid JSON: ")
                .hasMessageMatching(".* \\(column \\d+\\)");
    }

    @Test
    void a_long_value_is_shortened_and_put_on_one_line() {
        String message = catchThrowableOfType(
                        InvalidEventException.class, () -> step("loss", "\"" + "x\\n\\u202e".repeat(5000) + "\""))
                .getMessage();

        assertThat(message)
                .hasSizeLessThan(200)
                .startsWith("loss is \"x\ufffd\ufffdx")
                .doesNotContain("\n", "\u202e");
    }

    @Test
    void a_run_id_of_10_kB_is_refused() {
        String line = STEP.replace("\"r1\"", "\"" + "r".repeat(10_000) + "\"");

        assertThatThrownBy(() -> json.read(line))
                .hasMessage("run_id is \"" + "r".repeat(64) + "...\" (10000 characters), but must have 1 to 256");
    }

    @Test
    void a_text_over_64_KiB_is_refused() {
        assertThatThrownBy(() -> step("batch_id", "\"" + "x".repeat(65_537) + "\""))
                .isExactlyInstanceOf(InvalidEventException.class)
                .hasMessageStartingWith("too large: String value length (65537) exceeds the maximum allowed (65536)");
    }

    @Test
    void a_map_of_100_000_names_is_read_and_one_more_is_refused() throws Exception {
        assertThat(step("metrics", metrics(100_000)).getMetrics()).hasSize(100_000);
        assertThatThrownBy(() -> step("metrics", metrics(100_001)))
                .isExactlyInstanceOf(InvalidEventException.class)
                .hasMessage("metrics has more than 100000 entries, but must have at most 100000");
    }

    @Test
    void nesting_deeper_than_32_is_refused_even_in_unknown_fields() {
        assertThatThrownBy(() -> step("unknown", "[".repeat(40) + "]".repeat(40)))
                .isExactlyInstanceOf(InvalidEventException.class)
                .hasMessageStartingWith("too large: Document nesting depth (33) exceeds the maximum allowed (32)");
    }

    @Test
    void a_line_over_16_MiB_is_refused() {
        assertThatThrownBy(() -> json.read(" ".repeat(EventJson.MAX_LINE_CHARACTERS + 1)))
                .isExactlyInstanceOf(InvalidEventException.class)
                .hasMessage("too large: the line has 16777217 characters, but must have at most 16777216");
    }

    @Test
    void a_line_with_any_character_changed_is_read_or_refused_with_one_line() {
        SplittableRandom random = new SplittableRandom(7);
        int refused = 0;
        for (int i = 0; i < 20_000; i++) {
            StringBuilder line = new StringBuilder(STEP);
            line.setCharAt(random.nextInt(line.length()), (char) random.nextInt(32, 127));
            try {
                json.read(line.toString());
            } catch (InvalidEventException e) {
                refused++;
                assertThat(e.getMessage()).isNotBlank().doesNotContain("\n").hasSizeLessThan(600);
            }
        }
        assertThat(refused).isBetween(5_000, 19_000);
    }

    private static String metrics(int count) {
        return IntStream.range(0, count).mapToObj(i -> "\"m" + i + "\":1").collect(Collectors.joining(",", "{", "}"));
    }

    private StepCompleted step(String field, String value) throws InvalidEventException {
        return (StepCompleted) json.read("{\"event_type\":\"step_completed\",\"run_id\":\"r\",\"timestamp_ms\":1,\""
                        + field + "\":" + value + "}")
                .getBody();
    }
}
