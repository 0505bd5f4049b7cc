package io.trainwatch.monitor.cli;

import io.trainwatch.alert.Alert;
import io.trainwatch.alert.Cause;
import io.trainwatch.alert.Evidence;
import io.trainwatch.alert.Severity;
import io.trainwatch.monitor.judge.EpisodeDifference;
import io.trainwatch.monitor.judge.LogVerdict.Episode;
import io.trainwatch.monitor.judge.LogVerdict.RunVerdict;
import io.trainwatch.monitor.judge.RunJudge;
import io.trainwatch.run.NotChecked;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Help.Ansi;

/**
 * A few lines per run, for people.
 *
 * <pre>
 * train.jsonl: run r1, 240 events, steps 1 to 240
 *   critical  non_finite_loss since step 120, open
 *             loss is NaN
 *             loss: NaN, usually 0.693, steps 118 to 120
 *             likely: the learning rate is too high
 *   not checked: label_drift needs batch_stats
 * 1 difference to the defaults in 1 run
 *   severity  loss_spike, warning at step 80, is now info at step 80: train.jsonl, run r1
 * </pre>
 */
final class TextReport implements Report {
    private static final int MAX_EVIDENCE = 5;
    private static final int MAX_CAUSES = 3;
    private static final String INDENT = " ".repeat(12);

    private final PrintWriter out;
    private final Ansi ansi;

    TextReport(PrintWriter out, Ansi ansi) {
        this.out = out;
        this.ansi = ansi;
    }

    @Override
    public void run(String file, RunVerdict run) {
        String what = "%s: run %s, %s, %s"
                .formatted(
                        Printable.of(file),
                        Printable.of(run.status().getRunId()),
                        count(run.events(), "event"),
                        steps(run));
        if (run.episodes().isEmpty()) {
            out.println(what + ": nothing found");
        } else {
            out.println(what);
            run.episodes().forEach(this::episode);
        }
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

    private void episode(Episode episode) {
        Alert alert = episode.last();
        String scope = alert.getScope().isEmpty() ? "" : " (" + Printable.of(alert.getScope()) + ")";
        Long since = alert.getOnsetStep() != null ? alert.getOnsetStep() : alert.getOpenedStep();
        out.printf(
                "  %s%s%s%s, %s%n",
                severity(episode.severity()),
                Printable.of(alert.getDetector()),
                scope,
                since == null ? "" : " since step " + whole(since),
                alert.getResolvedStep() == null ? "open" : "resolved at step " + whole(alert.getResolvedStep()));
        out.println(INDENT + Printable.of(alert.getMessage()));
        if (alert.getSuppressedBy() != null) {
            out.println(INDENT + "held at " + alert.getSeverity() + " by " + Printable.of(alert.getSuppressedBy()));
        }
        alert.getEvidence().stream().limit(MAX_EVIDENCE).forEach(evidence -> out.println(INDENT + evidence(evidence)));
        alert.getCauses().stream()
                .limit(MAX_CAUSES)
                .map(Cause::getTitle)
                .forEach(title -> out.println(INDENT + "likely: " + Printable.of(title)));
    }

    private static String evidence(Evidence evidence) {
        List<String> parts = new ArrayList<>();
        String unit = evidence.getUnit() == null || evidence.getUnit().isEmpty() ? "" : " " + evidence.getUnit();
        if (evidence.getValue() != null) {
            parts.add(decimal(evidence.getValue()) + unit);
        }
        if (evidence.getBaseline() != null) {
            parts.add("usually " + decimal(evidence.getBaseline()) + unit);
        }
        if (evidence.getScore() != null) {
            parts.add("score " + decimal(evidence.getScore()));
        }
        Long from = evidence.getStepFrom();
        Long to = evidence.getStepTo();
        if (from != null && to != null && !from.equals(to)) {
            parts.add("steps " + whole(from) + " to " + whole(to));
        } else if (from != null || to != null) {
            parts.add("step " + whole(from != null ? from : to));
        }
        return Printable.of(evidence.getSignal() + ": " + String.join(", ", parts));
    }

    /** Detectors that lack the same thing share a line: what to send decides, not who asks. */
    private void notChecked(List<NotChecked> all) {
        Map<String, List<String>> byMissing = new TreeMap<>();
        for (NotChecked one : all) {
            String needs = RunJudge.isMissing(one) ? " needs " : ": ";
            byMissing
                    .computeIfAbsent(needs + Printable.of(one.getMissing()), missing -> new ArrayList<>())
                    .add(Printable.of(one.getDetector()));
        }
        byMissing.forEach((missing, detectors) -> out.println("  not checked: " + String.join(", ", detectors)
                + (detectors.size() == 1 ? missing : missing.replaceFirst("^ needs ", " need "))));
    }

    private String severity(Severity severity) {
        String padded = String.format(Locale.ROOT, "%-10s", severity);
        return switch (severity) {
            case critical -> ansi.string("@|bold,red " + padded + "|@");
            case warning -> ansi.string("@|bold,yellow " + padded + "|@");
            case info -> padded;
        };
    }

    private static String steps(RunVerdict run) {
        if (run.firstStep() == null || run.lastStep() == null) {
            return "no steps";
        }
        return "steps " + whole(run.firstStep()) + " to " + whole(run.lastStep());
    }

    static String count(long number, String thing) {
        return whole(number) + " " + thing + (number == 1 ? "" : "s");
    }

    private static String whole(@Nullable Long number) {
        return String.format(Locale.ROOT, "%,d", number);
    }

    private static String decimal(double number) {
        return String.format(Locale.ROOT, "%.4g", number);
    }
}
