package io.trainwatch.monitor.config;

import java.util.Map;

/**
 * The cluster and the topics.
 *
 * @param bootstrapServers brokers to ask first, {@code host:port} with commas
 * @param topicPrefix what the names of the topics start with
 * @param partitions partitions of the topics that are made: the most instances that can share the work; default 4
 * @param replicationFactor copies of the topics that are made; default 1, which a single broker can give
 * @param properties settings of every Kafka client, e.g. {@code security.protocol}
 */
public record KafkaSettings(
        String bootstrapServers, String topicPrefix, int partitions, int replicationFactor, Map<String, String> properties) {
    public static final KafkaSettings DEFAULT = new KafkaSettings("127.0.0.1:9092", "trainwatch", 4, 1, Map.of());

    public KafkaSettings {
        properties = Map.copyOf(properties);
    }
}
