package io.trainwatch.attach;

import java.io.Closeable;
import java.io.IOException;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A log as a sequence of events, and of problems where a part of it could not be read: a broken part loses nothing else.
 * Memory is bounded by the longest single entry, not by the log. Not thread-safe.
 */
public interface LogReader extends Closeable {
    /**
     * The next event or problem; null at the end of the log, and from then on.
     *
     * @throws IOException if the input fails; what is broken inside the log is a {@link LogEntry.Problem} instead
     */
    @Nullable
    LogEntry next() throws IOException;

    /**
     * What was held back in case that more of it follows, because nothing follows for now: a row of which each line has a
     * part. To be called while {@link #next} waits for its input, on the same thread. Where there is nothing, it changes
     * nothing; where there is, what is read later may be told apart from it.
     */
    default List<LogEntry> settle() {
        return List.of();
    }

    /** Fields so far that were passed over because no event has a place for them. */
    long ignoredFields();
}
