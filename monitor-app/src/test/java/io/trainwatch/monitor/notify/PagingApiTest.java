package io.trainwatch.monitor.notify;

import static io.trainwatch.monitor.notify.Alerts.nan;
import static io.trainwatch.monitor.notify.Alerts.with;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.trainwatch.monitor.board.OpenCommands;
import io.trainwatch.monitor.board.RunBoard;
import io.trainwatch.monitor.notify.CommandSettings.Policy;
import io.trainwatch.monitor.topology.Broker;
import io.trainwatch.monitor.web.HttpSettings;
import io.trainwatch.monitor.web.WebServer;
import io.trainwatch.run.Command;
import io.trainwatch.run.CommandAction;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.time.InstantSource;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What people say through HTTP: acknowledge, silence, approve; against a real broker. */
class PagingApiTest {
    private static final Duration LIMIT = Duration.ofSeconds(60);
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final AtomicLong NOW = new AtomicLong(Alerts.T0);
    private static final InstantSource CLOCK = () -> java.time.Instant.ofEpochMilli(NOW.get());
    private static final CommandSettings COMMANDS = new CommandSettings(
            Map.of("non_finite_loss", Policy.ASK), Duration.ofHours(1), new Secret("0123456789abcdef"));

    @TempDir
    static Path dir;

    private static Broker broker;
    private static AlertTopic topic;
    private static NotifyState state;
    private static WebServer server;
    private static final OpenCommands open = new OpenCommands(CLOCK);
    private static final NotifyCounters counters = new NotifyCounters();

    @BeforeAll
    static void start() throws IOException {
        broker = new Broker(dir.resolve("kafka"));
        topic = new AlertTopic(broker, "api.");
        Map<String, Object> client = Map.of("bootstrap.servers", topic.monitor().bootstrapServers());
        state = new NotifyState(client, topic.topics().notifyState());
        Commander commander = new Commander(
                COMMANDS, topic.topics().commands(), NotifyState.producer(client), open, state, counters, CLOCK);
        server = WebServer.start(
                new HttpSettings("127.0.0.1", 0, null),
                new RunBoard(),
                new PrometheusRegistry(),
                Optional::empty,
                List.of(new PagingApi(state, CLOCK), new Approvals(COMMANDS, state, commander, counters, CLOCK)));
    }

    @AfterAll
    static void stop() throws Exception {
        for (AutoCloseable part : new AutoCloseable[] {server, state, topic, broker}) {
            if (part != null) {
                part.close();
            }
        }
    }

    @Test
    void a_silence_is_made_listed_known_elsewhere_ended_and_expires() throws Exception {
        HttpResponse<String> made = ask(
                "POST",
                "/api/v1/silences",
                "{\"project\":\"vis*\",\"for\":\"2h\",\"by\":\"anna\",\"comment\":\"known\"}");
        assertThat(made.statusCode()).isEqualTo(201);
        String id = JSON.readTree(made.body()).get("id").asText();
        assertThat(state.isSilenced(nan("r"), NOW.get())).isTrue();
        assertThat(state.isSilenced(with(nan("r"), other -> other.setProject("text")), NOW.get())).isFalse();
        assertThat(ask("GET", "/api/v1/silences", null).body()).contains(id, "\"created_by\":\"anna\"");
        try (NotifyState elsewhere = new NotifyState(
                Map.of("bootstrap.servers", topic.monitor().bootstrapServers()),
                topic.topics().notifyState())) {
            assertThat(elsewhere.catchUp()).isTrue();
            assertThat(elsewhere.isSilenced(nan("r"), NOW.get())).isTrue();
        }
        assertThat(state.isSilenced(nan("r"), NOW.get() + Duration.ofHours(2).toMillis())).isFalse();

        assertThat(ask("DELETE", "/api/v1/silences/" + id, null).statusCode()).isEqualTo(204);
        assertThat(state.isSilenced(nan("r"), NOW.get())).isFalse();
        assertThat(ask("DELETE", "/api/v1/silences/" + id, null).statusCode()).isEqualTo(404);
    }

    @Test
    void an_acknowledgement_holds_for_four_hours_unless_said_otherwise() throws Exception {
        String alert = nan("acknowledged").getAlertId();
        assertThat(ask("POST", "/api/v1/alerts/" + alert + "/acknowledge", "").statusCode())
                .isEqualTo(200);

        assertThat(state.acknowledgedAtMs(
                        nan("acknowledged"), NOW.get() + Duration.ofMinutes(239).toMillis()))
                .hasValue(NOW.get());
        assertThat(state.acknowledgedAtMs(nan("acknowledged"), NOW.get() + Duration.ofHours(4).toMillis()))
                .isEmpty();
        assertThat(ask("GET", "/api/v1/acknowledgements", null).body()).contains(alert);
    }

