package io.trainwatch.monitor.run;

import static org.assertj.core.api.Assertions.assertThat;

import io.trainwatch.event.CheckpointLoaded;
import io.trainwatch.event.PhaseChanged;
import io.trainwatch.event.RunStarted;
import org.junit.jupiter.api.Test;

final class GatesTest {
    private final RunState run = new RunState("run");
    private final Gates gates = run.gates();
    private long step;

    @Test
    void a_constant_learning_rate_closes_no_gate() {
        for (int i = 0; i < 1000; i++) {
            rate(0.1);
            assertThat(gates.upwardMove()).isNull();
            assertThat(gates.flatLoss(run)).isNull();
        }

        assertThat(gates.learningRateStillRising()).isFalse();
        assertThat(gates.warmupEnd(run.facts())).isZero();
        assertThat(gates.learningRateGone(run)).isFalse();
    }

    @Test
    void a_run_that_reports_no_learning_rate_closes_no_gate() {
        points(500);

        assertThat(gates.upwardMove()).isNull();
        assertThat(gates.flatLoss(run)).isNull();
        assertThat(gates.learningRateStillRising()).isFalse();
        assertThat(gates.learningRate()).isNaN();
    }

    @Test
    void a_learning_rate_that_was_reported_once_is_not_rising() {
        rate(0.1);
        points(500);

        assertThat(gates.learningRateStillRising()).isFalse();
    }

    @Test
    void a_rise_from_the_first_point_on_is_the_warm_up_and_ends_where_the_rise_ends() {
        for (int i = 1; i <= 50; i++) {
            rate(0.002 * i);
            assertThat(gates.learningRateStillRising()).isEqualTo(i > 1);
            assertThat(gates.upwardMove()).isNull();
        }
        rate(0.1);

        assertThat(gates.learningRateStillRising()).isFalse();
        assertThat(gates.warmupEnd(run.facts())).isEqualTo(50);
        assertThat(gates.peakLearningRate()).isEqualTo(0.1);
    }

    @Test
    void a_declared_warm_up_counts_instead_of_an_inferred_one_and_holds_no_restart() {
        declare(100, 0, null);
        rate(0.1);
        rate(0.01);
        rate(0.05);
        assertThat(gates.upwardMove()).isNull();
        assertThat(gates.warmupEnd(run.facts())).isEqualTo(100);

        step = 100;
        rate(0.05);
        assertThat(gates.upwardMove())
                .as("what came before the peak is no level to restart from")
                .isNull();

        rate(0.01);
        rate(0.05);
        assertThat(gates.upwardMove()).isEqualTo(Gates.LEARNING_RATE_RISE);
    }

    @Test
    void a_restart_within_the_peak_is_held_over_the_128_points_after_it() {
        rates(0.1, 10);
        rates(0.01, 300);
        assertThat(gates.upwardMove()).isNull();

        rate(0.1);
        assertThat(gates.upwardMove()).isEqualTo(Gates.LEARNING_RATE_RISE);
        for (int i = 0; i < 128; i++) {
            rate(0.01);
            assertThat(gates.upwardMove()).isEqualTo(Gates.LEARNING_RATE_RISE);
        }
        rate(0.01);
        assertThat(gates.upwardMove()).isNull();
    }

    @Test
    void a_restart_that_stays_is_held_until_the_low_rate_has_left_the_minimum() {
        rates(0.1, 10);
        rates(0.01, 300);
        int held = 0;
        while (held < 1000) {
            rate(0.1);
            if (gates.upwardMove() == null) {
                break;
            }
            held++;
        }

        assertThat(held).isBetween(128 + 128, 256 + 128);
    }

    @Test
    void a_rise_of_less_than_a_half_is_no_restart() {
        rates(0.1, 10);
        rates(0.01, 300);
        rate(0.0149);

        assertThat(gates.upwardMove()).isNull();
    }

    @Test
    void a_ramp_beyond_the_peak_is_no_restart() {
        rates(0.01, 300);
        for (int i = 1; i <= 20; i++) {
            rate(0.01 * Math.pow(1.5, i));
            assertThat(gates.upwardMove()).isNull();
        }
    }

