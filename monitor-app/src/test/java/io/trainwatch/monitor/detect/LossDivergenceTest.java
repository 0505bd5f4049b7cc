package io.trainwatch.monitor.detect;

import static org.assertj.core.api.Assertions.assertThat;

import io.trainwatch.alert.Severity;
import io.trainwatch.monitor.Judging;
import io.trainwatch.monitor.RunStream.Scenario;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class LossDivergenceTest implements DetectorContract {
    private static final String LOSS_DIVERGENCE = "loss_divergence";

    @Override
    public String detector() {
        return LOSS_DIVERGENCE;
    }

    @Override
    public Scenario healthy() {
        return run -> run.steps(3000);
    }

    /** From step 2001 on the loss gives back a fifth of its progress in 1,000 steps. */
    @Override
    public Scenario fault() {
        return ramp(0.2);
    }

    /** A loss of 3.3 that comes down to 2 and then gives back a share of its progress of 1.2 per 1,000 steps. */
    private static Scenario ramp(double shareOfProgress) {
        return run -> run.loss(step -> 2
                        + 3 * Math.pow(Math.min(step, 2000) + 10.0, -0.35)
                        + run.noise(0.03)
                        + Math.max(0, step - 2000) * 1.13 * shareOfProgress / 1000)
                .steps(4500);
    }

    @ParameterizedTest
    @CsvSource({"0.02, 1400", "0.05, 800", "0.2, 320", "1.0, 160"})
    void a_ramp_is_found_the_sooner_the_steeper_it_is(double shareOfProgress, long within) {
        Judging.Episode divergence = Judging.of(ramp(shareOfProgress)).only(LOSS_DIVERGENCE);
        assertThat(divergence.openedStep()).isBetween(2001L, 2000 + within);
        assertThat(divergence.onsetStep()).isBetween(1800L, divergence.openedStep());
        assertThat(divergence.first().getSeverity()).isEqualTo(Severity.warning);
        assertThat(divergence.message())
                .matches(
                        "loss rises since step \\d+: 2\\.\\d+ now, 2\\.\\d+ at its best, [\\d.]+ % of its progress lost");
    }

    @Test
    void a_fifth_of_the_progress_lost_is_critical() {
        Judging.Episode divergence = Judging.of(ramp(0.2)).only(LOSS_DIVERGENCE);
        assertThat(divergence.stepOf(Severity.critical)).isBetween(2900L, 3400L);
    }

    @Test
    void above_where_it_began_is_critical_after_five_of_eight_points() {
        // Began at 3.2; half of that more is 4.8.
        Judging.Episode divergence =
                Judging.of(run -> run.steps(100).loss(step -> 6).steps(40)).only(LOSS_DIVERGENCE);
        assertThat(divergence.openedStep()).isEqualTo(105);
        assertThat(divergence.onsetStep()).isEqualTo(105);
        assertThat(divergence.highest()).isEqualTo(Severity.critical);
        assertThat(divergence.message()).matches("loss is 6, above the 2\\.\\d+ where it began");
    }

    @Test
    void a_spike_that_comes_back_is_none() {
        assertThat(Judging.of(run -> run.steps(1000)
                                .steps(20, (body, step) -> body.setLoss(2.5))
                                .steps(1000))
                        .episodes(LOSS_DIVERGENCE))
                .isEmpty();
    }

    /** A loss at 2.3 that rises by a fifth of its progress and comes back, twice, and then rises by more than half of it. */
    @Test
    void a_rise_like_one_that_healed_by_itself_is_a_habit_until_it_is_higher() {
        Judging judging = Judging.of(run -> run.loss(step -> 2
                        + 3 * Math.pow(Math.min(step, 2000) + 10.0, -0.35)
                        + run.noise(0.03)
                        + hill(step, 2500, 0.25)
                        + hill(step, 5000, 0.25)
                        + hill(step, 7500, 0.8))
                .steps(9500));
        assertThat(judging.episodes(LOSS_DIVERGENCE))
                .extracting(episode -> episode.openedStep() / 1000)
                .containsExactly(2L, 8L);
    }

    /** Up and down again in 1,200 steps. */
    private static double hill(long step, long from, double height) {
        return height * Math.max(0, 1 - Math.abs(step - from - 600) / 600.0);
    }

    @ParameterizedTest
    @ValueSource(doubles = {1e-4, 1, 1e6, -1})
    void the_scale_and_the_sign_of_the_loss_do_not_matter(double unit) {
        Judging judging = Judging.of(run -> run.loss(step -> 2 * unit
                        + Math.abs(unit)
                                * (3 * Math.pow(Math.min(step, 2000) + 10.0, -0.35)
                                        + run.noise(0.03)
                                        + Math.max(0, step - 2000) * 0.2e-3))
                .steps(3000));
        assertThat(judging.only(LOSS_DIVERGENCE).openedStep()).isBetween(2100L, 2400L);
    }

    @Test
    void a_loss_that_crosses_zero_is_quiet() {
        assertThat(Judging.of(run -> run.loss(step -> 3 - 1.2 * Math.log((double) step) + run.noise(0.05))
                                .steps(3000))
                        .episodes())
                .isEmpty();
    }

    @Test
    void a_loss_that_blows_up_in_its_first_points_and_settles_above_twice_its_start_is_critical() {
        Judging judging = Judging.of(run -> run.step(1.4)
                .step(3.3)
                .step(24)
                .step(26)
                .step(20)
                .step(16)
                .step(36)
                .step(24)
                .loss(step -> 8.5 + run.noise(0.1))
                .steps(60));
        assertThat(judging.only(LOSS_DIVERGENCE).highest()).isEqualTo(Severity.critical);
        assertThat(judging.only(LOSS_DIVERGENCE).openedStep()).isBetween(16L, 68L);
    }

    @Test
    void quantised_logs_are_quiet() {
        assertThat(Judging.of(run -> {
                            var loss = run.healthyLoss();
                            run.loss(step -> Math.rint(10 * loss.applyAsDouble(step)) / 10)
                                    .steps(3000);
                        })
                        .alarms(LOSS_DIVERGENCE))
                .isEmpty();
    }

    @Test
    void a_warm_restart_moves_the_reference() {
        Judging judging = Judging.of(run -> run.learningRate(
                        step -> 1e-3 * (0.5 + 0.5 * Math.cos(Math.PI * (step % 1000) / 1000)))
                .loss(step -> 1.5
                        + 3 * Math.pow(step + 10.0, -0.35)
                        + run.noise(0.02)
                        + 0.2 * Math.cos(Math.PI * (step % 1000) / 1000))
                .steps(6000));
        assertThat(judging.alarms(LOSS_DIVERGENCE)).isEmpty();
    }

    @Test
    void a_declared_phase_moves_the_reference() {
        Judging judging = Judging.of(run -> run.steps(1500)
                .phaseChanged("data_mix")
                .loss(step -> 2.1 + 3 * Math.pow(step + 10.0, -0.35) + run.noise(0.02))
                .steps(2000));
        assertThat(judging.alarms(LOSS_DIVERGENCE)).isEmpty();
    }

    @Test
    void steps_that_are_redone_are_not_counted() {
        assertThat(Judging.of(run -> run.steps(2000).restartAt(500).steps(3000)).alarms())
                .isEmpty();
    }

    @Test
    void where_the_loss_need_not_fall_it_is_info() {
        Judging judging = Judging.of(run -> {
            run.started(body -> body.setTask("rl"));
            fault().accept(run);
        });
        assertThat(judging.episodes(LOSS_DIVERGENCE)).isNotEmpty();
        assertThat(judging.alarms(LOSS_DIVERGENCE)).isEmpty();
        assertThat(judging.episodes(LOSS_DIVERGENCE).get(0).first().getSuppressedBy())
                .isEqualTo("metric_profile");
    }

    @Test
    void what_is_missing_is_said() {
        assertThat(Judging.of(run -> run.steps(15)).notChecked(LOSS_DIVERGENCE))
                .isEqualTo("16 points of loss, 15 came");
        assertThat(Judging.of(run -> run.heartbeat("train")).notChecked(LOSS_DIVERGENCE))
                .isEqualTo("step_completed.loss");
    }

    @Test
    void a_component_that_rises_while_the_whole_falls_is_info() {
        // As the Kullback-Leibler term of an autoencoder, which is next to nothing before anything is learned.
        Judging judging = Judging.of(run -> run.steps(
                600, (body, step) -> body.setLosses(Map.of("kl_loss", 0.1 + 8 * (1 - Math.exp(-step / 50.0))))));
        assertThat(judging.only(LOSS_DIVERGENCE).highest()).isEqualTo(Severity.info);
        assertThat(judging.only(LOSS_DIVERGENCE).scope()).isEqualTo("losses/kl_loss");
        assertThat(judging.only(LOSS_DIVERGENCE).first().getSuppressedBy()).isEqualTo("component_of_loss");
    }

    @Test
    void a_loss_of_few_epochs_that_turns_and_rises_is_told_long_before_there_are_blocks() {
        double[] epochs = {
            2.58, 2.38, 1.65, 1.3, 1.1, 0.89, 0.67, 0.5, 0.34, 0.21, 0.11, 0.069, 0.061, 0.067, 0.11, 0.2, 0.33, 0.46,
            0.55
        };
        Judging.Episode turned = Judging.of(run -> {
                    for (double loss : epochs) {
                        run.step(loss);
                    }
                })
                .only(LOSS_DIVERGENCE);
        assertThat(turned.onsetStep()).isEqualTo(14);
        assertThat(turned.openedStep()).isEqualTo(19);
        assertThat(turned.highest()).isEqualTo(Severity.warning);
        assertThat(turned.message())
                .isEqualTo("loss rises since step 14: 0.4467 now, 0.06567 at its best, 17.8 % of its progress lost");
    }

    @Test
    void noise_about_a_floor_of_few_epochs_is_no_turn() {
        int alarmed = 0;
        for (int seed = 0; seed < 200; seed++) {
            Random random = new Random(seed);
            alarmed += Judging.of(run -> run.loss(
                                    step -> 0.1 * Math.exp(0.5 * random.nextGaussian()) + 2 / (double) step)
                            .steps(60))
                    .alarms(LOSS_DIVERGENCE)
                    .size();
        }
        assertThat(alarmed).isLessThanOrEqualTo(1);
    }

    @Test
    void what_falls_a_hundred_times_its_start_below_zero_has_no_floor() {
        Judging.Episode bottomless = Judging.of(run ->
                        run.loss(step -> 2 - Math.pow(step / 10.0, 3)).steps(200))
                .only(LOSS_DIVERGENCE);
        assertThat(bottomless.highest()).isEqualTo(Severity.critical);
        assertThat(bottomless.message()).endsWith("and began at 1.838: what is minimised has no floor");
    }

    @Test
    void a_log_likelihood_below_zero_has_one() {
        assertThat(Judging.of(run -> run.loss(step -> 2 - 20 * (1 - Math.exp(-step / 100.0)) + run.noise(0.1))
                                .steps(800))
                        .episodes(LOSS_DIVERGENCE))
                .isEmpty();
    }
}
