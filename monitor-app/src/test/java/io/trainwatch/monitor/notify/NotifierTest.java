package io.trainwatch.monitor.notify;

import static io.trainwatch.monitor.notify.Alerts.alert;
import static io.trainwatch.monitor.notify.Alerts.nan;
import static io.trainwatch.monitor.notify.Alerts.resolved;
import static io.trainwatch.monitor.notify.Alerts.with;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.trainwatch.alert.Severity;
import io.trainwatch.monitor.board.OpenCommands;
import io.trainwatch.monitor.notify.Page.Kind;
import io.trainwatch.monitor.notify.Receiver.Answer;
import io.trainwatch.monitor.topology.Broker;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Pages on their way from the alerts topic of a real broker to receivers that are well, busy, broken or away. */
class NotifierTest {
    private static final Duration LIMIT = Duration.ofSeconds(60);
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final AtomicInteger NUMBER = new AtomicInteger();

    @TempDir
    static Path dir;

    private static Broker broker;

    private final List<Receiver> receivers = new ArrayList<>();
    private AlertTopic topic;

    @BeforeAll
    static void startBroker() {
        broker = new Broker(dir.resolve("kafka"));
    }

    @AfterAll
    static void stopBroker() {
        broker.close();
    }

    @BeforeEach
    void makeTopics() {
        topic = new AlertTopic(broker, "t" + NUMBER.incrementAndGet() + ".");
    }

    @AfterEach
    void stopReceivers() {
        receivers.forEach(Receiver::close);
        topic.close();
    }

    @Test
    void a_page_arrives_at_every_sink_and_resolves_by_itself() {
        Receiver webhook = receiver();
        Receiver other = receiver();
        try (Notifier notifier = start(webhook("hook", webhook), webhook("other", other))) {
            topic.put(nan("r"));
            await().atMost(LIMIT)
                    .until(() -> webhook.taken().size() == 1 && other.taken().size() == 1);
            topic.put(resolved(nan("r")));
            await().atMost(LIMIT)
                    .until(() -> webhook.taken().size() == 2 && other.taken().size() == 2);

            assertThat(webhook.taken())
                    .extracting(request -> request.json().get("kind").asText())
                    .containsExactly("opened", "resolved");
            assertThat(keys(webhook)).hasSize(1).isNotEqualTo(keys(other));
            assertThat(notifier.counters().toldPages("hook", Kind.OPENED)).isEqualTo(1);
            assertThat(notifier.counters().toldPages("hook", Kind.RESOLVED)).isEqualTo(1);
        }
    }

    @Test
    void info_and_the_past_and_runs_that_ask_for_it_page_nobody() {
        Receiver webhook = receiver();
        try (Notifier notifier = start(webhook("hook", webhook))) {
            topic.put(alert("info", "loss_plateau", Severity.info));
            topic.put(with(nan("past"), past -> past.setHistorical(true)));
            topic.put(with(nan("off"), off -> off.setPaging("off")));
            topic.put(nan("last"));

            await().atMost(LIMIT).until(() -> !webhook.taken().isEmpty());
            assertThat(runs(webhook)).containsExactly("last");
            assertThat(notifier.counters().parkedPages("hook")).isZero();
        }
    }

    @Test
    void a_receiver_that_fails_in_every_way_gets_its_page_in_the_end_and_the_others_get_theirs_in_time() {
        List<Answer> failures = List.of(Answer.status(500), new Answer(429, "slow down", "1"), Answer.status(0));
        AtomicInteger calls = new AtomicInteger();
        Receiver broken = receiver().behaving(request -> {
            int call = calls.getAndIncrement();
            return call < failures.size() ? failures.get(call) : Answer.OK;
        });
        AtomicInteger hung = new AtomicInteger();
        Receiver hanging = receiver().behaving(request -> hung.getAndIncrement() == 0 ? Answer.status(-1) : Answer.OK);
        Receiver well = receiver();
        try (Notifier notifier = start(webhook("broken", broken), webhook("hanging", hanging), webhook("well", well))) {
            await().atMost(LIMIT).until(notifier::tellsAll);
            topic.put(nan("r"));

            await().atMost(LIMIT).untilAsserted(() -> assertThat(broken.taken()).hasSize(1));
            assertThat(broken.requests()).hasSize(4);
            // The third came no sooner than the second had asked for.
            assertThat(broken.requests().get(2).atMs()
                            - broken.requests().get(1).atMs())
                    .isGreaterThanOrEqualTo(1_000);
            assertThat(keysOfAll(broken)).hasSize(1);
            assertThat(well.taken()).hasSize(1);
            assertThat(well.taken().get(0).atMs())
                    .isLessThan(broken.taken().get(0).atMs());
            assertThat(notifier.counters().failedAttempts("broken")).isEqualTo(3);
            await().atMost(LIMIT).untilAsserted(() -> assertThat(hanging.taken()).hasSize(1));
            assertThat(keysOfAll(hanging)).hasSize(1);
            assertThat(notifier.counters().failedAttempts("hanging")).isEqualTo(1);
        }
    }

