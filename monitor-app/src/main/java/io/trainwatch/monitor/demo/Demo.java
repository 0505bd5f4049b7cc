package io.trainwatch.monitor.demo;

import io.trainwatch.alert.Alert;
import io.trainwatch.alert.AlertState;
import io.trainwatch.alert.Severity;
import io.trainwatch.monitor.judge.RunSnapshot;
import io.trainwatch.monitor.notify.NotifySettings;
import io.trainwatch.monitor.web.HttpSettings;
import io.trainwatch.run.RunCondition;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.LocalDateTime;
import java.time.ZoneId;
import java.time.format.DateTimeFormatter;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Lets a monitor judge tiny real trainings, some with a planted fault, on a broker of its own, and says what it finds as
 * it finds it.
 */
public final class Demo {
    /** All is over after about 75 s: a run that goes silent is given up by the monitor after 60 s at the earliest. */
    private static final Duration LIMIT = Duration.ofSeconds(150);

    /** Alerts are committed at once, so what the last events raised is readable well within. */
    private static final Duration LAST_WORDS = Duration.ofSeconds(2);

    /** Nine Kafka clients at once would fight for the processors of a small machine. */
    private static final Duration BETWEEN_STARTS = Duration.ofMillis(300);

    private static final Duration POLL = Duration.ofMillis(200);
    private static final long PULSE_MS = 10_000;
    private static final int WIDTH = 118;
    private static final Set<RunCondition> ENDED =
            EnumSet.of(RunCondition.completed, RunCondition.failed, RunCondition.killed);

    private final PrintWriter out;
    private final Ink ink;
    private final HttpSettings http;
    private final NotifySettings notify;
    private final String version;
    private final List<Scenario> scenarios = Scenarios.all();
    private final Scoreboard scoreboard = new Scoreboard(scenarios);
    private final Set<String> ended = ConcurrentHashMap.newKeySet();
    private final Map<String, Severity> toldSeverity = new HashMap<>();
    private long startedAtMs;
    private long pulseAtMs;

    /**
     * Prepares a demonstration.
     *
     * @param out where it tells what happens
     * @param http where the live page and the metrics are served
     * @param notify who is told of alerts, and what the trainings are told to do
     * @param version of the program
     */
    public Demo(PrintWriter out, Ink ink, HttpSettings http, NotifySettings notify, String version) {
        this.out = out;
        this.ink = ink;
        this.http = http;
        this.notify = notify;
        this.version = version;
    }

    /**
     * Plays every scenario once and prints the table of what was planted and what was found.
     *
     * @return whether every planted fault was found and the healthy runs stayed quiet
     */
    public boolean once() throws IOException, InterruptedException {
        try (Stage stage = new Stage(http, version, notify)) {
            begin(stage);
            for (Scenario scenario : scenarios) {
                train(stage, scenario);
                Thread.sleep(BETWEEN_STARTS.toMillis());
            }
            playOnce(stage);
            return result();
        }
    }

    /** Plays every scenario once, then the healthy ones again and again, until the thread is interrupted. */
    public void forever() throws IOException, InterruptedException {
        try (Stage stage = new Stage(http, version, notify)) {
            begin(stage);
            for (Scenario scenario : scenarios) {
                if (scenario.fault() == null) {
                    trainAgainAndAgain(stage, scenario, 1);
                } else {
                    train(stage, scenario);
                }
                Thread.sleep(BETWEEN_STARTS.toMillis());
            }
            playOnce(stage);
            result();
            say("The healthy trainings go on until you press Ctrl-C.");
            while (!Thread.currentThread().isInterrupted()) {
                news(stage);
            }
        }
    }

    /**
     * Trains for a monitor elsewhere, until the thread is interrupted: every scenario once, the healthy ones again and again.
     *
     * @param bootstrapServers the brokers whose events that monitor judges
     */
    public void trainFor(String bootstrapServers) throws IOException, InterruptedException {
        // Runs of an earlier start may still be known there.
        String start = DateTimeFormatter.ofPattern("-MMdd-HHmmss").format(LocalDateTime.now(ZoneId.systemDefault()));
        Path spool = Files.createTempDirectory("trainwatch-demo-spool-");
        try (Trainers trainers = new Trainers("kafka:" + bootstrapServers, spool, true)) {
            say("Trains for the monitor that judges the runs of %s:".formatted(bootstrapServers));
            for (Scenario scenario : scenarios) {
                say("  %-42s %s".formatted(scenario.name() + start, scenario.story()));
                trainElsewhere(trainers, scenario, start, 1);
                Thread.sleep(BETWEEN_STARTS.toMillis());
            }
            say("The healthy trainings go on until you press Ctrl-C.");
            Thread.sleep(Long.MAX_VALUE);
        }
    }

