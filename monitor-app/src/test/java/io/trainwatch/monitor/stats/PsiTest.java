package io.trainwatch.monitor.stats;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.Arrays;
import java.util.SplittableRandom;
import org.apache.commons.statistics.distribution.NormalDistribution;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class PsiTest {
    private static final int BINS = 10;
    private static final double[] DECILES = deciles();

    @Test
    void equal_histograms_have_none() {
        assertThat(Psi.of(new double[] {10, 20, 30}, new double[] {10, 20, 30})).isZero();
        assertThat(Psi.ofNormals(1, 2, 1, 2)).isZero();
        assertThat(Psi.pValue(0, BINS, 100, 100)).isEqualTo(1);
    }

    @Test
    void a_bin_that_nothing_fell_into_keeps_it_finite() {
        double psi = Psi.of(new double[] {100, 0}, new double[] {0, 100});

        // p = 100.5/101 and 0.5/101, q the other way round.
        assertThat(psi).isCloseTo(2 * (100 / 101.0) * Math.log(201), within(1e-12));
        assertThat(Psi.of(new double[2], new double[2])).isZero();
    }

    @ParameterizedTest
    @CsvSource({"0.2, 0.044, 0.01", "0.3, 0.09, 0.015", "0.5, 0.24, 0.03", "1, 0.93, 0.08"})
    void a_mean_shift_has_its_known_effect_size(double shift, double expected, double tolerance) {
        SplittableRandom random = new SplittableRandom(1);
        double mean = 0;
        for (int i = 0; i < 20; i++) {
            mean += Psi.of(sample(random, 10_000, 0), sample(random, 2_000, shift)) / 20;
        }

        assertThat(mean).isCloseTo(expected, within(tolerance));
    }

    @ParameterizedTest
    @CsvSource({"0.3, 1, 0.09", "0.5, 1, 0.25", "0, 2, 1.125", "0, 0.5, 1.125"})
    void two_normals_have_their_symmetric_divergence(double shift, double std, double expected) {
        assertThat(Psi.ofNormals(0, 1, shift, std)).isCloseTo(expected, within(1e-12));
        assertThat(Psi.ofNormals(shift, std, 0, 1)).isCloseTo(expected, within(1e-12));
    }

    @Test
    void between_two_samples_of_100_without_drift_it_is_above_a_tenth_four_times_of_five() {
        SplittableRandom random = new SplittableRandom(2);
        int above = 0;
        for (int i = 0; i < 5000; i++) {
            above += Psi.of(sample(random, 100, 0), sample(random, 100, 0)) > 0.1 ? 1 : 0;
        }

        assertThat(above / 5000.0).isCloseTo(0.8, within(0.05));
    }

    @Test
    void without_drift_one_p_value_of_a_hundred_is_below_a_hundredth() {
        SplittableRandom random = new SplittableRandom(3);
        int below1 = 0;
        int below10 = 0;
        for (int i = 0; i < 2000; i++) {
            double psi = Psi.of(sample(random, 1000, 0), sample(random, 400, 0));
            double p = Psi.pValue(psi, BINS, 1000, 400);
            below1 += p < 0.01 ? 1 : 0;
            below10 += p < 0.1 ? 1 : 0;
        }

        assertThat(below1 / 2000.0).isCloseTo(0.01, within(0.007));
        assertThat(below10 / 2000.0).isCloseTo(0.1, within(0.02));
    }

    @Test
    void the_critical_value_is_the_chi_squared_quantile_over_the_sample_sizes() {
        // 16.919 is the 95 % quantile of chi squared with 9 degrees of freedom.
        assertThat(Psi.pValue(16.919 * (1 / 10_000.0 + 1 / 2_000.0), BINS, 10_000, 2_000))
                .isCloseTo(0.05, within(1e-5));
    }

    private static double[] sample(SplittableRandom random, int n, double shift) {
        double[] counts = new double[BINS];
        for (int i = 0; i < n; i++) {
            int at = Arrays.binarySearch(DECILES, shift + random.nextGaussian());
            counts[at < 0 ? -at - 1 : at]++;
        }
        return counts;
    }

    private static double[] deciles() {
        NormalDistribution normal = NormalDistribution.of(0, 1);
        double[] deciles = new double[BINS - 1];
        for (int i = 0; i < deciles.length; i++) {
            deciles[i] = normal.inverseCumulativeProbability((i + 1) / (double) BINS);
        }
        return deciles;
    }
}
