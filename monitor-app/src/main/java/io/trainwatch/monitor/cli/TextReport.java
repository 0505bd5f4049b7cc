package io.trainwatch.monitor.cli;

import io.trainwatch.alert.Alert;
import io.trainwatch.alert.Cause;
import io.trainwatch.alert.Evidence;
import io.trainwatch.alert.Severity;
import io.trainwatch.attach.cli.Printable;
import io.trainwatch.monitor.detect.Figures;
import io.trainwatch.monitor.judge.EpisodeDifference;
import io.trainwatch.monitor.judge.LogVerdict.Episode;
import io.trainwatch.monitor.judge.LogVerdict.RunVerdict;
import io.trainwatch.monitor.judge.RunJudge;
import io.trainwatch.monitor.judge.RunStory;
import io.trainwatch.monitor.run.Milestone;
import io.trainwatch.run.NotChecked;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Help.Ansi;

/**
 * A short report of each run, for people: its loss, what was found with the most severe first, what happened to it, and
 * what could not be checked. Of several runs, those that are quiet are one line each, and a line at the end counts all.
 *
 * <pre>
 * train.jsonl: run r1, 510 events, steps 1 to 450: 1 critical
 *           loss   ○ val/loss   (log scale)
 *     2.359 ┤ ⣇⡀
 *           │ ⠈⠑⢦○⣀
 *    0.0402 ┤       ⠉⠉○⠒⠤⠤⣀
 *           └────────────────1──
 *             1         step 450
 *   1 critical  non_finite_loss since step 420, open
 *               loss is NaN since step 420
 *               loss: NaN, usually 0.0402, step 420
 *               likely: A batch with NaN or Inf in its inputs (score 2.5)
 *                  fix: Skip batches that are not finite
 *                check: Count the non-finite values of the inputs
 *               GPU time lost: 3 s
 *   step 0      started: digits_mlp, adam
 *   step 450    finished: completed
 *   best        val/loss 0.176 at step 400
 *   not checked: label_drift needs batch_stats
 * 1 difference to the defaults in 1 run
 *   severity  loss_spike, warning at step 80, is now info at step 80: train.jsonl, run r1
 * </pre>
 */
final class TextReport implements Report {

    /** How much is told. */
    enum Detail {
        /** Quiet runs are one line each. */
        BRIEF,
        /** Of a log with one run, that is told in full also where it is quiet. */
        FULL,
        /** Everything of every run. */
        VERBOSE
    }

    private static final int WIDTH = 100;
    private static final int MAX_EVIDENCE = 3;
    private static final int MAX_CAUSES = 3;
    private static final int MAX_MARKS = 9;
    private static final int MAX_MILESTONES = 8;
    private static final int MAX_BEST = 4;
    private static final int MAX_MISSING = 6;

    /** Detectors that are told one by one where they were not checked. */
    private static final int FEW = 3;

    private static final String INDENT = " ".repeat(14);

    private static final Comparator<Episode> MOST_SEVERE_FIRST =
            Comparator.comparing(Episode::severity).reversed().thenComparingLong(episode -> sinceOf(episode.last()));

    private final PrintWriter out;
    private final Ansi ansi;
    private final Glyphs glyphs;
    private final Detail detail;

    private long files;
    private long runs;
    private long quietRuns;
    private final Map<Severity, Long> episodes = new EnumMap<>(Severity.class);

    TextReport(PrintWriter out, Ansi ansi, Glyphs glyphs, Detail detail) {
        this.out = out;
        this.ansi = ansi;
        this.glyphs = glyphs;
        this.detail = detail;
    }

    @Override
    public void log(String file, List<RunVerdict> found) {
        if (found.isEmpty()) {
            return;
        }
        files++;
        for (RunVerdict run : found) {
            runs++;
            quietRuns += run.isQuiet() ? 1 : 0;
            run.episodes().forEach(episode -> episodes.merge(episode.severity(), 1L, Long::sum));
            boolean full = detail == Detail.VERBOSE || (detail == Detail.FULL && found.size() == 1) || !run.isQuiet();
            out.println(headline(file, run));
            if (full) {
                body(run);
            }
            if (full && (detail == Detail.BRIEF || found.size() > 1)) {
                out.println();
            }
        }
    }

