package io.trainwatch.monitor.intake;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.trainwatch.alert.Alert;
import io.trainwatch.monitor.embedded.EmbeddedKafka;
import io.trainwatch.monitor.judge.RunSnapshot;
import io.trainwatch.monitor.topology.Monitor;
import io.trainwatch.monitor.topology.MonitorSettings;
import io.trainwatch.monitor.web.BearerToken;
import io.trainwatch.monitor.web.HttpSettings;
import io.trainwatch.monitor.web.WebServer;
import io.trainwatch.run.RunCondition;
import io.trainwatch.run.RunStatus;
import io.trainwatch.sdk.TrainingRun;
import io.trainwatch.sdk.Trainwatch;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A trainer with the Java SDK, a monitor that takes events over HTTP, and nothing between them that is not real. */
class HttpTrainerTest {
    private static final Duration LIMIT = Duration.ofSeconds(60);
    private static final String TOKEN = "0123456789abcdef0123456789abcdef";
    private static final int STEPS = 2_000;

    @TempDir
    Path dir;

    @Test
    void a_training_is_judged_and_an_outage_of_the_monitor_loses_and_doubles_nothing() throws Exception {
        Path token = Files.writeString(dir.resolve("token"), TOKEN);
        try (EmbeddedKafka kafka = EmbeddedKafka.start(dir.resolve("kafka"), 0);
                Monitor monitor =
                        Monitor.start(MonitorSettings.forBroker(kafka.bootstrapServers(), dir.resolve("state"))
                                .withPartitions(2));
                Intake intake = Intake.start(
                        IntakeSettings.DEFAULT,
                        kafka.bootstrapServers(),
                        Map.of(),
                        monitor.topics().events(),
                        monitor.board(),
                        runId -> List.of())) {
            assertThat(monitor.awaitRunning(LIMIT)).isTrue();
            WebServer web = serve(0, monitor, intake);
            int port = web.port();
            TrainingRun run = Trainwatch.run("over-http")
                    .spoolDirectory(dir.resolve("spool"))
                    .closeTimeout(LIMIT)
                    .start(web.url() + "?token_file=" + token);
            for (int step = 1; step <= STEPS / 2; step++) {
                run.step(step, 2 + 1.0 / step);
            }
            await().atMost(LIMIT).until(() -> run.delivery().delivered() > 0);
            web.close();
            for (int step = STEPS / 2 + 1; step < STEPS; step++) {
                run.step(step, 2 + 1.0 / step);
            }
            run.step(STEPS, Double.NaN);
            await().atMost(LIMIT).until(() -> run.delivery().spooled() > 0);
            try (WebServer back = serve(port, monitor, intake)) {
                run.close();
                assertThat(back.port()).isEqualTo(port);
            }

            assertThat(run.delivery().dropped()).isZero();
            await().atMost(LIMIT).untilAsserted(() -> {
                RunSnapshot seen = monitor.board().run("over-http").orElseThrow();
                RunStatus status = seen.status();
                assertThat(status.getCondition()).isEqualTo(RunCondition.completed);
                assertThat(status.getStepsJudged()).isEqualTo(STEPS);
                assertThat(status.getMissing()).isZero();
                assertThat(seen.alerts()).extracting(Alert::getDetector).contains("non_finite_loss");
            });
        }
    }

    private static WebServer serve(int port, Monitor monitor, Intake intake) throws IOException {
        return WebServer.start(
                new HttpSettings("127.0.0.1", port, new BearerToken(TOKEN)),
                monitor.board(),
                new PrometheusRegistry(),
                Optional::empty,
                intake.endpoints());
    }
}
