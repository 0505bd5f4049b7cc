package io.trainwatch.monitor.python;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Real trainings on the CPU, each with a planted fault, and a real monitor with its own broker: every fault is raised. The
 * frameworks are some gigabytes to fetch: {@code ./mvnw verify -Pframeworks}.
 */
@Tag("frameworks")
class FrameworksIT {
    private static final Map<String, String> DETECTOR_OF_FAULT = Map.of(
            "nan", "non_finite_loss",
            "plateau", "loss_plateau",
            "overfit", "train_val_divergence");

    @TempDir
    static Path dir;

    private static RunningMonitor monitor;
    private static Python python;

    @BeforeAll
    static void start() throws Exception {
        List<Python> all = Python.available();
        python = all.get(all.size() - 1)
                .with(
                        "frameworks",
                        ".[kafka]",
                        "torch",
                        "transformers",
                        "accelerate",
                        "lightning",
                        "keras",
                        "jax",
                        "scikit-learn");
        monitor = new RunningMonitor(dir);
    }

    @AfterAll
    static void stop() {
        monitor.close();
    }

    @ParameterizedTest(name = "{0}")
    @CsvSource({
        "pytorch, nan plateau overfit",
        "huggingface, nan plateau overfit",
        "accelerate, nan plateau overfit",
        "lightning, nan plateau overfit",
        "keras, nan plateau overfit",
        "sklearn, plateau overfit"
    })
    void every_planted_fault_raises_its_alert(String framework, String faults) throws Exception {
        Path log = dir.resolve(framework + ".log");

        int exit = python.run(
                log,
                Map.of("TRAINWATCH_LOCATION", monitor.http(), "XDG_CACHE_HOME", dir.toString(), "HF_HUB_OFFLINE", "1"),
                "tests/frameworks/with_" + framework + ".py");

        assertThat(exit).as(() -> read(log)).isZero();
        monitor.awaitAlerts(List.of(faults.split(" ")).stream()
                .map(fault -> framework + "-" + fault + " " + DETECTOR_OF_FAULT.get(fault))
                .toList());
    }

    private static String read(Path log) {
        try {
            return Files.readString(log);
        } catch (Exception e) {
            throw new IllegalStateException(e);
        }
    }
}
