package io.trainwatch.monitor.notify;

import io.trainwatch.monitor.Installed;
import io.trainwatch.monitor.board.OpenCommands;
import io.trainwatch.monitor.embedded.EmbeddedKafka;
import io.trainwatch.monitor.judge.RunJudge;
import io.trainwatch.monitor.metrics.Metrics;
import io.trainwatch.monitor.metrics.MetricsSettings;
import io.trainwatch.monitor.topology.Monitor;
import io.trainwatch.monitor.topology.MonitorSettings;
import io.trainwatch.monitor.web.HttpSettings;
import io.trainwatch.monitor.web.WebServer;
import io.trainwatch.sdk.TrainingRun;
import io.trainwatch.sdk.Trainwatch;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.InstantSource;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;

/**
 * From {@code run.step(NaN)} in a trainer to a receiver that holds the page, by three ways in the same run: the webhook sink;
 * the Alertmanager sink and a real Alertmanager with {@code group_wait: 0s}; and, without our notifier, a real Prometheus that
 * scrapes and evaluates each second and the same Alertmanager.
 *
 * <p>System properties: {@code runs} (200), {@code pause} between two in milliseconds (250).
 */
public final class PageLatency {
    private static final Duration LIMIT = Duration.ofSeconds(60);

    /** When the page of a run arrived, by way and run. */
    private final Map<String, Map<String, Long>> arrivals = new ConcurrentHashMap<>();

    private PageLatency() {}

    public static void main(String[] args) throws Exception {
        new PageLatency().measure(Integer.getInteger("runs", 200), Integer.getInteger("pause", 250));
        System.exit(0);
    }

    private void measure(int runs, int pauseMs) throws Exception {
        Path dir = Files.createTempDirectory("page-latency-");
        try (Receiver direct = receiver("webhook sink");
                Receiver through = receiver("Alertmanager sink");
                Receiver rule = receiver("Prometheus rule");
                EmbeddedKafka kafka = EmbeddedKafka.start(dir.resolve("kafka"), 0)) {
            URI alertmanager = alertmanager(dir, through, rule);
            MonitorSettings settings = MonitorSettings.forBroker(kafka.bootstrapServers(), dir.resolve("state"));
            NotifySettings nobody = NotifySettings.NOBODY;
            NotifySettings notify = new NotifySettings(
                    List.of(
                            new SinkSettings("hook", new SinkSettings.Webhook(direct.url("/"), null)),
                            new SinkSettings("am", new SinkSettings.Alertmanager(alertmanager, null))),
                    nobody.routes(),
                    new Grouping(Duration.ofSeconds(30), 1_000, Duration.ofSeconds(1)),
                    new RateLimit(10_000, Duration.ofSeconds(1)),
                    null,
                    nobody.links(),
                    null,
                    nobody.giveUpAfter(),
                    nobody.commands());
            try (Monitor monitor = Monitor.start(settings, new RunJudge());
                    Metrics metrics = new Metrics(monitor, MetricsSettings.DEFAULT, "benchmark");
                    Notifier notifier =
                            Notifier.start(notify, settings, new OpenCommands(InstantSource.system()), null);
                    WebServer web = WebServer.start(
                            new HttpSettings("127.0.0.1", 0, null),
                            monitor.board(),
                            metrics.prometheus(),
                            Optional::empty,
                            List.of())) {
                prometheus(dir, web.port(), alertmanager);
                if (!monitor.awaitRunning(LIMIT)) {
                    throw new IllegalStateException("the monitor is not ready");
                }
                while (!notifier.tellsAll()) {
                    Thread.sleep(100);
                }
                Map<String, Long> sent = train("kafka:" + kafka.bootstrapServers(), runs, pauseMs);
                print(sent);
            }
        }
    }

    private Map<String, Long> train(String location, int runs, int pauseMs) throws InterruptedException {
        Map<String, Long> sent = new ConcurrentHashMap<>();
        for (int i = 0; i < runs; i++) {
            String id = "run-" + i;
            try (TrainingRun run = Trainwatch.run(id).start(location)) {
                for (int step = 1; step <= 5; step++) {
                    run.step(step, 1.0);
                }
                Thread.sleep(pauseMs);
                sent.put(id, System.currentTimeMillis());
                run.step(6, Double.NaN);
                // A run that ends resolves its alert: the slow ways must have seen it.
                awaitAll(id);
            }
        }
        return sent;
    }

