package io.trainwatch.monitor.evaluate;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.trainwatch.codec.EventJson;
import io.trainwatch.monitor.Judging;
import io.trainwatch.monitor.RunStream.Scenario;
import io.trainwatch.monitor.judge.RunJudge;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Collectors;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class LabelledCorpusTest {
    @TempDir
    Path dir;

    @BeforeEach
    void logs() throws IOException {
        log("healthy.jsonl", run -> run.steps(1000));
        log(
                "nan.jsonl",
                run -> run.gradNorm(step -> 1).steps(299).step(Double.NaN).steps(10));
        log(
                "late-nan.jsonl",
                run -> run.gradNorm(step -> 1).steps(499).step(Double.NaN).steps(10));
    }

    @Test
    void a_corpus_that_is_judged_rightly_has_no_false_alarm_and_a_recall_of_1() throws IOException {
        JsonNode result = json("""
                {"healthy.jsonl": {"must": [], "allow": []},
                 "nan.jsonl": {"must": [{"detectors": ["non_finite_loss"], "from_step": 300, "to_step": 300,
                                         "causes": ["undefined_operation"]}], "allow": []}}
                """);

        assertThat(result.path("logs").asInt()).isEqualTo(2);
        assertThat(result.path("all").path("recall").asDouble()).isEqualTo(1);
        assertThat(result.path("all").path("precision").asDouble()).isEqualTo(1);
        assertThat(result.path("all").path("median_delay_steps").asInt(-1)).isZero();
        assertThat(result.path("all").path("healthy_points").asInt()).isEqualTo(1000);
        assertThat(result.path("all").path("false_alarms_per_100k").asDouble(-1))
                .isZero();
        assertThat(result.path("all").path("false_alarms_per_100k_high").asDouble())
                .as("chi^2(0.975; 2) / 2 = 3.689 in 1,000 points")
                .isCloseTo(368.9, within(0.1));
        assertThat(result.path("all").path("first_cause_right").asInt()).isEqualTo(1);
        assertThat(result.path("wrong")).isEmpty();
    }

    @Test
    void an_alarm_outside_of_the_steps_of_its_label_is_a_miss_and_no_false_alarm() throws IOException {
        JsonNode result = json("""
                {"late-nan.jsonl": {"must": [{"detectors": ["non_finite_loss"], "from_step": 1, "to_step": 400}],
                                    "allow": []}}
                """);

        assertThat(result.path("all").path("recall").asDouble(-1)).isZero();
        assertThat(result.path("all").path("false_alarms").asInt(-1)).isZero();
        assertThat(result.path("wrong").get(0).path("missed").get(0).asText()).isEqualTo("non_finite_loss");
    }

    @Test
    void an_alarm_on_a_log_that_is_labelled_healthy_is_false_and_named() throws IOException {
        String labels = """
                {"healthy.jsonl": {"must": [], "allow": []}, "nan.jsonl": {"must": [], "allow": []}}
                """;

        JsonNode result = json(labels);
        assertThat(result.path("all").path("precision").asDouble(-1)).isZero();
        assertThat(result.path("all").path("healthy_logs_with_false_alarm").asInt())
                .isEqualTo(1);
        assertThat(result.path("all").path("critical_false_alarms").asInt()).isEqualTo(1);
        assertThat(result.path("detectors")
                        .path("non_finite_loss")
                        .path("false_alarms")
                        .asInt())
                .isEqualTo(1);
        assertThat(text(labels)).contains("false alarm: nan.jsonl: non_finite_loss (critical) at step 300");
    }

    @Test
    void what_is_allowed_and_what_is_ignored_counts_for_nothing() throws IOException {
        JsonNode result = json("""
                {"nan.jsonl": {"must": [], "allow": ["non_finite_loss"]}, "late-nan.jsonl": {"ignore": true}}
                """);

        assertThat(result.path("logs").asInt()).isEqualTo(1);
        assertThat(result.path("all").path("false_alarms").asInt(-1)).isZero();
    }

    @Test
    void the_other_rules_judge_the_same_logs() throws IOException {
        JsonNode others = json("""
                {"healthy.jsonl": {"must": [], "allow": []},
                 "nan.jsonl": {"must": [{"detectors": ["non_finite_loss"], "from_step": 300, "to_step": 300}], "allow": []}}
                """).path("other_rules");

        assertThat(others.path("mean + 6 sigma of 128 points, and NaN")
                        .path("recall")
                        .asDouble())
                .isEqualTo(1);
        assertThat(others.path("SageMaker Debugger, default parameters")
                        .path("healthy_logs_with_false_alarm")
                        .asInt())
                .as("a loss with noise that does not fall by 0.1 % within 10 steps")
                .isEqualTo(1);
        assertThat(others.path("ReduceLROnPlateau (patience 10) and EarlyStopping (patience 10)")
                        .path("recall")
                        .asDouble(-1))
                .as("NaN is no plateau")
                .isZero();
    }

    @Test
    void a_log_that_is_missing_or_unknown_is_told_and_the_others_are_judged() throws IOException {
        Files.writeString(dir.resolve("foreign.bin"), "\u0000\u0001");
        Path labels = Files.writeString(dir.resolve("labels.json"), """
                {"gone.jsonl": {"must": []}, "foreign.bin": {"must": []}, "healthy.jsonl": {"must": []}}
                """);
        LabelledCorpus corpus = LabelledCorpus.find(labels, null, List.of(dir));

        corpus.evaluate(new RunJudge(), new PrintWriter(new StringWriter()), new PrintWriter(new StringWriter()), true);

        assertThat(corpus.problems())
                .containsExactly("gone.jsonl: labelled, and not among the logs", "foreign.bin: of no known format");
    }

    @Test
    void a_mistake_in_the_labels_is_told_with_file_and_entry() throws IOException {
        Path labels = Files.writeString(dir.resolve("labels.json"), "{\"a\": {\"must\": [{\"detectors\": []}]}}");
        assertThatThrownBy(() -> LabelledCorpus.find(labels, null, List.of(dir)))
                .hasMessage(labels + ": a: an entry of \"must\" without detectors");

        Files.writeString(labels, "{\"a\": {\"must\": [{\"detectors\": [\"x\"], \"severity\": \"bad\"}]}}");
        assertThatThrownBy(() -> LabelledCorpus.find(labels, null, List.of(dir)))
                .hasMessage(labels + ": a: severity \"bad\": info, warning or critical is expected");
    }

    private void log(String name, Scenario scenario) throws IOException {
        Files.writeString(
                dir.resolve(name),
                Judging.moments(name, scenario).stream()
                        .filter(moment -> moment.event() != null)
                        .map(moment -> EventJson.write(moment.event()))
                        .collect(Collectors.joining("\n", "", "\n")));
    }

    private JsonNode json(String labels) throws IOException {
        return new ObjectMapper().readTree(evaluated(labels, true));
    }

    private String text(String labels) throws IOException {
        return evaluated(labels, false);
    }

    private String evaluated(String labels, boolean asJson) throws IOException {
        Path file = Files.writeString(dir.resolve("labels.json"), labels);
        StringWriter out = new StringWriter();
        LabelledCorpus corpus = LabelledCorpus.find(file, null, List.of(dir));
        corpus.evaluate(new RunJudge(), new PrintWriter(out), new PrintWriter(new StringWriter()), asJson);
        assertThat(corpus.problems()).isEmpty();
        return out.toString();
    }
}
