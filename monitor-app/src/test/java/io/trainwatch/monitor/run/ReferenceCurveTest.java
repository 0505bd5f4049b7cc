package io.trainwatch.monitor.run;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.trainwatch.monitor.run.SeriesSnapshot.Bucket;
import io.trainwatch.monitor.stats.StateReader;
import io.trainwatch.monitor.stats.StateWriter;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.function.LongToDoubleFunction;
import org.junit.jupiter.api.Test;

class ReferenceCurveTest {

    /** 100 buckets of 10 steps, from step 1 on. */
    private static ReferenceCurve curve(RunKind kind, LongToDoubleFunction mean) {
        List<Bucket> buckets = new ArrayList<>();
        for (long last = 10; last <= 1000; last += 10) {
            double value = mean.applyAsDouble(last);
            buckets.add(new Bucket(last, value, value, value));
        }
        return ReferenceCurve.of("other", kind, true, new SeriesSnapshot("loss", 1000, 0, buckets));
    }

    @Test
    void a_straight_line_is_met_between_its_points_and_by_its_means() {
        // Mean of the steps last - 9 to last of a loss that is its step.
        ReferenceCurve line = curve(RunKind.UNKNOWN, last -> last - 4.5);
        assertThat(line.firstStep()).isEqualTo(1);
        assertThat(line.lastStep()).isEqualTo(1000);
        assertThat(line.at(123)).isEqualTo(123, within(1e-4));
        assertThat(line.mean(100, 200)).isEqualTo(150, within(1e-4));
        assertThat(line.mean(102, 103)).isEqualTo(102.5, within(1e-4));
        assertThat(line.width(500)).isEqualTo(10);
        assertThat(line.scatter()).isZero();
    }

    @Test
    void at_its_ends_it_is_flat() {
        ReferenceCurve line = curve(RunKind.UNKNOWN, last -> last - 4.5);
        assertThat(line.at(1)).isEqualTo(5.5);
        assertThat(line.at(1000)).isEqualTo(995.5);
        assertThat(line.mean(5, 5)).isEqualTo(5.5);
    }

    @Test
    void its_scatter_is_that_of_its_points_whatever_the_trend() {
        Random random = new Random(4);
        ReferenceCurve noisy = curve(RunKind.UNKNOWN, last -> 1000.0 / last + 0.1 * random.nextGaussian());
        assertThat(noisy.scatter()).isEqualTo(0.1, within(0.02));
    }

    @Test
    void buckets_without_a_finite_value_are_left_out_and_three_are_too_few() {
        assertThat(curve(RunKind.UNKNOWN, last -> last == 500 ? Double.NaN : 2).at(500))
                .isEqualTo(2);
        assertThat(ReferenceCurve.of("other", RunKind.UNKNOWN, true, null)).isNull();
        List<Bucket> three = List.of(new Bucket(1, 1, 1, 1), new Bucket(2, 1, 1, 1), new Bucket(3, 1, 1, 1));
        assertThat(ReferenceCurve.of("other", RunKind.UNKNOWN, true, new SeriesSnapshot("loss", 3, 1, three)))
                .isNull();
    }

    @Test
    void work_is_compared_in_samples_and_in_tokens_where_both_said_how_many() {
        ReferenceCurve of32 = curve(new RunKind(null, null, null, 32, 1024), last -> 2);
        assertThat(of32.stepsPerStep(RunKind.UNKNOWN)).isEqualTo(1);
        assertThat(of32.stepsPerStep(new RunKind(null, null, null, 64, 0))).isEqualTo(2);
        assertThat(of32.stepsPerStep(new RunKind(null, null, null, 64, 2048))).isEqualTo(4);
    }

    @Test
    void it_survives_a_restart() {
        ReferenceCurve curve = curve(new RunKind("m", null, "mse", 32, 0), last -> 1000.0 / last);
        StateWriter out = new StateWriter();
        curve.write(out);
        StateReader in = new StateReader(out.toByteArray());
        ReferenceCurve again = ReferenceCurve.read(in);
        assertThat(in.remaining()).isZero();
        assertThat(again.runId()).isEqualTo("other");
        assertThat(again.ended()).isTrue();
        assertThat(again.mean(33, 77)).isEqualTo(curve.mean(33, 77));
        assertThat(again.stepsPerStep(new RunKind(null, null, null, 64, 0))).isEqualTo(2);
        assertThat(out.toByteArray().length).isLessThan(3_000);
    }
}
