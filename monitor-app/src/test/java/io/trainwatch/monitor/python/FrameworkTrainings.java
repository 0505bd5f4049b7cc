package io.trainwatch.monitor.python;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.io.TempDir;

/**
 * Real trainings on the CPU, each with a planted fault, and a real monitor with its own broker: every fault is raised and every
 * step has arrived, whether a trainer has the one line of its framework's adapter or nothing but {@code MLFLOW_TRACKING_URI}.
 */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
abstract class FrameworkTrainings {
    /** Steps of each training, as tests/frameworks/problems.py has them. */
    private static final Map<String, Integer> STEPS = Map.of("nan", 120, "plateau", 1_400, "overfit", 480);

    private static final Map<String, String> DETECTORS = Map.of(
            "nan", "non_finite_loss",
            "plateau", "loss_plateau",
            "overfit", "train_val_divergence");

    /** A training script of a framework, and how its trainer tells. */
    private record Training(Python python, String framework, boolean byMlflow) {
        String title() {
            return framework + (byMlflow ? " with nothing but MLFLOW_TRACKING_URI" : " with the adapter's one line");
        }

        List<String> faults() {
            return framework.equals("sklearn") ? List.of("plateau", "overfit") : List.of("nan", "plateau", "overfit");
        }

        String run(String fault) {
            return (byMlflow ? "mlflow-" : "") + framework + "-" + fault;
        }

        /** The logs of Hugging Face's trainer show a loss of 0 for NaN, but the norm of the gradient as it is. */
        String detector(String fault) {
            boolean isHidden = byMlflow && framework.equals("huggingface") && fault.equals("nan");
            return isHidden ? "non_finite_gradient" : DETECTORS.get(fault);
        }

        /** Lightning tells MLflow, and MLflow's callback for Keras, steps from 0 on. */
        int lastStep(String fault) {
            boolean fromZero = byMlflow && List.of("lightning", "keras").contains(framework);
            return STEPS.get(fault) - (fromZero ? 1 : 0);
        }
    }

    private Path dir;
    private RunningMonitor monitor;

    /** With PyTorch, transformers, Accelerate, Lightning and MLflow. */
    abstract Python torch();

    /** With Keras on JAX, scikit-learn and MLflow. */
    abstract Python keras();

    @BeforeAll
    void start(@TempDir Path directory) throws Exception {
        dir = directory;
        monitor = new RunningMonitor(dir);
    }

    @AfterAll
    void stop() {
        monitor.close();
    }

    @TestFactory
    Stream<DynamicTest> every_planted_fault_raises_its_alert() {
        // One core each.
        CompletableFuture<Python> torch = CompletableFuture.supplyAsync(this::torch);
        Python keras = keras();
        List<Training> trainings = Stream.concat(
                        Stream.of("huggingface", "lightning", "accelerate", "pytorch")
                                .flatMap(framework -> Stream.of(true, false)
                                        .map(byMlflow -> new Training(torch.join(), framework, byMlflow))),
                        Stream.of(
                                new Training(keras, "keras", true),
                                new Training(keras, "keras", false),
                                new Training(keras, "sklearn", false)))
                .toList();
        ExecutorService cores = Executors.newFixedThreadPool(2);
        List<CompletableFuture<Void>> runs = trainings.stream()
                .map(training -> CompletableFuture.runAsync(() -> train(training), cores))
                .toList();
        cores.shutdown();
        return Stream.iterate(0, i -> i < runs.size(), i -> i + 1)
                .map(i -> DynamicTest.dynamicTest(trainings.get(i).title(), () -> {
                    runs.get(i).join();
                    check(trainings.get(i));
                }));
    }

    /** What a new user pastes from the READMEs, and what the PyTorch adapter sees against what is computed by hand. */
    @TestFactory
    Stream<DynamicTest> the_lines_of_the_readmes_attach_as_they_stand_there() {
        return Stream.of(
                DynamicTest.dynamicTest(
                        "PyTorch, Hugging Face, Accelerate, Lightning",
                        () -> assertTestsPass(torch(), "tests/frameworks/test_readme.py", "tests/frameworks/test_torch.py")),
                DynamicTest.dynamicTest(
                        "Keras, scikit-learn", () -> assertTestsPass(keras(), "tests/frameworks/test_readme.py")));
    }

    private void assertTestsPass(Python python, String... tests) throws Exception {
        Path log = Files.createTempFile(dir, "pytest-", ".log");
        List<String> command = new ArrayList<>(List.of("-m", "pytest", "-o", "addopts=-q -ra", "-p", "no:cacheprovider"));
        command.addAll(List.of(tests));
        int exit = python.run(log, Map.of("HF_HUB_OFFLINE", "1"), command.toArray(String[]::new));
        assertThat(exit).as(Files.readString(log)).isZero();
    }

    private void train(Training training) {
        Path log = dir.resolve(training.title() + ".log");
        String where = training.byMlflow() ? "MLFLOW_TRACKING_URI" : "TRAINWATCH_LOCATION";
        Map<String, String> environment =
                Map.of(where, monitor.http(), "XDG_CACHE_HOME", dir.toString(), "HF_HUB_OFFLINE", "1");
        try {
            int exit = training.python()
                    .run(log, environment, "tests/frameworks/with_" + training.framework() + ".py");
            assertThat(exit).as(Files.readString(log)).isZero();
        } catch (Exception e) {
            throw new IllegalStateException(e);
        }
    }

    private void check(Training training) {
        monitor.awaitAlerts(training.faults().stream()
                .map(fault -> training.run(fault) + " " + training.detector(fault))
                .toList());
        List<String> ended = training.faults().stream()
                .map(fault -> training.run(fault) + " completed " + training.lastStep(fault))
                .toList();
        await().atMost(Duration.ofSeconds(30))
                .untilAsserted(() -> assertThat(monitor.runs()).containsAll(ended));
    }
}
