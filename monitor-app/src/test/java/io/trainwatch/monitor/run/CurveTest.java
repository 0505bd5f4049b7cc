package io.trainwatch.monitor.run;

import static org.assertj.core.api.Assertions.assertThat;

import io.trainwatch.monitor.run.SeriesSnapshot.Bucket;
import io.trainwatch.monitor.stats.RoundTrip;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

final class CurveTest {

    @Test
    void a_short_series_is_kept_point_by_point() {
        Curve curve = new Curve();
        curve.add(1, 3);
        curve.add(2, 5);

        assertThat(curve.snapshot()).containsExactly(new Bucket(1, 3, 3, 3), new Bucket(2, 5, 5, 5));
    }

    @Test
    void beyond_192_points_neighbours_share_a_bucket() {
        Curve curve = new Curve();
        for (int step = 0; step < 193; step++) {
            curve.add(step, step);
        }

        assertThat(curve.snapshot()).hasSize(97).startsWith(new Bucket(1, 0, 0.5, 1), new Bucket(3, 2, 2.5, 3));
        assertThat(curve.snapshot()).endsWith(new Bucket(192, 192, 192, 192));
    }

    @Test
    void a_spike_of_one_step_survives_a_million_points() {
        Curve curve = new Curve();
        for (int step = 0; step < 1_000_000; step++) {
            curve.add(step, step == 123_456 ? 40 : 2);
        }

        assertThat(curve.snapshot()).hasSizeLessThanOrEqualTo(Curve.CAPACITY);
        assertThat(curve.snapshot())
                .filteredOn(b -> b.max() == 40)
                .singleElement()
                .satisfies(b -> {
                    assertThat(b.min()).isEqualTo(2);
                    assertThat(b.mean()).isBetween(2.0, 2.01);
                    assertThat(b.lastStep()).isBetween(123_456L, 123_456L + 8192);
                });
    }

    @Test
    void steps_that_count_tokens_are_told_to_within_a_millionth_of_the_whole() {
        Curve curve = new Curve();
        long tokens = 524_288;
        for (long i = 1; i <= 100_000; i++) {
            curve.add(1_000 + i * tokens * 1_000, 2);
        }

        Curve restored = RoundTrip.copy(curve, new Curve());
        assertThat(restored.snapshot()).isEqualTo(curve.snapshot());
        long whole = 100_000 * tokens * 1_000;
        long perBucket =
                curve.snapshot().get(1).lastStep() - curve.snapshot().get(0).lastStep();
        for (int i = 0; i + 1 < curve.snapshot().size(); i++) {
            assertThat(curve.snapshot().get(i).lastStep())
                    .isBetween(
                            1_000 + (i + 1) * perBucket - whole / 1_000_000,
                            1_000 + (i + 1) * perBucket + whole / 1_000_000);
        }
        curve.add(5_000, 1);
        assertThat(curve.snapshot()).containsExactly(new Bucket(5_000, 1, 1, 1));
    }

    @Test
    void steps_that_count_tokens_of_uneven_batches_are_told_to_within_a_millionth_of_the_whole() {
        SplittableRandom random = new SplittableRandom(3);
        Curve curve = new Curve();
        List<Long> steps = new ArrayList<>();
        long tokens = 0;
        for (int i = 0; i < 191 * 512; i++) {
            tokens += 1_000_000_000L + random.nextLong(1_000_000_000L);
            curve.add(tokens, 2);
            steps.add(tokens);
        }

        assertThat(RoundTrip.copy(curve, new Curve()).snapshot()).isEqualTo(curve.snapshot());
        assertThat(curve.snapshot()).hasSize(191);
        for (int i = 0; i < 191; i++) {
            long last = steps.get(512 * (i + 1) - 1);
            assertThat(curve.snapshot().get(i).lastStep()).isBetween(last - tokens / 1_000_000, last);
        }
    }

    @Test
    void the_first_step_out_of_line_changes_none_of_those_before() {
        for (int even : new int[] {1, 2, 11, 12, 13, 95, 96, 189, 300}) {
            Curve curve = new Curve();
            for (int i = 0; i < even; i++) {
                curve.add(100 + 10L * i, i);
            }
            List<Bucket> before = curve.snapshot();
            curve.add(100 + 10L * even + 3, 7);
            curve.add(100 + 10L * even + 4, 8);

            assertThat(curve.snapshot().subList(0, before.size())).isEqualTo(before);
            assertThat(RoundTrip.copy(curve, new Curve()).snapshot()).isEqualTo(curve.snapshot());
        }
    }