    @Test
    void what_cannot_be_meant_is_refused_with_what_is_allowed() throws Exception {
        assertThat(ask("POST", "/api/v1/silences", "{}").body())
                .contains("a silence for nothing: give project, run_id or detector");
        assertThat(ask("POST", "/api/v1/silences", "{\"projct\":\"a\"}").body())
                .contains("unknown field 'projct'; allowed: by, comment, detector, for, project, run_id");
        assertThat(ask("POST", "/api/v1/silences", "{\"project\":\"a\",\"for\":\"forever\"}")
                        .body())
                .contains("for is 'forever', allowed is a duration, 1m to 30d");
        assertThat(ask("POST", "/api/v1/silences", "{\"project\":7}").body()).contains("project must be a text");
        assertThat(ask("POST", "/api/v1/silences", "[").statusCode()).isEqualTo(400);
        assertThat(ask("POST", "/api/v1/alerts/nope/acknowledge", "").body()).contains("'nope' is no alert_id");
    }

    @Test
    void an_approval_gives_its_command_once_and_looking_at_it_gives_none() throws Exception {
        String path = approval("approved-run");
        HttpResponse<String> shown = ask("GET", path, null);
        assertThat(shown.statusCode()).isEqualTo(200);
        assertThat(shown.body()).contains("Tell the trainer to write a checkpoint of and stop run approved-run?");
        assertThat(open.of("approved-run")).isEmpty();

        assertThat(ask("POST", path, "").statusCode()).isEqualTo(200);
        Command given = open.of("approved-run").get(0);
        assertThat(given.getAction()).isEqualTo(CommandAction.checkpoint_then_stop);
        assertThat(broker.read(topic.topics().commands()))
                .extracting(record -> new String(record.key(), StandardCharsets.UTF_8))
                .contains("approved-run");

        open.remove("approved-run");
        assertThat(ask("POST", path, "").statusCode()).isEqualTo(409);
        assertThat(open.of("approved-run")).isEmpty();
        assertThat(counters.approvals("approved")).isEqualTo(1);
        assertThat(counters.approvals("used")).isEqualTo(1);
    }

    @Test
    void a_forged_or_expired_approval_does_nothing_and_is_counted() throws Exception {
        String path = approval("forged-run");
        char last = path.charAt(path.length() - 2);
        String forged =
                path.substring(0, path.length() - 2) + (last == 'A' ? 'B' : 'A') + path.charAt(path.length() - 1);
        long before = counters.approvals("forged");
        for (String bad : List.of(forged, "/approve/x", "/approve/a.b", path.replace("/approve/", "/approve/A"))) {
            assertThat(ask("POST", bad, "").statusCode()).as(bad).isEqualTo(403);
        }
        assertThat(counters.approvals("forged")).isEqualTo(before + 4);

        NOW.addAndGet(Duration.ofHours(1).toMillis());
        try {
            assertThat(ask("POST", path, "").statusCode()).isEqualTo(410);
            assertThat(counters.approvals("expired")).isEqualTo(1);
        } finally {
            NOW.addAndGet(-Duration.ofHours(1).toMillis());
        }
        assertThat(open.of("forged-run")).isEmpty();
    }

    @Test
    void without_a_policy_that_asks_a_page_offers_nothing_to_approve() {
        assertThat(Approvals.links(CommandSettings.NONE, links(), CLOCK, nan("r")))
                .isEmpty();
        assertThat(Approvals.links(COMMANDS, Links.NONE, CLOCK, nan("r"))).isEmpty();
        assertThat(Approvals.links(COMMANDS, links(), CLOCK, nan("r"))).hasSize(2);
    }

    @Test
    void the_topic_has_what_was_said() throws Exception {
        await().atMost(LIMIT).until(() -> state.catchUp());
        for (var record : broker.read(topic.topics().notifyState())) {
            if (new String(record.key(), StandardCharsets.UTF_8).startsWith("silence/") && record.value() != null) {
                JsonNode silence = JSON.readTree(record.value());
                assertThat(silence.get("expires_at_ms").asLong())
                        .isGreaterThan(silence.get("created_at_ms").asLong());
            }
        }
    }

    private static Links links() {
        return new Links(URI.create(server.url()), null, null);
    }

    private static String approval(String runId) {
        return Approvals.links(COMMANDS, links(), CLOCK, nan(runId))
                .get(0)
                .address()
                .getPath();
    }

    private static HttpResponse<String> ask(String method, String path, String body)
            throws IOException, InterruptedException {
        return HttpClient.newHttpClient()
                .send(
                        HttpRequest.newBuilder(URI.create(server.url() + path))
                                .method(method, body == null ? BodyPublishers.noBody() : BodyPublishers.ofString(body))
                                .build(),
                        BodyHandlers.ofString());
    }
}
