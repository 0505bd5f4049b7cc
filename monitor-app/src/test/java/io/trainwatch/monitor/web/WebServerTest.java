package io.trainwatch.monitor.web;

import static io.trainwatch.monitor.board.SampleRuns.alert;
import static io.trainwatch.monitor.board.SampleRuns.bare;
import static io.trainwatch.monitor.board.SampleRuns.full;
import static io.trainwatch.monitor.board.SampleRuns.snapshot;
import static io.trainwatch.monitor.board.SampleRuns.with;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.javalin.config.RoutesConfig;
import io.prometheus.metrics.core.metrics.Gauge;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.trainwatch.alert.Alert;
import io.trainwatch.alert.AlertState;
import io.trainwatch.alert.Severity;
import io.trainwatch.monitor.board.RunBoard;
import io.trainwatch.monitor.judge.RunSnapshot;
import io.trainwatch.monitor.run.Milestone;
import io.trainwatch.monitor.run.RunKind;
import io.trainwatch.monitor.run.SeriesSnapshot;
import io.trainwatch.monitor.run.SeriesSnapshot.Bucket;
import io.trainwatch.run.RunCondition;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.Socket;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class WebServerTest {
    private static final String TOKEN = "0123456789abcdef0123456789abcdef";

    private static final RunBoard board = new RunBoard();
    private static final PrometheusRegistry metrics = new PrometheusRegistry();
    private static Optional<String> notReady = Optional.empty();
    private static WebServer server;

    private final HttpClient client = HttpClient.newHttpClient();
    private final ObjectMapper json = new ObjectMapper();

    @BeforeAll
    static void start() throws IOException {
        server = WebServer.start(
                new HttpSettings("127.0.0.1", 0, null),
                board,
                metrics,
                () -> notReady,
                List.of(WebServerTest::changes));
    }

    @AfterAll
    static void stop() {
        server.close();
    }

    @BeforeEach
    void forgetAll() {
        board.runs().forEach(run -> board.remove(run.status().getRunId()));
        metrics.clear();
        notReady = Optional.empty();
    }

    @Test
    void an_empty_monitor_answers_empty_lists() throws Exception {
        assertThat(get("/api/v1/runs").body()).isEqualTo("{\"runs\":[]}");
        assertThat(get("/api/v1/alerts").body()).isEqualTo("{\"alerts\":[]}");
    }

    @Test
    void a_live_monitor_is_ready_only_while_it_judges() throws Exception {
        assertThat(get("/health/live").statusCode()).isEqualTo(200);
        assertThat(get("/health/ready").body()).isEqualTo("{\"status\":\"ready\"}");

        notReady = Optional.of("the topology is REBALANCING");
        assertThat(get("/health/live").statusCode()).isEqualTo(200);
        assertProblem(get("/health/ready"), 503, "the topology is REBALANCING");
    }

    @Test
    void metrics_come_as_prometheus_text_or_open_metrics_as_the_scraper_asks() throws Exception {
        Gauge.builder().name("a_gauge").help("help").register(metrics).set(Double.NaN);

        HttpResponse<String> text = get("/metrics");
        assertThat(text.headers().firstValue("Content-Type")).hasValue("text/plain; version=0.0.4; charset=utf-8");
        assertThat(text.body()).isEqualTo("# HELP a_gauge help\n# TYPE a_gauge gauge\na_gauge NaN\n");

        HttpResponse<String> open =
                send(request("/metrics").header("Accept", "application/openmetrics-text; version=1.0.0"));
        assertThat(open.headers().firstValue("Content-Type"))
                .hasValue("application/openmetrics-text; version=1.0.0; charset=utf-8");
        assertThat(open.body()).isEqualTo("# TYPE a_gauge gauge\n# HELP a_gauge help\na_gauge NaN\n# EOF\n");
    }

    @Test
    void runs_are_paged_from_the_latest_start_without_a_gap_or_a_repetition() throws Exception {
        for (int i = 0; i < 7; i++) {
            long startedAtMs = i / 2;
            board.publish(snapshot(with(bare("run " + i), run -> run.setStartedAtMs(startedAtMs))));
        }

        List<String> ids = new ArrayList<>();
        String after = "";
        int pages = 0;
        while (after != null) {
            JsonNode page = tree(get("/api/v1/runs?limit=3&after=" + encode(after)));
            page.get("runs").forEach(run -> ids.add(run.get("run_id").asText()));
            after = page.has("next") ? page.get("next").asText() : null;
            pages++;
        }
        assertThat(ids).containsExactly("run 6", "run 4", "run 5", "run 2", "run 3", "run 0", "run 1");
        assertThat(pages).isEqualTo(3);
    }

    @Test
    void runs_are_filtered_by_project_and_condition() throws Exception {
        board.publish(snapshot(with(bare("a"), run -> run.setProject("vision"))));
        board.publish(snapshot(with(bare("b"), run -> run.setCondition(RunCondition.failed))));
        board.publish(snapshot(with(bare("c"), run -> run.setCondition(RunCondition.killed))));

        assertThat(ids("/api/v1/runs?project=vision")).containsExactly("a");
        assertThat(ids("/api/v1/runs?condition=failed,killed")).containsExactly("b", "c");
        assertThat(ids("/api/v1/runs?project=other")).isEmpty();
    }

    @Test
    void outliers_of_a_project_are_told_with_how_many_runs_were_compared() throws Exception {
        for (int i = 0; i < 7; i++) {
            double loss = i == 6 ? 3 : 2 + i / 1000.0;
            List<Bucket> buckets = new ArrayList<>();
            for (int step = 1; step <= 100; step++) {
                buckets.add(new Bucket(step, loss, loss, loss));
            }
            board.publish(snapshot(full("run " + i), new SeriesSnapshot("loss", 100, loss, buckets)));
        }

        JsonNode view = tree(get("/api/v1/projects/vision/outliers"));
        assertThat(view.get("compared").asInt()).isEqualTo(7);
        assertThat(view.get("outliers")).hasSize(1);
        JsonNode outlier = view.get("outliers").get(0);
        assertThat(outlier.get("run_id").asText()).isEqualTo("run 6");
        assertThat(outlier.get("side").asText()).isEqualTo("worse");
        assertThat(outlier.get("median_of_siblings").asDouble()).isEqualTo(2.0025, within(1e-6));
        assertThat(outlier.get("siblings").asInt()).isEqualTo(6);
        assertThat(get("/api/v1/projects/other/outliers").body())
                .isEqualTo("{\"project\":\"other\",\"compared\":0,\"not_compared\":0,\"outliers\":[]}");
    }

    @Test
    void one_run_tells_its_status_and_series_and_nan_is_a_string() throws Exception {
        board.publish(snapshot(full("r1"), new SeriesSnapshot("loss", 100, Double.NaN, List.of())));

        JsonNode run = tree(get("/api/v1/runs/r1"));
        assertThat(run.get("run").get("loss").asText()).isEqualTo("NaN");
        assertThat(run.get("run").get("grad_norm").asText()).isEqualTo("Infinity");
        assertThat(run.get("run").get("not_checked").toString())
                .isEqualTo("[{\"detector\":\"label_drift\",\"missing\":\"batch_stats\"}]");
        assertThat(run.get("series").toString()).isEqualTo("[{\"name\":\"loss\",\"points\":100,\"last\":\"NaN\"}]");
    }

    @Test
    void the_story_of_a_run_has_its_milestones_and_its_episodes_in_time_order() throws Exception {
        Alert ended = alert("a1", "r1", Severity.warning, AlertState.resolved, 3_000);
        ended.setLastStep(30L);
        board.publish(new RunSnapshot(
                bare("r1"),
                Map.of(),
                List.of(ended),
                List.of(
                        new Milestone(Milestone.Kind.STARTED, 0, -1, 500, "resnet"),
                        new Milestone(Milestone.Kind.RESUMED, 0, 20, 2_000, "back from step 25 to step 20")),
                7,
                RunKind.UNKNOWN));

        assertThat(get("/api/v1/runs/r1/story").body())
                .isEqualTo("{\"run_id\":\"r1\",\"forgotten\":7,\"story\":["
                        + "{\"kind\":\"started\",\"timestamp_ms\":500,\"attempt\":0,\"text\":\"resnet\"},"
                        + "{\"kind\":\"alert_opened\",\"timestamp_ms\":1000,\"attempt\":0,\"step\":12,\"alert_id\":\"a1\",\"detector\":\"loss_spike\",\"scope\":\"\",\"severity\":\"warning\",\"onset_step\":11,\"text\":\"loss 9.5, usually 2.3\"},"
                        + "{\"kind\":\"resumed\",\"timestamp_ms\":2000,\"attempt\":0,\"step\":20,\"text\":\"back from step 25 to step 20\"},"
                        + "{\"kind\":\"alert_resolved\",\"timestamp_ms\":3000,\"attempt\":0,\"step\":30,\"alert_id\":\"a1\",\"detector\":\"loss_spike\",\"scope\":\"\",\"severity\":\"warning\",\"onset_step\":11,\"text\":\"loss 9.5, usually 2.3\"}"
                        + "]}");
        assertThat(get("/api/v1/runs/nobody/story").statusCode()).isEqualTo(404);
    }

    @Test
    void a_series_at_lower_resolution_keeps_its_extremes() throws Exception {
        List<Bucket> buckets = new ArrayList<>();
        for (int i = 1; i <= 256; i++) {
            buckets.add(new Bucket(i * 10L, i == 100 ? -50 : 1, 2, i == 200 ? 99 : 3));
        }
        board.publish(snapshot(bare("r1"), new SeriesSnapshot("losses/box", 2_560, 2, buckets)));

        JsonNode series = tree(get("/api/v1/runs/r1/series/losses/box?points=10"));
        assertThat(series.get("points").asLong()).isEqualTo(2_560);
        assertThat(series.get("buckets")).hasSize(10);
        assertThat(series.get("buckets").get(9).get("last_step").asLong()).isEqualTo(2_560);
        assertThat(series.get("buckets").findValuesAsText("min")).contains("-50.0");
        assertThat(series.get("buckets").findValuesAsText("max")).contains("99.0");
        assertThat(tree(get("/api/v1/runs/r1/series/losses/box")).get("buckets"))
                .hasSize(256);
    }

    @Test
    void a_stretch_without_a_finite_point_stays_nan_and_spoils_no_other() {
        Bucket none = new Bucket(1, Double.NaN, Double.NaN, Double.NaN);

        assertThat(Resolution.atMost(1, List.of(none, new Bucket(2, 1, 2, 3)))).containsExactly(new Bucket(2, 1, 2, 3));
        assertThat(Resolution.atMost(1, List.of(none, new Bucket(2, Double.NaN, Double.NaN, Double.NaN))))
                .containsExactly(new Bucket(2, Double.NaN, Double.NaN, Double.NaN));
    }

    @Test
    void alerts_come_open_ones_first_then_by_latest_change() throws Exception {
        board.publish(snapshot(
                bare("r1"),
                alert("a1", "r1", Severity.warning, AlertState.resolved, 40),
                alert("a2", "r1", Severity.critical, AlertState.firing, 10)));
        board.publish(snapshot(bare("r2"), alert("a3", "r2", Severity.info, AlertState.updated, 20)));

        assertThat(alertIds("/api/v1/alerts")).containsExactly("a3", "a2", "a1");
        assertThat(alertIds("/api/v1/alerts?limit=1")).containsExactly("a3");
        assertThat(alertIds("/api/v1/alerts?severity=warning,critical")).containsExactly("a2", "a1");
        assertThat(alertIds("/api/v1/alerts?state=open&severity=critical")).containsExactly("a2");
        assertThat(alertIds("/api/v1/alerts?project=other")).isEmpty();
        assertThat(alertIds("/api/v1/runs/r1/alerts?state=resolved")).containsExactly("a1");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"a/b", "a b", "100%", "ü", "<script>alert(1)</script>", "a;b=c", "a?b", "\"'&", "a\\b", "a%2Fb"})
    void a_run_or_series_of_any_name_is_found_and_shown_harmlessly(String name) throws Exception {
        board.publish(snapshot(bare(name), new SeriesSnapshot(name, 1, 1, List.of(new Bucket(1, 1, 1, 1)))));

        JsonNode run = tree(get("/api/v1/runs/" + encode(name)));
        assertThat(run.get("run").get("run_id").asText()).isEqualTo(name);
        JsonNode series = tree(get("/api/v1/runs/" + encode(name) + "/series/" + encode(name)));
        assertThat(series.get("series").asText()).isEqualTo(name);
    }

    @Test
    void what_is_not_there_is_a_problem_that_says_so() throws Exception {
        board.publish(snapshot(bare("r1"), new SeriesSnapshot("loss", 1, 1, List.of())));

        assertProblem(
                get("/api/v1/runs/r2"),
                404,
                "this monitor judges no run 'r2': it has sent nothing, ended long ago, or another instance judges it");
        assertProblem(get("/api/v1/runs/r1/series/acc"), 404, "run 'r1' has no series 'acc'; it has: loss");
        assertProblem(get("/nothing"), 404, "there is nothing at this address; / says what there is");
        assertProblem(get("/api/v1/"), 404, "there is nothing at this address; / says what there is");
    }

    @Test
    void a_query_that_cannot_be_meant_is_a_problem_that_says_what_is_allowed() throws Exception {
        assertProblem(get("/api/v1/runs?limit=0"), 400, "limit is '0', allowed is a whole number, 1 to 1000");
        assertProblem(
                get("/api/v1/alerts?severity=fatal"),
                400,
                "severity is 'fatal', allowed are critical, info, warning, several with commas");
        assertProblem(
                get("/api/v1/runs?porject=x"),
                400,
                "unknown parameter 'porject'; allowed: after, condition, limit, project");
        assertProblem(
                get("/api/v1/runs?after=x"), 400, "after is 'x': take it from 'next' of the page before, as it is");
        assertProblem(get("/api/v1/runs?limit=1&limit=2"), 400, "parameter 'limit' is given more than once");
    }

    @Test
    void only_reading_is_allowed() throws Exception {
        HttpResponse<String> response = send(request("/api/v1/runs").POST(HttpRequest.BodyPublishers.ofString("{}")));

        assertProblem(response, 405, "method not allowed");
        assertThat(send(request("/api/v1/runs").method("HEAD", HttpRequest.BodyPublishers.noBody()))
                        .statusCode())
                .isEqualTo(200);
    }

    @Test
    void only_programs_and_pages_of_this_monitor_change_anything() throws Exception {
        HttpRequest.BodyPublisher body = HttpRequest.BodyPublishers.ofString("{}");
        assertThat(send(request("/changes").POST(body)).body()).isEqualTo("changed");
        assertThat(send(request("/changes").POST(body).header("Origin", server.url()))
                        .body())
                .isEqualTo("changed");
        HttpResponse<String> refused =
                send(request("/changes").POST(body).header("Origin", "https://elsewhere.example"));
        assertProblem(refused, 403, "a page of another site asks for a change; only pages of this monitor may");
        assertThat(send(request("/changes").POST(body).header("Origin", "null")).statusCode())
                .isEqualTo(403);
    }

    @Test
    void a_failure_inside_does_not_tell_of_the_inside() throws Exception {
        board.publish(new RunSnapshot(bare("r1"), null, null, null, 0, null));

        assertProblem(get("/api/v1/runs/r1"), 500, "the log of the monitor has the reason");
    }

    @Test
    void every_answer_carries_the_headers_that_keep_a_browser_safe() throws Exception {
        for (String path : List.of("/", "/metrics", "/api/v1/runs", "/nothing")) {
            assertThat(get(path).headers().map())
                    .as(path)
                    .containsEntry("X-Content-Type-Options", List.of("nosniff"))
                    .containsEntry("X-Frame-Options", List.of("DENY"))
                    .containsEntry("Referrer-Policy", List.of("no-referrer"))
                    .containsEntry("Content-Security-Policy", List.of(PageFiles.CONTENT_SECURITY_POLICY))
                    .doesNotContainKey("Server");
        }
    }

    @Test
    void without_a_token_only_a_loopback_name_is_answered() throws Exception {
        assertThat(raw("GET /api/v1/runs HTTP/1.1\r\nHost: evil.example:8280\r\nConnection: close\r\n\r\n"))
                .startsWith("HTTP/1.1 421")
                .contains("answers only as localhost or 127.0.0.1");
        assertThat(raw("GET /api/v1/runs HTTP/1.1\r\nHost: localhost:8280\r\nConnection: close\r\n\r\n"))
                .startsWith("HTTP/1.1 200");
        assertThat(raw("GET /health/live HTTP/1.1\r\nHost: pod-7\r\nConnection: close\r\n\r\n"))
                .startsWith("HTTP/1.1 200");
    }

    @Test
    void a_request_that_is_too_long_or_broken_is_refused_without_a_trace() throws Exception {
        assertThat(raw("GET /api/v1/runs/" + "x".repeat(10_000) + " HTTP/1.1\r\nHost: localhost\r\n\r\n"))
                .matches("(?s)HTTP/1.1 4(14|31).*")
                .doesNotContain("eclipse", "Exception", "<html");
        assertThat(raw("GET / HTTP/1.1\r\nHost: localhost\r\nX: " + "x".repeat(10_000) + "\r\n\r\n"))
                .startsWith("HTTP/1.1 431");
        assertThat(raw("nonsense\r\n\r\n")).startsWith("HTTP/1.1 400").doesNotContain("Exception", "<html");
        assertThat(raw("GET /../../etc/passwd HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"))
                .startsWith("HTTP/1.1 400");
    }

    @Test
    void with_a_token_everything_but_health_needs_it() throws Exception {
        WebServer open = server;
        try (WebServer guarded = WebServer.start(
                new HttpSettings("127.0.0.1", 0, new BearerToken(TOKEN)), board, metrics, () -> notReady, List.of())) {
            server = guarded;
            assertThatOnlyTheTokenOpens();
        } finally {
            server = open;
        }
    }

    private void assertThatOnlyTheTokenOpens() throws Exception {
        for (String path : List.of("/metrics", "/api/v1/runs", "/api/v1/fleet", "/api/v1/stream", "/nothing")) {
            HttpResponse<String> refused = get(path);
            assertProblem(refused, 401, "send the token of this monitor as 'Authorization: Bearer ...'");
            assertThat(refused.headers().firstValue("WWW-Authenticate")).hasValue("Bearer");
        }
        assertThat(send(request("/metrics").header("Authorization", "Bearer " + TOKEN + "0"))
                        .statusCode())
                .isEqualTo(401);
        assertThat(send(request("/metrics").header("Authorization", "Basic " + TOKEN))
                        .statusCode())
                .isEqualTo(401);
        assertThat(send(request("/metrics").header("Authorization", "bearer " + TOKEN))
                        .statusCode())
                .isEqualTo(200);
        assertThat(get("/health/ready").statusCode()).isEqualTo(200);
    }

    @Test
    void a_port_that_is_taken_is_named_with_the_remedy() {
        assertThatThrownBy(() -> WebServer.start(
                        new HttpSettings("127.0.0.1", server.port(), null), board, metrics, () -> notReady, List.of()))
                .isInstanceOf(IOException.class)
                .hasMessageStartingWith("cannot listen on 127.0.0.1:" + server.port())
                .hasMessageEndingWith("choose another with --http-port or http.port, or stop what listens there");
    }

    private void assertProblem(HttpResponse<String> response, int status, String detail) throws IOException {
        assertThat(response.statusCode()).as(response.body()).isEqualTo(status);
        assertThat(response.headers().firstValue("Content-Type").orElse("")).startsWith("application/problem+json");
        JsonNode problem = tree(response);
        assertThat(problem.get("status").asInt()).isEqualTo(status);
        assertThat(problem.get("detail").asText()).isEqualTo(detail);
    }

    private static void changes(RoutesConfig routes) {
        routes.post("/changes", context -> context.result("changed"));
    }

    private List<String> ids(String path) throws Exception {
        return tree(get(path)).get("runs").findValuesAsText("run_id");
    }

    private List<String> alertIds(String path) throws Exception {
        return tree(get(path)).get("alerts").findValuesAsText("alert_id");
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

    private String raw(String request) throws IOException {
        try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), server.port())) {
            socket.setSoTimeout(5_000);
            socket.getOutputStream().write(request.getBytes(StandardCharsets.ISO_8859_1));
            InputStream in = socket.getInputStream();
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        }
    }

    private JsonNode tree(HttpResponse<String> response) throws IOException {
        return json.readTree(response.body());
    }

    private static String encode(String text) {
        return URLEncoder.encode(text, StandardCharsets.UTF_8).replace("+", "%20");
    }
}
