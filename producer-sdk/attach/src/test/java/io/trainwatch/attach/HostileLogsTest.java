package io.trainwatch.attach;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import java.io.ByteArrayInputStream;
import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Logs that are cut, filled up, huge, or no logs at all. */
class HostileLogsTest {
    private static final int LONG_LINE_BYTES = 100_000_000;

    @ParameterizedTest
    @ValueSource(strings = {"tfevents", "wandb"})
    void a_file_that_is_cut_anywhere_says_what_stands_before_the_cut(String format) throws Exception {
        byte[] whole = Samples.all().get(format);
        List<String> all = shown(format, new ByteArrayInputStream(whole));
        for (int length = 0; length <= whole.length; length++) {
            List<String> cut = shown(format, new ByteArrayInputStream(whole, 0, length));
            cut.remove("!1 the file has no whole record, but must begin with one");
            if (format.equals("wandb")) {
                assertThat(all.subList(0, cut.size())).as("cut at %s", length).isEqualTo(cut);
            } else {
                // The row that was begun has the numbers that it has.
                assertThat(cut).as("cut at %s", length).noneMatch(line -> line.startsWith("!"));
                assertThat(cut.size()).isLessThanOrEqualTo(all.size());
            }
        }
    }

    @Test
    void what_arrives_byte_by_byte_is_the_same() throws Exception {
        for (var sample : Samples.all().entrySet()) {
            String format = sample.getKey().split("/", 2)[0];
            assertThat(shown(format, new ByteByByte(new ByteArrayInputStream(sample.getValue()))))
                    .as(sample.getKey())
                    .isEqualTo(shown(format, new ByteArrayInputStream(sample.getValue())));
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "text",
                "csv",
                "jsonl",
                "events",
                "llm.c",
                "megatron",
                "deepspeed",
                "olmo",
                "composer",
                "yolo",
                "points"
            })
    void a_line_of_100_megabytes_is_passed_over_in_bounded_memory(String format) throws Exception {
        byte[] sample = Samples.all().entrySet().stream()
                .filter(one -> one.getKey().split("/", 2)[0].equals(format))
                .findFirst()
                .orElseThrow()
                .getValue();
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        long before = threads.getThreadAllocatedBytes(Thread.currentThread().getId());
        List<String> entries = shown(format, new SampleWithLongLine(sample));
        long allocated = threads.getThreadAllocatedBytes(Thread.currentThread().getId()) - before;
        assertThat(allocated).isLessThan(64L << 20);
        assertThat(entries)
                .hasSizeGreaterThanOrEqualTo(
                        shown(format, new ByteArrayInputStream(sample)).size());
    }

    @Test
    void random_bytes_are_no_log() throws Exception {
        SplittableRandom random = new SplittableRandom(3);
        for (int round = 0; round < 200; round++) {
            byte[] bytes = new byte[random.nextInt(20_000)];
            random.nextBytes(bytes);
            assertThat(LogFormats.detect(LogInput.of("-", new ByteArrayInputStream(bytes))))
                    .isEmpty();
        }
    }

    @Test
    void zeros_after_the_last_line_and_letters_of_another_encoding_hide_nothing() throws Exception {
        byte[] log = "Schritt für\nstep 1 loss 2.5\nstep 2 loss 2.25\n\0\0\0\0".getBytes(StandardCharsets.ISO_8859_1);
        assertThat(shown("text", new ByteArrayInputStream(log)))
                .containsExactly(
                        "run_started",
                        "step_completed \"step\":1,\"loss\":2.5",
                        "step_completed \"step\":2,\"loss\":2.25");
    }

    private static List<String> shown(String format, InputStream log) throws IOException {
        try (LogReader reader = LogFormats.named(format).open(LogInput.of("stdin", log))) {
            return new ArrayList<>(
                    Reading.rest(reader).stream().map(Reading::shown).toList());
        }
    }

    private static final class ByteByByte extends FilterInputStream {
        ByteByByte(InputStream in) {
            super(in);
        }

        @Override
        public int read(byte[] target, int start, int length) throws IOException {
            return super.read(target, start, Math.min(1, length));
        }
    }

    /** The sample, and behind it one line that nobody could mean. */
    private static final class SampleWithLongLine extends InputStream {
        private final byte[] sample;
        private long position;

        SampleWithLongLine(byte[] sample) {
            this.sample = sample;
        }

        @Override
        public int read() {
            byte[] one = new byte[1];
            return read(one, 0, 1) < 0 ? -1 : one[0];
        }

        @Override
        public int read(byte[] target, int start, int length) {
            if (position < sample.length) {
                int count = (int) Math.min(length, sample.length - position);
                System.arraycopy(sample, (int) position, target, start, count);
                position += count;
                return count;
            }
            int count = (int) Math.min(length, sample.length + (long) LONG_LINE_BYTES - position);
            if (count <= 0) {
                return -1;
            }
            Arrays.fill(target, start, start + count, (byte) 'x');
            position += count;
            return count;
        }
    }
}
