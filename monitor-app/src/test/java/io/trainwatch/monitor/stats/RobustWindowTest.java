package io.trainwatch.monitor.stats;

import static io.trainwatch.monitor.stats.RobustWindow.CAPACITY;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.function.DoubleSupplier;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

final class RobustWindowTest {

    @Test
    void an_empty_window_knows_nothing() {
        RobustWindow window = new RobustWindow(0);

        assertThat(window.size()).isZero();
        assertThat(window.median()).isNaN();
        assertThat(window.scale()).isNaN();
        assertThat(window.smallest()).isNaN();
        assertThat(window.score(1)).isNaN();
    }

    @Test
    void the_score_counts_scales_above_the_median() {
        RobustWindow window = windowOf(0, 3, 1, 0, 4, 2);

        assertThat(window.median()).isEqualTo(2);
        assertThat(window.scale()).isEqualTo(1.4826);
        assertThat(window.smallest()).isZero();
        assertThat(window.score(2)).isZero();
        assertThat(window.score(2 + 1.4826)).isCloseTo(1, within(1e-12));
        assertThat(window.score(2 - 3 * 1.4826)).isCloseTo(-3, within(1e-12));
    }

    @Test
    void it_counts_the_latest_points_above_a_level_also_between_two_of_them_and_beyond_all() {
        RobustWindow window = new RobustWindow(0);
        SplittableRandom random = new SplittableRandom(5);
        List<Float> points = new ArrayList<>();
        for (int i = 0; i < 3 * CAPACITY; i++) {
            // Tenths: many are equal, and no float is one exactly.
            double point = random.nextInt(-20, 21) / 10.0;
            window.add(point);
            points.add((float) point);
            List<Float> latest = points.subList(Math.max(0, points.size() - CAPACITY), points.size());
            for (double level :
                    new double[] {point, (float) point, -0.0, 0, 0.05, 1e-50, 1e300, -1e300, Double.POSITIVE_INFINITY
                    }) {
                assertThat(window.above(level)).as("above %s", level).isEqualTo((int)
                        latest.stream().filter(x -> x > level).count());
            }
            assertThat(window.smallest()).isEqualTo((double) Collections.min(latest));
        }
    }

    @Test
    void on_normal_noise_the_scale_is_the_standard_deviation() {
        RobustWindow window = new RobustWindow(0);
        SplittableRandom random = new SplittableRandom(1);
        double sum = 0;
        for (int i = 0; i < 10_000; i++) {
            window.add(7 + 2 * random.nextGaussian());
            sum += i >= CAPACITY ? window.scale() : 0;
        }

        assertThat(sum / (10_000 - CAPACITY)).isCloseTo(2, within(0.1));
    }

    @Test
    void a_window_whose_median_absolute_deviation_is_0_falls_back_to_its_quartiles() {
        RobustWindow window = windowOf(0, 10, 10, 10, 10, 10, 11, 11.01, 11.02);

        assertThat(window.median()).isEqualTo(10);
        assertThat(window.scale()).isEqualTo(1 / 1.349);
    }

    @Test
    void a_log_of_two_decimals_is_not_judged_finer_than_two_decimals() {
        RobustWindow window = new RobustWindow(0);
        for (int i = 0; i < 1000; i++) {
            window.add(i % 10 == 0 ? 0.26 : 0.25);
        }

        assertThat(window.scale()).isCloseTo(0.01, within(1e-7));
    }

    @Test
    void the_resolution_is_forgotten_slowly_by_coarser_changes() {
        RobustWindow window = windowOf(0, 0, 1e-6);
        for (int i = 0; i < 5000; i++) {
            window.add(i % 20 == 0 ? 0.01 : 0);
        }

        // 1.001^500 = 1.65: the one fine change is remembered for some 1,000 changes by a factor of e.
        double seen = resolutionOf(window);
        assertThat(seen).isCloseTo(1e-6 * Math.pow(1.001, 500), within(1e-10));
    }

    @Test
    void a_long_stretch_without_any_change_does_not_blunt_the_score() {
        RobustWindow window = windowOf(0, 2.3, 2.31, 2.3);
        for (int i = 0; i < 50_000; i++) {
            window.add(2.3);
        }

        assertThat(window.scale()).isCloseTo(0.01, within(1e-6));
        assertThat(window.score(4)).isGreaterThan(100);
    }

