package io.trainwatch.monitor.notify;

import io.trainwatch.alert.Alert;
import io.trainwatch.alert.Cause;
import io.trainwatch.alert.Evidence;
import io.trainwatch.alert.Severity;
import io.trainwatch.monitor.notify.Page.Fact;
import io.trainwatch.monitor.notify.Page.Kind;
import io.trainwatch.monitor.notify.Page.Likely;
import io.trainwatch.monitor.notify.Page.Link;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * Says an incident in words: what happened and where, with numbers, then what to do. Written so that somebody half asleep
 * can act on it.
 */
final class PageText {
    static final int MAX_TITLE = 140;
    static final int MAX_SUMMARY = 1_000;
    static final int MAX_FACT = 300;
    private static final int MAX_NAME = 60;
    private static final int MAX_EPISODES = 20;
    private static final int MAX_CAUSES = 3;
    private static final int MAX_FIXES = 3;
    private static final int MAX_EVIDENCE = 4;
    private static final int MAX_FIRST_NAMES = 5;
    private static final int MAX_APPROVALS = 4;
    private static final DateTimeFormatter TIME = DateTimeFormatter.ofPattern("yyyy-MM-dd HH:mm:ss 'UTC'", Locale.ROOT)
            .withZone(ZoneOffset.UTC);

    private final Links links;
    private final Function<Alert, List<Link>> approvals;

    /**
     * Composes pages with links.
     *
     * @param approvals what a person may approve about an alert
     */
    PageText(Links links, Function<Alert, List<Link>> approvals) {
        this.links = links;
        this.approvals = approvals;
    }

    /**
     * Composes a page.
     *
     * @param held pages that were held back before this one, null for none: one line
     */
    Page of(Incident incident, Kind kind, @Nullable String held, long nowMs) {
        Alert lead = incident.lead();
        Collection<Alert> episodes = incident.episodes();
        Set<String> runs = incident.runs();
        Severity severity =
                kind == Kind.RESOLVED ? incident.toldSeverity().orElse(lead.getSeverity()) : lead.getSeverity();
        boolean calls = kind == Kind.OPENED || (kind == Kind.UPDATED && incident.callsAnew());
        List<Fact> facts = runs.size() > 1 ? factsOfFleet(episodes, lead) : factsOfRun(episodes, lead);
        if (held != null) {
            facts.add(new Fact("Held back", held));
        }
        if (kind == Kind.OPENED || kind == Kind.UPDATED) {
            facts.add(new Fact("I look after it", "trainwatch ack " + lead.getAlertId()));
        }
        List<Link> all = new ArrayList<>();
        if (kind != Kind.RESOLVED) {
            incident.open()
                    .flatMap(alert -> approvals.apply(alert).stream())
                    .limit(MAX_APPROVALS)
                    .forEach(all::add);
        }
        all.addAll(links.of(lead, nowMs));
        return new Page(
                incident.key(),
                kind,
                incident.pages() + 1,
                severity,
                title(episodes, runs.size(), lead, kind),
                summary(episodes, runs.size(), lead, kind),
                facts,
                kind == Kind.RESOLVED ? List.of() : causes(lead),
                all,
                episodes.stream().mapToLong(Alert::getOpenedAtMs).min().orElse(nowMs),
                nowMs,
                runs.size(),
                lead,
                episodes.stream()
                        .sorted(Incident.WORST_FIRST)
                        .limit(MAX_EPISODES)
                        .toList(),
                incident.toldSeverity().orElse(severity),
                Math.max(1, incident.calls() + (calls ? 1 : 0)),
                calls,
                false);
    }

    private static String title(Collection<Alert> episodes, int runs, Alert lead, Kind kind) {
        Set<String> detectors = new LinkedHashSet<>();
        detectors.add(lead.getDetector());
        episodes.forEach(alert -> detectors.add(alert.getDetector()));
        String what = lead.getDetector() + (detectors.size() > 1 ? " and " + (detectors.size() - 1) + " more" : "");
        String where = runs > 1 ? runs + " runs" : nameOf(lead);
        return PlainText.line(
                prefix(kind) + (runs > 1 ? where + ": " + what : what + " in " + where),
                MAX_TITLE);
    }

    private static String prefix(Kind kind) {
        return switch (kind) {
            case OPENED, UPDATED -> "";
            case ACKNOWLEDGED -> "Acknowledged: ";
            case RESOLVED -> "Resolved: ";
        };
    }

