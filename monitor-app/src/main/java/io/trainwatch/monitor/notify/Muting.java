package io.trainwatch.monitor.notify;

import io.trainwatch.alert.Alert;
import java.util.Optional;

/** What people said is not to be told. */
interface Muting {
    Muting NONE = (alert, nowMs) -> Optional.empty();

    /** Why nothing is told of an episode at a time; empty if it is. */
    Optional<Hold> of(Alert alert, long nowMs);
}
