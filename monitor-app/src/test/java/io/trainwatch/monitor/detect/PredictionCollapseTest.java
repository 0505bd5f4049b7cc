package io.trainwatch.monitor.detect;

import static org.assertj.core.api.Assertions.assertThat;

import io.trainwatch.alert.Severity;
import io.trainwatch.event.BatchStats;
import io.trainwatch.event.PredictionStats;
import io.trainwatch.monitor.Judging;
import io.trainwatch.monitor.RunStream;
import io.trainwatch.monitor.RunStream.Scenario;
import java.util.HashMap;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.function.Consumer;
import java.util.function.IntToDoubleFunction;
import java.util.function.LongToDoubleFunction;
import org.junit.jupiter.api.Test;

class PredictionCollapseTest implements DetectorContract {
    private static final String PREDICTION_COLLAPSE = "prediction_collapse";

    @Override
    public String detector() {
        return PREDICTION_COLLAPSE;
    }

    @Override
    public Scenario healthy() {
        return run -> predicted(run, new SplittableRandom(1), 60, 0);
    }

    /** Ten equally frequent classes; after 300 steps everything is class 0. A window is 200 samples: two batches. */
    @Override
    public Scenario fault() {
        return run -> {
            SplittableRandom random = new SplittableRandom(1);
            predicted(run, random, 30, 0);
            predicted(run, random, 20, 1);
        };
    }

    /** Batches of 100, ten steps apart, of which so many are class 0 whatever their label. */
    private static void predicted(RunStream run, SplittableRandom random, int batches, double collapsed) {
        for (int i = 0; i < batches; i++) {
            Map<String, Long> labels = new HashMap<>();
            Map<String, Long> predictions = new HashMap<>();
            for (int s = 0; s < 100; s++) {
                String label = String.valueOf(random.nextInt(10));
                labels.merge(label, 1L, Long::sum);
                predictions.merge(random.nextDouble() < collapsed ? "0" : label, 1L, Long::sum);
            }
            run.steps(10);
            says(run, body -> {
                body.setPredictedClassHistogram(predictions);
                body.setLabelHistogram(labels);
            });
        }
    }

    private static void says(RunStream run, Consumer<PredictionStats> edit) {
        PredictionStats body = new PredictionStats();
        body.setNumSamples(100L);
        edit.accept(body);
        run.says(run.step(), body);
    }

    @Test
    void the_second_collapsed_window_fires_and_the_third_is_critical() {
        Judging.Episode collapse = Judging.of(fault()).only(PREDICTION_COLLAPSE);
        assertThat(collapse.scope()).isEqualTo("train");
        assertThat(collapse.openedStep()).isEqualTo(340);
        assertThat(collapse.onsetStep()).isEqualTo(310);
        assertThat(collapse.first().getSeverity()).isEqualTo(Severity.warning);
        assertThat(collapse.stepOf(Severity.critical)).isEqualTo(360);
        assertThat(collapse.message())
                .matches(
                        "train: 100 % of predictions are one class, mostly 0, where one has 1\\d(\\.\\d)? % of labels, since step 310");
    }

    @Test
    void most_predictions_of_one_class_are_a_partial_collapse() {
        Judging judging = Judging.of(run -> {
            SplittableRandom random = new SplittableRandom(1);
            predicted(run, random, 30, 0);
            predicted(run, random, 20, 0.85);
        });
        assertThat(judging.only(PREDICTION_COLLAPSE).openedStep()).isEqualTo(340);
        assertThat(judging.only(PREDICTION_COLLAPSE).message())
                .matches(
                        "train: predicted classes have an entropy of [\\d.]+ nats, labels of 2\\.\\d+, since step 310");
        assertThat(Judging.of(run -> predicted(run, new SplittableRandom(1), 60, 0.5))
                        .episodes())
                .isEmpty();
    }

    @Test
    void a_model_that_has_not_begun_to_learn_is_left_alone_for_500_steps_and_never_critical() {
        Judging.Episode collapse = Judging.of(run -> predicted(run, new SplittableRandom(1), 70, 1))
                .only(PREDICTION_COLLAPSE);
        assertThat(collapse.openedStep()).isEqualTo(520);
        assertThat(collapse.highest()).isEqualTo(Severity.warning);
        assertThat(Judging.of(run -> {
                            SplittableRandom random = new SplittableRandom(1);
                            predicted(run, random, 40, 1);
                            predicted(run, random, 40, 0);
                        })
                        .episodes())
                .isEmpty();
    }

    @Test
    void one_class_at_a_time_is_a_collapse_even_if_it_is_another_each_time() {
        Judging judging = Judging.of(run -> {
            for (int i = 0; i < 80; i++) {
                String one = String.valueOf(i % 7);
                run.steps(10);
                says(run, body -> {
                    body.setPredictedClassHistogram(Map.of(one, 100L));
                    body.setLabelHistogram(Map.of("0", 25L, "1", 25L, "2", 25L, "3", 25L));
                });
            }
        });
        assertThat(judging.only(PREDICTION_COLLAPSE).openedStep()).isEqualTo(510);
        assertThat(judging.only(PREDICTION_COLLAPSE).highest()).isEqualTo(Severity.warning);
    }

