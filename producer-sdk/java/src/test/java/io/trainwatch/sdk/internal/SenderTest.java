package io.trainwatch.sdk.internal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.trainwatch.codec.SingleObjectCodec;
import io.trainwatch.codec.UndecodableException;
import io.trainwatch.event.RunStarted;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Queue;
import java.util.SplittableRandom;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.LongStream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SenderTest {
    private static final int STEPS = 5_000;

    @TempDir
    Path directory;

    /** A line that takes what it is offered now and then, acknowledges late, and breaks after a number of events. */
    private static final class BadLine implements Transport {
        private final Queue<Long> arrived;
        private final SplittableRandom random;
        private final long breaksAfter;
        private long taken;
        private long settled;

        BadLine(Queue<Long> arrived, SplittableRandom random, long breaksAfter) {
            this.arrived = arrived;
            this.random = random;
            this.breaksAfter = breaksAfter;
        }

        @Override
        public boolean offer(byte[] event) {
            if (hasFailed() || random.nextInt(50) == 0) {
                return false;
            }
            taken++;
            // What is taken behind the break never arrives, although nobody has said so.
            if (taken <= breaksAfter) {
                try {
                    arrived.add(SingleObjectCodec.events().decode(event).getSeq());
                } catch (UndecodableException e) {
                    throw new AssertionError(e);
                }
            }
            return true;
        }

        @Override
        public long settled() {
            // The acknowledgements of some that arrived are lost with the line.
            settled = Math.max(settled, Math.min(taken, breaksAfter) - random.nextInt(100));
            return settled;
        }

        @Override
        public long rejected() {
            return 0;
        }

        @Override
        public boolean hasFailed() {
            return taken > breaksAfter + 50;
        }

        @Override
        public void close() {}
    }

    private static RunSettings settings() {
        return new RunSettings(
                "r",
                0,
                0,
                null,
                null,
                new RunStarted(),
                1 << 15,
                Path.of("unused"),
                0,
                Duration.ofSeconds(5),
                Duration.ofHours(1));
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3})
    void a_line_that_breaks_again_and_again_gets_everything_in_order_with_repeats_only(long seed) throws Exception {
        Queue<Long> arrived = new ConcurrentLinkedQueue<>();
        SplittableRandom random = new SplittableRandom(seed);
        AtomicInteger lines = new AtomicInteger();
        EventRing ring = new EventRing(1 << 15);
        Sender sender = new Sender(
                settings(),
                "s",
                ring,
                () -> new BadLine(
                        arrived, random, lines.incrementAndGet() < 4 ? random.nextInt(1_000) : Long.MAX_VALUE - 100),
                () -> Spool.open(directory, "r", "s", 16 << 20));
        for (int step = 1; step <= STEPS; step++) {
            assertThat(ring.offer(step, 0, EventRing.LOSS, 1, 0, 0)).isTrue();
        }
        Thread thread = new Thread(sender);
        thread.setDaemon(true);
        thread.start();
        await().atMost(Duration.ofSeconds(30))
                .untilAsserted(() -> assertThat(sender.delivery().delivered()).isEqualTo(STEPS));
        sender.stop(System.nanoTime() + 5_000_000_000L);
        thread.join();

        assertThat(lines).hasValue(4);
        assertThat(arrived.stream().distinct())
                .isEqualTo(LongStream.rangeClosed(1, STEPS).boxed().toList());
        assertThat(sender.delivery().dropped()).isZero();
        assertThat(directory).isEmptyDirectory();
    }
}
