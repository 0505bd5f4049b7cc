package io.trainwatch.monitor.topology;

import io.trainwatch.codec.SingleObjectCodec;
import io.trainwatch.codec.UndecodableException;
import io.trainwatch.event.TrainingEvent;
import io.trainwatch.monitor.board.RunBoard;
import io.trainwatch.monitor.judge.RunJudge;
import io.trainwatch.monitor.topology.MonitorSettings.Guarantee;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Properties;
import java.util.Scanner;
import java.util.UUID;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.LongSupplier;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.kstream.Consumed;

/**
 * The topology against one that only decodes the same events: the same preloaded topic, settings, guarantee and JVM flags,
 * in turn, each in a fresh JVM. The first half of the events warms up and does not count: the compiler is busy for tens of seconds.
 *
 * <p>System properties: {@code events} (6,000,000), {@code rounds} (2), {@code runs} (one of 10, 1000, 10000; all), {@code commit} in
 * milliseconds (the default of the monitor), {@code guarantee} (EXACTLY_ONCE).
 */
public final class Throughput {
    private static final int PARTITIONS = 4;

    private Throughput() {}

    public static void main(String[] args) throws Exception {
        int events = Integer.getInteger("events", 6_000_000);
        int rounds = Integer.getInteger("rounds", 2);
        String commit = System.getProperty("commit", "");
        String guarantee = System.getProperty("guarantee", "EXACTLY_ONCE");
        System.out.println(Bench.machine() + "; " + events + " events, " + PARTITIONS + " partitions, " + guarantee
                + ", commit interval " + (commit.isEmpty() ? "default" : commit + " ms") + ", medians of " + rounds);
        System.out.println(
                "|   runs | pass-through events/s | judged events/s | ratio | pass-through CPU ns/event | judged CPU"
                        + " ns/event | state MB written |");
        System.out.println(
                "|-------:|----------------------:|----------------:|------:|--------------------------:|----"
                        + "----------------:|-----------------:|");
        for (int runs : new int[] {10, 1_000, 10_000}) {
            if (Integer.getInteger("runs", runs) != runs) {
                continue;
            }
            Path dir = Files.createTempDirectory("throughput");
            Process broker =
                    Bench.java(Bench.BrokerMain.class, dir.resolve("kafka").toString());
            try {
                String servers = Bench.answerOf(broker);
                preload(servers, runs, events);
                List<Result> passed = new ArrayList<>();
                List<Result> judged = new ArrayList<>();
                for (int round = 0; round < rounds; round++) {
                    passed.add(measure("pass", servers, dir, events, commit, guarantee));
                    judged.add(measure("judge", servers, dir, events, commit, guarantee));
                }
                Result pass = median(passed);
                Result judge = median(judged);
                System.out.printf(
                        "| %6d | %21.0f | %15.0f | %5.2f | %25.0f | %19.0f | %16.0f |%n",
                        runs,
                        pass.perSecond,
                        judge.perSecond,
                        judge.perSecond / pass.perSecond,
                        pass.cpuNanos,
                        judge.cpuNanos,
                        judge.megabytes);
            } finally {
                broker.getOutputStream().close();
                broker.waitFor();
                Bench.delete(dir);
            }
        }
    }

    private record Result(double perSecond, double cpuNanos, double megabytes) {}

    private static Result median(List<Result> results) {
        return results.stream()
                .sorted((a, b) -> Double.compare(a.perSecond, b.perSecond))
                .toList()
                .get(results.size() / 2);
    }

    private static Result measure(String what, String servers, Path dir, int events, String commit, String guarantee)
            throws Exception {
        Path state = Files.createTempDirectory(dir, "state");
        Process process =
                Bench.java(Child.class, what, servers, state.toString(), Integer.toString(events), commit, guarantee);
        try {
            try (Scanner fields = new Scanner(Bench.answerOf(process)).useLocale(Locale.ROOT)) {
                return new Result(fields.nextDouble(), fields.nextDouble(), fields.nextDouble());
            }
        } finally {
            process.waitFor();
        }
    }

