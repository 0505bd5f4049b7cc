package io.trainwatch.monitor.notify;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import io.trainwatch.codec.RecordJson;
import java.io.IOException;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.util.Locale;

/**
 * A page as JSON, for the webhook and the parking topic.
 *
 * <pre>
 * {"version": 1, "type": "page", "key": "9f…", "number": 1, "kind": "opened", "severity": "critical", "test": false,
 *  "title": "…", "summary": "…", "facts": [{"name": "…", "value": "…"}],
 *  "causes": [{"title": "…", "why": ["…"], "fix": ["…"]}], "links": [{"name": "…", "url": "…"}],
 *  "call": 1, "since_ms": 0, "at_ms": 0, "runs": 1, "alerts": [ … as in GET /api/v1/alerts … ]}
 * </pre>
 */
final class PageJson {
    private static final JsonFactory FACTORY = new JsonFactory();

    /** Writes one value. */
    interface Body {
        void write(JsonGenerator out) throws IOException;
    }

    private PageJson() {}

    static String text(Body body) {
        StringWriter text = new StringWriter(1_024);
        try (JsonGenerator out = FACTORY.createGenerator(text)) {
            body.write(out);
        } catch (IOException e) {
            throw new UncheckedIOException("writing to memory failed", e);
        }
        return text.toString();
    }

    static String of(Page page) {
        return text(out -> write(page, out));
    }

    private static void write(Page page, JsonGenerator out) throws IOException {
        out.writeStartObject();
        out.writeNumberField("version", 1);
        out.writeStringField("type", "page");
        out.writeStringField("key", page.key());
        out.writeNumberField("number", page.number());
        out.writeStringField("kind", page.kind().name().toLowerCase(Locale.ROOT));
        out.writeStringField("severity", page.severity().name());
        out.writeBooleanField("test", page.test());
        out.writeStringField("title", page.title());
        out.writeStringField("summary", page.summary());
        out.writeArrayFieldStart("facts");
        for (Page.Fact fact : page.facts()) {
            out.writeStartObject();
            out.writeStringField("name", fact.name());
            out.writeStringField("value", fact.value());
            out.writeEndObject();
        }
        out.writeEndArray();
        out.writeArrayFieldStart("causes");
        for (Page.Likely cause : page.causes()) {
            out.writeStartObject();
            out.writeStringField("title", cause.title());
            strings(out, "why", cause.why());
            strings(out, "fix", cause.fix());
            out.writeEndObject();
        }
        out.writeEndArray();
        out.writeArrayFieldStart("links");
        for (Page.Link link : page.links()) {
            out.writeStartObject();
            out.writeStringField("name", link.name());
            out.writeStringField("url", link.address().toString());
            out.writeEndObject();
        }
        out.writeEndArray();
        out.writeNumberField("call", page.call());
        out.writeNumberField("since_ms", page.sinceMs());
        out.writeNumberField("at_ms", page.atMs());
        out.writeNumberField("runs", page.runs());
        out.writeArrayFieldStart("alerts");
        for (var alert : page.episodes()) {
            RecordJson.write(alert, out);
        }
        out.writeEndArray();
        out.writeEndObject();
    }

    private static void strings(JsonGenerator out, String name, Iterable<String> texts) throws IOException {
        out.writeArrayFieldStart(name);
        for (String text : texts) {
            out.writeString(text);
        }
        out.writeEndArray();
    }
}
