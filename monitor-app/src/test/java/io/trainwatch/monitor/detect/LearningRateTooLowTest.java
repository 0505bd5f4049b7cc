package io.trainwatch.monitor.detect;

import static org.assertj.core.api.Assertions.assertThat;

import io.trainwatch.alert.Severity;
import io.trainwatch.event.TensorKind;
import io.trainwatch.monitor.Judging;
import io.trainwatch.monitor.RunStream;
import io.trainwatch.monitor.RunStream.Scenario;
import org.junit.jupiter.api.Test;

class LearningRateTooLowTest implements DetectorContract {
    private static final String LEARNING_RATE_TOO_LOW = "learning_rate_too_low";

    @Override
    public String detector() {
        return LEARNING_RATE_TOO_LOW;
    }

    /** A loss that falls as a power law, by updates of 0.1 %. */
    @Override
    public Scenario healthy() {
        return run -> {
            declared(run, 10_000);
            run.steps(900, (body, step) -> body.setUpdateToWeightRatio(1e-3));
        };
    }

    /** A loss that falls from ln 83 as a straight line, 6 % in 1,000 steps, by updates of 0.001 %. */
    @Override
    public Scenario fault() {
        return run -> {
            declared(run, 2_000);
            straight(run, 1_000);
        };
    }

    private static void declared(RunStream run, long maxSteps) {
        run.started(body -> {
            body.setNumClasses(83);
            body.setMaxSteps(maxSteps);
        });
    }

    private static void straight(RunStream run, int steps) {
        run.loss(step -> Math.log(83) * (1 - 6e-5 * step) + run.noise(0.005))
                .steps(steps, (body, step) -> body.setUpdateToWeightRatio(1e-5));
    }

    @Test
    void a_straight_line_to_nowhere_is_a_warning() {
        Judging.Episode slow = Judging.of(fault()).only(LEARNING_RATE_TOO_LOW);
        assertThat(slow.openedStep()).isBetween(500L, 520L);
        assertThat(slow.onsetStep()).isEqualTo(1);
        assertThat(slow.highest()).isEqualTo(Severity.warning);
        assertThat(slow.message())
                .matches("learning rate 0\\.001 is too low: updates of at most 0\\.001 % of the weights, the loss falls"
                        + " steadily and will be 3\\.\\d+ at step 2000");
    }

    @Test
    void large_updates_or_an_end_that_is_far_enough_are_quiet() {
        assertThat(Judging.of(run -> {
                            declared(run, 2_000);
                            run.loss(step -> Math.log(83) * (1 - 6e-5 * step) + run.noise(0.005))
                                    .steps(1_000, (body, step) -> body.setUpdateToWeightRatio(2e-4));
                        })
                        .episodes(LEARNING_RATE_TOO_LOW))
                .isEmpty();
        assertThat(Judging.of(run -> {
                            declared(run, 30_000);
                            straight(run, 1_000);
                        })
                        .episodes(LEARNING_RATE_TOO_LOW))
                .isEmpty();
    }

    @Test
    void a_curve_that_slows_down_has_its_progress_behind_it() {
        assertThat(Judging.of(run -> {
                            declared(run, 2_000);
                            run.loss(step -> Math.log(83) * (1 - 0.04 * Math.sqrt(step / 1e3)) + run.noise(0.005))
                                    .steps(1_000, (body, step) -> body.setUpdateToWeightRatio(1e-5));
                        })
                        .episodes(LEARNING_RATE_TOO_LOW))
                .isEmpty();
    }

    @Test
    void a_fine_tuning_is_info() {
        Judging judging = Judging.of(run -> {
            run.started(body -> body.setMaxSteps(2_000L));
            straight(run, 1_000);
        });
        assertThat(judging.only(LEARNING_RATE_TOO_LOW).highest()).isEqualTo(Severity.info);
    }

    @Test
    void the_end_of_the_schedule_is_quiet() {
        Judging judging = Judging.of(run -> {
            declared(run, 2_000);
            run.learningRate(step -> step < 30 ? 1e-2 : 1e-3);
            straight(run, 1_000);
        });
        assertThat(judging.episodes(LEARNING_RATE_TOO_LOW)).isEmpty();
    }

    @Test
    void the_rate_of_an_adam_bounds_the_updates_where_weights_are_reported() {
        Judging judging = Judging.of(run -> {
            run.started(body -> {
                body.setNumClasses(83);
                body.setMaxSteps(2_000L);
                body.setOptimizer("adam");
            });
            run.learningRate(step -> 1e-6).loss(step -> Math.log(83) * (1 - 6e-5 * step) + run.noise(0.005));
            Network.train(run, new Network(3), 20, 50, tensor -> {});
        });
        assertThat(judging.only(LEARNING_RATE_TOO_LOW).message()).contains("updates of at most 0.00");
    }

    @Test
    void hostile_tensors_harm_nothing() {
        Judging judging = Judging.of(run -> {
            run.started(body -> body.setOptimizer("adam"));
            Network.hostile(run, Network.only(TensorKind.update, tensor -> tensor.setL2Norm(Double.NaN)));
        });
        assertThat(judging.episodes(LEARNING_RATE_TOO_LOW)).isEmpty();
    }

    @Test
    void what_is_missing_is_said() {
        assertThat(Judging.of(run -> run.steps(600)).notChecked(LEARNING_RATE_TOO_LOW))
                .isEqualTo("run_started.max_steps");
        assertThat(Judging.of(run -> {
                            declared(run, 1_000);
                            run.steps(600);
                        })
                        .notChecked(LEARNING_RATE_TOO_LOW))
                .isEqualTo("step_completed.update_to_weight_ratio, or an Adam-type optimizer with a learning rate and"
                        + " tensor_stats of weights");
        assertThat(Judging.of(run -> {
                            declared(run, 1_000);
                            straight(run, 30);
                        })
                        .notChecked(LEARNING_RATE_TOO_LOW))
                .isEqualTo("500 steps and 32 points of loss behind the warm-up, 30 steps came");
    }
}