    /** One line where there was more than one run. */
    @Override
    public void end() {
        if (runs > 1) {
            out.println("%s, %s: %s; %s quiet%s"
                    .formatted(
                            count(files, "file"),
                            count(runs, "run"),
                            counts(episodes),
                            quietRuns == runs ? "all" : whole(quietRuns),
                            detail == Detail.BRIEF ? " (--verbose tells more of them)" : ""));
        }
    }

    private String headline(String file, RunVerdict run) {
        Map<Severity, Long> found =
                run.episodes().stream().collect(Collectors.groupingBy(Episode::severity, Collectors.counting()));
        return "%s: run %s, %s, %s: %s"
                .formatted(
                        Printable.of(file),
                        Printable.of(run.status().getRunId()),
                        count(run.events(), "event"),
                        steps(run),
                        found.isEmpty() ? "nothing found" : counts(found));
    }

    private String counts(Map<Severity, Long> found) {
        List<String> parts = new ArrayList<>();
        for (Severity severity : List.of(Severity.critical, Severity.warning, Severity.info)) {
            long number = found.getOrDefault(severity, 0L);
            if (number > 0) {
                parts.add(painted(severity, whole(number) + " " + severity));
            }
        }
        return parts.isEmpty() ? "nothing found" : String.join(", ", parts);
    }

    private void body(RunVerdict run) {
        List<Episode> sorted = run.episodes().stream().sorted(MOST_SEVERE_FIRST).toList();
        List<Sketch.Mark> marks = new ArrayList<>();
        for (int i = 0; i < Math.min(MAX_MARKS, sorted.size()); i++) {
            Episode episode = sorted.get(i);
            if (sinceOf(episode.last()) >= 0) {
                marks.add(new Sketch.Mark(sinceOf(episode.last()), painted(episode.severity(), String.valueOf(i + 1))));
            }
        }
        Sketch.of(run.snapshot().series(), run.firstStep() == null ? 0 : run.firstStep(), marks, glyphs)
                .forEach(line -> out.println("  " + line));
        Set<String> explained = new HashSet<>();
        for (int i = 0; i < sorted.size(); i++) {
            episode(i + 1, sorted.get(i), explained);
        }
        story(run.snapshot().story());
        notChecked(run.status().getNotChecked());
    }

    @Override
    public void differences(List<LogDifference> differences, int runs) {
        if (differences.isEmpty()) {
            out.println("no difference to the defaults in " + count(runs, "run"));
            return;
        }
        out.println(count(differences.size(), "difference") + " to the defaults in " + count(runs, "run"));
        differences.forEach(this::difference);
    }

    private void difference(LogDifference difference) {
        EpisodeDifference episode = difference.episode();
        Alert alert = episode.alert();
        String scope = alert.getScope().isEmpty() ? "" : " (" + Printable.of(alert.getScope()) + ")";
        out.printf(
                "  %-10s%s%s, %s: %s, run %s%n",
                episode.change().name().toLowerCase(Locale.ROOT),
                Printable.of(alert.getDetector()),
                scope,
                change(episode.before(), episode.now()),
                Printable.of(difference.file()),
                Printable.of(alert.getRunId()));
    }

    private static String change(@Nullable Episode before, @Nullable Episode now) {
        if (before == null || now == null) {
            return told(Objects.requireNonNull(before != null ? before : now));
        }
        return told(before) + ", is now " + told(now);
    }

    private static String told(Episode episode) {
        return episode.severity()
                + (episode.opened() == null ? " before the first step" : " at step " + whole(episode.opened()));
    }

    private void episode(int number, Episode episode, Set<String> explained) {
        Alert alert = episode.last();
        String scope = alert.getScope().isEmpty() ? "" : " (" + Printable.of(alert.getScope()) + ")";
        long since = sinceOf(alert);
        out.printf(
                "%3s %s%s%s%s, %s%n",
                number <= MAX_MARKS ? whole(number) : "",
                painted(episode.severity(), String.format(Locale.ROOT, "%-10s", episode.severity())),
                Printable.of(alert.getDetector()),
                scope,
                since < 0 ? "" : " since step " + whole(since),
                alert.getResolvedStep() == null ? "open" : "resolved at step " + whole(alert.getResolvedStep()));
        told(INDENT, "", alert.getMessage());
        if (alert.getSuppressedBy() != null) {
            told(INDENT, "", "held at " + alert.getSeverity() + " by " + alert.getSuppressedBy());
        }
        if (episode.severity() == Severity.info && detail != Detail.VERBOSE) {
            return;
        }
        alert.getEvidence().stream()
                .limit(detail == Detail.VERBOSE ? Long.MAX_VALUE : MAX_EVIDENCE)
                .forEach(evidence -> told(INDENT, "", evidence(evidence)));
        for (int i = 0; i < Math.min(MAX_CAUSES, alert.getCauses().size()); i++) {
            cause(i == 0 ? "likely: " : "or: ", alert.getCauses().get(i), i == 0, explained);
        }
        Double lost = alert.getAcceleratorSecondsLost();
        if (lost != null && lost >= 1) {
            out.println(INDENT + "GPU time lost: " + duration(lost));
        }
    }

