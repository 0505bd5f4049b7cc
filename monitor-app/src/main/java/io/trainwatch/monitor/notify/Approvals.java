package io.trainwatch.monitor.notify;

import io.javalin.config.RoutesConfig;
import io.javalin.http.Context;
import io.trainwatch.alert.Alert;
import io.trainwatch.monitor.notify.CommandSettings.Policy;
import io.trainwatch.monitor.web.Endpoints;
import io.trainwatch.run.CommandAction;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Optional;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;
import org.apache.kafka.common.KafkaException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Links by which a person gives a command that the policy {@code ask} leaves to people: {@code GET /approve/TOKEN} shows
 * what it would do, {@code POST} does it. A link preview or a virus scanner that follows the link does nothing.
 *
 * <p>A token names run, attempt, alert, action and expiry, and is signed with HMAC-SHA256; who holds it may use it, once.
 * What is forged, used or expired does nothing, is logged and counted.
 */
final class Approvals implements Endpoints {
    private static final Logger LOG = LoggerFactory.getLogger(Approvals.class);
    private static final String PATH = "/approve/";
    private static final Base64.Encoder ENCODER = Base64.getUrlEncoder().withoutPadding();
    private static final int MAX_TOKEN = 4_000;
    private static final String CONTENT_SECURITY_POLICY =
            "default-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

    /** What was found of a token. */
    private enum Verdict {
        GOOD(200, "", ""),
        FORGED(403, "forged", "This link is not one of this monitor, or was changed on its way."),
        EXPIRED(410, "expired", "This link has expired. A later page has a new one."),
        USED(409, "used", "This link was used before. The command was given then.");

        final int status;
        final String label;
        final String text;

        Verdict(int status, String label, String text) {
            this.status = status;
            this.label = label;
            this.text = text;
        }
    }

    /** What a token asks for. */
    private record Request(
            String runId, int attempt, String alertId, CommandAction action, String reason, long expiresAtMs) {
        String id() {
            return Commander.id(alertId, action);
        }
    }

    /** A token and what became of it. */
    private record Checked(Verdict verdict, @Nullable Request request) {}

    private final CommandSettings settings;
    private final NotifyState state;
    private final Commander commander;
    private final NotifyCounters counters;
    private final InstantSource clock;

    Approvals(
            CommandSettings settings,
            NotifyState state,
            Commander commander,
            NotifyCounters counters,
            InstantSource clock) {
        this.settings = settings;
        this.state = state;
        this.commander = commander;
        this.counters = counters;
        this.clock = clock;
    }

    /** What a person may approve about an alert; none where its policy does not ask. */
    static List<Page.Link> links(CommandSettings settings, Links links, InstantSource clock, Alert alert) {
        Secret secret = settings.secret();
        if (secret == null
                || links.monitor() == null
                || settings.on().getOrDefault(alert.getDetector(), Policy.NOTIFY) != Policy.ASK) {
            return List.of();
        }
        List<Page.Link> offered = new ArrayList<>();
        for (CommandAction action : List.of(CommandAction.checkpoint_then_stop, CommandAction.stop)) {
            Request request = new Request(
                    alert.getRunId(),
                    alert.getAttempt(),
                    alert.getAlertId(),
                    action,
                    PlainText.line(alert.getMessage(), 100),
                    clock.millis() + settings.expiry().toMillis());
            offered.add(new Page.Link(
                    "Approve: " + words(action) + " " + PageText.nameOf(alert),
                    links.at(PATH + token(secret, request))));
        }
        return offered;
    }

    private static String words(CommandAction action) {
        return switch (action) {
            case checkpoint -> "write a checkpoint of";
            case stop -> "stop";
            case checkpoint_then_stop -> "write a checkpoint of and stop";
            case unknown -> "do nothing with";
        };
    }

