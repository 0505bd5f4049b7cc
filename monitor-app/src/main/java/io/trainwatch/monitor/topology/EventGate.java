package io.trainwatch.monitor.topology;

import io.trainwatch.codec.SingleObjectCodec;
import io.trainwatch.codec.UndecodableException;
import io.trainwatch.event.TrainingEvent;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/** Lets in what is an event of a run in the right partition; says why of all else. Thread-confined. */
final class EventGate {
    private static final int MAX_RUN_ID_CHARS = 256;

    /** A thousand steps a second for thirty thousand years. */
    private static final long LARGEST = 1_000_000_000_000_000L;

    private final SingleObjectCodec<TrainingEvent> codec = SingleObjectCodec.events();

    TrainingEvent admit(byte @Nullable [] key, byte @Nullable [] value) throws RejectedException {
        if (value == null || value.length == 0) {
            throw new RejectedException(RejectReason.EMPTY, "no value");
        }
        TrainingEvent event = decode(value);
        String runId = event.getRunId();
        checkRunId(runId);
        checkNumber("step", event.getStep());
        checkNumber("seq", event.getSeq());
        if (key == null) {
            throw new RejectedException(RejectReason.NULL_KEY, "the key must be the run_id \"" + runId + "\"");
        }
        if (!isKeyOf(runId, key)) {
            throw new RejectedException(
                    RejectReason.KEY_MISMATCH,
                    "key \"" + new String(key, 0, Math.min(key.length, MAX_RUN_ID_CHARS), StandardCharsets.UTF_8)
                            + "\", run_id \"" + runId + "\"");
        }
        return event;
    }

    private TrainingEvent decode(byte[] value) throws RejectedException {
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

    private static void checkRunId(String runId) throws RejectedException {
        int length = runId.length();
        if (length == 0 || length > MAX_RUN_ID_CHARS) {
            throw new RejectedException(
                    RejectReason.RUN_ID_INVALID, "run_id has " + length + " characters, allowed are 1 to 256");
        }
        for (int i = 0; i < length; i++) {
            if (Character.isISOControl(runId.charAt(i))) {
                throw new RejectedException(
                        RejectReason.RUN_ID_INVALID, "run_id holds a control character at index " + i);
            }
        }
    }

    private static void checkNumber(String field, @Nullable Long number) throws RejectedException {
        if (number != null && (number > LARGEST || number < -LARGEST)) {
            throw new RejectedException(
                    RejectReason.NUMBER_INVALID, field + " is " + number + ", allowed is up to " + LARGEST);
        }
    }

    private static boolean isKeyOf(String runId, byte[] key) {
        int length = runId.length();
        if (key.length != length) {
            return Arrays.equals(key, runId.getBytes(StandardCharsets.UTF_8));
        }
        for (int i = 0; i < length; i++) {
            if (runId.charAt(i) != key[i]) {
                return false;
            }
        }
        return true;
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
