package io.trainwatch.attach;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class DeepSpeedLogTest {
    @Test
    void an_engine_gives_learning_rate_loss_scale_and_skipped_steps() throws Exception {
        assertThat(Reading.shown("deepspeed", Samples.DEEPSPEED))
                .containsExactly(
                        "run_started \"precision\":\"fp16\",\"max_epochs\":16.0,\"framework\":\"deepspeed\"",
                        "step_completed \"step\":10,\"epoch\":0.0,\"window_steps\":10,\"learning_rate\":9.5E-6,\"loss_scale\":32768.0,"
                                + "\"optimizer_step_skipped\":false,\"metrics\":{\"skipped_steps\":6.0}",
                        "evaluation_completed \"step\":10,\"epoch\":0.0,\"split\":\"val\",\"metrics\":{\"perplexity\":1.75}");
    }

    @Test
    void the_line_of_the_loss_scaler_in_its_source_is_no_loss() throws Exception {
        assertThat(Reading.shown("deepspeed", Samples.DEEPSPEED)).noneMatch(line -> line.contains("181"));
    }

    @Test
    void reinforcement_takes_the_steps_of_its_script_and_waits_for_the_reward() throws Exception {
        assertThat(Reading.shown("deepspeed", Samples.PPO))
                .containsExactly(
                        "run_started \"task\":\"rl\",\"metric_profile\":\"rl\",\"precision\":\"fp16\",\"framework\":\"deepspeed\"",
                        "step_completed \"step\":8,\"epoch\":0.0,\"losses\":{\"act_loss\":0.125,\"cri_loss\":-0.0625,\"unsuper_loss\":0.0},"
                                + "\"loss_scale\":65536.0,\"metrics\":{\"reward\":0.5}",
                        "step_completed \"step\":9,\"epoch\":0.0,\"losses\":{\"act_loss\":0.25,\"cri_loss\":0.125,\"unsuper_loss\":0.0},"
                                + "\"learning_rate\":4.5E-6,\"loss_scale\":65536.0,\"metrics\":{\"reward\":-0.25}");
    }

    @Test
    void a_script_or_the_pipeline_may_say_the_loss() throws Exception {
        assertThat(Reading.shown("deepspeed", "steps: 10 loss: 2.3456 iter time (s): 0.512 samples/sec: 500.000\n"))
                .endsWith(
                        "step_completed \"step\":10,\"loss\":2.3456,\"step_time_seconds\":0.512,\"samples_per_second\":500.0");
        assertThat(Reading.shown(
                        "deepspeed",
                        "Epoch: 0, Step: 10, Rank: 0, loss = nan\nEpoch: 0, Step: 10, Rank: 1, loss = 2\n"))
                .endsWith("step_completed \"step\":10,\"epoch\":0.0,\"loss\":\"NaN\"");
    }
}
