package io.trainwatch.sdk.internal;

import static org.assertj.core.api.Assertions.assertThat;

import io.trainwatch.event.CommandAcknowledged;
import io.trainwatch.run.Command;
import io.trainwatch.run.CommandAction;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

class CommandInboxTest {
    private static final long T0 = 1_763_760_000_000L;

    private final AtomicLong now = new AtomicLong(T0);
    private final List<String> answers = new ArrayList<>();
    private final CommandInbox inbox = new CommandInbox("r", 2, now::get, this::answered);

    @Test
    void without_a_command_nothing_stops_and_nothing_is_said() {
        inbox.ask(null);
        inbox.checkpointSaved();
        inbox.closed();

        assertThat(inbox.shouldStop()).isFalse();
        assertThat(answers).isEmpty();
    }

    @Test
    void a_stop_is_taken_once_and_completed_at_the_end() {
        inbox.ask(null);
        inbox.receive(command("c1", CommandAction.stop));
        inbox.receive(command("c1", CommandAction.stop));
        assertThat(inbox.shouldStop()).isTrue();
        inbox.closed();

        assertThat(answers).containsExactly("c1 accepted", "c1 completed");
    }

    @Test
    void what_came_before_the_training_asked_waits_and_only_the_newest_counts() {
        inbox.receive(command("c1", CommandAction.stop));
        inbox.receive(command("c2", CommandAction.checkpoint_then_stop));
        assertThat(inbox.shouldStop()).isFalse();
        assertThat(answers).isEmpty();

        assertThat(inbox.ask(null)).isTrue();
        assertThat(inbox.shouldStop()).isTrue();
        assertThat(answers).containsExactly("c2 accepted");
        assertThat(inbox.ask(null)).isFalse();
    }

    @Test
    void a_command_for_another_run_or_attempt_or_for_a_former_life_is_none() {
        inbox.ask(null);
        Command otherRun = command("c1", CommandAction.stop);
        otherRun.setRunId("s");
        Command otherAttempt = command("c2", CommandAction.stop);
        otherAttempt.setAttempt(1);
        Command formerLife = command("c3", CommandAction.stop);
        formerLife.setIssuedAtMs(T0 - 5_001);
        List.of(otherRun, otherAttempt, formerLife).forEach(inbox::receive);

        assertThat(inbox.shouldStop()).isFalse();
        assertThat(answers).isEmpty();
    }

    @Test
    void a_command_that_comes_too_late_is_answered_and_not_obeyed() {
        inbox.ask(null);
        now.addAndGet(3_600_000);
        inbox.receive(command("c1", CommandAction.stop));

        assertThat(inbox.shouldStop()).isFalse();
        assertThat(answers).containsExactly("c1 expired");
    }

    @Test
    void a_checkpoint_needs_a_listener_and_is_completed_by_the_next_one() {
        inbox.ask(null);
        inbox.receive(command("c1", CommandAction.checkpoint));
        assertThat(answers).containsExactly("c1 refused");

        List<CommandAction> heard = new ArrayList<>();
        inbox.ask(command -> heard.add(command.getAction()));
        inbox.receive(command("c2", CommandAction.checkpoint));
        assertThat(heard).containsExactly(CommandAction.checkpoint);
        inbox.checkpointSaved();
        inbox.checkpointSaved();

        assertThat(answers).containsExactly("c1 refused", "c2 accepted", "c2 completed");
        assertThat(inbox.shouldStop()).isFalse();
    }

    @Test
    void a_listener_that_throws_refuses_and_the_training_goes_on() {
        inbox.ask(command -> {
            throw new IllegalStateException("not now");
        });
        inbox.receive(command("c1", CommandAction.stop));

        assertThat(inbox.shouldStop()).isFalse();
        assertThat(answers).containsExactly("c1 refused");
    }

    @Test
    void the_topic_of_commands_lies_beside_that_of_events() {
        assertThat(CommandListener.topicOf((Location.Kafka) Location.parse("kafka:h:9092")))
                .isEqualTo("trainwatch.commands");
        assertThat(CommandListener.topicOf((Location.Kafka) Location.parse("kafka:h:9092?topic=team.events")))
                .isEqualTo("team.commands");
    }

    private static Command command(String id, CommandAction action) {
        Command command = new Command();
        command.setCommandId(id);
        command.setRunId("r");
        command.setAttempt(2);
        command.setAction(action);
        command.setReason("the loss is NaN");
        command.setIssuedAtMs(T0);
        command.setExpiresAtMs(T0 + 3_600_000);
        return command;
    }

    private void answered(CommandAcknowledged answer) {
        answers.add(answer.getCommandId() + " " + answer.getOutcome());
    }
}
