package io.trainwatch.monitor.notify;

/**
 * Something that must not be shown: it has no text of its own.
 *
 * @param value never blank
 */
public record Secret(String value) {
    @Override
    public String toString() {
        return "(secret)";
    }
}
