package io.trainwatch.sdk.internal;

import io.trainwatch.codec.SingleObjectCodec;
import io.trainwatch.event.StepCompleted;
import io.trainwatch.event.TrainingEvent;
import io.trainwatch.sdk.Delivery;
import io.trainwatch.sdk.KafkaBroker;
import io.trainwatch.sdk.TrainingRun;
import io.trainwatch.sdk.Trainwatch;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.lang.management.GarbageCollectorMXBean;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Stream;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.jctools.queues.MpscArrayQueue;

/**
 * What one step costs the thread that trains: {@code run.step} against {@code KafkaProducer.send}, with a broker in a
 * process of its own that answers and then is gone, at 1,000 and 20,000 calls per second.
 *
 * <p>An open loop: calls are due at fixed times, each is timed alone. At 1,000 calls per second the thread sleeps in
 * between, so caches are cold as after real work; at 20,000 it spins. "nothing" is the cost of timing itself and shows the
 * noise of the machine. {@code send} without a broker blocks for {@code max.block.ms} as soon as its buffer is full or it has
 * forgotten the topic: 1 s here, 60 s by default. "ring" and "mpsc" are two ways to hand over, each with a thread that polls: preallocated slots, and
 * JCTools' queue of allocated events.
 */
public final class CallerLatency {
    private static final int[] RATES = {1_000, 20_000};

    /** The client's default of 60 s would be a benchmark of one call. */
    private static final long MAX_BLOCK_MILLIS = 1_000;

    private interface Call extends AutoCloseable {
        void step(long step) throws Exception;

        @Override
        default void close() {}
    }

    private record Result(String call, double p50, double p99, double p999, double max, long aboveMilli, String note) {}

    private CallerLatency() {}

