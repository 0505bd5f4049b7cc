package io.trainwatch.attach;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** One test for each way in which tools print; the lines are as they print them. */
class FreeTextTest {
    @Test
    void prose_and_settings_hold_no_training() throws Exception {
        assertThat(read("""
                In step 3 we saw that a loss of 5 is too much.
                Namespace(batch_size=64, lr=0.1, epochs=20, loss=1)
                python 3.6.1, 2023-04-18 01:46:52,554, 127.0.0.1:8080
                train.py:227: UserWarning: nn.init is deprecated
                """)).noneMatch(line -> line.contains("step_completed") && !line.contains("\"loss\":5.0"));
        assertThat(read("Namespace(step=1, loss=2)\nstep loss accuracy\nloss.py:23: step 4\n"))
                .isEmpty();
    }

    @Test
    void a_table_of_other_things_is_no_log_whatever_its_cells_say() throws Exception {
        String table = """
                file,licence,what it shows
                a.log,MIT,"step 1 | loss 2.5 and step 2 | loss 2.25"
                b.log,MIT,"step 3 | loss 2.5 and step 4 | loss 2.25"
                c.log,MIT,"step 5 | loss 2.5 and step 6 | loss 2.25"
                """;
        assertThat(detected("sources.csv", table)).isEmpty();
        assertThat(detected("sources.log", table)).hasValue("text");
    }

    private static Optional<String> detected(String name, String log) throws IOException {
        return LogFormats.detect(LogInput.of(name, new ByteArrayInputStream(log.getBytes(StandardCharsets.UTF_8))))
                .map(found -> found.format().name());
    }

    @Test
    void nano_gpt() throws Exception {
        assertThat(
                        read(
                                "step 250: train loss 3.1234, val loss 3.2345\niter 251: loss 3.0, time 123.45ms, mfu 12.34%\n"))
                .containsExactly(
                        "step_completed \"step\":250,\"loss\":3.1234",
                        "evaluation_completed \"step\":250,\"split\":\"val\",\"metrics\":{\"loss\":3.2345}",
                        "step_completed \"step\":251,\"loss\":3.0,\"step_time_seconds\":0.12345");
    }

    @Test
    void nanochat() throws Exception {
        assertThat(read("""
                Step 00000 | Validation bpb: 3.3084
                step 00001 (0.00%) | loss: 5.471677 | lrm: 1.00 | dt: 1142.98ms | tok/sec: 1,023,456 | mfu: 0.00 | epoch: 1 | total time: 0.00m
                step 00002 (0.00%) | loss: nan | lrm: 1.00 | dt: 5.71ms | tok/sec: 22,429 | mfu: 0.00 | epoch: 1 | total time: 0.00m
                """))
                .containsExactly(
                        "evaluation_completed \"step\":0,\"split\":\"val\",\"metrics\":{\"bpb\":3.3084}",
                        "step_completed \"step\":1,\"epoch\":1.0,\"loss\":5.471677,\"step_time_seconds\":1.14298,\"tokens_per_second\":1023456.0",
                        "step_completed \"step\":2,\"epoch\":1.0,\"loss\":\"NaN\",\"step_time_seconds\":0.00571,\"tokens_per_second\":22429.0");
    }

    @Test
    void modded_nano_gpt() throws Exception {
        assertThat(read("step:125/3375 val_loss:4.85424 train_time:56.129s step_avg:449.03ms\n"))
                .containsExactly("evaluation_completed \"step\":125,\"split\":\"val\",\"metrics\":{\"loss\":4.85424}");
    }

    @Test
    void torchtune() throws Exception {
        assertThat(read("Step 10 | loss:1.93 lr:2e-05 tokens_per_second_per_gpu:812.4 \n"))
                .containsExactly("step_completed \"step\":10,\"loss\":1.93,\"learning_rate\":2.0E-5");
    }

