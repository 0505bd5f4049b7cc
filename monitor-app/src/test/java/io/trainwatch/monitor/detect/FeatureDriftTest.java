package io.trainwatch.monitor.detect;

import static org.assertj.core.api.Assertions.assertThat;

import io.trainwatch.alert.Severity;
import io.trainwatch.event.FeatureSummary;
import io.trainwatch.event.Histogram;
import io.trainwatch.monitor.Judging;
import io.trainwatch.monitor.RunStream;
import io.trainwatch.monitor.RunStream.Scenario;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.junit.jupiter.api.Test;

class FeatureDriftTest implements DetectorContract {
    private static final String FEATURE_DRIFT = "feature_drift";
    private static final int BATCH = 100;

    @Override
    public String detector() {
        return FEATURE_DRIFT;
    }

    @Override
    public Scenario healthy() {
        return run -> batches(run, 200, 0, 1);
    }

    /** 25 batches, of which 20 are the reference; from then on feature 3 is a standard deviation higher. */
    @Override
    public Scenario fault() {
        return run -> {
            batches(run, 25, 0, 1);
            batches(run, 40, 1, 1);
        };
    }

    /** Batches of eight normal features a step apart; feature 3 has this mean and standard deviation. */
    private static void batches(RunStream run, int count, double mean, double std) {
        for (int i = 0; i < count; i++) {
            List<FeatureSummary> features = new ArrayList<>();
            for (int f = 0; f < 8; f++) {
                features.add(feature("f" + f, run, f == 3 ? mean : 0, f == 3 ? std : 1));
            }
            run.steps(1).features(BATCH, features);
        }
    }

    private static FeatureSummary feature(String name, RunStream run, double mean, double std) {
        FeatureSummary feature = new FeatureSummary();
        feature.setName(name);
        feature.setCount((long) BATCH);
        feature.setMean(mean + run.noise(std / Math.sqrt(BATCH)));
        feature.setStd(std * (1 + run.noise(1 / Math.sqrt(2.0 * BATCH))));
        return feature;
    }

    @Test
    void the_second_drifted_window_fires_and_the_onset_is_the_first() {
        Judging.Episode drift = Judging.of(fault()).only(FEATURE_DRIFT);
        // Reference: batches 1 to 20; windows of five: 21-25, 26-30, 31-35.
        assertThat(drift.scope()).isEqualTo("train");
        assertThat(drift.openedStep()).isEqualTo(35);
        assertThat(drift.onsetStep()).isEqualTo(26);
        assertThat(drift.highest()).isEqualTo(Severity.warning);
        assertThat(drift.message())
                .matches("1 of 8 train features left their reference since step 26; most of all f3: mean -?0\\.0\\d+ ->"
                        + " (0\\.9|1\\.)\\d*, std (0\\.9|1\\.)\\d* -> (0\\.9|1\\.)\\d* \\(PSI (0|1)\\.\\d+\\)");
        assertThat(drift.first().getEvidence().get(0).getSignal()).isEqualTo("features/f3/mean");
    }

    @Test
    void a_spread_that_doubles_is_a_drift_too() {
        Judging judging = Judging.of(run -> {
            batches(run, 25, 0, 1);
            batches(run, 10, 0, 2);
        });
        assertThat(judging.only(FEATURE_DRIFT).openedStep()).isEqualTo(35);
    }

    @Test
    void a_shift_of_a_tenth_of_a_standard_deviation_is_too_small_to_matter() {
        assertThat(Judging.of(run -> {
                            batches(run, 25, 0, 1);
                            batches(run, 100, 0.1, 1);
                        })
                        .episodes())
                .isEmpty();
    }

    @Test
    void batches_that_differ_more_than_samples_do_are_quiet() {
        assertThat(Judging.of(run -> {
                            for (int i = 0; i < 300; i++) {
                                batches(run, 1, run.noise(0.8), 1);
                            }
                        })
                        .episodes())
                .isEmpty();
    }

    @Test
    void it_is_over_after_three_windows_back_at_the_reference() {
        Judging judging = Judging.of(run -> {
            fault().accept(run);
            batches(run, 20, 0, 1);
        });
        assertThat(judging.only(FEATURE_DRIFT).last().getResolvedStep()).isEqualTo(80);
    }

    @Test
    void a_declared_phase_takes_a_new_reference() {
        Judging judging = Judging.of(run -> {
            batches(run, 25, 0, 1);
            run.phaseChanged("data_mix");
            batches(run, 100, 1, 1);
        });
        assertThat(judging.episodes(FEATURE_DRIFT)).isEmpty();
    }

