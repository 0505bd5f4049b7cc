package io.trainwatch.monitor.notify;

import static io.trainwatch.monitor.notify.Alerts.T0;
import static io.trainwatch.monitor.notify.Alerts.alert;
import static io.trainwatch.monitor.notify.Alerts.nan;
import static io.trainwatch.monitor.notify.Alerts.resolved;
import static io.trainwatch.monitor.notify.Alerts.with;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.icegreen.greenmail.util.GreenMail;
import com.icegreen.greenmail.util.ServerSetup;
import io.trainwatch.alert.Alert;
import io.trainwatch.alert.Severity;
import io.trainwatch.monitor.notify.Page.Kind;
import io.trainwatch.monitor.notify.Receiver.Answer;
import jakarta.mail.internet.MimeMessage;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** What each receiver is sent, checked against what its documentation asks for. */
class SinksTest {
    /** Newlines, quotes, markup, mentions, templates, marks that turn the direction of text, and 10 kB of it. */
    private static final String HOSTILE =
            "a\nb\r\"c\" <b>&amp; <!channel> @here *bold* {{ .Labels }} {{ template \"x\" }} \u202Eevil\u200F "
                    + "x".repeat(10_000);

    private final Receiver receiver = new Receiver();
    private final PageText text = new PageText(
            new Links(
                    URI.create("https://monitor.example"),
                    URI.create("https://runbook.example/README.md"),
                    "https://grafana.example/d/run?var-run={run_id}&from={from_ms}&to={to_ms}"),
            alert -> List.of());

    @AfterEach
    void stop() {
        receiver.close();
    }

    @Test
    void a_page_says_what_where_since_when_why_and_what_to_do() {
        Page page = page(Kind.OPENED, nan("resnet 7"));

        assertThat(page.title()).isEqualTo("non_finite_loss in resnet 7");
        assertThat(page.summary()).isEqualTo("The loss is NaN since step 120; it was 2.31.");
        assertThat(PageText.plain(page)).isEqualTo("""
                non_finite_loss in resnet 7
                The loss is NaN since step 120; it was 2.31.

                Run: resnet 7
                Project: vision
                Since: step 120, 2025-11-21 21:20:00 UTC; now at step 121
                loss: NaN, usually 2.310, at step 120
                Last good checkpoint: step 100, s3://bucket/r/100
                Accelerator time since the onset: 2.5 h
                I look after it: trainwatch ack e81b4b0ede2334f398f290de520df4a2

                Likely causes
                1. The learning rate is too high
                   because: the gradient norm rose tenfold from step 90
                   do: halve the learning rate
                   do: clip the gradient at 1.0

                Runbook: https://runbook.example/README.md#non_finite_loss
                Dashboard: https://grafana.example/d/run?var-run=resnet%207&from=1763758200000&to=1763761860000
                Run: https://monitor.example/#/run/resnet%207
                """);
    }

    @Test
    void pagerduty_gets_events_as_its_documentation_has_them() throws Exception {
        receiver.behaving(SinksTest::pagerDuty);
        Sink sink = new PagerDutySink(receiver.url("/v2/enqueue"), new Secret("k".repeat(32)));
        Page page = page(Kind.OPENED, nan("r"));

        assertThat(sink.tell(page)).isInstanceOf(Receipt.Told.class);
        assertThat(sink.tell(page(Kind.OPENED, hostile()))).isInstanceOf(Receipt.Told.class);
        assertThat(sink.tell(page(Kind.RESOLVED, resolved(nan("r"))))).isInstanceOf(Receipt.Told.class);

        JsonNode event = receiver.taken().get(0).json();
        assertThat(event.get("dedup_key").asText()).isEqualTo(page.key());
        assertThat(event.at("/payload/summary").asText())
                .isEqualTo("non_finite_loss in r: The loss is NaN since step 120; it was 2.31.");
        assertThat(event.at("/payload/timestamp").asText()).isEqualTo("2025-11-21T21:20:00Z");
        assertThat(event.at("/payload/custom_details/Last good checkpoint").asText())
                .isEqualTo("step 100, s3://bucket/r/100");
        assertThat(receiver.taken().get(2).json().get("event_action").asText()).isEqualTo("resolve");
    }

