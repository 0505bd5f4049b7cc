package io.trainwatch.monitor.web;

import static io.trainwatch.monitor.board.SampleRuns.bare;
import static io.trainwatch.monitor.board.SampleRuns.snapshot;
import static io.trainwatch.monitor.board.SampleRuns.with;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.trainwatch.monitor.board.RunBoard;
import java.io.IOException;
import java.net.ServerSocket;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArraySet;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Two instances of one monitor, as Kafka would know them. */
class PeersTest {
    private static final BearerToken TOKEN = new BearerToken("0123456789abcdef0123456789abcdef");

    private final HttpClient client = HttpClient.newHttpClient();
    private final ObjectMapper json = new ObjectMapper();
    private final Map<String, String> judges = new LinkedHashMap<>();
    private final Set<String> addresses = new CopyOnWriteArraySet<>();
    private final RunBoard here = new RunBoard();
    private final RunBoard there = new RunBoard();
    private WebServer first;
    private WebServer second;

    @BeforeEach
    void start() throws IOException {
        first = serve(here);
        second = serve(there);
        addresses.add(address(first));
        addresses.add(address(second));
    }

    @AfterEach
    void stop() {
        first.close();
        second.close();
    }

    private WebServer serve(RunBoard board) throws IOException {
        return serve(board, 0);
    }

    private WebServer serve(RunBoard board, int port) throws IOException {
        WebServer[] self = new WebServer[1];
        Peers.Directory directory = new Peers.Directory() {
            @Override
            public Optional<String> judgeOf(String runId) {
                return Optional.ofNullable(judges.get(runId)).filter(judge -> !judge.equals(address(self[0])));
            }

            @Override
            public Set<String> others() {
                Set<String> others = new LinkedHashSet<>(addresses);
                others.remove(address(self[0]));
                return others;
            }
        };
        self[0] = WebServer.start(
                new HttpSettings("127.0.0.1", port, TOKEN),
                board,
                new PrometheusRegistry(),
                Optional::empty,
                directory,
                List.of());
        return self[0];
    }

    @Test
    void a_run_of_this_instance_and_one_that_nobody_judges_are_answered_here() throws Exception {
        here.publish(snapshot(bare("mine")));
        assertThat(get(first, "/api/v1/runs/mine").statusCode()).isEqualTo(200);
        assertThat(get(first, "/api/v1/runs/unknown").statusCode()).isEqualTo(404);
        assertThat(get(first, "/api/v1/runs?limit=1").headers().firstValue(Peers.MISSING))
                .isEmpty();
    }

    @Test
    void a_run_of_another_instance_is_asked_there_whatever_its_name() throws Exception {
        there.publish(snapshot(bare("a/b+c %")));
        judges.put("a/b+c %", address(second));
        HttpResponse<String> run = get(first, "/api/v1/runs/a%2Fb%2Bc%20%25");
        assertThat(run.statusCode()).as(run.body()).isEqualTo(200);
        assertThat(json.readTree(run.body()).at("/run/run_id").asText()).isEqualTo("a/b+c %");
        HttpResponse<String> series = get(first, "/api/v1/runs/a%2Fb%2Bc%20%25/series/none?points=3");
        assertThat(series.statusCode()).isEqualTo(404);
        assertThat(series.body()).contains("has no series 'none'");
    }

    @Test
    void a_run_that_moved_meanwhile_is_not_asked_in_a_circle() throws Exception {
        judges.put("moving", address(second));
        HttpRequest asked = request(first, "/api/v1/runs/moving")
                .header(Peers.FORWARDED, "1")
                .build();
        assertThat(client.send(asked, HttpResponse.BodyHandlers.ofString()).statusCode())
                .isEqualTo(404);
        assertThat(get(first, "/api/v1/runs/moving").statusCode()).isEqualTo(404);
    }

    @Test
    void pages_of_runs_go_over_all_instances_without_a_gap_or_a_repetition() throws Exception {
        for (int i = 0; i < 7; i++) {
            long startedAtMs = i / 2;
            (i % 3 == 0 ? there : here)
                    .publish(snapshot(with(bare("run-" + i), run -> run.setStartedAtMs(startedAtMs))));
        }
        List<String> ids = new ArrayList<>();
        String after = "";
        while (after != null) {
            JsonNode page = json.readTree(
                    get(first, "/api/v1/runs?limit=3&after=" + after).body());
            page.get("runs").forEach(run -> ids.add(run.get("run_id").asText()));
            after = page.has("next") ? page.get("next").asText() : null;
        }
        assertThat(ids).containsExactly("run-6", "run-4", "run-5", "run-2", "run-3", "run-0", "run-1");
    }

    @Test
    void an_instance_that_is_away_is_named_and_fails_only_what_it_has() throws Exception {
        String gone;
        try (ServerSocket free = new ServerSocket(0)) {
            gone = "127.0.0.1:" + free.getLocalPort();
        }
        addresses.add(gone);
        judges.put("theirs", gone);
        here.publish(snapshot(bare("mine")));
        there.publish(snapshot(bare("others")));

        HttpResponse<String> runs = get(first, "/api/v1/runs");
        assertThat(json.readTree(runs.body()).get("runs")).hasSize(2);
        assertThat(runs.headers().firstValue(Peers.MISSING)).hasValue(gone);
        HttpResponse<String> theirs = get(first, "/api/v1/runs/theirs");
        assertThat(theirs.statusCode()).isEqualTo(502);
        assertThat(theirs.body()).contains("the instance at " + gone + " judges this run and does not answer");
    }