    /** What people call a run. */
    static String nameOf(Alert alert) {
        String name = alert.getRunName();
        return PlainText.line(name == null || name.isBlank() ? alert.getRunId() : name, MAX_NAME);
    }

    private static String summary(Collection<Alert> episodes, int runs, Alert lead, Kind kind) {
        if (kind == Kind.RESOLVED) {
            boolean ended = lead.getResolvedStep() == null;
            return PlainText.line(
                    (runs > 1
                                    ? "All " + runs + " runs are well again or have ended."
                                    : ended
                                            ? "The run has ended, or is no longer watched for this."
                                            : "Well again since step " + lead.getResolvedStep() + ".")
                            + " It was: " + lead.getMessage(),
                    MAX_SUMMARY);
        }
        if (runs > 1) {
            return PlainText.line(firstNames(episodes) + ". The first: " + lead.getMessage(), MAX_SUMMARY);
        }
        String others = episodes.stream()
                .filter(alert -> !isSame(alert, lead) && !Incident.isResolved(alert))
                .map(alert -> alert.getDetector() + (alert.getScope().isEmpty() ? "" : " of " + alert.getScope()))
                .distinct()
                .limit(MAX_FIRST_NAMES)
                .collect(Collectors.joining(", "));
        return PlainText.line(lead.getMessage() + (others.isEmpty() ? "" : " Also: " + others + "."), MAX_SUMMARY);
    }

    private static boolean isSame(Alert one, Alert other) {
        return one.getAlertId().equals(other.getAlertId());
    }

    private static String firstNames(Collection<Alert> episodes) {
        Map<String, String> names = new LinkedHashMap<>();
        episodes.forEach(alert -> names.putIfAbsent(alert.getRunId(), nameOf(alert)));
        String first = names.values().stream().limit(MAX_FIRST_NAMES).collect(Collectors.joining(", "));
        int more = names.size() - MAX_FIRST_NAMES;
        return more > 0 ? first + " and " + more + " more" : first;
    }

    private static List<Fact> factsOfFleet(Collection<Alert> episodes, Alert lead) {
        List<Fact> facts = new ArrayList<>();
        long open = episodes.stream()
                .filter(alert -> !Incident.isResolved(alert))
                .map(Alert::getRunId)
                .distinct()
                .count();
        long all = episodes.stream().map(Alert::getRunId).distinct().count();
        facts.add(new Fact("Runs", all + ", of which " + open + " still fail"));
        facts.add(new Fact("First", PlainText.line(firstNames(episodes), MAX_FACT)));
        Map<String, Long> projects = episodes.stream()
                .filter(alert -> alert.getProject() != null)
                .collect(Collectors.groupingBy(alert -> String.valueOf(alert.getProject()), Collectors.counting()));
        if (!projects.isEmpty()) {
            facts.add(new Fact(
                    "Projects",
                    PlainText.line(
                            projects.entrySet().stream()
                                    .sorted(Map.Entry.<String, Long>comparingByValue()
                                            .reversed())
                                    .limit(MAX_FIRST_NAMES)
                                    .map(Map.Entry::getKey)
                                    .collect(Collectors.joining(", ")),
                            MAX_FACT)));
        }
        facts.add(new Fact(
                "Since",
                time(episodes.stream().mapToLong(Alert::getOpenedAtMs).min().orElse(0))));
        facts.addAll(evidence(lead));
        return facts;
    }

