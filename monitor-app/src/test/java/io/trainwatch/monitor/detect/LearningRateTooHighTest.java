package io.trainwatch.monitor.detect;

import static org.assertj.core.api.Assertions.assertThat;

import io.trainwatch.alert.Severity;
import io.trainwatch.event.TensorKind;
import io.trainwatch.monitor.Judging;
import io.trainwatch.monitor.RunStream;
import io.trainwatch.monitor.RunStream.Scenario;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class LearningRateTooHighTest implements DetectorContract {
    private static final String LEARNING_RATE_TOO_HIGH = "learning_rate_too_high";

    @Override
    public String detector() {
        return LEARNING_RATE_TOO_HIGH;
    }

    /** Evaluations that improve and scatter by their sampling error, updates of 0.6 %. */
    @Override
    public Scenario healthy() {
        SplittableRandom random = new SplittableRandom(1);
        return run -> {
            Network network = new Network(4);
            for (int i = 0; i < 30; i++) {
                run.steps(50, (body, step) -> body.setUpdateToWeightRatio(6e-3)).tensors(network.report());
                accuracy(run, 0.4 + 0.015 * i + 0.0126 * random.nextGaussian());
            }
        };
    }

    /** Updates of a tenth of the weights, evaluations that swing by 20 %, and at step 700 a loss that blows up. */
    @Override
    public Scenario fault() {
        return run -> {
            largeUpdates(run, 700);
            run.loss(step -> 60 + run.noise(1)).steps(200, (body, step) -> body.setUpdateToWeightRatio(0.1));
        };
    }

    private static void largeUpdates(RunStream run, int steps) {
        for (int i = 0; i < steps / 50; i++) {
            run.steps(50, (body, step) -> body.setUpdateToWeightRatio(0.1));
            accuracy(run, i % 2 == 0 ? 0.6 : 0.8);
        }
    }

    private static void accuracy(RunStream run, double accuracy) {
        run.evaluation(Map.of("accuracy", accuracy), body -> body.setNumSamples(1000L));
    }

    @Test
    void the_third_fact_fires() {
        Judging judging = Judging.of(fault());
        long blowUp = judging.only("loss_divergence").openedStep();
        Judging.Episode high = judging.only(LEARNING_RATE_TOO_HIGH);
        assertThat(judging.episodes("loss_spike").get(0).openedStep()).isLessThan(blowUp);
        assertThat(high.openedStep()).isEqualTo(blowUp);
        assertThat(high.highest()).isEqualTo(Severity.warning);
        assertThat(high.message())
                .isEqualTo(
                        "learning rate 0.001 is too high: updates of 10 % of the weights or more, loss or gradient blew"
                                + " up, evaluations go up and down");
    }

    @Test
    void two_facts_are_quiet() {
        assertThat(Judging.of(run -> largeUpdates(run, 3000)).episodes(LEARNING_RATE_TOO_HIGH))
                .isEmpty();
        Scenario blowUpAlone =
                run -> run.steps(700).loss(step -> 60 + run.noise(1)).steps(300);
        assertThat(Judging.of(blowUpAlone).episodes(LEARNING_RATE_TOO_HIGH)).isEmpty();
    }

    @Test
    void three_spikes_within_a_thousand_steps_are_a_fact_further_apart_they_are_none() {
        assertThat(Judging.of(spikes(300)).only(LEARNING_RATE_TOO_HIGH).message())
                .contains("3 loss spikes");
        assertThat(Judging.of(spikes(600)).episodes(LEARNING_RATE_TOO_HIGH)).isEmpty();
    }

    private static Scenario spikes(int apart) {
        return run -> {
            run.steps(100);
            for (int i = 0; i < 3; i++) {
                largeUpdates(run, apart);
                run.steps(5, (body, step) -> body.setLoss(body.getLoss() + 2));
            }
            largeUpdates(run, 200);
        };
    }

    @Test
    void a_loss_that_is_three_times_as_noisy_as_it_was_is_a_fact() {
        Scenario noisy = run -> {
            run.loss(step -> 2 + run.noise(0.02));
            largeUpdates(run, 700);
            run.loss(step -> 2 + 0.3 * Math.sin(step / 3.0) + run.noise(0.1));
            largeUpdates(run, 300);
        };
        assertThat(Judging.of(noisy).only(LEARNING_RATE_TOO_HIGH).last().getMessage())
                .contains("times as noisy as at its best");
    }

    @Test
    void units_that_die_are_a_fact_and_gradients_that_are_zero_too() {
        Scenario dying = run -> {
            Network network = new Network(4);
            largeUpdates(run, 600);
            run.tensors(network.report());
            largeUpdates(run, 100);
            run.tensors(network.report(Network.only(TensorKind.activation, t -> t.setDeadUnitFraction(0.41))));
            largeUpdates(run, 100);
        };
        assertThat(Judging.of(dying).only(LEARNING_RATE_TOO_HIGH).openedStep()).isEqualTo(701);
        Scenario zero = run -> {
            largeUpdates(run, 600);
            run.tensors(new Network(4).report(Network.only(TensorKind.gradient, t -> t.setZeroFraction(0.7))));
            largeUpdates(run, 100);
        };
        assertThat(Judging.of(zero).only(LEARNING_RATE_TOO_HIGH).message())
                .contains("most of the gradient is exactly 0");
    }

    @Test
    void the_rate_of_an_adam_says_how_far_weights_move_where_nobody_reports_it() {
        Scenario adam = run -> {
            run.started(body -> body.setOptimizer("AdamW"));
            run.learningRate(step -> 0.7);
            for (int i = 0; i < 14; i++) {
                run.steps(50);
                accuracy(run, i % 2 == 0 ? 0.6 : 0.8);
            }
            run.loss(step -> 60 + run.noise(1)).steps(200);
        };
        assertThat(Judging.of(adam).only(LEARNING_RATE_TOO_HIGH).message())
                .startsWith("learning rate 0.7 is too high: updates of 23.3 % of the weights or more");
    }

    @ParameterizedTest
    @ValueSource(strings = {"gan", "rl"})
    void where_the_loss_need_not_fall_it_is_info(String profile) {
        Judging judging = Judging.of(run -> {
            run.started(body -> body.setMetricProfile(profile));
            dies(run);
        });
        assertThat(judging.only(LEARNING_RATE_TOO_HIGH).highest()).isEqualTo(Severity.info);
    }

    private static void dies(RunStream run) {
        largeUpdates(run, 600);
        run.tensors(new Network(4).report(Network.only(TensorKind.gradient, t -> t.setZeroFraction(0.9))));
        largeUpdates(run, 200);
    }

    @Test
    void a_metric_without_a_standard_error_is_no_fact() {
        Judging judging = Judging.of(run -> {
            for (int i = 0; i < 30; i++) {
                run.steps(50, (body, step) -> body.setUpdateToWeightRatio(0.1));
                run.evaluation(Map.of("loss", i % 2 == 0 ? 0.6 : 0.8, "accuracy", i % 2 == 0 ? 0.6 : 0.8), body -> {});
            }
            run.tensors(new Network(4).report(Network.only(TensorKind.gradient, t -> t.setZeroFraction(0.9))));
            run.steps(100, (body, step) -> body.setUpdateToWeightRatio(0.1));
        });
        assertThat(judging.episodes(LEARNING_RATE_TOO_HIGH)).isEmpty();
    }

    @Test
    void hostile_metrics_are_bounded() {
        Judging judging = Judging.of(run -> {
            for (int i = 0; i < 200; i++) {
                run.steps(1).evaluation(Map.of("m".repeat(i) + i, 0.5), body -> body.setNumSamples(Long.MAX_VALUE));
                run.evaluation(Map.of("m", Double.NaN), body -> body.setNumSamples(-5L));
            }
            Network.hostile(run, tensor -> {});
        });
        assertThat(judging.encoded().length).isLessThan(250_000);
    }

    @Test
    void what_is_missing_is_said() {
        assertThat(Judging.of(run -> run.heartbeat("train")).notChecked(LEARNING_RATE_TOO_HIGH))
                .isEqualTo("step_completed.loss");
        assertThat(Judging.of(run -> run.steps(20)).notChecked(LEARNING_RATE_TOO_HIGH))
                .isEqualTo("64 points of loss, 20 came");
    }
}