    @Test
    void with_histograms_a_change_of_shape_at_equal_moments_is_found() {
        Judging judging = Judging.of(run -> {
            for (int i = 1; i <= 60; i++) {
                FeatureSummary feature = feature("f", run, 0, 1);
                Histogram histogram = new Histogram();
                histogram.setEdges(List.of(-3.0, -1.0, 0.0, 1.0, 3.0));
                histogram.setCounts(i <= 30 ? List.of(16L, 34L, 34L, 16L) : List.of(48L, 2L, 2L, 48L));
                feature.setHistogram(histogram);
                run.steps(1).features(BATCH, List.of(feature));
            }
        });
        assertThat(judging.only(FEATURE_DRIFT).openedStep()).isEqualTo(40);
    }

    @Test
    void a_feature_that_is_always_constant_is_not_tested() {
        Judging judging = Judging.of(run -> {
            for (int i = 0; i < 60; i++) {
                FeatureSummary feature = new FeatureSummary();
                feature.setName("constant");
                feature.setCount((long) BATCH);
                feature.setMean(i < 30 ? 1.0 : 2.0);
                feature.setStd(0.0);
                run.steps(1).features(BATCH, List.of(feature));
            }
        });
        assertThat(judging.episodes(FEATURE_DRIFT)).isEmpty();
        assertThat(judging.notChecked(FEATURE_DRIFT)).isNotEmpty();
    }

    @Test
    void hostile_summaries_harm_nothing() {
        Judging judging = Judging.of(run -> {
            for (int i = 0; i < 60; i++) {
                FeatureSummary nan = feature("nan", run, Double.NaN, Double.NaN);
                FeatureSummary negative = feature("negative", run, 0, 1);
                negative.setCount(-5L);
                negative.setMissingCount(Long.MAX_VALUE);
                Histogram histogram = new Histogram();
                histogram.setEdges(List.of());
                histogram.setCounts(List.of(-7L, Long.MIN_VALUE, 3L));
                negative.setHistogram(histogram);
                FeatureSummary named = feature("x".repeat(10_000), run, 0, 1);
                run.steps(1).features(BATCH, List.of(nan, negative, named));
            }
            run.features(Long.MIN_VALUE, List.of()).features(-1, List.of(feature("f", run, 0, 1)));
        });
        assertThat(judging.alarms()).isEmpty();
        assertThat(judging.encoded().length).isLessThan(20_000);
    }

    @Test
    void the_false_discovery_rate_is_controlled_over_all_features() {
        assertThat(FeatureDrift.benjaminiHochberg(new double[] {0.5, 0.001, 0.004, 0.9}, 0.01))
                .isEqualTo(0.004);
        assertThat(FeatureDrift.benjaminiHochberg(new double[] {0.5, 0.003, 0.9, 0.9}, 0.01))
                .isZero();
        assertThat(FeatureDrift.benjaminiHochberg(
                        Collections.nCopies(3, Double.NaN).stream()
                                .mapToDouble(d -> d)
                                .toArray(),
                        0.01))
                .isZero();
    }

    @Test
    void what_is_missing_is_said() {
        assertThat(Judging.of(run -> run.steps(5)).notChecked(FEATURE_DRIFT)).isEqualTo("batch_stats.features");
        assertThat(Judging.of(run -> batches(run, 24, 0, 1)).notChecked(FEATURE_DRIFT))
                .isEqualTo("2000 samples of reference and 500 more, of features that vary");
    }

    /** Batches of 16 samples: at 2,000 samples of reference and 500 a window, a drift would take 188 of them. */
    private static void small(RunStream run, int count, double mean) {
        for (int i = 0; i < count; i++) {
            List<FeatureSummary> features = new ArrayList<>();
            for (int f = 0; f < 8; f++) {
                FeatureSummary feature = feature("f" + f, run, f == 3 ? mean : 0, 1);
                feature.setCount(16L);
                feature.setMean((f == 3 ? mean : 0) + run.noise(0.25));
                feature.setStd(Math.abs(1 + run.noise(0.18)));
                features.add(feature);
            }
            run.steps(1).features(16, features);
        }
    }

    @Test
    void small_batches_without_a_drift_are_quiet() {
        assertThat(Judging.of(run -> small(run, 3000, 0)).episodes(FEATURE_DRIFT))
                .isEmpty();
    }

    @Test
    void a_large_shift_between_small_batches_is_found_by_the_early_looks() {
        Judging judging = Judging.of(run -> {
            small(run, 64, 0);
            small(run, 40, 3);
        });
        // 32 batches of 16 are the reference, 33 to 64 the first window; early looks at 72 and 80.
        assertThat(judging.only(FEATURE_DRIFT).openedStep()).isEqualTo(80);
        assertThat(judging.only(FEATURE_DRIFT).onsetStep()).isEqualTo(65);
    }
}
