package io.trainwatch.monitor.run;

import org.jspecify.annotations.Nullable;

/**
 * What a check before training found, as the trainer tells it.
 *
 * @param name name of the check, at most 128 characters
 * @param passed whether it passed; null where the trainer left the verdict open
 * @param value what was measured, may be non-finite; null where it was not
 * @param threshold what it was compared with, NaN where unknown
 * @param detail one line for people, at most 256 characters; null where there is none
 */
public record PreflightResult(
        String name,
        @Nullable Boolean passed,
        @Nullable Double value,
        double threshold,
        @Nullable String detail) {}