    @Test
    void a_majority_that_the_labels_have_too_is_info() {
        Judging.Episode majority = Judging.of(run -> {
                    for (int i = 0; i < 80; i++) {
                        run.steps(10);
                        says(run, body -> {
                            body.setPredictedClassHistogram(Map.of("0", 100L));
                            body.setLabelHistogram(Map.of("0", 98L, "1", 2L));
                        });
                    }
                })
                .only(PREDICTION_COLLAPSE);
        assertThat(majority.highest()).isEqualTo(Severity.info);
        assertThat(majority.message())
                .isEqualTo("train: 100 % of predictions are one class, mostly 0, and so are 98 % of labels");
    }

    @Test
    void tokens_are_predicted_from_fewer_than_they_are_drawn() {
        Scenario greedy = run -> {
            for (int i = 0; i < 80; i++) {
                Map<String, Long> labels = new HashMap<>();
                for (int token = 0; token < 100; token++) {
                    labels.put("t" + token, 1L);
                }
                run.steps(10);
                says(run, body -> {
                    body.setPredictedClassHistogram(Map.of("t0", 70L, "t1", 30L));
                    body.setLabelHistogram(labels);
                });
            }
        };
        assertThat(Judging.of(run -> {
                            run.started(body -> body.setVocabSize(50_000));
                            greedy.accept(run);
                        })
                        .episodes(PREDICTION_COLLAPSE))
                .isEmpty();
        assertThat(Judging.of(greedy).alarms(PREDICTION_COLLAPSE)).hasSize(1);
    }

    @Test
    void without_labels_one_class_is_a_collapse_only_where_there_were_several() {
        Scenario always = run -> {
            for (int i = 0; i < 80; i++) {
                run.steps(10);
                says(run, body -> body.setPredictedClassHistogram(Map.of("0", 100L)));
            }
        };
        assertThat(Judging.of(always).episodes()).isEmpty();
        assertThat(Judging.of(run -> {
                            for (int i = 0; i < 30; i++) {
                                run.steps(10);
                                says(run, body -> body.setPredictedClassHistogram(Map.of("0", 50L, "1", 50L)));
                            }
                            always.accept(run);
                        })
                        .alarms(PREDICTION_COLLAPSE))
                .hasSize(1);
    }

    @Test
    void a_regression_that_predicts_one_value_is_found_by_the_labels_of_its_batches() {
        Judging judging = Judging.of(run -> regression(run, 80, i -> i < 40 ? 9 : 0.3));
        // Windows of 100 samples: each batch is one.
        assertThat(judging.only(PREDICTION_COLLAPSE).openedStep()).isEqualTo(420);
        assertThat(judging.only(PREDICTION_COLLAPSE).message())
                .isEqualTo("train: predictions have a std of 0.3015, labels of 10, since step 410");
        assertThat(Judging.of(run -> regression(run, 80, i -> 2)).episodes()).isEmpty();
    }

    private static void regression(RunStream run, int batches, IntToDoubleFunction std) {
        for (int i = 0; i < batches; i++) {
            double its = std.applyAsDouble(i);
            BatchStats labels = new BatchStats();
            labels.setNumSamples(100L);
            labels.setLabelMean(3.0);
            labels.setLabelStd(10.0);
            run.steps(10).says(run.step(), labels);
            says(run, body -> {
                body.setMean(3.0);
                body.setStd(its);
            });
        }
    }

    @Test
    void embeddings_that_all_point_the_same_way_are_found() {
        Judging judging = Judging.of(run -> {
            for (int i = 0; i < 80; i++) {
                double cosine = i < 40 ? 0.3 : 0.99;
                run.steps(10);
                says(run, body -> body.setPairwiseCosineMean(cosine));
            }
        });
        assertThat(judging.only(PREDICTION_COLLAPSE).openedStep()).isEqualTo(420);
        assertThat(judging.only(PREDICTION_COLLAPSE).highest()).isEqualTo(Severity.critical);
    }

    @Test
    void a_generator_that_covers_fewer_modes_for_three_evaluations_has_collapsed() {
        Judging judging = Judging.of(run -> {
            run.started(body -> body.setTask("gan"));
            for (double modes : new double[] {4, 1, 6, 8, 8, 3, 8, 3, 3, 3, 3}) {
                run.steps(100).evaluation(Map.of("modes_covered", modes), body -> {});
            }
        });
        Judging.Episode collapse = judging.only(PREDICTION_COLLAPSE);
        assertThat(collapse.scope()).isEqualTo("val/modes_covered");
        assertThat(collapse.openedStep()).isEqualTo(1000);
        assertThat(collapse.onsetStep()).isEqualTo(800);
        assertThat(collapse.highest()).isEqualTo(Severity.warning);
    }

