package io.trainwatch.monitor.demo;

import io.trainwatch.alert.Alert;
import io.trainwatch.codec.SingleObjectCodec;
import io.trainwatch.codec.UndecodableException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Reads the alerts topic from its beginning, committed alerts only, as any sink would. Not thread-safe. */
final class AlertFeed implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(AlertFeed.class);

    private final KafkaConsumer<byte[], byte[]> consumer;
    private final SingleObjectCodec<Alert> codec = SingleObjectCodec.alerts();

    AlertFeed(String bootstrapServers, String topic) {
        consumer = new KafkaConsumer<>(
                Map.of(
                        ConsumerConfig.BOOTSTRAP_SERVERS_CONFIG,
                        bootstrapServers,
                        ConsumerConfig.ISOLATION_LEVEL_CONFIG,
                        "read_committed",
                        ConsumerConfig.ENABLE_AUTO_COMMIT_CONFIG,
                        false),
                new ByteArrayDeserializer(),
                new ByteArrayDeserializer());
        List<TopicPartition> partitions = consumer.partitionsFor(topic).stream()
                .map(partition -> new TopicPartition(topic, partition.partition()))
                .toList();
        consumer.assign(partitions);
        consumer.seekToBeginning(partitions);
    }

    /** What has become readable since the last call; waits for it at most this long. */
    List<Alert> poll(Duration longest) {
        List<Alert> alerts = new ArrayList<>();
        for (ConsumerRecord<byte[], byte[]> record : consumer.poll(longest)) {
            if (record.value() != null) {
                try {
                    alerts.add(codec.decode(record.value()));
                } catch (UndecodableException e) {
                    LOG.warn("A record of {} is no alert: {}", record.topic(), e.getMessage());
                }
            }
        }
        return alerts;
    }

    @Override
    public void close() {
        consumer.close();
    }
}