    @Test
    void the_fleet_has_the_runs_of_all_instances_and_the_stream_tells_what_changes_anywhere() throws Exception {
        here.publish(snapshot(bare("mine")));
        there.publish(snapshot(bare("theirs")));

        JsonNode fleet = fleet(first);
        assertThat(fleet.get("runs").findValuesAsText("run_id")).containsExactly("mine");
        assertThat(fleet.get("others")).hasSize(1);
        assertThat(fleet.at("/others/0/instance").asText()).isEqualTo(address(second));
        assertThat(fleet.at("/others/0/runs").findValuesAsText("run_id")).containsExactly("theirs");

        there.publish(snapshot(bare("between")));
        String last;
        try (EventStream stream = follow(first, fleet.get("id").asText())) {
            JsonNode missed = stream.next("fleet").data();
            assertThat(missed.get("instance").asText()).isEqualTo(address(second));
            assertThat(missed.get("runs").findValuesAsText("run_id")).containsExactly("between");
            assertThat(missed.get("alarm").asBoolean()).isTrue();

            here.publish(snapshot(bare("here")));
            JsonNode own = stream.next("fleet").data();
            assertThat(own.has("instance")).isFalse();
            assertThat(own.get("runs").findValuesAsText("run_id")).containsExactly("here");

            there.remove("theirs");
            EventStream.Event left = stream.next("fleet");
            assertThat(left.data().get("gone").toString()).isEqualTo("[\"theirs\"]");
            last = left.id();
        }
        there.publish(snapshot(bare("while away")));
        try (EventStream stream = follow(first, last)) {
            JsonNode told = stream.next("fleet").data();
            // What is urgent goes before its turn, and once more when the turn of the numbers comes.
            while (!told.has("instance")) {
                told = stream.next("fleet").data();
            }
            assertThat(told.get("runs").findValuesAsText("run_id"))
                    .as("it goes on where it ended, there as well as here")
                    .contains("while away")
                    .doesNotContain("theirs");
        }
    }

    @Test
    void one_run_is_followed_wherever_it_is_judged() throws Exception {
        there.publish(snapshot(bare("a/b+c")));
        there.publish(snapshot(bare("another")));
        judges.put("a/b+c", address(second));

        try (EventStream stream = EventStream.open(client, request(first, "/api/v1/stream?run=a%2Fb%2Bc"))) {
            assertThat(stream.next().name()).isEqualTo("alive");
            Awaitility.await().until(() -> {
                there.publish(snapshot(bare("another")));
                there.publish(snapshot(bare("a/b+c")));
                EventStream.Event told = stream.within(Duration.ofMillis(300));
                return told != null && told.name().equals("fleet");
            });
        }
        assertThat(get(first, "/api/v1/stream?run=nobodys").statusCode()).isEqualTo(404);
    }

    @Test
    void an_instance_that_comes_or_leaves_makes_everybody_look_again() throws Exception {
        addresses.remove(address(second));
        JsonNode alone = fleet(first);
        assertThat(alone.has("others")).isFalse();

        try (EventStream stream = follow(first, alone.get("id").asText())) {
            assertThat(stream.next().name()).isEqualTo("alive");
            addresses.add(address(second));
            stream.next("reset");
        }
        try (EventStream stream = follow(first, alone.get("id").asText())) {
            assertThat(stream.next().name()).isEqualTo("reset");
        }
    }

    @Test
    void an_instance_that_does_not_answer_is_told_and_heard_again_when_it_is_back() throws Exception {
        int port = second.port();
        second.close();
        here.publish(snapshot(bare("mine")));

        JsonNode fleet = fleet(first);
        assertThat(fleet.get("runs").findValuesAsText("run_id")).containsExactly("mine");
        assertThat(fleet.at("/others/0/runs")).isEmpty();
        try (EventStream stream = follow(first, fleet.get("id").asText())) {
            Awaitility.await()
                    .until(() -> stream.next("alive")
                            .data()
                            .at("/others_not_ready/127.0.0.1:" + port)
                            .asText()
                            .equals("does not answer"));
            second = serve(there, port);
            stream.next("reset");
        }
    }

    private EventStream follow(WebServer server, String after) throws Exception {
        return EventStream.open(
                client, request(server, "/api/v1/stream?after=" + URLEncoder.encode(after, StandardCharsets.UTF_8)));
    }

    private JsonNode fleet(WebServer server) throws Exception {
        return json.readTree(get(server, "/api/v1/fleet").body());
    }

    private static String address(WebServer server) {
        return "127.0.0.1:" + server.port();
    }

    private HttpResponse<String> get(WebServer server, String path) throws Exception {
        return client.send(request(server, path).build(), HttpResponse.BodyHandlers.ofString());
    }

    private static HttpRequest.Builder request(WebServer server, String path) {
        return HttpRequest.newBuilder(URI.create(server.url() + path))
                .header("Authorization", "Bearer 0123456789abcdef0123456789abcdef");
    }
}
