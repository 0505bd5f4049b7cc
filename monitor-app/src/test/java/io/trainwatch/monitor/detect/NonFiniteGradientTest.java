package io.trainwatch.monitor.detect;

import static org.assertj.core.api.Assertions.assertThat;

import io.trainwatch.alert.Severity;
import io.trainwatch.event.StepCompleted;
import io.trainwatch.monitor.Judging;
import io.trainwatch.monitor.RunStream;
import io.trainwatch.monitor.RunStream.Scenario;
import org.junit.jupiter.api.Test;

class NonFiniteGradientTest implements DetectorContract {
    private static final String NON_FINITE_GRADIENT = "non_finite_gradient";

    @Override
    public String detector() {
        return NON_FINITE_GRADIENT;
    }

    /** Mixed precision: 12 halvings to begin with, then one overflow in 2,000 steps. */
    @Override
    public Scenario healthy() {
        return run -> run.started(body -> body.setPrecision("fp16"))
                .steps(12, (body, step) -> overflow(body, 65536 / Math.pow(2, (double) step)))
                .steps(3000, (body, step) -> {
                    body.setLossScale(16.0);
                    if (step % 2000 == 0) {
                        overflow(body, 8);
                    }
                });
    }

    @Override
    public Scenario fault() {
        return run -> run.steps(200)
                .steps(3, (body, step) -> body.setGradNorm(Double.POSITIVE_INFINITY))
                .steps(200);
    }

    private static void overflow(StepCompleted body, double lossScale) {
        body.setGradNorm(Double.POSITIVE_INFINITY);
        body.setOptimizerStepSkipped(true);
        body.setLossScale(lossScale);
    }

    @Test
    void a_gradient_that_was_applied_is_critical_at_once() {
        Judging.Episode episode = Judging.of(fault()).only(NON_FINITE_GRADIENT);
        assertThat(episode.openedStep()).isEqualTo(201);
        assertThat(episode.onsetStep()).isEqualTo(201);
        assertThat(episode.highest()).isEqualTo(Severity.critical);
        assertThat(episode.message()).isEqualTo("gradient norm is Infinity since step 201");
    }

    @Test
    void seventeen_skips_in_a_row_are_a_warning() {
        Judging.Episode episode = Judging.of(run -> run.steps(500)
                        .steps(17, (body, step) -> body.setOptimizerStepSkipped(true))
                        .steps(10))
                .only(NON_FINITE_GRADIENT);
        assertThat(episode.openedStep()).isEqualTo(517);
        assertThat(episode.highest()).isEqualTo(Severity.warning);
        assertThat(episode.message())
                .matches("optimizer steps are being skipped: 3\\.\\d+ % of the latest 500, 17 in a row");
    }

    @Test
    void every_eighth_step_skipped_is_more_than_five_percent() {
        Judging.Episode episode = Judging.of(
                        run -> run.steps(1000, (body, step) -> body.setOptimizerStepSkipped(step % 8 == 0)))
                .only(NON_FINITE_GRADIENT);
        assertThat(episode.openedStep()).isBetween(300L, 400L);
        assertThat(episode.highest()).isEqualTo(Severity.warning);
    }

    @Test
    void five_halvings_within_fifty_steps_are_critical() {
        Judging.Episode episode = Judging.of(run -> run.steps(300, (body, step) -> body.setLossScale(1048576.0))
                        .steps(5, (body, step) -> overflow(body, 1048576 / Math.pow(2, step - 300.0)))
                        .steps(10, (body, step) -> body.setLossScale(32768.0)))
                .only(NON_FINITE_GRADIENT);
        assertThat(episode.stepOf(Severity.critical)).isEqualTo(305);
        assertThat(episode.message()).isEqualTo("loss scale halved 5 times within 50 steps, to 32770");
    }

    @Test
    void halvings_of_steps_that_are_redone_do_not_count() {
        Judging judging = Judging.of(run -> {
            for (int i = 1; i <= 5; i++) {
                double scale = 65536 / Math.pow(2, i);
                run.steps(399).steps(1, (body, step) -> overflow(body, scale));
            }
            run.resumeAt(300).steps(100, (body, step) -> body.setLossScale(1024.0));
        });
        assertThat(judging.episodes(NON_FINITE_GRADIENT)).isEmpty();
    }

    @Test
    void a_loss_scale_of_one_that_still_overflows_is_critical() {
        Judging.Episode episode = Judging.of(run -> run.steps(300).steps(1, (body, step) -> overflow(body, 1)))
                .only(NON_FINITE_GRADIENT);
        assertThat(episode.highest()).isEqualTo(Severity.critical);
        assertThat(episode.message()).isEqualTo("loss scale is down to 1 and steps are still skipped");
    }

    @Test
    void a_lone_overflow_under_fp16_is_info_the_third_within_fifty_steps_a_warning() {
        Judging judging = Judging.of(run -> {
            run.started(body -> body.setPrecision("fp16"));
            run.steps(300, (body, step) -> unsaid(body, step == 120 || (step >= 200 && step % 40 == 0)));
        });
        assertThat(judging.only(NON_FINITE_GRADIENT).first().getSeverity()).isEqualTo(Severity.info);
        assertThat(judging.only(NON_FINITE_GRADIENT).openedStep()).isEqualTo(120);
        assertThat(judging.only(NON_FINITE_GRADIENT).stepOf(Severity.warning)).isEqualTo(280);
    }

    @Test
    void the_search_that_begins_under_fp16_is_info() {
        Judging judging = Judging.of(run -> {
            run.started(body -> body.setPrecision("fp16"));
            run.steps(300, (body, step) -> unsaid(body, step <= 16));
        });
        assertThat(judging.only(NON_FINITE_GRADIENT).highest()).isEqualTo(Severity.info);
    }

    private static void unsaid(StepCompleted body, boolean overflows) {
        if (overflows) {
            body.setGradNorm(Double.NaN);
        }
    }

    @Test
    void a_skipped_step_is_not_in_the_baseline_of_the_gradient_norm() {
        RunStream.Scenario skipping = run -> run.steps(300, (body, step) -> {
            if (step % 60 == 0) {
                overflow(body, 65536);
                body.setGradNorm(1e6);
            }
        });
        assertThat(Judging.of(skipping).episodes()).isEmpty();
    }

    @Test
    void without_a_gradient_norm_it_says_what_is_missing() {
        assertThat(Judging.of(run -> run.steps(200, (body, step) -> body.setGradNorm(null)))
                        .notChecked(NON_FINITE_GRADIENT))
                .isEqualTo("step_completed.grad_norm");
    }
}
