package io.trainwatch.attach;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class MegatronLogTest {
    @Test
    void a_loss_left_out_is_nan_unless_every_iteration_was_skipped() throws Exception {
        assertThat(Reading.shown("megatron", Samples.MEGATRON))
                .containsExactly(
                        "run_started \"task\":\"language_modeling\",\"loss_function\":\"cross_entropy\",\"learning_rate_peak\":1.5E-4,"
                                + "\"warmup_steps\":200,\"max_grad_norm\":1.0,\"precision\":\"fp16\",\"max_steps\":1000,\"sequence_length\":1024,\"framework\":\"megatron\"",
                        "step_completed \"step\":10,\"window_steps\":10,\"learning_rate\":0.0,\"loss_scale\":8388608.0,\"optimizer_step_skipped\":true,"
                                + "\"samples_seen\":40,\"step_time_seconds\":2.1525,\"metrics\":{\"skipped_iterations\":10.0}",
                        "step_completed \"step\":20,\"loss\":12.03115,\"window_steps\":10,\"grad_norm\":16.999,\"learning_rate\":3.75E-5,\"loss_scale\":32768.0,"
                                + "\"optimizer_step_skipped\":false,\"samples_seen\":80,\"step_time_seconds\":1.3549,\"metrics\":{\"skipped_iterations\":8.0}",
                        "step_completed \"step\":30,\"loss\":\"NaN\",\"window_steps\":10,\"learning_rate\":1.5E-4,\"loss_scale\":16384.0,"
                                + "\"optimizer_step_skipped\":false,\"samples_seen\":120,\"step_time_seconds\":1.3765",
                        "evaluation_completed \"step\":30,\"split\":\"val\",\"metrics\":{\"loss\":8.017406,\"perplexity\":3033.3}");
    }

    @Test
    void nan_iterations_are_counted() throws Exception {
        assertThat(
                        Reading.shown(
                                "megatron",
                                " iteration       10/    1000 | elapsed time per iteration (ms): 1.0 | number of skipped iterations:  10 | number of nan iterations:   3 |\n"))
                .endsWith(
                        "step_completed \"step\":10,\"window_steps\":10,\"nonfinite_count\":3,\"optimizer_step_skipped\":true,"
                                + "\"step_time_seconds\":0.001,\"metrics\":{\"skipped_iterations\":10.0}");
    }

    @Test
    void a_line_that_breaks_off_has_what_its_bars_end() throws Exception {
        assertThat(Reading.shown("megatron", " iteration       10/    1000 | lm loss: 1.5E+00 | grad norm: 1.2"))
                .endsWith(
                        "step_completed \"step\":10,\"loss\":1.5,\"window_steps\":10,\"optimizer_step_skipped\":false");
        assertThat(Reading.shown("megatron", " iteration       10/    1000 | consumed samples: 40 | lm lo"))
                .endsWith(
                        "step_completed \"step\":10,\"window_steps\":10,\"optimizer_step_skipped\":false,\"samples_seen\":40");
    }

    @Test
    void a_field_that_is_no_number_is_a_problem_and_the_others_count() throws Exception {
        assertThat(Reading.shown("megatron", " iteration       10/    1000 | lm loss: 1.5E+00 | grad norm: abc |\n"))
                .containsExactly(
                        "!1 grad norm is \"abc\", but must be a number",
                        "run_started \"task\":\"language_modeling\",\"loss_function\":\"cross_entropy\",\"max_steps\":1000,\"framework\":\"megatron\"",
                        "step_completed \"step\":10,\"loss\":1.5,\"window_steps\":10,\"optimizer_step_skipped\":false");
    }
}
