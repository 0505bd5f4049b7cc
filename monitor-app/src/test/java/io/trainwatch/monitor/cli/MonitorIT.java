package io.trainwatch.monitor.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.trainwatch.sdk.TrainingRun;
import io.trainwatch.sdk.Trainwatch;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;
import org.junit.jupiter.api.io.TempDir;

/** The packaged monitor with its own broker, as a trainer, Prometheus and a person meet it. */
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
class MonitorIT {
    private static final Path LAUNCHER =
            Path.of("target/trainwatch/bin/trainwatch").toAbsolutePath();
    private static final Duration LIMIT = Duration.ofSeconds(60);

    @TempDir
    static Path dir;

    private static Path config;
    private static Process monitor;
    private static String url;
    private static String brokers;

    @BeforeAll
    static void start() throws IOException {
        config = Files.writeString(dir.resolve("trainwatch.yaml"), """
                notify:
                  sinks:
                    - {name: here, type: log}
                """);
        monitor = launch(
                "monitor",
                "monitor",
                "--config",
                config.toString(),
                "--embedded-kafka",
                "--data-dir",
                dir.resolve("my data").toString(),
                "--kafka-port",
                "0",
                "--http-port",
                "0");
        await().atMost(LIMIT).until(() -> out("monitor").contains("Ctrl-C stops it."));
        url = find("page +(http://[^ ]+)/\n");
        brokers = find("kafka:(127\\.0\\.0\\.1:\\d+)");
        await().atMost(LIMIT).until(() -> get("/health/ready").statusCode() == 200);
    }

    @AfterAll
    static void stop() {
        monitor.destroyForcibly();
    }

    @Test
    @Order(1)
    void a_run_that_breaks_is_seen_in_the_api_on_the_page_and_in_the_metrics() throws Exception {
        try (TrainingRun run = Trainwatch.run("r1")
                .project("vision")
                .spoolDirectory(dir.resolve("spool"))
                .closeTimeout(LIMIT)
                .start("kafka:" + brokers)) {
            run.step(1, 1.0, 1.0, 0.1);
            run.step(2, Double.NaN, 1.0, 0.1);
        }

        // The board may be a second behind: the alert and the end of the run need not come into it together.
        await().atMost(LIMIT)
                .untilAsserted(() -> assertThat(get("/api/v1/runs/r1").body())
                        .contains("\"loss\":\"NaN\"", "\"condition\":\"completed\""));
        assertThat(get("/api/v1/alerts").body()).contains("\"detector\":\"non_finite_loss\"");
        assertThat(get("/api/v1/runs/r1/series/loss").body()).contains("\"points\":2");
        assertThat(get("/").body()).contains("<script type=\"module\" src=\"/page/app.js\">");
        assertThat(get("/page/echarts.js").statusCode()).isEqualTo(200);
        assertThat(get("/api/v1/fleet").body()).contains("\"run_id\":\"r1\"", "\"loss\":\"NaN\"");
        assertThat(get("/metrics").body())
                .contains(
                        "trainwatch_run_loss{project=\"vision\",run_id=\"r1\"} NaN\n",
                        "trainwatch_alerts_total{detector=\"non_finite_loss\",severity=\"critical\"} 1.0\n",
                        "trainwatch_alerts_total{detector=\"loss_spike\",severity=\"critical\"} 0.0\n",
                        "trainwatch_monitor_ready 1.0\n",
                        "jvm_memory_used_bytes{",
                        "process_uptime_seconds ",
                        "kafka_stream_");
    }

    @Test
    @Order(2)
    void tail_shows_topics_as_lines_of_json_and_passes_over_what_it_cannot_decode() throws Exception {
        try (KafkaProducer<byte[], byte[]> producer = new KafkaProducer<>(
                Map.of("bootstrap.servers", brokers), new ByteArraySerializer(), new ByteArraySerializer())) {
            producer.send(new ProducerRecord<>(
                            "trainwatch.events", "r1".getBytes(StandardCharsets.UTF_8), new byte[] {1, 2, 3}))
                    .get();
        }

        assertThat(tail("events", "--run", "r1").lines().filter(line -> line.contains("step_completed")))
                .hasSize(2)
                .allMatch(line -> line.startsWith("{\"event_type\":\"step_completed\",\"run_id\":\"r1\""));
        assertThat(err("tail")).contains("cannot be decoded (NOT_SINGLE_OBJECT)");
        assertThat(tail("events", "--run", "other")).isEmpty();
        assertThat(tail("alerts")).contains("\"detector\":\"non_finite_loss\"");
        assertThat(tail("runs")).contains("\"run_id\":\"r1\"");
        assertThat(err("tail")).isEmpty();
    }