    @Test
    void pagerduty_is_told_that_somebody_looks_after_it_and_of_another_incident_where_people_are_called_anew()
            throws Exception {
        receiver.behaving(SinksTest::pagerDuty);
        Sink sink = new PagerDutySink(receiver.url("/v2/enqueue"), new Secret("k".repeat(32)));
        Incident incident = new Incident("0123456789abcdef0123456789abcdef", "run:r", T0);
        incident.put(alert("r", "loss_spike", Severity.warning), T0);
        tell(sink, incident, Kind.OPENED);
        incident.acknowledge(OptionalLong.of(T0 + 1));
        assertThat(sink.tell(text.of(incident, Kind.ACKNOWLEDGED, null, T0))).isInstanceOf(Receipt.Told.class);
        incident.acknowledgementTold();
        // More of the same: an update. Worse: whatever came for an incident that is acknowledged there would notify nobody.
        incident.put(alert("r", "dead_units", Severity.warning), T0);
        tell(sink, incident, Kind.UPDATED);
        incident.put(nan("r"), T0);
        tell(sink, incident, Kind.UPDATED);
        assertThat(sink.tell(text.of(incident, Kind.RESOLVED, null, T0))).isInstanceOf(Receipt.Told.class);

        String key = incident.key();
        assertThat(receiver.taken())
                .map(Receiver.Request::json)
                .map(event -> event.get("event_action").asText() + " "
                        + event.get("dedup_key").asText() + " "
                        + event.at("/payload/severity").asText())
                .containsExactly(
                        "trigger " + key + " warning",
                        "acknowledge " + key + " ",
                        "trigger " + key + " warning",
                        "trigger " + key + "-2 critical",
                        "resolve " + key + " ",
                        "resolve " + key + "-2 ");
    }

    private void tell(Sink sink, Incident incident, Kind kind) throws InterruptedException {
        assertThat(sink.tell(text.of(incident, kind, null, T0))).isInstanceOf(Receipt.Told.class);
        incident.told(T0);
    }

    /** 202 for what the Events API v2 takes, 400 with its reason otherwise. */
    private static Answer pagerDuty(Receiver.Request request) {
        JsonNode event = request.json();
        List<String> errors = new ArrayList<>();
        require(errors, request.headers().getFirst("Content-Type").equals("application/json"), "Content-Type");
        require(errors, event.path("routing_key").asText().length() == 32, "routing_key");
        require(
                errors,
                List.of("trigger", "acknowledge", "resolve")
                        .contains(event.path("event_action").asText()),
                "event_action");
        require(errors, event.path("dedup_key").asText().matches(".{1,255}"), "dedup_key");
        if (event.path("event_action").asText().equals("trigger")) {
            JsonNode payload = event.path("payload");
            int summary = payload.path("summary").asText().length();
            require(errors, summary > 0 && summary <= 1_024, "summary");
            require(errors, !payload.path("source").asText().isBlank(), "source");
            require(
                    errors,
                    List.of("critical", "error", "warning", "info")
                            .contains(payload.path("severity").asText()),
                    "severity");
            require(errors, Instant.parse(payload.path("timestamp").asText()) != null, "timestamp");
            require(errors, payload.path("custom_details").isObject(), "custom_details");
            event.path("links")
                    .forEach(link -> require(
                            errors,
                            link.path("href").asText().startsWith("https://") && link.hasNonNull("text"),
                            "links"));
            require(errors, request.body().length() < 512_000, "size");
        }
        return errors.isEmpty()
                ? new Answer(202, "{\"status\":\"success\"}", null)
                : new Answer(400, "{\"status\":\"invalid event\",\"errors\":\"" + errors + "\"}", null);
    }

    @Test
    void slack_gets_blocks_within_its_limits_and_what_comes_from_trainers_is_plain_text() throws Exception {
        receiver.behaving(SinksTest::slack);
        Sink sink = new SlackSink(receiver.url("/services/T/B/x"));

        assertThat(sink.tell(page(Kind.OPENED, nan("r")))).isInstanceOf(Receipt.Told.class);
        assertThat(sink.tell(page(Kind.OPENED, hostile()))).isEqualTo(new Receipt.Told("HTTP 200: ok"));

        JsonNode message = receiver.taken().get(0).json();
        assertThat(message.at("/blocks/0/text/text").asText()).isEqualTo("CRITICAL non_finite_loss in r");
        String hostile = receiver.taken().get(1).body();
        assertThat(receiver.taken().get(1).json().get("text").asText())
                .contains("&lt;!channel&gt;")
                .doesNotContain("<!channel>", "\u202E", "\u200F", "\n");
        assertThat(hostile).doesNotContain("\u202E");
    }