    @Test
    void the_hugging_face_trainer_in_both_its_forms() throws Exception {
        assertThat(read("""
                {'loss': 2.5, 'grad_norm': 1.25, 'learning_rate': 4.9e-05, 'epoch': 0.01}
                {'loss': '0.0', 'grad_norm': 'nan', 'learning_rate': '4.8e-05', 'epoch': '0.02'}
                {'eval_loss': 2.25, 'eval_runtime': 5.0, 'epoch': 0.02}
                {'train_runtime': 60.0, 'train_loss': 1.25, 'epoch': 1.0}
                """))
                .containsExactly(
                        "step_completed \"step\":1,\"epoch\":0.01,\"loss\":2.5,\"grad_norm\":1.25,\"learning_rate\":4.9E-5",
                        "step_completed \"step\":2,\"epoch\":0.02,\"loss\":0.0,\"grad_norm\":\"NaN\",\"learning_rate\":4.8E-5",
                        "evaluation_completed \"step\":2,\"epoch\":0.02,\"split\":\"val\",\"metrics\":{\"loss\":2.25}",
                        "run_finished \"step\":2,\"status\":\"completed\"");
    }

    @Test
    void its_progress_bar_says_the_step() throws Exception {
        String bars = "  1%|#    | 10/1000 [00:05<08:15,  2.00it/s]\r{'loss': 2.5, 'epoch': 0.01}\n";
        assertThat(read(bars
                        + bars.replace("10/1000", "20/1000")
                                .replace("2.5", "2.25")
                                .replace("0.01", "0.02")))
                .containsExactly(
                        "step_completed \"step\":10,\"epoch\":0.01,\"loss\":2.5",
                        "step_completed \"step\":20,\"epoch\":0.02,\"loss\":2.25");
    }

    @Test
    void keras_and_only_the_last_state_of_its_bars() throws Exception {
        assertThat(read("""
                Epoch 1/2
                 10/100 [==>.....] - ETA: 5s - loss: 9.0 - accuracy: 0.1\r100/100 [=======] - 5s 50ms/step - loss: 1.25 - accuracy: 0.5 - val_loss: 1.5 - val_accuracy: 0.25
                Epoch 2/2
                \u001b[1m100/100\u001b[0m \u001b[32m====\u001b[0m \u001b[1m5s\u001b[0m 40ms/step - accuracy: 0.75 - loss: 1.0
                """))
                .containsExactly(
                        "step_completed \"step\":1,\"epoch\":1.0,\"loss\":1.25,\"step_time_seconds\":0.05,\"metrics\":{\"accuracy\":0.5}",
                        "evaluation_completed \"step\":1,\"epoch\":1.0,\"split\":\"val\",\"metrics\":{\"loss\":1.5,\"accuracy\":0.25}",
                        "step_completed \"step\":2,\"epoch\":2.0,\"loss\":1.0,\"step_time_seconds\":0.04,\"metrics\":{\"accuracy\":0.75}");
    }

    @Test
    void tqdm_with_the_loss_behind_the_bar() throws Exception {
        assertThat(read("Epoch 0:  50%|##   | 5/10 [00:01<00:01,  9.90it/s, loss=2.5, v_num=0]\r"
                        + "Epoch 0: 100%|#####| 10/10 [00:01<00:00,  9.90it/s, loss=2.25, v_num=0]\n"
                        + "Epoch 1:  50%|##   | 5/10 [00:01<00:01,  9.90it/s, loss=2, v_num=0]\n"))
                .containsExactly(
                        "step_completed \"step\":5,\"epoch\":0.0,\"loss\":2.5",
                        "step_completed \"step\":10,\"epoch\":0.0,\"loss\":2.25",
                        "step_completed \"step\":15,\"epoch\":1.0,\"loss\":2.0");
    }

    @Test
    void the_imagenet_example_of_pytorch() throws Exception {
        assertThat(read("""
                Epoch: [0][   1/5005]	Time  0.300 ( 0.500)	Data  0.001 ( 0.002)	Loss 6.9000e+00 (7.0000e+00)	Acc@1   0.10 (  0.20)
                Epoch: [1][   1/5005]	Time  0.300 ( 0.500)	Data  0.001 ( 0.002)	Loss 5.9000e+00 (7.0000e+00)	Acc@1   1.10 (  0.20)
                Test: [  0/391]	Time  0.300 ( 0.500)	Loss 9.0000e+00 (7.0000e+00)	Acc@1   0.10 (  0.20)
                 *   Acc@1 70.100 Acc@5 89.200
                """))
                .containsExactly(
                        "step_completed \"step\":1,\"epoch\":0.0,\"loss\":6.9,\"metrics\":{\"Acc@1\":0.1}",
                        "step_completed \"step\":5006,\"epoch\":1.0,\"loss\":5.9,\"metrics\":{\"Acc@1\":1.1}",
                        "evaluation_completed \"step\":5006,\"epoch\":1.0,\"split\":\"test\",\"metrics\":{\"Acc@1\":70.1,\"Acc@5\":89.2}");
    }

