package io.trainwatch.monitor.notify;

import java.net.URI;
import java.time.InstantSource;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * One sink.
 *
 * @param name 1 to 40 lower-case letters, digits, {@code -}, {@code _}; names its consumer group, so that a sink that is
 *     renamed begins anew
 * @param receiver where it tells
 */
public record SinkSettings(String name, Receiver receiver) {

    /** Where a sink tells. */
    public sealed interface Receiver {}

    /**
     * Alertmanager.
     *
     * @param url base address, e.g. {@code http://alertmanager:9093/}
     * @param token bearer token, null for none
     */
    public record Alertmanager(URI url, @Nullable Secret token) implements Receiver {}

    /**
     * PagerDuty.
     *
     * @param url other address than that of PagerDuty, null for none
     * @param routingKey integration key of a service
     */
    public record PagerDuty(@Nullable URI url, Secret routingKey) implements Receiver {}

    /**
     * Slack.
     *
     * @param url incoming webhook, which is a secret
     */
    public record Slack(URI url) implements Receiver {
        @Override
        public String toString() {
            return "Slack[url=(secret)]";
        }
    }

    /**
     * Any receiver of JSON.
     *
     * @param url where it listens, may be a secret
     * @param secret signs the bodies, null for none
     */
    public record Webhook(URI url, @Nullable Secret secret) implements Receiver {
        @Override
        public String toString() {
            return "Webhook[url=(secret)]";
        }
    }

    /**
     * Mail.
     *
     * @param server how it is sent
     */
    public record Email(EmailServer server) implements Receiver {}

    /** The log of the monitor. */
    public record Log() implements Receiver {}

    Sink open(InstantSource clock) {
        if (receiver instanceof Alertmanager to) {
            return new AlertmanagerSink(to.url(), to.token());
        } else if (receiver instanceof PagerDuty to) {
            return new PagerDutySink(to.url(), to.routingKey());
        } else if (receiver instanceof Slack to) {
            return new SlackSink(to.url());
        } else if (receiver instanceof Webhook to) {
            return new WebhookSink(to.url(), to.secret(), clock);
        } else if (receiver instanceof Email to) {
            return new EmailSink(to.server());
        }
        return new LogSink();
    }

    /** What kind of receiver it is, as in the settings. */
    public String type() {
        return receiver.getClass().getSimpleName().toLowerCase(Locale.ROOT);
    }
}
