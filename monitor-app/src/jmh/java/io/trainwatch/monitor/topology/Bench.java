package io.trainwatch.monitor.topology;

import io.trainwatch.codec.SingleObjectCodec;
import io.trainwatch.event.StepCompleted;
import io.trainwatch.event.TrainingEvent;
import io.trainwatch.monitor.embedded.EmbeddedKafka;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.stream.Stream;

/** What the benchmarks of the topology share: processes of their own, a broker in one of them, events, the machine. */
final class Bench {
    private static final String ANSWER = "answer: ";

    private Bench() {}

    /** A JVM with the flags of this one's children, all of them the same. */
    static Process java(Class<?> main, String... args) throws IOException {
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xmx2g",
                // As the launcher does: the states of thousands of runs lie across many pages.
                "-XX:+UseTransparentHugePages",
                "-cp",
                System.getProperty("java.class.path"),
                main.getName()));
        command.addAll(List.of(args));
        return new ProcessBuilder(command)
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
    }

    /** Tells the parent: other lines, e.g. of a flight recorder, are not for it. */
    static void answer(String answer) {
        System.out.println(ANSWER + answer);
        System.out.flush();
    }

    static String answerOf(Process process) throws IOException {
        BufferedReader lines =
                new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            if (line.startsWith(ANSWER)) {
                return line.substring(ANSWER.length());
            }
        }
        throw new IllegalStateException("A process of the benchmark ended without a result.");
    }

    /** The broker's process: prints where it listens and ends with its standard input. */
    static final class BrokerMain {
        private BrokerMain() {}

        public static void main(String[] args) throws Exception {
            try (EmbeddedKafka kafka =
                    EmbeddedKafka.start(Path.of(args[0]), 0, Map.of("log.segment.bytes", "268435456"))) {
                answer(kafka.bootstrapServers());
                while (System.in.read() >= 0) {
                    // The end of the stream is the end of the parent.
                }
            }
        }
    }

    /** Makes step_completed events of about 120 bytes for many runs in turn, without boxing a new record each time. */
    static final class Steps {
        private final SingleObjectCodec<TrainingEvent> codec = SingleObjectCodec.events();
        private final SplittableRandom random = new SplittableRandom(1);
        private final TrainingEvent event = new TrainingEvent();
        private final StepCompleted body = new StepCompleted();

        Steps() {
            event.setSession("0f9b2c4d");
            event.setHost("node-17");
            event.setBody(body);
        }

        byte[] step(String runId, long step, double loss) {
            event.setRunId(runId);
            event.setSeq(step);
            event.setStep(step);
            event.setTimestampMs(1_763_760_000_000L + step * 100);
            body.setLoss(loss);
            body.setGradNorm(1 + 0.1 * random.nextDouble());
            body.setLearningRate(1e-3);
            body.setStepTimeSeconds(0.1 + 0.01 * random.nextDouble());
            body.setTokensPerSecond(40_000 + 100 * random.nextDouble());
            body.setSamplesSeen(step * 32);
            return codec.encode(event);
        }

        /** A power law, as learning curves are: one with a plateau would have every run raise an alert at the same time. */
        double loss(long step) {
            return 2 + 8 * Math.pow((double) step, -0.1) + 0.02 * random.nextDouble();
        }
    }

    static String runId(int i) {
        return "run-" + Integer.toHexString(0x10000000 + i * 7919) + "-2025-11";
    }

    static String machine() throws IOException {
        String cpu = "unknown processor";
        Path info = Path.of("/proc/cpuinfo");
        if (Files.exists(info)) {
            try (Stream<String> lines = Files.lines(info)) {
                cpu = lines.filter(line -> line.startsWith("model name"))
                        .map(line -> line.substring(line.indexOf(':') + 2))
                        .findFirst()
                        .orElse(cpu);
            }
        }
        return Runtime.getRuntime().availableProcessors() + " cores of " + cpu + ", JDK " + Runtime.version()
                + ", broker in a second JVM on the same machine";
    }

    static void delete(Path dir) throws IOException {
        if (!Files.exists(dir)) {
            return;
        }
        try (Stream<Path> paths = Files.walk(dir)) {
            for (Path path : paths.sorted(Comparator.reverseOrder()).toList()) {
                Files.deleteIfExists(path);
            }
        }
    }
}
