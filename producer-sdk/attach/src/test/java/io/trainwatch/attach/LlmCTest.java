package io.trainwatch.attach;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class LlmCTest {
    private static final String STEP =
            "step    %d/100 | loss 2.500000 (-0.10z)| norm 1.5000 (+0.10z)| lr 1.00e-04 | 500.00 ms | 50.0%% bf16 MFU | 1000 tok/s\n";

    @Test
    void its_output_becomes_a_run_with_its_settings() throws Exception {
        assertThat(Reading.shown("llm.c", Samples.LLMC))
                .containsExactly(
                        "run_started \"task\":\"language_modeling\",\"num_parameters\":124475904,\"vocab_size\":50257,\"loss_function\":\"cross_entropy\","
                                + "\"optimizer\":\"adamw\",\"learning_rate_peak\":6.0E-4,\"lr_schedule\":\"cosine\",\"warmup_steps\":700,\"weight_decay\":0.1,"
                                + "\"precision\":\"bf16\",\"max_steps\":19560,\"global_batch_size\":512,\"sequence_length\":1024,\"framework\":\"llm.c\",\"eval_steps\":250",
                        "evaluation_completed \"step\":0,\"split\":\"val\",\"metrics\":{\"loss\":11.007921}",
                        "step_completed \"step\":1,\"loss\":11.009662,\"grad_norm\":15.0789,\"learning_rate\":8.57E-7,\"step_time_seconds\":4.23095,"
                                + "\"tokens_per_second\":123917.0,\"mfu\":0.319",
                        "step_completed \"step\":2,\"loss\":\"NaN\",\"grad_norm\":\"NaN\",\"learning_rate\":1.71E-6,\"step_time_seconds\":4.0,"
                                + "\"tokens_per_second\":120000.0,\"mfu\":0.3",
                        "evaluation_completed \"step\":2,\"split\":\"val\",\"metrics\":{\"loss\":10.5}",
                        "evaluation_completed \"step\":2,\"dataset\":\"hellaswag\",\"split\":\"val\",\"num_samples\":10042,\"metrics\":{\"accuracy\":0.25005}");
    }

    @Test
    void so_does_its_main_log() throws Exception {
        assertThat(Reading.shown("llm.c", "s:0 tel:11.0095\ns:0 trl:11.0116 lr:0.000001 norm:14.96\ns:250 eval:0.25\n")
                        .subList(1, 4))
                .containsExactly(
                        "evaluation_completed \"step\":0,\"split\":\"val\",\"metrics\":{\"loss\":11.0095}",
                        "step_completed \"step\":0,\"loss\":11.0116,\"grad_norm\":14.96,\"learning_rate\":1.0E-6",
                        "evaluation_completed \"step\":250,\"dataset\":\"hellaswag\",\"split\":\"val\",\"metrics\":{\"accuracy\":0.25}");
    }

    @Test
    void and_the_output_of_the_program_in_plain_c() throws Exception {
        assertThat(Reading.shown("llm.c", "val loss 5.25\nstep 0: train loss 5.5 (took 250.0 ms)\n"))
                .endsWith("step_completed \"step\":0,\"loss\":5.5,\"step_time_seconds\":0.25");
    }

    @Test
    void what_a_scheduler_glued_to_a_half_written_line_is_cut_off() throws Exception {
        String cut = STEP.formatted(1)
                + "step    2/100 | loss     nan (+nanz)| norm 1.5000 (+0.1z)| lr 1.00e-04 | 36.slurmstepd: error: *** JOB 1 ON g2 CANCELLED AT 2024-10-10T18:59:58 DUE TO TIME LIMIT ***\n";

        assertThat(Reading.shown("llm.c", cut))
                .endsWith(
                        "step_completed \"step\":2,\"loss\":\"NaN\",\"grad_norm\":1.5,\"learning_rate\":1.0E-4",
                        "run_finished \"step\":2,\"status\":\"killed\",\"error_message\":\"cancelled by Slurm DUE TO TIME LIMIT\"");
    }

    @Test
    void a_step_cut_before_its_loss_is_a_problem() throws Exception {
        assertThat(Reading.shown("llm.c", STEP.formatted(1) + "step    2/100 | lo"))
                .endsWith("!2 a step without a loss: \"step    2/100 | lo\"");
    }

    @Test
    void a_second_training_in_the_same_file_is_a_run_of_its_own_and_a_resume_is_not() throws Exception {
        String log = Samples.LLMC + STEP.formatted(3) + STEP.formatted(2) + Samples.LLMC;

        assertThat(Reading.shown("llm.c", log))
                .filteredOn(line -> line.startsWith("run_started"))
                .hasSize(2)
                .last()
                .asString()
                .startsWith("run_started \"run_id\":\"stdin#2\" \"task\"");
        assertThat(Reading.shown("llm.c", log))
                .filteredOn(line -> line.contains("#2") && line.startsWith("evaluation"))
                .first()
                .asString()
                .contains("\"step\":0");
    }
}
