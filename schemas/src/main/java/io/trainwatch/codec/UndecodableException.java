package io.trainwatch.codec;

/** Bytes that are not a record that this version can read: says why, so that the reader of a dead letter knows. */
public final class UndecodableException extends Exception {
    private static final long serialVersionUID = 1L;

    /** Why the bytes could not be read; stable names, used as metric label and dead-letter header. */
    public enum Reason {
        EMPTY,
        NOT_SINGLE_OBJECT,
        UNKNOWN_SCHEMA,
        CORRUPT
    }

    private final Reason reason;

    public UndecodableException(Reason reason, String message) {
        super(message);
        this.reason = reason;
    }

    public Reason reason() {
        return reason;
    }
}
