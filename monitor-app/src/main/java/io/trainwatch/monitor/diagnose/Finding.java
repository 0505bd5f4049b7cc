package io.trainwatch.monitor.diagnose;

import io.trainwatch.alert.Severity;
import org.jspecify.annotations.Nullable;

/**
 * An episode of a run, open or over, as evidence for the cause of another one.
 *
 * @param detector name of the detector
 * @param scope what in the run it concerned, "" for all of it
 * @param severity the highest it had
 * @param onsetStep step at which it began, -1 if not known
 * @param openedStep last step when it was told, -1 if not known
 * @param message what it said
 * @param reason which of several things that its detector finds, one word; null where there is only one
 */
public record Finding(
        String detector,
        String scope,
        Severity severity,
        long onsetStep,
        long openedStep,
        String message,
        @Nullable String reason) {}
