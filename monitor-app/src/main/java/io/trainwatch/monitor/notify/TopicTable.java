package io.trainwatch.monitor.notify;

import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.WakeupException;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A compacted topic, read from its beginning and further as it grows, on a thread of its own: every instance knows all of
 * it. While the brokers do not answer, what was read stays.
 */
final class TopicTable implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(TopicTable.class);
    private static final Duration POLL = Duration.ofMillis(500);
    private static final Duration RETRY = Duration.ofSeconds(2);
    private static final Duration CLOSE_LIMIT = Duration.ofSeconds(5);

    /** Takes what the topic says of a key. */
    interface Rows {
        /** The latest value of a key; null where it has none any more. */
        void put(String key, byte @Nullable [] value);
    }

    private final String topic;
    private final Map<String, Object> client;
    private final Rows rows;
    private final Thread thread;
    private final ConcurrentLinkedQueue<CatchUp> waiting = new ConcurrentLinkedQueue<>();
    private volatile @Nullable KafkaConsumer<String, byte[]> consumer;
    private volatile boolean closed;

    /** Somebody who waits for what was in the topic when they asked. */
    private static final class CatchUp {
        final CompletableFuture<Boolean> done = new CompletableFuture<>();

        @Nullable
        Map<TopicPartition, Long> ends;
    }

    /** Begins to read. */
    TopicTable(Map<String, Object> clientProperties, String topic, Rows rows) {
        this.topic = topic;
        this.rows = rows;
        client = new HashMap<>(clientProperties);
        client.put(ConsumerConfig.ENABLE_AUTO_COMMIT_CONFIG, false);
        client.put(ConsumerConfig.ALLOW_AUTO_CREATE_TOPICS_CONFIG, false);
        client.put(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "earliest");
        thread = new Thread(this::run, "trainwatch-table-" + topic);
        thread.setDaemon(true);
        thread.start();
    }

    /** Waits until all that is in the topic now has been read; says whether that came in time. */
    boolean catchUp(Duration limit) throws InterruptedException {
        CatchUp mine = new CatchUp();
        waiting.add(mine);
        KafkaConsumer<String, byte[]> reading = consumer;
        if (reading != null) {
            reading.wakeup();
        }
        try {
            return mine.done.get(limit.toMillis(), TimeUnit.MILLISECONDS);
        } catch (TimeoutException e) {
            return false;
        } catch (ExecutionException e) {
            throw new IllegalStateException(e);
        } finally {
            waiting.remove(mine);
        }
    }

    private void run() {
        boolean logged = false;
        while (!closed) {
            try (KafkaConsumer<String, byte[]> made =
                    new KafkaConsumer<>(client, new StringDeserializer(), new ByteArrayDeserializer())) {
                consumer = made;
                read(made);
            } catch (WakeupException e) {
                LOG.trace("Somebody waits, or it is time to end", e);
            } catch (KafkaException e) {
                if (!closed && !logged) {
                    LOG.warn("Topic {} cannot be read, trying again every {} s", topic, RETRY.toSeconds(), e);
                    logged = true;
                }
                pause();
            } finally {
                consumer = null;
            }
        }
    }

    private void read(KafkaConsumer<String, byte[]> from) {
        List<TopicPartition> partitions = new ArrayList<>();
        from.partitionsFor(topic).forEach(info -> partitions.add(new TopicPartition(topic, info.partition())));
        from.assign(partitions);
        from.seekToBeginning(partitions);
        waiting.forEach(catchUp -> catchUp.ends = null);
        while (!closed) {
            try {
                for (ConsumerRecord<String, byte[]> row : from.poll(POLL)) {
                    if (row.key() != null) {
                        rows.put(row.key(), row.value());
                    }
                }
                tellWhoWaits(from, partitions);
            } catch (WakeupException e) {
                // Somebody waits, or it is time to end.
                tellWhoWaits(from, partitions);
            }
        }
    }

    private void tellWhoWaits(KafkaConsumer<String, byte[]> from, List<TopicPartition> partitions) {
        for (CatchUp catchUp : waiting) {
            Map<TopicPartition, Long> ends = catchUp.ends;
            if (ends == null) {
                ends = from.endOffsets(partitions);
                catchUp.ends = ends;
            }
            if (ends.entrySet().stream().allMatch(end -> from.position(end.getKey()) >= end.getValue())) {
                catchUp.done.complete(true);
            }
        }
    }

    private void pause() {
        try {
            Thread.sleep(RETRY.toMillis());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    @Override
    public void close() {
        closed = true;
        KafkaConsumer<String, byte[]> reading = consumer;
        if (reading != null) {
            reading.wakeup();
        }
        try {
            thread.join(CLOSE_LIMIT.toMillis());
            thread.interrupt();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
