package io.trainwatch.monitor.stats;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.SplittableRandom;
import java.util.function.ToDoubleFunction;
import org.junit.jupiter.api.Test;

final class TailQuantilesTest {
    private static final int POINTS = 200_000;

    @Test
    void normal_noise_leaves_the_thresholds_at_5_and_8() {
        TailQuantiles tail = new TailQuantiles();
        SplittableRandom random = new SplittableRandom(1);
        double highest5 = 0;
        double highest8 = 0;
        for (int i = 0; i < POINTS; i++) {
            tail.add(random.nextGaussian());
            highest5 = Math.max(highest5, tail.t5());
            highest8 = Math.max(highest8, tail.t8());
        }

        assertThat(highest5).isEqualTo(5);
        assertThat(highest8).isEqualTo(8);
    }

    @Test
    void wide_normal_noise_raises_them_to_its_quantiles() {
        Converged converged = follow(random -> 10 * random.nextGaussian());

        assertThat(converged.t5).isCloseTo(25.76, within(1.0));
        assertThat(converged.t8).isCloseTo(30.90, within(1.5));
        assertThat(converged.above5).isCloseTo(0.005, within(0.0005));
        assertThat(converged.above8).isCloseTo(0.001, within(0.0002));
    }

    @Test
    void log_normal_noise_raises_them_to_its_quantiles() {
        Converged converged = follow(random -> Math.exp(random.nextGaussian()));

        assertThat(converged.t5).isCloseTo(Math.exp(2.576), within(1.0));
        assertThat(converged.t8).isCloseTo(Math.exp(3.090), within(2.0));
        assertThat(converged.above5).isCloseTo(0.005, within(0.0005));
        assertThat(converged.above8).isCloseTo(0.001, within(0.0002));
    }

    @Test
    void a_heavy_tailed_series_raises_its_own_bar() {
        RobustWindow window = new RobustWindow(1e-3);
        TailQuantiles tail = new TailQuantiles();
        SpikeRule fixed = new SpikeRule();
        SpikeRule calibrated = new SpikeRule();
        SplittableRandom random = new SplittableRandom(2);
        for (int i = 0; i < 100_000; i++) {
            double x = Math.exp(random.nextGaussian());
            if (window.size() >= 64) {
                double score = window.score(x);
                fixed.add(score, 5, 8);
                calibrated.add(score, tail.t5(), tail.t8());
                tail.add(score);
            }
            window.add(x);
        }

        assertThat(fixed.alarms()).isBetween(35, 75);
        assertThat(calibrated.alarms()).isLessThan(10);
    }

    @Test
    void a_score_that_is_not_a_number_raises_nothing() {
        TailQuantiles tail = new TailQuantiles();
        for (int i = 0; i < 1000; i++) {
            tail.add(Double.NaN);
        }

        assertThat(tail.t5()).isEqualTo(5);
        assertThat(tail.t8()).isEqualTo(8);
    }

    @Test
    void quantiles_that_are_read_back_continue_as_if_nothing_had_been() {
        TailQuantiles tail = new TailQuantiles();
        for (int i = 0; i < 100; i++) {
            tail.add(1000);
        }
        TailQuantiles restored = RoundTrip.copy(tail, new TailQuantiles());
        tail.add(1000);
        restored.add(1000);

        assertThat(restored.t5()).isEqualTo(tail.t5()).isCloseTo(101 * 0.4975, within(1e-9));
        assertThat(restored.t8()).isEqualTo(tail.t8()).isCloseTo(101 * 0.999, within(1e-9));
    }

    private record Converged(double t5, double t8, double above5, double above8) {}

    /** Means of the thresholds and shares of the scores above them, over the second half. */
    private static Converged follow(ToDoubleFunction<SplittableRandom> noise) {
        TailQuantiles tail = new TailQuantiles();
        SplittableRandom random = new SplittableRandom(3);
        double t5 = 0;
        double t8 = 0;
        int above5 = 0;
        int above8 = 0;
        for (int i = 0; i < 2 * POINTS; i++) {
            double score = noise.applyAsDouble(random);
            if (i >= POINTS) {
                t5 += tail.t5() / POINTS;
                t8 += tail.t8() / POINTS;
                above5 += score > tail.t5() ? 1 : 0;
                above8 += score > tail.t8() ? 1 : 0;
            }
            tail.add(score);
        }
        return new Converged(t5, t8, above5 / (double) POINTS, above8 / (double) POINTS);
    }
}
