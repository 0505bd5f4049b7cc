package io.trainwatch.monitor.notify;

import static io.trainwatch.monitor.notify.Alerts.nan;
import static io.trainwatch.monitor.notify.Alerts.resolved;
import static io.trainwatch.monitor.notify.Alerts.with;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import io.trainwatch.alert.Alert;
import io.trainwatch.monitor.Installed;
import io.trainwatch.monitor.notify.Page.Kind;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A real Alertmanager hears of alerts, and tells a receiver of its own. */
class AlertmanagerTest {
    private static final Duration LIMIT = Duration.ofSeconds(60);

    @TempDir
    static Path dir;

    private static final Receiver receiver = new Receiver();
    private static Process alertmanager;
    private static URI url;

    @BeforeAll
    static void start() throws IOException {
        Path program = Installed.program("prometheus-alertmanager", "prometheus-alertmanager");
        Files.writeString(dir.resolve("alertmanager.yml"), """
                route: {receiver: hook, group_by: [alertname, run_id], group_wait: 0s, group_interval: 1s, repeat_interval: 1h}
                receivers:
                  - name: hook
                    webhook_configs: [{url: "%s", send_resolved: true}]
                """.formatted(receiver.url("/from-alertmanager")));
        int port;
        try (ServerSocket free = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            port = free.getLocalPort();
        }
        url = URI.create("http://127.0.0.1:" + port);
        alertmanager = new ProcessBuilder(
                        program.toString(),
                        "--config.file=" + dir.resolve("alertmanager.yml"),
                        "--storage.path=" + dir.resolve("data"),
                        "--web.listen-address=127.0.0.1:" + port,
                        "--cluster.listen-address=")
                .redirectErrorStream(true)
                .redirectOutput(dir.resolve("log").toFile())
                .start();
        await().atMost(LIMIT).ignoreExceptions().until(() -> get("/-/ready").startsWith("OK"));
    }

    @AfterAll
    static void stop() throws InterruptedException {
        if (alertmanager != null) {
            alertmanager.destroy();
            alertmanager.waitFor();
        }
        receiver.close();
    }

    @Test
    void an_alert_fires_there_and_resolves_there_and_hostile_labels_arrive_as_text() throws Exception {
        Alert alert = with(nan("run \"1\"\n{{ .Status }}"), changed -> {
            changed.setRunName("<script>\u202E");
            changed.setLabels(Map.of("te-am", "a,b=\"c\""));
        });
        AlertmanagerSink sink = new AlertmanagerSink(url, null);

        assertThat(sink.tell(page(Kind.OPENED, alert))).isEqualTo(new Receipt.Told("HTTP 200"));
        await().atMost(LIMIT).until(() -> told("firing").size() == 1);
        JsonNode told = told("firing").get(0);
        assertThat(told.at("/alerts/0/labels/run_id").asText()).isEqualTo("run \"1\" {{ .Status }}");
        assertThat(told.at("/alerts/0/labels/run_name").asText()).isEqualTo("<script>\uFFFD");
        assertThat(told.at("/alerts/0/labels/run_te_am").asText()).isEqualTo("a,b=\"c\"");
        assertThat(told.at("/alerts/0/annotations/description").asText()).contains("Last good checkpoint: step 100");

        assertThat(sink.tell(page(Kind.RESOLVED, resolved(alert)))).isEqualTo(new Receipt.Told("HTTP 200"));
        await().atMost(LIMIT).until(() -> told("resolved").size() == 1);
    }

    @Test
    void the_heartbeat_is_an_alert_that_ends_by_itself() throws Exception {
        long now = System.currentTimeMillis();
        AlertmanagerSink sink = new AlertmanagerSink(url, null);

        assertThat(sink.beat("trainwatch.", now, 60_000)).isEqualTo(new Receipt.Told("HTTP 200"));

        await().atMost(LIMIT)
                .untilAsserted(() -> assertThat(get("/api/v2/alerts?filter=alertname%3DTrainwatchAlive"))
                        .contains("\"monitor\":\"trainwatch.\""));
    }

    private static List<JsonNode> told(String status) {
        return receiver.taken().stream()
                .map(Receiver.Request::json)
                .filter(told -> told.at("/groupLabels/alertname").asText().equals("non_finite_loss"))
                .filter(told -> told.get("status").asText().equals(status))
                .toList();
    }

    private static Page page(Kind kind, Alert alert) {
        long now = System.currentTimeMillis();
        Incident incident = new Incident("0".repeat(32), Incidents.OF_EPISODE + alert.getAlertId(), now);
        incident.put(with(alert, changed -> changed.setOpenedAtMs(now - 1_000)), now);
        return new PageText(Links.NONE, one -> List.of()).of(incident, kind, null, now);
    }

    private static String get(String path) throws IOException, InterruptedException {
        return HttpClient.newHttpClient()
                .send(HttpRequest.newBuilder(url.resolve(path)).build(), BodyHandlers.ofString())
                .body();
    }
}