    /** What to do is told of the first cause, and once where episodes share it. */
    private void cause(String label, Cause cause, boolean first, Set<String> explained) {
        told(INDENT, label, cause.getTitle() + " (score " + Figures.text(cause.getScore()) + ")");
        if ((first || detail == Detail.VERBOSE) && explained.add(cause.getId())) {
            cause.getFix().stream().limit(1).forEach(fix -> told(INDENT, "   fix: ", fix));
            cause.getCheck().stream().limit(1).forEach(check -> told(INDENT, " check: ", check));
        }
    }

    /** A line of text, folded where it is too long, its later lines beneath its first word behind the label. */
    private void told(String indent, String label, String text) {
        String padded = label.isEmpty() ? "" : " ".repeat(Math.max(0, 8 - label.length())) + label;
        int room = WIDTH - indent.length() - padded.length();
        String rest = Printable.of(text);
        String before = indent + padded;
        while (rest.length() > room) {
            int space = rest.lastIndexOf(' ', room);
            int end = space > room / 2 ? space : room;
            out.println(before + rest.substring(0, end));
            rest = rest.substring(end).stripLeading();
            before = " ".repeat(indent.length() + padded.length());
        }
        out.println(before + rest);
    }

    private static String evidence(Evidence evidence) {
        List<String> parts = new ArrayList<>();
        String unit = evidence.getUnit() == null || evidence.getUnit().isEmpty() ? "" : " " + evidence.getUnit();
        if (evidence.getValue() != null) {
            parts.add(Figures.text(evidence.getValue()) + unit);
        }
        if (evidence.getBaseline() != null) {
            parts.add("usually " + Figures.text(evidence.getBaseline()) + unit);
        }
        if (evidence.getScore() != null) {
            parts.add("score " + Figures.text(evidence.getScore()));
        }
        Long from = evidence.getStepFrom();
        Long to = evidence.getStepTo();
        if (from != null && to != null && !from.equals(to)) {
            parts.add("steps " + whole(from) + " to " + whole(to));
        } else if (from != null) {
            parts.add("step " + whole(from));
        } else if (to != null) {
            parts.add("step " + whole(to));
        }
        return evidence.getSignal() + ": " + String.join(", ", parts);
    }

    /** What happened beside the episodes, which have their steps already. A start that says nothing is not told. */
    private void story(RunStory story) {
        List<RunStory.Entry> all = story.entries().stream()
                .filter(entry -> entry.alert() == null)
                .filter(entry -> !entry.text().isEmpty() || entry.attempt() > 0)
                .filter(entry -> detail == Detail.VERBOSE || !isBest(entry))
                .toList();
        boolean cut = detail != Detail.VERBOSE && all.size() > MAX_MILESTONES;
        for (int i = 0; i < all.size(); i++) {
            // The beginning and the end say most.
            if (cut && i == MAX_MILESTONES / 2) {
                int left = all.size() - MAX_MILESTONES;
                out.println(INDENT + "and " + whole(left) + " more");
                i += left;
            }
            RunStory.Entry entry = all.get(i);
            String when = entry.step() < 0 ? "start" : "step " + whole(entry.step());
            told(
                    "  " + String.format(Locale.ROOT, "%-12s", when),
                    "",
                    named(entry) + (entry.text().isEmpty() ? "" : ": " + entry.text()));
        }
        String best = story.entries().stream()
                .filter(TextReport::isBest)
                .limit(MAX_BEST)
                .map(entry -> entry.text() + " at step " + whole(entry.step()))
                .collect(Collectors.joining(", "));
        if (detail != Detail.VERBOSE && !best.isEmpty()) {
            told("  ", "best        ", best);
        }
    }

