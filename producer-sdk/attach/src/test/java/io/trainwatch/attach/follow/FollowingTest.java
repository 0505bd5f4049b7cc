package io.trainwatch.attach.follow;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.trainwatch.attach.LogFormat;
import io.trainwatch.event.EvaluationCompleted;
import io.trainwatch.event.Heartbeat;
import io.trainwatch.event.RunFinished;
import io.trainwatch.event.StepCompleted;
import io.trainwatch.event.TrainingEvent;
import io.trainwatch.sdk.Trainwatch;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Logs that grow, rotate, are cut and written anew, and what arrives of them. */
class FollowingTest {
    private static final Duration SOON = Duration.ofSeconds(20);

    @TempDir
    Path dir;

    private final ConcurrentLinkedQueue<String> said = new ConcurrentLinkedQueue<>();
    private final List<Following> followings = new ArrayList<>();
    private String sink = "";
    private Path log;

    @BeforeEach
    void names() {
        sink = "following-" + System.nanoTime();
        log = dir.resolve("gpt.log");
    }

    @AfterEach
    void stopAll() throws Exception {
        for (Following following : followings) {
            following.stop();
        }
        Trainwatch.forgetMemory(sink);
    }

    @Test
    void what_was_there_is_past_and_what_comes_is_not() throws Exception {
        write("step 1 loss 5.5\nstep 2 loss 5.25\n");
        follow();
        awaitShown("1 5.5 past", "2 5.25 past");
        append("step 3 loss 5.0\n");
        awaitShown("1 5.5 past", "2 5.25 past", "3 5.0");
        assertThat(said.peek())
                .isEqualTo(log
                        + ": read as text, by lines with a counter and a loss or metric, such as \"step 1 loss 5.5\";"
                        + " run gpt");
    }

    @Test
    void a_log_that_is_not_there_yet_is_waited_for_and_nothing_in_it_is_past() throws Exception {
        follow();
        await().atMost(SOON).until(() -> said.contains(log + ": there is no such file yet; waiting"));
        write("step 1 loss 5.5\n");
        append("step 2 loss 5.25\n");
        awaitShown("1 5.5", "2 5.25");
    }

    @Test
    void a_line_counts_when_it_is_finished() throws Exception {
        write("step 1 loss 5.5\nstep 2 loss 5.25\nstep 3 loss 0.1");
        follow();
        awaitShown("1 5.5 past", "2 5.25 past");
        append("25\nstep 4 lo");
        awaitShown("1 5.5 past", "2 5.25 past", "3 0.125 past");
        append("ss 2.5\n");
        awaitShown("1 5.5 past", "2 5.25 past", "3 0.125 past", "4 2.5");
    }

    @Test
    void each_state_of_a_progress_bar_counts_when_the_next_one_begins() throws Exception {
        write("  1%|  | 1/100 [00:01<00:09, 9.9it/s, loss=2.5]\r  2%|  | 2/100 [00:01<00:09, 9.9it/s, loss=2.25]\r");
        follow();
        awaitShown("1 2.5 past", "2 2.25 past");
        append("  3%|  | 3/100 [00:01<00:09, 9.9it/s, loss=2.0]\r");
        awaitShown("1 2.5 past", "2 2.25 past", "3 2.0");
    }

    @Test
    void a_row_of_several_lines_is_taken_as_it_is_when_nothing_follows_for_a_while() throws Exception {
        write(
                "--> GLOBAL_STEP: 50\n   | > loss: 0.5\n   | > grad_norm: 1.5\n\n--> GLOBAL_STEP: 75\n   | > loss: 0.25\n");
        Following first = follow();
        awaitShown("50 0.5 past", "75 0.25 past");
        append("   | > grad_norm: 1.25\n\n--> GLOBAL_STEP: 100\n   | > loss: 0.125\n\n");
        awaitShown("50 0.5 past", "75 0.25 past", "100 0.125");
        first.stop();
        // In another life the row is cut at the same place, though the whole of it is there.
        append("--> GLOBAL_STEP: 125\n   | > loss: 0.1\n\n");
        follow();
        awaitShown("50 0.5 past", "75 0.25 past", "100 0.125", "125 0.1");
        assertThat(seqs()).isEqualTo(List.of(1L, 2L, 3L, 4L, 5L));
    }

    @Test
    void a_second_life_goes_on_where_the_first_one_was() throws Exception {
        write("step 1 loss 5.5\nstep 2 loss 5.25\n");
        Following first = follow();
        awaitShown("1 5.5 past", "2 5.25 past");
        first.stop();
        append("step 3 loss 5.0\n");
        follow();
        awaitShown("1 5.5 past", "2 5.25 past", "3 5.0");
        append("step 4 loss 4.5\n");
        awaitShown("1 5.5 past", "2 5.25 past", "3 5.0", "4 4.5");
        assertThat(sessions()).hasSize(1);
        assertThat(seqs()).isEqualTo(List.of(1L, 2L, 3L, 4L, 5L));
    }

