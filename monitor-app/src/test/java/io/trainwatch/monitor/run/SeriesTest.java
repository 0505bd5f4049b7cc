package io.trainwatch.monitor.run;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.trainwatch.monitor.run.Series.Kind;
import io.trainwatch.monitor.stats.RobustWindow;
import io.trainwatch.monitor.stats.RoundTrip;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

final class SeriesTest {

    @Test
    void a_series_without_points_says_nothing() {
        Series series = new Series("loss", Kind.LINEAR);

        assertThat(series.points()).isZero();
        assertThat(series.last()).isNaN();
        assertThat(series.initial()).isNaN();
        assertThat(series.score()).isNaN();
        assertThat(series.median()).isNaN();
        assertThat(series.trusted()).isFalse();
        assertThat(series.t5()).isEqualTo(5);
        assertThat(series.t8()).isEqualTo(8);
    }

    @Test
    void the_score_is_of_the_latest_point_against_the_points_before_it() {
        Series series = new Series("loss", Kind.LINEAR);
        RobustWindow before = new RobustWindow(1e-3);
        SplittableRandom random = new SplittableRandom(1);
        for (int i = 0; i < 300; i++) {
            double x = 2 + random.nextGaussian();
            series.add(i, i, x);
            assertThat(series.score()).isEqualTo(Double.valueOf(before.score(x)));
            assertThat(series.median()).isEqualTo(Double.valueOf(before.median()));
            assertThat(series.scale()).isEqualTo(Double.valueOf(before.scale()));
            assertThat(series.smallest()).isEqualTo(Double.valueOf(before.smallest()));
            before.add(x);
        }
    }

    @Test
    void a_logarithmic_series_is_judged_by_its_logarithm_and_read_in_its_own_unit() {
        Series norm = new Series("grad_norm", Kind.LOGARITHMIC);
        RobustWindow logarithms = new RobustWindow(0);
        SplittableRandom random = new SplittableRandom(2);
        for (int i = 0; i < 100; i++) {
            double x = Math.exp(random.nextGaussian());
            norm.add(i, i, x);
            if (i == 99) {
                assertThat(norm.score()).isEqualTo(logarithms.score(Math.log(x)));
                assertThat(norm.median()).isEqualTo(Math.exp(logarithms.median()));
                assertThat(norm.smallest()).isEqualTo(Math.exp(logarithms.smallest()));
                assertThat(norm.scale()).isEqualTo(logarithms.scale());
            }
            logarithms.add(Math.log(x));
        }
        norm.add(100, 100, 0);

        assertThat(norm.last()).isZero();
        assertThat(norm.score()).isNaN();
        assertThat(norm.points()).isEqualTo(101);
        assertThat(norm.finitePoints()).isEqualTo(100);
        assertThatThrownBy(norm::buckets)
                .isInstanceOf(IllegalStateException.class)
                .hasMessage("series grad_norm of kind LOGARITHMIC has no log buckets");
    }

    @Test
    void a_shown_series_is_never_judged() {
        Series shown = new Series("metrics/accuracy", Kind.SHOWN);
        for (int i = 0; i < 200; i++) {
            shown.add(i, i, i == 199 ? 1e9 : 0.5);
        }

        assertThat(shown.score()).isNaN();
        assertThat(shown.trusted()).isFalse();
        assertThat(shown.finitePoints()).isZero();
        assertThat(shown.last()).isEqualTo(1e9);
        assertThat(shown.snapshot().points()).isEqualTo(200);
    }

    @Test
    void a_baseline_is_trusted_once_64_points_lie_before_the_latest() {
        Series series = new Series("loss", Kind.LINEAR);
        for (int i = 0; i < 64; i++) {
            series.add(i, i, i);
            assertThat(series.trusted()).isFalse();
        }
        series.add(64, 64, 64);

        assertThat(series.trusted()).isTrue();
    }

    @Test
    void the_first_8_points_say_where_it_began() {
        Series series = new Series("loss", Kind.LINEAR);
        series.add(0, 5, 10);
        assertThat(series.initial()).isEqualTo(10);
        series.add(1, 6, Double.NaN);
        for (int i = 2; i < 9; i++) {
            series.add(i, 5 + i, 2);
        }
        series.add(9, 14, 1000);

        assertThat(series.initial()).isCloseTo(3, within(1e-12));
        assertThat(series.firstStep()).isEqualTo(5);
    }

    @Test
    void a_point_that_is_not_finite_is_counted_and_shown_and_not_judged() {
        Series series = new Series("loss", Kind.LINEAR);
        series.add(0, 0, 1);
        series.add(1, 1, 3);
        series.add(2, 2, Double.NaN);

        assertThat(series.last()).isNaN();
        assertThat(series.score()).isNaN();
        assertThat(series.median()).isEqualTo(2);
        assertThat(series.points()).isEqualTo(3);
        assertThat(series.finitePoints()).isEqualTo(2);
    }

    @Test
    void the_learning_curve_counts_steps_from_the_first_point() {
        Series series = new Series("loss", Kind.LINEAR);
        series.add(0, 1000, 1);
        series.add(1, 1063, 1);
        assertThat(series.bucketClosed()).isFalse();
        series.add(2, 1064, 1);
        assertThat(series.bucketClosed()).isTrue();
        series.add(3, 1065, Double.NaN);

        assertThat(series.bucketClosed()).isFalse();
        assertThat(series.buckets().closed()).isEqualTo(1);
    }

    @Test
    void a_segment_that_begins_before_the_first_point_moves_the_start_of_the_curve() {
        Series series = new Series("loss", Kind.LINEAR);
        series.add(0, 1_000_000, 1);
        series.rewind(0);
        for (int step = 0; step <= 128; step++) {
            series.add(step + 1, step, 1);
        }

        assertThat(series.firstStep()).isZero();
        assertThat(series.buckets().closed()).isEqualTo(5);
    }

    @Test
    void heavy_tailed_scores_raise_the_thresholds_of_the_points_after_them() {
        Series series = new Series("loss", Kind.LINEAR);
        SplittableRandom random = new SplittableRandom(3);
        for (int i = 0; i < 20_000; i++) {
            series.add(i, i, Math.exp(2 * random.nextGaussian()));
        }

        assertThat(series.t5()).isGreaterThan(10);
        assertThat(series.t8()).isGreaterThan(series.t5());
    }

    @Test
    void a_series_that_is_read_back_continues_as_if_nothing_had_been() {
        for (Kind kind : Kind.values()) {
            SplittableRandom random = new SplittableRandom(4);
            Series series = new Series("s", kind);
            for (int i = 0; i < 200; i++) {
                series.add(i, i, Math.exp(random.nextGaussian()));
            }
            Series restored = RoundTrip.copy(series, new Series("s", kind));
            assertThat(restored.score()).isEqualTo(Double.valueOf(series.score()));
            assertThat(restored.median()).isEqualTo(Double.valueOf(series.median()));
            assertThat(restored.trusted()).isEqualTo(series.trusted());
            for (int i = 200; i < 400; i++) {
                double x = Math.exp(random.nextGaussian());
                series.add(i, i, x);
                restored.add(i, i, x);
                assertThat(restored.score()).isEqualTo(Double.valueOf(series.score()));
                assertThat(restored.t5()).isEqualTo(series.t5());
            }
            assertThat(RoundTrip.bytes(restored)).isEqualTo(RoundTrip.bytes(series));
        }
    }
}