    /** 200 "ok" for what incoming webhooks and Block Kit take, 400 "invalid_blocks" otherwise. */
    private static Answer slack(Receiver.Request request) {
        JsonNode message = request.json();
        List<String> errors = new ArrayList<>();
        require(errors, request.headers().getFirst("Content-Type").startsWith("application/json"), "Content-Type");
        require(errors, !message.path("text").asText().isEmpty(), "text");
        require(errors, message.path("blocks").size() <= 50, "blocks");
        for (JsonNode block : message.path("blocks")) {
            switch (block.path("type").asText()) {
                case "header" -> {
                    require(errors, block.at("/text/type").asText().equals("plain_text"), "header type");
                    require(errors, block.at("/text/text").asText().length() <= 150, "header");
                }
                case "section" -> {
                    require(errors, block.at("/text/text").asText().length() <= 3_000, "section");
                    require(errors, block.has("text") || block.path("fields").size() > 0, "section of nothing");
                    require(errors, block.path("fields").size() <= 10, "fields");
                    block.path("fields").forEach(field -> {
                        require(errors, field.path("text").asText().length() <= 2_000, "field");
                        require(errors, field.path("type").asText().equals("plain_text"), "field type");
                    });
                }
                case "context" -> {
                    require(errors, block.path("elements").size() <= 10, "elements");
                    block.path("elements")
                            .forEach(element -> require(
                                    errors,
                                    element.path("text")
                                            .asText()
                                            .matches("(<https?://[^|<>\\s]+\\|[^|<>]+>( {2}· {2})?)+"),
                                    "links"));
                }
                default -> errors.add("type " + block.path("type"));
            }
        }
        return errors.isEmpty() ? Answer.OK : new Answer(400, "invalid_blocks " + errors, null);
    }

    private static void require(List<String> errors, boolean holds, String what) {
        if (!holds) {
            errors.add(what);
        }
    }

    @Test
    void a_webhook_can_check_who_sent_what_and_when() throws Exception {
        InstantSource clock = InstantSource.fixed(Instant.ofEpochSecond(1_763_760_000));
        Sink sink = new WebhookSink(receiver.url("/hook"), new Secret("s3cr3t-s3cr3t-s3cr3t"), clock);

        assertThat(sink.tell(page(Kind.OPENED, hostile()))).isInstanceOf(Receipt.Told.class);

        Receiver.Request request = receiver.taken().get(0);
        Mac mac = Mac.getInstance("HmacSHA256");
        mac.init(new SecretKeySpec("s3cr3t-s3cr3t-s3cr3t".getBytes(StandardCharsets.UTF_8), "HmacSHA256"));
        String expected = HexFormat.of()
                .formatHex(mac.doFinal(("1763760000." + request.body()).getBytes(StandardCharsets.UTF_8)));
        assertThat(request.headers().getFirst("X-Trainwatch-Timestamp")).isEqualTo("1763760000");
        assertThat(request.headers().getFirst("X-Trainwatch-Signature")).isEqualTo("sha256=" + expected);
        assertThat(request.json().at("/alerts/0/run_name").asText()).isEqualTo(PlainText.cut(HOSTILE, 256));
        assertThat(request.json().get("title").asText())
                .hasSizeLessThanOrEqualTo(140)
                .doesNotContain("\n", "\u202E");
    }

    @Test
    void mails_of_one_incident_are_one_thread_and_hostile_names_are_no_headers() throws Exception {
        GreenMail server = new GreenMail(new ServerSetup(0, "127.0.0.1", ServerSetup.PROTOCOL_SMTP));
        server.start();
        try (Sink sink = new EmailSink(new EmailServer(
                "127.0.0.1",
                server.getSmtp().getPort(),
                EmailServer.Security.NONE,
                null,
                null,
                "trainwatch@example.com",
                List.of("anna@example.com", "ben@example.com")))) {
            Incident incident = new Incident("k".repeat(32), "run:r", T0);
            Alert hostile = hostile();
            incident.put(hostile, T0);
            assertThat(sink.tell(text.of(incident, Kind.OPENED, null, T0))).isInstanceOf(Receipt.Told.class);
            incident.told(T0);
            incident.put(resolved(hostile), T0);
            assertThat(sink.tell(text.of(incident, Kind.RESOLVED, null, T0))).isInstanceOf(Receipt.Told.class);

            MimeMessage[] mails = server.getReceivedMessages();
            // Mailbox by mailbox.
            assertThat(mails).hasSize(4);
            assertThat(mails[0].getSubject()).startsWith("[critical] non_finite_loss in a b \"c\" <b>&amp;");
            assertThat(mails[0].getHeader("Message-ID")).containsExactly("<" + "k".repeat(32) + ".1@trainwatch>");
            assertThat(mails[1].getHeader("In-Reply-To")).containsExactly("<" + "k".repeat(32) + ".1@trainwatch>");
            assertThat(mails[1].getSubject()).startsWith("Resolved: ");
            assertThat(mails[0].getContent().toString()).contains("Last good checkpoint: step 100");
        } finally {
            server.stop();
        }
    }

