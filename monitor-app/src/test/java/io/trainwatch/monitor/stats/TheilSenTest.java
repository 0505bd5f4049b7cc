package io.trainwatch.monitor.stats;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import org.junit.jupiter.api.Test;

final class TheilSenTest {

    @Test
    void a_line_has_its_slope_and_two_outliers_do_not_bend_it() {
        double[] line = new double[20];
        for (int i = 0; i < line.length; i++) {
            line[i] = 3 - 0.5 * i;
        }
        assertThat(TheilSen.slope(line, 0, 20)).isEqualTo(-0.5);
        line[3] = 1e6;
        line[17] = -1e6;
        assertThat(TheilSen.slope(line, 0, 20)).isEqualTo(-0.5);
        assertThat(TheilSen.slope(line, 4, 17)).isEqualTo(-0.5);
    }

    @Test
    void the_trend_of_ten_falling_values_is_that_of_mann_and_kendall() {
        double[] falling = {10, 9, 8, 7, 6, 5, 4, 3, 2, 1};
        assertThat(TheilSen.trend(falling, 0, 10)).isCloseTo(-45 / Math.sqrt(125), within(1e-12));
        assertThat(TheilSen.trend(new double[] {1, 1, 1}, 0, 3)).isZero();
    }

    @Test
    void one_value_has_neither() {
        assertThat(TheilSen.slope(new double[] {1}, 0, 1)).isNaN();
        assertThat(TheilSen.trend(new double[] {1}, 0, 1)).isZero();
    }
}