    @Test
    void a_log_that_is_rotated_goes_on_with_its_run() throws Exception {
        write("step 1 loss 5.5\nstep 2 loss 5.25\n");
        follow();
        awaitShown("1 5.5 past", "2 5.25 past");
        Files.move(log, dir.resolve("gpt.log.1"));
        Files.writeString(dir.resolve("gpt.log.1"), "step 3 loss 5.0\n", StandardOpenOption.APPEND);
        write("step 4 loss 4.5\nstep 5 loss 4.25\n");
        awaitShown("1 5.5 past", "2 5.25 past", "3 5.0", "4 4.5", "5 4.25");
        assertThat(runs()).containsExactly("gpt");
        assertThat(sessions()).hasSize(2);
    }

    @Test
    void a_log_that_is_cut_goes_on_with_its_run() throws Exception {
        write("step 1 loss 5.5\nstep 2 loss 5.25\nstep 3 loss 5.125\nstep 4 loss 5.0\n");
        follow();
        awaitShown("1 5.5 past", "2 5.25 past", "3 5.125 past", "4 5.0 past");
        write("step 5 loss 4.5\n");
        awaitShown("1 5.5 past", "2 5.25 past", "3 5.125 past", "4 5.0 past", "5 4.5");
        assertThat(runs()).containsExactly("gpt");
    }

    @Test
    void a_log_that_is_cut_while_its_writer_keeps_its_place_begins_with_zeros() throws Exception {
        write("step 1 loss 5.5\nstep 2 loss 5.25\nstep 3 loss 5.125\nstep 4 loss 5.0\n");
        follow();
        awaitShown("1 5.5 past", "2 5.25 past", "3 5.125 past", "4 5.0 past");
        write("\0".repeat(80) + "step 5 loss 4.5\n");
        awaitShown("1 5.5 past", "2 5.25 past", "3 5.125 past", "4 5.0 past", "5 4.5");
    }

    @Test
    void a_training_from_the_beginning_under_the_same_name_is_a_run_of_its_own() throws Exception {
        write("step 1 loss 5.5\nstep 2 loss 5.25\nstep 3 loss 5.125\n");
        Following first = follow();
        awaitShown("1 5.5 past", "2 5.25 past", "3 5.125 past");
        first.stop();
        Files.delete(log);
        write("step 1 loss 6.5\nstep 2 loss 6.25\n");
        follow();
        awaitShown("1 5.5 past", "2 5.25 past", "3 5.125 past", "1 6.5", "2 6.25");
        assertThat(runs()).containsExactly("gpt", "gpt#2");
    }

    @Test
    void zeros_at_the_end_are_what_a_network_file_system_has_not_brought_yet() throws Exception {
        write("step 1 loss 5.5\nstep 2 loss 5.25\nstep 3 lo\0\0\0\0\0\0\0");
        follow();
        awaitShown("1 5.5 past", "2 5.25 past");
        write("step 1 loss 5.5\nstep 2 loss 5.25\nstep 3 loss 5.0\nstep 4 loss 4.5\n");
        awaitShown("1 5.5 past", "2 5.25 past", "3 5.0 past", "4 4.5");
    }

    @Test
    void a_table_that_is_written_anew_with_another_column_says_only_what_is_new() throws Exception {
        log = dir.resolve("metrics.csv");
        write("epoch,step,train_loss\n0,49,0.75\n0,99,0.5\n");
        follow();
        awaitShown("49 0.75 past", "99 0.5 past");
        write("epoch,step,train_loss,val_loss\n0,49,0.75,\n0,99,0.5,\n0,99,,0.625\n1,149,0.25,\n");
        awaitShown("49 0.75 past", "99 0.5 past", "99 {loss=0.625}", "149 0.25");
        append("1,199,0.125,\n");
        awaitShown("49 0.75 past", "99 0.5 past", "99 {loss=0.625}", "149 0.25", "199 0.125");
        assertThat(sessions()).hasSize(1);
    }

    @Test
    void the_state_in_the_latest_checkpoint_is_the_log() throws Exception {
        log = dir.resolve("bert/checkpoint-20/trainer_state.json");
        state(20, "{\"loss\": 2.5, \"step\": 10}, {\"loss\": 2.25, \"step\": 20}");
        follow();
        awaitShown("10 2.5 past", "20 2.25 past");
        state(
                40,
                "{\"loss\": 2.5, \"step\": 10}, {\"loss\": 2.25, \"step\": 20}, {\"loss\": 2.0, \"step\": 30},"
                        + " {\"loss\": NaN, \"step\": 40}");
        Files.delete(log);
        awaitShown("10 2.5 past", "20 2.25 past", "30 2.0", "40 NaN");
        assertThat(runs()).containsExactly("bert");
    }

    @Test
    void a_state_that_is_half_written_is_read_when_it_is_whole() throws Exception {
        log = dir.resolve("bert/checkpoint-20/trainer_state.json");
        Files.createDirectories(log.getParent());
        write("{\"log_history\": [{\"loss\": 2.5, \"step\": 10}, {\"lo");
        follow();
        state(20, "{\"loss\": 2.5, \"step\": 10}, {\"loss\": 2.25, \"step\": 20}");
        await().atMost(SOON).until(() -> shown().size() == 2);
        assertThat(said).noneMatch(line -> line.contains("not valid JSON"));
    }

