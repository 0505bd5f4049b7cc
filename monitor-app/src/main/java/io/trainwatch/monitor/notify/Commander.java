package io.trainwatch.monitor.notify;

import io.trainwatch.alert.Alert;
import io.trainwatch.codec.SingleObjectCodec;
import io.trainwatch.codec.UndecodableException;
import io.trainwatch.monitor.board.OpenCommands;
import io.trainwatch.monitor.notify.CommandSettings.Policy;
import io.trainwatch.run.Command;
import io.trainwatch.run.CommandAction;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.InstantSource;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Gives trainers commands, where the settings or a person say so. The id of a command follows from the alert and the
 * action: given twice, it is one command, which a trainer carries out once.
 */
final class Commander implements AlertReader.Listener {
    private static final Logger LOG = LoggerFactory.getLogger(Commander.class);
    private static final Duration WRITE_LIMIT = Duration.ofSeconds(10);

    private final CommandSettings settings;
    private final String topic;
    private final KafkaProducer<String, byte[]> producer;
    private final OpenCommands open;
    private final Muting muting;
    private final NotifyCounters counters;
    private final InstantSource clock;

    Commander(
            CommandSettings settings,
            String topic,
            KafkaProducer<String, byte[]> producer,
            OpenCommands open,
            Muting muting,
            NotifyCounters counters,
            InstantSource clock) {
        this.settings = settings;
        this.topic = topic;
        this.producer = producer;
        this.open = open;
        this.muting = muting;
        this.counters = counters;
        this.clock = clock;
    }

    /** What the topic of commands says of a run. */
    void read(String runId, byte @Nullable [] value) {
        if (value == null) {
            open.remove(runId);
            return;
        }
        try {
            open.put(SingleObjectCodec.commands().decode(value));
        } catch (UndecodableException e) {
            LOG.warn("The command for run {} cannot be read: {}", PlainText.line(runId, 100), e.getMessage());
        }
    }

    @Override
    public void takeOver() {}

    @Override
    public void handle(List<Alert> alerts) throws InterruptedException {
        for (Alert alert : alerts) {
            Optional<CommandAction> action = action(alert);
            long now = clock.millis();
            if (action.isPresent()
                    && !muting.isSilenced(alert, now)
                    && muting.acknowledgedAtMs(alert, now).isEmpty()) {
                give(alert, action.get(), "policy for " + alert.getDetector());
            }
        }
        for (String runId : open.expired()) {
            write(runId, null);
            open.remove(runId);
        }
    }

    private Optional<CommandAction> action(Alert alert) {
        if (Incident.isResolved(alert) || !Routes.pages(alert)) {
            return Optional.empty();
        }
        return switch (settings.on().getOrDefault(alert.getDetector(), Policy.NOTIFY)) {
            case NOTIFY, ASK -> Optional.empty();
            case CHECKPOINT -> Optional.of(CommandAction.checkpoint);
            case STOP -> Optional.of(CommandAction.stop);
            case CHECKPOINT_THEN_STOP -> Optional.of(CommandAction.checkpoint_then_stop);
        };
    }

    private void give(Alert alert, CommandAction action, String by) throws InterruptedException {
        give(alert.getRunId(), alert.getAttempt(), alert.getAlertId(), action, alert.getMessage(), by);
    }

    /** Gives a command; one that the run has already is not given again. Returns when the brokers have it. */
    void give(String runId, int attempt, String alertId, CommandAction action, String reason, String by)
            throws InterruptedException {
        String id = id(alertId, action);
        if (open.of(runId).stream().anyMatch(command -> command.getCommandId().equals(id))) {
            return;
        }
        long now = clock.millis();
        Command command = new Command();
        command.setCommandId(id);
        command.setRunId(runId);
        command.setAttempt(attempt);
        command.setAction(action);
        command.setReason(PlainText.line(reason, PageText.MAX_FACT));
        command.setAlertId(alertId);
        command.setIssuedBy(PlainText.line(by, 100));
        command.setIssuedAtMs(now);
        command.setExpiresAtMs(now + settings.expiry().toMillis());
        write(runId, SingleObjectCodec.commands().encode(command));
        open.put(command);
        counters.commanded(action.name());
        LOG.info(
                "Run {} attempt {} is told to {}: {}",
                PlainText.line(runId, 100),
                attempt,
                action,
                command.getReason());
    }

    static String id(String alertId, CommandAction action) {
        return UUID.nameUUIDFromBytes((alertId + " " + action).getBytes(StandardCharsets.UTF_8))
                .toString()
                .replace("-", "");
    }

    private void write(String runId, byte @Nullable [] value) throws InterruptedException {
        try {
            producer.send(new ProducerRecord<>(topic, runId, value)).get(WRITE_LIMIT.toMillis(), TimeUnit.MILLISECONDS);
        } catch (ExecutionException e) {
            throw e.getCause() instanceof KafkaException kafka ? kafka : new KafkaException(e.getCause());
        } catch (TimeoutException e) {
            throw new KafkaException("the brokers did not answer in time", e);
        }
    }
}
