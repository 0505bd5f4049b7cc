package io.trainwatch.monitor.demo;

import io.trainwatch.alert.Alert;
import io.trainwatch.alert.AlertState;
import io.trainwatch.alert.Severity;
import io.trainwatch.monitor.demo.Scenario.Fault;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * What was planted against what was raised.
 *
 * <p>An alert finds a fault if it comes from one of the detectors that the fault names, at warning or above, in an episode
 * that opened when the fault was there: not before its step, and not later than it allows. For a run that goes silent the
 * clock decides instead, for it takes no more steps. Anything else at warning or above is a false alarm, unless the fault
 * lists its detector among the consequences and it came after the fault.
 *
 * <p>Safe for many threads.
 */
final class Scoreboard {
    private static final int WIDTH = 118;

    private final Map<String, Line> lines = new LinkedHashMap<>();

    /** Expects the runs of these scenarios; each is named like its scenario. */
    Scoreboard(List<Scenario> scenarios) {
        for (Scenario scenario : scenarios) {
            lines.put(scenario.name(), new Line(scenario));
        }
    }

    /** The training has reached its fault. */
    synchronized void faultReached(String run, long atMs) {
        Line line = lines.get(run);
        if (line != null && line.faultAtMs == null) {
            line.faultAtMs = atMs;
        }
    }

    /** An alert has become readable. Those of other runs are passed over. */
    synchronized void raised(Alert alert, long atMs) {
        Line line = lines.get(alert.getRunId());
        if (line != null
                && alert.getState() != AlertState.resolved
                && alert.getSeverity().compareTo(Severity.warning) >= 0) {
            line.raised(alert, atMs);
        }
    }

    synchronized boolean found(String run) {
        Line line = lines.get(run);
        return line != null && line.found != null;
    }

    synchronized boolean allFound() {
        return lines.values().stream().allMatch(line -> line.scenario.fault() == null || line.found != null);
    }

    /** Whether every planted fault was found and the healthy runs stayed quiet. */
    synchronized boolean passed() {
        return missing().isEmpty();
    }

    /** What is not as it should be, a sentence each; empty if all is. */
    synchronized List<String> missing() {
        List<String> missing = new ArrayList<>();
        for (Line line : lines.values()) {
            Fault fault = line.scenario.fault();
            if (fault == null && !line.falseAlarms.isEmpty()) {
                missing.add(line.scenario.name() + " is healthy, but " + line.falseAlarms.get(0) + " was raised");
            }
            if (fault != null && line.found == null) {
                missing.add(line.scenario.name() + ": " + fault.planted() + " was not raised by "
                        + String.join(" or ", fault.foundBy())
                        + (line.scenario.goesSilent() ? "" : " within " + fault.withinSteps() + " steps"));
            }
        }
        return missing;
    }

    /** Warnings and worse that no planted fault explains, those of healthy runs included. */
    synchronized List<String> falseAlarms() {
        return lines.values().stream()
                .flatMap(line -> line.falseAlarms.stream().map(alarm -> line.scenario.name() + ": " + alarm))
                .toList();
    }

    /** The result as a table for a terminal of 120 columns. */
    synchronized String table(Ink ink) {
        StringBuilder table = new StringBuilder();
        String row = "%-6s %-25s %-28s %-37s %s%n";
        table.append(ink.bold(row.formatted("", "run", "planted (at step)", "detected (at step, severity)", "delay")));
        for (Line line : lines.values()) {
            Fault fault = line.scenario.fault();
            Finding found = line.found;
            String planted = fault == null ? "nothing" : fault.planted() + " (" + fault.step() + ")";
            String name = line.scenario.name();
            if (found != null) {
                table.append(ink.good(row.formatted("found", name, planted, found.what(), line.delay())));
                table.append("       ")
                        .append(shortened(found.message(), WIDTH - 7))
                        .append(System.lineSeparator());
            } else if (fault != null) {
                table.append(ink.bad(row.formatted("MISSED", name, planted, "-", "-")));
            } else if (line.falseAlarms.isEmpty()) {
                table.append(ink.good(row.formatted("quiet", name, planted, "-", "-")));
            } else {
                table.append(ink.bad(row.formatted("ALARM", name, planted, line.falseAlarms.get(0), "-")));
            }
        }
        return table.toString().indent(0).stripTrailing();
    }

    /** One line of at most so many characters, without control characters. */
    static String shortened(String text, int most) {
        String line = text.replaceAll("\\p{Cntrl}+", " ");
        return line.length() <= most ? line : line.substring(0, most - 3) + "...";
    }

    private static Optional<Long> step(Alert alert) {
        return Optional.ofNullable(alert.getLastStep()).or(() -> Optional.ofNullable(alert.getOpenedStep()));
    }

    /** What was raised, in a few words: {@code loss_spike (1200, warning)}. */
    private static String what(Alert alert) {
        return alert.getDetector() + " (" + step(alert).map(step -> step + ", ").orElse("") + alert.getSeverity() + ")";
    }

    private record Finding(
            String what, String message, @Nullable Long step, long atMs) {}

    private static final class Line {
        final Scenario scenario;
        final List<String> falseAlarms = new ArrayList<>();

        @Nullable
        Long faultAtMs;

        @Nullable
        Finding found;

        Line(Scenario scenario) {
            this.scenario = scenario;
        }

        void raised(Alert alert, long atMs) {
            Fault fault = scenario.fault();
            boolean explained = fault != null && isThere(fault, alert);
            if (fault != null && explained && fault.foundBy().contains(alert.getDetector())) {
                if (found == null && inTime(fault, alert)) {
                    found = new Finding(
                            what(alert), alert.getMessage(), step(alert).orElse(null), atMs);
                }
            } else if (fault == null || !explained || !fault.besides().contains(alert.getDetector())) {
                falseAlarms.add(what(alert));
            }
        }

        private boolean isThere(Fault fault, Alert alert) {
            if (scenario.goesSilent()) {
                return faultAtMs != null;
            }
            Long opened = alert.getOpenedStep();
            return opened == null || opened >= fault.step();
        }

        private boolean inTime(Fault fault, Alert alert) {
            return scenario.goesSilent()
                    || step(alert)
                            .map(step -> step <= fault.step() + fault.withinSteps())
                            .orElse(true);
        }

        String delay() {
            Fault fault = scenario.fault();
            Finding finding = found;
            if (fault == null || finding == null) {
                return "-";
            }
            List<String> parts = new ArrayList<>();
            if (!scenario.goesSilent() && finding.step() != null) {
                long steps = finding.step() - fault.step();
                parts.add(steps + (steps == 1 ? " step" : " steps"));
            }
            if (faultAtMs != null) {
                parts.add(String.format(Locale.ROOT, "%.1f s", (finding.atMs() - faultAtMs) / 1000.0));
            }
            return String.join(", ", parts);
        }
    }
}
