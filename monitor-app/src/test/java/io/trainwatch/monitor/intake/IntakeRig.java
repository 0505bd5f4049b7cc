package io.trainwatch.monitor.intake;

import io.prometheus.metrics.expositionformats.PrometheusTextFormatWriter;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.trainwatch.codec.EventJson;
import io.trainwatch.codec.SingleObjectCodec;
import io.trainwatch.event.TrainingEvent;
import io.trainwatch.monitor.board.RunBoard;
import io.trainwatch.monitor.embedded.EmbeddedKafka;
import io.trainwatch.monitor.topology.Topics;
import io.trainwatch.monitor.web.HttpSettings;
import io.trainwatch.monitor.web.WebServer;
import io.trainwatch.run.Command;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/** The intake over real HTTP, before a real broker. */
final class IntakeRig implements AutoCloseable {
    static final Topics TOPICS = new Topics("trainwatch.");
    private static final int PARTITIONS = 4;

    final RunBoard board = new RunBoard();
    final Map<String, List<Command>> commands = new HashMap<>();
    final HttpClient http = HttpClient.newHttpClient();
    EmbeddedKafka kafka;
    final WebServer web;
    private final Path dir;
    private final Intake intake;
    private final PrometheusRegistry metrics = new PrometheusRegistry();

    IntakeRig(Path dir, IntakeSettings settings) throws IOException {
        this.dir = dir;
        kafka = EmbeddedKafka.start(dir, 0);
        try (Admin admin = admin()) {
            TOPICS.create(admin, PARTITIONS, 1);
        }
        intake = Intake.start(
                settings,
                kafka.bootstrapServers(),
                Map.of(),
                TOPICS.events(),
                board,
                runId -> commands.getOrDefault(runId, List.of()));
        metrics.register(intake.metrics());
        web = WebServer.start(
                new HttpSettings("127.0.0.1", 0, null), board, metrics, Optional::empty, intake.endpoints());
    }

    private Admin admin() {
        return Admin.create(Map.of("bootstrap.servers", kafka.bootstrapServers()));
    }

    void stopBroker() {
        kafka.close();
    }

    void startBroker() {
        kafka = EmbeddedKafka.start(dir, kafka.port());
    }

    HttpRequest.Builder request(String path) {
        return HttpRequest.newBuilder(URI.create(web.url() + path)).timeout(Duration.ofSeconds(30));
    }

    HttpResponse<String> post(String path, String body) throws Exception {
        return send(request(path)
                .header("Content-Type", "application/json")
                .POST(HttpRequest.BodyPublishers.ofString(body)));
    }

    HttpResponse<String> send(HttpRequest.Builder request) throws Exception {
        return http.send(request.build(), HttpResponse.BodyHandlers.ofString());
    }

    String scrape() throws IOException {
        ByteArrayOutputStream text = new ByteArrayOutputStream();
        PrometheusTextFormatWriter.create().write(text, metrics.scrape());
        return text.toString(StandardCharsets.UTF_8);
    }

    /** Everything in the events topic, each run in order. */
    List<ConsumerRecord<byte[], byte[]>> records() throws Exception {
        List<ConsumerRecord<byte[], byte[]>> records = new ArrayList<>();
        try (Admin admin = admin();
                KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(
                        Map.of("bootstrap.servers", kafka.bootstrapServers(), "auto.offset.reset", "earliest"),
                        new ByteArrayDeserializer(),
                        new ByteArrayDeserializer())) {
            List<TopicPartition> partitions = new ArrayList<>();
            Map<TopicPartition, OffsetSpec> latest = new HashMap<>();
            for (int partition = 0; partition < PARTITIONS; partition++) {
                partitions.add(new TopicPartition(TOPICS.events(), partition));
                latest.put(partitions.get(partition), OffsetSpec.latest());
            }
            consumer.assign(partitions);
            var ends = admin.listOffsets(latest).all().get();
            while (partitions.stream()
                    .anyMatch(p -> consumer.position(p) < ends.get(p).offset())) {
                consumer.poll(Duration.ofMillis(100)).forEach(records::add);
            }
        }
        return records;
    }

    List<TrainingEvent> events() throws Exception {
        SingleObjectCodec<TrainingEvent> codec = SingleObjectCodec.events();
        List<TrainingEvent> events = new ArrayList<>();
        for (ConsumerRecord<byte[], byte[]> record : records()) {
            events.add(codec.decode(record.value()));
        }
        return events;
    }

    /** The events of one run as JSON. */
    List<String> lines(String runId) throws Exception {
        return events().stream()
                .filter(event -> event.getRunId().equals(runId))
                .map(EventJson::write)
                .toList();
    }

    @Override
    public void close() {
        web.close();
        intake.close();
        kafka.close();
    }
}
