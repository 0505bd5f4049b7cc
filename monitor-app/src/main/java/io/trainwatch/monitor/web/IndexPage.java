package io.trainwatch.monitor.web;

import io.trainwatch.alert.Alert;
import io.trainwatch.alert.AlertState;
import io.trainwatch.monitor.board.RunBoard;
import io.trainwatch.monitor.judge.RunSnapshot;
import io.trainwatch.run.RunStatus;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Base64;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** The page at {@code /}: what runs, what is wrong, and where the rest is. Made on the server, without scripts. */
final class IndexPage {
    private static final int MAX_ROWS = 100;
    private static final int MAX_CHARACTERS = 500;

    private static final String STYLE = """
            :root { color-scheme: light dark; }
            body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem; }
            table { border-collapse: collapse; width: 100%; }
            th, td { text-align: left; padding: .25rem .75rem .25rem 0; border-bottom: 1px solid #8884; vertical-align: top; }
            td { overflow-wrap: anywhere; }
            .number { text-align: right; font-variant-numeric: tabular-nums; }
            .critical { color: #d03030; font-weight: 600; }
            .warning { color: #a86400; font-weight: 600; }
            """;

    static final String CONTENT_SECURITY_POLICY = "default-src 'none'; style-src 'sha256-" + sha256(STYLE)
            + "'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

    private IndexPage() {}

    static String render(RunBoard board, Optional<String> notReady) {
        List<RunSnapshot> runs = board.runs().stream()
                .sorted(Comparator.<RunSnapshot, Boolean>comparing(
                                run -> run.status().getOpenAlerts().isEmpty())
                        .thenComparing(Comparator.<RunSnapshot>comparingLong(
                                        run -> run.status().getLastEventAtMs())
                                .reversed())
                        .thenComparing(run -> run.status().getRunId()))
                .toList();
        List<Alert> alerts = runs.stream()
                .flatMap(run -> run.alerts().stream())
                .sorted(RunsApi.OPEN_FIRST)
                .toList();

        StringBuilder html = new StringBuilder(16_384);
        html.append("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>trainwatch</title>")
                .append("<meta name=\"viewport\" content=\"width=device-width\"><style>")
                .append(STYLE)
                .append("</style></head>\n<body><h1>trainwatch</h1>\n");
        notReady.ifPresent(reason -> html.append("<p class=\"critical\">Not ready: ")
                .append(escape(reason))
                .append("</p>\n"));
        alerts(html, alerts);
        runs(html, runs);
        html.append("<h2>More</h2>\n<ul>")
                .append(
                        "<li><a href=\"/api/v1/runs\">/api/v1/runs</a> and <a href=\"/api/v1/alerts\">/api/v1/alerts</a>: the same as JSON")
                .append("<li>/api/v1/runs/{id}/series/{name}: a curve, e.g. of <code>loss</code>")
                .append("<li>/api/v1/runs/{id}/story: what happened to it, in time order")
                .append("<li><a href=\"/metrics\">/metrics</a>: for Prometheus")
                .append("<li><a href=\"/health/ready\">/health/ready</a>: whether this monitor judges")
                .append("</ul>\n</body></html>\n");
        return html.toString();
    }

    private static void alerts(StringBuilder html, List<Alert> alerts) {
        html.append("<h2>Alerts</h2>\n");
        if (alerts.isEmpty()) {
            html.append("<p>None.</p>\n");
            return;
        }
        html.append(
                "<table><tr><th>State<th>Severity<th>Run<th>Detector<th class=\"number\">Since step<th>What</tr>\n");
        for (Alert alert : alerts.subList(0, Math.min(MAX_ROWS, alerts.size()))) {
            String scope = alert.getScope().isEmpty() ? "" : " (" + escape(alert.getScope()) + ")";
            html.append("<tr><td>")
                    .append(alert.getState() == AlertState.resolved ? "resolved" : "open")
                    .append("<td class=\"")
                    .append(alert.getSeverity())
                    .append("\">")
                    .append(alert.getSeverity())
                    .append("<td>")
                    .append(runLink(alert.getRunId()))
                    .append("<td>")
                    .append(escape(alert.getDetector()))
                    .append(scope)
                    .append("<td class=\"number\">")
                    .append(whole(alert.getOnsetStep()))
                    .append("<td>")
                    .append(escape(alert.getMessage()))
                    .append("</tr>\n");
        }
        html.append("</table>\n");
        rest(html, alerts.size(), "/api/v1/alerts?limit=1000");
    }

    private static void runs(StringBuilder html, List<RunSnapshot> runs) {
        html.append("<h2>Runs</h2>\n");
        if (runs.isEmpty()) {
            html.append("<p>None yet: no run has sent an event that this instance judges.</p>\n");
            return;
        }
        html.append("<table><tr><th>Run<th>Project<th>Condition<th class=\"number\">Step<th class=\"number\">Loss")
                .append("<th class=\"number\">Gradient norm<th class=\"number\">Open alerts</tr>\n");
        for (RunSnapshot snapshot : runs.subList(0, Math.min(MAX_ROWS, runs.size()))) {
            RunStatus run = snapshot.status();
            html.append("<tr><td>")
                    .append(runLink(run.getRunId()))
                    .append("<td>")
                    .append(run.getProject() == null ? "" : escape(run.getProject()))
                    .append("<td>")
                    .append(run.getCondition())
                    .append("<td class=\"number\">")
                    .append(whole(run.getLastStep()))
                    .append(run.getMaxSteps() == null ? "" : " of " + whole(run.getMaxSteps()))
                    .append("<td class=\"number\">")
                    .append(decimal(run.getLoss()))
                    .append("<td class=\"number\">")
                    .append(decimal(run.getGradNorm()))
                    .append("<td class=\"number\">")
                    .append(run.getOpenAlerts().size())
                    .append("</tr>\n");
        }
        html.append("</table>\n");
        rest(html, runs.size(), "/api/v1/runs");
    }

    private static void rest(StringBuilder html, int size, String where) {
        if (size > MAX_ROWS) {
            html.append("<p>")
                    .append(size - MAX_ROWS)
                    .append(" more: <a href=\"")
                    .append(where)
                    .append("\">")
                    .append(where)
                    .append("</a></p>\n");
        }
    }

    private static String runLink(String runId) {
        String path = URLEncoder.encode(runId, StandardCharsets.UTF_8).replace("+", "%20");
        return "<a href=\"/api/v1/runs/" + path + "\">" + escape(runId) + "</a>";
    }

    private static String whole(@Nullable Long number) {
        return number == null ? "" : String.format(Locale.ROOT, "%,d", number);
    }

    private static String decimal(@Nullable Double number) {
        return number == null ? "" : String.format(Locale.ROOT, "%.4g", number);
    }

    private static String escape(String text) {
        String shown = text.length() <= MAX_CHARACTERS ? text : text.substring(0, MAX_CHARACTERS) + "…";
        return shown.replace("&", "&amp;")
                .replace("<", "&lt;")
                .replace(">", "&gt;")
                .replace("\"", "&quot;")
                .replace("'", "&#39;");
    }

    private static String sha256(String text) {
        try {
            return Base64.getEncoder()
                    .encodeToString(MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.UTF_8)));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java platform has SHA-256", e);
        }
    }
}
