package io.trainwatch.monitor.embedded;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class EmbeddedKafkaTest {
    @TempDir
    Path dir;

    @Test
    void records_survive_a_restart_on_another_port() throws Exception {
        try (EmbeddedKafka kafka = EmbeddedKafka.start(dir, 0)) {
            try (Admin admin = Admin.create(Map.of("bootstrap.servers", kafka.bootstrapServers()))) {
                admin.createTopics(List.of(new NewTopic("t", Optional.of(1), Optional.empty())))
                        .all()
                        .get();
            }
            try (var producer = new KafkaProducer<>(
                    Map.<String, Object>of("bootstrap.servers", kafka.bootstrapServers()),
                    new StringSerializer(),
                    new StringSerializer())) {
                producer.send(new ProducerRecord<>("t", "k", "kept")).get();
            }
        }
        try (EmbeddedKafka kafka = EmbeddedKafka.start(dir, 0);
                var consumer = new KafkaConsumer<>(
                        Map.<String, Object>of(
                                "bootstrap.servers", kafka.bootstrapServers(), "auto.offset.reset", "earliest"),
                        new StringDeserializer(),
                        new StringDeserializer())) {
            consumer.assign(List.of(new TopicPartition("t", 0)));
            assertThat(consumer.poll(Duration.ofSeconds(20)))
                    .singleElement()
                    .satisfies(record -> assertThat(record.value()).isEqualTo("kept"));
        }
    }

    @Test
    void a_directory_serves_one_broker_at_a_time() {
        try (EmbeddedKafka kafka = EmbeddedKafka.start(dir, 0)) {
            assertThat(kafka.port()).isPositive();
            assertThatThrownBy(() -> EmbeddedKafka.start(dir, 0))
                    .isInstanceOf(EmbeddedKafkaException.class)
                    .hasMessageContaining(dir.toString())
                    .hasMessageContaining("is in use by another broker. Stop that one, or choose another directory.");
        }
    }

    @Test
    void a_damaged_directory_is_one_clear_error_and_is_free_afterwards() throws Exception {
        Path meta = dir.resolve("kafka").resolve("meta.properties");
        EmbeddedKafka.start(dir, 0).close();
        String good = Files.readString(meta);
        Files.writeString(meta, "version=1\n");
        assertThatThrownBy(() -> EmbeddedKafka.start(dir, 0))
                .isInstanceOf(EmbeddedKafkaException.class)
                .hasMessageContaining("cannot start on data directory " + dir)
                .hasMessageContaining("move it away");
        Files.writeString(meta, good);
        EmbeddedKafka.start(dir, 0).close();
    }

    @Test
    void a_directory_that_is_a_file_is_refused() throws Exception {
        Path file = Files.createFile(dir.resolve("file"));
        assertThatThrownBy(() -> EmbeddedKafka.start(file, 0))
                .isInstanceOf(EmbeddedKafkaException.class)
                .hasMessageContaining("Data directory " + file + " cannot be written");
    }

    @Test
    void a_port_that_is_taken_is_refused_by_name() throws Exception {
        try (ServerSocket taken = new ServerSocket(0, 1, InetAddress.getByAddress(new byte[] {127, 0, 0, 1}))) {
            assertThatThrownBy(() -> EmbeddedKafka.start(dir, taken.getLocalPort()))
                    .isInstanceOf(EmbeddedKafkaException.class)
                    .hasMessageContaining("Port " + taken.getLocalPort())
                    .hasMessageContaining("choose another port (0 takes a free one)");
        }
    }
}
