package io.trainwatch.attach;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class OlmoLogTest {
    @Test
    void a_block_below_its_step_is_one_event() throws Exception {
        assertThat(Reading.shown("olmo", Samples.OLMO))
                .containsExactly(
                        "run_started \"run_name\":\"tiny\",\"task\":\"language_modeling\",\"num_parameters\":1176764416,\"vocab_size\":50280,"
                                + "\"loss_function\":\"cross_entropy\",\"optimizer\":\"adamw\",\"learning_rate_peak\":4.0E-4,\"warmup_steps\":500,"
                                + "\"max_grad_norm\":1.0,\"precision\":\"bf16\",\"max_steps\":7630,\"framework\":\"olmo\"",
                        "step_completed \"step\":1,\"epoch\":0.0,\"loss\":11.28,\"grad_norm\":16.25,\"num_input_tokens_seen\":131072,"
                                + "\"metrics\":{\"Perplexity\":79551.0}",
                        "step_completed \"step\":2,\"epoch\":0.0,\"loss\":11.0,\"grad_norm\":\"NaN\",\"metrics\":{\"System/Peak GPU Memory (MB)\":64486.0}",
                        "evaluation_completed \"step\":2,\"dataset\":\"piqa\",\"split\":\"val\",\"metrics\":{\"piqa_len_norm\":0.6}",
                        "run_finished \"step\":2,\"status\":\"completed\"");
    }

    @Test
    void olmo_core_says_it_with_an_eta_and_its_own_names() throws Exception {
        assertThat(Reading.shown("olmo", """
                2025-12-07 host INFO [step=10/1000,epoch=1,eta=0:10:00]
                    train/CE loss=2.345
                    optim/LR (group 0)=0.0004
                    optim/total grad norm=1.5
                    eval/lm/c4-validation/CE loss=2.5
                """))
                .endsWith(
                        "step_completed \"step\":10,\"epoch\":1.0,\"loss\":2.345,\"grad_norm\":1.5,\"learning_rate\":4.0E-4",
                        "evaluation_completed \"step\":10,\"dataset\":\"lm/c4-validation\",\"split\":\"val\",\"metrics\":{\"loss\":2.5}");
    }

    @Test
    void a_block_that_breaks_off_is_taken_as_far_as_it_is_whole() throws Exception {
        assertThat(Reading.shown(
                        "olmo", "[step=10/1000,epoch=1]\n    train/CrossEntropyLoss=2.345\n    train/Perplexity=12"))
                .endsWith(
                        "!3 train/Perplexity is 12, and not finished",
                        "run_started \"task\":\"language_modeling\",\"loss_function\":\"cross_entropy\",\"max_steps\":1000,\"framework\":\"olmo\"",
                        "step_completed \"step\":10,\"epoch\":1.0,\"loss\":2.345");
    }

    @Test
    void the_traceback_of_a_killed_job_ends_the_run_and_holds_no_numbers() throws Exception {
        assertThat(Reading.shown("olmo", """
                [step=10/1000,epoch=1]
                    train/CrossEntropyLoss=2.345
                Traceback (most recent call last):
                    raise SignalException(f"Process {os.getpid()} got signal: {sigval}", sigval=sigval)
                torch.distributed.elastic.multiprocessing.api.SignalException: Process 54958 got signal: 15
                """))
                .endsWith(
                        "run_finished \"step\":10,\"status\":\"killed\",\"error_type\":\"SignalException\",\"error_message\":\"signal 15\"");
    }
}
