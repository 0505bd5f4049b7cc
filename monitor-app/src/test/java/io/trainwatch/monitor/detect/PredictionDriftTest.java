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

class PredictionDriftTest implements DetectorContract {
    private static final String PREDICTION_DRIFT = "prediction_drift";

    @Override
    public String detector() {
        return PREDICTION_DRIFT;
    }

    @Override
    public Scenario healthy() {
        return run -> batches(run, new SplittableRandom(1), 200, 0, 0);
    }

    /** Ten equally frequent classes; after 35 batches of 100 a quarter of the predictions is class 0 instead. */
    @Override
    public Scenario fault() {
        return run -> {
            SplittableRandom random = new SplittableRandom(1);
            batches(run, random, 35, 0, 0);
            batches(run, random, 40, 0, 0.25);
        };
    }

    /** Labels of ten classes, so many more of class 0; predictions are right but for so many that are class 0. */
    private static void batches(RunStream run, SplittableRandom random, int count, double extra, double wrong) {
        for (int i = 0; i < count; i++) {
            PredictionStats body = new PredictionStats();
            body.setPredictedClassHistogram(new HashMap<>());
            body.setLabelHistogram(new HashMap<>());
            for (int s = 0; s < 100; s++) {
                String label = random.nextDouble() < extra ? "0" : String.valueOf(random.nextInt(10));
                body.getLabelHistogram().merge(label, 1L, Long::sum);
                body.getPredictedClassHistogram().merge(random.nextDouble() < wrong ? "0" : label, 1L, Long::sum);
            }
            run.steps(1).says(run.step(), body);
        }
    }

    @Test
    void the_second_drifted_window_fires_and_the_onset_is_the_first() {
        Judging.Episode drift = Judging.of(fault()).only(PREDICTION_DRIFT);
        // Reference: batches 1 to 20; windows that agree: 21-25, 26-30; then 31-35, 36-40, 41-45.
        assertThat(drift.scope()).isEqualTo("train");
        assertThat(drift.openedStep()).isEqualTo(45);
        assertThat(drift.onsetStep()).isEqualTo(36);
        assertThat(drift.highest()).isEqualTo(Severity.warning);
        assertThat(drift.message())
                .matches("train predictions left their reference since step 36; most of all class 0:"
                        + " (9|10|11)\\.?\\d* % -> [23]\\d\\.?\\d* % \\(PSI 0\\.\\d+\\)");
    }

    @Test
    void a_model_that_is_still_learning_has_no_reference_yet() {
        Judging judging = Judging.of(run -> {
            SplittableRandom random = new SplittableRandom(1);
            for (int i = 0; i < 8; i++) {
                batches(run, random, 10, 0, 0.8 - 0.1 * i);
            }
            batches(run, random, 100, 0, 0);
        });
        assertThat(judging.episodes(PREDICTION_DRIFT)).isEmpty();
        assertThat(judging.notChecked(PREDICTION_DRIFT)).isEmpty();
    }

    @Test
    void without_labels_predictions_that_settle_late_take_their_reference_then() {
        assertThat(Judging.of(run -> {
                            for (int i = 0; i < 150; i++) {
                                long many = i < 20 ? 80 : 50;
                                PredictionStats body = new PredictionStats();
                                body.setPredictedClassHistogram(Map.of("a", many, "b", 100 - many));
                                run.steps(1).says(run.step(), body);
                            }
                        })
                        .episodes(PREDICTION_DRIFT))
                .isEmpty();
    }

    @Test
    void a_move_towards_the_labels_is_learning() {
        assertThat(Judging.of(run -> {
                            SplittableRandom random = new SplittableRandom(1);
                            batches(run, random, 60, 0, 0.4);
                            batches(run, random, 60, 0, 0);
                        })
                        .episodes())
                .isEmpty();
    }

    @Test
    void predictions_that_follow_drifting_labels_are_the_fault_of_the_labels() {
        Judging judging = Judging.of(run -> {
            SplittableRandom random = new SplittableRandom(1);
            batches(run, random, 35, 0, 0.02);
            batches(run, random, 40, 0.3, 0.05);
        });
        assertThat(judging.alarms()).extracting(Judging.Episode::detector).containsExactly("label_drift");
    }

    @Test
    void a_declared_phase_takes_a_new_reference() {
        assertThat(Judging.of(run -> {
                            SplittableRandom random = new SplittableRandom(1);
                            batches(run, random, 35, 0, 0);
                            run.phaseChanged("loss_weights");
                            batches(run, random, 100, 0, 0.25);
                        })
                        .episodes())
                .isEmpty();
    }

    @Test
    void hostile_predictions_harm_nothing() {
        Judging judging = Judging.of(run -> {
            for (int i = 0; i < 100; i++) {
                PredictionStats body = new PredictionStats();
                Map<String, Long> histogram = new HashMap<>();
                for (int c = 0; c < 300; c++) {
                    histogram.put("\n".repeat(c) + i, c % 7 == 0 ? Long.MIN_VALUE : 1L);
                }
                body.setPredictedClassHistogram(histogram);
                body.setLabelHistogram(Map.of("x", Long.MAX_VALUE));
                run.steps(1).says(run.step(), body);
            }
        });
        assertThat(judging.encoded().length).isLessThan(500_000);
    }

    @Test
    void what_is_missing_is_said() {
        assertThat(Judging.of(run -> run.steps(5)).notChecked(PREDICTION_DRIFT))
                .isEqualTo("prediction_stats.predicted_class_histogram");
        assertThat(Judging.of(run -> batches(run, new SplittableRandom(1), 34, 0, 0))
                        .notChecked(PREDICTION_DRIFT))
                .isEqualTo("2000 predictions that stay alike, and 3 windows of 500");
    }
}
