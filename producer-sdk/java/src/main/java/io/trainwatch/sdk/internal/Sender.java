package io.trainwatch.sdk.internal;

import io.trainwatch.event.Heartbeat;
import io.trainwatch.event.RunFinished;
import io.trainwatch.event.StepCompleted;
import io.trainwatch.sdk.Activity;
import io.trainwatch.sdk.Delivery;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.StringJoiner;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The daemon thread of a run: numbers, encodes and sends what the {@link EventRing} holds, beats, and keeps the order.
 *
 * <p>There is one path, and every event takes it in order: ring, backlog in memory, spool on disk while the transport is
 * behind, transport, acknowledgement. Once the oldest event has waited {@value #SPILL_AFTER_MILLIS} ms, or the backlog is
 * half full, everything in memory is copied to the spool, the unacknowledged first; while anything there is unread, new
 * events go behind it. An event leaves memory and disk when it is acknowledged. A transport that breaks is replaced, and
 * sends again what was not acknowledged.
 *
 * <p>The thread never waits for anything but the clock: it polls, and naps 1 ms, up to 20 ms while nothing happens.
 */
final class Sender implements Runnable {
    static final long SPILL_AFTER_MILLIS = 1_000;

    private static final Logger log = LoggerFactory.getLogger("io.trainwatch.sdk");

    private static final long MILLI = 1_000_000;
    private static final long MIN_NAP_NANOS = MILLI;
    private static final long MAX_NAP_NANOS = 20 * MILLI;
    private static final long REOPEN_PAUSE_NANOS = 1_000 * MILLI;
    private static final long ACTIVITY_BEAT_PAUSE_NANOS = 1_000 * MILLI;
    private static final int DRAIN_BATCH = 1_024;
    private static final int MAX_IN_FLIGHT = 10_000;
    private static final long MAX_IN_FLIGHT_BYTES = 4 << 20;
    private static final long MAX_BACKLOG_BYTES = 32 << 20;

    private final RunSettings settings;
    private final EventRing ring;
    private final EventWriter writer;
    private final Supplier<Transport> transports;
    private final Supplier<Spool> spools;
    private final Backlog backlog;
    private final EventRing.Taken taken = new EventRing.Taken();
    private final long startedNanos = System.nanoTime();

    /** Taken by the transport, not yet acknowledged, in order. */
    private final Deque<Outgoing> inFlight = new ArrayDeque<>();

    /** Before everything in spool and backlog: what the transport has refused or not acknowledged. */
    private final Deque<Outgoing> upNext = new ArrayDeque<>();

    private Spool spool = Spool.none();
    private @Nullable Transport transport;
    private long inFlightBytes;
    private long settled;
    private long rejected;
    private long rejectedBefore;
    private int inMemoryOnly;
    private long reopenAtNanos;

    private long seq;
    private long refused;
    private long unencodable;
    private long delivered;
    private long abandoned;
    private @Nullable Long lastStep;
    private Activity activity = Activity.INIT;
    private long activitySinceMs = System.currentTimeMillis();
    private long lastBeatNanos = startedNanos;
    private boolean activityToTell;

    private boolean away;
    private boolean dropLogged;
    private boolean cutLogged;
    private boolean errorLogged;

    private volatile Delivery delivery = Delivery.NONE;
    private volatile boolean stopping;
    private volatile long stopAtNanos;

    Sender(
            RunSettings settings,
            String session,
            EventRing ring,
            Supplier<Transport> transports,
            Supplier<Spool> spools) {
        this.settings = settings;
        this.ring = ring;
        this.transports = transports;
        this.spools = spools;
        writer = new EventWriter(settings, session);
        backlog = new Backlog(ring.capacity(), MAX_BACKLOG_BYTES);
    }

    /** Asks the thread to end: when everything is acknowledged, or at the given {@link System#nanoTime} at the latest. */
    void stop(long atNanos) {
        stopAtNanos = atNanos;
        stopping = true;
    }

    Delivery delivery() {
        return delivery;
    }

    @Override
    public void run() {
        guarded(this::open);
        long nap = MIN_NAP_NANOS;
        while (!isDone()) {
            boolean worked = guarded(this::turn);
            nap = worked || stopping ? MIN_NAP_NANOS : Math.min(nap + MIN_NAP_NANOS / 8, MAX_NAP_NANOS);
            if (!worked) {
                LockSupport.parkNanos(nap);
            }
        }
        guarded(this::finish);
    }

    private interface Turn {
        boolean run();
    }

    /** Nothing that goes wrong here may end the thread, let alone the training. */
    private boolean guarded(Turn turn) {
        try {
            return turn.run();
        } catch (Throwable e) {
            if (!errorLogged) {
                errorLogged = true;
                log.error("the sender of run {} carries on after an error of its own", settings.runId(), e);
            }
            return false;
        }
    }

    private boolean open() {
        spool = spools.get();
        return true;
    }

    private boolean turn() {
        long now = System.nanoTime();
        boolean worked = drain(now);
        beat(now);
        worked |= settle(now);
        worked |= forward(now);
        tell();
        return worked;
    }

    private boolean isDone() {
        return stopping
                && (System.nanoTime() - stopAtNanos >= 0
                        || (ring.isEmpty()
                                && backlog.size() == 0
                                && upNext.isEmpty()
                                && inFlight.isEmpty()
                                && !spool.hasUnread()));
    }

    // --- ring to backlog

    private boolean drain(long now) {
        int drained = 0;
        while (drained < DRAIN_BATCH && ring.poll(taken)) {
            drained++;
            Object body = taken.body;
            taken.body = null;
            take(body, now);
        }
        // What the ring refused happened about now: the gap in seq stands here.
        long refusedNow = ring.refused();
        seq += refusedNow - refused;
        refused = refusedNow;
        return drained > 0;
    }

    private void take(@Nullable Object body, long now) {
        if (body instanceof Activity next) {
            become(next, taken.timestampMs);
            return;
        }
        if (body == null || body instanceof StepCompleted) {
            lastStep = taken.step;
            become(Activity.TRAIN, taken.timestampMs);
            activityToTell = false;
        }
        enqueue(body, taken.timestampMs, taken.step, now);
    }

    private void become(Activity next, long timestampMs) {
        if (activity != next) {
            activity = next;
            activitySinceMs = timestampMs;
            activityToTell = true;
        }
    }

    /** Numbers and encodes an event; a null body is the plain step in {@link #taken}. */
    private void enqueue(@Nullable Object body, long timestampMs, long step, long now) {
        seq++;
        try {
            byte[] bytes;
            Importance importance;
            if (body == null) {
                bytes = writer.write(seq, taken);
                importance = taken.isFinite() ? Importance.ROUTINE : Importance.ALARMING;
            } else {
                if (body instanceof RunFinished finished) {
                    finished.setDroppedEvents(dropped());
                }
                bytes = writer.write(seq, timestampMs, step, body);
                importance = Importance.of(body);
            }
            if (bytes.length > Limits.MAX_EVENT_BYTES) {
                giveUp(body, step, bytes.length + " bytes are more than " + Limits.MAX_EVENT_BYTES);
                return;
            }
            backlog.add(new Outgoing(bytes, importance, now));
        } catch (RuntimeException e) {
            giveUp(body, step, e.toString());
        }
    }

    private void giveUp(@Nullable Object body, long step, String why) {
        if (unencodable++ == 0) {
            String type = body == null ? "step" : body.getClass().getSimpleName();
            log.warn("run {} drops an event that cannot be sent: {} of step {}: {}", settings.runId(), type, step, why);
        }
    }

    private void beat(long now) {
        long since = now - lastBeatNanos;
        boolean due = since >= settings.heartbeatInterval().toNanos()
                || (activityToTell && since >= ACTIVITY_BEAT_PAUSE_NANOS);
        if (!due || stopping) {
            return;
        }
        lastBeatNanos = now;
        activityToTell = false;
        Heartbeat heartbeat = new Heartbeat();
        heartbeat.setLastStep(lastStep);
        heartbeat.setPhase(activity.wireName());
        heartbeat.setPhaseStartedMs(activitySinceMs);
        heartbeat.setUptimeSeconds((now - startedNanos) / 1e9);
        heartbeat.setIntervalSeconds(settings.heartbeatInterval().toNanos() / 1e9);
        heartbeat.setDroppedEvents(dropped());
        heartbeat.setSpooledEvents(spool.waiting());
        enqueue(heartbeat, System.currentTimeMillis(), lastStep == null ? EventRing.NO_STEP : lastStep, now);
    }

    // --- backlog to transport

    private boolean forward(long now) {
        if (mustSpill(now)) {
            spill();
        }
        if (transport == null && now - reopenAtNanos >= 0) {
            transport = transports.get();
        }
        boolean sent = false;
        while (inFlight.size() < MAX_IN_FLIGHT && inFlightBytes < MAX_IN_FLIGHT_BYTES) {
            Outgoing next = next();
            if (next == null) {
                break;
            }
            if (transport == null || !transport.offer(next.bytes)) {
                upNext.addFirst(next);
                break;
            }
            inFlight.add(next);
            inFlightBytes += next.bytes.length;
            sent = true;
        }
        return sent;
    }

    private @Nullable Outgoing next() {
        Outgoing next = upNext.poll();
        if (next == null && spool.hasUnread()) {
            next = spool.next();
        }
        if (next == null) {
            next = backlog.poll();
            if (next != null) {
                inMemoryOnly++;
            }
        }
        return next;
    }

    private boolean mustSpill(long now) {
        if (!spool.isWritable()) {
            return false;
        }
        Outgoing oldest = inFlight.isEmpty() ? upNext.peek() : inFlight.peek();
        if (oldest == null) {
            oldest = backlog.peek();
        }
        boolean late = oldest != null && now - oldest.sinceNanos >= SPILL_AFTER_MILLIS * MILLI;
        if (late && !away) {
            away = true;
            log.warn(
                    "run {}: no acknowledgement for {} ms; events wait in {}",
                    settings.runId(),
                    SPILL_AFTER_MILLIS,
                    spool.location());
        }
        return late || spool.hasUnread() || backlog.size() > ring.capacity() / 2;
    }

    /** Copies everything that is in memory alone to the spool, in order, as far as the disk takes it. */
    private void spill() {
        if (inMemoryOnly > 0 && !(spillHandedOut(inFlight) && spillHandedOut(upNext))) {
            return;
        }
        for (Outgoing next = backlog.peek(); next != null; next = backlog.peek()) {
            if (spool.append(next) == Spool.Outcome.FAILED) {
                return;
            }
            backlog.poll();
        }
    }

    private boolean spillHandedOut(Deque<Outgoing> events) {
        for (Outgoing event : events) {
            if (event.segment == null) {
                if (spool.appendHandedOut(event) == Spool.Outcome.FAILED) {
                    return false;
                }
                if (event.segment != null) {
                    inMemoryOnly--;
                }
            }
        }
        return true;
    }

    // --- acknowledgements

    private boolean settle(long now) {
        Transport open = transport;
        if (open == null) {
            return false;
        }
        // In this order: the counters of a transport that has failed stand still.
        boolean failed = open.hasFailed();
        long settledNow = open.settled();
        boolean worked = settled < settledNow;
        rejected = rejectedBefore + open.rejected();
        while (settled < settledNow) {
            settled++;
            acknowledge(inFlight.remove());
        }
        if (away && inFlight.isEmpty() && upNext.isEmpty() && !spool.hasUnread()) {
            away = false;
            log.info("run {}: everything that waited has arrived", settings.runId());
        }
        if (failed) {
            while (!inFlight.isEmpty()) {
                upNext.addFirst(inFlight.removeLast());
            }
            inFlightBytes = 0;
            settled = 0;
            rejectedBefore = rejected;
            transport = null;
            reopenAtNanos = now + REOPEN_PAUSE_NANOS;
            open.close();
        }
        return worked;
    }

    private void acknowledge(Outgoing event) {
        inFlightBytes -= event.bytes.length;
        Segment segment = event.segment;
        if (segment == null) {
            inMemoryOnly--;
        } else {
            spool.acknowledge(segment);
        }
        if (segment == null || segment.own) {
            delivered++;
        }
    }

    // --- accounts

    private long dropped() {
        return refused + unencodable + backlog.dropped() + spool.dropped() + rejected + abandoned;
    }

    private void tell() {
        Delivery before = delivery;
        long dropped = dropped();
        long arrived = delivered - rejected;
        if (before.recorded() != seq
                || before.delivered() != arrived
                || before.dropped() != dropped
                || before.spooled() != spool.waiting()) {
            delivery = new Delivery(seq, arrived, spool.waiting(), dropped, 0);
        }
        if (dropped > 0 && !dropLogged) {
            dropLogged = true;
            log.warn("run {} has begun to drop events: {}", settings.runId(), describeDrops());
        }
        if (writer.cut() > 0 && !cutLogged) {
            cutLogged = true;
            log.warn(
                    "run {} sends more than an event may carry: maps are cut to {} names of {} characters",
                    settings.runId(),
                    Limits.MAX_NAMES,
                    Limits.MAX_NAME_LENGTH);
        }
    }

    private String describeDrops() {
        StringJoiner reasons = new StringJoiner(", ");
        addReason(reasons, refused + backlog.dropped(), "because the queue was full");
        addReason(reasons, spool.dropped(), "because the spool was full or damaged");
        addReason(reasons, unencodable, "not encodable or too large");
        addReason(reasons, rejected, "refused by the receiver");
        addReason(reasons, abandoned, "unsent at the end");
        return reasons.toString();
    }

    private static void addReason(StringJoiner reasons, long events, String reason) {
        if (events > 0) {
            reasons.add(events + " " + reason);
        }
    }

    /** What could not be sent in time stays in the spool, or is given up where there is none. */
    private boolean finish() {
        long now = System.nanoTime();
        while (drain(now)) {
            // until the ring is empty
        }
        settle(now);
        boolean left = !inFlight.isEmpty() || !upNext.isEmpty() || backlog.size() > 0;
        if (left && spool.isWritable()) {
            spill();
        }
        abandoned = (long) inMemoryOnly + backlog.size();
        tell();
        if (dropped() > 0) {
            log.warn("run {} dropped {} of {} events: {}", settings.runId(), dropped(), seq, describeDrops());
        }
        if (spool.waiting() > 0) {
            log.warn(
                    "run {}: {} events wait in {}; the next start of the run sends them",
                    settings.runId(),
                    spool.waiting(),
                    spool.location());
        }
        spool.close();
        if (transport != null) {
            transport.close();
        }
        return true;
    }
}
