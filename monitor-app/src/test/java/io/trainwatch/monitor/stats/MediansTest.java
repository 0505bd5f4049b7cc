package io.trainwatch.monitor.stats;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

final class MediansTest {

    @Test
    void the_median_is_the_middle_or_the_mean_of_the_two_in_the_middle() {
        assertThat(Medians.of(new float[] {3, 1, 2}, 3)).isEqualTo(2);
        assertThat(Medians.of(new float[] {4, 1, 3, 2}, 4)).isEqualTo(2.5f);
        assertThat(Medians.of(new float[] {7}, 1)).isEqualTo(7);
        assertThat(Medians.of(new float[] {7}, 0)).isNaN();
    }

    @Test
    void only_the_first_values_count() {
        assertThat(Medians.of(new float[] {3, 1, 2, 99, 99, 99}, 3)).isEqualTo(2);
    }

    @Test
    void the_deviation_is_that_of_the_middle_value() {
        assertThat(Medians.absoluteDeviation(new float[] {1, 2, 3, 100}, 3, 2)).isEqualTo(1);
        assertThat(Medians.absoluteDeviation(new float[] {5, 5, 5, 9}, 4, 5)).isZero();
        assertThat(Medians.absoluteDeviation(new float[] {1, 2, 4, 8}, 4, 3)).isEqualTo(1.5f);
        assertThat(Medians.absoluteDeviation(new float[] {}, 0, 3)).isNaN();
    }

    @Test
    void the_deviation_is_what_sorting_all_deviations_says() {
        SplittableRandom random = new SplittableRandom(11);
        for (int count = 1; count < 70; count++) {
            double[] values = random.doubles(count, -5, 5).toArray();
            double median = Medians.of(values);
            double[] deviations =
                    Arrays.stream(values).map(value -> Math.abs(value - median)).toArray();
            assertThat(Medians.standardDeviation(values)).isEqualTo(1.4826 * Medians.of(deviations));
        }
    }

    @Test
    void numbers_as_large_as_there_are_break_nothing() {
        assertThat(Medians.standardDeviation(new double[] {-Double.MAX_VALUE, 0, Double.MAX_VALUE}))
                .isEqualTo(Double.POSITIVE_INFINITY);
    }
}
