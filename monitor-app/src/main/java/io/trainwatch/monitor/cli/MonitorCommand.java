package io.trainwatch.monitor.cli;

import io.trainwatch.monitor.board.OpenCommands;
import io.trainwatch.monitor.config.Configuration;
import io.trainwatch.monitor.embedded.EmbeddedKafka;
import io.trainwatch.monitor.embedded.EmbeddedKafkaException;
import io.trainwatch.monitor.intake.Intake;
import io.trainwatch.monitor.judge.RunJudge;
import io.trainwatch.monitor.metrics.Metrics;
import io.trainwatch.monitor.notify.Notifier;
import io.trainwatch.monitor.notify.NotifyMetrics;
import io.trainwatch.monitor.notify.Pulse;
import io.trainwatch.monitor.topology.Monitor;
import io.trainwatch.monitor.topology.MonitorSettings;
import io.trainwatch.monitor.topology.MonitorState;
import io.trainwatch.monitor.web.Endpoints;
import io.trainwatch.monitor.web.Peers;
import io.trainwatch.monitor.web.WebServer;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.time.Duration;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.common.KafkaException;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** The service: judges the runs of a Kafka cluster until it is stopped. */
@Command(
        name = "monitor",
        mixinStandardHelpOptions = true,
        versionProvider = Trainwatch.Version.class,
        description = {
            "Judges the runs whose events arrive in Kafka, until it is stopped.",
            "",
            "Alerts go to the topic trainwatch.alerts; a page, /metrics for Prometheus and /api/v1 are served on"
                    + " http://127.0.0.1:8280. Several monitors on one cluster share the runs. Stop it with Ctrl-C or"
                    + " SIGTERM: it commits, hands its runs over and ends, within 45 seconds at worst.",
            ""
        },
        footer = {
            "",
            "Every setting, with its default and reason, is in conf/trainwatch.yaml of this distribution. Variables such"
                    + " as TRAINWATCH_HTTP_PORT win over the file, flags over both.",
            "",
            "Examples:",
            "  trainwatch monitor --embedded-kafka --data-dir data",
            "                                       all in one process, for one machine",
            "  trainwatch monitor --bootstrap-servers kafka-1:9092,kafka-2:9092",
            "  trainwatch monitor --config trainwatch.yaml",
            "  trainwatch tail alerts               in another window: what it says",
            "",
            "Exit codes:",
            "  130, 143  stopped by Ctrl-C, by SIGTERM",
            "  2         could not start; the message says why"
        })
final class MonitorCommand implements Callable<Integer> {
    private static final Duration BROKER_LIMIT = Duration.ofSeconds(10);
    private static final Duration STOP_LIMIT = Duration.ofSeconds(45);

    @Spec
    @SuppressWarnings("NullAway.Init") // picocli fills it in
    CommandSpec spec;

    @Option(names = "--config", paramLabel = "FILE", description = "Settings, a YAML file.")
    @Nullable
    Path config;

    @Option(
            names = "--bootstrap-servers",
            paramLabel = "HOST:PORT",
            description =
                    "Brokers to ask first, several with commas (kafka.bootstrap_servers; default: 127.0.0.1:9092).")
    @Nullable
    String bootstrapServers;

    @Option(names = "--embedded-kafka", description = "Start a Kafka broker in this process, on 127.0.0.1 only.")
    boolean embeddedKafka;

    @Option(
            names = "--data-dir",
            paramLabel = "DIR",
            description = "Where the embedded broker and the monitor keep their data between starts.")
    @Nullable
    Path dataDir;

    @Option(
            names = "--kafka-port",
            paramLabel = "PORT",
            defaultValue = "9092",
            description = "Port of the embedded broker, 0 for any free one (default: ${DEFAULT-VALUE}).")
    int kafkaPort;

    @Option(
            names = "--http-host",
            paramLabel = "HOST",
            description = "Address to serve HTTP on (http.host; default: 127.0.0.1). Any other needs a token.")
    @Nullable
    String httpHost;

    @Option(
            names = "--http-port",
            paramLabel = "PORT",
            description = "Port to serve HTTP on, 0 for any free one (http.port; default: 8280).")
    @Nullable
    String httpPort;

    @Override
    public Integer call() throws Exception {
        if (embeddedKafka && dataDir == null) {
            throw new ParameterException(
                    spec.commandLine(), "--embedded-kafka needs --data-dir DIR to keep its data in");
        }
        if (embeddedKafka && bootstrapServers != null) {
            throw new ParameterException(
                    spec.commandLine(), "--embedded-kafka and --bootstrap-servers name two clusters: choose one");
        }
        if (!embeddedKafka && dataDir != null) {
            throw new ParameterException(
                    spec.commandLine(),
                    "--data-dir is for --embedded-kafka; the monitor's own state goes to monitor.state_dir");
        }
        Configuration configuration = Configuration.read(config, System.getenv(), flags(Map.of()));
        try {
            if (embeddedKafka && dataDir != null) {
                try (EmbeddedKafka kafka = EmbeddedKafka.start(dataDir.resolve("kafka"), kafkaPort)) {
                    serve(Configuration.read(
                            config,
                            System.getenv(),
                            flags(Map.of(
                                    "kafka.bootstrap_servers",
                                    new Configuration.Flag("--embedded-kafka", kafka.bootstrapServers()),
                                    "monitor.state_dir",
                                    new Configuration.Flag(
                                            "--data-dir",
                                            dataDir.resolve("state").toString())))));
                }
            } else {
                MonitorSettings settings = configuration.monitor();
                Brokers.await(settings.bootstrapServers(), settings.clientProperties(), BROKER_LIMIT);
                serve(configuration);
            }
        } catch (EmbeddedKafkaException | IllegalStateException | KafkaException e) {
            throw new CommandFailedException(String.valueOf(e.getMessage()), e);
        }
        return 0;
    }

