package io.trainwatch.monitor.notify;

import io.trainwatch.alert.Alert;
import io.trainwatch.codec.SingleObjectCodec;
import io.trainwatch.codec.UndecodableException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.WakeupException;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Reads the committed alerts in a consumer group of its own, on a thread of its own, and commits what its listener has
 * dealt with: after a crash the alerts since the last commit come again. Of several instances one reads ({@link
 * OneReader}). A group that is new begins with the alerts of the last ten minutes.
 */
final class AlertReader implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(AlertReader.class);
    private static final Duration LONGEST_POLL = Duration.ofMillis(500);
    private static final Duration FIRST_RETRY = Duration.ofMillis(500);
    private static final Duration LONGEST_RETRY = Duration.ofSeconds(15);
    private static final Duration CLOSE_LIMIT = Duration.ofSeconds(4);
    private static final Duration LOOK_BACK = Duration.ofMinutes(10);
    private static final int MAX_ALERTS = 500;

    /** Deals with alerts; called by one thread only. */
    interface Listener {
        /** This instance reads from now on, after another one or none had read. */
        void takeOver() throws InterruptedException;

        /** Another instance may read from now on. */
        default void release() {}

        /**
         * Deals with alerts, possibly none: called whenever some have come and every half second besides. What must
         * survive a crash is safe when this returns; they come again if it throws.
         */
        void handle(List<Alert> alerts) throws InterruptedException;
    }

    private final String group;
    private final String topic;
    private final Map<String, Object> client;
    private final Listener listener;
    private final CountDownLatch closing = new CountDownLatch(1);
    private final Thread thread;
    private volatile @Nullable KafkaConsumer<byte[], byte[]> consumer;
    private volatile boolean reads;
    private boolean takenOver;
    private long undecodable;

    /** Begins to read. */
    AlertReader(Map<String, Object> clientProperties, String topic, String group, Listener listener) {
        this.topic = topic;
        this.group = group;
        this.listener = listener;
        client = new HashMap<>(clientProperties);
        client.put(ConsumerConfig.GROUP_ID_CONFIG, group);
        client.put(ConsumerConfig.ISOLATION_LEVEL_CONFIG, "read_committed");
        client.put(ConsumerConfig.ENABLE_AUTO_COMMIT_CONFIG, false);
        client.put(ConsumerConfig.ALLOW_AUTO_CREATE_TOPICS_CONFIG, false);
        // Only where a committed place is gone with its alerts; a new group is placed below. "by_duration" looks for a
        // place
        // in an empty partition again after half a minute only, and a first alert there would wait for that.
        client.put(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "earliest");
        client.put(ConsumerConfig.PARTITION_ASSIGNMENT_STRATEGY_CONFIG, OneReader.class.getName());
        client.put(ConsumerConfig.MAX_POLL_RECORDS_CONFIG, MAX_ALERTS);
        // An instance that died gives its sinks to another one after this.
        client.put(ConsumerConfig.SESSION_TIMEOUT_MS_CONFIG, 20_000);
        client.put(ConsumerConfig.HEARTBEAT_INTERVAL_MS_CONFIG, 2_000);
        client.put(ConsumerConfig.DEFAULT_API_TIMEOUT_MS_CONFIG, 10_000);
        thread = new Thread(this::run, "trainwatch-" + group);
        thread.setDaemon(true);
        thread.start();
    }

    /** Whether this instance is the one of the group that reads. */
    boolean reads() {
        return reads;
    }

    private void run() {
        Duration retry = FIRST_RETRY;
        while (closing.getCount() > 0) {
            long begun = System.nanoTime();
            try (KafkaConsumer<byte[], byte[]> made =
                    new KafkaConsumer<>(client, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
                consumer = made;
                read(made);
            } catch (WakeupException | InterruptedException e) {
                LOG.trace("Told to end", e);
            } catch (RuntimeException e) {
                LOG.warn("Group {} could not go on and begins again in {} ms", group, retry.toMillis(), e);
            } finally {
                consumer = null;
                stopReading();
            }
            if (System.nanoTime() - begun > LONGEST_RETRY.toNanos()) {
                retry = FIRST_RETRY;
            }
            pause(retry);
            retry = retry.multipliedBy(2).compareTo(LONGEST_RETRY) < 0 ? retry.multipliedBy(2) : LONGEST_RETRY;
        }
    }

    private void stopReading() {
        reads = false;
        if (takenOver) {
            takenOver = false;
            listener.release();
        }
    }

    private void read(KafkaConsumer<byte[], byte[]> from) throws InterruptedException {
        SingleObjectCodec<Alert> codec = SingleObjectCodec.alerts();
        from.subscribe(List.of(topic), new ConsumerRebalanceListener() {
            @Override
            public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
                stopReading();
            }

            @Override
            public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
                placeNew(from, partitions);
                reads = !partitions.isEmpty();
            }
        });
        while (closing.getCount() > 0) {
            List<Alert> alerts = new ArrayList<>();
            ConsumerRecords<byte[], byte[]> records = from.poll(LONGEST_POLL);
            records.forEach(record -> decode(codec, record, alerts));
            if (!reads) {
                continue;
            }
            if (!takenOver) {
                takenOver = true;
                listener.takeOver();
            }
            listener.handle(alerts);
            if (!records.isEmpty()) {
                commit(from, records.nextOffsets());
            }
        }
    }

    /** Commits the place of a new group at once, so that it counts from there on, however long it is away. */
    private void placeNew(KafkaConsumer<byte[], byte[]> from, Collection<TopicPartition> partitions) {
        Set<TopicPartition> unplaced = new HashSet<>(partitions);
        from.committed(unplaced).forEach((partition, place) -> {
            if (place != null) {
                unplaced.remove(partition);
            }
        });
        if (unplaced.isEmpty()) {
            return;
        }
        Map<TopicPartition, Long> ends = from.endOffsets(unplaced);
        long since = System.currentTimeMillis() - LOOK_BACK.toMillis();
        Map<TopicPartition, Long> times = new HashMap<>();
        unplaced.forEach(partition -> times.put(partition, since));
        Map<TopicPartition, OffsetAndMetadata> places = new HashMap<>();
        from.offsetsForTimes(times).forEach((partition, first) -> {
            long place = first != null ? first.offset() : ends.getOrDefault(partition, 0L);
            from.seek(partition, place);
            places.put(partition, new OffsetAndMetadata(place));
        });
        commit(from, places);
    }

    private void commit(KafkaConsumer<byte[], byte[]> from, Map<TopicPartition, OffsetAndMetadata> places) {
        try {
            from.commitSync(places);
        } catch (KafkaException e) {
            LOG.warn("Group {} could not commit; what it dealt with may come again: {}", group, e.toString());
        }
    }

    private void decode(SingleObjectCodec<Alert> codec, ConsumerRecord<byte[], byte[]> record, List<Alert> alerts) {
        if (record.value() == null) {
            return;
        }
        try {
            alerts.add(codec.decode(record.value()));
        } catch (UndecodableException e) {
            if (undecodable++ % 1_000 == 0) {
                LOG.warn("A record of {} is no alert ({} so far): {}", topic, undecodable, e.getMessage());
            }
        }
    }

    private void pause(Duration time) {
        try {
            boolean ending = closing.await(time.toMillis(), TimeUnit.MILLISECONDS);
            LOG.trace("Ending: {}", ending);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    /** Ends within about nine seconds: a page that is on its way may arrive, and is told again otherwise. */
    @Override
    public void close() {
        closing.countDown();
        KafkaConsumer<byte[], byte[]> reading = consumer;
        if (reading != null) {
            reading.wakeup();
        }
        try {
            thread.join(CLOSE_LIMIT.toMillis());
            if (thread.isAlive()) {
                thread.interrupt();
                thread.join(CLOSE_LIMIT.toMillis());
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
