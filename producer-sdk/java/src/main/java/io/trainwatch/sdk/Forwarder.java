package io.trainwatch.sdk;

import io.trainwatch.event.TrainingEvent;

/**
 * Sends events that exist already, of any run: for agents that read logs and for importers. Where a {@link TrainingRun} drops
 * rather than make a trainer wait, this waits rather than drop. Events keep their session and seq; what an outage makes it
 * send again, the monitor knows by them. Belongs to the thread that made it.
 *
 * <pre>{@code
 * try (Forwarder forwarder = Trainwatch.forward("kafka:localhost:9092")) {
 *     for (TrainingEvent event : events) {
 *         forwarder.send(event);
 *     }
 *     forwarder.flush(); // here all of them have arrived
 * }
 * }</pre>
 */
public interface Forwarder extends AutoCloseable {
    /**
     * Takes an event, in order with all others of its run. Waits while the receiver is behind or away, however long.
     *
     * @throws InterruptedException if the thread is interrupted; events since the last {@link #flush} may have arrived or not
     */
    void send(TrainingEvent event) throws InterruptedException;

    /**
     * Waits until everything that was sent has arrived or was refused for good.
     *
     * @throws InterruptedException as {@link #send}
     */
    void flush() throws InterruptedException;

    /** Events so far that the receiver refuses for good, e.g. because they are larger than a megabyte. */
    long refused();

    /** Lets go at once: what was not flushed may not arrive. */
    @Override
    void close();
}
