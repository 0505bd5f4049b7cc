package io.trainwatch.monitor.intake;

import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.clients.CommonClientConfigs;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.errors.RecordTooLargeException;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Where everything that came over HTTP goes: the events topic, keyed by run, acknowledged by all in-sync replicas, in order.
 *
 * <p>Bounded in bytes that are not acknowledged. What was taken stays in order and is sent for up to {@link #DELIVERY_LIMIT}:
 * a sender that was told to come back earlier sends it again behind, and the monitor drops what it has by {@code seq}.
 */
final class EventOutlet implements AutoCloseable {
    /** As long as a broker may be away before what it has not taken is given up. */
    static final Duration DELIVERY_LIMIT = Duration.ofMinutes(2);

    /** A first send has to ask the broker where the partitions are. */
    private static final Duration METADATA_LIMIT = Duration.ofSeconds(2);

    /** For the same reason; an idle monitor asks again after this. */
    private static final Duration METADATA_MAX_IDLE = Duration.ofDays(1);

    private static final Duration CLOSE_LIMIT = Duration.ofSeconds(5);
    private static final Logger LOG = LoggerFactory.getLogger(EventOutlet.class);

    private final String topic;
    private final long maxBytes;
    private final Producer<String, byte[]> producer;
    private final AtomicLong unacknowledgedBytes = new AtomicLong();

    /**
     * Connects.
     *
     * @param client further settings of the Kafka client, e.g. security
     * @param maxBytes bytes of events that may be unacknowledged
     */
    EventOutlet(String bootstrapServers, Map<String, String> client, String topic, long maxBytes) {
        this.topic = topic;
        this.maxBytes = maxBytes;
        Map<String, Object> settings = new HashMap<>();
        settings.put(ProducerConfig.CLIENT_ID_CONFIG, "trainwatch-intake");
        settings.put(ProducerConfig.LINGER_MS_CONFIG, 5);
        settings.put(ProducerConfig.BATCH_SIZE_CONFIG, 1 << 16);
        settings.put(ProducerConfig.REQUEST_TIMEOUT_MS_CONFIG, 10_000);
        settings.put(ProducerConfig.RECONNECT_BACKOFF_MAX_MS_CONFIG, 2_000);
        settings.put(ProducerConfig.ENABLE_METRICS_PUSH_CONFIG, false);
        settings.putAll(client);
        // What the order and the bounds rest on is not for users to set; why it is not idempotent: KafkaTransport of
        // the
        // SDK.
        settings.put(ProducerConfig.BOOTSTRAP_SERVERS_CONFIG, bootstrapServers);
        settings.put(ProducerConfig.ACKS_CONFIG, "all");
        settings.put(ProducerConfig.ENABLE_IDEMPOTENCE_CONFIG, false);
        settings.put(ProducerConfig.MAX_IN_FLIGHT_REQUESTS_PER_CONNECTION, 1);
        settings.put(ProducerConfig.RETRIES_CONFIG, Integer.MAX_VALUE);
        settings.put(ProducerConfig.DELIVERY_TIMEOUT_MS_CONFIG, (int) DELIVERY_LIMIT.toMillis());
        // The default forgets where the partitions are once no broker answers: every send would then wait for
        // METADATA_LIMIT.
        settings.put(CommonClientConfigs.METADATA_RECOVERY_STRATEGY_CONFIG, "none");
        settings.put(ProducerConfig.METADATA_MAX_IDLE_CONFIG, METADATA_MAX_IDLE.toMillis());
        settings.put(ProducerConfig.MAX_BLOCK_MS_CONFIG, METADATA_LIMIT.toMillis());
        settings.put(ProducerConfig.MAX_REQUEST_SIZE_CONFIG, 2 * EventBody.MAX_EVENT_BYTES);
        // Each batch takes its full size from the start.
        settings.put(ProducerConfig.BUFFER_MEMORY_CONFIG, 2 * maxBytes + (64L << 20));
        producer = new KafkaProducer<>(settings, new StringSerializer(), new ByteArraySerializer());
    }

    /** Events that were not acknowledged yet, in bytes. */
    long unacknowledgedBytes() {
        return unacknowledgedBytes.get();
    }

    /**
     * Sends events in order, all or none of them.
     *
     * @return empty if there is no room for them now. Else completes when each is with the broker or refused by it for good,
     *     with the indices of the latter; fails if one could not be delivered within {@link #DELIVERY_LIMIT}
     */
    @Nullable
    CompletableFuture<List<Integer>> send(List<EventBody.Event> events) {
        long bytes = 0;
        for (EventBody.Event event : events) {
            bytes += event.bytes().length;
        }
        if (!reserve(bytes)) {
            return null;
        }
        Delivery delivery = new Delivery(events.size());
        for (int i = 0; i < events.size(); i++) {
            EventBody.Event event = events.get(i);
            int index = i;
            if (delivery.result.isCompletedExceptionally()) {
                // No order could be kept behind a gap, and every further one might wait for the metadata again.
                release(event);
                continue;
            }
            try {
                Future<RecordMetadata> unused =
                        producer.send(new ProducerRecord<>(topic, event.runId(), event.bytes()), (metadata, error) -> {
                            release(event);
                            delivery.settle(index, error);
                        });
            } catch (RuntimeException e) {
                release(event);
                delivery.settle(index, e);
            }
        }
        return delivery.result;
    }

    private boolean reserve(long bytes) {
        long before = unacknowledgedBytes.get();
        while (before == 0 || before + bytes <= maxBytes) {
            if (unacknowledgedBytes.compareAndSet(before, before + bytes)) {
                return true;
            }
            before = unacknowledgedBytes.get();
        }
        return false;
    }

    private void release(EventBody.Event event) {
        unacknowledgedBytes.addAndGet(-event.bytes().length);
    }

    /** Sends what it has, for up to five seconds. */
    @Override
    public void close() {
        producer.close(CLOSE_LIMIT);
    }

    /** Counts down the events of one call. */
    private static final class Delivery {
        final CompletableFuture<List<Integer>> result = new CompletableFuture<>();
        private final AtomicInteger open;
        private final List<Integer> refused = new ArrayList<>();

        Delivery(int events) {
            open = new AtomicInteger(events);
            if (events == 0) {
                result.complete(List.of());
            }
        }

        void settle(int index, @Nullable Exception error) {
            if (error instanceof RecordTooLargeException) {
                synchronized (refused) {
                    refused.add(index);
                }
            } else if (error != null && result.completeExceptionally(error)) {
                LOG.warn("Events that came over HTTP could not be written to Kafka: {}", error.toString());
            }
            if (open.decrementAndGet() == 0) {
                synchronized (refused) {
                    result.complete(List.copyOf(refused));
                }
            }
        }
    }
}