    private static String token(Secret secret, Request request) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (DataOutputStream out = new DataOutputStream(bytes)) {
            out.writeUTF(request.runId());
            out.writeInt(request.attempt());
            out.writeUTF(request.alertId());
            out.writeUTF(request.action().name());
            out.writeUTF(request.reason());
            out.writeLong(request.expiresAtMs());
        } catch (IOException e) {
            throw new UncheckedIOException("writing to memory failed", e);
        }
        byte[] payload = bytes.toByteArray();
        return ENCODER.encodeToString(payload) + "." + ENCODER.encodeToString(sign(secret, payload));
    }

    private static byte[] sign(Secret secret, byte[] payload) {
        try {
            Mac mac = Mac.getInstance("HmacSHA256");
            mac.init(new SecretKeySpec(secret.value().getBytes(StandardCharsets.UTF_8), "HmacSHA256"));
            // So that no other signature made with this secret is one of a command.
            mac.update("trainwatch approval\0".getBytes(StandardCharsets.US_ASCII));
            return mac.doFinal(payload);
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException("every JVM has HmacSHA256", e);
        }
    }

    private Checked check(String token) {
        Secret secret = settings.secret();
        int dot = token.indexOf('.');
        if (secret == null || dot < 0 || token.length() > MAX_TOKEN) {
            return new Checked(Verdict.FORGED, null);
        }
        try {
            byte[] payload = Base64.getUrlDecoder().decode(token.substring(0, dot));
            byte[] signature = Base64.getUrlDecoder().decode(token.substring(dot + 1));
            if (!MessageDigest.isEqual(signature, sign(secret, payload))) {
                return new Checked(Verdict.FORGED, null);
            }
            DataInputStream in = new DataInputStream(new ByteArrayInputStream(payload));
            Request request = new Request(
                    in.readUTF(),
                    in.readInt(),
                    in.readUTF(),
                    CommandAction.valueOf(in.readUTF()),
                    in.readUTF(),
                    in.readLong());
            if (request.expiresAtMs() <= clock.millis()) {
                return new Checked(Verdict.EXPIRED, request);
            }
            return new Checked(state.isUsed(request.id()) ? Verdict.USED : Verdict.GOOD, request);
        } catch (IllegalArgumentException | IOException e) {
            return new Checked(Verdict.FORGED, null);
        }
    }

    @Override
    public void addTo(RoutesConfig routes) {
        routes.get(PATH + "{token}", this::show);
        routes.post(PATH + "{token}", this::approve);
    }

    /** The token is the right to use it. */
    @Override
    public boolean admits(Context context) {
        return context.path().startsWith(PATH);
    }

    private void show(Context context) {
        Checked checked = check(context.pathParam("token"));
        Request request = checked.request();
        if (checked.verdict() != Verdict.GOOD || request == null) {
            refuse(context, checked);
            return;
        }
        page(
                context,
                200,
                "Tell the trainer to " + words(request.action()) + " run " + PlainText.line(request.runId(), 256) + "?",
                request.reason(),
                "<form method=\"post\"><button>Yes, " + words(request.action()) + " it</button></form>");
    }

    private void approve(Context context) throws InterruptedException {
        Checked checked = check(context.pathParam("token"));
        Request request = checked.request();
        if (checked.verdict() != Verdict.GOOD || request == null) {
            refuse(context, checked);
            return;
        }
        try {
            if (!state.useApproval(request.id(), clock.millis())) {
                refuse(context, new Checked(Verdict.USED, request));
                return;
            }
            commander.give(
                    request.runId(),
                    request.attempt(),
                    request.alertId(),
                    request.action(),
                    request.reason(),
                    "approved by link from " + context.ip());
        } catch (KafkaException e) {
            LOG.warn("An approval could not be carried out", e);
            page(context, 503, "Not done", "The brokers do not answer now. Try again in a minute.", "");
            return;
        }
        counters.approval("approved");
        page(
                context,
                200,
                "Done",
                "The trainer of " + PlainText.line(request.runId(), 256) + " hears within seconds that it is to "
                        + words(request.action()).replace(" of and", " and") + ".",
                "");
    }

    private void refuse(Context context, Checked checked) {
        counters.approval(checked.verdict().label);
        LOG.warn(
                "A link for approval did nothing, it is {}: run {}, from {}",
                checked.verdict().label,
                Optional.ofNullable(checked.request())
                        .map(request -> PlainText.line(request.runId(), 100))
                        .orElse("unknown"),
                context.ip());
        page(context, checked.verdict().status, "Nothing was done", checked.verdict().text, "");
    }

    private static void page(Context context, int status, String title, String text, String form) {
        context.status(status);
        context.header("Content-Security-Policy", CONTENT_SECURITY_POLICY);
        context.html("""
                <!doctype html>
                <html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
                <title>%s</title></head>
                <body><h1>%s</h1><p>%s</p>%s</body></html>
                """.formatted(escaped(title), escaped(title), escaped(text), form));
    }

    private static String escaped(String text) {
        return text.replace("&", "&amp;")
                .replace("<", "&lt;")
                .replace(">", "&gt;")
                .replace("\"", "&quot;")
                .replace("'", "&#39;");
    }
}
