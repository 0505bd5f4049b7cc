package io.trainwatch.monitor.detect;

import static org.assertj.core.api.Assertions.assertThat;

import io.trainwatch.alert.Severity;
import io.trainwatch.event.PreflightCheck;
import io.trainwatch.event.PreflightCompleted;
import io.trainwatch.monitor.Judging;
import io.trainwatch.monitor.RunStream.Scenario;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class PreflightFailedTest implements DetectorContract {
    private static final String PREFLIGHT_FAILED = "preflight_failed";

    @Override
    public String detector() {
        return PREFLIGHT_FAILED;
    }

    @Override
    public Scenario healthy() {
        return run -> run.says(
                        0L,
                        checks(
                                check("train_eval_overlap_count", true, 0.0, null),
                                check("overfit_one_batch_final_loss", true, 0.004, 0.01),
                                check("synthetic_task_metric", null, 0.97, 0.8),
                                check("a check of their own", true, null, null)))
                .steps(100);
    }

    @Override
    public Scenario fault() {
        return run -> run.says(
                        0L,
                        checks(
                                check("a check of their own", false, null, null),
                                check("overfit_one_batch_final_loss", false, 1.7, 0.01),
                                check("train_eval_overlap_count", null, 312.0, null)))
                .steps(200)
                .says(
                        200L,
                        checks(
                                check("a check of their own", true, null, null),
                                check("overfit_one_batch_final_loss", true, 0.001, 0.01),
                                check("train_eval_overlap_count", null, 0.0, null)));
    }

    private static PreflightCompleted checks(PreflightCheck... checks) {
        return new PreflightCompleted(List.of(checks));
    }

    private static PreflightCheck check(String name, Boolean passed, Double value, Double threshold) {
        PreflightCheck check = new PreflightCheck();
        check.setName(name);
        check.setPassed(passed);
        check.setValue(value);
        check.setThreshold(threshold);
        return check;
    }

    @Test
    void the_gravest_comes_first_and_it_ends_when_all_of_them_pass() {
        Judging.Episode failed = Judging.of(fault()).only(PREFLIGHT_FAILED);
        assertThat(failed.highest()).isEqualTo(Severity.critical);
        assertThat(failed.message())
                .isEqualTo("3 of 3 checks before training failed: train_eval_overlap_count is 312;"
                        + " overfit_one_batch_final_loss is 1.7 (limit 0.01); a check of their own");
        assertThat(failed.first().getEvidence()).hasSize(3);
        assertThat(failed.last().getResolvedStep()).isEqualTo(200);
    }

    @ParameterizedTest
    @CsvSource({
        "train_eval_overlap_count, 1, , critical",
        "train_eval_overlap_count, 1, 5, ",
        "feature_nan_count, 1, , warning",
        "overfit_one_batch_final_loss, 0.5, 0.01, warning",
        "overfit_one_batch_final_loss, NaN, 0.01, warning",
        "overfit_one_batch_final_loss, 0.5, , ",
        "synthetic_task_metric, 0.6, 0.8, warning",
        "synthetic_task_metric, 0.9, 0.8, ",
        "train_num_samples, 200, 1000, info",
        "dummy_baseline_metric, 0.9, 0.5, info",
        "unheard of, 5, 1, "
    })
    void where_the_trainer_leaves_the_verdict_open_the_numbers_decide(
            String name, Double value, Double threshold, Severity severity) {
        Judging judging = Judging.of(run -> run.says(0L, checks(check(name, null, value, threshold))));
        if (severity == null) {
            assertThat(judging.episodes(PREFLIGHT_FAILED)).isEmpty();
        } else {
            assertThat(judging.only(PREFLIGHT_FAILED).highest()).isEqualTo(severity);
        }
    }

    @Test
    void what_the_trainer_says_outweighs_the_numbers() {
        assertThat(Judging.of(run -> run.says(0L, checks(check("train_eval_overlap_count", true, 12.0, null))))
                        .episodes(PREFLIGHT_FAILED))
                .isEmpty();
    }

    @Test
    void an_unknown_check_that_failed_is_info() {
        Judging.Episode failed = Judging.of(run -> {
                    PreflightCheck check = check("tokenizer_round_trip", false, 3.0, 0.0);
                    check.setDetail("3 strings changed\nsee log");
                    run.says(0L, checks(check));
                })
                .only(PREFLIGHT_FAILED);
        assertThat(failed.highest()).isEqualTo(Severity.info);
        assertThat(failed.message())
                .isEqualTo(
                        "1 of 1 checks before training failed: tokenizer_round_trip is 3 (limit 0), 3 strings changed"
                                + " see log");
    }

    @Test
    void without_checks_or_without_a_verdict_it_is_not_checked() {
        assertThat(Judging.of(run -> run.steps(10)).notChecked(PREFLIGHT_FAILED))
                .isEqualTo("preflight_completed");
        assertThat(Judging.of(run -> run.says(0L, checks(check("unheard of", null, 5.0, null))))
                        .notChecked(PREFLIGHT_FAILED))
                .isEqualTo("preflight_completed with a verdict: passed, or value and threshold");
    }

    @Test
    void checks_without_number_are_one_alert_of_bounded_size() {
        Judging judging = Judging.of(run -> {
            List<PreflightCheck> many = new ArrayList<>();
            for (int i = 0; i < 50_000; i++) {
                PreflightCheck check = check("n".repeat(300) + i, false, Double.NaN, Double.NaN);
                check.setDetail("d".repeat(3000));
                many.add(check);
            }
            for (int i = 0; i < 50_000; i++) {
                many.add(check("failed " + i, false, Double.NEGATIVE_INFINITY, null));
            }
            run.says(0L, new PreflightCompleted(many));
        });
        assertThat(judging.only(PREFLIGHT_FAILED).message())
                .hasSizeLessThanOrEqualTo(1000)
                .endsWith("; and 59 more");
        assertThat(judging.encoded()).hasSizeLessThan(60_000);
    }
}
