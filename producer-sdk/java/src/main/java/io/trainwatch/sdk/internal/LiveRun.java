package io.trainwatch.sdk.internal;

import io.trainwatch.event.BatchStats;
import io.trainwatch.event.CheckpointLoaded;
import io.trainwatch.event.CheckpointSaved;
import io.trainwatch.event.EvaluationCompleted;
import io.trainwatch.event.FinishStatus;
import io.trainwatch.event.PhaseChanged;
import io.trainwatch.event.PredictionStats;
import io.trainwatch.event.PreflightCompleted;
import io.trainwatch.event.RankFingerprint;
import io.trainwatch.event.RunFinished;
import io.trainwatch.event.StepCompleted;
import io.trainwatch.event.StepProfile;
import io.trainwatch.event.TensorStats;
import io.trainwatch.run.Command;
import io.trainwatch.sdk.Activity;
import io.trainwatch.sdk.Delivery;
import io.trainwatch.sdk.TrainingRun;
import java.security.SecureRandom;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.Map;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** A run whose events go through a ring to a {@link Sender}. */
public final class LiveRun implements TrainingRun {
    private static final Logger log = LoggerFactory.getLogger("io.trainwatch.sdk");

    private static final String TOKEN_VARIABLE = "TRAINWATCH_TOKEN";

    /** Share of the close timeout that is left for the disk when the receiver does not answer. */
    private static final double DISK_SHARE = 0.2;

    private final RunSettings settings;
    private final EventRing ring;
    private final Sender sender;
    private final Thread thread;
    private final Thread shutdownHook;
    private final AtomicBoolean closing = new AtomicBoolean();
    private final AtomicLong ignored = new AtomicLong();
    private final CommandInbox inbox;
    private final Location location;
    private final AtomicReference<@Nullable CommandListener> listener = new AtomicReference<>();
    private volatile boolean asksForCommands;
    private volatile boolean closed;
    private volatile @Nullable Throwable error;

    private LiveRun(RunSettings settings, Location location) {
        this.settings = settings;
        ring = new EventRing(settings.queueCapacity());
        this.location = location;
        inbox = new CommandInbox(
                settings.runId(),
                settings.attempt(),
                System::currentTimeMillis,
                answer -> ring.offer(EventRing.NO_STEP, System.currentTimeMillis(), Importance.of(answer), answer));
        String session = newSession();
        Supplier<Transport> transports = () -> open(location, settings.runId(), inbox::receive);
        Supplier<Spool> spools = () -> location.isSpooled() && settings.spoolBytes() > 0
                ? Spool.open(settings.spoolDirectory(), settings.runId(), session, settings.spoolBytes())
                : Spool.none();
        sender = new Sender(settings, session, ring, transports, spools);
        thread = new Thread(sender, "trainwatch-sender");
        thread.setDaemon(true);
        shutdownHook = new Thread(this::flushAtExit, "trainwatch-exit");
    }

    /** Starts the sender of a run and announces the run. */
    public static TrainingRun start(RunSettings settings, Location location) {
        LiveRun run = new LiveRun(settings, location);
        run.record(EventRing.NO_STEP, settings.details());
        run.thread.start();
        try {
            Runtime.getRuntime().addShutdownHook(run.shutdownHook);
        } catch (IllegalStateException e) {
            log.debug("the JVM is shutting down already", e);
        }
        return run;
    }

    static Transport open(Location location, String runId) {
        return open(location, runId, command -> {});
    }

    private static Transport open(Location location, String runId, Consumer<Command> commands) {
        if (location instanceof Location.Kafka kafka) {
            return new KafkaTransport(kafka, runId);
        }
        if (location instanceof Location.Http http) {
            return new HttpTransport(http, System.getenv(TOKEN_VARIABLE), runId, commands);
        }
        if (location instanceof Location.File file) {
            return LinesTransport.toFile(file.path());
        }
        if (location instanceof Location.Memory memory) {
            return new MemoryTransport(memory.name());
        }
        return LinesTransport.toConsole();
    }

    /** Returns a new session: names of later sessions sort behind those of earlier ones, as their spools are read. */
    private static String newSession() {
        byte[] random = new byte[8];
        new SecureRandom().nextBytes(random);
        return String.format("%012x", System.currentTimeMillis())
                + HexFormat.of().formatHex(random);
    }

    @Override
    public void step(long step, double loss) {
        if (isOpen()) {
            ring.offer(step, System.currentTimeMillis(), EventRing.LOSS, loss, 0, 0);
        }
    }

    @Override
    public void step(long step, double loss, double gradNorm, double learningRate) {
        if (isOpen()) {
            ring.offer(
                    step,
                    System.currentTimeMillis(),
                    EventRing.LOSS | EventRing.GRAD_NORM | EventRing.LEARNING_RATE,
                    loss,
                    gradNorm,
                    learningRate);
        }
    }

    @Override
    public void step(long step, StepCompleted details) {
        record(step, details);
    }

    @Override
    public void evaluation(long step, Map<String, Double> metrics) {
        EvaluationCompleted details = new EvaluationCompleted();
        details.setMetrics(copy(metrics));
        record(step, details);
    }

    @Override
    public void evaluation(long step, EvaluationCompleted details) {
        record(step, details);
    }

    @Override
    public void preflight(PreflightCompleted checks) {
        record(EventRing.NO_STEP, checks);
    }