    @Test
    void a_snapshot_stays_as_it_was_taken() {
        Curve curve = new Curve();
        for (int step = 0; step < 192; step++) {
            curve.add(step, step);
        }
        List<Bucket> taken = curve.snapshot();
        for (int step = 192; step < 2_000; step++) {
            curve.add(step + step % 2, step);
        }

        assertThat(taken).hasSize(192).startsWith(new Bucket(0, 0, 0, 0)).endsWith(new Bucket(191, 191, 191, 191));
    }

    @Test
    void points_that_are_not_finite_leave_the_mean_of_the_others() {
        Curve curve = new Curve();
        for (int step = 0; step < 192; step++) {
            curve.add(step, 1);
        }
        curve.add(192, Double.NaN);
        curve.add(193, 1);
        for (int step = 194; step < 288; step++) {
            curve.add(step, Double.POSITIVE_INFINITY);
        }

        assertThat(curve.snapshot().get(96)).isEqualTo(new Bucket(193, 1, 1, 1));
        assertThat(curve.snapshot().get(97)).isEqualTo(new Bucket(195, Double.NaN, Double.NaN, Double.NaN));
    }

    @Test
    void the_mean_divides_by_the_finite_points_alone() {
        Curve curve = new Curve();
        for (int step = 0; step < 384; step++) {
            curve.add(step, 0);
        }
        curve.add(384, Double.NaN);
        curve.add(385, 1);
        curve.add(386, 3);

        assertThat(curve.snapshot().get(96)).isEqualTo(new Bucket(386, 1, 2, 3));
    }

    @Test
    void a_value_beyond_the_range_of_a_float_counts_as_its_largest() {
        Curve curve = new Curve();
        for (int step = 0; step < 400; step++) {
            curve.add(step, step % 2 == 0 ? Double.MAX_VALUE : -Double.MAX_VALUE);
        }

        assertThat(curve.snapshot()).allSatisfy(bucket -> {
            assertThat(bucket.min()).isEqualTo(-Float.MAX_VALUE);
            assertThat(bucket.max()).isEqualTo(Float.MAX_VALUE);
            assertThat(bucket.mean()).isFinite();
        });
    }

    @Test
    void a_step_that_goes_back_forgets_the_buckets_that_reach_it() {
        Curve curve = new Curve();
        for (int step = 0; step < 10; step++) {
            curve.add(step, 1);
        }
        curve.add(7, 2);

        assertThat(curve.snapshot()).hasSize(8).endsWith(new Bucket(6, 1, 1, 1), new Bucket(7, 2, 2, 2));
    }

    @Test
    void the_same_step_twice_is_two_points() {
        Curve curve = new Curve();
        curve.add(5, 1);
        curve.add(5, 2);

        assertThat(curve.snapshot()).containsExactly(new Bucket(5, 1, 1, 1), new Bucket(5, 2, 2, 2));
    }

    @Test
    void a_run_that_begins_anew_is_seen_point_by_point_again() {
        Curve curve = new Curve();
        for (int step = 1; step <= 100_000; step++) {
            curve.add(step, 1);
        }
        curve.add(0, 5);
        curve.add(1, 6);

        assertThat(curve.snapshot()).containsExactly(new Bucket(0, 5, 5, 5), new Bucket(1, 6, 6, 6));
    }

    @Test
    void a_curve_that_is_read_back_continues_as_if_nothing_had_been() {
        for (int cut : new int[] {0, 1, 8, 9, 191, 192, 193, 500, 5000}) {
            SplittableRandom random = new SplittableRandom(cut);
            Curve curve = new Curve();
            for (int step = 0; step < cut; step++) {
                curve.add(step, random.nextGaussian());
            }
            Curve restored = RoundTrip.copy(curve, new Curve());
            for (int step = cut; step < cut + 1000; step++) {
                double value = random.nextInt(20) == 0 ? Double.NaN : random.nextGaussian();
                curve.add(step, value);
                restored.add(step, value);
            }
            assertThat(restored.snapshot()).isEqualTo(curve.snapshot());
        }
    }
}