    @Test
    void what_the_series_did_over_some_2048_points_keeps_a_still_window_from_being_believed() {
        RobustWindow window = new RobustWindow(0);
        SplittableRandom random = new SplittableRandom(2);
        for (int i = 0; i < 20_000; i++) {
            window.add(random.nextGaussian());
        }
        for (int i = 0; i < CAPACITY; i++) {
            window.add(0);
        }

        // 0.7 E|x| of a standard normal, forgotten for 128 points.
        assertThat(window.scale()).isCloseTo(0.7 * 0.798 * Math.exp(-128.0 / 2048), within(0.03));
    }

    @Test
    void the_scale_does_not_fall_below_its_share_of_the_median() {
        RobustWindow window = new RobustWindow(1e-3);
        for (int i = 0; i < 300; i++) {
            window.add(-100);
        }

        assertThat(window.scale()).isEqualTo(0.1);
    }

    @Test
    void a_window_of_zeros_still_has_a_scale() {
        RobustWindow window = new RobustWindow(1e-3);
        for (int i = 0; i < 300; i++) {
            window.add(0);
        }

        assertThat(window.scale()).isEqualTo(1e-12);
        assertThat(window.score(0)).isZero();
    }

    @Test
    void strongly_autocorrelated_noise_raises_hardly_an_alarm_in_100_000_points() {
        for (double memory : new double[] {0.99, 0.999}) {
            RobustWindow window = new RobustWindow(1e-3);
            SpikeRule rule = new SpikeRule();
            TailQuantiles tail = new TailQuantiles();
            SplittableRandom random = new SplittableRandom(3);
            double x = 0;
            for (int i = 0; i < 100_000; i++) {
                x = memory * x + random.nextGaussian();
                if (window.size() >= 64) {
                    rule.add(window.score(x), tail.t5(), tail.t8());
                    tail.add(window.score(x));
                }
                window.add(x);
            }
            assertThat(rule.alarms()).as("AR(%s)", memory).isLessThanOrEqualTo(2);
        }
    }

    @Test
    void values_at_the_end_of_the_range_leave_every_number_finite() {
        RobustWindow window = new RobustWindow(1e-3);
        for (int i = 0; i < 500; i++) {
            window.add(i % 2 == 0 ? Double.MAX_VALUE : -Double.MAX_VALUE);
            assertThat(window.median()).isFinite();
            assertThat(window.scale()).isFinite();
        }
        for (int i = 0; i < 500; i++) {
            window.add(1);
        }

        assertThat(window.median()).isEqualTo(1);
        assertThat(window.scale()).isFinite();
        assertThat(window.score(1)).isZero();
    }

    @TestFactory
    Stream<DynamicTest> median_scale_and_smallest_are_those_of_the_sorted_window() {
        return streams().entrySet().stream()
                .map(stream -> DynamicTest.dynamicTest(stream.getKey(), () -> {
                    for (double relativeFloor : new double[] {0, 1e-3}) {
                        RobustWindow window = new RobustWindow(relativeFloor);
                        Reference reference = new Reference(relativeFloor);
                        for (int i = 0; i < 400; i++) {
                            // The window keeps floats.
                            float x = (float) stream.getValue().getAsDouble();
                            window.add(x);
                            reference.add(x);
                            assertThat(window.size()).isEqualTo(Math.min(i + 1, CAPACITY));
                            assertThat(window.median())
                                    .as("median of point %d", i)
                                    .isEqualTo(reference.median);
                            assertThat(window.smallest())
                                    .as("smallest of point %d", i)
                                    .isEqualTo(reference.smallest);
                            assertThat(window.scale() / reference.scale)
                                    .as("scale of point %d: %s", i, reference.scale)
                                    .isCloseTo(1, within(1e-9));
                        }
                    }
                }));
    }

    @TestFactory
    Stream<DynamicTest> a_window_that_is_read_back_continues_as_if_nothing_had_been() {
        return Stream.of(0, 1, 2, 127, 128, 129, 1000)
                .map(points -> DynamicTest.dynamicTest("after " + points, () -> {
                    SplittableRandom random = new SplittableRandom(points);
                    RobustWindow window = new RobustWindow(1e-3);
                    for (int i = 0; i < points; i++) {
                        window.add(random.nextGaussian());
                    }
                    RobustWindow restored = RoundTrip.copy(window, windowOf(1e-3, 5, 6, 7));
                    for (int i = 0; i < 400; i++) {
                        assertThat(restored.size()).isEqualTo(window.size());
                        assertThat(restored.median()).isEqualTo(Double.valueOf(window.median()));
                        assertThat(restored.scale()).isEqualTo(Double.valueOf(window.scale()));
                        double x = random.nextGaussian();
                        window.add(x);
                        restored.add(x);
                    }
                    assertThat(RoundTrip.bytes(restored)).isEqualTo(RoundTrip.bytes(window));
                }));
    }

