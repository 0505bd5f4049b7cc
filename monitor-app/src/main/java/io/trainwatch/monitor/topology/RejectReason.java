package io.trainwatch.monitor.topology;

import java.util.Locale;

/** Why a record became a dead letter. The label is stable: a metric label and the {@code reason} header. */
public enum RejectReason {
    /** No value, or one of no bytes. */
    EMPTY,
    /** Not Avro single-object encoding. */
    NOT_SINGLE_OBJECT,
    /** A schema that this version does not know, e.g. that of a newer trainer. */
    UNKNOWN_SCHEMA,
    /** The schema is known, the bytes are not a record of it. */
    CORRUPT,
    /** The run_id is empty, longer than 256 characters or holds control characters. */
    RUN_ID_INVALID,
    /** A step or seq beyond what any training counts to: the numbers after it would all look like the past. */
    NUMBER_INVALID,
    /** The record has no key, so nothing says that the run's events are all in this partition. */
    NULL_KEY,
    /** The key is not the event's run_id: its other events may be in another partition. */
    KEY_MISMATCH,
    /** The judgement itself failed: a fault of the monitor, worth a report. */
    JUDGE_FAILED;

    private final String label = name().toLowerCase(Locale.ROOT);

    public String label() {
        return label;
    }
}
