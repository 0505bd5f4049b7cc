package io.trainwatch.monitor.intake;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.trainwatch.event.StepCompleted;
import io.trainwatch.event.TrainingEvent;
import io.trainwatch.monitor.python.Python;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Trainers of frameworks with the MLflow loggers that the frameworks bring, told nothing but {@code MLFLOW_TRACKING_URI}. They
 * are some gigabytes to fetch: {@code ./mvnw verify -Pframeworks}.
 */
@Tag("frameworks")
class FrameworksMlflowIT {
    private static final Path SCRIPTS =
            Path.of("src/test/resources/io/trainwatch/monitor/intake").toAbsolutePath();

    @TempDir
    static Path dir;

    private static Python python;
    private static IntakeRig rig;

    @BeforeAll
    static void start() throws Exception {
        List<Python> all = Python.available();
        python = all.get(all.size() - 1)
                .with(
                        "frameworks-mlflow",
                        "torch",
                        "transformers",
                        "accelerate",
                        "lightning",
                        "keras",
                        "jax",
                        "mlflow");
        rig = new IntakeRig(dir.resolve("broker"), IntakeSettings.DEFAULT);
    }

    @AfterAll
    static void stop() {
        if (rig != null) {
            rig.close();
        }
    }

    /** Hugging Face shows a loss of 0 for NaN, but the norm of the gradient as it is. Keras counts epochs from 0. */
    @ParameterizedTest(name = "{0}")
    @CsvSource({"huggingface, 20, 12", "lightning, 20, 11", "keras, 5, 3"})
    void a_trainer_is_watched_to_its_end_and_its_nan_is_told_with_its_step(String framework, int steps, long nanStep)
            throws Exception {
        Path home = Files.createDirectory(dir.resolve(framework));
        Path log = dir.resolve(framework + ".log");

        int exit = python.run(
                log,
                Map.of("MLFLOW_TRACKING_URI", rig.web.url(), "HF_HUB_OFFLINE", "1"),
                SCRIPTS.resolve("mlflow_" + framework + ".py").toString(),
                home.toString());

        assertThat(exit).as(Files.readString(log)).isZero();
        String run = rig.events().stream()
                .filter(event -> MlflowApiTest.brief(event).contains("\"run_name\":\"" + framework + "\""))
                .map(TrainingEvent::getRunId)
                .findFirst()
                .orElseThrow();
        await().atMost(Duration.ofSeconds(20))
                .untilAsserted(() -> assertThat(MlflowApiTest.told(run))
                        .anyMatch(line -> line.contains("\"status\":\"completed\"")));
        List<TrainingEvent> completed = rig.events().stream()
                .filter(event -> event.getRunId().equals(run) && event.getBody() instanceof StepCompleted)
                .toList();
        assertThat(completed).hasSize(steps);
        assertThat(completed)
                .filteredOn(event -> isNan((StepCompleted) event.getBody()))
                .first()
                .extracting(TrainingEvent::getStep)
                .isEqualTo(nanStep);
    }

    private static boolean isNan(StepCompleted step) {
        return (step.getLoss() != null && step.getLoss().isNaN())
                || (step.getGradNorm() != null && step.getGradNorm().isNaN());
    }
}
