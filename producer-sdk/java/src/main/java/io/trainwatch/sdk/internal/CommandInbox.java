package io.trainwatch.sdk.internal;

import io.trainwatch.event.CommandAcknowledged;
import io.trainwatch.event.CommandOutcome;
import io.trainwatch.run.Command;
import io.trainwatch.run.CommandAction;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The commands of one run: takes each once, however often it comes, if it is meant for this run and attempt and has not
 * expired, tells the training, and says what became of it. Before the training asks for commands the first time they wait;
 * a training that never asks is never told, and never answers.
 *
 * <table>
 * <caption>What is answered</caption>
 * <tr><th>{@code accepted}<td>it reached the training
 * <tr><th>{@code completed}<td>a checkpoint was saved after {@code checkpoint}; the run was closed after {@code stop} and
 *     {@code checkpoint_then_stop}
 * <tr><th>{@code refused}<td>a listener threw, or nobody listens to {@code checkpoint}
 * <tr><th>{@code expired}<td>it came too late
 * </table>
 */
final class CommandInbox {
    private static final Logger log = LoggerFactory.getLogger("io.trainwatch.sdk");

    /** Commands that are remembered, so that none is taken twice; far more than a run is ever given. */
    private static final int MAX_REMEMBERED = 64;

    /** A command given longer before the start than clocks differ was for a former life of the run. */
    private static final long CLOCK_TOLERANCE_MS = 5_000;

    private final String runId;
    private final int attempt;
    private final long startedAtMs;
    private final LongSupplier clock;
    private final Consumer<CommandAcknowledged> answers;
    private final Map<String, Command> seen = new LinkedHashMap<>();
    private final List<Consumer<Command>> listeners = new ArrayList<>();
    private final List<Command> uncompleted = new ArrayList<>();
    private @Nullable Command waiting;
    private boolean asked;
    private volatile boolean stop;

    /**
     * Begins without commands.
     *
     * @param clock epoch milliseconds
     * @param answers takes what is to be told to the monitor
     */
    CommandInbox(String runId, int attempt, LongSupplier clock, Consumer<CommandAcknowledged> answers) {
        this.runId = runId;
        this.attempt = attempt;
        this.clock = clock;
        this.answers = answers;
        startedAtMs = clock.getAsLong();
    }

    /** Whether the training was told to end. */
    boolean shouldStop() {
        return stop;
    }

    /** The training asks for commands from now on; returns whether it had not before. */
    synchronized boolean ask(@Nullable Consumer<Command> listener) {
        if (listener != null) {
            listeners.add(listener);
        }
        boolean first = !asked;
        asked = true;
        Command command = waiting;
        waiting = null;
        if (command != null) {
            take(command);
        }
        return first;
    }

    /** A command came, perhaps not for the first time. */
    synchronized void receive(Command command) {
        Integer meant = command.getAttempt();
        if (!command.getRunId().equals(runId)
                || (meant != null && meant != attempt)
                || seen.containsKey(command.getCommandId())
                || (command.getIssuedAtMs() > 0 && command.getIssuedAtMs() < startedAtMs - CLOCK_TOLERANCE_MS)) {
            return;
        }
        if (!asked) {
            // Only the newest counts.
            waiting = command;
            return;
        }
        take(command);
    }

    private void take(Command command) {
        seen.put(command.getCommandId(), command);
        if (seen.size() > MAX_REMEMBERED) {
            seen.remove(seen.keySet().iterator().next());
        }
        if (command.getExpiresAtMs() <= clock.getAsLong()) {
            answer(command, CommandOutcome.expired, null);
            return;
        }
        boolean ends =
                command.getAction() == CommandAction.stop || command.getAction() == CommandAction.checkpoint_then_stop;
        if (!ends && (command.getAction() != CommandAction.checkpoint || listeners.isEmpty())) {
            answer(command, CommandOutcome.refused, "the training does not listen for " + command.getAction());
            return;
        }
        for (Consumer<Command> listener : listeners) {
            try {
                listener.accept(command);
            } catch (RuntimeException | LinkageError e) {
                log.warn("a listener refused command {}", command.getAction(), e);
                answer(command, CommandOutcome.refused, e.toString());
                return;
            }
        }
        log.info("the monitor asks for {}: {}", command.getAction(), command.getReason());
        uncompleted.add(command);
        answer(command, CommandOutcome.accepted, null);
        if (ends) {
            stop = true;
        }
    }

    /** The training saved a checkpoint. */
    synchronized void checkpointSaved() {
        complete(CommandAction.checkpoint);
    }

    /** The training ends. */
    synchronized void closed() {
        complete(CommandAction.stop);
        complete(CommandAction.checkpoint_then_stop);
    }

    private void complete(CommandAction action) {
        uncompleted.removeIf(command -> {
            if (command.getAction() == action) {
                answer(command, CommandOutcome.completed, null);
                return true;
            }
            return false;
        });
    }

    private void answer(Command command, CommandOutcome outcome, @Nullable String detail) {
        CommandAcknowledged answer = new CommandAcknowledged();
        answer.setCommandId(command.getCommandId());
        answer.setAction(command.getAction());
        answer.setOutcome(outcome);
        answer.setDetail(detail);
        answers.accept(answer);
    }
}
