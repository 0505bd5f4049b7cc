package io.trainwatch.monitor.notify;

import java.time.Duration;
import org.jspecify.annotations.Nullable;

/** What a receiver made of a page. */
sealed interface Receipt {
    Receipt TOLD = new Told("");

    /**
     * It has the page.
     *
     * @param answer what it said, one line, may be empty
     */
    record Told(String answer) implements Receipt {}

    /**
     * It will never take this page as it is.
     *
     * @param reason one line, without secrets
     */
    record Refused(String reason) implements Receipt {}

    /**
     * It may take it later.
     *
     * @param reason one line, without secrets
     * @param retryAfter what the receiver asked to wait, null if it did not say
     */
    record Unavailable(String reason, @Nullable Duration retryAfter) implements Receipt {}
}