    @Test
    void a_page_that_is_refused_goes_to_the_parking_topic_with_the_reason_and_the_next_one_is_told() throws Exception {
        Receiver picky = receiver()
                .behaving(request ->
                        request.body().contains("\"bad\"") ? new Answer(400, "no such thing", null) : Answer.OK);
        try (Notifier notifier = start(webhook("hook", picky))) {
            topic.put(nan("bad"));
            topic.put(nan("good"));
            await().atMost(LIMIT).until(() -> picky.taken().size() == 1);
            assertThat(runs(picky)).containsExactly("good");
            await().atMost(LIMIT).until(() -> notifier.counters().parkedPages("hook") == 1);

            JsonNode parked = JSON.readTree(
                    broker.read(topic.topics().notifyParked()).get(0).value());
            assertThat(parked.get("sink").asText()).isEqualTo("hook");
            assertThat(parked.get("reason").asText()).isEqualTo("HTTP 400: no such thing");
            assertThat(parked.at("/page/alerts/0/run_id").asText()).isEqualTo("bad");
        }
    }

    @Test
    void many_runs_that_fail_together_are_few_pages_and_none_is_lost() {
        int runs = Integer.getInteger("trainwatch.test.fleet", 50);
        Receiver webhook = receiver();
        try (Notifier notifier = start(webhook("hook", webhook))) {
            await().atMost(LIMIT).until(notifier::tellsAll);
            for (int i = 0; i < runs; i++) {
                topic.put(nan("run-" + i));
            }
            // Four pages of their own at most, then one of the rest; who came too late for it waits for its update.
            await().atMost(LIMIT)
                    .untilAsserted(() ->
                            assertThat(notifier.counters().incidents("hook")).isEqualTo(5));
            await().during(Duration.ofSeconds(1))
                    .atMost(LIMIT)
                    .until(() -> webhook.taken().size() == 5);
            for (int i = 0; i < runs; i++) {
                topic.put(resolved(nan("run-" + i)));
            }
            await().atMost(LIMIT).until(() -> notifier.counters().incidents("hook") == 0);

            int told = webhook.taken().stream()
                    .map(Receiver.Request::json)
                    .filter(page -> page.get("kind").asText().equals("resolved"))
                    .mapToInt(page -> page.get("runs").asInt())
                    .sum();
            assertThat(told).isEqualTo(runs);
        }
    }

    @Test
    void a_restart_forgets_nothing_and_a_second_instance_stands_by_until_the_first_is_gone() {
        Receiver webhook = receiver();
        Notifier first = start(webhook("hook", webhook));
        try {
            topic.put(nan("r"));
            await().atMost(LIMIT).until(() -> webhook.taken().size() == 1);
        } finally {
            first.close();
        }
        topic.put(nan("s"));
        try (Notifier second = start(webhook("hook", webhook))) {
            await().atMost(LIMIT).until(() -> webhook.taken().size() == 2);
            try (Notifier third = start(webhook("hook", webhook))) {
                topic.put(resolved(nan("r")));
                await().atMost(LIMIT).until(() -> webhook.taken().size() == 3);
                assertThat(second.tellsAll()).isNotEqualTo(third.tellsAll());
            }
        }
        // What a change of readers tells twice has the same key and number.
        assertThat(webhook.taken().stream()
                        .map(Receiver.Request::json)
                        .map(page -> page.at("/alerts/0/run_id").asText() + " " + page.get("key") + page.get("number"))
                        .distinct())
                .hasSize(3);
        assertThat(keys(webhook)).hasSize(2);
    }

    @Test
    void the_heart_beats_while_the_monitor_judges_and_stops_when_it_does_not() {
        Receiver webhook = receiver();
        AtomicReference<Optional<String>> trouble = new AtomicReference<>(Optional.empty());
        NotifySettings settings = settings(webhook("hook", webhook));
        settings = new NotifySettings(
                settings.sinks(),
                settings.routes(),
                settings.grouping(),
                settings.rate(),
                null,
                settings.links(),
                new Heartbeat("hook", Duration.ofMillis(100)),
                settings.giveUpAfter(),
                settings.commands());
        try (Notifier notifier = Notifier.start(
                settings,
                topic.monitor(),
                new OpenCommands(InstantSource.system()),
                new Pulse(trouble::get, () -> 0, () -> 0))) {
            await().atMost(LIMIT).until(() -> notifier.counters().heartbeats("hook") >= 3);
            JsonNode beat = webhook.taken().get(0).json();
            assertThat(beat.get("type").asText()).isEqualTo("heartbeat");
            assertThat(beat.get("valid_until_ms").asLong() - beat.get("at_ms").asLong())
                    .isEqualTo(400);

            trouble.set(Optional.of("The brokers have not answered for 11 s."));
            await().atMost(LIMIT).until(() -> {
                long beats = notifier.counters().heartbeats("hook");
                Thread.sleep(1_200);
                return notifier.counters().heartbeats("hook") == beats;
            });
        }
    }

