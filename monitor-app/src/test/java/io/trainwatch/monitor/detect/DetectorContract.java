package io.trainwatch.monitor.detect;

import static org.assertj.core.api.Assertions.assertThat;

import io.trainwatch.monitor.Judging;
import io.trainwatch.monitor.RunStream.Scenario;
import org.junit.jupiter.api.Test;

/** What holds for every detector, given a run that is healthy and one with its fault. */
interface DetectorContract {
    String detector();

    /** A run that has all that the detector reads, and nothing wrong. */
    Scenario healthy();

    /** A run with the fault. */
    Scenario fault();

    @Test
    default void a_healthy_run_is_judged_and_quiet() {
        Judging judging = Judging.of(healthy());
        assertThat(judging.episodes()).isEmpty();
        assertThat(judging.notChecked(detector())).isEmpty();
    }

    @Test
    default void a_restart_in_the_middle_gives_identical_alerts() {
        Judging undisturbed = Judging.of(fault());
        assertThat(undisturbed.changes(detector())).isNotEmpty();
        assertThat(Judging.restarting(97, fault()).changes()).isEqualTo(undisturbed.changes());
    }

    @Test
    default void two_interleaved_runs_do_not_touch() {
        assertThat(Judging.interleaved(fault(), healthy()).changes())
                .isEqualTo(Judging.of(fault()).changes());
        assertThat(Judging.interleaved(healthy(), fault()).changes()).isEmpty();
    }

    @Test
    default void one_point_is_no_verdict() {
        Judging judging = Judging.of(run -> run.steps(1));
        assertThat(judging.episodes()).isEmpty();
    }

    @Test
    default void nan_everywhere_from_the_first_step_on_harms_nothing() {
        Judging judging = Judging.of(run -> run.loss(step -> Double.NaN)
                .gradNorm(step -> Double.NaN)
                .learningRate(step -> Double.NaN)
                .steps(300));
        assertThat(judging.alarms())
                .extracting(Judging.Episode::detector)
                .containsExactlyInAnyOrder("non_finite_loss", "non_finite_gradient");
    }
}