    @Test
    void a_batch_that_begins_anew_is_counted_on_by_the_length_of_its_epoch() throws Exception {
        assertThat(read("""
                Epoch: [0][5000/5005]	Loss 6.5
                Epoch: [1][   0/5005]	Loss 6.25
                """))
                .containsExactly(
                        "step_completed \"step\":5000,\"epoch\":0.0,\"loss\":6.5",
                        "step_completed \"step\":5005,\"epoch\":1.0,\"loss\":6.25");
    }

    @Test
    void the_mnist_example_of_pytorch() throws Exception {
        assertThat(read("""
                Train Epoch: 1 [640/60000 (1%)]	Loss: 2.250000

                Test set: Average loss: 0.0535, Accuracy: 9822/10000 (98%)
                """))
                .containsExactly(
                        "step_completed \"step\":640,\"epoch\":1.0,\"loss\":2.25",
                        "evaluation_completed \"step\":640,\"epoch\":1.0,\"split\":\"test\",\"metrics\":{\"loss\":0.0535,\"Accuracy\":0.9822}");
    }

    @Test
    void fairseq() throws Exception {
        assertThat(read("""
                epoch 001:     10 / 1000 loss=9.125, nll_loss=8.5, ppl=362.04, wps=1000, num_updates=10, lr=1e-07, gnorm=2.5, loss_scale=128
                epoch 001 | valid on 'valid' subset | loss 8.5 | ppl 300 | num_updates 20
                """))
                .containsExactly(
                        "step_completed \"step\":10,\"epoch\":1.0,\"loss\":9.125,\"losses\":{\"nll_loss\":8.5},\"grad_norm\":2.5,\"learning_rate\":1.0E-7,"
                                + "\"loss_scale\":128.0,\"metrics\":{\"ppl\":362.04}",
                        "evaluation_completed \"step\":20,\"epoch\":1.0,\"split\":\"val\",\"metrics\":{\"loss\":8.5,\"ppl\":300.0}");
    }

    @Test
    void detectron_and_mmdetection() throws Exception {
        assertThat(
                        read(
                                "[09/01 10:00:00 d2.utils.events]:  eta: 0:30:00  iter: 19  total_loss: 3.125  loss_cls: 1.5  time: 0.3000  data_time: 0.0500  lr: 0.0001  max_mem: 100M\n"))
                .containsExactly(
                        "step_completed \"step\":19,\"loss\":3.125,\"losses\":{\"loss_cls\":1.5},\"learning_rate\":1.0E-4,\"data_time_seconds\":0.05");
        assertThat(
                        read(
                                "2021-01-01 10:00:00,123 - mmdet - INFO - Epoch [1][50/7330]\tlr: 1.978e-03, eta: 1 day, 4:21:14, time: 0.300, memory: 3000, loss_cls: 0.5, loss: 2.125\n"))
                .containsExactly(
                        "step_completed \"step\":50,\"epoch\":1.0,\"loss\":2.125,\"losses\":{\"loss_cls\":0.5},\"learning_rate\":0.001978");
    }

    @Test
    void mxnet_which_prints_no_loss() throws Exception {
        assertThat(read("""
                INFO:root:Epoch[0] Batch [50]	Speed: 707.55 samples/sec	Train-accuracy=0.198750
                INFO:root:Epoch[0] Time cost=72.598
                INFO:root:Epoch[0] Validation-accuracy=0.502670
                INFO:root:Epoch[1] Batch [25]	Speed: 707.55 samples/sec	Train-accuracy=0.5
                """))
                .containsExactly(
                        "step_completed \"step\":50,\"epoch\":0.0,\"metrics\":{\"accuracy\":0.19875}",
                        "evaluation_completed \"step\":50,\"epoch\":0.0,\"split\":\"val\",\"metrics\":{\"accuracy\":0.50267}",
                        "step_completed \"step\":75,\"epoch\":1.0,\"metrics\":{\"accuracy\":0.5}");
    }

