package io.trainwatch.monitor.topology;

import org.jspecify.annotations.Nullable;

/**
 * Something that the judge has to say, encoded.
 *
 * @param destination where it goes
 * @param runId the run that it is about; empty for a dead letter
 * @param bytes the record; null deletes what the topic holds under the key
 */
@SuppressWarnings("ArrayRecordComponent") // made, serialised and dropped: never compared
record Outcome(Destination destination, String runId, byte @Nullable [] bytes) {
    enum Destination {
        ALERTS,
        RUNS,
        DEAD_LETTERS
    }

    boolean goesTo(Destination there) {
        return destination == there;
    }
}
