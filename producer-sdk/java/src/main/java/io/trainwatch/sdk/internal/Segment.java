package io.trainwatch.sdk.internal;

import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/** One file of the spool: what of it is written, read and still unacknowledged. */
final class Segment {
    final Path path;

    /** Whether this session wrote it, as opposed to an earlier one that was killed. */
    final boolean own;

    /** Bytes of whole frames; what a torn write left behind them is never read. */
    long bytes;

    /** Frames, known for own segments only. */
    long events;

    /** Bytes that were read or need no reading. */
    long readBytes;

    /** Frames that were read or need no reading. */
    long readEvents;

    /** Events that are read but not acknowledged. */
    long handedOut;

    /** Everything up to this was given up already; null while nothing was. */
    @Nullable
    Importance givenUp;

    Segment(Path path, boolean own, long bytes) {
        this.path = path;
        this.own = own;
        this.bytes = bytes;
    }

    boolean isRead() {
        return readBytes >= bytes;
    }

    /** Whether there may be events of an importance, or below it, to give up. */
    boolean mayHold(Importance importance) {
        return givenUp == null || importance.isAbove(givenUp);
    }

    boolean isUntouched() {
        return readBytes == 0 && handedOut == 0;
    }
}
