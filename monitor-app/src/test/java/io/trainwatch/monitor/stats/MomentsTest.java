package io.trainwatch.monitor.stats;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

final class MomentsTest {

    @Test
    void nothing_has_no_spread_and_neither_has_one_point() {
        Moments moments = new Moments();
        assertThat(moments.count()).isZero();
        assertThat(moments.mean()).isZero();
        assertThat(moments.variance()).isZero();

        moments.add(7);

        assertThat(moments.mean()).isEqualTo(7);
        assertThat(moments.std()).isZero();
    }

    @Test
    void the_variance_is_unbiased() {
        Moments moments = new Moments();
        for (double x : new double[] {1, 2, 3, 4}) {
            moments.add(x);
        }

        assertThat(moments.count()).isEqualTo(4);
        assertThat(moments.mean()).isEqualTo(2.5);
        assertThat(moments.variance()).isCloseTo(5 / 3.0, within(1e-15));
        assertThat(moments.std()).isCloseTo(Math.sqrt(5 / 3.0), within(1e-15));
    }

    @Test
    void groups_by_their_moments_add_up_to_the_points_one_by_one() {
        Moments single = new Moments();
        Moments grouped = new Moments();
        SplittableRandom random = new SplittableRandom(1);
        for (int group = 0; group < 50; group++) {
            double[] points = random.doubles(1 + random.nextInt(20)).toArray();
            double mean = 0;
            for (double x : points) {
                mean += (1e4 + group + x) / points.length;
            }
            double squares = 0;
            for (double x : points) {
                squares += (1e4 + group + x - mean) * (1e4 + group + x - mean);
                single.add(1e4 + group + x);
            }
            grouped.addGroup(points.length, mean, Math.sqrt(squares / points.length));
        }

        assertThat(grouped.count()).isEqualTo(single.count());
        assertThat(grouped.mean()).isCloseTo(single.mean(), within(1e-8));
        assertThat(grouped.variance()).isCloseTo(single.variance(), within(1e-8));
    }

    @Test
    void a_reset_begins_anew() {
        Moments moments = new Moments();
        moments.add(3);
        moments.reset();

        assertThat(RoundTrip.bytes(moments)).isEqualTo(RoundTrip.bytes(new Moments()));
    }

    @Test
    void moments_that_are_read_back_are_the_same() {
        Moments moments = new Moments();
        moments.addGroup(10, 3, 2);
        Moments restored = RoundTrip.copy(moments, new Moments());

        assertThat(restored.count()).isEqualTo(10);
        assertThat(restored.mean()).isEqualTo(3);
        assertThat(restored.variance()).isEqualTo(moments.variance());
    }
}
