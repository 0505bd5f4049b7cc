package io.trainwatch.monitor.python;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.trainwatch.codec.EventJson;
import io.trainwatch.event.EvaluationCompleted;
import io.trainwatch.event.StepCompleted;
import io.trainwatch.event.TrainingEvent;
import io.trainwatch.monitor.AgentProcess;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Trainings that know nothing of trainwatch and leave the log of their own library: an agent reads it while it is written,
 * point for point.
 */
class OwnLogsIT {
    private static final Duration SOON = Duration.ofMinutes(2);
    private static final Path SCRIPTS = Python.PACKAGE.resolve("tests").resolve("frameworks");

    @TempDir
    Path dir;

    @Test
    void the_writer_of_tensorboard_that_comes_with_pytorch() throws Exception {
        read(FrameworksIT.debianTorch(), "pytorch", "bert", true);
    }

    /** With all checkpoints but the last deleted on the way. */
    @Test
    void the_trainer_state_of_hugging_face_in_its_checkpoints() throws Exception {
        read(FrameworksIT.debianTorch(), "huggingface", "bert", false);
    }

    @Test
    void the_table_of_lightning_whose_header_grows() throws Exception {
        read(FrameworksIT.debianTorch(), "lightning", "bert/version_0", false);
    }

    /** Keras writes event files by TensorFlow, whatever it computes with. */
    @Test
    void the_event_files_of_keras_with_a_folder_for_each_split() throws Exception {
        Python python = Python.available().get(0).with("tensorflow", "tensorflow-cpu==2.21.0", "tensorboard==2.20.0");
        read(python, "keras", "bert", true);
    }

    private void read(Python python, String library, String runId, boolean single) throws Exception {
        Path events = dir.resolve("events.jsonl");
        Process agent = AgentProcess.start(
                dir.resolve("agent.log"),
                "attach",
                "--to",
                "file:" + events,
                "--state",
                dir.resolve("state").toString(),
                "--interval",
                "0.05",
                Files.createDirectory(dir.resolve("logs")).toString());
        Path log = dir.resolve("training.log");
        CompletableFuture<Integer> training = CompletableFuture.supplyAsync(() -> train(python, library, log));
        try {
            await().atMost(SOON)
                    .until(() -> training.isDone() || !numbers(events).isEmpty());
            assertThat(training.isDone()).as("%s", Files.readString(log)).isFalse();
            Files.createFile(dir.resolve("logs").resolve("seen"));

            assertThat(training.join()).as("%s", Files.readString(log)).isZero();
            Map<String, Double> logged = logged(log, single);
            assertThat(logged).containsValue(Double.NaN).hasSizeGreaterThan(60);
            await().atMost(SOON)
                    .untilAsserted(() -> assertThat(numbers(events))
                            .as("%s", Files.readString(dir.resolve("agent.log")))
                            .isEqualTo(logged));
            assertThat(read(events)).extracting(TrainingEvent::getRunId).containsOnly(runId);
        } finally {
            agent.destroyForcibly().waitFor();
        }
    }

    private int train(Python python, String library, Path log) {
        try {
            Path logs = dir.resolve("logs").resolve("bert");
            return python.run(
                    log,
                    Map.of("PYTHONWARNINGS", "ignore"),
                    SCRIPTS.resolve("own_logs.py").toString(),
                    library,
                    logs.toString());
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    /** What the script says, among what its library says. */
    private static Map<String, Double> logged(Path log, boolean single) throws IOException {
        Map<String, Double> logged = new TreeMap<>();
        for (String line : Files.readAllLines(log)) {
            if (line.matches("\\d+ (loss|val) [-+.e\\w]+")) {
                int value = line.lastIndexOf(' ');
                String text = line.substring(value + 1);
                double number = text.equals("nan") ? Double.NaN : Double.parseDouble(text);
                logged.put(line.substring(0, value), single ? (double) (float) number : number);
            }
        }
        return logged;
    }

    private static Map<String, Double> numbers(Path events) throws Exception {
        Map<String, Double> numbers = new TreeMap<>();
        for (TrainingEvent event : read(events)) {
            String name = null;
            Double value = null;
            if (event.getBody() instanceof StepCompleted step) {
                name = event.getStep() + " loss";
                value = step.getLoss();
            } else if (event.getBody() instanceof EvaluationCompleted evaluation) {
                name = event.getStep() + " val";
                value = evaluation.getMetrics().get("loss");
            }
            if (value != null) {
                assertThat(numbers.put(name, value)).as("%s once", name).isNull();
            }
        }
        return numbers;
    }

    private static List<TrainingEvent> read(Path events) throws Exception {
        List<TrainingEvent> read = new ArrayList<>();
        if (Files.exists(events)) {
            EventJson json = new EventJson();
            String text = Files.readString(events);
            for (String line :
                    text.substring(0, text.lastIndexOf('\n') + 1).lines().toList()) {
                read.add(json.read(line));
            }
        }
        return read;
    }
}
