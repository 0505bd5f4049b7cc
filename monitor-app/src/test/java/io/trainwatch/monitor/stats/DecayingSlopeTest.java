package io.trainwatch.monitor.stats;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

final class DecayingSlopeTest {

    @Test
    void fewer_than_three_points_have_no_slope() {
        DecayingSlope slope = new DecayingSlope(1e9);
        slope.add(1);
        slope.add(2);

        assertThat(slope.effectivePoints()).isCloseTo(2, within(1e-6));
        assertThat(slope.slope()).isZero();
        assertThat(slope.tStatistic()).isZero();
    }

    @Test
    void a_constant_series_has_no_slope_whatever_its_height() {
        for (double height : new double[] {0, 0.1, -1e-9, 1e12}) {
            DecayingSlope slope = new DecayingSlope(20);
            for (int i = 0; i < 1000; i++) {
                slope.add(height);
            }
            assertThat(slope.slope()).isZero();
            assertThat(slope.tStatistic()).isZero();
        }
    }

    @Test
    void a_line_has_its_slope_and_next_to_no_error() {
        DecayingSlope slope = new DecayingSlope(20);
        for (int i = 0; i < 1000; i++) {
            slope.add(3 - 0.25 * i);
        }

        assertThat(slope.slope()).isCloseTo(-0.25, within(1e-12));
        assertThat(slope.tStatistic()).isLessThan(-1e6);
    }

    @Test
    void slope_and_t_statistic_are_those_of_weighted_least_squares() {
        SplittableRandom random = new SplittableRandom(1);
        for (double horizon : new double[] {2, 10, 100}) {
            DecayingSlope slope = new DecayingSlope(horizon);
            List<Double> values = new ArrayList<>();
            for (int i = 0; i < 300; i++) {
                double value = 50 + 0.01 * i + random.nextGaussian();
                slope.add(value);
                values.add(value);
                Naive naive = new Naive(values, horizon);
                assertThat(slope.effectivePoints()).isCloseTo(naive.points, within(1e-9));
                if (naive.points >= 3.0001) {
                    assertThat(slope.slope()).isCloseTo(naive.slope, within(1e-9));
                    assertThat(slope.tStatistic()).isCloseTo(naive.t, within(1e-6));
                }
            }
        }
    }

    @Test
    void pure_noise_is_hardly_ever_beyond_6() {
        DecayingSlope slope = new DecayingSlope(20);
        SplittableRandom random = new SplittableRandom(2);
        int beyond = 0;
        for (int i = 0; i < 1_000_000; i++) {
            slope.add(random.nextGaussian());
            beyond += i >= 64 && Math.abs(slope.tStatistic()) > 6 ? 1 : 0;
        }

        assertThat(beyond).isLessThan(100);
    }

    @Test
    void a_million_points_on_a_high_plateau_cost_no_precision() {
        double height = 1e9;
        DecayingSlope high = new DecayingSlope(20);
        DecayingSlope low = new DecayingSlope(20);
        SplittableRandom random = new SplittableRandom(3);
        for (int i = 0; i < 1_000_000; i++) {
            // Multiples of 2^-10, so that adding the height rounds nothing.
            double x = random.nextInt(1024) / 1024.0;
            high.add(height + x);
            low.add(x);
        }
        DecayingSlope fresh = new DecayingSlope(20);
        SplittableRandom again = new SplittableRandom(3);
        for (int i = 0; i < 1_000_000; i++) {
            double x = again.nextInt(1024) / 1024.0;
            if (i >= 998_000) {
                fresh.add(x);
            }
        }

        assertThat(low.slope()).isCloseTo(fresh.slope(), within(1e-12));
        assertThat(low.tStatistic()).isCloseTo(fresh.tStatistic(), within(1e-9));
        assertThat(high.slope()).isCloseTo(low.slope(), within(1e-8));
        assertThat(high.tStatistic()).isCloseTo(low.tStatistic(), within(1e-5));
    }

    @Test
    void a_reset_begins_anew() {
        DecayingSlope slope = new DecayingSlope(20);
        slope.add(1);
        slope.reset();

        assertThat(RoundTrip.bytes(slope)).isEqualTo(RoundTrip.bytes(new DecayingSlope(20)));
    }

    @Test
    void a_slope_that_is_read_back_continues_as_if_nothing_had_been() {
        DecayingSlope slope = new DecayingSlope(20);
        SplittableRandom random = new SplittableRandom(4);
        for (int i = 0; i < 100; i++) {
            slope.add(random.nextGaussian());
        }
        DecayingSlope restored = RoundTrip.copy(slope, new DecayingSlope(20));
        slope.add(1);
        restored.add(1);

        assertThat(restored.slope()).isEqualTo(slope.slope());
        assertThat(restored.tStatistic()).isEqualTo(slope.tStatistic());
    }

    private static final class Naive {
        final double points;
        final double slope;
        final double t;

        Naive(List<Double> values, double horizon) {
            int n = values.size();
            double sum = 0;
            double squares = 0;
            double meanT = 0;
            double meanY = 0;
            double[] weights = new double[n];
            for (int i = 0; i < n; i++) {
                weights[i] = Math.exp(-(n - 1 - i) / horizon);
                sum += weights[i];
                squares += weights[i] * weights[i];
                meanT += weights[i] * i;
                meanY += weights[i] * values.get(i);
            }
            meanT /= sum;
            meanY /= sum;
            double tt = 0;
            double ty = 0;
            for (int i = 0; i < n; i++) {
                tt += weights[i] * (i - meanT) * (i - meanT);
                ty += weights[i] * (i - meanT) * (values.get(i) - meanY);
            }
            points = sum * sum / squares;
            slope = ty / tt;
            double residual = 0;
            for (int i = 0; i < n; i++) {
                double off = values.get(i) - meanY - slope * (i - meanT);
                residual += weights[i] * off * off;
            }
            double variance = residual / sum * points / (points - 2);
            t = slope / Math.sqrt(variance / (tt / sum * points));
        }
    }
}
