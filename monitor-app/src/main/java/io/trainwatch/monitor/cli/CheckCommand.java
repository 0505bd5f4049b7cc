package io.trainwatch.monitor.cli;

import io.trainwatch.attach.LogEntry;
import io.trainwatch.attach.LogFormat;
import io.trainwatch.attach.LogFormats;
import io.trainwatch.attach.LogInput;
import io.trainwatch.attach.LogReader;
import io.trainwatch.attach.cli.FormatOption;
import io.trainwatch.attach.cli.Printable;
import io.trainwatch.monitor.cli.TextReport.Detail;
import io.trainwatch.monitor.config.Configuration;
import io.trainwatch.monitor.judge.EpisodeDifference;
import io.trainwatch.monitor.judge.LogVerdict;
import io.trainwatch.monitor.judge.LogVerdict.RunVerdict;
import io.trainwatch.monitor.judge.References;
import io.trainwatch.monitor.judge.RunJudge;
import io.trainwatch.monitor.run.ReferenceCurve;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Judges logs that are there, without Kafka. */
@Command(
        name = "check",
        mixinStandardHelpOptions = true,
        versionProvider = Trainwatch.Version.class,
        description = {
            "Judges training logs that you have, exactly as the monitor would have judged the run live. Needs no Kafka.",
            ""
        },
        footer = {
            "",
            "Examples:",
            "  trainwatch check train.jsonl",
            "  trainwatch check output/checkpoint-5000/trainer_state.json",
            "  trainwatch check lightning_logs/version_0/metrics.csv train.log.gz",
            "  trainwatch check --reference last-week.jsonl train.jsonl",
            "  trainwatch check --output jsonl runs/ | jq 'select(.kind == \"alert\")'",
            "  zcat train.jsonl.gz | trainwatch check -",
            "  trainwatch check --config trainwatch.yaml runs/",
            "                                       and what these settings would have changed",
            "",
            "With --config and jsonl, a line per episode that differs comes last: kind \"diff\", change added, silenced,",
            "severity or moved (it opens at another step), severity and opened_step, and the same by the defaults as",
            "default_severity and default_opened_step; null where there is no such episode.",
            "",
            "A detector that lacks what it needs is counted under 'not checked': its silence says nothing.",
            "--verbose and --output jsonl list them all. The curve is the loss over the steps, with the numbers of",
            "the findings where they began; of several runs, quiet ones are one line each.",
            "",
            "Exit codes:",
            "  0  read everything, nothing at warning or above",
            "  1  something at warning or above",
            "  2  a log could not be read, was not recognised, or held no event; the",
            "     others are judged all the same. A broken line in a log that is",
            "     otherwise readable is told on stderr and does not count"
        })
final class CheckCommand implements Callable<Integer> {
    private static final int FOUND = 1;
    private static final int MAX_COMPLAINTS = 5;
    private static final int MAX_KNOWN_RUNS = 1_000;
    private static final int EVENTS_BETWEEN_LOOKS_AT_THE_CLOCK = 50_000;
    private static final long PROGRESS_NANOS = TimeUnit.SECONDS.toNanos(3);

    /** How results are written. */
    enum Output {
        text,
        jsonl
    }

    @Spec
    @SuppressWarnings("NullAway.Init") // picocli fills it in
    CommandSpec spec;

    @Parameters(
            paramLabel = "PATH",
            arity = "1..*",
            description = "Logs, directories (searched for logs of known formats), or - for the standard input.")
    @SuppressWarnings("NullAway.Init") // picocli fills it in
    List<String> paths;

    @Mixin
    @SuppressWarnings("NullAway.Init") // picocli fills it in
    FormatOption format;

    @Option(
            names = "--output",
            paramLabel = "OUTPUT",
            defaultValue = "text",
            description = "text for people, or jsonl: a line per alert and per run (default: ${DEFAULT-VALUE}).")
    @SuppressWarnings("NullAway.Init") // picocli fills it in
    Output output;

    @Option(
            names = "--config",
            paramLabel = "FILE",
            description =
                    "Settings, the same file as for the monitor: judges by them, and tells what they add, silence or"
                            + " change beside the defaults.")
    @Nullable
    Path config;

