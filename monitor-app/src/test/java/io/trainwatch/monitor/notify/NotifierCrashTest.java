package io.trainwatch.monitor.notify;

import static io.trainwatch.monitor.notify.Alerts.nan;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.trainwatch.monitor.notify.Receiver.Answer;
import io.trainwatch.monitor.topology.Broker;
import java.nio.file.Path;
import java.time.Duration;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A notifier is killed at each stage of a delivery: every page arrives, and what arrives twice has the same key. */
class NotifierCrashTest {
    private static final Duration LIMIT = Duration.ofMinutes(2);

    @TempDir
    Path dir;

    @Test
    void killed_before_it_sends_while_it_sends_and_while_it_waits_to_try_again() throws Exception {
        try (Broker broker = new Broker(dir.resolve("kafka"));
                Receiver receiver = new Receiver();
                AlertTopic topic = new AlertTopic(broker, "k.")) {
            // In backoff: it was told to come back in an hour, and has kept the page.
            receiver.behaving(request -> new Answer(503, "", "3600"));
            NotifierProcess first = NotifierProcess.start(topic.monitor(), receiver.url("/hook"));
            topic.put(nan("in-backoff"));
            await().atMost(LIMIT).until(() -> !receiver.requests().isEmpty());
            first.kill();

            // After the receiver has it, before it is kept: the answer never comes.
            receiver.behaving(request -> Answer.status(-1));
            NotifierProcess second = NotifierProcess.start(topic.monitor(), receiver.url("/hook"));
            topic.put(nan("while-sending"));
            int before = receiver.requests().size();
            await().atMost(LIMIT).until(() -> receiver.requests().size() > before);
            second.kill();

            // Before it sends anything: nobody runs.
            topic.put(nan("before-sending"));

            receiver.behaving(request -> Answer.OK);
            NotifierProcess third = NotifierProcess.start(topic.monitor(), receiver.url("/hook"));
            try {
                await().atMost(LIMIT)
                        .untilAsserted(() -> assertThat(receiver.taken().stream()
                                        .map(request -> request.json()
                                                .at("/alerts/0/run_id")
                                                .asText())
                                        .collect(Collectors.toSet()))
                                .containsExactlyInAnyOrder("in-backoff", "while-sending", "before-sending"));
            } finally {
                third.kill();
            }

            // One key for each run, however often it was sent.
            assertThat(receiver.requests().stream()
                            .map(Receiver.Request::json)
                            .map(page -> page.at("/alerts/0/run_id").asText()
                                    + page.get("key").asText())
                            .distinct())
                    .hasSize(3);
        }
    }
}
