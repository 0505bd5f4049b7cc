package io.trainwatch.monitor.detect;

import io.trainwatch.monitor.stats.StateReader;
import io.trainwatch.monitor.stats.StateWriter;

/** State of a detector that remembers nothing. */
public final class NoState implements DetectorState {
    static final NoState INSTANCE = new NoState();

    private NoState() {}

    @Override
    public int version() {
        return 1;
    }

    @Override
    public void write(StateWriter out) {}

    @Override
    public void read(StateReader in) {}
}
