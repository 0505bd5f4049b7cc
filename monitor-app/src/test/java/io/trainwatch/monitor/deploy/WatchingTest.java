package io.trainwatch.monitor.deploy;

import static io.trainwatch.monitor.deploy.Documents.ROOT;
import static io.trainwatch.monitor.deploy.Documents.elements;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.sun.net.httpserver.HttpServer;
import io.trainwatch.event.StepCompleted;
import io.trainwatch.monitor.board.OpenCommands;
import io.trainwatch.monitor.config.Configuration;
import io.trainwatch.monitor.deploy.Dashboard.LabelValues;
import io.trainwatch.monitor.deploy.Dashboard.Query;
import io.trainwatch.monitor.embedded.EmbeddedKafka;
import io.trainwatch.monitor.intake.Intake;
import io.trainwatch.monitor.metrics.Metrics;
import io.trainwatch.monitor.metrics.MetricsSettings;
import io.trainwatch.monitor.notify.Notifier;
import io.trainwatch.monitor.notify.NotifyMetrics;
import io.trainwatch.monitor.topology.Monitor;
import io.trainwatch.monitor.topology.MonitorSettings;
import io.trainwatch.monitor.web.BearerToken;
import io.trainwatch.monitor.web.HttpSettings;
import io.trainwatch.monitor.web.WebServer;
import io.trainwatch.sdk.TrainingRun;
import io.trainwatch.sdk.Trainwatch;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.InstantSource;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;
import org.junit.jupiter.api.io.TempDir;

/**
 * The way from a trainer to whoever is paged: a real Prometheus scrapes a real monitor with the configuration and the rules of
 * the repository, at one second instead of fifteen, and asks what the dashboards ask; Alertmanager tells a receiver.
 */
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
class WatchingTest {
    private static final Duration LIMIT = Duration.ofSeconds(60);
    private static final int WATCHED_SECONDS = 12;
    private static final String TOKEN = "0123456789abcdef0123456789abcdef";
    private static final Path REPORT = Path.of("target/watching/panels.md");
    private static final Map<String, String> VARIABLES = Map.of(
            "__rate_interval", "5s",
            "__range", "30s",
            "project", ".*",
            "instance", ".*");

    /** What is empty while all is well. */
    private static final Set<String> EMPTY =
            Set.of("monitor: annotation Monitor alerts", "monitor: Receivers that take nothing, A");

    /** What the last values must be: two runs that take 50 steps a second, one of them with a loss that is not a number. */
    private static final Map<String, Range> SENSIBLE = Map.ofEntries(
            Map.entry("fleet: Critical, A", new Range(1, 3)),
            Map.entry("fleet: Runs, A", new Range(2, 2)),
            Map.entry("fleet: Steps per second, A", new Range(30, 200)),
            Map.entry("fleet: State of the runs, A", new Range(0, 4)),
            Map.entry("fleet: Progress, A", new Range(0.001, 0.1)),
            Map.entry("fleet: Time left, A", new Range(500, 10_000)),
            Map.entry("fleet: Open episodes, A", new Range(1, 3)),
            Map.entry("monitor: Ready, A", new Range(1, 1)),
            Map.entry("monitor: Not reached, A", new Range(0, 0)),
            Map.entry("monitor: Active runs, A", new Range(2, 2)),
            Map.entry("monitor: Events waiting, A", new Range(0, 1_000)),
            Map.entry("monitor: Events judged, A", new Range(30, 200)),
            Map.entry("monitor: Time to judge one event, A", new Range(1e-7, 0.1)),
            Map.entry("monitor: Time to judge one event, B", new Range(1e-7, 1)),
            Map.entry("monitor: Processor use of the judging threads, A", new Range(0, 1)),
            Map.entry("monitor: Dead letters, A", new Range(0, 0)),
            Map.entry("monitor: Faults, A", new Range(0, 0)),
            Map.entry("monitor: Heap, A", new Range(10e6, 10e9)),
            Map.entry("monitor: Processor, A", new Range(0, 1)),
            Map.entry("monitor: Scrape, A", new Range(0, 10)),
            Map.entry("run: State, A", new Range(0, 4)),
            Map.entry("run: Progress, A", new Range(0.001, 0.1)),
            Map.entry("run: Time left, A", new Range(500, 10_000)),
            Map.entry("run: Last event, A", new Range(0, 15)),
            Map.entry("run: Loss, A", new Range(0.9, 3.1)),
            Map.entry("run: Loss, B", new Range(1.5, 1.5)),
            Map.entry("run: Gradient norm, A", new Range(1, 1.1)),
            Map.entry("run: Learning rate, A", new Range(0.001, 0.001)),
            Map.entry("run: Steps per second, A", new Range(15, 100)),
            Map.entry("run: Step time, A", new Range(0.25, 0.25)),
            Map.entry("run: Events, A", new Range(15, 100)),
            Map.entry("run: Lost and repeated events, A", new Range(0, 0)),
            Map.entry("run: Lost and repeated events, B", new Range(0, 0)));

