package io.trainwatch.monitor.detect;

import static org.assertj.core.api.Assertions.assertThat;

import io.trainwatch.alert.Severity;
import io.trainwatch.event.PredictionStats;
import io.trainwatch.monitor.Judging;
import io.trainwatch.monitor.RunStream;
import io.trainwatch.monitor.RunStream.Scenario;
import java.util.HashMap;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class LabelDriftTest implements DetectorContract {
    private static final String LABEL_DRIFT = "label_drift";

    @Override
    public String detector() {
        return LABEL_DRIFT;
    }

    @Override
    public Scenario healthy() {
        return run -> batches(run, new SplittableRandom(1), 300, 10, 0);
    }

    /** Ten equally frequent classes; after 25 batches of 100, of which 20 are the reference, class 0 is a third. */
    @Override
    public Scenario fault() {
        return run -> {
            SplittableRandom random = new SplittableRandom(1);
            batches(run, random, 25, 10, 0);
            batches(run, random, 40, 10, 0.25);
        };
    }

    private static void batches(RunStream run, SplittableRandom random, int count, int classes, double extra) {
        for (int i = 0; i < count; i++) {
            run.steps(1).labels(histogram(random, classes, extra));
        }
    }

    private static Map<String, Long> histogram(SplittableRandom random, int classes, double extra) {
        Map<String, Long> histogram = new HashMap<>();
        for (int i = 0; i < 100; i++) {
            int label = random.nextDouble() < extra ? 0 : random.nextInt(classes);
            histogram.merge(String.valueOf(label), 1L, Long::sum);
        }
        return histogram;
    }

    @Test
    void the_second_drifted_window_fires_and_the_onset_is_the_first() {
        Judging.Episode drift = Judging.of(fault()).only(LABEL_DRIFT);
        assertThat(drift.scope()).isEqualTo("train");
        assertThat(drift.openedStep()).isEqualTo(35);
        assertThat(drift.onsetStep()).isEqualTo(26);
        assertThat(drift.highest()).isEqualTo(Severity.warning);
        assertThat(drift.message())
                .matches("train labels left their reference since step 26; most of all class 0: (9|10|11)\\.?\\d* % ->"
                        + " [23]\\d\\.?\\d* % \\(PSI 0\\.\\d+\\)");
    }

    @Test
    void data_sorted_by_class_drifts() {
        Judging judging = Judging.of(run -> {
            SplittableRandom random = new SplittableRandom(1);
            batches(run, random, 25, 10, 0);
            for (int i = 0; i < 40; i++) {
                run.steps(1).labels(Map.of(String.valueOf(i / 10), 100L));
            }
        });
        assertThat(judging.only(LABEL_DRIFT).highest()).isEqualTo(Severity.warning);
    }

    @Test
    void a_thousand_rare_classes_are_quiet() {
        assertThat(Judging.of(run -> batches(run, new SplittableRandom(2), 300, 1000, 0))
                        .episodes())
                .isEmpty();
    }

    @Test
    void batches_that_each_hold_few_classes_vary_more_and_are_quiet() {
        assertThat(Judging.of(run -> {
                            SplittableRandom random = new SplittableRandom(3);
                            for (int i = 0; i < 300; i++) {
                                run.steps(1).labels(Map.of("a" + random.nextInt(5), 50L, "b" + random.nextInt(5), 50L));
                            }
                        })
                        .episodes())
                .isEmpty();
    }

    @Test
    void a_declared_phase_takes_a_new_reference() {
        Judging judging = Judging.of(run -> {
            SplittableRandom random = new SplittableRandom(1);
            batches(run, random, 25, 10, 0);
            run.phaseChanged("data_mix");
            batches(run, random, 100, 10, 0.25);
        });
        assertThat(judging.episodes()).isEmpty();
    }

    @Test
    void the_labels_of_predictions_do_where_batches_have_none() {
        Judging judging = Judging.of(run -> {
            SplittableRandom random = new SplittableRandom(1);
            for (int i = 0; i < 65; i++) {
                PredictionStats body = new PredictionStats();
                body.setLabelHistogram(histogram(random, 10, i < 25 ? 0 : 0.25));
                run.steps(1).says(run.step(), body);
            }
        });
        assertThat(judging.only(LABEL_DRIFT).openedStep()).isEqualTo(35);
    }

    @Test
    void hostile_labels_harm_nothing() {
        Judging judging = Judging.of(run -> {
            for (int i = 0; i < 100; i++) {
                Map<String, Long> histogram = new HashMap<>();
                for (int c = 0; c < 300; c++) {
                    histogram.put("\n".repeat(c) + i, c % 7 == 0 ? Long.MIN_VALUE : 1L);
                }
                run.labels(histogram).labels(Map.of("x", -1L)).labels(Map.of());
            }
        });
        assertThat(judging.encoded().length).isLessThan(300_000);
        assertThat(judging.changes())
                .allSatisfy(alert -> assertThat(alert.getMessage()).doesNotContain("\n"));
    }

    @Test
    void what_is_missing_is_said() {
        assertThat(Judging.of(run -> run.steps(5)).notChecked(LABEL_DRIFT)).isEqualTo("batch_stats.label_histogram");
        assertThat(Judging.of(run -> batches(run, new SplittableRandom(1), 24, 10, 0))
                        .notChecked(LABEL_DRIFT))
                .isEqualTo("2000 labels of reference and 500 more");
    }

    @Test
    void batches_of_one_class_each_are_told_as_soon_as_there_is_a_reference() {
        Judging judging = Judging.of(run -> {
            for (int i = 0; i < 100; i++) {
                run.steps(1).labels(Map.of(String.valueOf(i % 10), 32L));
            }
        });
        Judging.Episode order = judging.only(LABEL_DRIFT);
        assertThat(order.scope()).isEqualTo("train/order");
        // 32 batches of reference, then the early look at 8.
        assertThat(order.openedStep()).isEqualTo(40);
        assertThat(order.highest()).isEqualTo(Severity.warning);
        assertThat(order.message())
                .startsWith(
                        "labels come in an order: 100 % of their variance lies between batches, of shuffled ones none");
    }

    @Test
    void batches_of_four_classes_of_ten_are_no_order() {
        assertThat(Judging.of(run -> {
                            SplittableRandom random = new SplittableRandom(6);
                            for (int i = 0; i < 300; i++) {
                                Map<String, Long> histogram = new HashMap<>();
                                for (int c = 0; c < 4; c++) {
                                    histogram.merge(String.valueOf(random.nextInt(10)), 8L, Long::sum);
                                }
                                run.steps(1).labels(histogram);
                            }
                        })
                        .episodes())
                .isEmpty();
    }

    @Test
    void a_large_shift_between_small_batches_is_found_by_the_early_looks() {
        Judging judging = Judging.of(run -> {
            SplittableRandom random = new SplittableRandom(7);
            for (int i = 0; i < 120; i++) {
                Map<String, Long> histogram = new HashMap<>();
                for (int s = 0; s < 16; s++) {
                    int label = i >= 48 && random.nextDouble() < 0.7 ? 0 : random.nextInt(4);
                    histogram.merge(String.valueOf(label), 1L, Long::sum);
                }
                run.steps(1).labels(histogram);
            }
        });
        // 32 batches of 16 are the reference, 33 to 64 a window; then two early looks, at 72 and 80, are enough.
        assertThat(judging.only(LABEL_DRIFT).openedStep()).isEqualTo(72);
    }
}