    private Map<String, Configuration.Flag> flags(Map<String, Configuration.Flag> more) {
        Map<String, Configuration.Flag> flags = new LinkedHashMap<>(more);
        if (bootstrapServers != null) {
            flags.put("kafka.bootstrap_servers", new Configuration.Flag("--bootstrap-servers", bootstrapServers));
        }
        if (httpHost != null) {
            flags.put("http.host", new Configuration.Flag("--http-host", httpHost));
        }
        if (httpPort != null) {
            flags.put("http.port", new Configuration.Flag("--http-port", httpPort));
        }
        return flags;
    }

    private void serve(Configuration configuration) throws CommandFailedException, InterruptedException {
        CountDownLatch stop = new CountDownLatch(1);
        CountDownLatch stopped = new CountDownLatch(1);
        String version = Trainwatch.Version.ofBuild();
        OpenCommands commands = new OpenCommands(InstantSource.system());
        try (Monitor monitor = Monitor.start(configuration.monitor(), new RunJudge(configuration.detection()));
                Metrics metrics = new Metrics(monitor, configuration.metrics(), version);
                Notifier notifier = Notifier.start(
                        configuration.notifySettings(),
                        configuration.monitor(),
                        commands,
                        new Pulse(
                                () -> Optional.of(monitor.trouble()).filter(trouble -> !trouble.isEmpty()),
                                monitor.counters()::events,
                                monitor::lag));
                Intake intake = Intake.start(
                        configuration.intake(),
                        configuration.monitor().bootstrapServers(),
                        configuration.monitor().clientProperties(),
                        monitor.topics().events(),
                        monitor.board(),
                        commands::of);
                WebServer web = WebServer.start(
                        configuration.http(),
                        monitor.board(),
                        metrics.prometheus(),
                        () -> notReady(monitor),
                        directory(monitor),
                        parts(intake, notifier))) {
            metrics.prometheus().register(intake.metrics());
            metrics.prometheus().register(new NotifyMetrics(notifier));
            Runtime.getRuntime().addShutdownHook(new Thread(() -> awaitStop(stop, stopped), "stop"));
            tellWhereToLook(version, configuration.monitor(), web);
            stop.await();
        } catch (IOException e) {
            throw new CommandFailedException(String.valueOf(e.getMessage()), e);
        } finally {
            stopped.countDown();
        }
    }

    private static List<Endpoints> parts(Intake intake, Notifier notifier) {
        List<Endpoints> parts = new ArrayList<>(intake.endpoints());
        parts.addAll(notifier.endpoints());
        return parts;
    }

    private static Peers.Directory directory(Monitor monitor) {
        return new Peers.Directory() {
            @Override
            public Optional<String> judgeOf(String runId) {
                return monitor.judgeOf(runId);
            }

            @Override
            public Set<String> others() {
                return monitor.others();
            }
        };
    }

    /** The JVM ends when its hooks have: this one holds it until everything is closed. */
    private static void awaitStop(CountDownLatch stop, CountDownLatch stopped) {
        stop.countDown();
        try {
            if (!stopped.await(STOP_LIMIT.toMillis(), TimeUnit.MILLISECONDS)) {
                System.err.println("trainwatch: did not stop within " + STOP_LIMIT.toSeconds()
                        + " s; what was not committed is judged again at the next start");
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private static Optional<String> notReady(Monitor monitor) {
        MonitorState state = monitor.state();
        return switch (state) {
            case RUNNING -> Optional.empty();
            case STARTING -> Optional.of("joining the group and restoring the states of the runs");
            case DEGRADED -> Optional.of(monitor.trouble());
            case STOPPED -> Optional.of("stopping");
        };
    }

    private void tellWhereToLook(String version, MonitorSettings settings, WebServer web) {
        PrintWriter out = spec.commandLine().getOut();
        out.printf(
                "trainwatch %s judges the runs of %s, topics %s*%n",
                version, settings.bootstrapServers(), settings.topicPrefix());
        out.printf("  page      %s/%n", web.url());
        out.printf("  metrics   %s/metrics%n", web.url());
        out.printf("  alerts    trainwatch tail alerts --bootstrap-servers %s%n", settings.bootstrapServers());
        out.printf("  trainers  send to kafka:%s or %s%n", settings.bootstrapServers(), web.url());
        out.println("Ctrl-C stops it.");
        out.flush();
    }
}