    @Test
    void a_monitor_that_does_not_judge_is_a_page_after_half_a_minute_and_resolves_also_after_a_restart() {
        Receiver webhook = receiver();
        AtomicReference<Optional<String>> trouble =
                new AtomicReference<>(Optional.of("The brokers have not answered for 11 s."));
        AtomicLong ahead = new AtomicLong();
        InstantSource clock = () -> Instant.now().plusMillis(ahead.get());
        Pulse pulse = new Pulse(trouble::get, () -> 0, () -> 0);
        try (Notifier notifier = start(clock, pulse, webhook("hook", webhook))) {
            await().atMost(LIMIT).until(notifier::tellsAll);
            topic.put(nan("r"));
            await().atMost(LIMIT).until(() -> webhook.taken().size() == 1);
            assertThat(runs(webhook)).containsExactly("r");

            ahead.addAndGet(31_000);
            await().atMost(LIMIT).until(() -> webhook.taken().size() == 2);
            JsonNode page = webhook.taken().get(1).json();
            assertThat(page.at("/alerts/0/detector").asText()).isEqualTo("monitor_stalled");
            assertThat(page.get("severity").asText()).isEqualTo("critical");
            assertThat(page.get("summary").asText())
                    .isEqualTo("The monitor " + topic.monitor().topicPrefix()
                            + "* does not judge: The brokers have not answered for 11 s. No run is watched until this is"
                            + " resolved. /health/ready and the log of the monitor say more.");
        }
        trouble.set(Optional.empty());
        try (Notifier restarted = start(clock, pulse, webhook("hook", webhook))) {
            await().atMost(LIMIT).until(() -> webhook.taken().size() == 3);
            assertThat(restarted.counters().toldPages("hook", Kind.RESOLVED)).isEqualTo(1);
        }
        assertThat(webhook.taken())
                .extracting(request -> request.json().get("kind").asText())
                .containsExactly("opened", "opened", "resolved");
    }

    @Test
    void a_broker_that_is_gone_keeps_no_page_about_it_from_being_told() {
        Receiver webhook = receiver();
        AtomicReference<Optional<String>> trouble = new AtomicReference<>(Optional.empty());
        AtomicLong ahead = new AtomicLong();
        Broker gone = new Broker(dir.resolve("gone"));
        try (AlertTopic alerts = new AlertTopic(gone, "gone.");
                Notifier notifier = Notifier.start(
                        settings(webhook("hook", webhook)),
                        alerts.monitor(),
                        new OpenCommands(InstantSource.system()),
                        new Pulse(trouble::get, () -> 0, () -> 0),
                        () -> Instant.now().plusMillis(ahead.get()))) {
            await().atMost(LIMIT).until(notifier::tellsAll);
            alerts.put(nan("r"));
            await().atMost(LIMIT).until(() -> webhook.taken().size() == 1);
            gone.close();

            trouble.set(Optional.of("The brokers have not answered for 11 s."));
            await().atMost(LIMIT).until(() -> {
                // The half minute begins when it is first looked at.
                ahead.addAndGet(10_000);
                return webhook.taken().size() == 2;
            });
            assertThat(webhook.taken().get(1).json().at("/alerts/0/detector").asText())
                    .isEqualTo("monitor_stalled");
        }
    }

    private Receiver receiver() {
        Receiver receiver = new Receiver();
        receivers.add(receiver);
        return receiver;
    }

    private Notifier start(SinkSettings... sinks) {
        return Notifier.start(settings(sinks), topic.monitor(), new OpenCommands(InstantSource.system()), null);
    }

    private Notifier start(InstantSource clock, Pulse pulse, SinkSettings... sinks) {
        return Notifier.start(settings(sinks), topic.monitor(), new OpenCommands(clock), pulse, clock);
    }

    private static NotifySettings settings(SinkSettings... sinks) {
        return NotifySettings.NOBODY.withSinks(List.of(sinks));
    }

    private static SinkSettings webhook(String name, Receiver to) {
        return new SinkSettings(name, new SinkSettings.Webhook(to.url("/hook"), null));
    }

    private static Set<String> keys(Receiver receiver) {
        Set<String> keys = new HashSet<>();
        receiver.taken().forEach(request -> keys.add(request.json().get("key").asText()));
        return keys;
    }

    private static Set<String> keysOfAll(Receiver receiver) {
        Set<String> keys = new HashSet<>();
        receiver.requests()
                .forEach(request -> keys.add(request.json().get("key").asText()));
        return keys;
    }

    private static List<String> runs(Receiver receiver) {
        return receiver.taken().stream()
                .map(request -> request.json().at("/alerts/0/run_id").asText())
                .toList();
    }
}
