package io.trainwatch.monitor.notify;

import java.time.Duration;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What a trainer is told to do when a detector fires. By default nothing: an alert is told, and people decide.
 *
 * @param on policy by detector
 * @param expiry how long a command and a link for approval are good for, 1 min to 24 h, default 1 h: a job that was
 *     restarted since must not be stopped for what its former life did
 * @param secret signs links for approval; null where no policy asks
 */
public record CommandSettings(
        Map<String, Policy> on, Duration expiry, @Nullable Secret secret) {
    /** Default of {@code expiry}. */
    public static final Duration DEFAULT_EXPIRY = Duration.ofHours(1);

    /** No commands. */
    public static final CommandSettings NONE = new CommandSettings(Map.of(), DEFAULT_EXPIRY, null);

    public CommandSettings {
        on = Map.copyOf(on);
    }

    /** What becomes of an alert besides being told. */
    public enum Policy {
        /** Nothing. */
        NOTIFY,
        /** The trainer is told to write a checkpoint. */
        CHECKPOINT,
        /** The trainer is told to end. */
        STOP,
        /** The trainer is told to write a checkpoint and then to end. */
        CHECKPOINT_THEN_STOP,
        /** The page carries links by which a person may give one of these commands. */
        ASK
    }
}
