package io.trainwatch.monitor.web;

import static org.assertj.core.api.Assertions.assertThat;

import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.trainwatch.monitor.board.RunBoard;
import io.trainwatch.monitor.detect.DetectorCatalogue;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Links of alerts lead somewhere, whoever follows them. */
class RunbookTest {
    private static WebServer server;

    @BeforeAll
    static void start() throws IOException {
        server = WebServer.start(
                new HttpSettings("127.0.0.1", 0, new BearerToken("0123456789abcdef")),
                new RunBoard(),
                new PrometheusRegistry(),
                Optional::empty,
                List.of());
    }

    @AfterAll
    static void stop() {
        server.close();
    }

    @Test
    void every_detector_has_an_anchor_in_the_page_which_needs_no_token() throws Exception {
        HttpResponse<String> answer = get("/runbook");

        assertThat(answer.statusCode()).isEqualTo(200);
        assertThat(answer.headers().firstValue("Content-Type"))
                .hasValueSatisfying(type -> assertThat(type).startsWith("text/html"));
        assertThat(DetectorCatalogue.defaults())
                .allSatisfy(detector -> assertThat(answer.body())
                        .contains("<h3 id=\"" + detector.name() + "\">" + detector.name()
                                + "</h3>\n<p><strong>Means:</strong>"));
        assertThat(answer.body())
                .contains("<h3 id=\"TrainwatchMonitorAbsent\">")
                .doesNotContain("<script>");
    }

    @Test
    void the_address_of_an_entry_leads_to_its_anchor() throws Exception {
        HttpResponse<String> answer = get("/runbook/loss_spike");

        assertThat(answer.statusCode()).isEqualTo(302);
        assertThat(answer.headers().firstValue("Location"))
                .hasValueSatisfying(location -> assertThat(location).endsWith("/runbook#loss_spike"));
    }

    @Test
    void an_entry_that_there_is_not_is_named() throws Exception {
        HttpResponse<String> answer = get("/runbook/%3Cscript%3E");

        assertThat(answer.statusCode()).isEqualTo(404);
        assertThat(answer.body()).contains("the runbook has no entry '<script>'");
        assertThat(answer.headers().firstValue("Content-Type")).hasValue("application/problem+json");
    }

    private static HttpResponse<String> get(String path) throws Exception {
        return HttpClient.newHttpClient()
                .send(
                        HttpRequest.newBuilder(URI.create(server.url() + path)).build(),
                        HttpResponse.BodyHandlers.ofString());
    }
}
