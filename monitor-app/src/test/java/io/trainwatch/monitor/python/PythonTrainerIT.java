package io.trainwatch.monitor.python;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Trainers in Python and a real monitor with its own broker. */
class PythonTrainerIT {
    private static final String BREAKS_AT_STEP_30 = """
            import os, trainwatch
            with trainwatch.start(os.environ["RUN"], project="vision", max_steps=60, close_timeout=60) as run:
                for step in range(1, 61):
                    run.step(step, float("nan") if step >= 30 else 1.0 / step, grad_norm=1.0, learning_rate=0.1)
            assert run.delivery() == (62, 62, 0, 0, 0), run.delivery()
            """;

    private static final String OBEYS = """
            import os, time, trainwatch
            told = []
            with trainwatch.start(os.environ["RUN"], project="vision", close_timeout=60) as run:
                run.on_command(lambda command: told.append(command.action))
                end = time.monotonic() + 60
                step = 0
                while not told and time.monotonic() < end:
                    step += 1
                    run.step(step, float("nan") if step >= 30 else 1.0 / step, grad_norm=1.0, learning_rate=0.1)
                    time.sleep(0.02)
                assert told == ["checkpoint_then_stop"], told
                assert run.should_stop()
            """;

    @TempDir
    static Path dir;

    private static RunningMonitor monitor;

    @BeforeAll
    static void start() throws Exception {
        monitor = new RunningMonitor(dir, "commands: {on: {non_finite_loss: checkpoint_then_stop}}\n");
    }

    @AfterAll
    static void stop() {
        monitor.close();
    }

    @Test
    void over_kafka_every_event_arrives_and_an_alert_is_raised() throws Exception {
        train("python-kafka", monitor.kafka());

        monitor.awaitAlerts(List.of("python-kafka non_finite_loss"));
    }

    @Test
    void over_http_every_event_arrives_and_an_alert_is_raised() throws Exception {
        train("python-http", monitor.http());

        monitor.awaitAlerts(List.of("python-http non_finite_loss"));
    }

    @Test
    void over_kafka_a_trainer_is_told_to_stop() throws Exception {
        train("stopped-kafka", monitor.kafka(), OBEYS);
    }

    @Test
    void over_http_a_trainer_is_told_to_stop() throws Exception {
        train("stopped-http", monitor.http(), OBEYS);
    }

    private static void train(String run, String location) throws Exception {
        train(run, location, BREAKS_AT_STEP_30);
    }

    private static void train(String run, String location, String script) throws Exception {
        Path log = dir.resolve(run + ".log");
        Python python = Python.available().get(0).with("kafka", ".[kafka]");

        int exit = python.run(
                log,
                Map.of("RUN", run, "TRAINWATCH_LOCATION", location, "XDG_CACHE_HOME", dir.toString()),
                "-c",
                script);

        assertThat(exit).as(() -> read(log)).isZero();
    }

    private static String read(Path log) {
        try {
            return Files.readString(log);
        } catch (Exception e) {
            throw new IllegalStateException(e);
        }
    }
}
