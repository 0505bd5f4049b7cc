package io.trainwatch.monitor.web;

import io.trainwatch.monitor.embedded.EmbeddedKafka;
import io.trainwatch.monitor.judge.RunJudge;
import io.trainwatch.monitor.metrics.Metrics;
import io.trainwatch.monitor.metrics.MetricsSettings;
import io.trainwatch.monitor.topology.Monitor;
import io.trainwatch.monitor.topology.MonitorSettings;
import io.trainwatch.sdk.TrainingRun;
import io.trainwatch.sdk.Trainwatch;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;

/**
 * From {@code run.step} in a trainer to the row of its run in the live page in Chromium, with a real broker and monitor: the
 * first step of a new run, and its NaN some moments later, while other runs train.
 *
 * <p>System properties: {@code runs} (100), {@code others} (20, ten steps a second each).
 */
public final class EventToScreen {
    private static final Duration LIMIT = Duration.ofSeconds(60);

    /** Notes when the row of a run is first there and when it is first critical; what is asked later would come too late. */
    private static final String WATCH = """
            (() => {
              window.appeared = {};
              window.sick = {};
              new MutationObserver(() => document.querySelectorAll('.rows .row').forEach((row) => {
                const name = row.querySelector('.name').textContent;
                window.appeared[name] ??= Date.now();
                if (row.classList.contains('critical')) {
                  window.sick[name] ??= Date.now();
                }
              })).observe(document.getElementById('page'),
                  { subtree: true, childList: true, attributes: true, characterData: true });
            })()""";

    private EventToScreen() {}

    public static void main(String[] args) throws Exception {
        Path dir = Files.createTempDirectory("event-to-screen-");
        try (EmbeddedKafka kafka = EmbeddedKafka.start(dir.resolve("kafka"), 0);
                Monitor monitor = Monitor.start(
                        MonitorSettings.forBroker(kafka.bootstrapServers(), dir.resolve("state")), new RunJudge());
                Metrics metrics = new Metrics(monitor, MetricsSettings.DEFAULT, "benchmark");
                WebServer web = WebServer.start(
                        new HttpSettings("127.0.0.1", 0, null),
                        monitor.board(),
                        metrics.prometheus(),
                        Optional::empty,
                        List.of());
                Browser browser = Browser.start()) {
            if (!monitor.awaitRunning(LIMIT)) {
                throw new IllegalStateException(monitor.trouble());
            }
            measure("kafka:" + kafka.bootstrapServers(), web.url(), browser);
        }
        System.exit(0);
    }

    private static void measure(String location, String page, Browser browser) throws Exception {
        int others = Integer.getInteger("others", 20);
        int runs = Integer.getInteger("runs", 100);
        List<TrainingRun> background = new ArrayList<>();
        for (int i = 0; i < others; i++) {
            background.add(open("other-" + i, location));
        }
        long[] step = new long[1];
        ScheduledExecutorService trainers = Executors.newSingleThreadScheduledExecutor();
        var unused = trainers.scheduleAtFixedRate(
                () -> {
                    step[0]++;
                    background.forEach(run -> run.step(step[0], 1 + 1 / Math.sqrt((double) step[0])));
                },
                0,
                100,
                TimeUnit.MILLISECONDS);
        browser.size(1440, 900, false);
        browser.open(page);
        browser.until("document.querySelectorAll('.rows .row').length > 3");
        browser.value(WATCH);
        SplittableRandom random = new SplittableRandom(1);
        List<Long> appeared = new ArrayList<>();
        List<Long> sick = new ArrayList<>();
        // The first ones find code that has never run.
        for (int i = -10; i < runs; i++) {
            String id = "run-" + i;
            try (TrainingRun run = open(id, location)) {
                long begun = System.currentTimeMillis();
                run.step(1, 1.0);
                long there = seen(browser, "appeared", id) - begun;
                for (int healthy = 2; healthy < 10; healthy++) {
                    run.step(healthy, 1.0);
                }
                // At any moment between two looks of the monitor.
                Thread.sleep(300 + random.nextInt(1_000));
                long broken = System.currentTimeMillis();
                run.step(10, Double.NaN);
                long shown = seen(browser, "sick", id) - broken;
                if (i >= 0) {
                    appeared.add(there);
                    sick.add(shown);
                }
            }
        }
        trainers.shutdownNow();
        background.forEach(TrainingRun::close);
        System.out.println("| on the screen | runs | p50 ms | p90 ms | p99 ms | max ms |");
        System.out.println("|---|---:|---:|---:|---:|---:|");
        print("a new run, after its first step", appeared);
        print("that it is sick, after its NaN", sick);
    }

    private static TrainingRun open(String id, String location) throws IOException {
        return Trainwatch.run(id)
                .project("benchmark")
                .spoolDirectory(Files.createTempDirectory("spool-"))
                .start(location);
    }

    private static long seen(Browser browser, String what, String id) {
        String place = "window.%s['%s']".formatted(what, id);
        browser.until(place + " !== undefined");
        return browser.value(place).asLong();
    }

    private static void print(String what, List<Long> millis) {
        Collections.sort(millis);
        System.out.printf(
                "| %s | %d | %d | %d | %d | %d |%n",
                what, millis.size(), at(millis, 0.5), at(millis, 0.9), at(millis, 0.99), at(millis, 1));
    }

    private static long at(List<Long> sorted, double quantile) {
        return sorted.get((int) Math.ceil(quantile * sorted.size()) - 1);
    }
}