    @Option(
            names = {"-v", "--verbose"},
            description = "In text, tell everything of every run: quiet ones too, and all that was not checked.")
    boolean verbose;

    @Option(
            names = "--reference",
            paramLabel = "PATH",
            description = {
                "A log with the run that the others are compared with: its first run.",
                "Without it a run is compared with the one that it names in reference_run_id, if that is in the same log"
                        + " or in one before it on the command line."
            })
    @Nullable
    String reference;

    private final KnownRuns knownRuns = new KnownRuns();

    private RunJudge judge = new RunJudge();

    /** Judges by the defaults, where there are settings to compare with them. */
    private @Nullable RunJudge standard;

    private final List<LogDifference> differences = new ArrayList<>();
    private int compared;
    private boolean found;
    private boolean failed;

    @Override
    public Integer call() throws Exception {
        judge = new RunJudge(
                Configuration.read(config, System.getenv(), Map.of()).detection());
        standard = config == null ? null : new RunJudge();
        LogFormat wanted = format.wanted();
        if (reference != null && !readReference(reference, wanted)) {
            return Trainwatch.COULD_NOT;
        }
        PrintWriter out = spec.commandLine().getOut();
        Report report = output == Output.jsonl
                ? new JsonlReport(out)
                : new TextReport(out, spec.commandLine().getColorScheme().ansi(), Glyphs.ofTerminal(), detail());
        for (String path : paths) {
            if (path.equals("-")) {
                check("-", () -> LogInput.of("-", System.in), wanted, report, false);
            } else if (Files.isDirectory(Path.of(path))) {
                checkDirectory(Path.of(path), wanted, report);
            } else {
                check(path, () -> LogInput.of(Path.of(path)), wanted, report, false);
            }
            out.flush();
        }
        if (standard != null) {
            report.differences(differences, compared);
            out.flush();
        }
        report.end();
        out.flush();
        return failed ? Trainwatch.COULD_NOT : found ? FOUND : 0;
    }

    private Detail detail() {
        boolean one = paths.size() == 1 && !Files.isDirectory(Path.of(paths.get(0)));
        return verbose ? Detail.VERBOSE : one ? Detail.FULL : Detail.BRIEF;
    }

    private void checkDirectory(Path directory, @Nullable LogFormat wanted, Report report) {
        List<Path> files;
        try (Stream<Path> walk = Files.walk(directory)) {
            files = walk.filter(file -> !hidden(directory.relativize(file)))
                    .filter(Files::isRegularFile)
                    .sorted()
                    .toList();
        } catch (IOException | UncheckedIOException e) {
            fail(directory.toString(), "cannot be searched: " + e.getMessage());
            return;
        }
        int recognised = 0;
        List<Path> skipped = new ArrayList<>();
        for (Path file : files) {
            if (check(file.toString(), () -> LogInput.of(file), wanted, report, true)) {
                recognised++;
            } else {
                skipped.add(file);
            }
        }
        if (!skipped.isEmpty()) {
            String names = String.join(
                    ", ",
                    skipped.stream()
                            .limit(MAX_COMPLAINTS)
                            .map(file -> directory.relativize(file).toString())
                            .toList());
            say("%s: skipped %s of no known format: %s%s"
                    .formatted(
                            directory,
                            TextReport.count(skipped.size(), "file"),
                            names,
                            skipped.size() > MAX_COMPLAINTS ? ", ..." : ""));
        }
        if (recognised == 0) {
            fail(
                    directory.toString(),
                    "holds no log of a known format (" + String.join(", ", LogFormats.names()) + ")");
        }
    }

    private static boolean hidden(Path relative) {
        for (Path part : relative) {
            if (part.toString().startsWith(".")) {
                return true;
            }
        }
        return false;
    }

    private interface Opener {
        LogInput open() throws IOException;
    }

    /** The runs that were judged before, by their name; of many the latest. */
    private static final class KnownRuns implements References {
        private final Map<String, ReferenceCurve> curves = new LinkedHashMap<>();
        private @Nullable ReferenceCurve given;

        void add(ReferenceCurve curve) {
            curves.remove(curve.runId());
            curves.put(curve.runId(), curve);
            if (curves.size() > MAX_KNOWN_RUNS) {
                curves.remove(curves.keySet().iterator().next());
            }
        }

