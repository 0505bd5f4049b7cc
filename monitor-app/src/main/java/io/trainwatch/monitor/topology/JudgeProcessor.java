package io.trainwatch.monitor.topology;

import io.trainwatch.alert.Alert;
import io.trainwatch.codec.SingleObjectCodec;
import io.trainwatch.event.RunFinished;
import io.trainwatch.event.RunStarted;
import io.trainwatch.event.TrainingEvent;
import io.trainwatch.monitor.board.RunBoard;
import io.trainwatch.monitor.judge.RunJudge;
import io.trainwatch.monitor.judge.RunSnapshot;
import io.trainwatch.monitor.run.ReferenceCurve;
import io.trainwatch.monitor.topology.EventGate.RejectedException;
import io.trainwatch.monitor.topology.Outcome.Destination;
import io.trainwatch.run.RunStatus;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.apache.kafka.common.header.Headers;
import org.apache.kafka.common.header.internals.RecordHeaders;
import org.apache.kafka.streams.processor.Cancellable;
import org.apache.kafka.streams.processor.PunctuationType;
import org.apache.kafka.streams.processor.api.ContextualProcessor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.processor.api.RecordMetadata;
import org.apache.kafka.streams.processor.internals.InternalProcessorContext;
import org.apache.kafka.streams.processor.internals.ProcessorNode;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The heart: judges each event of the runs of one partition and each second of their silence.
 *
 * <p>An alert is forwarded as it is raised and asks for a commit at once, since readers see only what is committed. In a
 * storm of alerts commits are spaced out ({@link CommitPacer}).
 *
 * <p>A status is forwarded when a run is first seen, starts, ends, changes its condition or raises an alert, and else at
 * most every 10 s, 30 s while the task is behind. A snapshot goes to the board when a run is first seen or raises an alert,
 * and else at most once a second per run and at most {@value #SNAPSHOTS_PER_TICK} a second per partition: with more runs than
 * that the board lags.
 *
 * <p>The reference that a run names is looked for when it starts and when it goes to the board; runs of other instances are
 * not known.
 */
final class JudgeProcessor extends ContextualProcessor<byte[], byte[], byte[], Outcome> {
    static final Duration TICK = Duration.ofSeconds(1);
    static final int SNAPSHOTS_PER_TICK = 200;

    private static final int STATUSES_PER_TICK = 1_000;
    private static final int SWEPT_PER_TICK = 200;
    /** While the task is behind, no silence is noticed. */
    private static final int SWEPT_PER_TICK_BEHIND = 20;

    private static final long STATUS_INTERVAL_MS = 10_000;
    /** While the task is behind, what it could say is of the past already. */
    private static final long STATUS_INTERVAL_BEHIND_MS = 30_000;
    /** A run whose alerts change in a row is shown at most as often between the ticks. */
    private static final long SHOWN_INTERVAL_MS = 200;
    /** An ended run leaves the heap this long after its last event: late events of other ranks come within it. */
    private static final long ENDED_LINGER_MS = 10_000;

    private static final int MAX_DETAIL_CHARS = 500;
    private static final int JUDGE_SAMPLE_MASK = 63;
    private static final Logger LOG = LoggerFactory.getLogger(JudgeProcessor.class);

    private final RunJudge judge;
    private final RunBoard board;
    private final ReferenceDesk references;
    private final Lag lag;
    private final ThreadLocal<CommitPacer> pacers;
    private final MonitorCounters counters;
    private final MonitorSettings settings;
    private final String eventsTopic;

    private final EventGate gate = new EventGate();
    private final CatchUp catchUp = new CatchUp();
    private final SingleObjectCodec<Alert> alertCodec = SingleObjectCodec.alerts();
    private final SingleObjectCodec<RunStatus> statusCodec = SingleObjectCodec.runStatuses();
    private final ArrayDeque<String> awaitingBoard = new ArrayDeque<>();
    private final Set<String> onBoard = new HashSet<>();

    private @Nullable ProcessorNode<?, ?, ?, ?> node;
    private @Nullable RunStore openStore;
    private Lag.@Nullable Partition openProgress;
    private int partition;
    private long assignedAtMs;
    private long events;
    /** Whether a record of long ago came since the last tick, and before it. */
    private boolean heardOfLongAgo;

    private boolean behind;
    /** Whether something was read or sent since the last commit. */
    private boolean uncommitted;

    private String sweptTo = "";
    private @Nullable Cancellable commitLater;
    private @Nullable Cancellable commitWatch;

    JudgeProcessor(
            RunJudge judge,
            RunBoard board,
            ReferenceDesk references,
            Lag lag,
            ThreadLocal<CommitPacer> pacers,
            MonitorCounters counters,
            MonitorSettings settings) {
        this.judge = judge;
        this.board = board;
        this.references = references;
        this.lag = lag;
        this.pacers = pacers;
        this.counters = counters;
        this.settings = settings;
        eventsTopic = new Topics(settings.topicPrefix()).events();
    }

    @Override
    public void init(ProcessorContext<byte[], Outcome> context) {
        super.init(context);
        RunStore store = context.getStateStore(RunStore.NAME);
        store.beforeEviction(run -> {
            if (run.awaitsStatus) {
                publishStatus(run, now());
            }
        });
        store.beforeCommit(this::beforeCommit);
        openStore = store;
        partition = context.taskId().partition();
        node = ((InternalProcessorContext<?, ?>) context).currentNode();
        openProgress = lag.assigned(partition);
        assignedAtMs = now();
        context.schedule(TICK, PunctuationType.WALL_CLOCK_TIME, this::tick);
        context.schedule(settings.commitInterval(), PunctuationType.WALL_CLOCK_TIME, this::commitInTime);
    }

    @Override
    public void process(Record<byte[], byte[]> record) {
        RecordMetadata source = context().recordMetadata().orElseThrow();
        progress().processed(source.offset());
        long timestampMs = record.timestamp();
        uncommitted = true;
        boolean longAgo = isLongAgo(timestampMs);
        heardOfLongAgo |= longAgo;
        if (longAgo && record.key() != null && store().liveRuns() > CatchUp.FEW_RUNS) {
            catchUp.add(record.key(), record.value(), timestampMs, source.offset());
            if (catchUp.isFull()) {
                judgeWaiting();
            }
            return;
        }
        judgeWaiting();
        judge(List.of(EventRecord.of(record.key(), record.value(), timestampMs, source.offset())));
    }

    private boolean isLongAgo(long timestampMs) {
        return timestampMs < now() - CatchUp.BEHIND_MS;
    }

    private void judgeWaiting() {
        if (!catchUp.isEmpty()) {
            catchUp.drain(this::judge);
        }
    }

    /** Decodes all of them before it judges the first: so each of the two finds its code in the cache. */
    private void judge(List<EventRecord> records) {
        List<@Nullable TrainingEvent> events = new ArrayList<>(records.size());
        for (int i = 0; i < records.size(); i++) {
            events.add(admit(records.get(i)));
        }
        for (int i = 0; i < records.size(); i++) {
            TrainingEvent event = events.get(i);
            if (event != null) {
                judge(records.get(i), event);
            }
        }
    }

    private @Nullable TrainingEvent admit(EventRecord record) {
        try {
            return gate.admit(record);
        } catch (RejectedException e) {
            reject(record, e.reason(), e.detail());
            return null;
        }
    }

    private void judge(EventRecord record, TrainingEvent event) {
        StoredRun run = runOf(event.getRunId());
        List<Alert> alerts;
        try {
            alerts = judge(run, event, record.timestampMs());
        } catch (RuntimeException e) {
            LOG.error("Judging an event of run {} failed (offset {})", run.runId, record.offset(), e);
            reject(record, RejectReason.JUDGE_FAILED, e.toString());
            return;
        } finally {
            changed(run);
        }
        counters.event();
        if (event.getBody() instanceof RunStarted) {
            seekReference(run);
        }
        if (!alerts.isEmpty()) {
            emit(alerts, record.timestampMs());
        }
        if (!alerts.isEmpty()
                || run.isNew()
                || event.getBody() instanceof RunFinished
                || event.getBody() instanceof RunStarted) {
            showAtOnce(run);
            publishStatus(run, record.timestampMs());
        }
    }

    /** A person who looks at the page should not be told a second later than need be; a replay of the past can wait. */
    private void showAtOnce(StoredRun run) {
        long nowMs = now();
        if (nowMs - run.shownAtMs >= SHOWN_INTERVAL_MS) {
            run.shownAtMs = nowMs;
            boolean awaitsBoard = run.awaitsBoard;
            publishSnapshot(run);
            run.awaitsBoard = awaitsBoard;
        }
    }

    /** Kafka Streams commits at the interval of a task that is behind; one that keeps up asks for more. */
    private void commitInTime(long nowMs) {
        if (uncommitted && !behind) {
            context().commit();
        }
    }

    /** Offsets of the records that wait are about to be committed. */
    private void beforeCommit() {
        if (!catchUp.isEmpty()) {
            judgeWaitingForCommit();
        }
        uncommitted = false;
    }

    private void judgeWaitingForCommit() {
        // A commit is no call of this node, so Kafka Streams would not know who forwards.
        InternalProcessorContext<?, ?> internal = (InternalProcessorContext<?, ?>) context();
        ProcessorNode<?, ?, ?, ?> outer = internal.currentNode();
        internal.setCurrentNode(node);
        try {
            judgeWaiting();
        } finally {
            internal.setCurrentNode(outer);
        }
    }

    @Override
    public void close() {
        catchUp.clear();
        onBoard.forEach(board::remove);
        onBoard.clear();
        awaitingBoard.clear();
        commitLater = null;
        commitWatch = null;
        if (openProgress != null) {
            lag.revoked(partition, openProgress);
        }
        openProgress = null;
        openStore = null;
    }

    private StoredRun runOf(String runId) {
        StoredRun run = store().find(runId);
        return run != null ? run : store().add(judge.newRun(runId));
    }

    private List<Alert> judge(StoredRun run, TrainingEvent event, long arrivedAtMs) {
        if ((++events & JUDGE_SAMPLE_MASK) != 0) {
            return judge.judge(run.judged, event, arrivedAtMs);
        }
        long start = System.nanoTime();
        List<Alert> alerts = judge.judge(run.judged, event, arrivedAtMs);
        counters.judged(System.nanoTime() - start, event);
        return alerts;
    }

    private void changed(StoredRun run) {
        store().changed(run);
        run.awaitsStatus = true;
        // Runs that were evicted leave their names behind, so the queue needs a bound of its own.
        if (!run.awaitsBoard && awaitingBoard.size() < settings.maxLiveRuns()) {
            run.awaitsBoard = true;
            awaitingBoard.add(run.runId);
        }
    }

    private void tick(long nowMs) {
        boolean hears = nowMs - assignedAtMs >= settings.tickGrace().toMillis()
                && progress().isCaughtUp(nowMs);
        behind = heardOfLongAgo || !catchUp.isEmpty();
        heardOfLongAgo = false;
        long statusInterval = behind ? STATUS_INTERVAL_BEHIND_MS : STATUS_INTERVAL_MS;
        if (catchUp.isStale() || hears) {
            judgeWaiting();
        }
        int statuses = STATUSES_PER_TICK;
        for (StoredRun run : store().live()) {
            if (hears) {
                judgeSilence(run, nowMs);
            }
            if (statuses > 0 && run.awaitsStatus && nowMs - run.statusAtMs >= statusInterval) {
                publishStatus(run, nowMs);
                statuses--;
            }
        }
        store().evict(run -> !run.awaitsStatus
                && run.silentMs(nowMs)
                        >= (run.judged.finished()
                                ? ENDED_LINGER_MS
                                : settings.idleTtl().toMillis()));
        publishSnapshots();
        answerOthers();
        sweep(hears, nowMs);
    }

    /**
     * Copies the curve of the run that this one names as its reference, if this instance knows it: kept by this task, on the
     * board, or kept by another task, which answers within its next tick. Looked for at the start of the run and whenever it
     * is put on the board.
     */
    private void seekReference(StoredRun run) {
        String wanted = run.judged.wantedReference();
        if (wanted == null) {
            return;
        }
        ReferenceCurve curve = curveOf(wanted);
        if (curve != null) {
            judge.compare(run.judged, curve);
            store().changed(run);
        }
    }

    private @Nullable ReferenceCurve curveOf(String runId) {
        RunSnapshot shown = store().isLive(runId) ? null : board.run(runId).orElse(null);
        ReferenceCurve curve = shown != null ? shown.curve() : keptCurve(runId);
        return curve != null ? curve : references.ask(runId, now());
    }

    private @Nullable ReferenceCurve keptCurve(String runId) {
        StoredRun kept = store().isLive(runId) ? store().find(runId) : store().peek(runId);
        return kept == null ? null : kept.judged.curve();
    }

    private void answerOthers() {
        for (String wanted : references.unanswered()) {
            ReferenceCurve curve = keptCurve(wanted);
            if (curve != null) {
                references.answer(curve);
            }
        }
    }

    private void judgeSilence(StoredRun run, long nowMs) {
        if (run.judged.finished() || run.silentMs(nowMs) >= settings.idleTtl().toMillis()) {
            return;
        }
        List<Alert> alerts;
        try {
            alerts = judge.tick(run.judged, nowMs);
        } catch (RuntimeException e) {
            counters.reject(RejectReason.JUDGE_FAILED);
            LOG.error("Judging the silence of run {} failed", run.runId, e);
            return;
        }
        if (!alerts.isEmpty()) {
            changed(run);
            emit(alerts, nowMs);
            publishStatus(run, nowMs);
        }
    }

    private void publishStatus(StoredRun run, long timestampMs) {
        run.awaitsStatus = false;
        run.statusAtMs = now();
        byte[] status = statusCodec.encode(judge.status(run.judged));
        send(Destination.RUNS, run.runId, run.runId, status, timestampMs);
    }

    private void publishSnapshots() {
        for (int i = 0; i < SNAPSHOTS_PER_TICK && !awaitingBoard.isEmpty(); i++) {
            String runId = awaitingBoard.remove();
            StoredRun run = store().isLive(runId) ? store().find(runId) : null;
            if (run != null) {
                seekReference(run);
                publishSnapshot(run);
            }
        }
    }

    private void publishSnapshot(StoredRun run) {
        run.awaitsBoard = false;
        RunSnapshot snapshot = judge.snapshot(run.judged);
        board.publish(snapshot);
        onBoard.add(run.runId);
    }

    /**
     * Walks through all kept runs, some each second: takes those in that were on the heap of another task or an earlier
     * process, so that a run that fell silent meanwhile is noticed, and forgets those whose time is over.
     */
    private void sweep(boolean hears, long nowMs) {
        int most = behind ? SWEPT_PER_TICK_BEHIND : SWEPT_PER_TICK;
        List<RunStore.Kept> some = store().keptAfter(sweptTo, most);
        sweptTo = some.size() < most ? "" : some.get(some.size() - 1).runId();
        for (RunStore.Kept kept : some) {
            long age = nowMs - kept.arrivedAtMs();
            if (store().isLive(kept.runId())) {
                continue;
            }
            if (age >= settings.runRetention().toMillis()) {
                if (hears) {
                    forget(kept.runId(), nowMs);
                }
            } else if (age >= (kept.ended() ? settings.endedTtl() : settings.idleTtl()).toMillis()) {
                if (onBoard.remove(kept.runId())) {
                    board.remove(kept.runId());
                }
            } else if (!kept.ended() || !onBoard.contains(kept.runId())) {
                takeIn(kept, hears, nowMs);
            }
        }
    }

    private void takeIn(RunStore.Kept kept, boolean hears, long nowMs) {
        StoredRun run = store().peek(kept.runId());
        if (run == null) {
            return;
        }
        if (!onBoard.contains(run.runId)) {
            publishSnapshot(run);
        }
        if (kept.ended()) {
            return;
        }
        if (store().hasRoom()) {
            store().keep(run);
        } else if (hears) {
            judgeSilence(run, nowMs);
            if (run.dirty) {
                store().keep(run);
            }
        }
    }

    private void forget(String runId, long nowMs) {
        store().delete(runId);
        if (onBoard.remove(runId)) {
            board.remove(runId);
        }
        send(Destination.RUNS, runId, runId, null, nowMs);
    }

    private void emit(List<Alert> alerts, long timestampMs) {
        for (Alert alert : alerts) {
            counters.alert(alert);
            send(Destination.ALERTS, alert.getAlertId(), alert.getRunId(), alertCodec.encode(alert), timestampMs);
        }
        askForCommit(isLongAgo(timestampMs));
    }

    private void send(Destination destination, String key, String runId, byte @Nullable [] bytes, long timestampMs) {
        if (bytes != null && bytes.length > Topics.MAX_OUTCOME_BYTES) {
            // A record that the broker refuses would abort the transaction, again and again.
            counters.outcomeDropped();
            LOG.error(
                    "A record of {} bytes for {} of run {} is too large and is dropped",
                    bytes.length,
                    destination,
                    runId);
            return;
        }
        uncommitted = true;
        context()
                .forward(new Record<>(
                        key.getBytes(StandardCharsets.UTF_8), new Outcome(destination, runId, bytes), timestampMs));
    }

    private void reject(EventRecord record, RejectReason reason, String detail) {
        counters.reject(reason);
        byte[] key = EventRecord.copy(record.key());
        byte[] value = EventRecord.copy(record.value());
        Headers headers = new RecordHeaders();
        header(headers, "reason", reason.label());
        header(headers, "detail", detail.substring(0, Math.min(detail.length(), MAX_DETAIL_CHARS)));
        header(headers, "source_topic", eventsTopic);
        header(headers, "source_partition", Integer.toString(partition));
        header(headers, "source_offset", Long.toString(record.offset()));
        int room = Topics.MAX_DEAD_LETTER_BYTES - (key == null ? 0 : key.length);
        if (value != null && value.length > room) {
            header(headers, "cut_from_bytes", Integer.toString(value.length));
            value = Arrays.copyOf(value, Math.max(0, room));
        }
        context()
                .forward(new Record<>(
                        key, new Outcome(Destination.DEAD_LETTERS, "", value), record.timestampMs(), headers));
    }

    private static void header(Headers headers, String name, String value) {
        headers.add(name, value.getBytes(StandardCharsets.UTF_8));
    }

    private void askForCommit(boolean behind) {
        if (commitLater != null) {
            return;
        }
        long wait = pacers.get().waitNanos(System.nanoTime(), behind);
        if (wait <= 0) {
            commit();
        } else {
            Duration delay = Duration.ofMillis(wait / 1_000_000 + 1);
            commitLater = context().schedule(delay, PunctuationType.WALL_CLOCK_TIME, t -> {
                commitLater = cancel(commitLater);
                commit();
            });
        }
    }

    private void commit() {
        counters.commitRequested();
        CommitPacer pacer = pacers.get();
        pacer.asked();
        context().commit();
        if (commitWatch == null) {
            // A punctuation may come before the commit of its round; the first one after it tells how long it took.
            long before = pacer.commits();
            commitWatch = context().schedule(Duration.ofMillis(1), PunctuationType.WALL_CLOCK_TIME, t -> {
                pacer.judging(System.nanoTime());
                if (pacer.commits() != before) {
                    commitWatch = cancel(commitWatch);
                }
            });
        }
    }

    private static @Nullable Cancellable cancel(@Nullable Cancellable scheduled) {
        if (scheduled != null) {
            scheduled.cancel();
        }
        return null;
    }

    private long now() {
        return context().currentSystemTimeMs();
    }

    private RunStore store() {
        if (openStore == null) {
            throw new IllegalStateException("The task is closed.");
        }
        return openStore;
    }

    private Lag.Partition progress() {
        if (openProgress == null) {
            throw new IllegalStateException("The task is closed.");
        }
        return openProgress;
    }
}
