package io.trainwatch.monitor.deploy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** A real Prometheus or Alertmanager on a port of 127.0.0.1 that was free. */
final class Service implements AutoCloseable {
    private static final HttpClient HTTP = HttpClient.newHttpClient();
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final Duration LIMIT = Duration.ofSeconds(30);

    private final int port;
    private final Path log;
    private final Process process;

    private Service(int port, Path log, Process process) {
        this.port = port;
        this.log = log;
        this.process = process;
    }

    /** Prometheus with this configuration. */
    static Service prometheus(Path config, Path data, String features) throws IOException {
        return start(
                Programs.prometheus(),
                data,
                "--config.file=" + config,
                "--storage.tsdb.path=" + data.resolve("tsdb"),
                "--enable-feature=" + features);
    }

    /** Alertmanager with this configuration, alone. */
    static Service alertmanager(Path config, Path data, int port) throws IOException {
        return start(
                port,
                Programs.alertmanager(),
                data,
                "--config.file=" + config,
                "--storage.path=" + data.resolve("alertmanager"),
                "--cluster.listen-address=");
    }

    static int freePort() throws IOException {
        try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            return socket.getLocalPort();
        }
    }

    private static Service start(Path program, Path data, String... arguments) throws IOException {
        return start(freePort(), program, data, arguments);
    }

    private static Service start(int port, Path program, Path data, String... arguments) throws IOException {
        List<String> command = new ArrayList<>(List.of(program.toString(), "--web.listen-address=127.0.0.1:" + port));
        command.addAll(List.of(arguments));
        Files.createDirectories(data);
        Path log = data.resolve(program.getFileName() + "-" + port + ".log");
        Process process = new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(log.toFile())
                .start();
        Service service = new Service(port, log, process);
        try {
            await().atMost(LIMIT).ignoreExceptions().until(() -> {
                if (!process.isAlive()) {
                    throw new AssertionError(service.log());
                }
                return service.send("/-/ready").statusCode() == 200;
            });
        } catch (RuntimeException | Error e) {
            service.close();
            throw e;
        }
        return service;
    }

    /** What Prometheus answers now: one element for each series. */
    JsonNode query(String expr) throws Exception {
        return data("/api/v1/query?query=" + encoded(expr)).get("result");
    }

    /** What Prometheus answers for the last seconds, one second apart. */
    JsonNode queryRange(String expr, int seconds) throws Exception {
        long now = System.currentTimeMillis() / 1_000;
        return data("/api/v1/query_range?step=1&start=" + (now - seconds) + "&end=" + now + "&query=" + encoded(expr))
                .get("result");
    }

    /** What Grafana offers for {@code label_values(selector, label)}. */
    JsonNode labelValues(String selector, String label) throws Exception {
        return data("/api/v1/label/" + label + "/values?match[]=".replace("[]", "%5B%5D") + encoded(selector));
    }

    JsonNode exemplars(String selector) throws Exception {
        return data("/api/v1/query_exemplars?query=" + encoded(selector));
    }

    private JsonNode data(String path) throws Exception {
        HttpResponse<String> response = send(path);
        assertThat(response.statusCode()).as(path + ": " + response.body()).isEqualTo(200);
        return JSON.readTree(response.body()).get("data");
    }

    private HttpResponse<String> send(String path) throws IOException, InterruptedException {
        URI uri = URI.create("http://127.0.0.1:" + port + path);
        return HTTP.send(HttpRequest.newBuilder(uri).timeout(LIMIT).build(), HttpResponse.BodyHandlers.ofString());
    }

    private static String encoded(String text) {
        return URLEncoder.encode(text, StandardCharsets.UTF_8);
    }

    String log() throws IOException {
        return Files.readString(log);
    }

    @Override
    public void close() {
        process.destroy();
        try {
            if (!process.waitFor(10, TimeUnit.SECONDS)) {
                process.destroyForcibly();
            }
        } catch (InterruptedException e) {
            process.destroyForcibly();
            Thread.currentThread().interrupt();
        }
    }
}
