package io.trainwatch.monitor.notify;

import io.trainwatch.alert.Alert;
import io.trainwatch.codec.SingleObjectCodec;
import io.trainwatch.monitor.topology.Broker;
import io.trainwatch.monitor.topology.MonitorSettings;
import io.trainwatch.monitor.topology.Topics;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.utils.Utils;

/** The topics of a monitor of a prefix of its own on a real broker, and alerts put there as the monitor puts them. */
final class AlertTopic implements AutoCloseable {
    private final MonitorSettings monitor;
    private final Topics topics;
    private final KafkaProducer<byte[], byte[]> producer;

    AlertTopic(Broker broker, String prefix) {
        monitor = broker.settings(Path.of("unused")).withTopicPrefix(prefix);
        topics = new Topics(prefix);
        topics.create(broker.admin, Broker.PARTITIONS, 1);
        producer = new KafkaProducer<>(
                Map.of("bootstrap.servers", monitor.bootstrapServers(), "enable.idempotence", false, "linger.ms", 0),
                new ByteArraySerializer(),
                new ByteArraySerializer());
    }

    MonitorSettings monitor() {
        return monitor;
    }

    Topics topics() {
        return topics;
    }

    void put(Alert alert) {
        byte[] run = alert.getRunId().getBytes(StandardCharsets.UTF_8);
        int partition = Utils.toPositive(Utils.murmur2(run)) % Broker.PARTITIONS;
        try {
            producer.send(new ProducerRecord<>(
                            topics.alerts(),
                            partition,
                            alert.getAlertId().getBytes(StandardCharsets.UTF_8),
                            SingleObjectCodec.alerts().encode(alert)))
                    .get();
        } catch (InterruptedException | ExecutionException e) {
            throw new AssertionError(e);
        }
    }

    @Override
    public void close() {
        producer.close();
    }
}
