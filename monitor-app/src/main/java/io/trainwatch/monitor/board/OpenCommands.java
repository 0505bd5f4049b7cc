package io.trainwatch.monitor.board;

import io.trainwatch.run.Command;
import java.time.InstantSource;
import java.util.List;
import java.util.concurrent.ConcurrentHashMap;

/** Commands that runs have been given and that have not expired: at most one per run, the latest. Safe for many threads. */
public final class OpenCommands {
    private final ConcurrentHashMap<String, Command> latest = new ConcurrentHashMap<>();
    private final InstantSource clock;

    /**
     * Begins without any.
     *
     * @param clock decides what has expired
     */
    public OpenCommands(InstantSource clock) {
        this.clock = clock;
    }

    /** A run was given a command, which replaces the one before. */
    public void put(Command command) {
        latest.put(command.getRunId(), command);
    }

    /** A run has none any more. */
    public void remove(String runId) {
        latest.remove(runId);
    }

    /** What a run is to do: one command or none; an attempt that it is not meant for must leave it. */
    public List<Command> of(String runId) {
        Command command = latest.get(runId);
        return command == null || command.getExpiresAtMs() <= clock.millis() ? List.of() : List.of(command);
    }

    /** Runs whose command has expired. */
    public List<String> expired() {
        long now = clock.millis();
        return latest.values().stream()
                .filter(command -> command.getExpiresAtMs() <= now)
                .map(Command::getRunId)
                .toList();
    }
}