    private record Range(double least, double most) {}

    @TempDir
    static Path dir;

    private static final Deque<AutoCloseable> STARTED = new ArrayDeque<>();
    private static final List<JsonNode> TOLD = new CopyOnWriteArrayList<>();
    private static Service prometheus;
    /** One that asks for native histograms. */
    private static Service finer;

    private static WebServer web;
    private static Training sick;

    @BeforeAll
    static void start() throws Exception {
        EmbeddedKafka kafka = started(
                // A broker that is late with its own heartbeats, because the machine is busy, is fenced.
                EmbeddedKafka.start(dir.resolve("kafka"), 0, Map.of("broker.session.timeout.ms", "60000")));
        MonitorSettings settings = MonitorSettings.forBroker(kafka.bootstrapServers(), dir.resolve("state"));
        Monitor monitor = started(Monitor.start(settings));
        // Metrics of the stores are looked for once a minute: here they are there from the start.
        assertThat(monitor.awaitRunning(LIMIT)).isTrue();
        Metrics metrics = started(new Metrics(monitor, MetricsSettings.DEFAULT, "1.0"));
        // There are no pauses of the collector to show before the first one, and a large heap may do without for long.
        System.gc();
        Configuration configuration = Configuration.read(
                Files.writeString(dir.resolve("trainwatch.yaml"), "notify: {sinks: [{name: here, type: log}]}"),
                Map.of(),
                Map.of());
        Notifier notifier = started(Notifier.start(
                configuration.notifySettings(), settings, new OpenCommands(InstantSource.system()), null));
        Intake intake = started(Intake.start(
                configuration.intake(),
                kafka.bootstrapServers(),
                Map.of(),
                monitor.topics().events(),
                monitor.board(),
                run -> List.of()));
        metrics.prometheus().register(intake.metrics());
        metrics.prometheus().register(new NotifyMetrics(notifier));
        web = started(WebServer.start(
                new HttpSettings("127.0.0.1", 0, new BearerToken(TOKEN)),
                monitor.board(),
                metrics.prometheus(),
                () -> Optional.of(monitor.trouble()).filter(trouble -> !trouble.isEmpty()),
                intake.endpoints()));
        int alertmanager = Service.freePort();
        started(Service.alertmanager(alertmanagerConfiguration(receiver()), dir.resolve("data"), alertmanager));
        prometheus = started(
                Service.prometheus(prometheusConfiguration(alertmanager), dir.resolve("data"), "exemplar-storage"));
        finer = started(Service.prometheus(
                prometheusConfiguration(Service.freePort()), dir.resolve("finer"), "native-histograms"));
        await().atMost(LIMIT)
                .until(() -> !prometheus.query("trainwatch_alerts_total").isEmpty());
        started(new Training("healthy", "kafka:" + kafka.bootstrapServers(), Long.MAX_VALUE));
        sick = started(new Training("a \"sick\" run", "kafka:" + kafka.bootstrapServers(), 100));
    }

    @AfterAll
    static void stop() throws Exception {
        while (!STARTED.isEmpty()) {
            STARTED.pop().close();
        }
    }

