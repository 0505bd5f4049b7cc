package io.trainwatch.attach;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class MetricLinesTest {
    @Test
    void a_trainer_log_becomes_steps_and_evaluations() throws Exception {
        assertThat(Reading.shown("jsonl", Samples.JSONL))
                .containsExactly(
                        "run_started \"max_steps\":20",
                        "step_completed \"step\":5,\"epoch\":0.25,\"loss\":2.5,\"learning_rate\":1.0E-5",
                        "evaluation_completed \"step\":10,\"epoch\":0.5,\"split\":\"val\",\"metrics\":{\"loss\":2.25}");
    }

    @Test
    void objects_are_paths_and_settings_are_passed_over() throws Exception {
        assertThat(
                        Reading.shown(
                                "jsonl",
                                "{\"_step\":1,\"train\":{\"loss\":2,\"global_step\":10},\"config\":{\"loss\":9},\"tags\":[1],\"note\":\"x\",\"none\":null}\n"))
                .containsExactly("run_started", "step_completed \"step\":10,\"loss\":2.0");
    }

    @Test
    void non_finite_numbers_may_be_words_or_texts() throws Exception {
        assertThat(Reading.shown(
                        "jsonl",
                        "{\"step\":1,\"loss\":NaN}\n{\"step\":2,\"loss\":\"inf\"}\n{\"step\":3,\"loss\":\"2.5\"}"))
                .containsExactly(
                        "run_started",
                        "step_completed \"step\":1,\"loss\":\"NaN\"",
                        "step_completed \"step\":2,\"loss\":\"Infinity\"",
                        "step_completed \"step\":3,\"loss\":2.5");
    }

    @Test
    void a_step_that_begins_anew_in_each_epoch_is_counted_on() throws Exception {
        assertThat(Reading.shown("jsonl", """
                {"epoch":0,"step":1,"loss":3}
                {"epoch":0,"step":2,"loss":2}
                {"epoch":1,"step":1,"loss":1}
                """))
                .endsWith(
                        "step_completed \"step\":2,\"epoch\":0.0,\"loss\":2.0",
                        "step_completed \"step\":3,\"epoch\":1.0,\"loss\":1.0");
    }

    @Test
    void what_is_logged_late_does_not_make_the_run_go_back() throws Exception {
        assertThat(Reading.shown(
                        "jsonl", "{\"step\":9,\"loss\":3}\n{\"step\":10,\"loss\":2}\n{\"step\":1,\"accuracy\":0.5}\n"))
                .endsWith("step_completed \"step\":10,\"metrics\":{\"accuracy\":0.5}");
    }

    @Test
    void a_broken_line_is_a_problem_and_the_rest_goes_on() throws Exception {
        assertThat(Reading.shown(
                        "jsonl",
                        "[1]\n{\"step\":1,\"loss\":2}{}\n{\"loss\":\n{\"step\":2,\"loss\":1}\n{\"step\":3,\"lo"))
                .satisfies(shown -> {
                    assertThat(shown).hasSize(6);
                    assertThat(shown.get(0)).isEqualTo("!1 the line is no single JSON object, but must be one");
                    assertThat(shown.get(1)).isEqualTo("!2 the line is no single JSON object, but must be one");
                    assertThat(shown.get(2)).startsWith("!3 not valid JSON: ");
                    assertThat(shown.get(4)).isEqualTo("step_completed \"step\":2,\"loss\":1.0");
                    assertThat(shown.get(5)).startsWith("!5 not valid JSON: ").endsWith("; the line is not finished");
                });
    }

    @Test
    void a_line_that_says_nothing_of_training_is_passed_over() throws Exception {
        assertThat(Reading.shown("jsonl", "{\"gpu\":1}\n{\"message\":\"hello\"}\n{}\n"))
                .isEmpty();
    }
}
