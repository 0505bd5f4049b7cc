package io.trainwatch.monitor.stats;

/**
 * State that outlives a restart. {@code read} replaces all of it by what {@code write} wrote; the order of the fields is
 * the format, so a change of either bumps the version of the slot that holds it.
 */
public interface Persistent {

    void write(StateWriter out);

    /**
     * Replaces this state.
     *
     * @throws UnreadableStateException if the bytes are not what this version writes
     */
    void read(StateReader in);
}
