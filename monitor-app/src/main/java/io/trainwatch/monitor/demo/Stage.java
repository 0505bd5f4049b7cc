package io.trainwatch.monitor.demo;

import io.trainwatch.monitor.board.OpenCommands;
import io.trainwatch.monitor.embedded.EmbeddedKafka;
import io.trainwatch.monitor.intake.Intake;
import io.trainwatch.monitor.intake.IntakeSettings;
import io.trainwatch.monitor.metrics.Metrics;
import io.trainwatch.monitor.metrics.MetricsSettings;
import io.trainwatch.monitor.notify.Notifier;
import io.trainwatch.monitor.notify.NotifyMetrics;
import io.trainwatch.monitor.notify.NotifySettings;
import io.trainwatch.monitor.topology.Monitor;
import io.trainwatch.monitor.topology.MonitorSettings;
import io.trainwatch.monitor.web.Endpoints;
import io.trainwatch.monitor.web.HttpSettings;
import io.trainwatch.monitor.web.WebServer;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.InstantSource;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Where a demonstration takes place: a real broker and a real monitor in this JVM, on loopback and in a temporary
 * directory, which is deleted in the end.
 */
final class Stage implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Stage.class);
    private static final Duration START_LIMIT = Duration.ofSeconds(60);

    /**
     * A broker that is late with its own heartbeats, because the machine is busy, declares itself dead and refuses every
     * producer. There is no other that could take over, and no earlier life of it to wait for.
     */
    private static final Map<String, String> PATIENT = Map.of("broker.session.timeout.ms", "60000");

    private final Deque<AutoCloseable> built = new ArrayDeque<>();
    private final Thread onExit = new Thread(this::takeDown, "demo-end");
    private final EmbeddedKafka kafka;
    private final Monitor monitor;
    private final WebServer web;
    private final AlertFeed alerts;
    private final Trainers trainers;

    /**
     * Builds it, which takes some seconds.
     *
     * @param version of the program
     * @param notify who is told of alerts, and what trainings are told to do
     * @throws IOException if the temporary directory cannot be made or HTTP cannot be served
     * @throws IllegalStateException if the monitor is not ready in time
     */
    Stage(HttpSettings http, String version, NotifySettings notify) throws IOException, InterruptedException {
        Runtime.getRuntime().addShutdownHook(onExit);
        try {
            Path directory = Files.createTempDirectory("trainwatch-demo-");
            built(() -> delete(directory));
            kafka = built(EmbeddedKafka.start(directory.resolve("broker"), 0, PATIENT));
            MonitorSettings settings =
                    MonitorSettings.forBroker(kafka.bootstrapServers(), directory.resolve("state"));
            monitor = built(Monitor.start(settings));
            if (!monitor.awaitRunning(START_LIMIT)) {
                throw new IllegalStateException(
                        "The monitor was not ready after " + START_LIMIT.toSeconds() + " s. " + monitor.trouble());
            }
            alerts = new AlertFeed(kafka.bootstrapServers(), monitor.topics().alerts());
            OpenCommands commands = new OpenCommands(InstantSource.system());
            Notifier notifier = built(Notifier.start(notify, settings, commands, null));
            Metrics metrics = built(new Metrics(monitor, MetricsSettings.DEFAULT, version));
            Intake intake = built(Intake.start(
                    IntakeSettings.DEFAULT,
                    kafka.bootstrapServers(),
                    Map.of(),
                    monitor.topics().events(),
                    monitor.board(),
                    commands::of));
            metrics.prometheus().register(intake.metrics());
            metrics.prometheus().register(new NotifyMetrics(notifier));
            List<Endpoints> parts = new ArrayList<>(intake.endpoints());
            parts.addAll(notifier.endpoints());
            web = built(WebServer.start(
                    http,
                    monitor.board(),
                    metrics.prometheus(),
                    () -> Optional.of(monitor.trouble()).filter(trouble -> !trouble.isEmpty()),
                    parts));
            trainers = built(new Trainers(
                    "kafka:" + kafka.bootstrapServers(), directory.resolve("spool"), !notify.commands().on().isEmpty()));
        } catch (IOException | InterruptedException | RuntimeException e) {
            close();
            throw e;
        }
    }

    String bootstrapServers() {
        return kafka.bootstrapServers();
    }

    /** Where people look, e.g. {@code http://127.0.0.1:8280}. */
    String url() {
        return web.url();
    }

    Monitor monitor() {
        return monitor;
    }

    AlertFeed alerts() {
        return alerts;
    }

    Trainers trainers() {
        return trainers;
    }

    private <T extends AutoCloseable> T built(T part) {
        synchronized (built) {
            built.push(part);
        }
        return part;
    }

    /** Takes everything down, the latest first: trainings, monitor, broker, directory. Safe to call twice. */
    @Override
    public void close() {
        takeDown();
        try {
            Runtime.getRuntime().removeShutdownHook(onExit);
        } catch (IllegalStateException e) {
            // The JVM is going down already, and the hook does nothing more.
        }
    }

    private void takeDown() {
        synchronized (built) {
            while (!built.isEmpty()) {
                try {
                    built.pop().close();
                } catch (Exception e) {
                    LOG.warn("A part of the demonstration did not end well", e);
                }
            }
        }
    }

    private static void delete(Path directory) {
        List<Path> paths;
        try (Stream<Path> all = Files.walk(directory)) {
            paths = all.sorted(Comparator.reverseOrder()).toList();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        for (Path path : paths) {
            try {
                Files.deleteIfExists(path);
            } catch (IOException e) {
                LOG.debug("{} stays behind", path, e);
            }
        }
    }
}