    @Test
    void coqui_whose_numbers_stand_below_their_step() throws Exception {
        assertThat(read("""
                \u001b[4m\u001b[1m > EPOCH: 0/1000\u001b[0m

                \u001b[1m > TRAINING (2026-02-11 01:08:02) \u001b[0m

                \u001b[1m   --> TIME: 2026-02-11 01:08:38 -- STEP: 50/24940 -- GLOBAL_STEP: 50\u001b[0m
                     | > loss_mel_ce: 5.0  (4.75)
                     | > loss: 0.0625  (0.05)
                     | > current_lr: 5e-06\s
                     | > step_time: 0.05  (0.06)

                \u001b[1m > EVALUATION \u001b[0m

                  \u001b[1m--> EVAL PERFORMANCE\u001b[0m
                     | > avg_loss_mel_ce:\u001b[92m 2.75 \u001b[0m(-2.1)
                     | > avg_loss:\u001b[92m 2.5 \u001b[0m(-2.1)

                """))
                .containsExactly(
                        "step_completed \"step\":50,\"epoch\":0.0,\"loss\":0.0625,\"losses\":{\"loss_mel_ce\":5.0},\"learning_rate\":5.0E-6,\"step_time_seconds\":0.05",
                        "evaluation_completed \"step\":50,\"epoch\":0.0,\"split\":\"val\",\"metrics\":{\"avg_loss_mel_ce\":2.75,\"loss\":2.5}");
    }

    @Test
    void ranks_interleaved_of_which_the_lowest_speaks() throws Exception {
        assertThat(read("""
                7: TRAIN [0][10/3416]	Time 0.055 (0.100)	Tok/s 52479 (62101)	Loss/tok 3.75 (6.5)	Learning Rate [0.00125]
                0: TRAIN [0][10/3416]	Time 0.055 (0.100)	Tok/s 52479 (62101)	Loss/tok 3.5 (6.5)	Learning Rate [0.00125]
                0: VALIDATION [0][0/10]	Time 0.039 (0.000)	Loss/tok 9.5 (0.0)	Learning Rate [0.00125]
                0: Summary: Epoch: 0	Training Loss: 4.25	Validation Loss: 3.25	Test BLEU: 18.87
                """))
                .containsExactly(
                        "step_completed \"step\":10,\"epoch\":0.0,\"loss\":3.5,\"learning_rate\":0.00125,\"tokens_per_second\":52479.0",
                        "step_completed \"step\":10,\"epoch\":0.0,\"metrics\":{\"loss_epoch\":4.25}",
                        "evaluation_completed \"step\":10,\"epoch\":0.0,\"split\":\"test\",\"metrics\":{\"BLEU\":18.87}",
                        "evaluation_completed \"step\":10,\"epoch\":0.0,\"split\":\"val\",\"metrics\":{\"loss\":3.25}");
    }

    @Test
    void json_behind_a_word() throws Exception {
        assertThat(
                        read(
                                "==> online epoch # 3 [batchSize = 128]\t\njson_stats: {\"max_epoch\":200,\"epoch\":3,\"epoch_step\":[60,120],\"learningRate\":0.004,\"test_acc\":92.5,\"loss\":0.25}\n"))
                .containsExactly(
                        "step_completed \"step\":3,\"epoch\":3.0,\"loss\":0.25,\"learning_rate\":0.004",
                        "evaluation_completed \"step\":3,\"epoch\":3.0,\"split\":\"test\",\"metrics\":{\"acc\":92.5}");
    }

    @Test
    void xgboost() throws Exception {
        assertThat(read("[0]\ttrain-rmse:0.5\tvalidation-rmse:0.625\n"))
                .containsExactly(
                        "step_completed \"step\":0,\"metrics\":{\"rmse\":0.5}",
                        "evaluation_completed \"step\":0,\"split\":\"val\",\"metrics\":{\"rmse\":0.625}");
    }

