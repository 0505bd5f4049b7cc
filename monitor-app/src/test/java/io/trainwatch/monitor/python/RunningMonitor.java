package io.trainwatch.monitor.python;

import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** A monitor with its own broker, in a process of its own, on free ports. */
final class RunningMonitor implements AutoCloseable {
    private static final Duration LIMIT = Duration.ofSeconds(90);

    private final Process process;
    private final Path log;
    private final String url;
    private final String brokers;

    RunningMonitor(Path dir) throws IOException {
        this(dir, "");
    }

    /**
     * A monitor with settings.
     *
     * @param settings as in its YAML file
     */
    RunningMonitor(Path dir, String settings) throws IOException {
        log = dir.resolve("monitor.log");
        Path file = Files.writeString(dir.resolve("trainwatch.yaml"), settings);
        process = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-cp",
                        System.getProperty("java.class.path"),
                        "io.trainwatch.monitor.cli.Trainwatch",
                        "monitor",
                        "--config",
                        file.toString(),
                        "--embedded-kafka",
                        "--data-dir",
                        dir.resolve("data").toString(),
                        "--kafka-port",
                        "0",
                        "--http-port",
                        "0")
                .redirectErrorStream(true)
                .redirectOutput(log.toFile())
                .start();
        await().atMost(LIMIT).until(() -> out().contains("Ctrl-C stops it.") || !process.isAlive());
        url = found("http://[0-9.:]+");
        brokers = found("kafka:([0-9.:]+)");
    }

    /** Where the monitor takes events over HTTP, and answers. */
    String http() {
        return url;
    }

    /** Where its broker takes events. */
    String kafka() {
        return "kafka:" + brokers;
    }

    /** Waits until all of the alerts, each "run detector", were raised; a run goes by its name where it has one. */
    void awaitAlerts(List<String> expected) {
        await().atMost(LIMIT)
                .pollInterval(Duration.ofMillis(200))
                .until(this::alerts, alerts -> alerts.containsAll(expected));
    }

    /** Every episode so far, as "run detector". */
    Set<String> alerts() throws Exception {
        return alerts(null);
    }

    /** The episodes so far of which something is true, all where it is null. */
    Set<String> alerts(@Nullable String property) throws Exception {
        Map<String, String> names = new HashMap<>();
        for (JsonNode run : fleet()) {
            names.put(run.get("run_id").asText(), nameOf(run));
        }
        Set<String> alerts = new HashSet<>();
        for (JsonNode alert : get("/api/v1/alerts?limit=1000").findValue("alerts")) {
            String run = alert.get("run_id").asText();
            if (property == null || alert.path(property).asBoolean()) {
                alerts.add(names.getOrDefault(run, run) + " "
                        + alert.get("detector").asText());
            }
        }
        return alerts;
    }

    /** A count in the status of a run, by its id. */
    long count(String runId, String name) throws Exception {
        return get("/api/v1/runs/" + runId).path("run").path(name).asLong();
    }

    /** Every run so far, as "run condition last-step". */
    Set<String> runs() throws Exception {
        Set<String> runs = new HashSet<>();
        for (JsonNode run : fleet()) {
            runs.add(nameOf(run) + " " + run.path("condition").asText() + " "
                    + run.path("last_step").asText());
        }
        return runs;
    }

    private JsonNode fleet() throws IOException, InterruptedException {
        return get("/api/v1/fleet").get("runs");
    }

    private static String nameOf(JsonNode run) {
        return run.hasNonNull("name")
                ? run.get("name").asText()
                : run.get("run_id").asText();
    }

    private JsonNode get(String path) throws IOException, InterruptedException {
        HttpResponse<String> response = HttpClient.newHttpClient()
                .send(HttpRequest.newBuilder(URI.create(url + path)).build(), HttpResponse.BodyHandlers.ofString());
        return new ObjectMapper().readTree(response.body());
    }

    private String found(String pattern) throws IOException {
        Matcher matcher = Pattern.compile(pattern).matcher(out());
        if (!matcher.find()) {
            close();
            throw new AssertionError("no " + pattern + " in " + out());
        }
        return matcher.group(matcher.groupCount());
    }

    private String out() throws IOException {
        return Files.readString(log);
    }

    @Override
    public void close() {
        process.destroy();
        await().atMost(LIMIT).until(() -> !process.isAlive());
    }
}
