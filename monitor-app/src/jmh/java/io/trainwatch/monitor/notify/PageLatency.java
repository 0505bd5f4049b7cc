package io.trainwatch.monitor.notify;

import io.trainwatch.alert.Alert;
import io.trainwatch.codec.SingleObjectCodec;
import io.trainwatch.codec.UndecodableException;
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
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Collectors;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/**
 * From {@code run.step(NaN)} in a trainer to a receiver that holds the page, by three ways in the same run: the webhook sink;
 * the Alertmanager sink and a real Alertmanager with {@code group_wait: 0s}; and, without our notifier, a real Prometheus that
 * scrapes and evaluates each second and the same Alertmanager. A line of its own has when the alert was there for readers of
 * committed records, which is what the sinks wait for. Runs begin at random moments, whether or not the slow ways have told of
 * the ones before.
 *
 * <p>System properties: {@code runs} (200), {@code pause} between two in milliseconds, half as much to half as much again
 * (600), {@code seed} (1).
 */
public final class PageLatency {
    private static final Duration LIMIT = Duration.ofSeconds(60);

    private static final String COMMITTED = "(alert committed)";
    private static final int SLOWEST = 5;

    /** When the page of a run arrived, epoch milliseconds, by way and run. */
    private final Map<String, Map<String, Long>> arrivals = new ConcurrentSkipListMap<>();

    private PageLatency() {}

    public static void main(String[] args) throws Exception {
        new PageLatency().measure(Integer.getInteger("runs", 200), Integer.getInteger("pause", 600));
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
                watchCommitted(kafka.bootstrapServers(), monitor.topics().alerts());
                Map<String, Long> sent = train("kafka:" + kafka.bootstrapServers(), runs, pauseMs);
                print(sent);
            }
        }
    }

    private Map<String, Long> train(String location, int runs, int pauseMs) throws Exception {
        Map<String, Long> sent = new ConcurrentHashMap<>();
        SplittableRandom random = new SplittableRandom(Long.getLong("seed", 1));
        ExecutorService trainers = Executors.newCachedThreadPool();
        List<Future<?>> training = new ArrayList<>();
        for (int i = 0; i < runs; i++) {
            String id = String.format(Locale.ROOT, "run-%03d", i);
            training.add(trainers.submit(() -> {
                train(location, id, sent);
                return null;
            }));
            Thread.sleep(pauseMs / 2 + random.nextInt(pauseMs));
        }
        for (Future<?> one : training) {
            one.get();
        }
        trainers.shutdown();
        return sent;
    }

    private void train(String location, String id, Map<String, Long> sent) throws InterruptedException {
        try (TrainingRun run = Trainwatch.run(id).start(location)) {
            for (int step = 1; step <= 5; step++) {
                run.step(step, 1.0);
            }
            Thread.sleep(250);
            sent.put(id, System.currentTimeMillis());
            run.step(6, Double.NaN);
            // A run that ends resolves its alert: the slow ways must have seen it.
            awaitAll(id);
        }
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
            Thread.sleep(20);
        }
    }

    private void print(Map<String, Long> sent) {
        System.out.printf(
                Locale.ROOT,
                "%d runs, %d processors%n",
                sent.size(),
                Runtime.getRuntime().availableProcessors());
        System.out.println("| way | p50 ms | p99 ms | slowest |");
        System.out.println("|-----|-------:|-------:|---------|");
        arrivals.forEach((way, times) -> {
            Map<String, Long> took = new HashMap<>();
            sent.forEach((run, at) -> took.put(run, times.get(run) - at));
            long[] sorted =
                    took.values().stream().mapToLong(Long::longValue).sorted().toArray();
            System.out.printf(
                    Locale.ROOT,
                    "| %s | %d | %d | %s |%n",
                    way,
                    sorted[sorted.length / 2],
                    sorted[(int) Math.ceil(sorted.length * 0.99) - 1],
                    took.entrySet().stream()
                            .sorted(Map.Entry.<String, Long>comparingByValue().reversed())
                            .limit(SLOWEST)
                            .map(one -> one.getKey() + " " + one.getValue())
                            .collect(Collectors.joining(", ")));
        });
    }

    /** Notes when alerts are there for those who read committed records. */
    private void watchCommitted(String servers, String topic) {
        Map<String, Long> committed = new ConcurrentHashMap<>();
        arrivals.put(COMMITTED, committed);
        SingleObjectCodec<Alert> codec = SingleObjectCodec.alerts();
        Thread reader = new Thread(
                () -> {
                    try (KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(
                            Map.<String, Object>of(
                                    "bootstrap.servers", servers,
                                    "isolation.level", "read_committed",
                                    "auto.offset.reset", "earliest"),
                            new ByteArrayDeserializer(),
                            new ByteArrayDeserializer())) {
                        consumer.assign(consumer.partitionsFor(topic).stream()
                                .map(partition -> new TopicPartition(topic, partition.partition()))
                                .toList());
                        while (true) {
                            for (ConsumerRecord<byte[], byte[]> one : consumer.poll(Duration.ofMillis(500))) {
                                Alert alert = codec.decode(one.value());
                                committed.putIfAbsent(alert.getRunId(), System.currentTimeMillis());
                            }
                        }
                    } catch (UndecodableException e) {
                        throw new IllegalStateException(e);
                    }
                },
                "committed");
        reader.setDaemon(true);
        reader.start();
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
