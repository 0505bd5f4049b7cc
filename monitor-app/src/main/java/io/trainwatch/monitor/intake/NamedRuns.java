package io.trainwatch.monitor.intake;

import io.trainwatch.event.RunStarted;
import io.trainwatch.monitor.board.RunBoard;
import io.trainwatch.monitor.intake.IntakeCounters.Loss;
import io.trainwatch.monitor.intake.IntakeCounters.Protocol;
import io.trainwatch.run.RunStatus;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The runs of those whose numbers come by name. Each sender has its answer at once, before the broker has what it sent: its
 * client would hold up the training, and end it after some tries. What the broker does not take is counted, and as its
 * {@code seq} is missing then, the monitor tells of it as a {@code telemetry_gap}.
 *
 * <p>Nothing needs to survive a restart but what the board knows: a run that is not here continues at its attempt and
 * behind its last step. Bounded to {@value #MAX_RUNS} runs; the one that was silent for longest makes room. Thread-safe.
 */
final class NamedRuns implements AutoCloseable {
    static final int MAX_RUNS = 10_000;

    private static final long LOOK_MS = 250;
    private static final Logger LOG = LoggerFactory.getLogger(NamedRuns.class);

    private final Protocol protocol;
    private final EventOutlet outlet;
    private final IntakeCounters counters;
    private final RunBoard board;
    private final String session;
    private final Map<String, NamedRun> runs = new LinkedHashMap<>(16, 0.75f, true);
    private final Set<NamedRun> open = ConcurrentHashMap.newKeySet();
    private final ScheduledExecutorService clock;

    NamedRuns(Protocol protocol, EventOutlet outlet, IntakeCounters counters, RunBoard board) {
        this.protocol = protocol;
        this.outlet = outlet;
        this.counters = counters;
        this.board = board;
        byte[] random = new byte[8];
        new SecureRandom().nextBytes(random);
        session = protocol.label + "-" + HexFormat.of().formatHex(random);
        clock = Executors.newSingleThreadScheduledExecutor(task -> {
            Thread thread = new Thread(task, "intake-" + protocol.label);
            thread.setDaemon(true);
            return thread;
        });
        var unused = clock.scheduleWithFixedDelay(this::completeRested, LOOK_MS, LOOK_MS, TimeUnit.MILLISECONDS);
    }

    /** Does something with a run, known or not, and sends what comes of it. */
    void with(String runId, Consumer<NamedRun> action) {
        NamedRun run = run(runId);
        synchronized (run) {
            action.accept(run);
            send(run);
        }
    }

    private NamedRun run(String runId) {
        NamedRun run;
        List<NamedRun> pushedOut = new ArrayList<>();
        synchronized (runs) {
            run = runs.computeIfAbsent(runId, this::continued);
            while (runs.size() > MAX_RUNS) {
                var all = runs.entrySet().iterator();
                pushedOut.add(all.next().getValue());
                all.remove();
            }
        }
        for (NamedRun one : pushedOut) {
            synchronized (one) {
                one.complete();
                send(one);
            }
        }
        return run;
    }

    /** What was declared of a run here; null if it is not known here. */
    @Nullable
    RunStarted declaredOf(String runId) {
        NamedRun run;
        synchronized (runs) {
            run = runs.get(runId);
        }
        if (run == null) {
            return null;
        }
        synchronized (run) {
            return run.isNew() ? null : NamedRun.copyOf(run.facts());
        }
    }

    private NamedRun continued(String runId) {
        RunStatus status = board.run(runId).map(snapshot -> snapshot.status()).orElse(null);
        long lastStep = status == null || status.getLastStep() == null ? 0 : Math.max(0, status.getLastStep());
        return new NamedRun(runId, session, status == null ? 0 : status.getAttempt(), lastStep);
    }

    private void send(NamedRun run) {
        if (run.isOpen()) {
            open.add(run);
        } else {
            open.remove(run);
        }
        List<EventBody.Event> events = run.takeReady();
        if (events.isEmpty()) {
            return;
        }
        CompletableFuture<List<Integer>> sent = outlet.send(events);
        if (sent == null) {
            counters.lost(protocol, Loss.NO_ROOM, events.size());
            return;
        }
        var unused = sent.whenComplete((refused, error) -> {
            int lost = error != null ? events.size() : refused.size();
            counters.lost(protocol, Loss.NOT_DELIVERED, lost);
            counters.events(protocol, (long) events.size() - lost);
        });
    }

    private void completeRested() {
        try {
            long now = System.currentTimeMillis();
            for (NamedRun run : open) {
                synchronized (run) {
                    run.completeRested(now);
                    send(run);
                }
            }
        } catch (RuntimeException e) {
            LOG.error("A step that rested could not be completed", e);
        }
    }

    /** Completes and sends what is open. */
    @Override
    public void close() {
        clock.shutdownNow();
        for (NamedRun run : open) {
            synchronized (run) {
                run.complete();
                send(run);
            }
        }
    }
}