    @Test
    @Order(3)
    void a_run_that_breaks_pages_and_a_person_says_that_they_look_after_it_and_what_is_not_to_be_told()
            throws Exception {
        TrainingRun run = Trainwatch.run("r2").project("vision").start("kafka:" + brokers);
        try {
            run.step(1, Double.NaN);
            await().atMost(LIMIT)
                    .until(() -> (out("monitor") + err("monitor")).contains("critical non_finite_loss in r2: "));
            AtomicLong step = new AtomicLong(1);
            await("what goes on is open, too").atMost(LIMIT).until(() -> {
                for (int i = 0; i < 20; i++) {
                    run.step(step.incrementAndGet(), Double.NaN);
                }
                return get("/api/v1/runs/r2/alerts").body().contains("\"updated\"");
            });

            assertThat(ended("ack", "--run", "r2", "--by", "anna", "--for", "8h", "--url", url))
                    .matches(
                            "anna looks after non_finite_loss in run r2 until \\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d \\S+: only what is"
                                    + " worse is told until then, and its end\\.\n");
        } finally {
            run.close();
        }
        String silenced =
                ended("silence", "--project", "scratch-*", "--for", "2h", "--comment", "trying", "--url", url);
        assertThat(silenced)
                .matches("Nobody is told of alerts in project scratch-\\* until [^(]+ \\(trying\\); trainwatch silence"
                        + " --end [0-9a-f]{16} ends it sooner\\.\n");
        String id = silenced.replaceAll("(?s).*--end (\\S+).*", "$1");
        assertThat(ended("silence", "--list", "--url", url))
                .matches(id + "  alerts in project scratch-\\* until .* \\(trying\\)\n");
        assertThat(ended("silence", "--list", "--output", "json", "--url", url))
                .startsWith("{\"silences\":[{\"id\":\"" + id + "\"");
        assertThat(ended("silence", "--end", id, "--url", url))
                .isEqualTo("Silence " + id + " is over: what still fires is told now.\n");
        assertThat(ended("silence", "--list", "--url", url)).isEqualTo("Nothing is silenced.\n");
        assertThat(ended("notify", "test", "--config", config.toString()))
                .matches("here \\(log\\): told, after \\d+ ms\n");
    }

    @Test
    @Order(4)
    void a_second_monitor_on_the_same_port_does_not_start_and_says_why() throws Exception {
        Process second =
                launch("second", "monitor", "--bootstrap-servers", brokers, "--http-port", url.replaceFirst(".*:", ""));
        try {
            assertThat(second.waitFor(60, TimeUnit.SECONDS)).isTrue();
        } finally {
            second.destroyForcibly();
        }

        assertThat(second.exitValue()).isEqualTo(2);
        assertThat(err("second").lines().filter(line -> line.startsWith("trainwatch: ")))
                .singleElement()
                .asString()
                .startsWith("trainwatch: cannot listen on " + url.replaceFirst("http://", ""));
    }

    @Test
    @Order(5)
    void sigterm_ends_it_in_order_and_in_time() throws Exception {
        String before = err("monitor");
        monitor.destroy();

        assertThat(monitor.waitFor(45, TimeUnit.SECONDS)).isTrue();
        assertThat(monitor.exitValue()).isEqualTo(143);
        assertThat(err("monitor").substring(before.length())).doesNotContain("ERROR", "Exception", "did not stop");
    }

    private static String tail(String stream, String... more) throws Exception {
        List<String> arguments = new ArrayList<>(
                List.of("tail", stream, "--from-beginning", "--until-end", "--bootstrap-servers", brokers));
        arguments.addAll(List.of(more));
        Process tail = launch("tail", arguments.toArray(String[]::new));
        try {
            assertThat(tail.waitFor(60, TimeUnit.SECONDS)).isTrue();
        } finally {
            tail.destroyForcibly();
        }
        assertThat(tail.exitValue()).as(err("tail")).isZero();
        return out("tail");
    }

    /** What a command printed that ended well. */
    private static String ended(String... arguments) throws Exception {
        Process process = launch("command", arguments);
        try {
            assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
        } finally {
            process.destroyForcibly();
        }
        assertThat(process.exitValue()).as(err("command")).isZero();
        return out("command");
    }

    private static Process launch(String name, String... arguments) throws IOException {
        List<String> command = new ArrayList<>(List.of(LAUNCHER.toString()));
        command.addAll(List.of(arguments));
        ProcessBuilder builder = new ProcessBuilder(command)
                .directory(dir.toFile())
                .redirectOutput(dir.resolve(name + ".out").toFile())
                .redirectError(dir.resolve(name + ".err").toFile());
        builder.environment().keySet().removeIf(variable -> variable.startsWith("TRAINWATCH_"));
        builder.environment()
                .put(
                        "TRAINWATCH_MONITOR_STATE_DIR",
                        dir.resolve(name + "-state").toString());
        return builder.start();
    }

    private static String out(String name) throws IOException {
        return Files.readString(dir.resolve(name + ".out"));
    }

    private static String err(String name) throws IOException {
        return Files.readString(dir.resolve(name + ".err"));
    }

    private static String find(String pattern) throws IOException {
        Matcher matcher = Pattern.compile(pattern).matcher(out("monitor"));
        assertThat(matcher.find()).as(out("monitor")).isTrue();
        return matcher.group(1);
    }

    private static HttpResponse<String> get(String path) throws Exception {
        return HttpClient.newHttpClient()
                .send(HttpRequest.newBuilder(URI.create(url + path)).build(), HttpResponse.BodyHandlers.ofString());
    }
}
