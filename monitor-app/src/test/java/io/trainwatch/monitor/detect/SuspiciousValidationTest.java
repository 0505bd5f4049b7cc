package io.trainwatch.monitor.detect;

import static org.assertj.core.api.Assertions.assertThat;

import io.trainwatch.alert.Severity;
import io.trainwatch.event.MetricDeclaration;
import io.trainwatch.event.PreflightCheck;
import io.trainwatch.event.PreflightCompleted;
import io.trainwatch.monitor.Judging;
import io.trainwatch.monitor.RunStream;
import io.trainwatch.monitor.RunStream.Scenario;
import java.util.List;
import java.util.Map;
import java.util.function.IntToDoubleFunction;
import org.junit.jupiter.api.Test;

class SuspiciousValidationTest implements DetectorContract {
    private static final String SUSPICIOUS_VALIDATION = "suspicious_validation";

    @Override
    public String detector() {
        return SUSPICIOUS_VALIDATION;
    }

    /** Validation loss a tenth above and below the training loss that is measured alike. */
    @Override
    public Scenario healthy() {
        return run -> evaluated(run, 30, i -> 1.1 + run.noise(0.05));
    }

    /** From the eleventh evaluation on the validation loss is 30 % below it. */
    @Override
    public Scenario fault() {
        return run -> evaluated(run, 20, i -> i <= 10 ? 1.1 : 0.7);
    }

    private static void evaluated(RunStream run, int evaluations, IntToDoubleFunction ratio) {
        for (int i = 1; i <= evaluations; i++) {
            double train = 1.5 + 3 * Math.pow(100 * i + 10.0, -0.35);
            double val = train * ratio.applyAsDouble(i);
            run.steps(100).evaluation(Map.of("loss", val), body -> body.setTrainLossSameMode(train));
        }
    }

    @Test
    void the_fifth_evaluation_in_a_row_fires_and_the_onset_is_the_first() {
        Judging.Episode better = Judging.of(fault()).only(SUSPICIOUS_VALIDATION);
        assertThat(better.scope()).isEqualTo("val/better");
        assertThat(better.openedStep()).isEqualTo(1500);
        assertThat(better.onsetStep()).isEqualTo(1100);
        assertThat(better.highest()).isEqualTo(Severity.warning);
        assertThat(better.message())
                .matches(
                        "val loss of 1\\.\\d+ is below the training loss of 1\\.\\d+, measured alike, since step 1100");
    }

    @Test
    void a_training_loss_with_dropout_is_above_it_in_health() {
        Judging judging = Judging.of(run -> {
            for (int i = 1; i <= 20; i++) {
                run.steps(100).evaluation(0.9 + 2 * Math.pow(100 * i, -0.35));
            }
        });
        assertThat(judging.episodes(SUSPICIOUS_VALIDATION)).isEmpty();
        assertThat(judging.notChecked(SUSPICIOUS_VALIDATION))
                .isEqualTo("evaluation_completed.train_loss_same_mode, or epochs, or pre-flight"
                        + " train_eval_overlap_count");
    }

    @Test
    void a_standard_error_as_large_as_the_gap_explains_it() {
        Judging judging = Judging.of(run -> {
            for (int i = 1; i <= 20; i++) {
                run.steps(100).evaluation(Map.of("loss", 0.7), body -> {
                    body.setTrainLossSameMode(1.0);
                    body.setMetricStdError(Map.of("loss", 0.11));
                });
            }
        });
        assertThat(judging.episodes(SUSPICIOUS_VALIDATION)).isEmpty();
    }

    @Test
    void samples_in_both_sets_are_critical_at_once_and_few_of_many_a_warning() {
        Judging.Episode overlap = Judging.of(run -> preflight(run, 120.0)).only(SUSPICIOUS_VALIDATION);
        assertThat(overlap.highest()).isEqualTo(Severity.critical);
        assertThat(overlap.message()).isEqualTo("120 evaluation samples are in the training set too");
        assertThat(Judging.of(run -> {
                            run.started(body -> body.setEvalNumSamples(50_000L));
                            preflight(run, 120.0);
                        })
                        .only(SUSPICIOUS_VALIDATION)
                        .highest())
                .isEqualTo(Severity.warning);
        assertThat(Judging.of(run -> preflight(run, 0.0)).episodes(SUSPICIOUS_VALIDATION))
                .isEmpty();
        assertThat(Judging.of(run -> preflight(run, Double.NaN)).episodes(SUSPICIOUS_VALIDATION))
                .isEmpty();
    }

