package io.trainwatch.monitor.notify;

import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.time.InstantSource;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.Map;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;
import org.jspecify.annotations.Nullable;

/**
 * POSTs pages as JSON ({@link PageJson}) to any receiver, signed where there is a secret:
 *
 * <pre>
 * X-Trainwatch-Timestamp: 1763760000
 * X-Trainwatch-Signature: sha256=HEX(HMAC-SHA256(secret, timestamp + "." + body))
 * </pre>
 *
 * <p>A receiver recomputes it over the bytes of the body as they came, compares in constant time, and refuses what is
 * older than some minutes. What comes twice has the same {@code key} and {@code number}.
 */
final class WebhookSink implements Sink, Heartbeat.Carrier {
    private final URI address;
    private final @Nullable Secret secret;
    private final InstantSource clock;
    private final Http http = new Http();

    WebhookSink(URI address, @Nullable Secret secret, InstantSource clock) {
        this.address = address;
        this.secret = secret;
        this.clock = clock;
    }

    @Override
    public Receipt tell(Page page) throws InterruptedException {
        return post(PageJson.of(page));
    }

    @Override
    public Receipt beat(String monitor, long nowMs, long validMs) throws InterruptedException {
        return post(PageJson.text(out -> {
            out.writeStartObject();
            out.writeNumberField("version", 1);
            out.writeStringField("type", "heartbeat");
            out.writeStringField("monitor", monitor);
            out.writeNumberField("at_ms", nowMs);
            out.writeNumberField("valid_until_ms", nowMs + validMs);
            out.writeEndObject();
        }));
    }

    private Receipt post(String body) throws InterruptedException {
        Map<String, String> headers = new LinkedHashMap<>();
        headers.put("Content-Type", "application/json; charset=utf-8");
        if (secret != null) {
            String timestamp = Long.toString(clock.millis() / 1_000);
            headers.put("X-Trainwatch-Timestamp", timestamp);
            headers.put("X-Trainwatch-Signature", "sha256=" + hmac(secret, timestamp + "." + body));
        }
        return http.post(address, headers, body).receipt();
    }

    static String hmac(Secret secret, String text) {
        try {
            Mac mac = Mac.getInstance("HmacSHA256");
            mac.init(new SecretKeySpec(secret.value().getBytes(StandardCharsets.UTF_8), "HmacSHA256"));
            return HexFormat.of().formatHex(mac.doFinal(text.getBytes(StandardCharsets.UTF_8)));
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException("every JVM has HmacSHA256", e);
        }
    }

    @Override
    public String target() {
        return origin(address);
    }

    /** Scheme, host and port: the rest of an address may be a secret. */
    static String origin(URI address) {
        return address.getScheme() + "://" + address.getHost() + (address.getPort() < 0 ? "" : ":" + address.getPort());
    }
}
