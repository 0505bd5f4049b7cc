package io.trainwatch.monitor.detect;

import static org.assertj.core.api.Assertions.assertThat;

import io.trainwatch.alert.AlertState;
import io.trainwatch.alert.Severity;
import io.trainwatch.monitor.Judging;
import io.trainwatch.monitor.RunStream.Scenario;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class LossSpikeTest implements DetectorContract {
    private static final String LOSS_SPIKE = "loss_spike";

    @Override
    public String detector() {
        return LOSS_SPIKE;
    }

    @Override
    public Scenario healthy() {
        return run -> run.steps(900);
    }

    /** Some 30 scales above the median at step 501, back after 20 steps. */
    @Override
    public Scenario fault() {
        return run -> run.steps(500)
                .steps(20, (body, step) -> body.setLoss(body.getLoss() + 0.6 * Math.exp(-(step - 501) / 10.0)))
                .steps(300);
    }

    @Test
    void the_second_point_far_outside_fires_and_the_onset_is_the_first() {
        Judging.Episode spike = Judging.of(fault()).only(LOSS_SPIKE);
        assertThat(spike.openedStep()).isEqualTo(502);
        assertThat(spike.onsetStep()).isEqualTo(501);
        assertThat(spike.highest()).isEqualTo(Severity.warning);
        assertThat(spike.message())
                .matches(
                        "loss jumped to 2\\.\\d+ at step 50\\d, \\d\\d(\\.\\d+)? scales above its median of 1\\.8\\d*");
        assertThat(spike.first().getEvidence().get(0).getStepFrom()).isEqualTo(501);
        assertThat(spike.resolved()).isTrue();
    }

    @Test
    void it_is_over_128_quiet_points_after_eight_points_came_back() {
        Judging.Episode spike = Judging.of(run -> run.steps(500)
                        .steps(10, (body, step) -> body.setLoss(body.getLoss() + 1))
                        .steps(300))
                .only(LOSS_SPIKE);
        // Five of eight points are back at step 515, the median of an even number needs as many as that.
        assertThat(spike.last().getState()).isEqualTo(AlertState.resolved);
        assertThat(spike.last().getResolvedStep()).isEqualTo(515 + 127);
    }

    @Test
    void three_of_five_points_above_five_scales_fire_too() {
        // 7 scales of noise 0.02: above t5, below t8.
        Judging.Episode spike = Judging.of(run -> run.loss(step -> 2 + run.noise(0.02))
                        .steps(500)
                        .steps(3, (body, step) -> body.setLoss(2.14))
                        .steps(300))
                .only(LOSS_SPIKE);
        assertThat(spike.openedStep()).isEqualTo(503);
        assertThat(spike.onsetStep()).isEqualTo(501);
    }

    @Test
    void a_single_outlier_is_missed_on_purpose() {
        assertThat(Judging.of(run -> run.steps(500).step(2.5).steps(300)).episodes())
                .isEmpty();
    }

    @Test
    void a_lone_point_beyond_forty_scales_and_a_quarter_of_the_loss_fires_at_once() {
        Judging.Episode spike = Judging.of(run -> run.loss(step -> 2 + run.noise(0.02))
                        .steps(500)
                        .step(3.2)
                        .steps(300))
                .only(LOSS_SPIKE);
        assertThat(spike.openedStep()).isEqualTo(501);
        assertThat(spike.onsetStep()).isEqualTo(501);
    }

    @Test
    void a_run_that_is_given_to_lone_points_is_not_alarmed_by_a_larger_one() {
        assertThat(afterLonePoints(3).episodes(LOSS_SPIKE)).isEmpty();
        assertThat(afterLonePoints(2).only(LOSS_SPIKE).openedStep()).isEqualTo(703);
    }

    /** Points of some 32 scales, a hundred steps apart, and then one of 85. */
    private static Judging afterLonePoints(int count) {
        return Judging.of(run -> {
            run.loss(step -> 2 + run.noise(0.02)).steps(500);
            for (int i = 0; i < count; i++) {
                run.step(2.65).steps(100);
            }
            run.step(3.8).steps(300);
        });
    }

    /** As with batches of one: mostly near nothing, one in eight about one. */
    private static double ofOneSample(Random random) {
        return random.nextInt(8) == 0 ? 1 + 0.3 * random.nextGaussian() : 0.05 * Math.exp(random.nextGaussian());
    }

    @Test
    void batches_of_one_jump_all_the_time() {
        int alarmed = 0;
        for (int seed = 0; seed < 20; seed++) {
            Random random = new Random(seed);
            alarmed += Judging.of(run -> run.loss(step -> ofOneSample(random)).steps(4000))
                    .alarms(LOSS_SPIKE)
                    .size();
        }
        assertThat(alarmed).isLessThanOrEqualTo(1);
    }

    @Test
    void a_spike_above_all_that_batches_of_one_do_is_found() {
        Random random = new Random(1);
        Judging.Episode spike = Judging.of(run -> run.loss(step -> ofOneSample(random))
                        .steps(1000)
                        .steps(5, (body, step) -> body.setLoss(8.0))
                        .steps(300))
                .only(LOSS_SPIKE);
        assertThat(spike.onsetStep()).isEqualTo(1001);
        assertThat(spike.openedStep()).isBetween(1001L, 1003L);
    }

    @Test
    void two_losses_of_exactly_zero_out_of_nowhere_fire() {
        Judging.Episode spike = Judging.of(
                        run -> run.steps(500).step(0).step(0).step(0).steps(300))
                .only(LOSS_SPIKE);
        assertThat(spike.openedStep()).isEqualTo(502);
        assertThat(spike.onsetStep()).isEqualTo(501);
        assertThat(spike.message()).startsWith("loss is exactly 0 since step 501, its median before was 1.8");
    }

    @Test
    void zeros_fire_however_noisy_the_small_loss_that_never_came_near_them() {
        Judging.Episode spike = Judging.of(run -> run.loss(step -> 0.002 * Math.exp(run.noise(0.7)))
                        .steps(500)
                        .step(0)
                        .step(0)
                        .steps(300))
                .only(LOSS_SPIKE);
        assertThat(spike.openedStep()).isEqualTo(502);
    }

    @Test
    void zeros_in_a_log_of_two_decimals_are_rounding() {
        assertThat(Judging.of(run -> run.loss(step -> Math.rint(100 * (0.02 + Math.abs(run.noise(0.01)))) / 100)
                                .steps(500)
                                .step(0)
                                .step(0)
                                .steps(300))
                        .episodes(LOSS_SPIKE))
                .isEmpty();
    }

    @Test
    void zeros_in_a_loss_that_converged_to_zero_are_its_normal() {
        assertThat(Judging.of(run -> run.loss(step -> Math.rint(2e4 * Math.exp(-step / 60.0)) / 1e4)
                                .steps(1200))
                        .episodes(LOSS_SPIKE))
                .isEmpty();
    }

    @Test
    void a_level_that_stays_is_one_episode() {
        Judging judging = Judging.of(run ->
                run.loss(step -> (step <= 500 ? 2 : 2.5) + run.noise(0.02)).steps(2000));
        assertThat(judging.episodes(LOSS_SPIKE)).hasSize(1);
        assertThat(judging.only(LOSS_SPIKE).resolved()).isTrue();
    }

    @Test
    void sixty_four_points_are_needed() {
        assertThat(Judging.of(run -> run.steps(62).step(9).step(9)).notChecked(LOSS_SPIKE))
                .isEqualTo("64 points of loss, 64 came");
        assertThat(Judging.of(run -> run.steps(62).step(9).step(9)).episodes(LOSS_SPIKE))
                .isEmpty();
        assertThat(Judging.of(run -> run.steps(64).step(9)).only(LOSS_SPIKE).openedStep())
                .isEqualTo(65);
    }

    @Test
    void without_a_loss_it_says_what_is_missing() {
        assertThat(Judging.of(run -> run.steps(200, (body, step) -> body.setLoss(null)))
                        .notChecked(LOSS_SPIKE))
                .isEqualTo("step_completed.loss");
    }

    @Test
    void each_component_has_a_scope_of_its_own() {
        Judging.Episode spike = Judging.of(run -> run.steps(
                        500,
                        (body, step) -> body.setLosses(
                                Map.of("box", 1 + run.noise(0.02), "cls", step > 400 && step < 410 ? 3.0 : 0.7))))
                .only(LOSS_SPIKE);
        assertThat(spike.scope()).isEqualTo("losses/cls");
        assertThat(spike.message()).startsWith("losses/cls jumped to 3 at step 401");
    }

    @ParameterizedTest
    @ValueSource(doubles = {1e-4, 1, 1e6, -1})
    void the_scale_and_the_sign_of_the_loss_do_not_matter(double unit) {
        Judging judging = Judging.of(run -> run.loss(
                        step -> 2 * unit + Math.abs(unit) * (run.noise(0.02) + (step > 500 && step <= 505 ? 0.6 : 0)))
                .steps(900));
        assertThat(judging.only(LOSS_SPIKE).openedStep()).isEqualTo(502);
    }

    @Test
    void a_loss_that_crosses_zero_is_quiet() {
        assertThat(Judging.of(run -> run.loss(step -> 3 - 1.2 * Math.log((double) step) + run.noise(0.05))
                                .steps(2000))
                        .episodes())
                .isEmpty();
    }

    @Test
    void what_is_logged_every_ten_steps_is_judged_by_its_points() {
        Judging judging =
                Judging.of(run -> run.loggedEvery(10).steps(500).step(3).step(3).steps(300));
        assertThat(judging.only(LOSS_SPIKE).openedStep()).isEqualTo(5010);
    }

    @Test
    void a_warm_restart_lowers_it_to_info_and_says_why() {
        Judging judging =
                Judging.of(run -> run.learningRate(step -> 1e-3 * (0.5 + 0.5 * Math.cos(Math.PI * (step % 500) / 500)))
                        .loss(step -> 1.5
                                + 3 * Math.pow(step + 10.0, -0.35)
                                + run.noise(0.01)
                                + (step > 500 ? 0.3 * Math.exp(-(step % 500) / 40.0) : 0))
                        .steps(2400));
        assertThat(judging.episodes(LOSS_SPIKE)).isNotEmpty();
        assertThat(judging.alarms()).isEmpty();
        assertThat(judging.episodes(LOSS_SPIKE).get(0).first().getSuppressedBy())
                .isEqualTo("learning_rate_rise");
    }

    @Test
    void a_declared_phase_change_lowers_it_to_info() {
        Judging judging = Judging.of(run -> run.steps(500)
                .phaseChanged("sequence_length")
                .loss(step -> 2.2 + run.noise(0.02))
                .steps(600));
        assertThat(judging.only(LOSS_SPIKE).highest()).isEqualTo(Severity.info);
        assertThat(judging.only(LOSS_SPIKE).first().getSuppressedBy()).isEqualTo("phase_change");
    }

    @Test
    void the_bump_after_a_resume_without_optimizer_state_is_info() {
        Judging judging = Judging.of(run -> run.steps(500)
                .restartAt(400)
                .steps(60, (body, step) -> body.setLoss(body.getLoss() + 0.5 * Math.exp(-(step - 401) / 10.0)))
                .steps(600));
        assertThat(judging.alarms()).isEmpty();
        assertThat(judging.only(LOSS_SPIKE).first().getSuppressedBy()).isEqualTo("resume");
    }

    @Test
    void steps_that_are_redone_are_quiet() {
        assertThat(Judging.of(run -> run.steps(900).resumeAt(400).steps(900)).episodes())
                .isEmpty();
    }

    @ParameterizedTest
    @ValueSource(strings = {"gan", "rl"})
    void where_the_loss_need_not_fall_it_is_info(String profile) {
        Judging judging = Judging.of(run -> {
            run.started(body -> body.setMetricProfile(profile));
            fault().accept(run);
        });
        assertThat(judging.only(LOSS_SPIKE).highest()).isEqualTo(Severity.info);
        assertThat(judging.only(LOSS_SPIKE).first().getSuppressedBy()).isEqualTo("metric_profile");
    }

    @Test
    void a_flutter_of_a_converged_loss_is_info() {
        Judging judging = Judging.of(run -> run.loss(step -> 2 * Math.exp(-step / 60.0)
                        + 1e-3
                        + Math.abs(run.noise(1e-5))
                        + (step >= 8000 && step < 8005 ? 0.05 : 0))
                .steps(8200));
        assertThat(judging.only(LOSS_SPIKE).highest()).isEqualTo(Severity.info);
        assertThat(judging.only(LOSS_SPIKE).first().getSuppressedBy()).isEqualTo("at_floor");
    }

    @Test
    void a_spike_of_a_component_is_info_while_the_whole_is_logged() {
        Judging.Episode spike = Judging.of(run -> run.steps(
                        600,
                        (body, step) -> body.setLosses(
                                Map.of("dfl_loss", 1 + run.noise(0.01) + (step > 500 && step < 510 ? 1 : 0)))))
                .only(LOSS_SPIKE);
        assertThat(spike.highest()).isEqualTo(Severity.info);
        assertThat(spike.first().getSuppressedBy()).isEqualTo("component_of_loss");
    }
}