    private void awaitAll(String id) throws InterruptedException {
        long deadline = System.nanoTime() + LIMIT.toNanos();
        while (!arrivals.values().stream().allMatch(way -> way.containsKey(id))) {
            if (System.nanoTime() > deadline) {
                List<String> missing = arrivals.entrySet().stream()
                        .filter(way -> !way.getValue().containsKey(id))
                        .map(Map.Entry::getKey)
                        .toList();
                throw new IllegalStateException(
                        "within " + LIMIT.toSeconds() + " s no page of " + id + " came by " + missing);
            }
            Thread.sleep(5);
        }
    }

    private void print(Map<String, Long> sent) {
        System.out.printf(
                Locale.ROOT,
                "%d runs, %d processors%n",
                sent.size(),
                Runtime.getRuntime().availableProcessors());
        System.out.println("| way | p50 ms | p99 ms | max ms |");
        System.out.println("|-----|-------:|-------:|-------:|");
        arrivals.forEach((way, times) -> {
            long[] took = sent.entrySet().stream()
                    .mapToLong(one -> times.get(one.getKey()) - one.getValue())
                    .sorted()
                    .toArray();
            System.out.printf(
                    Locale.ROOT,
                    "| %s | %d | %d | %d |%n",
                    way,
                    took[took.length / 2],
                    took[(int) Math.ceil(took.length * 0.99) - 1],
                    took[took.length - 1]);
        });
    }

    private Receiver receiver(String way) {
        Map<String, Long> times = new ConcurrentHashMap<>();
        arrivals.put(way, times);
        return new Receiver().behaving(request -> {
            request.json().path("alerts").forEach(alert -> {
                String id = alert.at(alert.has("run_id") ? "/run_id" : "/labels/run_id")
                        .asText();
                times.putIfAbsent(id, request.atMs());
            });
            return Receiver.Answer.OK;
        });
    }

    private static URI alertmanager(Path dir, Receiver through, Receiver rule) throws Exception {
        int port = freePort();
        Files.writeString(dir.resolve("alertmanager.yml"), """
                route:
                  receiver: through
                  group_by: [alertname, run_id]
                  group_wait: 0s
                  group_interval: 1s
                  routes: [{receiver: rule, matchers: [way="rule"], group_wait: 0s, group_by: [alertname, run_id]}]
                receivers:
                  - {name: through, webhook_configs: [{url: "%s"}]}
                  - {name: rule, webhook_configs: [{url: "%s"}]}
                """.formatted(through.url(), rule.url()));
        start(
                dir,
                "alertmanager.log",
                Installed.program("prometheus-alertmanager", "prometheus-alertmanager")
                        .toString(),
                "--config.file=" + dir.resolve("alertmanager.yml"),
                "--storage.path=" + dir.resolve("alertmanager"),
                "--web.listen-address=127.0.0.1:" + port,
                "--cluster.listen-address=");
        return URI.create("http://127.0.0.1:" + port);
    }

    private static void prometheus(Path dir, int monitor, URI alertmanager) throws Exception {
        Files.writeString(dir.resolve("rules.yml"), """
                groups:
                  - name: loss
                    interval: 1s
                    rules: [{alert: LossNotFinite, expr: trainwatch_run_loss != trainwatch_run_loss, labels: {way: rule}}]
                """);
        Files.writeString(dir.resolve("prometheus.yml"), """
                global: {scrape_interval: 1s, evaluation_interval: 1s}
                rule_files: [rules.yml]
                alerting: {alertmanagers: [{static_configs: [{targets: ["127.0.0.1:%d"]}]}]}
                scrape_configs: [{job_name: trainwatch, static_configs: [{targets: ["127.0.0.1:%d"]}]}]
                """.formatted(alertmanager.getPort(), monitor));
        start(
                dir,
                "prometheus.log",
                Installed.program("prometheus", "prometheus").toString(),
                "--config.file=" + dir.resolve("prometheus.yml"),
                "--storage.tsdb.path=" + dir.resolve("prometheus"),
                "--web.listen-address=127.0.0.1:" + freePort());
    }

    private static void start(Path dir, String log, String... command) throws Exception {
        Process process = new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(dir.resolve(log).toFile())
                .start();
        Runtime.getRuntime().addShutdownHook(new Thread(process::destroy));
    }

    private static int freePort() throws Exception {
        try (ServerSocket free = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            return free.getLocalPort();
        }
    }
}
