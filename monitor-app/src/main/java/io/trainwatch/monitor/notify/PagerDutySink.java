package io.trainwatch.monitor.notify;

import io.trainwatch.alert.Severity;
import java.net.URI;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * PagerDuty, <a href="https://developer.pagerduty.com/docs/events-api-v2-overview">Events API v2</a>. The key of the page
 * is the {@code dedup_key}: an incident is one incident there, however often it is told, and ends when it does. Only where
 * people must be called anew it is another one, and the former ends: whatever comes for one that is acknowledged there
 * notifies nobody.
 */
final class PagerDutySink implements Sink {
    /** Where PagerDuty takes events. */
    static final URI EVENTS = URI.create("https://events.pagerduty.com/v2/enqueue");

    private static final String TRIGGER = "trigger";
    private static final String RESOLVE = "resolve";
    private static final int MAX_SUMMARY = 1_024;

    private final URI address;
    private final Secret routingKey;
    private final Http http = new Http();

    PagerDutySink(@Nullable URI address, Secret routingKey) {
        this.address = address == null ? EVENTS : address;
        this.routingKey = routingKey;
    }

    @Override
    public Receipt tell(Page page) throws InterruptedException {
        Receipt receipt = post(page, action(page), page.call());
        return receipt instanceof Receipt.Told && page.calls() && page.call() > 1
                ? post(page, RESOLVE, page.call() - 1)
                : receipt;
    }

    private static String action(Page page) {
        return switch (page.kind()) {
            case OPENED, UPDATED -> TRIGGER;
            case ACKNOWLEDGED -> "acknowledge";
            case RESOLVED -> RESOLVE;
        };
    }

    @Override
    public boolean acknowledges() {
        return true;
    }

    private Receipt post(Page page, String action, int call) throws InterruptedException {
        return http.post(address, Map.of("Content-Type", "application/json"), event(page, action, call))
                .receipt();
    }

    private String event(Page page, String action, int call) {
        return PageJson.text(out -> {
            out.writeStartObject();
            out.writeStringField("routing_key", routingKey.value());
            out.writeStringField("event_action", action);
            out.writeStringField("dedup_key", call == 1 ? page.key() : page.key() + "-" + call);
            if (action.equals(TRIGGER)) {
                out.writeStringField("client", "trainwatch");
                out.writeObjectFieldStart("payload");
                out.writeStringField(
                        "summary",
                        PlainText.cut(
                                (page.test() ? "[test] " : "") + page.title() + ": " + page.summary(), MAX_SUMMARY));
                out.writeStringField("source", page.runs() > 1 ? "trainwatch" : PageText.nameOf(page.lead()));
                out.writeStringField("severity", severity(page.severity()));
                out.writeStringField(
                        "timestamp", Instant.ofEpochMilli(page.sinceMs()).toString());
                out.writeStringField("component", page.lead().getDetector());
                String project = page.lead().getProject();
                if (project != null) {
                    out.writeStringField("group", PlainText.line(project, 100));
                }
                out.writeStringField("class", page.lead().getDetector());
                out.writeObjectFieldStart("custom_details");
                for (Page.Fact fact : page.facts()) {
                    out.writeStringField(fact.name(), fact.value());
                }
                int number = 1;
                for (Page.Likely cause : page.causes()) {
                    out.writeStringField(
                            "Cause " + number++,
                            cause.title() + details("; because ", cause.why()) + details("; do: ", cause.fix()));
                }
                out.writeEndObject();
                out.writeEndObject();
                out.writeArrayFieldStart("links");
                for (Page.Link link : page.links()) {
                    out.writeStartObject();
                    out.writeStringField("href", link.address().toString());
                    out.writeStringField("text", link.name());
                    out.writeEndObject();
                }
                out.writeEndArray();
            }
            out.writeEndObject();
        });
    }

    private static String details(String before, List<String> texts) {
        return texts.isEmpty() ? "" : before + String.join("; ", texts);
    }

    /** Of critical, error, warning and info. */
    private static String severity(Severity severity) {
        return severity.name();
    }

    @Override
    public String target() {
        return WebhookSink.origin(address);
    }
}