        @Override
        public @Nullable ReferenceCurve find(String runId) {
            return curves.get(runId);
        }

        @Override
        public @Nullable ReferenceCurve byDefault() {
            return given;
        }
    }

    private boolean readReference(String path, @Nullable LogFormat wanted) {
        check(path, () -> LogInput.of(Path.of(path)), wanted, null, false);
        if (failed) {
            return false;
        }
        if (knownRuns.curves.isEmpty()) {
            fail(path, "no run in it has enough points of loss to be compared with");
            return false;
        }
        compared = 0;
        differences.clear();
        knownRuns.given = knownRuns.curves.values().iterator().next();
        return true;
    }

    /** Judges one log, for the report if there is one; says whether it was of a known format. */
    private boolean check(
            String name, Opener opener, @Nullable LogFormat wanted, @Nullable Report report, boolean mayBeUnknown) {
        LogVerdict verdict = new LogVerdict(judge, knownRuns);
        LogVerdict byDefaults = standard == null ? null : new LogVerdict(standard, knownRuns);
        try (LogInput input = opener.open()) {
            LogFormat known = wanted;
            if (known == null) {
                Optional<LogFormats.Detection> detection = LogFormats.detect(input);
                if (detection.isEmpty()) {
                    if (!mayBeUnknown) {
                        fail(
                                name,
                                "not recognised as any of " + String.join(", ", LogFormats.names())
                                        + "; if it is one of them, name it with --format");
                    }
                    return false;
                }
                known = detection.get().format();
            }
            try (LogReader reader = known.open(input)) {
                read(name, reader, verdict, byDefaults);
            }
        } catch (NoSuchFileException e) {
            fail(name, "there is no such file");
        } catch (AccessDeniedException e) {
            fail(name, "no permission to read it");
        } catch (IOException e) {
            fail(name, "reading failed after " + TextReport.count(verdict.events(), "event") + ": " + e.getMessage());
        }
        verdict.curves().forEach(knownRuns::add);
        List<RunVerdict> judged = verdict.runs();
        if (report != null) {
            report.log(name, judged);
            found |= judged.stream().anyMatch(run -> !run.isQuiet());
        }
        if (byDefaults != null) {
            List<RunVerdict> before = byDefaults.runs();
            for (int i = 0; i < judged.size(); i++) {
                compared++;
                for (EpisodeDifference one : EpisodeDifference.between(before.get(i), judged.get(i))) {
                    differences.add(new LogDifference(name, one));
                }
            }
        }
        return true;
    }

    private void read(String name, LogReader reader, LogVerdict verdict, @Nullable LogVerdict byDefaults)
            throws IOException {
        long problems = 0;
        long nextProgress = System.nanoTime() + PROGRESS_NANOS;
        for (LogEntry entry = reader.next(); entry != null; entry = reader.next()) {
            if (entry instanceof LogEntry.Event event) {
                verdict.event(event.event());
                if (byDefaults != null) {
                    byDefaults.event(event.event());
                }
                if (verdict.events() % EVENTS_BETWEEN_LOOKS_AT_THE_CLOCK == 0 && System.nanoTime() > nextProgress) {
                    nextProgress = System.nanoTime() + PROGRESS_NANOS;
                    say("%s: %s so far".formatted(name, TextReport.count(verdict.events(), "event")));
                }
            } else if (entry instanceof LogEntry.Problem problem) {
                problems++;
                if (problems <= MAX_COMPLAINTS) {
                    say("%s:%d: %s".formatted(name, problem.line(), problem.message()));
                }
            }
        }
        if (verdict.events() == 0) {
            fail(name, problems == 0 ? "no event in it" : "no event could be read");
        } else if (problems > 0) {
            say("%s: %s could not be read, beside %s"
                    .formatted(name, TextReport.count(problems, "place"), TextReport.count(verdict.events(), "event")));
        }
    }

    private void fail(String name, String why) {
        failed = true;
        say(name + ": " + why);
    }

    private void say(String message) {
        PrintWriter err = spec.commandLine().getErr();
        err.println("trainwatch: " + Printable.of(message));
        err.flush();
    }
}
