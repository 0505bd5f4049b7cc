package io.trainwatch.monitor.detect;

import static org.assertj.core.api.Assertions.assertThat;

import io.trainwatch.alert.Severity;
import io.trainwatch.monitor.Judging;
import io.trainwatch.monitor.RunStream;
import io.trainwatch.monitor.RunStream.Scenario;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;

class LossPlateauTest implements DetectorContract {
    private static final String LOSS_PLATEAU = "loss_plateau";

    @Override
    public String detector() {
        return LOSS_PLATEAU;
    }

    @Override
    public Scenario healthy() {
        return run -> run.steps(10_000);
    }

    /** The loss freezes at step 2000. */
    @Override
    public Scenario fault() {
        return run -> frozen(run, body -> {});
    }

    private static void frozen(RunStream run, Consumer<RunStream> before) {
        before.accept(run);
        run.loss(step -> 1.5 + 3 * Math.pow(Math.min(step, 2000) + 10.0, -0.35) + run.noise(0.02))
                .steps(8000);
    }

    @Test
    void a_freeze_is_found_when_the_doubling_behind_it_is_flat() {
        Judging.Episode plateau = Judging.of(fault()).only(LOSS_PLATEAU);
        // Edges are 64 * 2^(i/4): 3,444 is the first at which the earlier half of the doubling lies behind 2,000 too.
        assertThat(plateau.openedStep()).isBetween(2000 * 17 / 10L, 2000 * 25 / 10L);
        assertThat(plateau.onsetStep()).isEqualTo(1 + (plateau.openedStep() - 1) / 2);
        assertThat(plateau.highest()).isEqualTo(Severity.warning);
        assertThat(plateau.message())
                .matches(
                        "loss stopped improving at 1\\.\\d+: -?[\\d.e-]+ % of its progress in the last doubling of steps");
    }

    @Test
    void it_is_over_when_the_loss_falls_again() {
        Judging judging = Judging.of(run -> {
            fault().accept(run);
            run.loss(step -> 1.6 - 0.3 * Math.min(1, (step - 8000) / 8000.0) + run.noise(0.02))
                    .steps(10_000);
        });
        assertThat(judging.only(LOSS_PLATEAU).resolved()).isTrue();
    }

    @Test
    void a_learning_rate_that_decayed_to_its_end_explains_it() {
        Judging judging = Judging.of(run -> frozen(run, r -> r.learningRate(step -> step < 2000 ? 1e-3 : 5e-5)));
        assertThat(judging.only(LOSS_PLATEAU).highest()).isEqualTo(Severity.info);
        assertThat(judging.only(LOSS_PLATEAU).first().getSuppressedBy()).isEqualTo("learning_rate_decay");
    }

    @Test
    void a_learning_rate_of_nothing_in_mid_run_does_not() {
        Judging judging = Judging.of(run -> frozen(
                run, r -> r.started(body -> body.setMaxSteps(100_000L)).learningRate(step -> step < 2000 ? 1e-3 : 0)));
        // A quarter of the 1,999 steps before.
        assertThat(judging.only(LOSS_PLATEAU).openedStep()).isEqualTo(2499);
        assertThat(judging.only(LOSS_PLATEAU).onsetStep()).isEqualTo(2000);
        assertThat(judging.only(LOSS_PLATEAU).highest()).isEqualTo(Severity.warning);
        assertThat(judging.only(LOSS_PLATEAU).last().getMessage())
                .matches(
                        "loss stopped improving at 1\\.\\d+: the learning rate is 0 since step 2000 \\(peak 0\\.001\\)");
    }

    @Test
    void the_last_tenth_of_the_declared_steps_explains_it() {
        Judging judging = Judging.of(run -> {
            run.started(body -> body.setMaxSteps(3600L));
            run.loss(step -> 1.5 + 3 * Math.pow(Math.min(step, 2000) + 10.0, -0.35) + run.noise(0.02))
                    .steps(3600);
        });
        assertThat(judging.alarms(LOSS_PLATEAU)).isEmpty();
    }

    @Test
    void a_loss_at_its_floor_has_converged() {
        Judging judging = Judging.of(run -> run.loss(step -> 2 * Math.exp(-step / 100.0) + 0.01 + run.noise(1e-4))
                .steps(5000));
        assertThat(judging.only(LOSS_PLATEAU).highest()).isEqualTo(Severity.info);
        assertThat(judging.only(LOSS_PLATEAU).first().getSuppressedBy()).isEqualTo("at_floor");
    }

    @Test
    void two_networks_in_balance_are_no_plateau() {
        Judging judging = Judging.of(run -> frozen(run, r -> r.started(body -> body.setMetricProfile("gan"))));
        assertThat(judging.only(LOSS_PLATEAU).highest()).isEqualTo(Severity.info);
        assertThat(judging.only(LOSS_PLATEAU).first().getSuppressedBy()).isEqualTo("metric_profile");
    }

    @Test
    void a_loss_that_rises_is_for_another_detector() {
        Judging judging = Judging.of(run -> run.loss(step -> 2
                        + 3 * Math.pow(Math.min(step, 1000) + 10.0, -0.35)
                        + Math.max(0, step - 1000) * 1e-4
                        + run.noise(0.03))
                .steps(6000));
        assertThat(judging.episodes(LOSS_PLATEAU)).isEmpty();
        assertThat(judging.episodes("loss_divergence")).isNotEmpty();
    }

    @Test
    void steps_that_are_redone_are_no_plateau() {
        assertThat(Judging.of(run -> run.steps(4000).restartAt(500).steps(6000)).alarms())
                .isEmpty();
    }

    @Test
    void a_loss_that_is_logged_every_ten_steps_is_judged_by_its_steps() {
        Judging judging = Judging.of(run -> run.loggedEvery(10)
                .loss(step -> 1.5 + 3 * Math.pow(Math.min(step, 2000) + 10.0, -0.35) + run.noise(0.006))
                .steps(800));
        assertThat(judging.episodes(LOSS_PLATEAU).get(0).openedStep()).isBetween(3400L, 6000L);
    }

    @Test
    void what_is_missing_is_said() {
        assertThat(Judging.of(run -> run.steps(900)).notChecked(LOSS_PLATEAU))
                .isEqualTo("more than 1000 steps with points in every stretch, 899 came");
        assertThat(Judging.of(run -> run.heartbeat("train")).notChecked(LOSS_PLATEAU))
                .isEqualTo("step_completed.loss");
    }

    @Test
    void a_harder_phase_is_no_plateau_of_the_one_before() {
        Judging judging = Judging.of(run -> {
            run.loss(step -> 1.5 + 3 * Math.pow(step + 10.0, -0.35) + run.noise(0.02))
                    .steps(2000);
            run.phaseChanged("sequence_length");
            run.loss(step -> 1.7 + 3 * Math.pow(step - 1990.0, -0.35) + run.noise(0.02))
                    .steps(4000);
        });
        assertThat(judging.episodes(LOSS_PLATEAU)).isEmpty();
    }
}
