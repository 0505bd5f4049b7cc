package io.trainwatch.monitor.detect;

import static org.assertj.core.api.Assertions.assertThat;

import io.trainwatch.alert.Severity;
import io.trainwatch.event.BatchStats;
import io.trainwatch.event.FeatureSummary;
import io.trainwatch.monitor.Judging;
import io.trainwatch.monitor.RunStream;
import io.trainwatch.monitor.RunStream.Scenario;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;

class AbnormalInputTest implements DetectorContract {
    private static final String ABNORMAL_INPUT = "abnormal_input";

    @Override
    public String detector() {
        return ABNORMAL_INPUT;
    }

    @Override
    public Scenario healthy() {
        return run -> batches(run, 60, batch -> {
            batch.setFeatures(List.of(feature("a", run.noise(0.1), 1), feature("b", 0.5 + run.noise(0.1), 2)));
            batch.setAllZeroSampleFraction(0.002);
            batch.setPaddingFraction(0.3);
            batch.setDuplicateCount(0L);
            batch.setOutOfRangeLabelCount(0L);
        });
    }

    /** Ten batches of 100 samples without black crops, then a twentieth of them black. */
    @Override
    public Scenario fault() {
        return run -> {
            batches(run, 10, batch -> batch.setAllZeroSampleFraction(0.001));
            batches(run, 20, batch -> batch.setAllZeroSampleFraction(0.05));
        };
    }

    /** Batches of 100 samples, a step apart. */
    private static void batches(RunStream run, int count, Consumer<BatchStats> edit) {
        for (int i = 0; i < count; i++) {
            run.steps(1);
            batch(run, edit);
        }
    }

    private static void batch(RunStream run, Consumer<BatchStats> edit) {
        BatchStats body = new BatchStats();
        body.setNumSamples(100L);
        edit.accept(body);
        run.says(run.step(), body);
    }

    private static FeatureSummary feature(String name, double mean, double std) {
        FeatureSummary feature = new FeatureSummary();
        feature.setName(name);
        feature.setCount(100L);
        feature.setMean(mean);
        feature.setStd(std);
        return feature;
    }

    @Test
    void the_second_window_of_black_crops_fires_and_the_onset_is_the_first() {
        Judging.Episode zeros = Judging.of(fault()).only(ABNORMAL_INPUT);
        // Reference: batches 1 to 5; windows of five: 6-10, 11-15, 16-20.
        assertThat(zeros.scope()).isEqualTo("train/zeros");
        assertThat(zeros.openedStep()).isEqualTo(20);
        assertThat(zeros.onsetStep()).isEqualTo(11);
        assertThat(zeros.highest()).isEqualTo(Severity.warning);
        assertThat(zeros.message()).isEqualTo("5 % of samples are all zero since step 11, 0.1 % at first");
    }

    @Test
    void black_crops_from_the_start_are_info_and_fewer_than_one_percent_nothing() {
        assertThat(Judging.of(run -> batches(run, 20, batch -> batch.setAllZeroSampleFraction(0.05)))
                        .only(ABNORMAL_INPUT)
                        .highest())
                .isEqualTo(Severity.info);
        assertThat(Judging.of(run -> {
                            batches(run, 10, batch -> batch.setAllZeroSampleFraction(0.0));
                            batches(run, 20, batch -> batch.setAllZeroSampleFraction(0.009));
                        })
                        .episodes())
                .isEmpty();
    }

    @Test
    void labels_outside_of_the_classes_are_critical_at_once() {
        Judging.Episode labels = Judging.of(run -> {
                    batches(run, 5, batch -> batch.setOutOfRangeLabelCount(0L));
                    batches(run, 1, batch -> batch.setOutOfRangeLabelCount(7L));
                })
                .only(ABNORMAL_INPUT);
        assertThat(labels.scope()).isEqualTo("train/labels");
        assertThat(labels.openedStep()).isEqualTo(6);
        assertThat(labels.highest()).isEqualTo(Severity.critical);
        assertThat(labels.message()).isEqualTo("7 labels of train are outside the declared classes at step 6");
    }

