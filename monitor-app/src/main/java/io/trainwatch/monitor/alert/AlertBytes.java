package io.trainwatch.monitor.alert;

import io.trainwatch.alert.Alert;
import io.trainwatch.codec.SingleObjectCodec;
import io.trainwatch.codec.UndecodableException;
import io.trainwatch.monitor.stats.StateReader;
import io.trainwatch.monitor.stats.StateWriter;
import io.trainwatch.monitor.stats.UnreadableStateException;

/** An alert within a state: its single-object encoding, so that an alert of an older schema is still read. */
final class AlertBytes {
    private static final ThreadLocal<SingleObjectCodec<Alert>> CODEC =
            ThreadLocal.withInitial(SingleObjectCodec::alerts);

    private AlertBytes() {}

    static void write(Alert alert, StateWriter out) {
        out.writeBytes(CODEC.get().encode(alert));
    }

    static Alert read(StateReader in) {
        try {
            return CODEC.get().decode(in.readBytes());
        } catch (UndecodableException e) {
            throw new UnreadableStateException("an alert in the state cannot be decoded: " + e.getMessage());
        }
    }
}
