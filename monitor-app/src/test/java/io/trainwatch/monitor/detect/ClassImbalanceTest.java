package io.trainwatch.monitor.detect;

import static org.assertj.core.api.Assertions.assertThat;

import io.trainwatch.alert.Severity;
import io.trainwatch.event.ClassCounts;
import io.trainwatch.event.PredictionStats;
import io.trainwatch.monitor.Judging;
import io.trainwatch.monitor.RunStream;
import io.trainwatch.monitor.RunStream.Scenario;
import java.util.HashMap;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

class ClassImbalanceTest implements DetectorContract {
    private static final String CLASS_IMBALANCE = "class_imbalance";

    @Override
    public String detector() {
        return CLASS_IMBALANCE;
    }

    @Override
    public Scenario healthy() {
        return run -> {
            SplittableRandom random = new SplittableRandom(1);
            for (int i = 0; i < 100; i++) {
                Map<String, Long> histogram = new HashMap<>();
                for (int s = 0; s < 32; s++) {
                    histogram.merge(String.valueOf(random.nextInt(10)), 1L, Long::sum);
                }
                run.steps(1).labels(histogram);
            }
        };
    }

    /** Two classes alike of which the model says one alone well, from the start on. */
    @Override
    public Scenario fault() {
        return run -> confused(run, 90, 0.9, 0.05);
    }

    /** Validations of 500 samples, ten steps apart, with so large recalls of the classes a and b. */
    private static void confused(RunStream run, int evaluations, double recallOfA, double recallOfB) {
        for (int i = 0; i < evaluations; i++) {
            long rightA = Math.round(250 * recallOfA);
            long rightB = Math.round(250 * recallOfB);
            PredictionStats body = new PredictionStats();
            body.setSplit("val");
            body.setPerClass(Map.of(
                    "a", new ClassCounts(250L, rightA, 250 - rightB, 250 - rightA),
                    "b", new ClassCounts(250L, rightB, 250 - rightA, 250 - rightB)));
            run.steps(10).says(run.step(), body);
        }
    }

    @Test
    void the_third_validation_after_the_start_fires_for_a_class_that_the_model_fails() {
        Judging.Episode minority = Judging.of(fault()).only(CLASS_IMBALANCE);
        assertThat(minority.scope()).isEqualTo("val/recall");
        assertThat(minority.openedStep()).isEqualTo(520);
        assertThat(minority.onsetStep()).isEqualTo(500);
        assertThat(minority.highest()).isEqualTo(Severity.warning);
        assertThat(minority.message())
                .isEqualTo("the model fails class b since step 500: a recall of 5.2 % where the mean is 47.6 %");
    }

    @Test
    void a_class_that_is_never_predicted_is_found_by_the_histograms_however_rare_it_is() {
        Judging judging = Judging.of(run -> {
            for (int i = 0; i < 120; i++) {
                PredictionStats body = new PredictionStats();
                body.setLabelHistogram(Map.of("a", 60L, "b", 38L, "c", 2L));
                body.setPredictedClassHistogram(Map.of("a", 60L, "b", 40L));
                run.steps(10).says(run.step(), body);
            }
        });
        Judging.Episode never = judging.alarms(CLASS_IMBALANCE).get(0);
        assertThat(never.scope()).isEqualTo("train/recall");
        // Twenty of class c take ten batches: those that end at steps 500, 600 and 700.
        assertThat(never.openedStep()).isEqualTo(700);
        assertThat(never.message()).isEqualTo("the model never predicts class c since step 500");
    }

    @Test
    void a_class_that_is_harder_is_no_failure() {
        assertThat(Judging.of(run -> confused(run, 90, 0.95, 0.4)).episodes()).isEmpty();
    }

    @Test
    void a_model_that_has_learned_nothing_fails_no_class_in_particular() {
        assertThat(Judging.of(run -> {
                            for (int i = 0; i < 90; i++) {
                                Map<String, ClassCounts> all = new HashMap<>();
                                for (int c = 0; c < 10; c++) {
                                    all.put("c" + c, new ClassCounts(50L, c == 0 ? 50L : 0L, c == 0 ? 450L : 0L, 0L));
                                }
                                PredictionStats body = new PredictionStats();
                                body.setPerClass(all);
                                run.steps(10).says(run.step(), body);
                            }
                        })
                        .episodes(CLASS_IMBALANCE))
                .isEmpty();
    }

    @Test
    void one_class_ten_times_as_frequent_as_another_is_info_from_500_labels_on() {
        Judging.Episode uneven = Judging.of(run -> {
                    for (int i = 0; i < 30; i++) {
                        run.steps(1).labels(Map.of("cat", 96L, "dog", 4L));
                    }
                })
                .only(CLASS_IMBALANCE);
        assertThat(uneven.scope()).isEqualTo("train");
        assertThat(uneven.highest()).isEqualTo(Severity.info);
        // 96 : 4 is 24 times; 20 dogs may mean 33, so 500 labels do.
        assertThat(uneven.openedStep()).isEqualTo(5);
        assertThat(uneven.message()).isEqualTo("train: class cat has 96 % of 500 labels, class dog 4 %");
    }

