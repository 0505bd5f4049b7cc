package io.trainwatch.monitor.board;

import io.trainwatch.monitor.judge.RunSnapshot;
import java.util.Collection;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;

/** The read model of this instance: the latest picture of each run that it judges. Safe for many threads. */
public final class RunBoard {
    private final ConcurrentHashMap<String, RunSnapshot> runs = new ConcurrentHashMap<>();

    public void publish(RunSnapshot snapshot) {
        runs.put(snapshot.status().getRunId(), snapshot);
    }

    /** Forgets a run that ended long ago or that another instance judges now. */
    public void remove(String runId) {
        runs.remove(runId);
    }

    public Optional<RunSnapshot> run(String runId) {
        return Optional.ofNullable(runs.get(runId));
    }

    public Collection<RunSnapshot> runs() {
        return runs.values();
    }
}
