package io.trainwatch.monitor.topology;

import io.trainwatch.alert.Alert;
import io.trainwatch.codec.SingleObjectCodec;
import io.trainwatch.event.TrainingEvent;
import io.trainwatch.monitor.embedded.EmbeddedKafka;
import io.trainwatch.run.RunStatus;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** A real broker with the monitor's topics, and what a test asks of it. */
public final class Broker implements AutoCloseable {
    public static final int PARTITIONS = 4;

    public final EmbeddedKafka kafka;
    public final Topics topics = new Topics("trainwatch.");
    public final Admin admin;
    private final KafkaProducer<byte[], byte[]> producer;
    private final AtomicReference<Exception> sendFailure = new AtomicReference<>();

    public Broker(Path dir) {
        kafka = EmbeddedKafka.start(dir, 0);
        admin = Admin.create(Map.of("bootstrap.servers", kafka.bootstrapServers()));
        topics.create(admin, PARTITIONS, 1);
        producer = new KafkaProducer<>(
                // As the SDK sends: an idempotent producer was seen to send nothing more after a broker was late with
                // its
                // own heartbeats. What arrives twice has the same seq.
                Map.of(
                        "bootstrap.servers",
                        kafka.bootstrapServers(),
                        "enable.idempotence",
                        false,
                        "max.in.flight.requests.per.connection",
                        1,
                        "linger.ms",
                        5),
                new ByteArraySerializer(),
                new ByteArraySerializer());
    }

    public MonitorSettings settings(Path stateDir) {
        return MonitorSettings.forBroker(kafka.bootstrapServers(), stateDir).withPartitions(PARTITIONS);
    }

    public void send(Trainer trainer, TrainingEvent event) {
        send(trainer.key(), trainer.encode(event));
    }

    public void send(byte[] key, byte[] value) {
        var unused = producer.send(new ProducerRecord<>(topics.events(), key, value), (sent, failure) -> {
            if (failure != null) {
                sendFailure.compareAndSet(null, failure);
            }
        });
    }

    /** Waits until everything that was sent is in the topic, and fails if something is not. */
    public void flush() {
        producer.flush();
        if (sendFailure.get() != null) {
            throw new AssertionError("an event of the test did not reach the topic", sendFailure.get());
        }
    }

    /** Events that the monitor has judged for good. */
    long committed() throws Exception {
        long sum = 0;
        for (OffsetAndMetadata offset : admin.listConsumerGroupOffsets(topics.applicationId())
                .partitionsToOffsetAndMetadata()
                .get()
                .values()) {
            sum += offset == null ? 0 : offset.offset();
        }
        return sum;
    }

    /** Events in the topic, those that were sent twice twice. */
    long sent() throws Exception {
        Map<TopicPartition, OffsetSpec> latest = new HashMap<>();
        for (int partition = 0; partition < PARTITIONS; partition++) {
            latest.put(new TopicPartition(topics.events(), partition), OffsetSpec.latest());
        }
        return admin.listOffsets(latest).all().get().values().stream()
                .mapToLong(end -> end.offset())
                .sum();
    }

    public List<Alert> alerts() throws Exception {
        List<Alert> alerts = new ArrayList<>();
        SingleObjectCodec<Alert> codec = SingleObjectCodec.alerts();
        for (ConsumerRecord<byte[], byte[]> r : read(topics.alerts())) {
            alerts.add(TopologyRig.decode(codec, r.value()));
        }
        return alerts;
    }

    Map<String, RunStatus> lastStatuses() throws Exception {
        Map<String, RunStatus> last = new HashMap<>();
        SingleObjectCodec<RunStatus> codec = SingleObjectCodec.runStatuses();
        for (ConsumerRecord<byte[], byte[]> r : read(topics.runs())) {
            last.put(new String(r.key(), StandardCharsets.UTF_8), TopologyRig.decode(codec, r.value()));
        }
        return last;
    }

    /** Everything that is committed in a topic, each partition in order. */
    public List<ConsumerRecord<byte[], byte[]>> read(String topic) throws Exception {
        List<ConsumerRecord<byte[], byte[]>> records = new ArrayList<>();
        try (KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(
                Map.of(
                        "bootstrap.servers",
                        kafka.bootstrapServers(),
                        "isolation.level",
                        "read_committed",
                        "auto.offset.reset",
                        "earliest"),
                new ByteArrayDeserializer(),
                new ByteArrayDeserializer())) {
            List<TopicPartition> partitions = consumer.partitionsFor(topic).stream()
                    .map(p -> new TopicPartition(topic, p.partition()))
                    .toList();
            consumer.assign(partitions);
            Map<TopicPartition, OffsetSpec> latest = new HashMap<>();
            partitions.forEach(p -> latest.put(p, OffsetSpec.latest()));
            var ends = admin.listOffsets(latest).all().get();
            long deadline = System.nanoTime() + Duration.ofSeconds(30).toNanos();
            while (partitions.stream()
                    .anyMatch(p -> consumer.position(p) < ends.get(p).offset())) {
                if (System.nanoTime() > deadline) {
                    throw new AssertionError("a transaction on " + topic + " stays open");
                }
                consumer.poll(Duration.ofMillis(100)).forEach(records::add);
            }
        }
        return records;
    }

    @Override
    public void close() {
        producer.close(Duration.ofSeconds(5));
        admin.close(Duration.ofSeconds(5));
        kafka.close();
    }
}
