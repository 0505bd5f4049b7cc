package io.trainwatch.attach.follow;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.trainwatch.event.EvaluationCompleted;
import io.trainwatch.event.RunFinished;
import io.trainwatch.event.StepCompleted;
import io.trainwatch.event.TrainingEvent;
import io.trainwatch.sdk.Trainwatch;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Logs of the real libraries, read while they are written, point for point. */
class RealWritersTest {
    private static final Duration SOON = Duration.ofMinutes(2);
    private static final String[] PACKAGES = {"wandb==0.31.0", "tensorboardX==2.6.5", "mlflow-skinny==3.17.2"};

    /** Each script logs by {@code put} and prints what it logged. */
    private static final String POINTS = """
            import math, time
            def points(put):
                for step in range(1, 301):
                    loss = 2.5 / math.sqrt(step)
                    if step == 200:
                        loss = float("nan")
                    put(step, {"train/loss": loss, "lr": 0.001})
                    print(step, "loss", loss)
                    if step % 100 == 0:
                        put(step, {"val/loss": loss + 0.25})
                        print(step, "val", loss + 0.25)
                    time.sleep(0.005)
            """;

    @TempDir
    Path dir;

    private final String sink = "writers-" + System.nanoTime();

    @AfterEach
    void forget() {
        Trainwatch.forgetMemory(sink);
    }

    @Test
    void tensorboard() throws Exception {
        follow("""
                from tensorboardX import SummaryWriter
                writer = SummaryWriter("runs/bert", flush_secs=1)
                def put(step, values):
                    for name, value in values.items():
                        writer.add_scalar(name, value, step)
                points(put)
                writer.close()
                """, true);
    }

    /** As Keras has it: one folder for each split, in which names are the same. */
    @Test
    void tensorboard_with_folders_of_splits_is_one_run() throws Exception {
        follow("""
                from tensorboardX import SummaryWriter
                train = SummaryWriter("runs/bert/train", flush_secs=1)
                validation = SummaryWriter("runs/bert/validation", flush_secs=1)
                names = {"train/loss": "epoch_loss", "val/loss": "epoch_loss", "lr": "epoch_learning_rate"}
                def put(step, values):
                    for name, value in values.items():
                        (validation if "val" in name else train).add_scalar(names[name], value, step)
                points(put)
                train.close()
                validation.close()
                """, true);
        assertThat(events()).extracting(TrainingEvent::getRunId).containsOnly("bert");
    }

    @Test
    void wandb_offline() throws Exception {
        follow("""
                import wandb
                run = wandb.init(mode="offline", project="vision", name="bert", id="bert-1")
                points(lambda step, values: run.log(values, step=step))
                run.finish()
                """, false);
        assertThat(events().get(events().size() - 1).getBody())
                .isInstanceOfSatisfying(
                        RunFinished.class, end -> assertThat(end.getExitCode()).isZero());
    }

    @Test
    void mlflow_in_files() throws Exception {
        follow("""
                import mlflow
                mlflow.set_tracking_uri("file:mlruns")
                mlflow.set_experiment("vision")
                with mlflow.start_run(run_name="bert"):
                    points(lambda step, values: mlflow.log_metrics(values, step=step))
                """, false);
        assertThat(events().get(events().size() - 1).getBody()).isInstanceOf(RunFinished.class);
    }

    private void follow(String script, boolean single) throws Exception {
        Path python = Python.with(PACKAGES);
        Path logs = Files.createDirectories(dir.resolve("job"));
        Settings settings = Settings.to(() -> Trainwatch.forward("memory:" + sink))
                .withState(dir.resolve("state"))
                .withTimes(Duration.ofMillis(50), Duration.ofSeconds(3));
        try (Agent agent = new Agent(settings, Duration.ofDays(1), Duration.ofMillis(100), line -> {})) {
            agent.attach(logs, Job.UNSEEN);
            Thread following = new Thread(() -> {
                try {
                    agent.run();
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                }
            });
            following.start();
            Map<String, Double> expected = new TreeMap<>();
            for (String line : Python.run(python, logs, POINTS + script)) {
                String[] fields = line.split(" ", -1);
                double value = fields[2].equals("nan") ? Double.NaN : Double.parseDouble(fields[2]);
                expected.put(fields[0] + " " + fields[1], single ? (double) (float) value : value);
            }
            assertThat(expected).hasSize(303);
            await().atMost(SOON).untilAsserted(() -> assertThat(read()).isEqualTo(expected));
            agent.stop();
            following.join();
        }
        assertThat(events())
                .filteredOn(event -> event.getBody() instanceof StepCompleted step && step.getLoss() != null)
                .as("no step has its loss twice")
                .hasSize(300);
    }

    private List<TrainingEvent> events() {
        return Trainwatch.memory(sink);
    }

    private Map<String, Double> read() {
        Map<String, Double> read = new TreeMap<>();
        for (TrainingEvent event : events()) {
            if (event.getBody() instanceof StepCompleted step && step.getLoss() != null) {
                read.put(event.getStep() + " loss", step.getLoss());
            } else if (event.getBody() instanceof EvaluationCompleted evaluation) {
                read.put(event.getStep() + " val", evaluation.getMetrics().get("loss"));
            }
        }
        return read;
    }
}