    @Test
    void a_histogram_tells_labels_outside_of_the_declared_classes() {
        assertThat(labelled(3, Map.of("0", 50L, "3", 4L)).only(ABNORMAL_INPUT).message())
                .isEqualTo("4 labels of train are outside the 3 declared classes, label 3 at step 1");
        assertThat(labelled(3, Map.of("0", 50L, "-1", 4L)).only(ABNORMAL_INPUT).highest())
                .isEqualTo(Severity.critical);
    }

    @Test
    void labels_from_1_to_c_names_and_what_is_to_be_ignored_are_in_range() {
        assertThat(labelled(3, Map.of("1", 50L, "2", 20L, "3", 4L)).episodes()).isEmpty();
        assertThat(labelled(3, Map.of("0", 50L, "2", 20L, "-100", 4L)).episodes())
                .isEmpty();
        assertThat(labelled(3, Map.of("cat", 50L, "7 dogs", 20L, "-", 4L)).episodes())
                .isEmpty();
    }

    private static Judging labelled(int classes, Map<String, Long> histogram) {
        return Judging.of(run -> {
            run.started(body -> body.setNumClasses(classes));
            batches(run, 1, batch -> batch.setLabelHistogram(histogram));
        });
    }

    @Test
    void a_feature_that_never_varies_is_told_once_as_info() {
        Judging.Episode constant = Judging.of(run -> batches(
                        run, 60, batch -> batch.setFeatures(List.of(feature("a", 0, 1), feature("border", 0, 0)))))
                .only(ABNORMAL_INPUT);
        assertThat(constant.scope()).isEqualTo("train/constant");
        assertThat(constant.openedStep()).isEqualTo(10);
        assertThat(constant.highest()).isEqualTo(Severity.info);
        assertThat(constant.message()).isEqualTo("1 of 2 features do not vary, border has mean 0 and std 0");
    }

    @Test
    void a_feature_that_stops_varying_is_a_warning_in_the_second_window() {
        Judging judging = Judging.of(run -> {
            batches(run, 15, batch -> batch.setFeatures(List.of(feature("a", 0, 1), feature("sensor", 0, 1))));
            batches(run, 10, batch -> batch.setFeatures(List.of(feature("a", 0, 1), feature("sensor", 0, 0))));
        });
        Judging.Episode frozen = judging.episodes(ABNORMAL_INPUT).get(0);
        assertThat(frozen.scope()).isEqualTo("train/frozen");
        assertThat(frozen.openedStep()).isEqualTo(25);
        assertThat(frozen.message()).isEqualTo("1 features stopped varying, sensor had a std of 1.001");
        assertThat(frozen.highest()).isEqualTo(Severity.warning);
    }

    @Test
    void a_rare_value_that_does_not_come_for_a_while_has_not_stopped() {
        assertThat(Judging.of(run -> batches(
                                run,
                                60,
                                batch -> batch.setFeatures(
                                        List.of(feature("rare", 0, run.step() == 4 || run.step() == 30 ? 0.1 : 0)))))
                        .alarms())
                .isEmpty();
    }

    @Test
    void pixels_of_0_to_255_are_info_while_the_model_learns() {
        Judging.Episode scale = Judging.of(run -> pixels(run, 60)).only(ABNORMAL_INPUT);
        assertThat(scale.scope()).isEqualTo("train/scale");
        assertThat(scale.highest()).isEqualTo(Severity.info);
        assertThat(scale.message())
                .isEqualTo("1 of 1 features are not of the usual scale, pixel has mean 120 and std 70.04");
    }

    @Test
    void pixels_of_0_to_255_are_a_warning_where_the_model_does_not_learn() {
        Judging.Episode scale = Judging.of(run -> {
                    run.loss(step -> 2.3 + run.noise(0.02));
                    pixels(run, 600);
                })
                .only(ABNORMAL_INPUT);
        assertThat(scale.stepOf(Severity.warning)).isEqualTo(500);
        assertThat(Judging.of(run -> {
                            pixels(run, 20);
                            run.loss(step -> Double.NaN);
                            pixels(run, 1);
                        })
                        .only(ABNORMAL_INPUT)
                        .stepOf(Severity.warning))
                .isEqualTo(21);
    }

