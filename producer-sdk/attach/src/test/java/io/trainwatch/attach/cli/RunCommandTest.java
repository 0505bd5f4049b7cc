package io.trainwatch.attach.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.trainwatch.codec.EventJson;
import io.trainwatch.event.RunFinished;
import io.trainwatch.event.StepCompleted;
import io.trainwatch.event.TrainingEvent;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A job that is wrapped behaves as without, in a process of its own as users start it. */
class RunCommandTest {
    private static final String JOB =
            "i=1; while [ $i -le 3 ]; do echo \"step $i loss $i.5\"; echo \"note $i\" >&2; i=$((i+1)); done; ";

    @TempDir
    Path dir;

    @Test
    void output_and_exit_code_pass_through_and_the_steps_arrive() throws Exception {
        Process run = run("sh", "-c", JOB + "exit 0");
        assertThat(run.waitFor()).isZero();
        assertThat(Files.readString(dir.resolve("out")))
                .isEqualTo("step 1 loss 1.5\nstep 2 loss 2.5\nstep 3 loss 3.5\n");
        assertThat(Files.readString(dir.resolve("err"))).contains("note 1\n", "note 2\n", "note 3\n");
        assertThat(losses()).containsExactly(1.5, 2.5, 3.5);
        assertThat(last()).isInstanceOfSatisfying(RunFinished.class, end -> {
            assertThat(end.getStatus()).hasToString("completed");
            assertThat(end.getExitCode()).isZero();
        });
    }

    @Test
    void a_failure_is_told_with_its_code_and_its_error() throws Exception {
        Process run = run(
                "sh",
                "-c",
                JOB + "echo 'Traceback (most recent call last):' >&2; echo 'ValueError: bad batch' >&2; exit 3");
        assertThat(run.waitFor()).isEqualTo(3);
        assertThat(last()).isInstanceOfSatisfying(RunFinished.class, end -> {
            assertThat(end.getStatus()).hasToString("failed");
            assertThat(end.getExitCode()).isEqualTo(3);
            assertThat(end.getErrorType()).isEqualTo("ValueError");
            assertThat(end.getErrorMessage()).isEqualTo("bad batch");
        });
    }

    @Test
    void a_signal_goes_to_the_job_which_ends_in_its_own_way() throws Exception {
        Process run = run("sh", "-c", "trap 'echo saved; exit 42' TERM; " + JOB + "while :; do sleep 0.1; done");
        awaitPrinted("step 3");
        run.destroy();
        assertThat(run.waitFor()).isEqualTo(42);
        assertThat(Files.readString(dir.resolve("out"))).endsWith("saved\n");
        assertThat(last())
                .isInstanceOfSatisfying(
                        RunFinished.class, end -> assertThat(end.getStatus()).hasToString("killed"));
    }

    /** Slurm's {@code --signal=USR1@60}: the trainer saves and goes on, or ends by itself. */
    @Test
    void a_warning_of_the_scheduler_goes_to_the_job_and_is_not_its_end() throws Exception {
        Process run =
                run("sh", "-c", "trap 'echo saved' USR1; trap 'exit 0' USR2; " + JOB + "while :; do sleep 0.1; done");
        awaitPrinted("step 3");
        signal(run, "USR1");
        awaitPrinted("saved");
        assertThat(run.isAlive()).isTrue();
        signal(run, "USR2");
        assertThat(run.waitFor()).isZero();
        assertThat(last())
                .isInstanceOfSatisfying(
                        RunFinished.class, end -> assertThat(end.getStatus()).hasToString("completed"));
    }

    @Test
    void a_command_that_cannot_be_started_is_127() throws Exception {
        Process run = run("no-such-trainer");
        assertThat(run.waitFor()).isEqualTo(127);
        assertThat(Files.readString(dir.resolve("err"))).startsWith("trainwatch: cannot start no-such-trainer: ");
    }

    private void awaitPrinted(String text) {
        await().atMost(Duration.ofSeconds(30))
                .until(() -> Files.readString(dir.resolve("out")).contains(text));
    }

    private static void signal(Process process, String name) throws Exception {
        Process kill = new ProcessBuilder("sh", "-c", "kill -" + name + " " + process.pid()).start();
        assertThat(kill.waitFor()).isZero();
    }

    private Process run(String... job) throws IOException {
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:TieredStopAtLevel=1",
                "-cp",
                System.getProperty("java.class.path"),
                AgentProgram.class.getName(),
                "run",
                "--to",
                "file:" + dir.resolve("events.jsonl"),
                "--"));
        command.addAll(Arrays.asList(job));
        return new ProcessBuilder(command)
                .redirectOutput(dir.resolve("out").toFile())
                .redirectError(dir.resolve("err").toFile())
                .start();
    }

    private List<TrainingEvent> events() throws Exception {
        EventJson json = new EventJson();
        List<TrainingEvent> events = new ArrayList<>();
        for (String line : Files.readAllLines(dir.resolve("events.jsonl"), StandardCharsets.UTF_8)) {
            events.add(json.read(line));
        }
        return events;
    }

    private List<Double> losses() throws Exception {
        return events().stream()
                .filter(event -> event.getBody() instanceof StepCompleted)
                .map(event -> ((StepCompleted) event.getBody()).getLoss())
                .toList();
    }

    private Object last() throws Exception {
        List<TrainingEvent> events = events();
        return events.get(events.size() - 1).getBody();
    }
}