    @Test
    void the_death_of_the_process_is_told_with_the_error_that_the_log_ends_with() throws Exception {
        write("step 1 loss 5.5\nstep 2 loss 5.25\n");
        Process job = new ProcessBuilder("sleep", "60").start();
        follow(Job.process(job.toHandle()));
        await().atMost(SOON).until(() -> bodies().stream().anyMatch(Heartbeat.class::isInstance));
        append(
                "Traceback (most recent call last):\n  File \"train.py\", line 1, in <module>\nfoo.BarError: no more bars\n");
        job.destroyForcibly().waitFor();
        await().atMost(SOON)
                .untilAsserted(() -> assertThat(bodies().get(bodies().size() - 1))
                        .isInstanceOfSatisfying(RunFinished.class, finished -> {
                            assertThat(finished.getStatus()).hasToString("failed");
                            assertThat(finished.getErrorType()).isEqualTo("BarError");
                            assertThat(finished.getErrorMessage()).isEqualTo("no more bars");
                        }));
    }

    @Test
    void who_has_the_log_open_is_the_job() throws Exception {
        Process job = new ProcessBuilder("sh", "-c", "echo step 1 loss 5.5; echo step 2 loss 5.25; exec sleep 60")
                .redirectOutput(log.toFile())
                .start();
        follow(Job.writerOf(log));
        await().atMost(SOON).until(() -> bodies().stream().anyMatch(Heartbeat.class::isInstance));
        job.destroyForcibly().waitFor();
        await().atMost(SOON).until(() -> bodies().stream().anyMatch(RunFinished.class::isInstance));
    }

    @Test
    void two_agents_do_not_follow_one_log_with_one_memory() throws Exception {
        write("step 1 loss 5.5\nstep 2 loss 5.25\n");
        follow();
        awaitShown("1 5.5 past", "2 5.25 past");
        Following second = follow();
        second.thread.join();
        assertThat(second.attachment.failure())
                .isEqualTo("another agent follows it, with its position in " + dir.resolve("state")
                        + "; end that one, or give this one another --state");
    }

    // --- the stage

    private final class Following implements Attachment.Listener {
        final Attachment attachment;
        final Thread thread;

        Following(Job job) {
            Settings settings = Settings.to(() -> Trainwatch.forward("memory:" + sink))
                    .withState(dir.resolve("state"))
                    .withTimes(Duration.ofMillis(20), Duration.ofMillis(300));
            attachment = new Attachment(log, settings, job, false, this);
            thread = new Thread(attachment);
            thread.start();
        }

        void stop() throws InterruptedException {
            attachment.stop();
            thread.join();
        }

        @Override
        public void say(String message) {
            said.add(message);
        }

        @Override
        public @Nullable String claim(String wanted, Path path, LogFormat format) {
            return wanted;
        }
    }

    private Following follow() {
        return follow(Job.UNSEEN);
    }

    private Following follow(Job job) {
        Following following = new Following(job);
        followings.add(following);
        return following;
    }

    private void write(String text) throws IOException {
        Files.writeString(log, text);
    }

    private void append(String text) throws IOException {
        Files.writeString(log, text, StandardOpenOption.APPEND);
    }

    private void state(int step, String history) throws IOException {
        Path file = dir.resolve("bert/checkpoint-" + step + "/trainer_state.json");
        Files.createDirectories(file.getParent());
        Path next = file.resolveSibling("next");
        Files.write(
                next, ("{\"log_history\": [" + history + "], \"max_steps\": 100}").getBytes(StandardCharsets.UTF_8));
        Files.move(next, file, StandardCopyOption.REPLACE_EXISTING);
    }

    private void awaitShown(String... lines) {
        await().atMost(SOON).untilAsserted(() -> assertThat(shown()).containsExactly(lines));
    }

    /** The points that arrived, each as step and loss, or step and metrics. */
    private List<String> shown() {
        List<String> lines = new ArrayList<>();
        for (TrainingEvent event : Trainwatch.memory(sink)) {
            String past = Boolean.TRUE.equals(event.getHistorical()) ? " past" : "";
            if (event.getBody() instanceof StepCompleted step && step.getLoss() != null) {
                lines.add(event.getStep() + " " + step.getLoss() + past);
            } else if (event.getBody() instanceof EvaluationCompleted evaluation) {
                lines.add(event.getStep() + " " + evaluation.getMetrics() + past);
            }
        }
        return lines;
    }

    private List<Object> bodies() {
        return Trainwatch.memory(sink).stream().map(TrainingEvent::getBody).toList();
    }

    private List<String> runs() {
        return Trainwatch.memory(sink).stream()
                .map(TrainingEvent::getRunId)
                .distinct()
                .toList();
    }

    private List<String> sessions() {
        return Trainwatch.memory(sink).stream()
                .map(TrainingEvent::getSession)
                .distinct()
                .toList();
    }

    private List<Long> seqs() {
        return Trainwatch.memory(sink).stream().map(TrainingEvent::getSeq).toList();
    }
}