    private static void pixels(RunStream run, int count) {
        batches(run, count, batch -> batch.setFeatures(List.of(feature("pixel", 120, 70))));
    }

    @Test
    void more_padding_than_tokens_is_info() {
        assertThat(Judging.of(run -> batches(run, 20, batch -> batch.setPaddingFraction(0.7)))
                        .only(ABNORMAL_INPUT)
                        .message())
                .isEqualTo("70 % of tokens are padding since step 6, 70 % at first");
    }

    @Test
    void a_loader_that_repeats_itself_is_a_warning_and_sampling_with_replacement_is_not() {
        assertThat(Judging.of(run -> {
                            batches(run, 10, batch -> batch.setDuplicateCount(0L));
                            batches(run, 20, batch -> batch.setDuplicateCount(100L));
                        })
                        .only(ABNORMAL_INPUT)
                        .openedStep())
                .isEqualTo(20);
        assertThat(Judging.of(run -> batches(
                                run,
                                100,
                                batch ->
                                        batch.setDuplicateCount(Math.round(100 * (1 - Math.exp(-run.step() / 100.0))))))
                        .episodes())
                .isEmpty();
    }

    @Test
    void a_declared_phase_takes_a_new_reference() {
        assertThat(Judging.of(run -> {
                            batches(run, 10, batch -> batch.setAllZeroSampleFraction(0.0));
                            run.phaseChanged("data_mix");
                            batches(run, 20, batch -> batch.setAllZeroSampleFraction(0.05));
                        })
                        .alarms())
                .isEmpty();
    }

    @Test
    void hostile_statistics_harm_nothing() {
        Judging judging = Judging.of(run -> {
            run.started(body -> body.setNumClasses(3));
            for (int i = 0; i < 100; i++) {
                int at = i;
                batches(run, 1, batch -> {
                    List<FeatureSummary> features = new ArrayList<>();
                    for (int f = 0; f < 40; f++) {
                        FeatureSummary feature = feature("\n".repeat(f) + at, 1e308, 1e308);
                        feature.setCount(Long.MIN_VALUE);
                        features.add(feature);
                    }
                    batch.setFeatures(features);
                    batch.setNumSamples(Long.MIN_VALUE);
                    batch.setAllZeroSampleFraction(1e9);
                    batch.setPaddingFraction(-1.0);
                    batch.setDuplicateCount(Long.MAX_VALUE);
                    batch.setOutOfRangeLabelCount(Long.MIN_VALUE);
                    Map<String, Long> labels = new HashMap<>();
                    labels.put("9".repeat(1000), 1L);
                    labels.put("٣", 1L);
                    batch.setLabelHistogram(labels);
                });
            }
        });
        assertThat(judging.alarms(ABNORMAL_INPUT)).isEmpty();
        assertThat(judging.encoded().length).isLessThan(300_000);
    }

    @Test
    void what_is_missing_is_said() {
        assertThat(Judging.of(run -> run.steps(5)).notChecked(ABNORMAL_INPUT)).isEqualTo("batch_stats");
        assertThat(Judging.of(run -> pixels(run, 9)).notChecked(ABNORMAL_INPUT))
                .isEqualTo("1000 samples of features, or labels with declared classes");
    }

    @Test
    void a_few_features_that_hardly_vary_explain_no_loss_that_stays() {
        Judging.Episode scale = Judging.of(run -> {
                    run.loss(step -> 2.3 + run.noise(0.01));
                    batches(
                            run,
                            600,
                            batch -> batch.setFeatures(List.of(
                                    feature("corner", -0.8, 0.01),
                                    feature("middle", 0, 1),
                                    feature("edge", 0.1, 0.9))));
                })
                .only(ABNORMAL_INPUT);
        assertThat(scale.scope()).isEqualTo("train/scale");
        assertThat(scale.highest()).isEqualTo(Severity.info);
    }
}
