package io.trainwatch.monitor.web;

import com.fasterxml.jackson.databind.JsonNode;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.trainwatch.monitor.RunStream;
import io.trainwatch.monitor.board.RunBoard;
import io.trainwatch.monitor.judge.RunSnapshot;
import io.trainwatch.run.RunStatus;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;

/**
 * The live page in Chromium with many runs that all go on, and one run that is very long: bytes, time until it can be used
 * (from the start of the navigation until the rows or the curves are there and no task of the page took 50 ms for half a
 * second), and the time between two frames while it is scrolled or a pointer moves over its curves.
 *
 * <p>System properties: {@code runs} (2,000, each changes once a second), {@code steps} (5,000,000, of the long run).
 */
public final class PageLoad {
    private static final String ROWS = "document.querySelectorAll('.rows .row').length > 3";
    private static final String CURVES = "document.querySelectorAll('canvas').length > 3";

    private PageLoad() {}

    public static void main(String[] args) throws Exception {
        int runs = Integer.getInteger("runs", 2_000);
        int steps = Integer.getInteger("steps", 5_000_000);
        RunBoard board = new RunBoard();
        JudgedFleet fleet = new JudgedFleet(board);
        fleet.unseen("long")
                .started(declared -> declared.setMaxSteps(2L * steps))
                .steps(steps);
        fleet.show("long");
        List<RunSnapshot> many = fleetOf(runs, fleet, board);
        ScheduledExecutorService trainers = Executors.newSingleThreadScheduledExecutor();
        try (WebServer server = WebServer.start(
                        new HttpSettings("127.0.0.1", 0, null),
                        board,
                        new PrometheusRegistry(),
                        Optional::empty,
                        List.of());
                Browser browser = Browser.start()) {
            var unused = trainers.scheduleAtFixedRate(
                    () -> many.forEach(run -> board.publish(next(run))), 0, 1, TimeUnit.SECONDS);
            browser.size(1440, 900, false);
            System.out.println(
                    "| page | bytes first | usable after, ms | frames: p50, ms | p95, ms | max, ms | heap, MB |");
            System.out.println("|---|---:|---:|---:|---:|---:|---:|");
            measure("fleet of %,d runs, scrolled".formatted(runs), browser, server.url() + "/", ROWS, SCROLL);
            measure(
                    "run of %,d steps, pointer moves".formatted(steps),
                    browser,
                    server.url() + "/#/run/long",
                    CURVES,
                    POINT);
        } finally {
            trainers.shutdownNow();
        }
    }

    private static List<RunSnapshot> fleetOf(int count, JudgedFleet fleet, RunBoard board) {
        for (int i = 0; i < 20; i++) {
            boolean sick = i == 0;
            fleet.play("kind-" + i, 0, run -> kind(run, sick));
        }
        List<RunSnapshot> kinds = List.copyOf(board.runs()).stream()
                .filter(run -> run.status().getRunId().startsWith("kind-"))
                .toList();
        List<RunSnapshot> many = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            many.add(named(kinds.get(i % kinds.size()), "run-" + i));
        }
        kinds.forEach(run -> board.remove(run.status().getRunId()));
        return many;
    }

    private static void kind(RunStream run, boolean sick) {
        run.started(declared -> {
            declared.setProject("project");
            declared.setModelName("model");
            declared.setMaxSteps(10_000L);
        });
        run.steps(2_000);
        if (sick) {
            run.step(Double.NaN).step(Double.NaN);
        }
    }

    private static RunSnapshot named(RunSnapshot run, String id) {
        RunStatus status = copy(run.status());
        status.setRunId(id);
        return with(run, status);
    }

    /** The same run a step later. */
    private static RunSnapshot next(RunSnapshot run) {
        RunStatus before = run.status();
        RunStatus status = copy(before);
        status.setLastStep(before.getLastStep() + System.nanoTime() % 1_000);
        status.setLastEventAtMs(System.currentTimeMillis());
        return with(run, status);
    }

    private static RunStatus copy(RunStatus of) {
        RunStatus copy = new RunStatus();
        for (int i = 0; i < of.getSchema().getFields().size(); i++) {
            copy.put(i, of.get(i));
        }
        return copy;
    }

    private static RunSnapshot with(RunSnapshot run, RunStatus status) {
        return new RunSnapshot(
                status,
                run.series(),
                run.alerts(),
                run.milestones(),
                run.milestonesForgotten(),
                run.kind(),
                run.elapsed(),
                run.heatMaps());
    }

    /** One screen down in each frame, to the end and back. */
    private static final String SCROLL = """
            (frame) => scrollTo(0, Math.abs(((frame * 60) % (2 * document.documentElement.scrollHeight))
                - document.documentElement.scrollHeight))""";

    /** The pointer crosses the first chart in a hundred frames. */
    private static final String POINT = """
            (frame) => {
              const plot = document.querySelector('.plot');
              const box = plot.getBoundingClientRect();
              plot.querySelector('canvas').dispatchEvent(new MouseEvent('mousemove', {
                bubbles: true, clientX: box.left + (frame % 100) / 100 * box.width, clientY: box.top + box.height / 2 }));
            }""";

    private static void measure(String what, Browser browser, String url, String ready, String move)
            throws IOException {
        browser.send("Network.enable", java.util.Map.of());
        browser.send("Network.clearBrowserCache", java.util.Map.of());
        browser.open(url);
        browser.until(ready);
        double usable = browser.value("""
                new Promise((done) => {
                  let last = performance.now();
                  const busy = new PerformanceObserver((list) =>
                    list.getEntries().forEach((task) => (last = Math.max(last, task.startTime + task.duration))));
                  busy.observe({ type: 'longtask', buffered: true });
                  const look = () => (performance.now() - last > 500 ? done(last) : setTimeout(look, 50));
                  look();
                })""").asDouble();
        double bytes = browser.value(
                        "performance.getEntries().reduce((sum, entry) => sum + (entry.transferSize ?? 0), 0)")
                .asDouble();
        JsonNode frames = browser.value("""
                new Promise((done) => {
                  const move = %s;
                  const times = [];
                  let last = performance.now();
                  const frame = () => {
                    const now = performance.now();
                    times.push(now - last);
                    last = now;
                    move(times.length);
                    if (times.length < 300) {
                      requestAnimationFrame(frame);
                    } else {
                      times.sort((a, b) => a - b);
                      done([times[150], times[285], times[299]]);
                    }
                  };
                  requestAnimationFrame(frame);
                })""".formatted(move));
        System.out.printf(
                "| %s | %,.0f | %,.0f | %.1f | %.1f | %.1f | %.1f |%n",
                what,
                bytes,
                usable,
                frames.get(0).asDouble(),
                frames.get(1).asDouble(),
                frames.get(2).asDouble(),
                browser.value("performance.memory.usedJSHeapSize").asDouble() / 1e6);
    }
}