    @Test
    void a_negative_number_of_points_is_unreadable() {
        StateWriter out = new StateWriter();
        out.writeLong(-1);

        assertThatThrownBy(() -> new RobustWindow(0).read(new StateReader(out.toByteArray())))
                .isInstanceOf(UnreadableStateException.class)
                .hasMessage("a window of -1 points");
    }

    private static Map<String, DoubleSupplier> streams() {
        SplittableRandom random = new SplittableRandom(42);
        long[] count = new long[1];
        double[] walk = new double[1];
        Map<String, DoubleSupplier> streams = new LinkedHashMap<>();
        streams.put("normal around 0", random::nextGaussian);
        streams.put("negative", () -> -1000 + random.nextGaussian());
        streams.put("few distinct values", () -> random.nextInt(6));
        streams.put("two decimals", () -> Math.rint(100 + 3 * random.nextGaussian()) / 100);
        streams.put("constant", () -> 0.1);
        streams.put("zeros of both signs", () -> random.nextBoolean() ? 0.0 : -0.0);
        streams.put("heavy tail", () -> Math.exp(2 * random.nextGaussian()));
        streams.put("falling", () -> 1e6 - count[0]++);
        streams.put("random walk", () -> walk[0] += random.nextGaussian());
        streams.put("mostly one value", () -> random.nextInt(10) == 0 ? random.nextDouble() : 1);
        return streams;
    }

    /** The Javadoc of {@link RobustWindow} by sorting, with q by its definition over all changes so far. */
    private static final class Reference {
        final double relativeFloor;
        final List<Double> all = new ArrayList<>();
        final List<Double> changes = new ArrayList<>();
        double average;
        double median;
        double scale;
        double smallest;

        Reference(double relativeFloor) {
            this.relativeFloor = relativeFloor;
        }

        void add(double x) {
            int before = all.size();
            if (before > 0) {
                double deviation = Math.min(Math.abs(x - median), 5 * scale);
                double weight = Math.max(1.0 / 2048, 1.0 / before);
                average = (1 - weight) * average + weight * deviation;
                double change = Math.abs(x - all.get(before - 1));
                if (change > 0) {
                    changes.add(change);
                }
            }
            all.add(x);
            double[] window = all.subList(Math.max(0, all.size() - CAPACITY), all.size()).stream()
                    .mapToDouble(Double::doubleValue)
                    .sorted()
                    .toArray();
            smallest = window[0];
            median = medianOf(window);
            double[] deviations = Arrays.stream(window)
                    .map(v -> Math.abs(v - median))
                    .sorted()
                    .toArray();
            int quarter = window.length / 4;
            double iqr = window[window.length - 1 - quarter] - window[quarter];
            scale = Stream.of(
                            1.4826 * medianOf(deviations),
                            iqr / 1.349,
                            resolution(),
                            0.7 * average,
                            relativeFloor * Math.abs(median),
                            1e-12)
                    .max(Double::compare)
                    .orElseThrow();
        }

        private double resolution() {
            double smallest = Double.POSITIVE_INFINITY;
            for (int i = 0; i < changes.size(); i++) {
                smallest = Math.min(smallest, changes.get(i) * Math.pow(1.001, changes.size() - 1 - i));
            }
            return changes.isEmpty() ? 0 : smallest;
        }

        private static double medianOf(double[] sorted) {
            int half = sorted.length / 2;
            return sorted.length % 2 == 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
        }
    }

    private static RobustWindow windowOf(double relativeFloor, double... points) {
        RobustWindow window = new RobustWindow(relativeFloor);
        for (double point : points) {
            window.add(point);
        }
        return window;
    }

    /** The third number of the format: points, previous point, resolution. */
    private static double resolutionOf(RobustWindow window) {
        StateReader in = new StateReader(RoundTrip.bytes(window));
        in.readLong();
        in.readDouble();
        return in.readDouble();
    }
}
