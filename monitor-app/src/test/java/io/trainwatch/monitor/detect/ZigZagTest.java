package io.trainwatch.monitor.detect;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.trainwatch.monitor.stats.RoundTrip;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class ZigZagTest {

    @Test
    void evaluations_that_scatter_by_their_error_are_none() {
        SplittableRandom random = new SplittableRandom(1);
        ZigZag zigZag = new ZigZag();
        for (int i = 0; i < 10_000; i++) {
            zigZag.add(0.8 + 0.01 * random.nextGaussian(), 0.01);
            assertThat(zigZag.is()).isFalse();
        }
    }

    @Test
    void nor_is_a_staircase_of_large_steps() {
        ZigZag zigZag = new ZigZag();
        for (int i = 0; i < 30; i++) {
            zigZag.add(0.03 * i, 0.001);
            assertThat(zigZag.is()).isFalse();
        }
    }

    @Test
    void the_tenth_of_large_swings_is_one_and_goes_on_after_a_restart() {
        ZigZag zigZag = new ZigZag();
        for (int i = 0; i < 9; i++) {
            zigZag.add(i % 2 == 0 ? 0.6 : 0.8, 0.01);
            assertThat(zigZag.is()).isFalse();
        }
        ZigZag restored = RoundTrip.copy(zigZag, new ZigZag());
        restored.add(0.8, 0.01);
        assertThat(restored.is()).isTrue();
        assertThat(restored.turns()).isEqualTo(8);
        assertThat(restored.step()).isCloseTo(0.2, within(1e-12));
    }
}
