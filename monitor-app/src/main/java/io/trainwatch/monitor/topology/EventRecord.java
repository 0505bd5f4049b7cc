package io.trainwatch.monitor.topology;

import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/**
 * A record of the events topic, read where its bytes are: thousands of them may wait in one array.
 *
 * @param key between position and limit, backed by an array; null if it has none
 * @param value the same
 * @param timestampMs time of its append, epoch milliseconds
 * @param offset within its partition
 */
record EventRecord(@Nullable ByteBuffer key, @Nullable ByteBuffer value, long timestampMs, long offset) {

    /** A record of which the bytes are in arrays of their own. */
    static EventRecord of(byte @Nullable [] key, byte @Nullable [] value, long timestampMs, long offset) {
        return new EventRecord(
                key == null ? null : ByteBuffer.wrap(key),
                value == null ? null : ByteBuffer.wrap(value),
                timestampMs,
                offset);
    }

    /** A copy of some of its bytes. */
    static byte @Nullable [] copy(@Nullable ByteBuffer bytes) {
        if (bytes == null) {
            return null;
        }
        byte[] copy = new byte[bytes.remaining()];
        bytes.get(bytes.position(), copy);
        return copy;
    }
}
