package io.trainwatch.monitor.notify;

import com.fasterxml.jackson.core.JsonGenerator;
import io.trainwatch.alert.Alert;
import io.trainwatch.alert.Severity;
import java.io.IOException;
import java.net.URI;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * Prometheus Alertmanager, API v2. It groups, routes and repeats by itself, so each episode is forwarded as one alert:
 *
 * <pre>
 * alertname  name of the detector        severity  warning or critical
 * run_id     the run                     project   its project, absent if none
 * scope      what in the run, absent for all of it
 * run_…      labels of the run; what is no letter, digit or _ in their names becomes _
 * </pre>
 *
 * <p>What fires is sent again well before it expires there; what is resolved is sent with its end. A batch that is
 * answered 400 is halved until the alert that is refused stands alone: Alertmanager has taken the others, and taking them
 * twice changes nothing.
 */
final class AlertmanagerSink implements Sink, Heartbeat.Carrier {
    /** How often what fires is sent again. */
    static final Duration RESEND = Duration.ofMinutes(1);

    /** How long Alertmanager believes in what it heard, as Prometheus does: four times {@link #RESEND}. */
    private static final Duration VALID = RESEND.multipliedBy(4);

    private static final int BATCH = 64;
    private static final int MAX_LABELS = 32;
    private static final int MAX_LABEL_VALUE = 300;

    private final URI alerts;
    private final Map<String, String> headers;
    private final Http http = new Http();

    AlertmanagerSink(URI base, @Nullable Secret token) {
        String text = base.toString();
        alerts = URI.create((text.endsWith("/") ? text : text + "/") + "api/v2/alerts");
        headers = token == null
                ? Map.of("Content-Type", "application/json")
                : Map.of("Content-Type", "application/json", "Authorization", "Bearer " + token.value());
    }

    @Override
    public int batch() {
        return BATCH;
    }

    @Override
    public Receipt tell(Page page) throws InterruptedException {
        return tellAll(List.of(page)).get(0);
    }

    @Override
    public List<Receipt> tellAll(List<Page> pages) throws InterruptedException {
        Receipt receipt = http.post(alerts, headers, PageJson.text(out -> {
                    out.writeStartArray();
                    for (Page page : pages) {
                        write(page, out);
                    }
                    out.writeEndArray();
                }))
                .receipt();
        if (!(receipt instanceof Receipt.Refused) || pages.size() == 1) {
            return Collections.nCopies(pages.size(), receipt);
        }
        int half = pages.size() / 2;
        List<Receipt> receipts = new ArrayList<>(tellAll(pages.subList(0, half)));
        receipts.addAll(tellAll(pages.subList(half, pages.size())));
        return receipts;
    }

    @Override
    public Receipt beat(String monitor, long nowMs, long validMs) throws InterruptedException {
        return http.post(alerts, headers, PageJson.text(out -> {
                    out.writeStartArray();
                    alert(
                            out,
                            Map.of("alertname", "TrainwatchAlive", "severity", "none", "monitor", monitor),
                            Map.of(
                                    "summary",
                                    "The monitor judges. Page when this alert is missing, not when it is there."),
                            nowMs,
                            nowMs + validMs);
                    out.writeEndArray();
                }))
                .receipt();
    }

    private static void write(Page page, JsonGenerator out) throws IOException {
        Map<String, String> annotations = annotations(page);
        if (page.before() != page.severity()) {
            // The severity is part of what an alert is: the one with the former severity ends.
            alert(out, labels(page, page.before()), annotations, page.sinceMs(), page.atMs());
        }
        alert(
                out,
                labels(page, page.severity()),
                annotations,
                Math.min(page.sinceMs(), page.atMs()),
                page.isResolved() ? page.atMs() : page.atMs() + VALID.toMillis());
    }

    private static void alert(
            JsonGenerator out, Map<String, String> labels, Map<String, String> annotations, long startsMs, long endsMs)
            throws IOException {
        out.writeStartObject();
        texts(out, "labels", labels);
        texts(out, "annotations", annotations);
        out.writeStringField(
                "startsAt", Instant.ofEpochMilli(Math.min(startsMs, endsMs)).toString());
        out.writeStringField("endsAt", Instant.ofEpochMilli(endsMs).toString());
        String generator = annotations.get("run_url");
        if (generator != null) {
            out.writeStringField("generatorURL", generator);
        }
        out.writeEndObject();
    }

    private static void texts(JsonGenerator out, String name, Map<String, String> texts) throws IOException {
        out.writeObjectFieldStart(name);
        for (Map.Entry<String, String> text : texts.entrySet()) {
            out.writeStringField(text.getKey(), text.getValue());
        }
        out.writeEndObject();
    }

    static Map<String, String> labels(Page page, Severity severity) {
        Alert alert = page.lead();
        Map<String, String> labels = new TreeMap<>();
        // First, so that what follows wins over them.
        alert.getLabels().entrySet().stream()
                .limit(MAX_LABELS)
                .forEach(label -> put(labels, "run_" + legal(label.getKey()), label.getValue()));
        put(labels, "alertname", alert.getDetector());
        put(labels, "severity", severity.name());
        put(labels, "run_id", alert.getRunId());
        put(labels, "run_name", alert.getRunName());
        put(labels, "project", alert.getProject());
        put(labels, "scope", alert.getScope());
        if (page.test()) {
            labels.put("test", "true");
        }
        return labels;
    }

    private static void put(Map<String, String> labels, String name, @Nullable String value) {
        String line = value == null ? "" : PlainText.line(value, MAX_LABEL_VALUE);
        if (!line.isEmpty()) {
            labels.put(name, line);
        }
    }

    /** Names of labels are letters, digits and {@code _} up to Alertmanager 0.27. */
    private static String legal(String name) {
        return PlainText.cut(name, 60).replaceAll("[^A-Za-z0-9_]", "_");
    }

    private static Map<String, String> annotations(Page page) {
        Map<String, String> annotations = new LinkedHashMap<>();
        annotations.put("summary", page.title());
        annotations.put("description", PageText.plain(page));
        for (Page.Link link : page.links()) {
            annotations.put(
                    legal(link.name().toLowerCase(java.util.Locale.ROOT)) + "_url",
                    link.address().toString());
        }
        return annotations;
    }

    @Override
    public String target() {
        return WebhookSink.origin(alerts);
    }
}
