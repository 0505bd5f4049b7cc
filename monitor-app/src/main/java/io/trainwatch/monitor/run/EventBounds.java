package io.trainwatch.monitor.run;

import io.trainwatch.event.TrainingEvent;
import org.jspecify.annotations.Nullable;

/**
 * What the envelope of an event must keep to, wherever it comes in.
 *
 * @param field the field that does not
 * @param detail its value and what is allowed, one line
 */
public record EventBounds(Field field, String detail) {
    /** Longest run_id, in characters. */
    public static final int MAX_RUN_ID_CHARS = 256;

    /** A thousand steps a second for thirty thousand years. */
    private static final long LARGEST = 1_000_000_000_000_000L;

    /** What may be out of bounds. */
    public enum Field {
        /** Empty, too long or with control characters. */
        RUN_ID,
        /** A step or seq beyond what any training counts to. */
        NUMBER
    }

    /** What is wrong with the event, null if nothing is. */
    public static @Nullable EventBounds violatedBy(TrainingEvent event) {
        EventBounds runId = runId(event.getRunId());
        if (runId != null) {
            return runId;
        }
        EventBounds step = number("step", event.getStep());
        return step != null ? step : number("seq", event.getSeq());
    }

    /** Whether a run may be called so. */
    public static boolean isRunId(String text) {
        return runId(text) == null;
    }

    private static @Nullable EventBounds runId(String runId) {
        int length = runId.length();
        if (length == 0 || length > MAX_RUN_ID_CHARS) {
            return new EventBounds(
                    Field.RUN_ID, "run_id has " + length + " characters, allowed are 1 to " + MAX_RUN_ID_CHARS);
        }
        for (int i = 0; i < length; i++) {
            if (Character.isISOControl(runId.charAt(i))) {
                return new EventBounds(Field.RUN_ID, "run_id holds a control character at index " + i);
            }
        }
        return null;
    }

    private static @Nullable EventBounds number(String name, @Nullable Long number) {
        return number != null && (number > LARGEST || number < -LARGEST)
                ? new EventBounds(Field.NUMBER, name + " is " + number + ", allowed is up to " + LARGEST)
                : null;
    }
}