    private static void trainElsewhere(Trainers trainers, Scenario scenario, String start, int round) {
        trainers.start(
                scenario,
                scenario.name() + start + (round == 1 ? "" : "-" + round),
                Scenarios.SEED + round - 1,
                () -> {},
                () -> {
                    if (scenario.fault() == null) {
                        trainElsewhere(trainers, scenario, start, round + 1);
                    }
                });
    }

    private void begin(Stage stage) {
        startedAtMs = System.currentTimeMillis();
        pulseAtMs = startedAtMs;
        say(ink.bold("Tiny real trainings, judged live:"));
        for (Scenario scenario : scenarios) {
            say("  %-26s %s".formatted(scenario.name(), scenario.story()));
        }
        say("");
        say("  page      " + stage.url() + "/");
        say("  metrics   " + stage.url() + "/metrics");
        say("  alerts    trainwatch tail alerts --bootstrap-servers " + stage.bootstrapServers());
        say("");
    }

    private void train(Stage stage, Scenario scenario) {
        stage.trainers()
                .start(
                        scenario,
                        scenario.name(),
                        Scenarios.SEED,
                        () -> faultReached(scenario),
                        () -> ended.add(scenario.name()));
    }

    private void trainAgainAndAgain(Stage stage, Scenario scenario, int round) {
        String run = round == 1 ? scenario.name() : scenario.name() + "-" + round;
        stage.trainers().start(scenario, run, Scenarios.SEED + round - 1, () -> {}, () -> {
            ended.add(run);
            trainAgainAndAgain(stage, scenario, round + 1);
        });
    }

    private void faultReached(Scenario scenario) {
        scoreboard.faultReached(scenario.name(), System.currentTimeMillis());
    }

    private void playOnce(Stage stage) {
        long limitMs = startedAtMs + LIMIT.toMillis();
        while (System.currentTimeMillis() < limitMs
                && !scenarios.stream().allMatch(scenario -> isOver(stage, scenario))) {
            news(stage);
        }
        long lastWordsMs = System.currentTimeMillis() + LAST_WORDS.toMillis();
        while (System.currentTimeMillis() < lastWordsMs) {
            news(stage);
        }
    }

    /** Nothing more is to be expected of it: its end was judged, or its silence noticed. */
    private boolean isOver(Stage stage, Scenario scenario) {
        if (scenario.goesSilent()) {
            return scoreboard.found(scenario.name());
        }
        return ended.contains(scenario.name())
                && stage.monitor()
                        .board()
                        .run(scenario.name())
                        .filter(run -> ENDED.contains(run.status().getCondition()))
                        .isPresent();
    }

    private void news(Stage stage) {
        for (Alert alert : stage.alerts().poll(POLL)) {
            scoreboard.raised(alert, System.currentTimeMillis());
            if (isNews(alert)) {
                say(line(alert));
            }
        }
        if (System.currentTimeMillis() - pulseAtMs >= PULSE_MS) {
            pulseAtMs = System.currentTimeMillis();
            long judged = 0;
            int going = 0;
            for (RunSnapshot run : stage.monitor().board().runs()) {
                judged += run.status().getStepsJudged();
                if (run.status().getCondition() == RunCondition.running) {
                    going++;
                }
            }
            say(ink.faint("%s  %d runs going, %,d steps judged".formatted(clock(), going, judged)));
        }
    }

    /** An update that makes nothing worse is none. */
    private boolean isNews(Alert alert) {
        Severity told = toldSeverity.put(alert.getAlertId(), alert.getSeverity());
        return alert.getState() != AlertState.updated || alert.getSeverity() != told;
    }

    private String line(Alert alert) {
        String severity = alert.getState() == AlertState.resolved
                ? "resolved"
                : alert.getSeverity().name();
        String text = Scoreboard.shortened(
                "%s  %-8s  %-25s  %-20s  %s"
                        .formatted(clock(), severity, alert.getRunId(), alert.getDetector(), alert.getMessage()),
                WIDTH);
        if (alert.getState() == AlertState.resolved || alert.getSeverity() == Severity.info) {
            return ink.faint(text);
        }
        return alert.getSeverity() == Severity.critical ? ink.bad(text) : ink.warning(text);
    }

    private boolean result() {
        say("");
        say(scoreboard.table(ink));
        say("");
        for (String alarm : scoreboard.falseAlarms()) {
            say(ink.bad("false alarm: " + alarm));
        }
        for (String missing : scoreboard.missing()) {
            say(ink.bad("not as it should be: " + missing));
        }
        if (scoreboard.passed()) {
            say(ink.good("Every planted fault was raised and the healthy runs stayed quiet."));
        }
        return scoreboard.passed();
    }

    private String clock() {
        return String.format(Locale.ROOT, "%6.1f s", (System.currentTimeMillis() - startedAtMs) / 1000.0);
    }

    private void say(String line) {
        out.println(line);
        out.flush();
    }
}
