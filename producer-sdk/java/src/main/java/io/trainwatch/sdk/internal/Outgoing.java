package io.trainwatch.sdk.internal;

import org.jspecify.annotations.Nullable;

/** An encoded event between the ring and its acknowledgement. */
final class Outgoing {
    final byte[] bytes;
    final Importance importance;

    /** When the sender took it up, by {@link System#nanoTime}. */
    final long sinceNanos;

    /** The part of the spool that holds a copy until the event is acknowledged; null while it is in memory alone. */
    @Nullable
    Segment segment;

    Outgoing(byte[] bytes, Importance importance, long sinceNanos) {
        this.bytes = bytes;
        this.importance = importance;
        this.sinceNanos = sinceNanos;
    }
}
