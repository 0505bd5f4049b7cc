package io.trainwatch.monitor.notify;

import com.fasterxml.jackson.core.JsonGenerator;
import io.trainwatch.alert.Severity;
import java.io.IOException;
import java.net.URI;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * Slack, by an <a href="https://api.slack.com/messaging/webhooks">incoming webhook</a>: a message of blocks. What comes
 * from trainers is {@code plain_text}, in which Slack reads no markup, mentions or links; only the links are {@code mrkdwn}.
 */
final class SlackSink implements Sink {
    private static final int MAX_HEADER = 150;
    private static final int MAX_TEXT = 3_000;
    private static final int MAX_FIELD = 2_000;
    private static final int MAX_FIELDS = 10;

    private final URI webhook;
    private final Http http = new Http();

    SlackSink(URI webhook) {
        this.webhook = webhook;
    }

    @Override
    public Receipt tell(Page page) throws InterruptedException {
        return http.post(webhook, Map.of("Content-Type", "application/json; charset=utf-8"), message(page))
                .receipt();
    }

    private static String message(Page page) {
        String header = (page.test() ? "[test] " : "") + mark(page) + " " + page.title();
        return PageJson.text(out -> {
            out.writeStartObject();
            // What phones show in their notification; read as mrkdwn.
            out.writeStringField("text", escaped(PlainText.cut(header + ": " + page.summary(), MAX_FIELD)));
            out.writeArrayFieldStart("blocks");
            text(out, "header", PlainText.cut(header, MAX_HEADER));
            text(out, "section", PlainText.cut(page.summary(), MAX_TEXT));
            fields(out, page.facts());
            for (Page.Likely cause : page.causes()) {
                text(out, "section", PlainText.cut(cause(cause), MAX_TEXT));
            }
            if (!page.links().isEmpty()) {
                out.writeStartObject();
                out.writeStringField("type", "context");
                out.writeArrayFieldStart("elements");
                out.writeStartObject();
                out.writeStringField("type", "mrkdwn");
                out.writeStringField(
                        "text",
                        page.links().stream()
                                .map(link ->
                                        "<" + escaped(link.address().toString()).replace("|", "%7C") + "|"
                                                + escaped(link.name()).replace("|", "/") + ">")
                                .collect(Collectors.joining("  ·  ")));
                out.writeEndObject();
                out.writeEndArray();
                out.writeEndObject();
            }
            out.writeEndArray();
            out.writeEndObject();
        });
    }

    private static void text(JsonGenerator out, String type, String text) throws IOException {
        out.writeStartObject();
        out.writeStringField("type", type);
        out.writeFieldName("text");
        plain(out, text);
        out.writeEndObject();
    }

    private static void fields(JsonGenerator out, List<Page.Fact> facts) throws IOException {
        for (int from = 0; from < facts.size(); from += MAX_FIELDS) {
            out.writeStartObject();
            out.writeStringField("type", "section");
            out.writeArrayFieldStart("fields");
            for (Page.Fact fact : facts.subList(from, Math.min(facts.size(), from + MAX_FIELDS))) {
                plain(out, PlainText.cut(fact.name() + "\n" + fact.value(), MAX_FIELD));
            }
            out.writeEndArray();
            out.writeEndObject();
        }
    }

    private static void plain(JsonGenerator out, String text) throws IOException {
        out.writeStartObject();
        out.writeStringField("type", "plain_text");
        out.writeStringField("text", text);
        out.writeBooleanField("emoji", false);
        out.writeEndObject();
    }

    private static String cause(Page.Likely cause) {
        StringBuilder text = new StringBuilder("Likely: ").append(cause.title());
        cause.why().forEach(why -> text.append("\nbecause: ").append(why));
        cause.fix().forEach(fix -> text.append("\n→ ").append(fix));
        return text.toString();
    }

    private static String mark(Page page) {
        return page.isResolved() ? "✓" : page.severity() == Severity.critical ? "CRITICAL" : "Warning";
    }

    /** The three characters that Slack asks to escape in mrkdwn. */
    static String escaped(String text) {
        return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;");
    }

    @Override
    public String target() {
        return WebhookSink.origin(webhook);
    }
}
