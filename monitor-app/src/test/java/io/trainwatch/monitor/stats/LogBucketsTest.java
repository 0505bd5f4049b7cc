package io.trainwatch.monitor.stats;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

final class LogBucketsTest {

    @Test
    void the_first_64_steps_close_no_bucket() {
        LogBuckets buckets = new LogBuckets();
        for (int step = 0; step < 64; step++) {
            assertThat(buckets.add(step, 1)).isFalse();
        }

        assertThat(buckets.closed()).isZero();
    }

    @Test
    void four_buckets_make_a_doubling_and_the_first_point_behind_one_closes_it() {
        LogBuckets buckets = new LogBuckets();
        List<Integer> closing = new ArrayList<>();
        for (int step = 0; step <= 256; step++) {
            if (buckets.add(step, 1)) {
                closing.add(step);
            }
        }

        assertThat(closing).containsExactly(64, 77, 91, 108, 128, 153, 182, 216, 256);
        assertThat(buckets.closed()).isEqualTo(9);
        assertThat(List.of(buckets.count(0), buckets.count(1), buckets.count(2), buckets.count(3), buckets.count(4)))
                .containsExactly(64L, 13L, 14L, 17L, 20L);
    }

    @Test
    void a_bucket_knows_the_mean_and_the_unbiased_variance_of_its_points() {
        LogBuckets buckets = new LogBuckets();
        SplittableRandom random = new SplittableRandom(1);
        List<Double> first = new ArrayList<>();
        for (int step = 0; step <= 64; step++) {
            double x = 1e6 + random.nextGaussian();
            buckets.add(step, x);
            if (step < 64) {
                first.add(x);
            }
        }
        double mean = first.stream().mapToDouble(x -> x).average().orElseThrow();
        double variance =
                first.stream().mapToDouble(x -> (x - mean) * (x - mean)).sum() / 63;

        assertThat(buckets.mean(0)).isCloseTo(mean, within(1e-8));
        assertThat(buckets.variance(0)).isCloseTo(variance, within(1e-8));
    }

    @Test
    void buckets_that_were_jumped_over_are_empty() {
        LogBuckets buckets = new LogBuckets();
        buckets.add(0, 5);
        assertThat(buckets.add(128, 7)).isTrue();

        assertThat(buckets.closed()).isEqualTo(5);
        assertThat(buckets.mean(0)).isEqualTo(5);
        assertThat(buckets.variance(0)).isNaN();
        assertThat(buckets.count(3)).isZero();
        assertThat(buckets.mean(3)).isNaN();
        assertThat(buckets.variance(3)).isNaN();
    }

    @Test
    void a_million_steps_take_57_buckets_the_open_one_included() {
        LogBuckets buckets = new LogBuckets();
        long points = 0;
        for (int step = 0; step < 1_000_000; step++) {
            buckets.add(step, 1);
        }
        for (int i = 0; i < buckets.closed(); i++) {
            points += buckets.count(i);
        }

        assertThat(buckets.closed() + 1).isEqualTo(57);
        // All below the edge 64 * 2^(55/4) = 881,743.6.
        assertThat(points).isEqualTo(881_744);
    }

    @Test
    void the_largest_step_there_is_still_finds_its_bucket() {
        LogBuckets buckets = new LogBuckets();
        buckets.add(Long.MAX_VALUE, 1);
        buckets.add(Long.MAX_VALUE, 3);

        assertThat(buckets.closed()).isEqualTo(229);
        assertThat(RoundTrip.copy(buckets, new LogBuckets()).closed()).isEqualTo(229);
    }

    @Test
    void a_step_that_goes_back_forgets_its_bucket_and_what_lies_behind() {
        LogBuckets buckets = filled(0, 1000, 1);

        buckets.truncate(100);

        assertThat(buckets.closed()).isEqualTo(3);
        assertThat(buckets.count(2)).isEqualTo(14);
        assertThat(RoundTrip.bytes(add(buckets, 91, 1000, 2)))
                .isEqualTo(RoundTrip.bytes(add(filled(0, 91, 1), 91, 1000, 2)));
    }

    @Test
    void a_step_that_goes_back_to_an_edge_keeps_the_bucket_before_it() {
        LogBuckets buckets = filled(0, 1000, 1);

        buckets.truncate(128);

        assertThat(buckets.closed()).isEqualTo(5);
        assertThat(buckets.count(4)).isEqualTo(20);
    }

    @Test
    void a_step_that_goes_back_to_the_start_forgets_all() {
        LogBuckets buckets = filled(0, 1000, 1);

        buckets.truncate(0);

        assertThat(RoundTrip.bytes(buckets)).isEqualTo(RoundTrip.bytes(new LogBuckets()));
    }

    @Test
    void a_step_ahead_forgets_nothing() {
        LogBuckets buckets = filled(0, 1000, 1);
        byte[] before = RoundTrip.bytes(buckets);

        buckets.truncate(5000);

        assertThat(RoundTrip.bytes(buckets)).isEqualTo(before);
    }

    @Test
    void buckets_that_are_read_back_continue_as_if_nothing_had_been() {
        for (int cut : new int[] {0, 10, 64, 1000, 100_000}) {
            LogBuckets buckets = filled(0, cut, 1);
            LogBuckets restored = RoundTrip.copy(buckets, filled(0, 70, 9));

            assertThat(RoundTrip.bytes(add(restored, cut, cut + 3000, 2)))
                    .isEqualTo(RoundTrip.bytes(add(buckets, cut, cut + 3000, 2)));
        }
    }

    @Test
    void more_buckets_than_there_can_be_are_unreadable() {
        StateWriter out = new StateWriter();
        out.writeInt(240);

        assertThatThrownBy(() -> new LogBuckets().read(new StateReader(out.toByteArray())))
                .isInstanceOf(UnreadableStateException.class)
                .hasMessage("a count of 240 where at most 239 is possible");
    }

    private static LogBuckets filled(int from, int to, long seed) {
        return add(new LogBuckets(), from, to, seed);
    }

    private static LogBuckets add(LogBuckets buckets, int from, int to, long seed) {
        SplittableRandom random = new SplittableRandom(seed);
        for (int step = from; step < to; step++) {
            buckets.add(step, random.nextGaussian());
        }
        return buckets;
    }
}