    @Test
    void a_ratio_near_ten_waits_until_it_is_certain() {
        Judging judging = Judging.of(run -> {
            for (int i = 0; i < 60; i++) {
                run.steps(1).labels(Map.of("cat", 92L, "dog", 8L));
            }
        });
        // 11.5 times: with 408 dogs, which may mean 469, and 4,692 cats.
        assertThat(judging.only(CLASS_IMBALANCE).openedStep()).isEqualTo(51);
    }

    @Test
    void labels_that_are_all_the_same_are_a_warning() {
        Judging.Episode single = Judging.of(run -> {
                    run.started(body -> body.setNumClasses(2));
                    for (int i = 0; i < 30; i++) {
                        run.steps(1).labels(Map.of("0", 100L));
                    }
                })
                .only(CLASS_IMBALANCE);
        assertThat(single.openedStep()).isEqualTo(5);
        assertThat(single.highest()).isEqualTo(Severity.warning);
        assertThat(single.message())
                .isEqualTo("train: class 0 has 100 % of 500 labels, and no other of the declared 2 ever came");
    }

    @Test
    void a_declared_class_that_never_came_is_a_warning_where_numberings_have_no_holes() {
        Judging.Episode absent = Judging.of(run -> labelled(run, 4)).only(CLASS_IMBALANCE);
        assertThat(absent.scope()).isEqualTo("train/classes");
        assertThat(absent.openedStep()).isEqualTo(5);
        assertThat(absent.highest()).isEqualTo(Severity.warning);
        assertThat(absent.message()).isEqualTo("1 of the declared 4 classes never came in 500 labels");
        assertThat(Judging.of(run -> labelled(run, 91)).episodes()).isEmpty();
    }

    private static void labelled(RunStream run, int declared) {
        run.started(body -> body.setNumClasses(declared));
        for (int i = 0; i < 100; i++) {
            run.steps(1).labels(Map.of("0", 40L, "1", 30L, "2", 30L));
        }
    }

    @Test
    void an_accuracy_no_better_than_the_majority_is_a_warning() {
        Judging.Episode majority =
                Judging.of(run -> majority(run, 0.96)).alarms(CLASS_IMBALANCE).get(0);
        assertThat(majority.scope()).isEqualTo("val/majority");
        assertThat(majority.openedStep()).isEqualTo(500);
        assertThat(majority.message())
                .isEqualTo("val accuracy of 96 % is no better than always saying class 0, which has 96 % of labels");
        assertThat(Judging.of(run -> majority(run, 0.98)).alarms()).isEmpty();
    }

    private static void majority(RunStream run, double accuracy) {
        for (int i = 0; i < 8; i++) {
            PredictionStats body = new PredictionStats();
            body.setSplit("val");
            body.setLabelHistogram(Map.of("0", 960L, "1", 40L));
            run.steps(100).says(run.step(), body);
            run.evaluation(Map.of("accuracy", accuracy), evaluation -> evaluation.setNumSamples(1000L));
        }
    }

    @Test
    void tokens_are_no_classes() {
        Judging judging = Judging.of(run -> {
            run.started(body -> body.setVocabSize(100));
            for (int i = 0; i < 100; i++) {
                run.steps(1).labels(Map.of("the", 900L, "of", 90L, "zebra", 1L));
            }
        });
        assertThat(judging.episodes()).isEmpty();
        assertThat(judging.notChecked(CLASS_IMBALANCE)).isEqualTo("at most 1000 classes that are no tokens");
    }

    @Test
    void hostile_labels_harm_nothing() {
        Judging judging = Judging.of(run -> {
            for (int i = 0; i < 100; i++) {
                Map<String, Long> histogram = new HashMap<>();
                Map<String, ClassCounts> classes = new HashMap<>();
                for (int c = 0; c < 300; c++) {
                    String name = "\n".repeat(c) + i;
                    histogram.put(name, c % 7 == 0 ? Long.MIN_VALUE : Long.MAX_VALUE);
                    classes.put(name, new ClassCounts(Long.MAX_VALUE, -1L, Long.MIN_VALUE, 0L));
                }
                PredictionStats body = new PredictionStats();
                body.setPerClass(classes);
                run.steps(10).labels(histogram).labels(Map.of("x", -1L)).says(run.step(), body);
            }
        });
        assertThat(judging.encoded().length).isLessThan(500_000);
        assertThat(judging.changes())
                .allSatisfy(alert -> assertThat(alert.getMessage()).doesNotContain("\n"));
    }

    @Test
    void what_is_missing_is_said() {
        assertThat(Judging.of(run -> run.steps(5)).notChecked(CLASS_IMBALANCE))
                .isEqualTo("batch_stats.label_histogram");
        assertThat(Judging.of(run -> run.labels(Map.of("a", 250L, "b", 249L))).notChecked(CLASS_IMBALANCE))
                .isEqualTo("500 labels, and 20 per class");
    }
}