    private static boolean isBest(RunStory.Entry entry) {
        return entry.kind().equals(Milestone.Kind.BEST_EVALUATION.label());
    }

    private static String named(RunStory.Entry entry) {
        return entry.kind().replace('_', ' ') + (entry.attempt() > 0 ? " (attempt " + entry.attempt() + ")" : "");
    }

    private void notChecked(List<NotChecked> everything) {
        everything.stream()
                .filter(one -> !RunJudge.isMissing(one))
                .collect(Collectors.groupingBy(
                        NotChecked::getMissing,
                        TreeMap::new,
                        Collectors.mapping(NotChecked::getDetector, Collectors.joining(", "))))
                .forEach((why, who) -> told("  ", "not checked: ", who + ": " + why));
        List<NotChecked> all = everything.stream().filter(RunJudge::isMissing).toList();
        if (all.size() <= FEW || detail == Detail.VERBOSE) {
            byMissing(all, NotChecked::getMissing)
                    .forEach((missing, detectors) -> told(
                            "  ",
                            "not checked: ",
                            String.join(", ", detectors) + (detectors.size() == 1 ? " needs " : " need ") + missing));
            return;
        }
        Map<String, List<String>> bySignal = byMissing(all, one -> signal(one.getMissing()));
        String signals = bySignal.entrySet().stream()
                .sorted(Comparator.comparingInt(entry -> -entry.getValue().size()))
                .limit(MAX_MISSING)
                .map(entry -> entry.getKey() + " (" + entry.getValue().size() + ")")
                .collect(Collectors.joining(", "));
        told(
                "  ",
                "not checked: ",
                count(all.size(), "detector") + ", for want of " + signals
                        + (bySignal.size() > MAX_MISSING ? ", ..." : "") + "; --verbose lists them");
    }

    /** Detectors that lack the same thing go together: what to send decides, not who asks. */
    private static Map<String, List<String>> byMissing(List<NotChecked> all, Function<NotChecked, String> missing) {
        Map<String, List<String>> byMissing = new TreeMap<>();
        for (NotChecked one : all) {
            byMissing
                    .computeIfAbsent(missing.apply(one), key -> new ArrayList<>())
                    .add(one.getDetector());
        }
        return byMissing;
    }

    /** The signal that a detector lacks most of all: the event where that never came, else its field, else more of it. */
    private static String signal(String missing) {
        int end = 0;
        while (end < missing.length()
                && (Character.isLetterOrDigit(missing.charAt(end)) || "_.".indexOf(missing.charAt(end)) >= 0)) {
            end++;
        }
        String first = missing.substring(0, end);
        if (first.indexOf('_') < 0) {
            return "more steps";
        }
        boolean partOfMany = first.startsWith("step_completed.")
                || first.startsWith("run_started.")
                || first.startsWith("evaluation_completed.");
        return partOfMany || first.indexOf('.') < 0 ? first : first.substring(0, first.indexOf('.'));
    }

    private String painted(Severity severity, String text) {
        return switch (severity) {
            case critical -> ansi.string("@|bold,red " + text + "|@");
            case warning -> ansi.string("@|bold,yellow " + text + "|@");
            case info -> text;
        };
    }

    private static long sinceOf(Alert alert) {
        Long since = alert.getOnsetStep() != null ? alert.getOnsetStep() : alert.getOpenedStep();
        return since == null ? -1 : since;
    }

    private static String steps(RunVerdict run) {
        if (run.firstStep() == null || run.lastStep() == null) {
            return "no steps";
        }
        return "steps " + whole(run.firstStep()) + " to " + whole(run.lastStep());
    }

    /** A time of accelerators: 42 s, 12 min, 3.2 h. */
    private static String duration(double seconds) {
        return seconds < 100
                ? whole(Math.round(seconds)) + " s"
                : seconds < 6000
                        ? whole(Math.round(seconds / 60)) + " min"
                        : String.format(Locale.ROOT, seconds < 360_000 ? "%.1f h" : "%,.0f h", seconds / 3600);
    }

    static String count(long number, String thing) {
        return whole(number) + " " + thing + (number == 1 ? "" : "s");
    }

    private static String whole(long number) {
        return String.format(Locale.ROOT, "%,d", number);
    }
}
