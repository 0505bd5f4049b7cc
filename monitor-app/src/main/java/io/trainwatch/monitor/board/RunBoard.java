package io.trainwatch.monitor.board;

import io.trainwatch.monitor.judge.RunSnapshot;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;

/**
 * The read model of this instance: the latest picture of each run that it judges. Safe for many threads.
 *
 * <p>Every change has a version, one more than the one before, so that a reader who knows up to which version it has seen
 * the board is told what changed since ({@link #since}), however long it was away, without a queue of its own.
 */
public final class RunBoard {
    /** Runs that left and are still told to readers who were away; beyond it they have to look at the whole board. */
    static final int MAX_REMOVED = 4_096;

    private final Map<String, Pinned> runs = new ConcurrentHashMap<>();
    private final Deque<Removed> removed = new ArrayDeque<>();
    private long version;
    private long removedFrom;

    /**
     * A run on the board.
     *
     * @param version when this picture was put there
     * @param alarmVersion when its condition or its open alerts last became different from before
     */
    public record Pinned(RunSnapshot snapshot, long version, long alarmVersion) {}

    /**
     * What changed.
     *
     * @param version up to where this tells
     * @param complete false if the reader was away for too long and runs may have left that are not told here
     * @param changed runs that are new or different
     * @param gone ids of runs that left and did not come back
     */
    public record Changes(long version, boolean complete, List<Pinned> changed, List<String> gone) {}

    private record Removed(String runId, long version) {}

    public synchronized void publish(RunSnapshot snapshot) {
        version++;
        Pinned before = runs.get(snapshot.status().getRunId());
        long alarm = before != null && isAlike(before.snapshot(), snapshot) ? before.alarmVersion() : version;
        runs.put(snapshot.status().getRunId(), new Pinned(snapshot, version, alarm));
        notifyAll();
    }

    private static boolean isAlike(RunSnapshot before, RunSnapshot now) {
        return before.status().getCondition() == now.status().getCondition()
                && before.status().getAttempt() == now.status().getAttempt()
                && before.status().getOpenAlerts().equals(now.status().getOpenAlerts());
    }

    /** Forgets a run that ended long ago or that another instance judges now. */
    public synchronized void remove(String runId) {
        if (runs.remove(runId) == null) {
            return;
        }
        version++;
        removed.add(new Removed(runId, version));
        if (removed.size() > MAX_REMOVED) {
            removedFrom = removed.remove().version();
        }
        notifyAll();
    }

    public Optional<RunSnapshot> run(String runId) {
        return Optional.ofNullable(runs.get(runId)).map(Pinned::snapshot);
    }

    public Collection<RunSnapshot> runs() {
        return runs.values().stream().map(Pinned::snapshot).toList();
    }

    /** How many changes there were. */
    public synchronized long version() {
        return version;
    }

    /** What changed after {@code seen}; 0 for all that is there. */
    public synchronized Changes since(long seen) {
        List<Pinned> changed = new ArrayList<>();
        for (Pinned run : runs.values()) {
            if (run.version() > seen) {
                changed.add(run);
            }
        }
        List<String> gone = new ArrayList<>();
        for (Removed one : removed) {
            if (one.version() > seen && !runs.containsKey(one.runId())) {
                gone.add(one.runId());
            }
        }
        return new Changes(version, seen >= removedFrom && seen <= version, changed, gone);
    }

    /** Waits until something changed after {@code seen}, or for so long. */
    public synchronized void awaitChange(long seen, Duration atMost) throws InterruptedException {
        long deadline = System.nanoTime() + atMost.toNanos();
        while (version <= seen) {
            long left = TimeUnit.NANOSECONDS.toMillis(deadline - System.nanoTime());
            if (left <= 0) {
                return;
            }
            wait(left);
        }
    }
}