    public static void main(String[] args) throws Exception {
        int seconds = args.length > 0 ? Integer.parseInt(args[0]) : 10;
        System.out.println(machine());
        Path directory = Files.createTempDirectory("caller-latency");
        int port = KafkaBroker.freePort();
        Process broker = startBroker(directory.resolve("kafka"), port);
        try {
            for (int rate : RATES) {
                measure("hand-over alone", rate, seconds, handOvers());
            }
            Map<String, Call> calls = senders(directory, port);
            for (int rate : RATES) {
                measure("broker up", rate, seconds, calls);
            }
            broker.destroyForcibly().waitFor();
            for (int rate : RATES) {
                measure("broker down", rate, seconds, calls);
            }
            calls.values().forEach(Call::close);
        } finally {
            broker.destroyForcibly().waitFor();
            try (Stream<Path> files = Files.walk(directory)) {
                for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                    Files.deleteIfExists(file);
                }
            }
        }
    }

    private static Map<String, Call> handOvers() {
        Map<String, Call> calls = new LinkedHashMap<>();
        calls.put("nothing", step -> {});
        calls.put("ring", new RingCall());
        calls.put("mpsc", new MpscCall());
        return calls;
    }

    private static Map<String, Call> senders(Path directory, int port) throws Exception {
        TrainingRun run = Trainwatch.run("benchmark")
                .spoolDirectory(directory.resolve("spool"))
                .start("kafka:127.0.0.1:" + port);
        KafkaProducer<String, byte[]> producer = new KafkaProducer<>(
                Map.of("bootstrap.servers", "127.0.0.1:" + port, "acks", "all", "max.block.ms", MAX_BLOCK_MILLIS),
                new StringSerializer(),
                new ByteArraySerializer());
        SingleObjectCodec<TrainingEvent> codec = SingleObjectCodec.events();
        byte[] ready = codec.encode(event(1));
        Map<String, Call> calls = new LinkedHashMap<>();
        calls.put("nothing", step -> {});
        calls.put("run.step", new Call() {
            @Override
            public void step(long step) {
                run.step(step, 1.0 / step, 0.5, 1e-3);
            }

            @Override
            public void close() {
                run.close();
                System.out.println("run.step in all: " + run.delivery());
            }
        });
        calls.put("send", new Call() {
            @Override
            public void step(long step) {
                Future<RecordMetadata> unused =
                        producer.send(new ProducerRecord<>(KafkaBroker.TOPIC, "benchmark", ready));
            }

            @Override
            public void close() {
                producer.close(java.time.Duration.ZERO);
            }
        });
        calls.put("encode + send", step -> {
            byte[] bytes = codec.encode(event(step));
            Future<RecordMetadata> unused = producer.send(new ProducerRecord<>(KafkaBroker.TOPIC, "benchmark", bytes));
        });
        // One round trip, so that nobody is measured while it still connects.
        for (boolean arrived = false; !arrived; ) {
            try {
                arrived = producer.send(new ProducerRecord<>(KafkaBroker.TOPIC, "benchmark", ready))
                        .get()
                        .hasOffset();
            } catch (ExecutionException e) {
                System.out.println("not yet: " + e.getCause());
            }
        }
        while (run.delivery().equals(Delivery.NONE) || run.delivery().delivered() < 1) {
            LockSupport.parkNanos(1_000_000);
        }
        return calls;
    }

    private static TrainingEvent event(long step) {
        StepCompleted body = new StepCompleted();
        body.setLoss(1.0 / step);
        body.setGradNorm(0.5);
        body.setLearningRate(1e-3);
        TrainingEvent event = new TrainingEvent();
        event.setRunId("benchmark");
        event.setSession("0123456789abcdef");
        event.setSeq(step);
        event.setStep(step);
        event.setTimestampMs(System.currentTimeMillis());
        event.setBody(body);
        return event;
    }

    private static void measure(String state, int rate, int seconds, Map<String, Call> calls) throws Exception {
        System.out.printf("%n%s, %,d calls/s, %d s each (ns)%n", state, rate, seconds);
        System.out.printf(
                "%-14s %9s %9s %9s %11s %6s  %s%n", "", "p50", "p99", "p99.9", "max", ">1 ms", "p50 against run.step");
        double stepP50 = 0;
        for (Map.Entry<String, Call> call : calls.entrySet()) {
            run(call.getValue(), rate, 2);
            Result result = result(call.getKey(), call.getValue(), rate, seconds);
            if (call.getKey().equals("run.step")) {
                stepP50 = result.p50();
            }
            String ratio = stepP50 > 0 ? String.format("%.1f x", result.p50() / stepP50) : "";
            System.out.printf(
                    "%-14s %,9.0f %,9.0f %,9.0f %,11.0f %6d  %-10s %s%n",
                    result.call(),
                    result.p50(),
                    result.p99(),
                    result.p999(),
                    result.max(),
                    result.aboveMilli(),
                    ratio,
                    result.note());
        }
    }

    private static Result result(String name, Call call, int rate, int seconds) throws Exception {
        String before = collections();
        long[] nanos = run(call, rate, seconds);
        String after = collections();
        Arrays.sort(nanos);
        long aboveMilli = Arrays.stream(nanos).filter(n -> n > 1_000_000).count();
        return new Result(
                name,
                nanos[nanos.length / 2],
                nanos[(int) (nanos.length * 0.99)],
                nanos[(int) (nanos.length * 0.999)],
                nanos[nanos.length - 1],
                aboveMilli,
                (nanos.length < rate * seconds ? "only " + nanos.length + " calls " : "")
                        + (before.equals(after) ? "" : "GC " + before + " to " + after));
    }

    /** Makes the calls that are due within the time, late ones at once; a call that blocks for long leaves some out. */
    private static long[] run(Call call, int rate, int seconds) throws Exception {
        long period = 1_000_000_000L / rate;
        long[] nanos = new long[rate * seconds];
        boolean sleeps = period > 200_000;
        long due = System.nanoTime() + period;
        long end = due + seconds * 1_500_000_000L;
        int i = 0;
        for (; i < nanos.length && System.nanoTime() < end; i++, due += period) {
            for (long left = due - System.nanoTime(); left > 0; left = due - System.nanoTime()) {
                if (sleeps) {
                    LockSupport.parkNanos(left);
                } else {
                    Thread.onSpinWait();
                }
            }
            long begun = System.nanoTime();
            call.step(i + 1L);
            nanos[i] = System.nanoTime() - begun;
        }
        return Arrays.copyOf(nanos, i);
    }

    /** Returns the number of garbage collections so far and the time that they took. */
    private static String collections() {
        long count = 0;
        long millis = 0;
        for (GarbageCollectorMXBean collector : ManagementFactory.getGarbageCollectorMXBeans()) {
            count += collector.getCollectionCount();
            millis += collector.getCollectionTime();
        }
        return count + " (" + millis + " ms)";
    }

    private static Thread polling(Runnable drain) {
        Thread thread = new Thread(() -> {
            while (!Thread.currentThread().isInterrupted()) {
                drain.run();
                LockSupport.parkNanos(1_000_000);
            }
        });
        thread.setDaemon(true);
        thread.start();
        return thread;
    }

    private static final class RingCall implements Call {
        private final EventRing ring = new EventRing(8_192);
        private final EventRing.Taken taken = new EventRing.Taken();

        RingCall() {
            polling(() -> {
                while (ring.poll(taken)) {
                    // drain
                }
            });
        }

        @Override
        public void step(long step) {
            ring.offer(step, System.currentTimeMillis(), 7, 1.0 / step, 0.5, 1e-3);
        }
    }

    private record QueuedStep(long step, long timestampMs, double loss, double gradNorm, double learningRate) {}

    private static final class MpscCall implements Call {
        private final MpscArrayQueue<QueuedStep> queue = new MpscArrayQueue<>(8_192);

        MpscCall() {
            polling(() -> queue.drain(step -> {}));
        }

        @Override
        public void step(long step) {
            queue.offer(new QueuedStep(step, System.currentTimeMillis(), 1.0 / step, 0.5, 1e-3));
        }
    }

    private static Process startBroker(Path directory, int port) throws IOException {
        Process process = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-Xmx1g",
                        "-cp",
                        System.getProperty("java.class.path"),
                        KafkaBroker.class.getName(),
                        directory.toString(),
                        Integer.toString(port))
                .redirectError(ProcessBuilder.Redirect.DISCARD)
                .start();
        BufferedReader out =
                new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8));
        String line = out.readLine();
        while (line != null && !line.equals("ready")) {
            line = out.readLine();
        }
        if (line == null) {
            throw new IOException("the broker ended");
        }
        return process;
    }

    private static String machine() throws IOException {
        Path cpuInfo = Path.of("/proc/cpuinfo");
        List<String> lines = Files.exists(cpuInfo) ? Files.readAllLines(cpuInfo) : List.of();
        String cpu = lines.stream()
                .filter(line -> line.startsWith("model name"))
                .map(line -> line.substring(line.indexOf(':') + 1).strip())
                .findFirst()
                .orElse(System.getProperty("os.arch"));
        return String.format(
                "%s, %d cores, %s, JDK %s",
                cpu,
                Runtime.getRuntime().availableProcessors(),
                System.getProperty("os.name"),
                System.getProperty("java.runtime.version"));
    }
}
