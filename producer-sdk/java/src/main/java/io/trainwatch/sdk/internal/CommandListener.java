package io.trainwatch.sdk.internal;

import io.trainwatch.codec.SingleObjectCodec;
import io.trainwatch.codec.UndecodableException;
import io.trainwatch.run.Command;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndTimestamp;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.WakeupException;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.utils.Utils;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Reads the commands of one run from Kafka, on a daemon thread of its own; brokers that are away are tried again. */
final class CommandListener implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger("io.trainwatch.sdk");
    private static final Duration POLL = Duration.ofSeconds(1);
    private static final Duration RETRY = Duration.ofSeconds(5);
    private static final long LONGEST_LIFE_MS = Duration.ofHours(24).toMillis();

    private final String topic;
    private final String runId;
    private final Map<String, Object> settings;
    private final Consumer<Command> inbox;
    private final Thread thread;
    private volatile @Nullable KafkaConsumer<String, byte[]> consumer;
    private volatile boolean closed;

    private CommandListener(String topic, String runId, Map<String, Object> settings, Consumer<Command> inbox) {
        this.topic = topic;
        this.runId = runId;
        this.settings = settings;
        this.inbox = inbox;
        thread = new Thread(this::run, "trainwatch-commands");
        thread.setDaemon(true);
    }

    /** Begins to listen. */
    static CommandListener start(Location.Kafka location, String runId, Consumer<Command> inbox) {
        Map<String, Object> settings = new HashMap<>(location.client());
        settings.put(ConsumerConfig.BOOTSTRAP_SERVERS_CONFIG, location.bootstrapServers());
        settings.put(ConsumerConfig.ENABLE_AUTO_COMMIT_CONFIG, false);
        settings.put(ConsumerConfig.ALLOW_AUTO_CREATE_TOPICS_CONFIG, false);
        settings.put(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "latest");
        settings.put(ConsumerConfig.DEFAULT_API_TIMEOUT_MS_CONFIG, 10_000);
        settings.put(ConsumerConfig.RECONNECT_BACKOFF_MAX_MS_CONFIG, 2_000);
        settings.put(ConsumerConfig.ENABLE_METRICS_PUSH_CONFIG, false);
        CommandListener listener = new CommandListener(topicOf(location), runId, settings, inbox);
        listener.thread.start();
        return listener;
    }

    /** The topic of commands lies beside that of the events: {@code trainwatch.events}, {@code trainwatch.commands}. */
    static String topicOf(Location.Kafka location) {
        return location.topic().replaceFirst("events$", "") + "commands";
    }

    private void run() {
        Thread.currentThread().setContextClassLoader(CommandListener.class.getClassLoader());
        boolean logged = false;
        while (!closed) {
            try (KafkaConsumer<String, byte[]> made =
                    new KafkaConsumer<>(settings, new StringDeserializer(), new ByteArrayDeserializer())) {
                consumer = made;
                read(made);
            } catch (WakeupException e) {
                log.trace("no more commands", e);
            } catch (RuntimeException | LinkageError e) {
                if (!logged && !closed) {
                    log.warn(
                            "commands cannot be read from topic {}, trying again every {} s: {}",
                            topic,
                            RETRY.toSeconds(),
                            e.toString());
                    logged = true;
                }
                pause();
            } finally {
                consumer = null;
            }
        }
    }

    private void read(KafkaConsumer<String, byte[]> from) {
        SingleObjectCodec<Command> codec = SingleObjectCodec.commands();
        int partitions = from.partitionsFor(topic).size();
        // As the default partitioner of the one who gives them does.
        TopicPartition mine = new TopicPartition(
                topic, Utils.toPositive(Utils.murmur2(runId.getBytes(StandardCharsets.UTF_8))) % partitions);
        from.assign(List.of(mine));
        OffsetAndTimestamp first = from.offsetsForTimes(Map.of(mine, System.currentTimeMillis() - LONGEST_LIFE_MS))
                .get(mine);
        if (first != null) {
            from.seek(mine, first.offset());
        }
        while (!closed) {
            for (ConsumerRecord<String, byte[]> record : from.poll(POLL)) {
                if (runId.equals(record.key()) && record.value() != null) {
                    try {
                        inbox.accept(codec.decode(record.value()));
                    } catch (UndecodableException e) {
                        log.debug("a command cannot be read", e);
                    }
                }
            }
        }
    }

    private void pause() {
        try {
            Thread.sleep(RETRY.toMillis());
        } catch (InterruptedException e) {
            closed = true;
        }
    }

    /** Ends soon; does not wait. */
    @Override
    public void close() {
        closed = true;
        KafkaConsumer<String, byte[]> reading = consumer;
        if (reading != null) {
            reading.wakeup();
        } else {
            thread.interrupt();
        }
    }
}
