package io.trainwatch.monitor.detect;

import static org.assertj.core.api.Assertions.assertThat;

import io.trainwatch.alert.Severity;
import io.trainwatch.monitor.Judging;
import io.trainwatch.monitor.RunStream.Scenario;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ExplodingGradientTest implements DetectorContract {
    private static final String EXPLODING_GRADIENT = "exploding_gradient";

    @Override
    public String detector() {
        return EXPLODING_GRADIENT;
    }

    @Override
    public Scenario healthy() {
        return run -> run.steps(900);
    }

    /** What BLOOM-176B's first loss spike looked like: 0.95, 2.4, 15.9, 145, 960 where 0.24 was usual. */
    @Override
    public Scenario fault() {
        double[] norms = {0.95, 2.4, 15.9, 145, 960};
        return run -> run.gradNorm(step -> 0.24 * Math.exp(run.noise(0.15)))
                .steps(300)
                .steps(5, (body, step) -> body.setGradNorm(norms[(int) step - 301]))
                .steps(300);
    }

    @Test
    void it_fires_at_the_second_point_far_outside_and_is_critical_at_the_second_thirtyfold() {
        Judging.Episode explosion = Judging.of(fault()).only(EXPLODING_GRADIENT);
        assertThat(explosion.openedStep()).isEqualTo(302);
        assertThat(explosion.onsetStep()).isEqualTo(301);
        assertThat(explosion.first().getSeverity()).isEqualTo(Severity.warning);
        assertThat(explosion.message())
                .matches("gradient norm is 2\\.4, (9|10|11)\\.?\\d* times its median of 0\\.2\\d*");
        assertThat(explosion.stepOf(Severity.critical)).isEqualTo(304);
        assertThat(explosion.last().getResolvedStep()).isEqualTo(305 + 128);
    }

    @Test
    void less_than_three_times_the_median_is_none_however_quiet_it_was() {
        assertThat(Judging.of(run -> run.gradNorm(step -> 0.5 + run.noise(0.001))
                                .steps(300)
                                .steps(10, (body, step) -> body.setGradNorm(1.4))
                                .steps(200))
                        .episodes(EXPLODING_GRADIENT))
                .isEmpty();
    }

    @Test
    void single_peaks_are_normal() {
        assertThat(Judging.of(run -> run.steps(600, (body, step) -> {
                            if (step % 50 == 0) {
                                body.setGradNorm(3.7);
                            }
                        }))
                        .episodes())
                .isEmpty();
    }

    @ParameterizedTest
    @ValueSource(doubles = {1e-4, 1e6})
    void the_scale_does_not_matter(double unit) {
        Judging judging = Judging.of(run -> run.gradNorm(step -> unit * Math.exp(run.noise(0.15)))
                .steps(300)
                .steps(2, (body, step) -> body.setGradNorm(10 * unit))
                .steps(50));
        assertThat(judging.only(EXPLODING_GRADIENT).openedStep()).isEqualTo(302);
    }

    @Test
    void a_log_with_two_decimals_is_quiet() {
        assertThat(Judging.of(run -> run.gradNorm(step -> Math.rint(100 * (0.27 + run.noise(0.006))) / 100)
                                .steps(5000))
                        .episodes(EXPLODING_GRADIENT))
                .isEmpty();
    }

    @Test
    void growth_beside_a_rising_loss_fires_before_any_jump() {
        Judging.Episode growth = Judging.of(run -> run.loss(step -> 2 + 2e-3 * step + run.noise(0.02))
                        .gradNorm(step -> 0.01 * Math.exp(0.013 * step + run.noise(0.15)))
                        .steps(400))
                .only(EXPLODING_GRADIENT);
        assertThat(growth.openedStep()).isBetween(200L, 210L);
        assertThat(growth.message())
                .matches("gradient norm grows by 1\\.\\d+ % per point while the loss rises, 0\\.\\d+ now");
        assertThat(growth.highest()).isEqualTo(Severity.warning);
    }

    @Test
    void growth_beside_a_falling_loss_is_none() {
        assertThat(Judging.of(run -> run.gradNorm(step -> 0.01 * Math.exp(0.013 * step + run.noise(0.15)))
                                .steps(400))
                        .episodes(EXPLODING_GRADIENT))
                .isEmpty();
    }

    @Test
    void growth_while_the_learning_rate_warms_up_is_none() {
        assertThat(Judging.of(run -> run.learningRate(step -> 1e-6 * step)
                                .loss(step -> 2 + 2e-3 * step + run.noise(0.02))
                                .gradNorm(step -> 0.01 * Math.exp(0.013 * step + run.noise(0.15)))
                                .steps(400))
                        .episodes(EXPLODING_GRADIENT))
                .isEmpty();
    }

    @Test
    void a_norm_above_a_hundred_that_jumps_tenfold_in_the_first_steps_fires() {
        Judging.Episode start = Judging.of(run -> run.steps(10).steps(1, (body, step) -> body.setGradNorm(300.0)))
                .only(EXPLODING_GRADIENT);
        assertThat(start.openedStep()).isEqualTo(11);
        assertThat(start.message()).isEqualTo("gradient norm is 300 at step 11, within the first 50 points, and grows");
    }

    @Test
    void a_norm_of_fifty_in_the_first_steps_is_none_though_it_jumped() {
        assertThat(Judging.of(run -> run.steps(10)
                                .steps(1, (body, step) -> body.setGradNorm(50.0))
                                .steps(50))
                        .episodes(EXPLODING_GRADIENT))
                .isEmpty();
    }

    @ParameterizedTest
    @ValueSource(doubles = {5, -5, 0})
    void large_norms_that_stay_are_the_scale_of_the_run_whatever_the_sign_of_the_loss(double level) {
        assertThat(Judging.of(run -> run.loss(step -> level - 0.01 * step)
                                .gradNorm(step -> 2500 * Math.exp(run.noise(0.3)))
                                .steps(60))
                        .episodes())
                .isEmpty();
    }

    @Test
    void what_stays_below_the_first_steps_is_info() {
        Judging judging = Judging.of(run -> run.gradNorm(step -> (step < 20 ? 50 : 0.5) * Math.exp(run.noise(0.15)))
                .steps(400)
                .steps(4, (body, step) -> body.setGradNorm(5.0))
                .steps(50));
        assertThat(judging.only(EXPLODING_GRADIENT).highest()).isEqualTo(Severity.info);
        assertThat(judging.only(EXPLODING_GRADIENT).first().getSuppressedBy()).isEqualTo("below_start");
    }

    @Test
    void a_warm_restart_lowers_it_to_info() {
        Judging judging = Judging.of(run -> run.learningRate(step -> step < 400 ? 1e-3 * (1 - step / 410.0) : 9e-4)
                .steps(400)
                .steps(5, (body, step) -> body.setGradNorm(5.0))
                .steps(100));
        assertThat(judging.only(EXPLODING_GRADIENT).highest()).isEqualTo(Severity.info);
        assertThat(judging.only(EXPLODING_GRADIENT).first().getSuppressedBy()).isEqualTo("learning_rate_rise");
    }

    @Test
    void a_non_finite_loss_explains_it() {
        Judging judging =
                Judging.of(run -> run.steps(300).step(Double.NaN).steps(5, (body, step) -> body.setGradNorm(50.0)));
        assertThat(judging.only(EXPLODING_GRADIENT).first().getSuppressedBy()).isEqualTo("non_finite_loss");
    }

    @Test
    void what_is_missing_is_said() {
        assertThat(Judging.of(run -> run.steps(30)).notChecked(EXPLODING_GRADIENT))
                .isEqualTo("64 points of gradient norm, 30 came");
        assertThat(Judging.of(run -> run.steps(90, (body, step) -> body.setGradNorm(null)))
                        .notChecked(EXPLODING_GRADIENT))
                .isEqualTo("step_completed.grad_norm");
    }
}
