package io.trainwatch.monitor.web;

import static io.trainwatch.monitor.board.SampleRuns.bare;
import static io.trainwatch.monitor.board.SampleRuns.full;
import static io.trainwatch.monitor.board.SampleRuns.snapshot;
import static io.trainwatch.monitor.board.SampleRuns.with;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.trainwatch.monitor.board.RunBoard;
import io.trainwatch.run.RunCondition;
import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class LiveApiTest {
    private static final String TOKEN = "0123456789abcdef0123456789abcdef";

    private final RunBoard board = new RunBoard();
    private final HttpClient client = HttpClient.newHttpClient();
    private final ObjectMapper json = new ObjectMapper();
    private Optional<String> notReady = Optional.empty();
    private WebServer server;

    @BeforeEach
    void start() throws IOException {
        server = serve(0, null);
    }

    private WebServer serve(int port, BearerToken token) throws IOException {
        return WebServer.start(
                new HttpSettings("127.0.0.1", port, token), board, new PrometheusRegistry(), () -> notReady, List.of());
    }

    @AfterEach
    void stop() {
        server.close();
    }

    @Test
    void a_quiet_fleet_sends_nothing_but_that_it_is_alive() throws Exception {
        board.publish(snapshot(bare("r1")));
        try (EventStream stream = follow("after=" + fleet().get("id").asText())) {
            EventStream.Event first = stream.next();
            assertThat(first.name()).isEqualTo("alive");
            assertThat(first.data().has("now_ms")).isTrue();
            assertThat(first.data().has("not_ready")).isFalse();
            assertThat(stream.within(Duration.ofMillis(400))).isNull();
        }
    }

    @Test
    void the_fleet_tells_of_each_run_where_it_is_and_what_is_worst() throws Exception {
        board.publish(snapshot(full("r1")));

        JsonNode fleet = fleet();
        assertThat(fleet.get("runs")).hasSize(1);
        assertThat(fleet.get("runs").get(0).toString())
                .isEqualTo("{\"run_id\":\"r1\",\"name\":\"resnet\",\"project\":\"vision\",\"model\":\"resnet-7\","
                        + "\"attempt\":0,\"condition\":\"running\",\"started_at_ms\":1763750000000,"
                        + "\"last_event_at_ms\":1763760000000,\"last_step\":100,\"max_steps\":1000,\"loss\":\"NaN\","
                        + "\"eval_loss\":2.5,\"warning\":1}");
    }

    @Test
    void what_changes_after_the_fleet_was_read_is_told_and_nothing_else() throws Exception {
        board.publish(snapshot(bare("r1")));
        String id = fleet().get("id").asText();
        board.publish(snapshot(bare("r2")));

        try (EventStream stream = follow("after=" + id)) {
            EventStream.Event news = stream.next("fleet");
            assertThat(news.data().get("runs").findValuesAsText("run_id")).containsExactly("r2");
            assertThat(news.data().get("alarm").asBoolean()).isTrue();

            board.publish(snapshot(with(bare("r1"), run -> run.setLastStep(7L))));
            EventStream.Event moved = stream.next("fleet");
            assertThat(moved.data().get("runs").get(0).get("last_step").asLong())
                    .isEqualTo(7);
            assertThat(moved.data().get("alarm").asBoolean()).isFalse();

            board.remove("r1");
            assertThat(stream.next("fleet").data().get("gone").toString()).isEqualTo("[\"r1\"]");
        }
    }

    @Test
    void a_client_that_comes_back_is_told_what_it_missed() throws Exception {
        board.publish(snapshot(bare("r1")));
        String last;
        try (EventStream stream = follow("after=" + fleet().get("id").asText())) {
            board.publish(snapshot(bare("r2")));
            last = stream.next("fleet").id();
        }
        board.publish(snapshot(bare("r3")));
        board.remove("r1");

        try (EventStream stream = follow("", "Last-Event-ID", last)) {
            EventStream.Event missed = stream.next("fleet");
            assertThat(missed.data().get("runs").findValuesAsText("run_id"))
                    .contains("r3")
                    .doesNotContain("r1");
            assertThat(missed.data().get("gone").toString()).isEqualTo("[\"r1\"]");
        }
    }

    @Test
    void after_another_life_of_the_monitor_a_client_has_to_look_at_the_whole_fleet_again() throws Exception {
        String id = fleet().get("id").asText();
        int port = server.port();
        server.close();
        server = serve(port, null);

        try (EventStream stream = follow("after=" + id)) {
            assertThat(stream.next().name()).isEqualTo("reset");
        }
    }

    @Test
    void one_run_can_be_followed_alone() throws Exception {
        board.publish(snapshot(bare("r1")));
        board.publish(snapshot(bare("r2")));
        try (EventStream stream = follow("run=r2")) {
            stream.next("alive");
            board.publish(snapshot(with(bare("r1"), run -> run.setLastStep(1L))));
            board.publish(snapshot(with(bare("r2"), run -> run.setLastStep(2L))));
            assertThat(stream.next("fleet").data().get("runs").findValuesAsText("run_id"))
                    .containsExactly("r2");
        }
        assertThat(get("/api/v1/stream?run=nobody").statusCode()).isEqualTo(404);
    }

    @Test
    void in_a_large_fleet_an_alarm_does_not_wait_for_the_numbers_of_the_others() throws Exception {
        for (int i = 0; i < 2_000; i++) {
            board.publish(snapshot(bare("run " + i)));
        }
        try (EventStream stream = follow("after=" + fleet().get("id").asText())) {
            stream.next("alive");
            for (int i = 0; i < 2_000; i++) {
                long step = i;
                board.publish(snapshot(with(bare("run " + i), run -> run.setLastStep(step))));
            }
            int rows = 0;
            while (rows < 2_000) {
                rows += stream.next("fleet").data().get("runs").size();
            }
            // All of them went, so the next ordinary rows are due in 4 s; this one is not ordinary.
            long before = System.nanoTime();
            board.publish(snapshot(with(bare("run 7"), run -> run.setLastStep(8L))));
            board.publish(snapshot(with(bare("run 9"), run -> run.setCondition(RunCondition.failed))));
            EventStream.Event alarm = stream.next("fleet");
            assertThat(alarm.data().get("runs").findValuesAsText("run_id")).containsExactly("run 9");
            assertThat(alarm.data().get("alarm").asBoolean()).isTrue();
            assertThat(Duration.ofNanos(System.nanoTime() - before)).isLessThan(Duration.ofSeconds(2));
        }
    }

    @Test
    void the_reason_why_the_monitor_does_not_judge_is_told() throws Exception {
        notReady = Optional.of("joining the group");
        assertThat(fleet().get("not_ready").asText()).isEqualTo("joining the group");
        try (EventStream stream = follow("")) {
            assertThat(stream.next("alive").data().get("not_ready").asText()).isEqualTo("joining the group");
        }
    }

    @Test
    void a_client_that_reads_nothing_holds_up_neither_the_others_nor_the_board() throws Exception {
        try (Socket deaf = new Socket(InetAddress.getLoopbackAddress(), server.port());
                EventStream stream = follow("")) {
            deaf.setReceiveBufferSize(1_024);
            deaf.getOutputStream()
                    .write("GET /api/v1/stream HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n"
                            .getBytes(StandardCharsets.US_ASCII));
            stream.next("alive");
            // 500 kB a round: more than the system keeps for a client that does not read.
            for (int round = 0; round < 15; round++) {
                RunCondition condition = round % 2 == 0 ? RunCondition.silent : RunCondition.running;
                for (int i = 0; i < 2_000; i++) {
                    board.publish(snapshot(with(full("run " + i), run -> run.setCondition(condition))));
                }
                int rows = 0;
                while (rows < 2_000) {
                    rows += stream.next("fleet").data().get("runs").size();
                }
            }
        }
    }

    @Test
    void clients_beyond_the_limit_are_refused_and_a_place_is_free_again_when_one_leaves() throws Exception {
        List<EventStream> streams = new ArrayList<>();
        for (int i = 0; i < LiveApi.MAX_CLIENTS; i++) {
            streams.add(follow(""));
        }
        HttpResponse<String> refused = send(request("/api/v1/stream").header("Accept", "text/event-stream"));
        assertThat(refused.statusCode()).isEqualTo(503);
        assertThat(refused.headers().firstValue("Retry-After")).hasValue("10");
        assertThat(get("/api/v1/runs").statusCode())
                .as("none of them holds a thread of HTTP")
                .isEqualTo(200);

        for (EventStream stream : streams) {
            stream.close();
        }
        board.publish(snapshot(bare("r1")));
        Awaitility.await().atMost(Duration.ofSeconds(20)).until(() -> {
            board.publish(snapshot(bare("r1")));
            try (EventStream stream = EventStream.open(client, request("/api/v1/stream"))) {
                return stream.status() == 200;
            }
        });
    }

    @Test
    void without_accept_the_stream_says_what_it_is() throws Exception {
        HttpResponse<String> answer = get("/api/v1/stream");
        assertThat(answer.statusCode()).isEqualTo(406);
        assertThat(answer.body()).contains("send 'Accept: text/event-stream'");
    }

    @Test
    void a_browser_swaps_the_token_for_a_cookie_that_outlives_a_restart() throws Exception {
        int port = server.port();
        server.close();
        server = serve(port, new BearerToken(TOKEN));
        assertThat(get("/").statusCode())
                .as("the page, which asks for the token")
                .isEqualTo(200);
        assertThat(get("/page/app.js").statusCode()).isEqualTo(200);
        assertThat(get("/api/v1/fleet").statusCode()).isEqualTo(401);
        assertThat(login("{\"token\":\"wrong-wrong-wrong\"}").statusCode()).isEqualTo(403);
        assertThat(login("nonsense").statusCode()).isEqualTo(400);

        HttpResponse<String> in = login("{\"token\":\"" + TOKEN + "\"}");
        assertThat(in.statusCode()).isEqualTo(204);
        String cookie = in.headers().firstValue("Set-Cookie").orElseThrow();
        assertThat(cookie)
                .matches("trainwatch_session=\\d+\\.[\\w-]{43}; Path=/; HttpOnly; SameSite=Strict; Max-Age=2592000")
                .doesNotContain(TOKEN);
        String session = cookie.substring(0, cookie.indexOf(';'));
        assertThat(statusWith(session)).isEqualTo(200);
        assertThat(statusWith(session.replaceFirst("=\\d", "=9")))
                .as("a later end is another signature")
                .isEqualTo(401);
        assertThat(statusWith("trainwatch_session=.")).isEqualTo(401);

        server.close();
        server = serve(port, new BearerToken(TOKEN));
        assertThat(statusWith(session)).isEqualTo(200);
        assertThat(send(request("/logout")
                                .header("Cookie", session)
                                .header("Origin", "https://elsewhere.example")
                                .POST(HttpRequest.BodyPublishers.noBody()))
                        .statusCode())
                .as("a page of another site uses no cookie of ours")
                .isEqualTo(403);

        server.close();
        server = serve(port, new BearerToken("f" + TOKEN.substring(1)));
        assertThat(statusWith(session)).as("another token makes it void").isEqualTo(401);
    }

    @Test
    void the_files_of_the_page_are_sent_once() throws Exception {
        HttpResponse<String> first = get("/page/page.css");
        assertThat(first.headers().firstValue("Content-Type")).hasValue("text/css; charset=utf-8");
        assertThat(first.headers().firstValue("Cache-Control")).hasValue("no-cache");
        String etag = first.headers().firstValue("ETag").orElseThrow();

        HttpResponse<String> again = send(request("/page/page.css").header("If-None-Match", etag));
        assertThat(again.statusCode()).isEqualTo(304);
        assertThat(again.body()).isEmpty();
        assertThat(send(request("/page/echarts.js").header("Accept-Encoding", "gzip"))
                        .headers()
                        .firstValue("Content-Encoding"))
                .hasValue("gzip");
        assertThat(get("/page/%2e%2e").statusCode()).isIn(400, 404);
        assertThat(get("/page/nothing.js").statusCode()).isEqualTo(404);
    }

    private int statusWith(String cookie) throws Exception {
        return send(request("/api/v1/fleet").header("Cookie", cookie)).statusCode();
    }

    private HttpResponse<String> login(String body) throws Exception {
        return send(request("/login").POST(HttpRequest.BodyPublishers.ofString(body)));
    }

    private JsonNode fleet() throws Exception {
        return json.readTree(get("/api/v1/fleet").body());
    }

    private HttpResponse<String> get(String path) throws Exception {
        return send(request(path));
    }

    private HttpRequest.Builder request(String path) {
        return HttpRequest.newBuilder(URI.create(server.url() + path));
    }

    private HttpResponse<String> send(HttpRequest.Builder request) throws Exception {
        return client.send(request.build(), HttpResponse.BodyHandlers.ofString());
    }

    private EventStream follow(String query, String... headers) throws Exception {
        HttpRequest.Builder request = request("/api/v1/stream?" + query);
        if (headers.length > 0) {
            request.headers(headers);
        }
        EventStream stream = EventStream.open(client, request);
        assertThat(stream.status()).isEqualTo(200);
        return stream;
    }
}