    @Test
    @Order(1)
    void a_loss_that_is_not_a_number_reaches_the_receiver_through_rule_and_alertmanager() {
        JsonNode alert = await().atMost(LIMIT)
                .until(() -> told("firing"), Optional::isPresent)
                .orElseThrow();

        assertThat(alert.get("labels"))
                .isEqualTo(new ObjectMapper()
                        .createObjectNode()
                        .put("alertname", "TrainwatchRunUnhealthy")
                        .put("detector", "non_finite_loss")
                        .put("project", "vision")
                        .put("run_id", "a \"sick\" run")
                        .put("severity", "critical"));
        assertThat(alert.at("/annotations/summary").textValue()).isEqualTo("non_finite_loss in run a \"sick\" run");
        assertThat(alert.at("/annotations/page_url").textValue())
                .isEqualTo("http://127.0.0.1:8280/#/run/a%20%22sick%22%20run");
        assertThat(alert.at("/annotations/runbook_url").textValue()).endsWith("/runbook/non_finite_loss");
    }

    @Test
    @Order(2)
    void every_query_of_every_dashboard_has_an_answer_that_makes_sense() throws Exception {
        await().atMost(LIMIT)
                .until(() -> prometheus
                                .queryRange("up{job=\"trainwatch\"}", 60)
                                .at("/0/values")
                                .size()
                        >= WATCHED_SECONDS);
        List<String> lines = new ArrayList<>();
        List<String> wrong = new ArrayList<>();
        for (Dashboard dashboard : Dashboard.all()) {
            for (LabelValues variable : dashboard.variableQueries()) {
                JsonNode values = prometheus.labelValues(sent(variable.selector()), variable.label());
                report(variable.place(), variable.selector().expr(), values.size() + " values", lines);
                if (values.isEmpty()) {
                    wrong.add(variable.place() + " offers nothing");
                }
            }
            List<Query> queries = new ArrayList<>(dashboard.panelQueries());
            queries.addAll(dashboard.annotationQueries());
            for (Query query : queries) {
                JsonNode answer = prometheus.queryRange(sent(query), WATCHED_SECONDS);
                report(query.place(), query.expr(), shown(answer), lines);
                if (answer.isEmpty() != EMPTY.contains(query.place())) {
                    wrong.add(query.place() + (answer.isEmpty() ? " has no answer" : " has an answer at last"));
                }
                for (JsonNode series : answer) {
                    problem(query, series).ifPresent(wrong::add);
                }
            }
        }
        SENSIBLE.keySet().stream()
                .filter(place -> lines.stream().noneMatch(line -> line.startsWith("| " + place + " |")))
                .forEach(place -> wrong.add(place + " is no panel"));
        Files.createDirectories(REPORT.getParent());
        Files.writeString(REPORT, "| where | query | answer |\n|---|---|---|\n" + String.join("", lines));

        assertThat(wrong).as("see " + REPORT.toAbsolutePath()).isEmpty();
        assertThat(lines).hasSizeGreaterThan(60);
    }

    @Test
    @Order(3)
    void what_dashboards_show_of_a_run_is_what_its_trainer_sent() throws Exception {
        assertThat(elements(prometheus.labelValues("trainwatch_run_info{project=~\"vision\"}", "run_id"))
                        .map(JsonNode::textValue))
                .containsExactlyInAnyOrder("healthy", "a \"sick\" run");
        assertThat(value("trainwatch_run_max_steps{run_id=\"healthy\"}")).isEqualTo(100_000);
        assertThat(value("trainwatch_run_step_time_seconds{run_id=\"healthy\"}"))
                .isEqualTo(0.25);
        assertThat(value("trainwatch_run_loss{run_id=~\".*sick.*\"}")).isNaN();
        assertThat(value("trainwatch_run_metric{run_id=\"healthy\",metric=\"val/accuracy\"}"))
                .isBetween(0.5, 1.0);
        assertThat(value("trainwatch_monitor_ready")).isEqualTo(1);
    }

