package io.trainwatch.attach;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.Locale;
import java.util.SplittableRandom;
import java.util.function.IntFunction;

/**
 * How fast logs are read: makes a log of each format in memory, as many megabytes as the first argument says (default 1,000),
 * and prints megabytes a second of processor time and of wall time, and events a second.
 */
public final class ReadingSpeed {
    private static final int BLOCK_LINES = 20_000;

    private ReadingSpeed() {}

    public static void main(String[] args) throws IOException {
        long megabytes = args.length > 0 ? Long.parseLong(args[0]) : 1_000;
        System.out.println("format\tMB\tMB/s of processor\tMB/s\tevents/s");
        SplittableRandom random = new SplittableRandom(1);
        measure(
                "text",
                megabytes,
                "",
                step -> String.format(
                        Locale.ROOT,
                        "iter %d: loss %.4f, time %.2fms, mfu 31.20%%\n",
                        step,
                        loss(step, random),
                        100 + random.nextDouble()));
        measure(
                "csv",
                megabytes,
                "epoch,lr-AdamW,step,train_loss,val_loss\n",
                step -> String.format(
                        Locale.ROOT,
                        "%d,0.000%d,%d,%.8f,\n",
                        step / 1000,
                        100 + random.nextInt(900),
                        step,
                        loss(step, random)));
        measure(
                "jsonl",
                megabytes,
                "",
                step -> String.format(
                        Locale.ROOT,
                        "{\"step\": %d, \"loss\": %.6f, \"lr\": 0.0001, \"epoch\": %.3f}\n",
                        step,
                        loss(step, random),
                        step / 1e3));
        measure(
                "llm.c",
                megabytes,
                "",
                step -> String.format(
                        Locale.ROOT,
                        "step %6d/900000 | loss %.6f (+0.12z)| norm %.4f (-0.34z)| lr 1.00e-04 | 312.34 ms | 45.6%% bf16 MFU | 167890 tok/s\n",
                        step + 1,
                        loss(step, random),
                        1 + random.nextDouble()));
    }

    private static double loss(int step, SplittableRandom random) {
        return 2 + 2 / (1 + step / 5e3) + random.nextDouble() / 100;
    }

    private static void measure(String format, long megabytes, String header, IntFunction<String> line)
            throws IOException {
        StringBuilder block = new StringBuilder();
        for (int step = 0; step < BLOCK_LINES; step++) {
            block.append(line.apply(step));
        }
        byte[] start = header.getBytes(StandardCharsets.UTF_8);
        byte[] lines = block.toString().getBytes(StandardCharsets.UTF_8);
        read(format, new Repeated(start, lines, 20L << 20)); // warm
        var threads = java.lang.management.ManagementFactory.getThreadMXBean();
        long cpu = threads.getCurrentThreadCpuTime();
        long wall = System.nanoTime();
        long events = read(format, new Repeated(start, lines, megabytes * 1_000_000));
        double cpuSeconds = (threads.getCurrentThreadCpuTime() - cpu) / 1e9;
        double wallSeconds = (System.nanoTime() - wall) / 1e9;
        System.out.printf(
                Locale.ROOT,
                "%s\t%d\t%.1f\t%.1f\t%.0f%n",
                format,
                megabytes,
                megabytes / cpuSeconds,
                megabytes / wallSeconds,
                events / wallSeconds);
    }

    private static long read(String format, InputStream log) throws IOException {
        long events = 0;
        try (LogReader reader = LogFormats.named(format).open(LogInput.of(format, log))) {
            while (reader.next() != null) {
                events++;
            }
        }
        return events;
    }

    /** The start, and then the same lines again and again: trainings that begin anew. */
    private static final class Repeated extends InputStream {
        private final byte[] start;
        private final byte[] lines;
        private final long length;
        private long position;

        Repeated(byte[] start, byte[] lines, long length) {
            this.start = start;
            this.lines = lines;
            this.length = length;
        }

        @Override
        public int read() {
            byte[] one = new byte[1];
            return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
        }

        @Override
        public int read(byte[] target, int at, int most) {
            if (position >= length) {
                return -1;
            }
            boolean first = position < start.length;
            byte[] from = first ? start : lines;
            int place = (int) (first ? position : (position - start.length) % lines.length);
            int count = Math.min(most, from.length - place);
            System.arraycopy(from, place, target, at, count);
            position += count;
            return count;
        }
    }
}