    @Override
    public void tensorStats(long step, TensorStats stats) {
        record(step, stats);
    }

    @Override
    public void batchStats(long step, BatchStats stats) {
        record(step, stats);
    }

    @Override
    public void predictionStats(long step, PredictionStats stats) {
        record(step, stats);
    }

    @Override
    public void stepProfile(long step, StepProfile profile) {
        record(step, profile);
    }

    @Override
    public void rankFingerprint(long step, RankFingerprint fingerprint) {
        record(step, fingerprint);
    }

    @Override
    public void phase(long step, String phaseId, String reason) {
        PhaseChanged body = new PhaseChanged();
        body.setReason(reason);
        record(step, new EventWriter.PhaseChange(String.valueOf(phaseId), body));
    }

    @Override
    public void activity(Activity activity) {
        record(EventRing.NO_STEP, activity);
    }

    @Override
    public void checkpointSaved(long step, String path) {
        CheckpointSaved body = new CheckpointSaved();
        body.setPath(path);
        checkpointSaved(step, body);
    }

    @Override
    public void checkpointSaved(long step, CheckpointSaved details) {
        record(step, details);
        if (asksForCommands) {
            inbox.checkpointSaved();
        }
    }

    @Override
    public void checkpointLoaded(long step, String path) {
        CheckpointLoaded body = new CheckpointLoaded();
        body.setPath(path);
        record(step, body);
    }

    @Override
    public void checkpointLoaded(long step, CheckpointLoaded details) {
        record(step, details);
    }

    @Override
    public void failed(Throwable cause) {
        error = cause;
    }

    @Override
    public boolean shouldStop() {
        if (!asksForCommands) {
            ask(null);
        }
        return inbox.shouldStop();
    }

    @Override
    public void onCommand(Consumer<Command> consumer) {
        if (consumer != null) {
            ask(consumer);
        }
    }

    private void ask(@Nullable Consumer<Command> consumer) {
        asksForCommands = true;
        if (isOpen() && inbox.ask(consumer) && location instanceof Location.Kafka kafka) {
            listener.set(CommandListener.start(kafka, settings.runId(), inbox::receive));
            if (closed) {
                stopListening();
            }
        }
    }

    private void stopListening() {
        CommandListener listening = listener.getAndSet(null);
        if (listening != null) {
            listening.close();
        }
    }

    @Override
    public Delivery delivery() {
        Delivery told = sender.delivery();
        return new Delivery(told.recorded(), told.delivered(), told.spooled(), told.dropped(), ignored.get());
    }

    @Override
    public void close() {
        if (!closing.compareAndSet(false, true)) {
            return;
        }
        closed = true;
        stopListening();
        inbox.closed();
        long begun = System.nanoTime();
        long timeout = settings.closeTimeout().toNanos();
        RunFinished finished = finished();
        while (!ring.offer(EventRing.NO_STEP, System.currentTimeMillis(), Importance.BOUNDARY, finished)
                && System.nanoTime() - begun < timeout / 2) {
            LockSupport.parkNanos(1_000_000);
        }
        end(begun, timeout);
        try {
            Runtime.getRuntime().removeShutdownHook(shutdownHook);
        } catch (IllegalStateException e) {
            log.trace("the JVM is shutting down", e);
        }
    }

    /** Sends what is queued without a word on how the run ended: nobody has said. */
    private void flushAtExit() {
        if (closing.compareAndSet(false, true)) {
            closed = true;
            stopListening();
            end(System.nanoTime(), settings.closeTimeout().toNanos());
        }
    }

    private void end(long begun, long timeout) {
        sender.stop(begun + (long) (timeout * (1 - DISK_SHARE)));
        try {
            long left = timeout - (System.nanoTime() - begun);
            thread.join(Math.max(1, left / 1_000_000));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        if (thread.isAlive()) {
            log.warn("run {} was closed, but its sender still works in the background", settings.runId());
        }
    }

    private RunFinished finished() {
        RunFinished finished = new RunFinished();
        Throwable cause = error;
        finished.setStatus(cause == null ? FinishStatus.completed : FinishStatus.failed);
        if (cause != null) {
            finished.setErrorType(cause.getClass().getSimpleName());
            finished.setErrorMessage(firstLine(cause));
        }
        return finished;
    }

    private static String firstLine(Throwable cause) {
        try {
            return String.valueOf(cause.getMessage()).lines().findFirst().orElse("");
        } catch (RuntimeException e) {
            return "(its message cannot be read: " + e.getClass().getName() + ")";
        }
    }

    private boolean isOpen() {
        if (closed) {
            ignored.incrementAndGet();
            return false;
        }
        return true;
    }

    private void record(long step, @Nullable Object body) {
        if (isOpen() && body != null) {
            ring.offer(step, System.currentTimeMillis(), Importance.of(body), body);
        }
    }

    private static @Nullable Map<String, Double> copy(@Nullable Map<String, Double> metrics) {
        if (metrics == null) {
            return null;
        }
        try {
            // One name more than allowed, so that the sender sees that there were too many.
            Map<String, Double> copy = new HashMap<>();
            for (Map.Entry<String, Double> entry : metrics.entrySet()) {
                copy.put(entry.getKey(), entry.getValue());
                if (copy.size() > Limits.MAX_NAMES) {
                    break;
                }
            }
            return copy;
        } catch (RuntimeException e) {
            log.debug("metrics cannot be read", e);
            return Map.of();
        }
    }
}