    @Test
    void a_mail_server_that_is_not_there_is_tried_again() throws Exception {
        try (Sink sink = new EmailSink(new EmailServer(
                "127.0.0.1", 1, EmailServer.Security.NONE, null, null, "a@example.com", List.of("b@example.com")))) {
            assertThat(sink.tell(page(Kind.OPENED, nan("r")))).isInstanceOf(Receipt.Unavailable.class);
        }
    }

    @Test
    void a_batch_that_alertmanager_refuses_is_halved_until_only_the_bad_one_is_left() throws Exception {
        receiver.behaving(request -> request.body().contains("\"run_id\":\"bad\"") ? Answer.status(400) : Answer.OK);
        List<Page> pages = new ArrayList<>();
        for (int i = 0; i < 9; i++) {
            pages.add(page(Kind.OPENED, nan(i == 5 ? "bad" : "r" + i)));
        }

        List<Receipt> receipts = new AlertmanagerSink(receiver.url(), null).tellAll(pages);

        for (int i = 0; i < 9; i++) {
            assertThat(receipts.get(i)).isInstanceOf(i == 5 ? Receipt.Refused.class : Receipt.Told.class);
        }
    }

    @Test
    void an_alert_that_grew_worse_ends_under_its_former_severity() throws Exception {
        Incident incident = new Incident("k".repeat(32), "episode:1", T0);
        Alert alert = with(nan("r"), changed -> changed.setSeverity(Severity.warning));
        incident.put(alert, T0);
        incident.told(T0);
        incident.put(with(nan("r"), changed -> changed.setChangedAtMs(T0 + 1)), T0);

        new AlertmanagerSink(receiver.url(), null).tell(text.of(incident, Kind.UPDATED, null, T0 + 1_000));

        JsonNode sent = receiver.taken().get(0).json();
        assertThat(sent).hasSize(2);
        assertThat(sent.at("/0/labels/severity").asText()).isEqualTo("warning");
        assertThat(sent.at("/0/endsAt").asText()).isEqualTo("2025-11-21T21:20:01Z");
        assertThat(sent.at("/1/labels/severity").asText()).isEqualTo("critical");
        assertThat(sent.at("/1/endsAt").asText()).isEqualTo("2025-11-21T21:24:01Z");
    }

    @Test
    void an_answer_without_end_is_cut_and_a_redirect_is_not_followed() throws Exception {
        receiver.behaving(request -> new Answer(200, "y".repeat(1_000_000), null));
        Sink sink = new WebhookSink(receiver.url(), null, InstantSource.system());
        assertThat(((Receipt.Told) sink.tell(page(Kind.OPENED, nan("r")))).answer())
                .hasSizeLessThan(300);

        receiver.behaving(request -> Answer.status(302));
        assertThat(sink.tell(page(Kind.OPENED, nan("r")))).isEqualTo(new Receipt.Refused("HTTP 302"));
    }

    @Test
    void no_secret_is_in_what_settings_print() {
        assertThat(new SinkSettings("a", new SinkSettings.Slack(URI.create("https://hooks.example/secret"))).toString())
                .doesNotContain("secret\"", "hooks.example");
        assertThat(new Secret("abc").toString()).doesNotContain("abc");
        assertThat(new SlackSink(URI.create("https://hooks.example/abc")).target())
                .isEqualTo("https://hooks.example");
    }

    private Page page(Kind kind, Alert alert) {
        Incident incident = new Incident("0123456789abcdef0123456789abcdef", "run:" + alert.getRunId(), T0);
        incident.put(alert, T0);
        return text.of(incident, kind, null, T0 + 60_000);
    }

    private static Alert hostile() {
        return with(nan("r\n\"<b>"), alert -> {
            alert.setRunName(HOSTILE);
            alert.setProject(HOSTILE);
            alert.setMessage(HOSTILE);
            alert.setCheckpointPath(HOSTILE);
            alert.setScope("<!here>");
            alert.setLabels(Map.of("te-am\n{{", HOSTILE));
        });
    }
}
