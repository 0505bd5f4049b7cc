package io.trainwatch.monitor.stats;

import static org.assertj.core.api.Assertions.assertThat;

/** Sends state through its bytes, as a restart does. */
public final class RoundTrip {
    private RoundTrip() {}

    public static byte[] bytes(Persistent state) {
        StateWriter out = new StateWriter();
        state.write(out);
        return out.toByteArray();
    }

    /** Replaces the content of {@code to} by that of {@code from}; every byte is used. */
    public static <T extends Persistent> T copy(T from, T to) {
        StateReader in = new StateReader(bytes(from));
        to.read(in);
        assertThat(in.remaining()).isZero();
        assertThat(bytes(to)).isEqualTo(bytes(from));
        return to;
    }
}
