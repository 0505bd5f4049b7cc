package io.trainwatch.sdk;

/**
 * What has become of the events of one {@link TrainingRun} so far. {@code recorded = delivered + dropped} plus what
 * still waits in memory or on disk.
 *
 * @param recorded events numbered so far, heartbeats and dropped ones included
 * @param delivered events that the receiver has acknowledged
 * @param spooled events that wait on disk
 * @param dropped events given up: queue or spool full, too large, not encodable, refused by the receiver
 * @param ignored calls made after {@link TrainingRun#close}
 */
public record Delivery(long recorded, long delivered, long spooled, long dropped, long ignored) {
    /** Nothing recorded. */
    public static final Delivery NONE = new Delivery(0, 0, 0, 0, 0);
}