    @Test
    void lightgbm() throws Exception {
        assertThat(read("[10]\ttraining's binary_logloss: 0.5\tvalid_1's binary_logloss: 0.625\n"))
                .containsExactly(
                        "step_completed \"step\":10,\"metrics\":{\"binary_logloss\":0.5}",
                        "evaluation_completed \"step\":10,\"split\":\"val\",\"metrics\":{\"binary_logloss\":0.625}");
    }

    @Test
    void timm() throws Exception {
        assertThat(read("""
                Train: 0 [  50/1251 (  4%)]  Loss: 6.95 (6.96)  Time: 0.6s, 1706.1/s  (0.6s, 1700/s)  LR: 1.000e-06  Data: 0.01 (0.05)
                Test: [  48/48]  Time: 0.3 (0.5)  Loss:  9.5 ( 6.9)  Acc@1:  0.2 ( 0.15)
                Train: 1 [   0/1251 (  0%)]  Loss: 6.5 (6.90)  Time: 3.2s,  318.5/s  (3.2s,  318.5/s)  LR: 1.000e-05  Data: 1.7 (1.7)
                """))
                .containsExactly(
                        "step_completed \"step\":50,\"epoch\":0.0,\"loss\":6.95,\"learning_rate\":1.0E-6",
                        "step_completed \"step\":1251,\"epoch\":1.0,\"loss\":6.5,\"learning_rate\":1.0E-5");
    }

    @Test
    void a_bar_that_begins_anew_without_an_epoch_is_the_next_epoch_and_no_other_run() throws Exception {
        String bar = " 50%|##   | 5/10 [00:01<00:01,  9.90it/s, loss=2.5]\n";
        assertThat(read(bar + bar))
                .containsExactly("step_completed \"step\":5,\"loss\":2.5", "step_completed \"step\":15,\"loss\":2.5");
    }

    @Test
    void a_bar_that_goes_on_to_show_an_evaluation_tells_it_once() throws Exception {
        assertThat(read("""
                Epoch 1:  10%|#    | 1/10 [00:01<00:01, 9.9it/s, loss=2.5, val_loss=3]
                Epoch 1:  20%|##   | 2/10 [00:01<00:01, 9.9it/s, loss=2.5, val_loss=3]
                Epoch 1:  30%|###  | 3/10 [00:01<00:01, 9.9it/s, loss=2.5, val_loss=2]
                """))
                .filteredOn(line -> line.startsWith("evaluation"))
                .containsExactly(
                        "evaluation_completed \"step\":1,\"epoch\":1.0,\"split\":\"val\",\"metrics\":{\"loss\":3.0}",
                        "evaluation_completed \"step\":3,\"epoch\":1.0,\"split\":\"val\",\"metrics\":{\"loss\":2.0}");
    }

    @Test
    void what_was_best_is_no_measurement_of_now() throws Exception {
        assertThat(read("step 1 loss 2.5 best val loss: 2.0\nEpoch 1: val_loss improved from inf to 0.35\n"))
                .containsExactly("step_completed \"step\":1,\"loss\":2.5");
    }

    @Test
    void the_gan_example_of_pytorch() throws Exception {
        assertThat(read("""
                [0/25][50/1583]	Loss_D: 1.5	Loss_G: 25.5	D(x): 0.9774	D(G(z)): 0.7441 / 0.0000
                [1/25][0/1583]	Loss_D: 0.5	Loss_G: 5.5	D(x): 0.9774	D(G(z)): 0.7441 / 0.0000
                """))
                .containsExactly(
                        "step_completed \"step\":50,\"epoch\":0.0,\"losses\":{\"Loss_D\":1.5,\"Loss_G\":25.5}",
                        "step_completed \"step\":1583,\"epoch\":1.0,\"losses\":{\"Loss_D\":0.5,\"Loss_G\":5.5}");
    }

