package io.trainwatch.monitor.notify;

import io.trainwatch.monitor.notify.Page.Kind;
import java.util.Arrays;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.LongAdder;

/** What this instance told, held and lost since its start. Safe for many threads. */
public final class NotifyCounters {
    /** Something that is counted, of a sink. */
    private record Count(String what, String of, String detail) {}

    private final Map<Count, LongAdder> counts = new ConcurrentHashMap<>();
    private final Map<String, Integer> openIncidents = new ConcurrentHashMap<>();
    private final Map<String, Long> waitingSinceMs = new ConcurrentHashMap<>();

    private void add(String what, String of, String detail) {
        counts.computeIfAbsent(new Count(what, of, detail), created -> new LongAdder())
                .increment();
    }

    private long get(String what, String of, String detail) {
        LongAdder count = counts.get(new Count(what, of, detail));
        return count == null ? 0 : count.sum();
    }

    void told(String sink, Kind kind) {
        add("told", sink, kind.name());
    }

    void failed(String sink) {
        add("failed", sink, "");
    }

    void parked(String sink) {
        add("parked", sink, "");
    }

    void held(String sink, Hold reason) {
        add("held", sink, reason.name());
    }

    void endedUntold(String sink, Hold reason) {
        add("untold", sink, reason.name());
    }

    void overflowed(String sink) {
        add("overflowed", sink, "");
    }

    void beat(String sink) {
        add("beat", sink, "");
    }

    void openIncidents(String sink, int open) {
        openIncidents.put(sink, open);
    }

    void waitingSince(String sink, long sinceMs) {
        waitingSinceMs.put(sink, sinceMs);
    }

    void commanded(String action) {
        add("commanded", "", action);
    }

    void approval(String outcome) {
        add("approval", "", outcome);
    }

    /** Pages that a sink took. */
    long toldPages(String sink, Kind kind) {
        return get("told", sink, kind.name());
    }

    /** Pages that a sink took, of any kind. */
    long deliveredPages(String sink) {
        return Arrays.stream(Kind.values())
                .mapToLong(kind -> toldPages(sink, kind))
                .sum();
    }

    /** How often anything began to hold a page back. */
    long heldPages(String sink) {
        return Arrays.stream(Hold.values())
                .mapToLong(reason -> heldPages(sink, reason))
                .sum();
    }

    /** Attempts that failed; each is made again. */
    long failedAttempts(String sink) {
        return get("failed", sink, "");
    }

    /** Pages that were put aside, in the parking topic. */
    long parkedPages(String sink) {
        return get("parked", sink, "");
    }

    /** How often something began to hold a page back. */
    long heldPages(String sink, Hold reason) {
        return get("held", sink, reason.name());
    }

    /** Incidents that ended while something held them, and were never told. */
    long untoldIncidents(String sink, Hold reason) {
        return get("untold", sink, reason.name());
    }

    /** Episodes that were left out because too many incidents were open. */
    long overflowedEpisodes(String sink) {
        return get("overflowed", sink, "");
    }

    /** Heartbeats that a sink took. */
    long heartbeats(String sink) {
        return get("beat", sink, "");
    }

    /** Commands that were given to trainers. */
    long commands(String action) {
        return get("commanded", "", action);
    }

    /** Links for approval that were used, by what came of it. */
    long approvals(String outcome) {
        return get("approval", "", outcome);
    }

    /** Incidents of a sink that are open; 0 where another instance tells them. */
    int incidents(String sink) {
        return openIncidents.getOrDefault(sink, 0);
    }

    /** Since when pages wait for a receiver that is away, epoch milliseconds; 0 if none does. */
    long waitingSinceMs(String sink) {
        return waitingSinceMs.getOrDefault(sink, 0L);
    }
}
