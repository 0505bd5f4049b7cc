package io.trainwatch.monitor.notify;

import io.trainwatch.alert.Alert;
import java.net.URI;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Where a page leads to.
 *
 * @param monitor address under which people reach this monitor, null for none: its live page and approvals
 * @param runbook address of the runbook; the name of the detector is put behind it as the anchor; null for the one that the
 *     monitor serves
 * @param dashboard address of a dashboard, with {@code {run_id}}, {@code {from_ms}} and {@code {to_ms}} where they belong;
 *     null for none
 */
public record Links(
        @Nullable URI monitor,
        @Nullable URI runbook,
        @Nullable String dashboard) {
    /** None. */
    public static final Links NONE = new Links(null, null, null);

    /** What a dashboard shows around the onset, on either side of it. */
    private static final long AROUND_MS = 30 * 60_000;

    List<Page.Link> of(Alert alert, long nowMs) {
        List<Page.Link> links = new ArrayList<>();
        if (runbook != null) {
            links.add(new Page.Link("Runbook", URI.create(runbook + "#" + encoded(alert.getDetector()))));
        } else if (monitor != null) {
            links.add(new Page.Link("Runbook", at("/runbook/" + encoded(alert.getDetector()))));
        }
        if (dashboard != null) {
            links.add(new Page.Link(
                    "Dashboard",
                    URI.create(dashboard
                            .replace("{run_id}", encoded(alert.getRunId()))
                            .replace("{from_ms}", Long.toString(alert.getOpenedAtMs() - AROUND_MS))
                            .replace("{to_ms}", Long.toString(nowMs + AROUND_MS)))));
        }
        if (monitor != null) {
            links.add(new Page.Link("Run", at("/#/run/" + encoded(alert.getRunId()))));
        }
        return links;
    }

    /** An address of the monitor. */
    URI at(String path) {
        String base = String.valueOf(monitor);
        return URI.create((base.endsWith("/") ? base.substring(0, base.length() - 1) : base) + path);
    }

    private static String encoded(String text) {
        return URLEncoder.encode(text, StandardCharsets.UTF_8).replace("+", "%20");
    }
}
