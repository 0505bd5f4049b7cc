package io.trainwatch.sdk.internal;

import io.trainwatch.codec.SingleObjectCodec;
import io.trainwatch.event.TrainingEvent;
import io.trainwatch.sdk.Forwarder;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.apache.avro.specific.SpecificRecordBase;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A forwarder over a {@link Transport}. Events are kept until all that were taken with them have arrived: partitions of one
 * topic do not answer in the order of sending, and a transport that breaks does not say which have. Then all of them go again.
 */
public final class TransportForwarder implements Forwarder {
    static final int MAX_KEPT = 5_000;
    static final int MAX_KEPT_BYTES = 4 << 20;

    private static final Logger log = LoggerFactory.getLogger("io.trainwatch.sdk");
    private static final long REOPEN_PAUSE_NANOS = TimeUnit.SECONDS.toNanos(1);
    private static final long SAY_AFTER_NANOS = TimeUnit.SECONDS.toNanos(10);
    private static final int MAX_NAP_MILLIS = 20;

    private static final class Kept {
        final String runId;
        final byte[] bytes;

        Kept(String runId, byte[] bytes) {
            this.runId = runId;
            this.bytes = bytes;
        }
    }

    private final SingleObjectCodec<TrainingEvent> codec = SingleObjectCodec.events();
    private final Supplier<Transport> transports;
    private final List<Kept> kept = new ArrayList<>();
    private int keptBytes;
    private int offered;

    private @Nullable Transport transport;
    private long settledBefore;
    private long rejectedBefore;
    private long refused;
    private long reopenAtNanos = System.nanoTime();
    private boolean away;

    TransportForwarder(Supplier<Transport> transports) {
        this.transports = transports;
    }

    /** Opens the transport of a location as soon as there is something to send. */
    public static Forwarder open(Location location) {
        return location instanceof Location.Noop
                ? new Nowhere()
                : new TransportForwarder(() -> LiveRun.open(location, ""));
    }

    @Override
    public void send(TrainingEvent event) throws InterruptedException {
        if (event.getBody() instanceof SpecificRecordBase body) {
            Limits.cut(body);
        }
        byte[] bytes = codec.encode(event);
        if (bytes.length > Limits.MAX_EVENT_BYTES) {
            refused++;
            return;
        }
        if (kept.size() == MAX_KEPT || keptBytes + bytes.length > MAX_KEPT_BYTES) {
            flush();
        }
        kept.add(new Kept(event.getRunId(), bytes));
        keptBytes += bytes.length;
        offer();
    }

    @Override
    public void flush() throws InterruptedException {
        long begun = System.nanoTime();
        int nap = 1;
        while (!kept.isEmpty()) {
            int before = offered;
            offer();
            Transport open = transport;
            if (open != null && offered == kept.size() && open.settled() - settledBefore == offered) {
                settle(open);
                return;
            }
            if (System.nanoTime() - begun > SAY_AFTER_NANOS && !away) {
                away = true;
                log.warn("the receiver does not answer: {} events wait for it", kept.size());
            }
            nap = offered > before ? 1 : Math.min(nap + 1, MAX_NAP_MILLIS);
            Thread.sleep(nap);
        }
    }

    private void settle(Transport open) {
        settledBefore = open.settled();
        refused += open.rejected() - rejectedBefore;
        rejectedBefore = open.rejected();
        kept.clear();
        keptBytes = 0;
        offered = 0;
        if (away) {
            away = false;
            log.info("the receiver answers again");
        }
    }

    /** Gives the transport what it takes, a new one if it is broken. */
    private void offer() {
        Transport open = transport;
        if (open != null && open.hasFailed()) {
            refused += open.rejected() - rejectedBefore;
            open.close();
            transport = null;
            open = null;
            offered = 0;
            reopenAtNanos = System.nanoTime() + REOPEN_PAUSE_NANOS;
        }
        if (open == null && System.nanoTime() - reopenAtNanos >= 0) {
            open = transports.get();
            transport = open;
            settledBefore = 0;
            rejectedBefore = 0;
            offered = 0;
        }
        while (open != null && offered < kept.size() && open.offer(kept.get(offered).runId, kept.get(offered).bytes)) {
            offered++;
        }
    }

    @Override
    public long refused() {
        return refused;
    }

    @Override
    public void close() {
        if (transport != null) {
            transport.close();
            transport = null;
        }
    }

    /** Takes everything and sends nothing. */
    private static final class Nowhere implements Forwarder {
        @Override
        public void send(TrainingEvent event) {}

        @Override
        public void flush() {}

        @Override
        public long refused() {
            return 0;
        }

        @Override
        public void close() {}
    }
}
