package io.trainwatch.monitor.topology;

import io.trainwatch.alert.Alert;
import io.trainwatch.codec.SingleObjectCodec;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.IntStream;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * From an event handed to the producer to its alert in the hands of a reader of committed records, while other runs send
 * 1,000 events a second. Each sample is the first event of a run of its own, with a loss that is not a number.
 *
 * <p>For the first minutes the compilers of the two virtual machines take a core between them, so the start is told apart
 * from what holds for days.
 *
 * <p>System properties: {@code warmUp} (180, seconds), {@code seconds} (120), {@code alertsPerSecond} (10).
 */
public final class AlertLatency {
    private static final int PARTITIONS = 4;
    private static final int BACKGROUND_RUNS = 100;
    private static final int BACKGROUND_PER_SECOND = 1_000;
    private static final int START_SECONDS = 30;

    private AlertLatency() {}

    public static void main(String[] args) throws Exception {
        int warmUp = Integer.getInteger("warmUp", 180);
        int seconds = Integer.getInteger("seconds", 120);
        int alertsPerSecond = Integer.getInteger("alertsPerSecond", 10);
        Path dir = Files.createTempDirectory("latency");
        Process broker = Bench.java(Bench.BrokerMain.class, dir.resolve("kafka").toString());
        try {
            String servers = Bench.answerOf(broker);
            MonitorSettings settings =
                    MonitorSettings.forBroker(servers, dir.resolve("state")).withPartitions(PARTITIONS);
            Map<String, Sample> sent = new ConcurrentHashMap<>();
            Map<String, Long> took = new ConcurrentHashMap<>();
            try (Monitor monitor = Monitor.start(settings)) {
                if (!monitor.awaitRunning(Duration.ofMinutes(1))) {
                    throw new IllegalStateException(monitor.trouble());
                }
                Thread reader =
                        new Thread(() -> readAlerts(servers, monitor.topics().alerts(), sent, took), "reader");
                reader.setDaemon(true);
                reader.start();
                send(servers, monitor.topics().events(), warmUp + seconds, alertsPerSecond, sent);
                Thread.sleep(2_000);
                System.out.println(Bench.machine() + "; " + settings.guarantee() + ", commit interval "
                        + settings.commitInterval().toMillis() + " ms, " + BACKGROUND_PER_SECOND + " events/s, "
                        + alertsPerSecond + " alerts/s; "
                        + monitor.counters().commitsRequested() + " commits asked for");
                System.out.println("| second         | alerts | missing | p50 ms | p90 ms | p99 ms | max ms |");
                System.out.println("|----------------|-------:|--------:|-------:|-------:|-------:|-------:|");
                report(0, START_SECONDS, sent, took);
                report(warmUp, warmUp + seconds, sent, took);
            }
        } finally {
            broker.getOutputStream().close();
            broker.waitFor();
            Bench.delete(dir);
        }
    }

    /** When a run turned sick: the second of the load, and {@link System#nanoTime}. */
    private record Sample(int second, long nanos) {}

    private static void report(int from, int to, Map<String, Sample> sent, Map<String, Long> took) {
        List<String> sick = sent.entrySet().stream()
                .filter(run -> run.getValue().second() >= from && run.getValue().second() < to)
                .map(Map.Entry::getKey)
                .toList();
        long[] micros = sick.stream()
                .map(took::get)
                .filter(Objects::nonNull)
                .mapToLong(nanos -> nanos / 1000)
                .sorted()
                .toArray();
        System.out.printf(
                "| %5d to %5d | %6d | %7d | %6.1f | %6.1f | %6.1f | %6.1f |%n",
                from,
                to,
                micros.length,
                sick.size() - micros.length,
                at(micros, 0.50),
                at(micros, 0.90),
                at(micros, 0.99),
                at(micros, 1.0));
    }

    private static double at(long[] sorted, double quantile) {
        return sorted[(int) Math.min(sorted.length - 1, Math.ceil(quantile * sorted.length) - 1)] / 1000.0;
    }

    private static void send(String servers, String topic, int seconds, int alertsPerSecond, Map<String, Sample> sent) {
        Bench.Steps steps = new Bench.Steps();
        long[] step = new long[BACKGROUND_RUNS];
        int every = BACKGROUND_PER_SECOND / alertsPerSecond;
        try (var producer = new KafkaProducer<>(
                Map.<String, Object>of("bootstrap.servers", servers, "linger.ms", 0),
                new ByteArraySerializer(),
                new ByteArraySerializer())) {
            long start = System.nanoTime();
            for (int n = 0; n < seconds * BACKGROUND_PER_SECOND; n++) {
                LockSupport.parkNanos(start + n * 1_000_000_000L / BACKGROUND_PER_SECOND - System.nanoTime());
                int run = n % BACKGROUND_RUNS;
                String id = Bench.runId(run);
                step[run]++;
                send(producer, topic, id, steps.step(id, step[run], steps.loss(step[run])));
                if (n % every == every / 2) {
                    String sick = "sick-" + n;
                    byte[] event = steps.step(sick, 1, Double.NaN);
                    sent.put(sick, new Sample(n / BACKGROUND_PER_SECOND, System.nanoTime()));
                    send(producer, topic, sick, event);
                }
            }
        }
    }

    private static void send(KafkaProducer<byte[], byte[]> producer, String topic, String id, byte[] event) {
        var unused = producer.send(new ProducerRecord<>(topic, id.getBytes(StandardCharsets.UTF_8), event));
    }

    private static void readAlerts(String servers, String topic, Map<String, Sample> sent, Map<String, Long> took) {
        SingleObjectCodec<Alert> codec = SingleObjectCodec.alerts();
        try (var consumer = new KafkaConsumer<>(
                Map.<String, Object>of(
                        "bootstrap.servers", servers,
                        "isolation.level", "read_committed",
                        "auto.offset.reset", "earliest"),
                new ByteArrayDeserializer(),
                new ByteArrayDeserializer())) {
            List<TopicPartition> partitions = IntStream.range(0, PARTITIONS)
                    .mapToObj(p -> new TopicPartition(topic, p))
                    .toList();
            consumer.assign(partitions);
            while (true) {
                for (ConsumerRecord<byte[], byte[]> alert : consumer.poll(Duration.ofMillis(100))) {
                    long now = System.nanoTime();
                    String run = TopologyRig.decode(codec, alert.value()).getRunId();
                    Sample at = sent.get(run);
                    if (at != null) {
                        took.putIfAbsent(run, now - at.nanos());
                    }
                }
            }
        }
    }
}