    @Test
    @Order(4)
    void exemplars_name_the_run_and_the_step() throws Exception {
        JsonNode exemplar = prometheus
                .exemplars("trainwatch_alerts_total{detector=\"non_finite_loss\",severity=\"critical\"}")
                .at("/0/exemplars/0/labels");

        // Prometheus 2.42 keeps the escapes of exemplars.
        assertThat(exemplar.get("run_id").textValue()).isEqualTo("a \\\"sick\\\" run");
        assertThat(exemplar.get("step").textValue()).isEqualTo("100");
    }

    @Test
    @Order(5)
    void the_end_of_the_run_resolves_the_alert() throws Exception {
        sick.close();

        JsonNode alert = await().atMost(LIMIT)
                .until(() -> told("resolved"), Optional::isPresent)
                .orElseThrow();
        assertThat(alert.at("/labels/run_id").textValue()).isEqualTo("a \"sick\" run");
    }

    @Test
    @Order(6)
    void the_health_check_of_the_image_says_whether_it_judges() throws Exception {
        Path healthy = ROOT.resolve("docker/healthy");

        assertThat(Programs.run(Path.of("/usr/bin/env"), "TRAINWATCH_HTTP_PORT=" + web.port(), healthy)
                        .exitCode())
                .isZero();
        assertThat(Programs.run(Path.of("/usr/bin/env"), "TRAINWATCH_HTTP_PORT=" + Service.freePort(), healthy)
                        .exitCode())
                .isEqualTo(1);
    }

    @Test
    @Order(7)
    void a_prometheus_with_native_histograms_gets_them_and_the_dashboard_reads_them() throws Exception {
        Query p99 = Dashboard.all().stream()
                .flatMap(dashboard -> dashboard.panelQueries().stream())
                .filter(query -> query.place().equals("monitor: Time to judge one event, B"))
                .findFirst()
                .orElseThrow();
        await().atMost(LIMIT)
                .untilAsserted(() -> assertThat(Double.parseDouble(
                                finer.query(sent(p99)).at("/0/value/1").asText("NaN")))
                        .isBetween(1e-7, 1.0));
        assertThat(finer.query("trainwatch_monitor_judge_seconds_bucket")).isEmpty();
    }

    private static Optional<JsonNode> told(String status) {
        return TOLD.stream()
                .flatMap(message -> elements(message.get("alerts")))
                .filter(alert -> alert.get("status").textValue().equals(status))
                .filter(alert -> alert.at("/labels/detector").asText().equals("non_finite_loss"))
                .findFirst();
    }

    private static double value(String selector) throws Exception {
        return Double.parseDouble(prometheus.query(selector).at("/0/value/1").textValue());
    }

    private static String sent(Query query) {
        String run = query.place().startsWith("run:") ? "a \\\"sick\\\" run" : ".*";
        // The run without its fault tells more, but annotations and alerts are of the other.
        boolean ofAlerts =
                query.expr().contains("trainwatch_alert_active") || query.expr().contains("ALERTS");
        return query.with(VARIABLES).replace("$run", query.place().startsWith("run:") && !ofAlerts ? "healthy" : run);
    }

    private static Optional<String> problem(Query query, JsonNode series) {
        List<Double> values = elements(series.get("values"))
                .map(point -> Double.parseDouble(point.get(1).textValue()))
                .toList();
        boolean sick = series.get("metric").path("run_id").asText().contains("sick");
        if (values.stream().noneMatch(Double::isFinite) && !sick) {
            return Optional.of(query.place() + " has no number in " + series.get("metric"));
        }
        if (!query.place().contains("State") && values.stream().anyMatch(value -> value < 0)) {
            return Optional.of(query.place() + " is below 0 in " + series.get("metric"));
        }
        Range range = SENSIBLE.get(query.place());
        double last = values.get(values.size() - 1);
        if (range != null && !sick && !(last >= range.least() && last <= range.most())) {
            return Optional.of(query.place() + " is " + last + " in " + series.get("metric"));
        }
        return Optional.empty();
    }

    private static String shown(JsonNode answer) {
        if (answer.isEmpty()) {
            return "nothing";
        }
        JsonNode values = answer.at("/0/values");
        return answer.size() + " series, first: " + values.size() + " points, last "
                + values.get(values.size() - 1).get(1).textValue();
    }

