package io.trainwatch.monitor.notify;

import com.fasterxml.jackson.databind.JsonNode;
import io.trainwatch.monitor.board.OpenCommands;
import io.trainwatch.monitor.judge.RunJudge;
import io.trainwatch.monitor.topology.Broker;
import io.trainwatch.monitor.topology.Monitor;
import io.trainwatch.monitor.topology.MonitorSettings;
import io.trainwatch.monitor.topology.Trainer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;

/**
 * A storm: very many runs turn NaN within some seconds, over a real broker and monitor, and end some time later. What three
 * sinks with the default settings were sent: a webhook and PagerDuty, which group by the notifier, and Alertmanager, to which
 * each alert is forwarded. Ends with an error if any run is neither told nor counted.
 *
 * <p>System properties: {@code runs} (1000), {@code seconds} (10).
 */
public final class PageStorm {
    private static final Duration LIMIT = Duration.ofMinutes(4);

    private final int runs = Integer.getInteger("runs", 1_000);
    private final int seconds = Integer.getInteger("seconds", 10);

    private long firstMs;

    private PageStorm() {}

    public static void main(String[] args) throws Exception {
        new PageStorm().measure();
        System.exit(0);
    }

    private void measure() throws Exception {
        Path dir = Files.createTempDirectory("page-storm-");
        try (Receiver webhook = new Receiver();
                Receiver pagerDuty = new Receiver();
                Receiver alertmanager = new Receiver();
                Broker broker = new Broker(dir.resolve("kafka"))) {
            MonitorSettings settings = broker.settings(dir.resolve("state"));
            NotifySettings notify = NotifySettings.NOBODY.withSinks(List.of(
                    new SinkSettings("webhook", new SinkSettings.Webhook(webhook.url("/"), null)),
                    new SinkSettings(
                            "pagerduty", new SinkSettings.PagerDuty(pagerDuty.url("/"), new Secret("k".repeat(32)))),
                    new SinkSettings("alertmanager", new SinkSettings.Alertmanager(alertmanager.url("/"), null))));
            try (Monitor monitor = Monitor.start(settings, new RunJudge());
                    Notifier notifier =
                            Notifier.start(notify, settings, new OpenCommands(InstantSource.system()), null)) {
                if (!monitor.awaitRunning(LIMIT)) {
                    throw new IllegalStateException("the monitor is not ready");
                }
                await("the notifier is ready", notifier::tellsAll);
                List<Trainer> trainers = begin(broker, monitor);
                long lastMs = storm(broker, trainers);

                await("each run is told to Alertmanager", () -> told(alertmanager) == runs);
                long forwardedMs = System.currentTimeMillis();
                await("each run is in a page", () -> inPages(webhook) == runs);
                System.out.printf(
                        Locale.ROOT,
                        "%d runs turned NaN within %d s, %d processors%n"
                                + "the last one was told to Alertmanager %d ms after it, and was in a page %d ms after it; the"
                                + " first page came %d ms after the first NaN%n",
                        runs,
                        seconds,
                        Runtime.getRuntime().availableProcessors(),
                        forwardedMs - lastMs,
                        System.currentTimeMillis() - lastMs,
                        webhook.taken().get(0).atMs() - firstMs);

                trainers.forEach(trainer -> broker.send(trainer, trainer.finished()));
                broker.flush();
                await("all pages are resolved", () -> notifier.counters().incidents("webhook") == 0
                        && notifier.counters().incidents("pagerduty") == 0
                        && notifier.counters().incidents("alertmanager") == 0);
                print(notifier.counters(), Map.of(
                        "webhook", webhook, "pagerduty", pagerDuty, "alertmanager", alertmanager));
            }
        }
    }

    private List<Trainer> begin(Broker broker, Monitor monitor) throws InterruptedException {
        List<Trainer> trainers = new ArrayList<>();
        for (int i = 0; i < runs; i++) {
            Trainer trainer = new Trainer("run-" + i);
            trainers.add(trainer);
            broker.send(trainer, trainer.started());
            for (int step = 0; step < 5; step++) {
                broker.send(trainer, trainer.step());
            }
        }
        broker.flush();
        await("all runs have begun", () -> monitor.counters().events() >= 6L * runs && monitor.lag() == 0);
        return trainers;
    }

    private long storm(Broker broker, List<Trainer> trainers) {
        long begun = System.nanoTime();
        firstMs = System.currentTimeMillis();
        for (int i = 0; i < runs; i++) {
            LockSupport.parkNanos(begun + TimeUnit.SECONDS.toNanos(seconds) * i / runs - System.nanoTime());
            Trainer trainer = trainers.get(i);
            broker.send(trainer, trainer.step(Double.NaN));
        }
        broker.flush();
        return System.currentTimeMillis();
    }

    /** How many runs Alertmanager was told of. */
    private static int told(Receiver alertmanager) {
        Set<String> told = new HashSet<>();
        alertmanager.taken().forEach(request -> request.json()
                .forEach(alert -> told.add(alert.at("/labels/run_id").asText())));
        return told.size();
    }

    /** How many runs are in the latest page of each incident. */
    private static int inPages(Receiver webhook) {
        Map<String, Integer> runsOfIncident = new HashMap<>();
        for (Receiver.Request request : webhook.taken()) {
            JsonNode page = request.json();
            runsOfIncident.put(page.get("key").asText(), page.get("runs").asInt());
        }
        return runsOfIncident.values().stream().mapToInt(Integer::intValue).sum();
    }

    private static void print(NotifyCounters counters, Map<String, Receiver> receivers) {
        System.out.println("| sink | requests | pages opened | updated | resolved | held | failed | parked | left out |");
        System.out.println("|------|---------:|-------------:|--------:|---------:|-----:|-------:|-------:|---------:|");
        receivers.forEach((sink, receiver) -> System.out.printf(
                Locale.ROOT,
                "| %s | %d | %d | %d | %d | %d | %d | %d | %d |%n",
                sink,
                receiver.requests().size(),
                counters.toldPages(sink, Page.Kind.OPENED),
                counters.toldPages(sink, Page.Kind.UPDATED),
                counters.toldPages(sink, Page.Kind.RESOLVED),
                counters.heldPages(sink),
                counters.failedAttempts(sink),
                counters.parkedPages(sink),
                counters.overflowedEpisodes(sink)));
    }

    private static void await(String what, BooleanSupplier holds) throws InterruptedException {
        long deadline = System.nanoTime() + LIMIT.toNanos();
        while (!holds.getAsBoolean()) {
            if (System.nanoTime() > deadline) {
                throw new IllegalStateException("within " + LIMIT.toSeconds() + " s it did not come to this: " + what);
            }
            Thread.sleep(100);
        }
    }
}
