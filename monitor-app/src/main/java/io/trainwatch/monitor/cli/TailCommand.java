package io.trainwatch.monitor.cli;

import io.trainwatch.attach.cli.Printable;
import io.trainwatch.codec.RecordJson;
import io.trainwatch.codec.SingleObjectCodec;
import io.trainwatch.codec.UndecodableException;
import io.trainwatch.monitor.config.Configuration;
import io.trainwatch.monitor.topology.MonitorSettings;
import io.trainwatch.monitor.topology.Topics;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.Callable;
import org.apache.avro.specific.SpecificRecordBase;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.PartitionInfo;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Shows a topic as lines of JSON. */
@Command(
        name = "tail",
        mixinStandardHelpOptions = true,
        versionProvider = Trainwatch.Version.class,
        description = {
            "Shows what travels through Kafka as lines of JSON, until you press Ctrl-C.",
            "",
            "A record that cannot be decoded is told on stderr and passed over. Alerts are read committed: what is shown"
                    + " stays.",
            ""
        },
        footer = {
            "",
            "Examples:",
            "  trainwatch tail alerts",
            "  trainwatch tail events --run resnet-7 --from-beginning --until-end | jq .loss",
            "",
            "Exit codes:",
            "  0  ended as asked",
            "  2  no broker, no such topic, or settings that cannot be used"
        })
final class TailCommand implements Callable<Integer> {
    private static final Duration BROKER_LIMIT = Duration.ofSeconds(10);
    private static final Duration POLL = Duration.ofMillis(200);
    private static final int MAX_COMPLAINTS = 10;

    /** What can be shown. */
    enum Stream {
        events,
        alerts,
        runs;

        String topic(Topics topics) {
            return switch (this) {
                case events -> topics.events();
                case alerts -> topics.alerts();
                case runs -> topics.runs();
            };
        }

        SingleObjectCodec<? extends SpecificRecordBase> codec() {
            return switch (this) {
                case events -> SingleObjectCodec.events();
                case alerts -> SingleObjectCodec.alerts();
                case runs -> SingleObjectCodec.runStatuses();
            };
        }
    }

    @Spec
    @SuppressWarnings("NullAway.Init") // picocli fills it in
    CommandSpec spec;

    @Parameters(
            paramLabel = "STREAM",
            description =
                    "events: what trainers sent; alerts: each change of each alert; runs: the latest status of runs")
    @SuppressWarnings("NullAway.Init") // picocli fills it in
    Stream stream;

    @Option(names = "--run", paramLabel = "ID", description = "Only this run.")
    @Nullable
    String run;

    @Option(
            names = "--from-beginning",
            description = "Begin with the oldest record that Kafka keeps, not with the next.")
    boolean fromBeginning;

    @Option(names = "--until-end", description = "End after the last record that is there now.")
    boolean untilEnd;

    @Option(
            names = "--bootstrap-servers",
            paramLabel = "HOST:PORT",
            description = "Brokers to ask, several with commas (kafka.bootstrap_servers; default: 127.0.0.1:9092).")
    @Nullable
    String bootstrapServers;

    @Option(names = "--config", paramLabel = "FILE", description = "Settings, e.g. how to log in to the brokers.")
    @Nullable
    Path config;

    private long undecodable;

    @Override
    public Integer call() throws Exception {
        Map<String, Configuration.Flag> flags = new LinkedHashMap<>();
        if (bootstrapServers != null) {
            flags.put("kafka.bootstrap_servers", new Configuration.Flag("--bootstrap-servers", bootstrapServers));
        }
        MonitorSettings settings =
                Configuration.read(config, System.getenv(), flags).monitor();
        Brokers.await(settings.bootstrapServers(), settings.clientProperties(), BROKER_LIMIT);

        Map<String, Object> properties = new HashMap<>(settings.clientProperties());
        properties.put(ConsumerConfig.BOOTSTRAP_SERVERS_CONFIG, settings.bootstrapServers());
        properties.put(ConsumerConfig.ISOLATION_LEVEL_CONFIG, "read_committed");
        properties.put(ConsumerConfig.ENABLE_AUTO_COMMIT_CONFIG, "false");
        properties.put(ConsumerConfig.ALLOW_AUTO_CREATE_TOPICS_CONFIG, "false");
        try (KafkaConsumer<byte[], byte[]> consumer =
                new KafkaConsumer<>(properties, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            follow(consumer, stream.topic(new Topics(settings.topicPrefix())));
        }
        return 0;
    }

    private void follow(KafkaConsumer<byte[], byte[]> consumer, String topic) throws CommandFailedException {
        List<PartitionInfo> known = consumer.partitionsFor(topic, BROKER_LIMIT);
        if (known == null || known.isEmpty()) {
            throw new CommandFailedException("there is no topic " + topic
                    + ": a monitor makes it at its first start; is kafka.topic_prefix right?");
        }
        List<TopicPartition> partitions = known.stream()
                .map(partition -> new TopicPartition(topic, partition.partition()))
                .toList();
        consumer.assign(partitions);
        Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
        if (fromBeginning) {
            consumer.seekToBeginning(partitions);
        } else {
            ends.forEach(consumer::seek);
        }

        SingleObjectCodec<? extends SpecificRecordBase> codec = stream.codec();
        PrintWriter out = spec.commandLine().getOut();
        while (!out.checkError() && !(untilEnd && reached(consumer, ends))) {
            ConsumerRecords<byte[], byte[]> records = consumer.poll(POLL);
            for (ConsumerRecord<byte[], byte[]> record : records) {
                show(record, codec, out);
            }
        }
        if (undecodable > MAX_COMPLAINTS) {
            complain(undecodable + " records in all could not be decoded");
        }
    }

    private static boolean reached(KafkaConsumer<byte[], byte[]> consumer, Map<TopicPartition, Long> ends) {
        return ends.entrySet().stream().allMatch(end -> consumer.position(end.getKey()) >= end.getValue());
    }

    private void show(
            ConsumerRecord<byte[], byte[]> record,
            SingleObjectCodec<? extends SpecificRecordBase> codec,
            PrintWriter out) {
        String key = record.key() == null ? null : new String(record.key(), StandardCharsets.UTF_8);
        if (run != null && stream != Stream.alerts && !Objects.equals(run, key)) {
            return;
        }
        if (record.value() == null) {
            return; // A run that the topic was told to forget.
        }
        try {
            SpecificRecordBase decoded = codec.decode(record.value());
            if (run == null || run.equals(String.valueOf(decoded.get("run_id")))) {
                out.print(RecordJson.write(decoded));
                out.print('\n');
            }
        } catch (UndecodableException e) {
            undecodable++;
            if (undecodable <= MAX_COMPLAINTS) {
                complain("%s-%d offset %d cannot be decoded (%s): %s"
                        .formatted(record.topic(), record.partition(), record.offset(), e.reason(), e.getMessage()));
            }
            if (undecodable == MAX_COMPLAINTS) {
                complain("further records that cannot be decoded are only counted");
            }
        }
    }

    private void complain(String message) {
        spec.commandLine().getErr().println("trainwatch: " + Printable.of(message));
        spec.commandLine().getErr().flush();
    }
}