    private static void report(String place, String query, String answer, List<String> lines) {
        lines.add("| " + place + " | `" + query.replace("|", "\\|") + "` | " + answer + " |\n");
    }

    private static Path prometheusConfiguration(int alertmanager) throws IOException {
        Path folder = Files.createTempDirectory(dir, "prometheus-");
        Path rules = folder.resolve("rules");
        Documents.copy(ROOT.resolve("docker/prometheus/rules"), rules);
        changed(
                rules.resolve("alerting.yml"),
                rules.resolve("alerting.yml"),
                Map.of("keep_firing_for: 2m", "keep_firing_for: 2s"));
        Path token = Files.writeString(folder.resolve("token"), TOKEN);
        return changed(
                ROOT.resolve("docker/prometheus/prometheus.yml"),
                folder.resolve("prometheus.yml"),
                Map.of(
                        "scrape_interval: 15s",
                        "scrape_interval: 1s",
                        "evaluation_interval: 15s",
                        "evaluation_interval: 1s",
                        "/run/secrets/http_token",
                        token.toString(),
                        "monitor:8280",
                        "127.0.0.1:" + web.port(),
                        "alertmanager:9093",
                        "127.0.0.1:" + alertmanager));
    }

    private static Path alertmanagerConfiguration(String receiver) throws IOException {
        return changed(
                ROOT.resolve("docker/alertmanager/alertmanager.yml"),
                dir.resolve("alertmanager.yml"),
                Map.of(
                        "group_interval: 2m",
                        "group_interval: 1s",
                        "  - name: on-call\n",
                        "  - name: on-call\n    webhook_configs: [{url: \"" + receiver + "\"}]\n"));
    }

    private static Path changed(Path from, Path to, Map<String, String> changes) throws IOException {
        String text = Files.readString(from);
        for (Map.Entry<String, String> change : changes.entrySet()) {
            assertThat(text).contains(change.getKey());
            text = text.replace(change.getKey(), change.getValue());
        }
        return Files.writeString(to, text);
    }

    /** Returns where it listens. */
    private static String receiver() throws IOException {
        HttpServer server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        ObjectMapper json = new ObjectMapper();
        server.createContext("/", exchange -> {
            TOLD.add(json.readTree(exchange.getRequestBody()));
            exchange.sendResponseHeaders(200, -1);
            exchange.close();
        });
        server.start();
        started(() -> server.stop(0));
        return "http://127.0.0.1:" + server.getAddress().getPort() + "/";
    }

    private static <T extends AutoCloseable> T started(T part) {
        STARTED.push(part);
        return part;
    }

    /** A training on a thread of its own, 50 steps a second. */
    private static final class Training implements AutoCloseable {
        private static final long NANOS_PER_STEP = 20_000_000;

        private final Thread thread;
        private volatile boolean ended;

        /** Its loss is NaN from one step on. */
        Training(String runId, String location, long sickFrom) {
            thread = new Thread(() -> train(runId, location, sickFrom), runId);
            thread.setDaemon(true);
            thread.start();
        }

        private void train(String runId, String location, long sickFrom) {
            Random noise = new Random(7);
            try (TrainingRun run = Trainwatch.run(runId)
                    .project("vision")
                    .maxSteps(100_000)
                    .spoolDirectory(Files.createTempDirectory(dir, "spool-"))
                    .start(location)) {
                for (long step = 1; !ended; step++) {
                    StepCompleted details = new StepCompleted();
                    details.setLoss(
                            step >= sickFrom
                                    ? Double.NaN
                                    : 1 + 2 / Math.sqrt((double) step) + 0.01 * noise.nextGaussian());
                    details.setGradNorm(1 + 0.1 * noise.nextDouble());
                    details.setLearningRate(0.001);
                    details.setStepTimeSeconds(0.25);
                    run.step(step, details);
                    if (step % 20 == 0) {
                        run.evaluation(step, Map.of("loss", 1.5, "accuracy", 0.7));
                    }
                    LockSupport.parkNanos(NANOS_PER_STEP);
                }
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }

        @Override
        public void close() {
            ended = true;
            try {
                thread.join(10_000);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }
    }
}