    private static void preload(String servers, int runs, int events) {
        Topics topics = new Topics("trainwatch.");
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", servers))) {
            topics.create(admin, PARTITIONS, 1);
        }
        Bench.Steps steps = new Bench.Steps();
        String[] ids = new String[runs];
        byte[][] keys = new byte[runs][];
        for (int i = 0; i < runs; i++) {
            ids[i] = Bench.runId(i);
            keys[i] = ids[i].getBytes(StandardCharsets.UTF_8);
        }
        try (var producer = new KafkaProducer<>(
                Map.<String, Object>of(
                        "bootstrap.servers",
                        servers,
                        "linger.ms",
                        20,
                        "batch.size",
                        262_144,
                        "buffer.memory",
                        134_217_728),
                new ByteArraySerializer(),
                new ByteArraySerializer())) {
            for (int n = 0; n < events; n++) {
                int run = n % runs;
                long step = 1L + n / runs;
                var unused = producer.send(
                        new ProducerRecord<>(topics.events(), keys[run], steps.step(ids[run], step, steps.loss(step))));
            }
        }
    }

    /** One measurement, in a JVM of its own: prints events/s, CPU nanoseconds per event, and MB of state written. */
    static final class Child {
        private Child() {}

        public static void main(String[] args) throws Exception {
            long events = Long.parseLong(args[3]);
            MonitorSettings settings = MonitorSettings.forBroker(args[1], Path.of(args[2]))
                    .withPartitions(PARTITIONS)
                    .withGuarantee(Guarantee.valueOf(args[5]));
            if (!args[4].isEmpty()) {
                settings = settings.withCommitInterval(Duration.ofMillis(Long.parseLong(args[4])));
            }
            Properties properties = Monitor.streamsProperties(settings);
            properties.put(StreamsConfig.APPLICATION_ID_CONFIG, "bench-" + UUID.randomUUID());
            MonitorCounters counters = new MonitorCounters();
            LongAdder passed = new LongAdder();
            boolean judging = args[0].equals("judge");
            Topics topics = new Topics(settings.topicPrefix());
            Topology topology = judging
                    ? MonitorTopology.draw(
                            topics, new RunJudge(), new RunBoard(), new Lag(), counters, settings, properties)
                    : passThrough(topics, passed);
            LongSupplier done = judging ? counters::events : passed::sum;
            try (KafkaStreams streams = new KafkaStreams(topology, properties)) {
                streams.start();
                awaitEvents(done, events / 2);
                long from = done.getAsLong();
                long start = System.nanoTime();
                long cpu = cpuNanos();
                awaitEvents(done, events);
                double seconds = (System.nanoTime() - start) / 1e9;
                double cpuPerEvent = (cpuNanos() - cpu) / (double) (events - from);
                Bench.answer((events - from) / seconds + " " + cpuPerEvent + " " + counters.stateBytesWritten() / 1e6);
                streams.close(Duration.ofSeconds(20));
            }
        }

        private static Topology passThrough(Topics topics, LongAdder passed) {
            StreamsBuilder builder = new StreamsBuilder();
            ThreadLocal<SingleObjectCodec<TrainingEvent>> codec = ThreadLocal.withInitial(SingleObjectCodec::events);
            builder.stream(
                            topics.events(),
                            Consumed.with(Serdes.ByteArray(), Serdes.ByteArray())
                                    .withName("events"))
                    .foreach((key, value) -> {
                        try {
                            if (!codec.get().decode(value).getRunId().isEmpty()) {
                                passed.increment();
                            }
                        } catch (UndecodableException e) {
                            throw new IllegalStateException(e);
                        }
                    });
            return builder.build();
        }

        private static void awaitEvents(LongSupplier done, long events) throws InterruptedException {
            while (done.getAsLong() < events) {
                Thread.sleep(2);
            }
        }

        private static long cpuNanos() {
            return ((com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean())
                    .getProcessCpuTime();
        }
    }
}