    @Test
    void below_a_tenth_of_the_peak_a_flat_loss_is_the_plan() {
        rates(0.1, 10);
        rate(0.0101);
        assertThat(gates.flatLoss(run)).isNull();
        rate(0.0099);
        assertThat(gates.flatLoss(run)).isEqualTo(Gates.LEARNING_RATE_DECAY);
        rate(0.05);
        assertThat(gates.flatLoss(run)).isNull();
    }

    @Test
    void the_declared_peak_counts_where_it_is_above_the_one_that_was_seen() {
        declare(-1, 0, 1.0);
        rates(0.1, 2);
        rate(0.09);

        assertThat(gates.flatLoss(run)).isEqualTo(Gates.LEARNING_RATE_DECAY);
    }

    @Test
    void in_the_last_tenth_of_the_declared_steps_a_flat_loss_is_the_plan() {
        declare(-1, 1000, null);
        points(900);
        assertThat(gates.flatLoss(run)).isNull();
        points(1);

        assertThat(gates.flatLoss(run)).isEqualTo(Gates.NEAR_THE_END);
    }

    @Test
    void a_learning_rate_that_is_nothing_for_a_quarter_of_the_steps_before_is_gone() {
        rates(0.1, 800);
        rates(1e-5, 200);
        assertThat(gates.learningRateGone(run)).isFalse();
        assertThat(gates.learningRateGoneSince()).isEqualTo(801);
        assertThat(gates.flatLoss(run)).isEqualTo(Gates.LEARNING_RATE_DECAY);

        rate(1e-5);
        assertThat(gates.learningRateGone(run)).isTrue();
        assertThat(gates.flatLoss(run)).isNull();

        rate(0.1);
        assertThat(gates.learningRateGone(run)).isFalse();
        assertThat(gates.learningRateGoneSince()).isEqualTo(-1);
    }

    @Test
    void a_learning_rate_that_is_nothing_early_is_gone_after_100_steps() {
        rates(0.1, 10);
        rates(0, 100);
        assertThat(gates.learningRateGone(run)).isFalse();
        rate(0);

        assertThat(gates.learningRateGone(run)).isTrue();
    }

    @Test
    void a_rate_that_is_no_number_is_ignored() {
        rates(0.1, 10);
        rate(Double.NaN);
        rate(-1);
        rate(Double.POSITIVE_INFINITY);

        assertThat(gates.learningRate()).isEqualTo(0.1);
        assertThat(gates.peakLearningRate()).isEqualTo(0.1);
        assertThat(gates.upwardMove()).isNull();
    }

    @Test
    void a_change_of_phase_holds_the_64_points_after_it() {
        points(10);
        run.accept(Events.of(new PhaseChanged()), 0);

        assertHeld(Gates.PHASE_CHANGE, 64);
    }

    @Test
    void the_load_of_a_checkpoint_holds_the_100_points_after_it() {
        points(10);
        run.accept(Events.of(new CheckpointLoaded()), 0);

        assertHeld(Gates.RESUME, 100);
    }

    @Test
    void a_step_that_goes_back_holds_100_points() {
        points(200);
        step = 50;

        points(1);
        assertHeld(Gates.RESUME, 99);
    }

    private void assertHeld(String gate, int points) {
        assertThat(gates.upwardMove()).isEqualTo(gate);
        for (int i = 0; i < points; i++) {
            points(1);
            assertThat(gates.upwardMove()).as("point %d", i + 1).isEqualTo(gate);
        }
        points(1);
        assertThat(gates.upwardMove()).isNull();
    }

    private void declare(long warmupSteps, long maxSteps, Double peak) {
        RunStarted started = new RunStarted();
        started.setWarmupSteps(warmupSteps);
        started.setMaxSteps(maxSteps);
        started.setLearningRatePeak(peak);
        run.accept(Events.of(started), 0);
    }

    private void rate(double rate) {
        run.accept(Events.learningRate(++step, rate), 0);
    }

    private void rates(double rate, int points) {
        for (int i = 0; i < points; i++) {
            rate(rate);
        }
    }

    private void points(int points) {
        for (int i = 0; i < points; i++) {
            run.accept(Events.loss(++step, 1), 0);
        }
    }
}