    private static List<Fact> factsOfRun(Collection<Alert> episodes, Alert lead) {
        List<Fact> facts = new ArrayList<>();
        facts.add(new Fact(
                "Run",
                PlainText.line(
                        lead.getRunId() + (lead.getAttempt() > 0 ? ", attempt " + lead.getAttempt() : ""), MAX_FACT)));
        String project = lead.getProject();
        if (project != null) {
            facts.add(new Fact("Project", PlainText.line(project, MAX_FACT)));
        }
        Long onset = lead.getOnsetStep();
        facts.add(new Fact(
                "Since",
                (onset == null ? "" : "step " + onset + ", ")
                        + time(lead.getOpenedAtMs())
                        + (lead.getLastStep() == null ? "" : "; now at step " + lead.getLastStep())));
        facts.addAll(evidence(lead));
        facts.add(new Fact("Last good checkpoint", checkpoint(lead)));
        Double lost = lead.getAcceleratorSecondsLost();
        if (lost != null && lost > 0) {
            facts.add(new Fact("Accelerator time since the onset", hours(lost)));
        }
        List<Alert> others =
                episodes.stream().filter(alert -> !isSame(alert, lead)).toList();
        if (!others.isEmpty()) {
            facts.add(new Fact(
                    "In the same run",
                    PlainText.line(
                            others.stream()
                                    .map(alert -> alert.getDetector()
                                            + (alert.getScope().isEmpty() ? "" : " of " + alert.getScope())
                                            + (Incident.isResolved(alert) ? " (over)" : ""))
                                    .limit(MAX_EPISODES)
                                    .collect(Collectors.joining(", ")),
                            MAX_FACT)));
        }
        return facts;
    }

    private static String checkpoint(Alert alert) {
        Long step = alert.getCheckpointStep();
        if (step == null) {
            return "none that is known";
        }
        String path = alert.getCheckpointPath();
        return PlainText.line("step " + step + (path == null ? "" : ", " + path), MAX_FACT);
    }

    private static List<Fact> evidence(Alert alert) {
        List<Fact> facts = new ArrayList<>();
        for (Evidence one : alert.getEvidence()) {
            if (facts.size() == MAX_EVIDENCE) {
                break;
            }
            Double value = one.getValue();
            if (value != null) {
                String unit = one.getUnit() == null ? "" : " " + one.getUnit();
                Double baseline = one.getBaseline();
                Long from = one.getStepFrom();
                Long to = one.getStepTo();
                facts.add(new Fact(
                        PlainText.line(one.getSignal(), 40),
                        PlainText.line(
                                number(value)
                                        + unit
                                        + (baseline == null ? "" : ", usually " + number(baseline) + unit)
                                        + (from == null
                                                ? ""
                                                : to == null || to.equals(from)
                                                        ? ", at step " + from
                                                        : ", steps " + from + " to " + to),
                                MAX_FACT)));
            }
        }
        return facts;
    }

    private static List<Likely> causes(Alert alert) {
        return alert.getCauses().stream()
                .limit(MAX_CAUSES)
                .map(PageText::likely)
                .toList();
    }

    private static Likely likely(Cause cause) {
        return new Likely(PlainText.line(cause.getTitle(), MAX_FACT), lines(cause.getWhy()), lines(cause.getFix()));
    }

    private static List<String> lines(List<String> texts) {
        return texts.stream()
                .limit(MAX_FIXES)
                .map(text -> PlainText.line(text, MAX_FACT))
                .toList();
    }

    /** The page as lines of text, for mail and logs. */
    static String plain(Page page) {
        StringBuilder text = new StringBuilder(1_000);
        text.append(page.title()).append('\n').append(page.summary()).append("\n\n");
        page.facts()
                .forEach(fact -> text.append(fact.name())
                        .append(": ")
                        .append(fact.value())
                        .append('\n'));
        int number = 1;
        for (Likely cause : page.causes()) {
            text.append(number == 1 ? "\nLikely causes\n" : "").append(number++).append(". ");
            text.append(cause.title()).append('\n');
            cause.why().forEach(why -> text.append("   because: ").append(why).append('\n'));
            cause.fix().forEach(fix -> text.append("   do: ").append(fix).append('\n'));
        }
        if (!page.links().isEmpty()) {
            text.append('\n');
            page.links()
                    .forEach(link -> text.append(link.name())
                            .append(": ")
                            .append(link.address())
                            .append('\n'));
        }
        return text.toString();
    }

    static String time(long ms) {
        return TIME.format(Instant.ofEpochMilli(ms));
    }

    static String number(double value) {
        if (!Double.isFinite(value)) {
            return Double.toString(value);
        }
        return value == Math.rint(value) && Math.abs(value) < 1e7
                ? Long.toString((long) value)
                : String.format(Locale.ROOT, "%.4g", value);
    }

    private static String hours(double seconds) {
        return seconds < 120
                ? String.format(Locale.ROOT, "%.0f s", seconds)
                : seconds < 7_200
                        ? String.format(Locale.ROOT, "%.0f min", seconds / 60)
                        : String.format(Locale.ROOT, "%.1f h", seconds / 3_600);
    }
}
