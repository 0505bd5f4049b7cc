package io.trainwatch.monitor.notify;

import io.trainwatch.alert.Alert;
import java.util.OptionalLong;

/** What people said is not to be told. */
interface Muting {
    /** Whether nothing is to be told of an episode at a time. */
    boolean isSilenced(Alert alert, long nowMs);

    /** When somebody said that they look after an episode, epoch milliseconds; empty if nobody does at a time. */
    OptionalLong acknowledgedAtMs(Alert alert, long nowMs);
}
