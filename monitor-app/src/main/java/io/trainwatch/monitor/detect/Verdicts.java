package io.trainwatch.monitor.detect;

import io.trainwatch.alert.Evidence;
import io.trainwatch.alert.Severity;
import java.util.List;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Takes what a detector has to say about a run at one event, by scope. A sink and not a return value: one event may
 * concern several scopes (each component loss, each evaluation set), and a healthy verdict must cost nothing.
 */
public interface Verdicts {
    /** Scope of what concerns the run as a whole. */
    String RUN = "";

    void healthy(String scope);

    /**
     * Something is wrong now.
     *
     * @param onsetStep step at which it began, as far as can be told
     * @param suppressedBy gate under which it may be as planned, which makes it info; null if none
     * @param explanation called only where the verdict becomes visible
     */
    void unhealthy(
            String scope,
            Severity severity,
            long onsetStep,
            @Nullable String suppressedBy,
            Supplier<Explanation> explanation);

    /** What was said so far, by all detectors. */
    Episodes episodes();

    /**
     * What a person gets to read.
     *
     * @param message one line with numbers and units; names in it come from trainers, so it is made one line of at most
     *     {@value #MAX_MESSAGE} characters here
     * @param evidence the numbers behind it
     * @param reason which of several things that the detector finds, one word; null where there is only one
     */
    record Explanation(
            String message,
            List<Evidence> evidence,
            @Nullable String reason) {
        public static final int MAX_MESSAGE = 1000;

        public Explanation(String message, List<Evidence> evidence) {
            this(message, evidence, null);
        }

        public Explanation {
            message = oneLine(message, MAX_MESSAGE);
        }

        /** The text without control characters and line breaks, cut to {@code longest} characters. */
        static String oneLine(String text, int longest) {
            String cut = text.length() <= longest ? text : text.substring(0, longest - 3) + "...";
            return cut.chars().noneMatch(Explanation::breaksLines)
                    ? cut
                    : cut.codePoints()
                            .map(c -> breaksLines(c) ? ' ' : c)
                            .collect(StringBuilder::new, StringBuilder::appendCodePoint, StringBuilder::append)
                            .toString();
        }

        private static boolean breaksLines(int character) {
            return Character.isISOControl(character) || character == 0x2028 || character == 0x2029;
        }
    }
}
