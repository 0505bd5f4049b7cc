package io.trainwatch.sdk.internal;

import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.errors.InvalidTopicException;
import org.apache.kafka.common.errors.RecordTooLargeException;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Sends events to Kafka, keyed by run, acknowledged by all in-sync replicas, in order.
 *
 * <p>The client never blocks us ({@code max.block.ms=0}: what it cannot take at once is refused) and never gives up
 * ({@code delivery.timeout.ms} without end): what it has taken stays in order through every outage, because a batch that
 * expired while later ones arrive would break the order. The client itself is made on a thread of its own, which resolves
 * names and may hang in it.
 */
final class KafkaTransport implements Transport {
    private static final Logger log = LoggerFactory.getLogger("io.trainwatch.sdk");
    private static final Duration CONNECT_RETRY = Duration.ofSeconds(2);
    private static final long REFUSED_PAUSE_NANOS = 20_000_000;

    private final String topic;
    private final String key;
    private final Thread sender = Thread.currentThread();
    private final AtomicLong settled = new AtomicLong();
    private final AtomicLong rejected = new AtomicLong();

    private volatile @Nullable Producer<String, byte[]> producer;
    private volatile boolean failed;
    private volatile boolean closed;

    private boolean refused;
    private long refusedAtNanos = System.nanoTime() - REFUSED_PAUSE_NANOS;

    /** Begins to connect; the constructing thread is the one that offers. */
    KafkaTransport(Location.Kafka location, String runId) {
        topic = location.topic();
        key = runId;
        Thread connect = new Thread(() -> connect(settings(location)), "trainwatch-connect");
        connect.setDaemon(true);
        connect.start();
    }

    private static Map<String, Object> settings(Location.Kafka location) {
        Map<String, Object> settings = new HashMap<>();
        settings.put(ProducerConfig.CLIENT_ID_CONFIG, "trainwatch");
        settings.put(ProducerConfig.LINGER_MS_CONFIG, 5);
        settings.put(ProducerConfig.BATCH_SIZE_CONFIG, 1 << 16);
        settings.put(ProducerConfig.REQUEST_TIMEOUT_MS_CONFIG, 10_000);
        settings.put(ProducerConfig.RECONNECT_BACKOFF_MAX_MS_CONFIG, 2_000);
        settings.put(ProducerConfig.ENABLE_METRICS_PUSH_CONFIG, false);
        settings.putAll(location.client());
        // What the order and the bounds rest on is not for users to set.
        settings.put(ProducerConfig.BOOTSTRAP_SERVERS_CONFIG, location.bootstrapServers());
        settings.put(ProducerConfig.ACKS_CONFIG, "all");
        // A batch that is sent again may arrive twice, which the monitor sees by seq. An idempotent producer would
        // prevent
        // that, but one that lost step with its broker (fenced under load) repeats OUT_OF_ORDER_SEQUENCE_NUMBER for
        // ever
        // where no delivery timeout ends it. One request at a time keeps the order.
        settings.put(ProducerConfig.ENABLE_IDEMPOTENCE_CONFIG, false);
        settings.put(ProducerConfig.MAX_IN_FLIGHT_REQUESTS_PER_CONNECTION, 1);
        settings.put(ProducerConfig.RETRIES_CONFIG, Integer.MAX_VALUE);
        settings.put(ProducerConfig.DELIVERY_TIMEOUT_MS_CONFIG, Integer.MAX_VALUE);
        settings.put(ProducerConfig.MAX_BLOCK_MS_CONFIG, 0L);
        settings.put(ProducerConfig.MAX_REQUEST_SIZE_CONFIG, 2 * Limits.MAX_EVENT_BYTES);
        settings.put(ProducerConfig.BUFFER_MEMORY_CONFIG, 16L << 20);
        return settings;
    }

    private void connect(Map<String, Object> settings) {
        Thread.currentThread().setContextClassLoader(KafkaTransport.class.getClassLoader());
        boolean logged = false;
        while (!closed) {
            try {
                publish(new KafkaProducer<>(settings, new StringSerializer(), new ByteArraySerializer()));
                return;
            } catch (RuntimeException | LinkageError e) {
                if (!logged) {
                    log.warn("no Kafka client yet, trying again every {} s: {}", CONNECT_RETRY.toSeconds(), reason(e));
                    logged = true;
                }
                try {
                    Thread.sleep(CONNECT_RETRY.toMillis());
                } catch (InterruptedException interrupted) {
                    return;
                }
            }
        }
    }

    private synchronized void publish(Producer<String, byte[]> made) {
        if (closed) {
            made.close(Duration.ZERO);
        } else {
            producer = made;
        }
    }

    private static String reason(Throwable e) {
        return e.getCause() == null ? e.toString() : e.getMessage() + ": " + e.getCause();
    }

    @Override
    public boolean offer(byte[] event) {
        return offer(key, event);
    }

    @Override
    public boolean offer(String runId, byte[] event) {
        Producer<String, byte[]> client = producer;
        if (client == null || failed || System.nanoTime() - refusedAtNanos < REFUSED_PAUSE_NANOS) {
            return false;
        }
        refused = false;
        try {
            Future<RecordMetadata> unused = client.send(new ProducerRecord<>(topic, runId, event), this::onCompletion);
        } catch (RuntimeException e) {
            fail(e);
            return false;
        }
        if (refused) {
            refusedAtNanos = System.nanoTime();
        }
        return !refused;
    }

    /** Runs on the client's thread for events that it has taken, and within {@link #offer} for those that it has not. */
    private void onCompletion(@Nullable RecordMetadata metadata, @Nullable Exception error) {
        if (error != null && Thread.currentThread() == sender) {
            refused = true;
            if (error instanceof InvalidTopicException) {
                fail(error);
            }
        } else if (!failed) {
            if (error instanceof RecordTooLargeException) {
                rejected.incrementAndGet();
                settled.incrementAndGet();
            } else if (error != null) {
                fail(error);
            } else {
                settled.incrementAndGet();
            }
        }
    }

    private void fail(Exception error) {
        if (!failed && !closed) {
            log.warn("the Kafka client failed and will be replaced: {}", error.toString());
        }
        failed = true;
    }

    @Override
    public long settled() {
        return settled.get();
    }

    @Override
    public long rejected() {
        return rejected.get();
    }

    @Override
    public boolean hasFailed() {
        return failed;
    }

    @Override
    public synchronized void close() {
        closed = true;
        Producer<String, byte[]> client = producer;
        if (client != null) {
            // The client waits for its thread to end.
            Thread disconnect = new Thread(() -> client.close(Duration.ZERO), "trainwatch-disconnect");
            disconnect.setDaemon(true);
            disconnect.start();
        }
    }
}
