package io.trainwatch.monitor.topology;

import io.trainwatch.codec.SingleObjectCodec;
import io.trainwatch.codec.UndecodableException;
import io.trainwatch.event.TrainingEvent;
import io.trainwatch.monitor.run.EventBounds;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;

/** Lets in what is an event of a run in the right partition; says why of all else. Thread-confined. */
final class EventGate {
    private final SingleObjectCodec<TrainingEvent> codec = SingleObjectCodec.events();

    TrainingEvent admit(EventRecord record) throws RejectedException {
        ByteBuffer value = record.value();
        if (value == null || !value.hasRemaining()) {
            throw new RejectedException(RejectReason.EMPTY, "no value");
        }
        TrainingEvent event = decode(value);
        String runId = event.getRunId();
        EventBounds violated = EventBounds.violatedBy(event);
        if (violated != null) {
            throw new RejectedException(
                    switch (violated.field()) {
                        case RUN_ID -> RejectReason.RUN_ID_INVALID;
                        case NUMBER -> RejectReason.NUMBER_INVALID;
                    },
                    violated.detail());
        }
        ByteBuffer key = record.key();
        if (key == null) {
            throw new RejectedException(RejectReason.NULL_KEY, "the key must be the run_id \"" + runId + "\"");
        }
        if (!isKeyOf(runId, key)) {
            throw new RejectedException(
                    RejectReason.KEY_MISMATCH, "key \"" + beginning(key) + "\", run_id \"" + runId + "\"");
        }
        return event;
    }

    private TrainingEvent decode(ByteBuffer value) throws RejectedException {
        try {
            return codec.decode(value);
        } catch (UndecodableException e) {
            throw new RejectedException(
                    switch (e.reason()) {
                        case EMPTY -> RejectReason.EMPTY;
                        case NOT_SINGLE_OBJECT -> RejectReason.NOT_SINGLE_OBJECT;
                        case UNKNOWN_SCHEMA -> RejectReason.UNKNOWN_SCHEMA;
                        case CORRUPT -> RejectReason.CORRUPT;
                    },
                    String.valueOf(e.getMessage()));
        } catch (RuntimeException e) {
            // Bit rot can lead a decoder anywhere: an index out of bounds, a negative size, a wrong enum symbol.
            throw new RejectedException(RejectReason.CORRUPT, e.toString());
        }
    }

    private static boolean isKeyOf(String runId, ByteBuffer key) {
        int length = runId.length();
        if (key.remaining() != length) {
            return key.equals(ByteBuffer.wrap(runId.getBytes(StandardCharsets.UTF_8)));
        }
        byte[] bytes = key.array();
        int at = key.arrayOffset() + key.position();
        for (int i = 0; i < length; i++) {
            if (runId.charAt(i) != bytes[at + i]) {
                return false;
            }
        }
        return true;
    }

    private static String beginning(ByteBuffer key) {
        int length = Math.min(key.remaining(), EventBounds.MAX_RUN_ID_CHARS);
        return new String(key.array(), key.arrayOffset() + key.position(), length, StandardCharsets.UTF_8);
    }

    /** A record that becomes a dead letter. Has no stack trace: it is an answer, and a flood of them must stay cheap. */
    static final class RejectedException extends Exception {
        private static final long serialVersionUID = 1L;
        private final RejectReason reason;

        RejectedException(RejectReason reason, String detail) {
            super(detail, null, false, false);
            this.reason = reason;
        }

        RejectReason reason() {
            return reason;
        }

        String detail() {
            return String.valueOf(getMessage());
        }
    }
}