    @Test
    void a_discriminator_that_cannot_be_fooled_for_500_steps_is_a_warning() {
        Judging judging = Judging.of(run -> gan(run, "gan", step -> step <= 300 ? 0.6 : 0.01 + 0.03 * (step % 2)));
        Judging.Episode beaten = judging.only(PREDICTION_COLLAPSE);
        assertThat(beaten.scope()).isEqualTo("losses/d_loss");
        assertThat(beaten.openedStep()).isEqualTo(801);
        assertThat(beaten.onsetStep()).isEqualTo(301);
        assertThat(beaten.highest()).isEqualTo(Severity.warning);
    }

    @Test
    void a_discriminator_that_is_fooled_now_and_then_is_quiet_and_so_is_any_other_loss() {
        assertThat(Judging.of(run -> gan(run, "gan", step -> step % 400 == 0 ? 0.7 : 0.01))
                        .episodes(PREDICTION_COLLAPSE))
                .isEmpty();
        assertThat(Judging.of(run -> gan(run, "gan", step -> -3.0)).episodes(PREDICTION_COLLAPSE))
                .isEmpty();
        assertThat(Judging.of(run -> gan(run, "supervised", step -> 0.01)).episodes(PREDICTION_COLLAPSE))
                .isEmpty();
    }

    @Test
    void a_generator_that_only_ever_loses_ground_is_a_warning_though_the_discriminator_is_never_sure() {
        // Where d_loss is a tenth of its start and g_loss ten times its own, the generator learns nothing.
        Judging.Episode beaten = Judging.of(
                        run -> gan(run, "gan", step -> step <= 300 ? 1 : 10, step -> step <= 300 ? 1.4 : 0.14))
                .only(PREDICTION_COLLAPSE);
        assertThat(beaten.scope()).isEqualTo("losses/d_loss");
        assertThat(beaten.openedStep()).isEqualTo(801);
        assertThat(beaten.onsetStep()).isEqualTo(301);
    }

    @Test
    void a_game_in_which_only_one_loss_moves_is_balanced() {
        assertThat(Judging.of(run -> gan(run, "gan", step -> 1, step -> step <= 300 ? 1.4 : 0.14))
                        .episodes(PREDICTION_COLLAPSE))
                .isEmpty();
        assertThat(Judging.of(run -> gan(run, "gan", step -> step <= 300 ? 1 : 10, step -> 1.4))
                        .episodes(PREDICTION_COLLAPSE))
                .isEmpty();
        assertThat(Judging.of(run -> gan(run, "gan", step -> 10, step -> 0.14)).episodes(PREDICTION_COLLAPSE))
                .isEmpty();
    }

    private static void gan(RunStream run, String profile, LongToDoubleFunction discriminator) {
        gan(run, profile, step -> 0.01, discriminator);
    }

    private static void gan(
            RunStream run, String profile, LongToDoubleFunction generator, LongToDoubleFunction discriminator) {
        run.started(body -> body.setMetricProfile(profile));
        run.steps(1000, (body, step) -> {
            body.setLoss(null);
            body.setLosses(
                    Map.of("g_loss", generator.applyAsDouble(step), "d_loss", discriminator.applyAsDouble(step)));
        });
    }

    @Test
    void hostile_predictions_harm_nothing() {
        Judging judging = Judging.of(run -> {
            run.steps(600);
            for (int i = 0; i < 100; i++) {
                Map<String, Long> histogram = new HashMap<>();
                for (int c = 0; c < 300; c++) {
                    histogram.put("\n".repeat(c) + i, c % 7 == 0 ? Long.MIN_VALUE : 1L);
                }
                says(run, body -> {
                    body.setNumSamples(Long.MIN_VALUE);
                    body.setPredictedClassHistogram(histogram);
                    body.setLabelHistogram(Map.of("x", -1L));
                    body.setMean(Double.NaN);
                    body.setStd(-1.0);
                    body.setPairwiseCosineMean(Double.POSITIVE_INFINITY);
                });
            }
        });
        assertThat(judging.encoded().length).isLessThan(500_000);
        assertThat(judging.changes())
                .allSatisfy(alert -> assertThat(alert.getMessage()).doesNotContain("\n"));
    }

    @Test
    void what_is_missing_is_said() {
        assertThat(Judging.of(run -> run.steps(5)).notChecked(PREDICTION_COLLAPSE))
                .isEqualTo("prediction_stats");
        assertThat(Judging.of(run -> predicted(run, new SplittableRandom(1), 4, 0))
                        .notChecked(PREDICTION_COLLAPSE))
                .isEqualTo("predictions after the start of the run");
    }
}
