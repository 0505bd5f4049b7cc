package io.trainwatch.monitor.notify;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.MissingNode;
import io.trainwatch.monitor.board.OpenCommands;
import io.trainwatch.monitor.judge.DetectionSettings;
import io.trainwatch.monitor.judge.RunJudge;
import io.trainwatch.monitor.topology.Broker;
import io.trainwatch.monitor.topology.Monitor;
import io.trainwatch.monitor.topology.MonitorSettings;
import io.trainwatch.monitor.topology.Trainer;
import java.nio.file.Path;
import java.time.Duration;
import java.time.InstantSource;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Runs of which nothing is heard any more, from their events over a real broker and monitor to the page. */
class SilenceTest {
    private static final Duration LIMIT = Duration.ofSeconds(90);

    @TempDir
    Path dir;

    @Test
    void a_page_tells_a_hang_from_a_loss_from_silence_from_lost_telemetry_and_a_run_that_has_ended_is_none()
            throws Exception {
        DetectionSettings impatient = new DetectionSettings(Map.of("stalled_run.shortest", "1s"), List.of());
        try (Broker broker = new Broker(dir.resolve("kafka"));
                Receiver webhook = new Receiver()) {
            MonitorSettings settings = broker.settings(dir.resolve("state")).withTickGrace(Duration.ZERO);
            NotifySettings notify = NotifySettings.NOBODY.withSinks(
                    List.of(new SinkSettings("hook", new SinkSettings.Webhook(webhook.url("/"), null))));
            try (Monitor monitor = Monitor.start(settings, new RunJudge(impatient));
                    Notifier notifier =
                            Notifier.start(notify, settings, new OpenCommands(InstantSource.system()), null)) {
                assertThat(monitor.awaitRunning(LIMIT)).isTrue();
                await().atMost(LIMIT).until(notifier::tellsAll);
                Trainer ended = begin(broker, "ended");
                broker.send(ended, ended.finished());
                Trainer lost = begin(broker, "lost");
                broker.send(lost, lost.heartbeat());
                begin(broker, "silent");
                Trainer unheard = begin(broker, "unheard");
                for (int i = 0; i < 20; i++) {
                    unheard.step();
                }
                for (int i = 0; i < 70; i++) {
                    broker.send(unheard, unheard.step());
                }
                broker.send(unheard, unheard.finished());
                Trainer hangs = begin(broker, "hangs");
                broker.flush();

                // A process that sends no heartbeat for half a minute is gone; until then it may only hang.
                await().atMost(LIMIT).pollInterval(Duration.ofSeconds(1)).until(() -> {
                    broker.send(hangs, hangs.heartbeat());
                    return severity(webhook, "lost").equals("critical");
                });

                assertThat(summary(webhook, "lost"))
                        .matches("lost: no progress for \\d+ s and no heartbeat for 3\\d s after step 5: the process, its host"
                                + " or the network is gone \\(expected within 1 s\\)");
                assertThat(summary(webhook, "hangs"))
                        .matches("hang: no progress for \\d+ s after step 5, but heartbeats go on in phase train .*");
                assertThat(summary(webhook, "silent"))
                        .matches("silent: no event for \\d+ s after step 5, and no run_finished: ended or lost, .*");
                assertThat(summary(webhook, "unheard"))
                        .matches("\\d+ events missing of the last \\d+, \\d+ in all; the trainer reports no drops, so they were"
                                + " lost on the way.*");
                assertThat(severity(webhook, "hangs")).isEqualTo("warning");
                assertThat(severity(webhook, "silent")).isEqualTo("warning");
                assertThat(webhook.taken())
                        .noneMatch(request -> request.body().contains("\"run_id\":\"ended\""));
            }
        }
    }

    private static Trainer begin(Broker broker, String runId) {
        Trainer trainer = new Trainer(runId);
        for (int i = 0; i < 5; i++) {
            broker.send(trainer, trainer.step());
        }
        return trainer;
    }

    private static String severity(Receiver webhook, String runId) {
        return latest(webhook, runId).path("severity").asText();
    }

    private static String summary(Receiver webhook, String runId) {
        return latest(webhook, runId).path("summary").asText();
    }

    /** The latest page of a run that is no resolution; nothing if there is none. */
    private static JsonNode latest(Receiver webhook, String runId) {
        return webhook.taken().stream()
                .map(Receiver.Request::json)
                .filter(page -> page.at("/alerts/0/run_id").asText().equals(runId)
                        && !page.get("kind").asText().equals("resolved"))
                .reduce((first, second) -> second)
                .orElse(MissingNode.getInstance());
    }
}
