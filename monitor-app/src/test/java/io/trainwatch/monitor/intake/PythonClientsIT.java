package io.trainwatch.monitor.intake;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.trainwatch.monitor.python.Python;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Trainers in Python that know MLflow or OpenTelemetry only, with the real clients from PyPI, before a real broker. */
class PythonClientsIT {
    private static final Path SCRIPTS =
            Path.of("src/test/resources/io/trainwatch/monitor/intake").toAbsolutePath();

    @TempDir
    static Path dir;

    private static Python python;
    private static IntakeRig rig;

    @BeforeAll
    static void start() throws Exception {
        python = Python.available()
                .get(0)
                .with(
                        "intake",
                        "mlflow-skinny==3.17.2",
                        "opentelemetry-sdk==1.45.2",
                        "opentelemetry-exporter-otlp-proto-http==1.45.2");
        rig = new IntakeRig(dir.resolve("broker"), IntakeSettings.DEFAULT);
    }

    @AfterAll
    static void stop() {
        if (rig != null) {
            rig.close();
        }
    }

    @Test
    void a_trainer_with_mlflow_is_watched_without_a_change_and_keeps_its_artifacts() throws Exception {
        Path home = Files.createDirectory(dir.resolve("trainer"));

        String said = run("mlflow_trainer.py", Map.of("MLFLOW_TRACKING_URI", rig.web.url()), home.toString());

        String runId = said.lines()
                .filter(line -> line.matches("[0-9a-f]{32}"))
                .findFirst()
                .orElseThrow();
        await().atMost(Duration.ofSeconds(20))
                .untilAsserted(() -> assertThat(told(runId))
                        .containsExactly(
                                "{\"event_type\":\"run_started\",\"project\":\"exp ä\",\"run_name\":\"first\",\"labels\":{\"team\":\"vision\"}}",
                                "{\"event_type\":\"run_started\",\"project\":\"exp ä\",\"run_name\":\"first\",\"optimizer\":\"adamw\",\"learning_rate_peak\":0.001,\"max_steps\":100,\"labels\":{\"team\":\"vision\"}}",
                                "{\"event_type\":\"step_completed\",\"step\":1,\"loss\":1.0,\"grad_norm\":0.5,\"learning_rate\":0.001}",
                                "{\"event_type\":\"step_completed\",\"step\":2,\"loss\":0.5,\"grad_norm\":0.5,\"learning_rate\":0.001}",
                                "{\"event_type\":\"step_completed\",\"step\":3,\"loss\":0.3333333333333333,\"grad_norm\":0.5,\"learning_rate\":0.001}",
                                "{\"event_type\":\"evaluation_completed\",\"step\":3,\"split\":\"val\",\"metrics\":{\"loss\":0.25,\"accuracy\":0.5}}",
                                "{\"event_type\":\"step_completed\",\"step\":4,\"loss\":\"NaN\"}",
                                "{\"event_type\":\"run_finished\",\"step\":4,\"status\":\"completed\"}"));
        assertThat(home.resolve("mlartifacts/" + runId + "/artifacts/note.txt"))
                .hasContent("kept where the trainer runs");
    }

    /** Its Python SDK leaves out what is not finite: a NaN shows as a loss that stays while the rest goes on. */
    @Test
    void a_trainer_with_opentelemetry_is_watched_without_a_change() throws Exception {
        run("otel_trainer.py", Map.of("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", rig.web.url() + "/v1/metrics"));

        await().atMost(Duration.ofSeconds(20))
                .untilAsserted(
                        () -> assertThat(told("by-otel"))
                                .startsWith(
                                        "{\"event_type\":\"run_started\",\"project\":\"trainer\"}",
                                        "{\"event_type\":\"step_completed\",\"step\":1,\"loss\":2.5,\"num_input_tokens_seen\":1024,\"step_time_seconds\":0.5}",
                                        "{\"event_type\":\"step_completed\",\"step\":2,\"loss\":2.25,\"num_input_tokens_seen\":2048,\"step_time_seconds\":0.5}",
                                        "{\"event_type\":\"step_completed\",\"step\":3,\"loss\":2.25,\"num_input_tokens_seen\":3072,\"step_time_seconds\":0.5}"));
    }

    private static String run(String script, Map<String, String> environment, String... arguments) throws Exception {
        Path log = dir.resolve(script + ".log");
        List<String> command = new ArrayList<>(List.of(SCRIPTS.resolve(script).toString()));
        command.addAll(List.of(arguments));
        int exit = python.run(log, new LinkedHashMap<>(environment), command.toArray(String[]::new));
        String said = Files.readString(log);
        assertThat(exit).as(said).isZero();
        return said;
    }

    private static List<String> told(String run) throws Exception {
        return rig.events().stream()
                .filter(event -> event.getRunId().equals(run))
                .map(MlflowApiTest::brief)
                // Told where the scripts lie in a Git repository.
                .map(line -> line.replaceAll("\"git_sha\":\"[^\"]*\",", ""))
                .toList();
    }
}
