package io.trainwatch.monitor.stats;

/** Bytes of a state store that this version cannot read: another version wrote them, or they are damaged. */
public final class UnreadableStateException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    public UnreadableStateException(String message) {
        super(message);
    }
}