    private static void preflight(RunStream run, double count) {
        PreflightCheck check = new PreflightCheck();
        check.setName("train_eval_overlap_count");
        check.setValue(count);
        PreflightCompleted body = new PreflightCompleted();
        body.setChecks(List.of(check));
        run.says(null, body);
    }

    @Test
    void a_metric_far_beyond_what_is_expected_within_the_first_epoch_is_suspicious() {
        Judging.Episode early = Judging.of(run -> {
                    run.started(body -> {
                        body.setStepsPerEpoch(1000L);
                        MetricDeclaration accuracy = new MetricDeclaration();
                        accuracy.setName("accuracy");
                        accuracy.setExpected(0.8);
                        body.setMetrics(List.of(accuracy));
                    });
                    accurate(run, 4, 0.95, 1000L);
                })
                .only(SUSPICIOUS_VALIDATION);
        assertThat(early.openedStep()).isEqualTo(100);
        assertThat(early.highest()).isEqualTo(Severity.warning);
        assertThat(early.message())
                .isEqualTo(
                        "val/accuracy is 0.95 after 0.1 epochs, beyond the expected 0.8: does the evaluation set leak"
                                + " into training?");
    }

    @Test
    void easy_data_at_99_percent_within_an_epoch_is_info_and_later_nothing() {
        Scenario early = run -> {
            run.started(body -> body.setStepsPerEpoch(1000L));
            accurate(run, 4, 0.995, null);
        };
        assertThat(Judging.of(early).only(SUSPICIOUS_VALIDATION).openedStep()).isEqualTo(300);
        assertThat(Judging.of(early).only(SUSPICIOUS_VALIDATION).highest()).isEqualTo(Severity.info);
        assertThat(Judging.of(run -> {
                            run.started(body -> body.setStepsPerEpoch(50L));
                            accurate(run, 4, 0.995, null);
                        })
                        .episodes())
                .isEmpty();
    }

    private static void accurate(RunStream run, int evaluations, double accuracy, Long samples) {
        for (int i = 1; i <= evaluations; i++) {
            run.steps(100).evaluation(Map.of("accuracy", accuracy), body -> body.setNumSamples(samples));
        }
    }

    @Test
    void curves_that_are_the_same_after_three_epochs_are_info_and_in_one_epoch_health() {
        Judging.Episode alike = Judging.of(run -> alike(run, 100)).only(SUSPICIOUS_VALIDATION);
        assertThat(alike.scope()).isEqualTo("val/alike");
        // Epoch 3 is the third evaluation, and ten are needed.
        assertThat(alike.openedStep()).isEqualTo(1200);
        assertThat(alike.highest()).isEqualTo(Severity.info);
        assertThat(Judging.of(run -> alike(run, 100_000)).episodes()).isEmpty();
    }

    private static void alike(RunStream run, long stepsPerEpoch) {
        run.started(body -> body.setStepsPerEpoch(stepsPerEpoch));
        evaluated(run, 20, i -> 1.0001);
    }

    @Test
    void hostile_evaluations_harm_nothing() {
        Judging judging = Judging.of(run -> {
            for (int i = 0; i < 200; i++) {
                String name = "accuracy " + "x".repeat(i * 10);
                run.evaluation(
                        Map.of("loss", i % 2 == 0 ? Double.NaN : -1e300, name, Double.POSITIVE_INFINITY, "f1", 2e9),
                        body -> {
                            body.setDataset(name);
                            body.setTrainLossSameMode(1e300);
                            body.setNumSamples(Long.MIN_VALUE);
                            body.setMetricStdError(Map.of("loss", Double.NaN));
                        });
            }
        });
        assertThat(judging.encoded().length).isLessThan(300_000);
    }
}
