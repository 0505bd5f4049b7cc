package io.trainwatch.attach;

import static org.assertj.core.api.Assertions.assertThat;

import io.trainwatch.attach.LogEntry.Event;
import io.trainwatch.attach.LogEntry.Problem;
import io.trainwatch.codec.EventJson;
import io.trainwatch.event.EvaluationCompleted;
import io.trainwatch.event.StepCompleted;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class HuggingFaceTrainerStateTest {
    private static final String STATE = """
            {
              "best_metric": null,
              "epoch": 2.0,
              "eval_steps": 20,
              "global_step": 20,
              "is_local_process_zero": true,
              "log_history": [
                {
                  "epoch": 1.0,
                  "grad_norm": 1.25,
                  "learning_rate": 4e-05,
                  "loss": 2.5,
                  "step": 10
                },
                {
                  "epoch": 2.0,
                  "grad_norm": NaN,
                  "learning_rate": 2e-05,
                  "loss": 0.0,
                  "step": 20
                },
                {
                  "epoch": 2.0,
                  "eval_accuracy": 0.5,
                  "eval_loss": 2.25,
                  "eval_runtime": 1.5,
                  "eval_samples_per_second": 100.0,
                  "eval_steps_per_second": 12.5,
                  "step": 20
                },
                {
                  "epoch": 2.0,
                  "step": 20,
                  "total_flos": 123456.0,
                  "train_loss": 1.25,
                  "train_runtime": 60.5,
                  "train_samples_per_second": 5.0,
                  "train_steps_per_second": 0.33
                }
              ],
              "logging_steps": 10,
              "max_steps": 20,
              "num_train_epochs": 2,
              "save_steps": 500,
              "stateful_callbacks": {"TrainerControl": {"args": {"should_log": false}}},
              "trial_params": null
            }
            """;

    @TempDir
    private Path folder;

    @Test
    void a_state_becomes_a_run_from_start_to_finish() throws Exception {
        assertThat(read(STATE))
                .extracting(entry -> EventJson.write(((Event) entry).event()))
                .containsExactly("""
                        {"event_type":"run_started","run_id":"stdin","attempt":0,"rank":0,"session":"","seq":1,\
                        "timestamp_ms":946684800000,"max_steps":20,"max_epochs":2.0,"framework":"huggingface",\
                        "logging_steps":10,"eval_steps":20,"save_steps":500}""", """
                        {"event_type":"step_completed","run_id":"stdin","attempt":0,"rank":0,"session":"","seq":2,\
                        "timestamp_ms":946684801000,"step":10,"epoch":1.0,"loss":2.5,"window_steps":10,\
                        "grad_norm":1.25,"learning_rate":4.0E-5}""", """
                        {"event_type":"step_completed","run_id":"stdin","attempt":0,"rank":0,"session":"","seq":3,\
                        "timestamp_ms":946684802000,"step":20,"epoch":2.0,"loss":0.0,"window_steps":10,\
                        "grad_norm":"NaN","learning_rate":2.0E-5}""", """
                        {"event_type":"evaluation_completed","run_id":"stdin","attempt":0,"rank":0,"session":"",\
                        "seq":4,"timestamp_ms":946684803000,"step":20,"epoch":2.0,"split":"val",\
                        "metrics":{"accuracy":0.5,"loss":2.25},"duration_seconds":1.5}""", """
                        {"event_type":"run_finished","run_id":"stdin","attempt":0,"rank":0,"session":"","seq":5,\
                        "timestamp_ms":946684804000,"step":20,"epoch":2.0,"status":"completed",\
                        "metrics":{"train_loss":1.25}}""");
    }

    @Test
    void events_know_the_line_of_their_entry() throws Exception {
        assertThat(read(STATE)).extracting(LogEntry::line).containsExactly(1L, 8L, 15L, 22L, 31L);
        assertThat(read(STATE)).extracting(LogEntry::offset).element(1).isEqualTo((long)
                STATE.indexOf("{\n      \"epoch\": 1.0"));
    }

    @Test
    void a_minified_state_means_the_same() throws Exception {
        assertThat(events(STATE.replaceAll("\\s", ""))).isEqualTo(events(STATE));
    }

    @Test
    void a_file_means_the_same_as_a_stream_but_for_its_run_id() throws Exception {
        Path file = Files.writeString(folder.resolve("stdin.json"), STATE);
        try (LogInput input = LogInput.of(file);
                LogReader reader =
                        LogFormats.detect(input).orElseThrow().format().open(input)) {
            assertThat(Reading.rest(reader)).isEqualTo(read(STATE));
        }
    }

    @ParameterizedTest
    @CsvSource({
        "my-run/checkpoint-500/trainer_state.json, my-run",
        "my-run/trainer_state.json, my-run",
        "logs/my.run.json, my.run",
        "logs/my-run, my-run",
    })
    void the_run_is_called_as_its_folder_or_file(String path, String runId) throws Exception {
        Path file = folder.resolve(path);
        Files.createDirectories(file.getParent());
        Files.writeString(file, STATE);
        try (LogInput input = LogInput.of(file)) {
            assertThat(HuggingFaceTrainerState.runIdOf(input)).isEqualTo(runId);
        }
    }

    @Test
    void a_step_averages_the_steps_since_the_one_before() throws Exception {
        String history = history("{\"step\":1,\"loss\":3},{\"step\":5,\"loss\":2},{\"step\":10,\"loss\":1},"
                + "{\"step\":5,\"loss\":2},{\"step\":10,\"loss\":1}");

        assertThat(steps(history + ",\"logging_steps\":5}"))
                .extracting(StepCompleted::getWindowSteps)
                .containsExactly(1, 4, 5, 5, 5);
        assertThat(steps(history + "}"))
                .extracting(StepCompleted::getWindowSteps)
                .containsExactly(null, 4, 5, null, 5);
    }

    @Test
    void other_numbers_of_a_step_are_metrics_and_what_is_no_number_is_counted() throws Exception {
        try (LogReader reader = LogFormats.named("hf-trainer-state")
                .open(Reading.input(history(
                                "{\"step\":1,\"loss\":3,\"rewards/chosen\":-0.5,\"num_input_tokens_seen\":2048,\"note\":\"x\",\"nothing\":null}")
                        + "}"))) {
            StepCompleted step = (StepCompleted)
                    ((Event) Reading.rest(reader).get(1)).event().getBody();
            assertThat(step.getMetrics()).isEqualTo(Map.of("rewards/chosen", -0.5));
            assertThat(step.getNumInputTokensSeen()).isEqualTo(2048);
            assertThat(reader.ignoredFields()).isEqualTo(1);
        }
    }

    @Test
    void an_evaluation_of_a_named_dataset_says_which() throws Exception {
        EvaluationCompleted evaluation = (EvaluationCompleted)
                events(history("{\"step\":1,\"eval_news_f1\":0.5,\"eval_news_loss\":2.0,\"eval_news_runtime\":3.0}")
                                + "}")
                        .get(1);

        assertThat(evaluation.getDataset()).isEqualTo("news");
        assertThat(evaluation.getMetrics()).isEqualTo(Map.of("f1", 0.5, "loss", 2.0));
        assertThat(evaluation.getDurationSeconds()).isEqualTo(3.0);
    }

    @Test
    void a_run_that_went_on_after_its_summary_has_not_finished() throws Exception {
        assertThat(events(history("{\"step\":10,\"loss\":3},{\"step\":10,\"train_runtime\":9},{\"step\":20,\"loss\":2}")
                        + "}"))
                .hasSize(3)
                .last()
                .isInstanceOf(StepCompleted.class);
    }

    @Test
    void an_evaluation_after_the_summary_comes_before_the_finish() throws Exception {
        assertThat(read(history("{\"step\":10,\"train_runtime\":9},{\"step\":10,\"eval_loss\":2}") + "}"))
                .extracting(entry -> EventJson.eventType(((Event) entry).event()))
                .containsExactly("run_started", "evaluation_completed", "run_finished");
    }

    @Test
    void a_broken_entry_is_a_problem_and_the_rest_goes_on() throws Exception {
        List<LogEntry> entries = read(history(
                        "{\"step\":1,\"loss\":\"high\"},7,{\"loss\":1},{\"step\":-1,\"loss\":1},{\"step\":1.5,\"loss\":1},"
                                + "[{\"step\":1}],{\"step\":2,\"loss\":[1]},{\"step\":3,\"loss\":1}")
                + "}");

        assertThat(entries)
                .filteredOn(Problem.class::isInstance)
                .extracting(entry -> ((Problem) entry).message())
                .containsExactly(
                        "loss is high, but must be a number",
                        "an entry of log_history is no object, but must be one",
                        "step is missing, and must be a whole number",
                        "step is -1.0, but must be a whole number of at least 0",
                        "step is 1.5, but must be a whole number of at least 0",
                        "an entry of log_history is no object, but must be one",
                        "loss is [, but must be a number");
        assertThat(entries).filteredOn(Event.class::isInstance).hasSize(2);
    }

    @Test
    void a_file_that_breaks_off_gives_what_is_whole_and_says_where_it_ends() throws Exception {
        String cut = STATE.substring(0, STATE.indexOf("\"eval_loss\""));

        List<LogEntry> entries = read(cut);

        assertThat(entries).hasSize(4);
        assertThat(entries.subList(0, 3)).allMatch(Event.class::isInstance);
        assertThat(((Problem) entries.get(3)).message())
                .startsWith("not valid JSON from here on: Unexpected end-of-input");
        assertThat(entries.get(3).line()).isEqualTo(25);
    }

    @Test
    void a_file_that_breaks_off_behind_its_history_says_so_too() throws Exception {
        List<LogEntry> entries = read(STATE.substring(0, STATE.indexOf("\"max_steps\"")));

        assertThat(entries).hasSize(6);
        assertThat(entries.get(5)).isInstanceOf(Problem.class);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "[]", "{}", "{\"log_history\":3}", "{\"log_history\":{}}", "nonsense", "{\"a\":"})
    void a_file_without_a_history_is_one_problem(String log) throws Exception {
        assertThat(read(log)).singleElement().isInstanceOf(Problem.class);
    }

    @Test
    void a_byte_order_mark_is_no_problem() throws Exception {
        assertThat(events("\ufeff" + STATE)).isEqualTo(events(STATE));
    }

    @Test
    void settings_that_make_no_sense_are_left_out() throws Exception {
        assertThat(EventJson.write(
                        ((Event) read(history("") + ",\"max_steps\":-1,\"eval_steps\":0.1,\"logging_steps\":NaN}")
                                        .get(0))
                                .event()))
                .endsWith("\"timestamp_ms\":946684800000,\"framework\":\"huggingface\"}");
    }

    private static String history(String entries) {
        return "{\"log_history\":[" + entries + "]";
    }

    private static List<LogEntry> read(String log) throws IOException {
        return Reading.all("hf-trainer-state", log);
    }

    private static List<Object> events(String log) throws IOException {
        return read(log).stream()
                .map(entry -> ((Event) entry).event().getBody())
                .toList();
    }

    private static List<StepCompleted> steps(String log) throws IOException {
        return events(log).stream()
                .filter(StepCompleted.class::isInstance)
                .map(StepCompleted.class::cast)
                .toList();
    }
}