    @Test
    void legged_robots_whose_losses_have_names_of_words() throws Exception {
        assertThat(read("""
                                       Learning iteration 10/1500

                               Value function loss: 0.0125
                                    Surrogate loss: -0.0050
                                       Mean reward: 12.50
                """))
                .containsExactly(
                        "step_completed \"step\":10,\"losses\":{\"Value function loss\":0.0125,\"Surrogate loss\":-0.005},"
                                + "\"metrics\":{\"Mean reward\":12.5}");
    }

    @Test
    void estimators_of_tensorflow() throws Exception {
        assertThat(read("""
                INFO:tensorflow:loss = 0.5, step = 100 (9.523 sec)
                INFO:tensorflow:Saving dict for global step 100: accuracy = 0.75, global_step = 100, loss = 0.25
                """))
                .containsExactly(
                        "step_completed \"step\":100,\"loss\":0.5",
                        "evaluation_completed \"step\":100,\"split\":\"val\",\"metrics\":{\"accuracy\":0.75,\"loss\":0.25}");
    }

    @Test
    void a_sentence_before_the_loss_does_not_name_it() throws Exception {
        assertThat(read("Epoch 3 finished with loss: 0.5\nEpoch 4 has a batch loss: 0.25\n"))
                .containsExactly(
                        "step_completed \"step\":3,\"epoch\":3.0,\"loss\":0.5",
                        "step_completed \"step\":4,\"epoch\":4.0,\"loss\":0.25");
    }

    @Test
    void warnings_printed_into_a_line_are_no_numbers() throws Exception {
        assertThat(
                        read(
                                "timer: 0.3520 sec.\niter 10 || Loss: 10.4773 || /home/code/loss.py:238: VisibleDeprecationWarning: Creating\n"))
                .containsExactly("step_completed \"step\":10,\"loss\":10.4773");
    }

    @Test
    void a_number_that_is_not_finished_or_has_text_glued_to_it_is_none() throws Exception {
        assertThat(read("step 1 loss 2.5 lr 0.1slurmstepd\nstep 2 loss nanz lr 0.5\nstep 3 lr 0.1 loss 2"))
                .containsExactly("step_completed \"step\":1,\"loss\":2.5");
    }

    @Test
    void lines_without_any_counter_are_counted_where_the_log_has_none() throws Exception {
        assertThat(read("loss: 2.5\nloss: 2.25\n"))
                .containsExactly("step_completed \"step\":1,\"loss\":2.5", "step_completed \"step\":2,\"loss\":2.25");
    }

    @Test
    void a_step_back_is_a_resume_and_back_to_the_first_another_run() throws Exception {
        assertThat(read("step 1 loss 3\nstep 2 loss 2\nstep 3 loss 1\nstep 2 loss 2\nstep 1 loss 3\n"))
                .endsWith(
                        "step_completed \"step\":2,\"loss\":2.0",
                        "run_started \"run_id\":\"stdin#2\"",
                        "step_completed \"run_id\":\"stdin#2\" \"step\":1,\"loss\":3.0");
    }

    @Test
    void a_line_that_is_no_line_is_passed_over() throws Exception {
        assertThat(read("step 1 loss 2.5\n" + "loss 3 ".repeat(1 << 18) + "\nstep 2 loss 2\n"))
                .containsExactly("step_completed \"step\":1,\"loss\":2.5", "step_completed \"step\":2,\"loss\":2.0");
    }

    @Test
    void two_losses_that_hold_each_other_in_balance_are_a_gan() throws Exception {
        assertThat(Reading.shown("text", "Epoch 1 step 10 g_loss: 0.5 d_loss: 0.25\n")
                        .get(0))
                .isEqualTo("run_started \"metric_profile\":\"gan\"");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "step 1 loss 2.5\n",
                "The loss fell from 5 to 3 in epoch 2.\n",
                "a\nb\nc\n",
                "loss: 1\nloss: 2\nloss: 3\n",
                "step 1 done\nstep 2 done\n"
            })
    void it_does_not_recognise_what_only_might_be_a_training(String log) throws Exception {
        assertThat(LogFormats.named("text").recognise(Reading.input(log))).isEmpty();
    }

    /** Without the run_started of the first run. */
    private static List<String> read(String log) throws Exception {
        List<String> shown = Reading.shown("text", log);
        return shown.isEmpty() ? shown : shown.subList(1, shown.size());
    }
}
