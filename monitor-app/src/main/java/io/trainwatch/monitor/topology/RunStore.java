package io.trainwatch.monitor.topology;

import io.trainwatch.monitor.judge.JudgedRun;
import io.trainwatch.monitor.judge.JudgedRunCodec;
import io.trainwatch.monitor.judge.RunJudge;
import io.trainwatch.monitor.stats.StateWriter;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import java.util.function.Predicate;
import org.apache.kafka.common.config.TopicConfig;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.state.KeyValueIterator;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.StoreBuilder;
import org.apache.kafka.streams.state.Stores;
import org.apache.kafka.streams.state.internals.WrappedStateStore;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The runs of one task, write-behind: as objects on the heap while they are live, as bytes in a logged RocksDB store below.
 *
 * <p>A run that changed is dirty until its bytes are in the store below. That happens in {@link #flushCache}, which Kafka
 * Streams calls before it flushes the producer and commits, so that state, outcomes and offsets commit together; and when
 * the run is evicted. The public {@code flush} and {@code commit} of a state store run after the commit: writing there
 * would lose states at a crash. After a crash the heap is gone, the store below comes back from its changelog as of the
 * last commit, and the events since then are judged again.
 *
 * <p>The heap holds at most as many runs as the instance allows; the one that came first goes first, unless it was used
 * since it was last looked at (second chance: a list in order of use would move four neighbours at each event).
 *
 * <p>Value layout: version (1 byte, 1), ended (1 byte, 0 or 1), append time of the latest event (8 bytes, epoch
 * milliseconds), then what {@link JudgedRunCodec} writes. The head is read without decoding the rest.
 */
final class RunStore extends WrappedStateStore<KeyValueStore<String, byte[]>, byte[], byte[]> {
    static final String NAME = "runs";

    /** Largest encoded state; a bounded state stays a hundred times below. */
    static final int MAX_STATE_BYTES = 8 << 20;

    private static final byte VERSION = 1;
    private static final int HEAD_BYTES = 10;
    private static final Logger LOG = LoggerFactory.getLogger(RunStore.class);

    private final JudgedRunCodec codec;
    private final StateWriter out = new StateWriter();
    private final HeapBudget budget;
    private final ThreadLocal<CommitPacer> pacers;
    private final MonitorCounters counters;
    private final LinkedHashMap<String, StoredRun> live = new LinkedHashMap<>(256);
    private final List<StoredRun> dirty = new ArrayList<>();
    private Consumer<StoredRun> beforeEviction = run -> {};
    private Runnable beforeCommit = () -> {};

    private RunStore(
            KeyValueStore<String, byte[]> below,
            RunJudge judge,
            HeapBudget budget,
            ThreadLocal<CommitPacer> pacers,
            MonitorCounters counters) {
        super(below);
        this.pacers = pacers;
        this.codec = new JudgedRunCodec(judge);
        this.budget = budget;
        this.counters = counters;
    }

    /** The runs that all tasks of an instance may keep on the heap together. */
    static final class HeapBudget {
        private final int most;
        private final AtomicInteger used = new AtomicInteger();

        HeapBudget(int most) {
            this.most = most;
        }

        int used() {
            return used.get();
        }

        private boolean hasRoom() {
            return used.get() < most;
        }

        private boolean isExceeded() {
            return used.get() > most;
        }
    }

    /** What the store below knows of a run without decoding it. */
    record Kept(String runId, long arrivedAtMs, boolean ended) {}

    /** Calls {@code listener} with each run just before it leaves the heap for want of room. */
    void beforeEviction(Consumer<StoredRun> listener) {
        beforeEviction = listener;
    }

    /** Calls {@code listener} before the states that changed are written for a commit. */
    void beforeCommit(Runnable listener) {
        beforeCommit = listener;
    }

    /** The run, from the heap or else from the store below; null if it is new or its bytes cannot be read. */
    @Nullable
    StoredRun find(String runId) {
        StoredRun run = live.get(runId);
        if (run != null) {
            run.used = true;
            return run;
        }
        run = peek(runId);
        if (run != null) {
            keep(run);
        }
        return run;
    }

    /** Says whether one more run fits on the heap without another one leaving it. */
    boolean hasRoom() {
        return budget.hasRoom();
    }

    boolean isLive(String runId) {
        return live.containsKey(runId);
    }

    /** The run from the store below, without keeping it on the heap. */
    @Nullable
    StoredRun peek(String runId) {
        byte[] bytes = wrapped().get(runId);
        if (bytes == null) {
            return null;
        }
        try {
            if (bytes[0] != VERSION) {
                throw new IllegalArgumentException("layout version " + bytes[0]);
            }
            byte[] state = new byte[bytes.length - HEAD_BYTES];
            System.arraycopy(bytes, HEAD_BYTES, state, 0, state.length);
            return new StoredRun(codec.decode(state));
        } catch (RuntimeException e) {
            counters.stateUnreadable();
            LOG.warn("The state of run {} cannot be read and begins anew: {}", runId, e.toString());
            return null;
        }
    }

    StoredRun add(JudgedRun judged) {
        StoredRun run = new StoredRun(judged);
        keep(run);
        return run;
    }

    /** Puts a run on the heap; another one leaves it if there is no room. */
    void keep(StoredRun run) {
        run.used = true;
        if (live.put(run.runId, run) == null) {
            budget.used.incrementAndGet();
        }
        while (budget.isExceeded() && live.size() > 1) {
            StoredRun eldest = live.values().iterator().next();
            live.remove(eldest.runId);
            if (eldest.used) {
                eldest.used = false;
                live.put(eldest.runId, eldest);
            } else {
                beforeEviction.accept(eldest);
                write(eldest);
                budget.used.decrementAndGet();
            }
        }
    }

    /** Notes that the run changed. */
    void changed(StoredRun run) {
        if (!run.dirty) {
            run.dirty = true;
            dirty.add(run);
        }
    }

    int liveRuns() {
        return live.size();
    }

    /** The runs on the heap. {@code Iterator.remove} is not for callers. */
    Iterable<StoredRun> live() {
        return live.values();
    }

    /** Takes those runs off the heap that are written and that {@code idle} picks. */
    void evict(Predicate<StoredRun> idle) {
        Iterator<StoredRun> runs = live.values().iterator();
        while (runs.hasNext()) {
            StoredRun run = runs.next();
            if (!run.dirty && idle.test(run)) {
                runs.remove();
                budget.used.decrementAndGet();
            }
        }
    }

    /** At most {@code most} runs of the store below, by run_id from the one after {@code afterRunId}. */
    List<Kept> keptAfter(String afterRunId, int most) {
        List<Kept> kept = new ArrayList<>();
        // No run_id holds a control character, so this is the smallest key above.
        String from = afterRunId + '\0';
        try (KeyValueIterator<String, byte[]> entries = wrapped().range(from, null)) {
            while (kept.size() < most && entries.hasNext()) {
                KeyValue<String, byte[]> entry = entries.next();
                kept.add(head(entry.key, entry.value));
            }
        }
        return kept;
    }

    /** Forgets a run wherever it is. */
    void delete(String runId) {
        StoredRun run = live.remove(runId);
        if (run != null) {
            run.dirty = false;
            budget.used.decrementAndGet();
        }
        wrapped().delete(runId);
    }

    @Override
    public void flushCache() {
        beforeCommit.run();
        pacers.get().committing(System.nanoTime());
        for (StoredRun run : dirty) {
            write(run);
        }
        dirty.clear();
        super.flushCache();
    }

    @Override
    public void clearCache() {
        forgetHeap();
        super.clearCache();
    }

    @Override
    public void close() {
        forgetHeap();
        super.close();
    }

    private void forgetHeap() {
        budget.used.addAndGet(-live.size());
        live.clear();
        dirty.clear();
    }

    private void write(StoredRun run) {
        if (!run.dirty) {
            return;
        }
        run.dirty = false;
        out.reset();
        out.writeByte(VERSION);
        out.writeBoolean(run.judged.finished());
        out.writeLong(run.judged.lastArrivalMs());
        codec.write(run.judged, out);
        if (out.position() > MAX_STATE_BYTES) {
            counters.outcomeDropped();
            LOG.error("The state of run {} has {} bytes and is not kept", run.runId, out.position());
            return;
        }
        byte[] bytes = out.toByteArray();
        wrapped().put(run.runId, bytes);
        counters.stateWritten(bytes.length);
    }

    private static Kept head(String runId, byte[] bytes) {
        if (bytes.length < HEAD_BYTES) {
            return new Kept(runId, 0, true);
        }
        ByteBuffer head = ByteBuffer.wrap(bytes);
        return new Kept(runId, head.getLong(2), head.get(1) != 0);
    }

    static StoreBuilder<RunStore> builder(
            RunJudge judge, HeapBudget budget, ThreadLocal<CommitPacer> pacers, MonitorCounters counters) {
        return new Builder(judge, budget, pacers, counters);
    }

    private static final class Builder implements StoreBuilder<RunStore> {
        private final StoreBuilder<KeyValueStore<String, byte[]>> below = Stores.keyValueStoreBuilder(
                        Stores.persistentKeyValueStore(NAME), Serdes.String(), Serdes.ByteArray())
                .withCachingDisabled()
                .withLoggingEnabled(Map.of(
                        TopicConfig.MAX_MESSAGE_BYTES_CONFIG,
                        Integer.toString(MAX_STATE_BYTES + (64 << 10)),
                        // Every commit rewrites the states that changed: small segments let compaction follow.
                        TopicConfig.SEGMENT_BYTES_CONFIG,
                        Integer.toString(64 << 20),
                        TopicConfig.MIN_CLEANABLE_DIRTY_RATIO_CONFIG,
                        "0.3"));
        private final RunJudge judge;
        private final HeapBudget budget;
        private final ThreadLocal<CommitPacer> pacers;
        private final MonitorCounters counters;

        Builder(RunJudge judge, HeapBudget budget, ThreadLocal<CommitPacer> pacers, MonitorCounters counters) {
            this.judge = judge;
            this.pacers = pacers;
            this.budget = budget;
            this.counters = counters;
        }

        @Override
        public RunStore build() {
            return new RunStore(below.build(), judge, budget, pacers, counters);
        }

        @Override
        public String name() {
            return NAME;
        }

        @Override
        public Map<String, String> logConfig() {
            return new HashMap<>(below.logConfig());
        }

        @Override
        public boolean loggingEnabled() {
            return true;
        }

        @Override
        public StoreBuilder<RunStore> withCachingEnabled() {
            throw unchangeable();
        }

        @Override
        public StoreBuilder<RunStore> withCachingDisabled() {
            return this;
        }

        @Override
        public StoreBuilder<RunStore> withLoggingEnabled(Map<String, String> config) {
            throw unchangeable();
        }

        @Override
        public StoreBuilder<RunStore> withLoggingDisabled() {
            throw unchangeable();
        }

        private static UnsupportedOperationException unchangeable() {
            return new UnsupportedOperationException("The run store is its own cache and is always logged.");
        }
    }
}
