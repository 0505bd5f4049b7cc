package io.trainwatch.monitor.notify;

import static io.trainwatch.monitor.notify.Alerts.nan;
import static io.trainwatch.monitor.notify.Alerts.with;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.trainwatch.codec.SingleObjectCodec;
import io.trainwatch.event.CommandAcknowledged;
import io.trainwatch.event.CommandOutcome;
import io.trainwatch.event.RunFinished;
import io.trainwatch.event.TrainingEvent;
import io.trainwatch.monitor.board.OpenCommands;
import io.trainwatch.monitor.notify.CommandSettings.Policy;
import io.trainwatch.monitor.topology.Broker;
import io.trainwatch.run.CommandAction;
import io.trainwatch.sdk.TrainingRun;
import io.trainwatch.sdk.Trainwatch;
import java.nio.file.Path;
import java.time.Duration;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** From an alert to a trainer that does what the policy says, over a real broker. */
class CommandsTest {
    private static final Duration LIMIT = Duration.ofSeconds(60);

    @TempDir
    Path dir;

    @Test
    void a_training_that_asks_ends_within_a_step_after_its_checkpoint_and_says_so() throws Exception {
        try (Broker broker = new Broker(dir.resolve("kafka"));
                AlertTopic topic = new AlertTopic(broker, "c.");
                Notifier notifier = notifier(topic, Policy.CHECKPOINT_THEN_STOP)) {
            String location = "kafka:" + broker.kafka.bootstrapServers() + "?topic=c.events";
            ConcurrentLinkedQueue<CommandAction> heard = new ConcurrentLinkedQueue<>();
            AtomicLong steps = new AtomicLong();
            Thread training = new Thread(() -> {
                try (TrainingRun run = Trainwatch.run("r").start(location)) {
                    run.onCommand(command -> heard.add(command.getAction()));
                    for (long step = 1; step <= 1_000_000; step++) {
                        run.step(step, 1.0);
                        steps.set(step);
                        if (run.shouldStop()) {
                            run.checkpointSaved(step, "ckpt/" + step);
                            break;
                        }
                        sleep();
                    }
                }
            });
            training.start();
            await().atMost(LIMIT).until(() -> steps.get() > 5);
            topic.put(with(nan("other"), other -> other.setHistorical(true)));
            topic.put(nan("r"));

            training.join(LIMIT.toMillis());
            assertThat(training.isAlive()).isFalse();
            assertThat(heard).containsExactly(CommandAction.checkpoint_then_stop);
            List<TrainingEvent> events = events(broker, topic);
            assertThat(events.get(events.size() - 1).getBody()).isInstanceOf(RunFinished.class);
            assertThat(events.stream().map(TrainingEvent::getBody).filter(CommandAcknowledged.class::isInstance))
                    .map(body -> ((CommandAcknowledged) body).getOutcome())
                    .containsExactly(CommandOutcome.accepted, CommandOutcome.completed);
            assertThat(notifier.counters().commands("checkpoint_then_stop")).isEqualTo(1);
        }
    }

    private static Notifier notifier(AlertTopic topic, Policy policy) {
        NotifySettings nobody = NotifySettings.NOBODY;
        return Notifier.start(
                new NotifySettings(
                        List.of(),
                        nobody.routes(),
                        nobody.grouping(),
                        nobody.rate(),
                        null,
                        nobody.links(),
                        null,
                        nobody.giveUpAfter(),
                        new CommandSettings(Map.of("non_finite_loss", policy), Duration.ofHours(1), null)),
                topic.monitor(),
                new OpenCommands(InstantSource.system()),
                null);
    }

    private static List<TrainingEvent> events(Broker broker, AlertTopic topic) throws Exception {
        List<TrainingEvent> events = new ArrayList<>();
        SingleObjectCodec<TrainingEvent> codec = SingleObjectCodec.events();
        for (var record : broker.read(topic.topics().events())) {
            events.add(codec.decode(record.value()));
        }
        return events;
    }

    /** A step takes its time. */
    private static void sleep() {
        try {
            Thread.sleep(10);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
