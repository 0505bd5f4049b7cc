package io.trainwatch.monitor.notify;

import java.time.Duration;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Who is told what, and what may be done. Immutable; {@link #NOBODY} is the default.
 *
 * @param sinks ways to tell, at most 20
 * @param routes which alerts go to which sinks
 * @param grouping what becomes one page
 * @param rate pages per sink
 * @param quietHours null for none
 * @param links where pages lead to
 * @param heartbeat dead man's switch, null for none
 * @param giveUpAfter how long a receiver may be away before a page is put aside, 1 min to 7 d, default 4 h: a weekend of
 *     pages that arrive on Monday help nobody, a long deployment must not lose one
 * @param commands what trainers are told to do
 */
public record NotifySettings(
        List<SinkSettings> sinks,
        Routes routes,
        Grouping grouping,
        RateLimit rate,
        @Nullable QuietHours quietHours,
        Links links,
        @Nullable Heartbeat heartbeat,
        Duration giveUpAfter,
        CommandSettings commands) {

    /** Default of {@code giveUpAfter}. */
    public static final Duration GIVE_UP_AFTER = Duration.ofHours(4);

    /** Nobody is told anything. */
    public static final NotifySettings NOBODY = new NotifySettings(
            List.of(),
            Routes.EVERYWHERE,
            Grouping.DEFAULT,
            RateLimit.DEFAULT,
            null,
            Links.NONE,
            null,
            GIVE_UP_AFTER,
            CommandSettings.NONE);

    public NotifySettings {
        sinks = List.copyOf(sinks);
    }

    /** The same with these sinks. */
    public NotifySettings withSinks(List<SinkSettings> value) {
        return new NotifySettings(value, routes, grouping, rate, quietHours, links, heartbeat, giveUpAfter, commands);
    }

    /** The sink of a name. */
    public Optional<SinkSettings> sink(String name) {
        return sinks.stream().filter(sink -> sink.name().equals(name)).findFirst();
    }
}
