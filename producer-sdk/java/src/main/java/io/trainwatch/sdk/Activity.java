package io.trainwatch.sdk;

import java.util.Locale;

/**
 * What a trainer is busy with between two steps. Heartbeats carry it, so that a long evaluation, checkpoint or
 * compilation is not taken for a hang.
 */
public enum Activity {
    INIT,
    TRAIN,
    EVALUATION,
    CHECKPOINT,
    COMPILE,
    IDLE;

    /** Returns the name that events carry: lower case. */
    public String wireName() {
        return name().toLowerCase(Locale.ROOT);
    }
}
