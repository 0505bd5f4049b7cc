package io.trainwatch.attach;

import static org.assertj.core.api.Assertions.assertThat;

import io.trainwatch.codec.SingleObjectCodec;
import java.io.ByteArrayInputStream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** Samples with seeded damage: whatever becomes of them, their reader comes to an end and gives what can be sent. */
class MutationTest {
    private static final int ROUNDS = 400;
    private static final byte[][] TOKENS = {
        Samples.bytes("nan"),
        Samples.bytes("-1e999"),
        Samples.bytes("\r\n\r"),
        Samples.bytes(","),
        Samples.bytes("\""),
        Samples.bytes("999999999999999999999999"),
        Samples.bytes("{\"a\":{"),
        Samples.bytes("step 1/1 |"),
        {0, 0, 0},
        {-1, -2}
    };

    @TestFactory
    List<DynamicTest> any_damaged_log_is_read_to_its_end_in_its_own_and_in_every_other_format() {
        List<DynamicTest> tests = new ArrayList<>();
        List<byte[]> samples = new ArrayList<>(Samples.all().values());
        for (Map.Entry<String, byte[]> sample : Samples.all().entrySet()) {
            tests.add(DynamicTest.dynamicTest(sample.getKey(), () -> {
                SplittableRandom random = new SplittableRandom(sample.getKey().hashCode());
                String own = sample.getKey().split("/", 2)[0];
                for (int round = 0; round < ROUNDS; round++) {
                    byte[] damaged = damaged(sample.getValue(), samples, random);
                    read(own, damaged);
                    read(
                            LogFormats.names()
                                    .get(random.nextInt(LogFormats.names().size())),
                            damaged);
                    LogFormats.detect(LogInput.of("-", new ByteArrayInputStream(damaged)));
                }
            }));
        }
        return tests;
    }

    private static byte[] damaged(byte[] sample, List<byte[]> samples, SplittableRandom random) {
        byte[] bytes = sample.clone();
        for (int i = 1 + random.nextInt(4); i > 0; i--) {
            int at = random.nextInt(bytes.length + 1);
            int to = Math.min(bytes.length, at + random.nextInt(1 + bytes.length / 2));
            bytes = switch (random.nextInt(6)) {
                case 0 -> join(Arrays.copyOf(bytes, at), Arrays.copyOfRange(bytes, to, bytes.length));
                case 1 -> join(Arrays.copyOf(bytes, to), Arrays.copyOfRange(bytes, at, bytes.length));
                case 2 ->
                    join(
                            Arrays.copyOf(bytes, at),
                            TOKENS[random.nextInt(TOKENS.length)],
                            Arrays.copyOfRange(bytes, at, bytes.length));
                case 3 -> join(bytes, samples.get(random.nextInt(samples.size())));
                case 4 -> Arrays.copyOf(bytes, at);
                default -> flipped(bytes, random);
            };
        }
        return bytes;
    }

    private static byte[] flipped(byte[] bytes, SplittableRandom random) {
        byte[] flipped = bytes.clone();
        for (int i = 0; i < 3 && flipped.length > 0; i++) {
            flipped[random.nextInt(flipped.length)] = (byte) random.nextInt(256);
        }
        return flipped;
    }

    private static byte[] join(byte[]... parts) {
        byte[] all = new byte[Arrays.stream(parts).mapToInt(part -> part.length).sum()];
        int at = 0;
        for (byte[] part : parts) {
            System.arraycopy(part, 0, all, at, part.length);
            at += part.length;
        }
        return all;
    }

    static void read(String format, byte[] log) throws Exception {
        try (LogReader reader = LogFormats.named(format).open(LogInput.of("-", new ByteArrayInputStream(log)))) {
            long entries = 0;
            for (LogEntry entry = reader.next(); entry != null; entry = reader.next()) {
                assertThat(++entries).isLessThan(10L * log.length + 10);
                assertThat(entry.line()).isPositive();
                assertThat(entry.offset()).isNotNegative();
                if (entry instanceof LogEntry.Event event) {
                    assertThat(SingleObjectCodec.events().encode(event.event())).isNotEmpty();
                    assertThat(event.event().getRunId().length()).isBetween(1, 256);
                    Long step = event.event().getStep();
                    assertThat(step == null || step >= 0).isTrue();
                } else if (entry instanceof LogEntry.Problem problem) {
                    assertThat(problem.message())
                            .isNotBlank()
                            .doesNotContain("\n")
                            .hasSizeLessThan(1000);
                }
            }
            assertThat(reader.ignoredFields()).isNotNegative();
        }
    }
}
