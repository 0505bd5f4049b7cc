package io.trainwatch.sdk.internal;

/**
 * Carries encoded events to where they belong, in order. Belongs to the sender, which offers, polls and never waits:
 * nothing here blocks, and what happens later shows in the counters.
 */
interface Transport extends AutoCloseable {
    /** Takes an event, or refuses it for now. */
    boolean offer(byte[] event);

    /** The same for an event of any run, where one transport carries several. */
    default boolean offer(String runId, byte[] event) {
        return offer(event);
    }

    /** Events that were taken and have arrived or were refused for good; they do so in the order in which they were taken. */
    long settled();

    /** Events among the settled ones that the receiver refuses for good. */
    long rejected();

    /** Whether this transport is broken: no counter changes any more, and a new one has to send what is not settled. */
    boolean hasFailed();

    /** Lets go of everything at once. */
    @Override
    void close();
}
