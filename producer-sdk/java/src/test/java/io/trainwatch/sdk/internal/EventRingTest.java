package io.trainwatch.sdk.internal;

import static org.assertj.core.api.Assertions.assertThat;

import io.trainwatch.event.EvaluationCompleted;
import io.trainwatch.event.RunFinished;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

class EventRingTest {
    private static final int ALL = EventRing.LOSS | EventRing.GRAD_NORM | EventRing.LEARNING_RATE;

    private final EventRing.Taken taken = new EventRing.Taken();

    @Test
    void an_empty_ring_has_nothing() {
        EventRing ring = new EventRing(64);
        assertThat(ring.poll(taken)).isFalse();
        assertThat(ring.isEmpty()).isTrue();
        assertThat(ring.refused()).isZero();
    }

    @Test
    void numbers_come_out_as_they_went_in() {
        EventRing ring = new EventRing(64);
        for (int lap = 0; lap < 1_000; lap++) {
            ring.offer(lap, 7L * lap, ALL, Double.NaN, Double.NEGATIVE_INFINITY, -0.0);
            EvaluationCompleted body = new EvaluationCompleted();
            ring.offer(EventRing.NO_STEP, 1, Importance.NOTABLE, body);

            assertThat(ring.poll(taken)).isTrue();
            assertThat(taken.step).isEqualTo(lap);
            assertThat(taken.timestampMs).isEqualTo(7L * lap);
            assertThat(taken.numbers).isEqualTo(ALL);
            assertThat(taken.loss).isNaN();
            assertThat(taken.gradNorm).isEqualTo(Double.NEGATIVE_INFINITY);
            assertThat(Double.doubleToRawLongBits(taken.learningRate)).isEqualTo(Double.doubleToRawLongBits(-0.0));
            assertThat(taken.body).isNull();
            assertThat(ring.poll(taken)).isTrue();
            assertThat(taken.body).isSameAs(body);
            assertThat(ring.poll(taken)).isFalse();
        }
    }

    @Test
    void a_full_ring_refuses_plain_steps_first_and_counts_them() {
        EventRing ring = new EventRing(64);
        for (int step = 1; step <= 56; step++) {
            assertThat(ring.offer(step, 0, ALL, 1, 1, 1)).isTrue();
        }
        assertThat(ring.offer(57, 0, ALL, 1, 1, 1)).isFalse();
        assertThat(ring.offer(57, 0, Importance.NOTABLE, new EvaluationCompleted()))
                .isFalse();
        assertThat(ring.refused()).isEqualTo(2);

        for (int i = 0; i < 7; i++) {
            assertThat(ring.offer(58, 0, ALL, Double.NaN, 1, 1)).isTrue();
        }
        assertThat(ring.offer(59, 0, Importance.BOUNDARY, new RunFinished())).isTrue();
        assertThat(ring.offer(60, 0, Importance.BOUNDARY, new RunFinished())).isFalse();
        assertThat(ring.refused()).isEqualTo(3);

        // Room comes back with what is taken, the eighth for vital events first.
        for (int i = 0; i < 8; i++) {
            ring.poll(taken);
        }
        assertThat(ring.offer(61, 0, ALL, 1, 1, 1)).isFalse();
        ring.poll(taken);
        assertThat(ring.offer(61, 0, ALL, 1, 1, 1)).isTrue();
    }

    @Test
    void several_callers_lose_nothing_and_keep_their_own_order() throws Exception {
        EventRing ring = new EventRing(1_024);
        int callers = 4;
        int steps = 50_000;
        CountDownLatch go = new CountDownLatch(1);
        AtomicInteger done = new AtomicInteger();
        List<Thread> threads = new ArrayList<>();
        for (int caller = 0; caller < callers; caller++) {
            int id = caller;
            Thread thread = new Thread(() -> {
                try {
                    go.await();
                    for (int step = 0; step < steps; ) {
                        if (ring.offer(step, id, ALL, step, id, 0.5)) {
                            step++;
                        } else {
                            Thread.onSpinWait();
                        }
                    }
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                }
                done.incrementAndGet();
            });
            thread.start();
            threads.add(thread);
        }
        go.countDown();
        long[] next = new long[callers];
        while (done.get() < callers || !ring.isEmpty()) {
            while (ring.poll(taken)) {
                int caller = (int) taken.timestampMs;
                assertThat(taken.step).isEqualTo(next[caller]++);
                assertThat((long) taken.loss).isEqualTo(taken.step);
                assertThat((int) taken.gradNorm).isEqualTo(caller);
            }
        }
        for (Thread thread : threads) {
            thread.join();
        }
        assertThat(next).containsOnly(steps);
    }
}
