package io.trainwatch.monitor.detect;

import static org.assertj.core.api.Assertions.assertThat;

import io.trainwatch.alert.Severity;
import io.trainwatch.event.TensorKind;
import io.trainwatch.event.TensorSummary;
import io.trainwatch.monitor.Judging;
import io.trainwatch.monitor.RunStream;
import io.trainwatch.monitor.RunStream.Scenario;
import java.math.BigDecimal;
import java.math.MathContext;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.IntPredicate;
import org.junit.jupiter.api.Test;

class UnchangedWeightsTest implements DetectorContract {
    private static final String UNCHANGED_WEIGHTS = "unchanged_weights";

    @Override
    public String detector() {
        return UNCHANGED_WEIGHTS;
    }

    /** Weights whose std moves by a thousandth of a per cent of itself from report to report. */
    @Override
    public Scenario healthy() {
        return run -> {
            Network network = new Network(6);
            for (int i = 0; i < 30; i++) {
                double std = 0.1 * (1 + i * 1e-5);
                Network.train(run, network, 1, 50, weights(tensor -> Network.resize(tensor, std)));
            }
        };
    }

    /** From step 200 on no weight moves. */
    @Override
    public Scenario fault() {
        return run -> {
            Network network = new Network(6);
            Network.train(run, network, 4, 50, tensor -> {});
            Network.train(run, network, 10, 50, frozen(layer -> true));
        };
    }

    private static Consumer<TensorSummary> weights(Consumer<TensorSummary> edit) {
        return Network.only(TensorKind.weight, edit);
    }

    private static Consumer<TensorSummary> gradients(Consumer<TensorSummary> edit) {
        return Network.only(TensorKind.gradient, edit);
    }

    private static Consumer<TensorSummary> frozen(IntPredicate layers) {
        return weights(tensor -> {
            if (layers.test(Network.layer(tensor))) {
                Network.resize(tensor, 0.1234567);
            }
        });
    }

    @Test
    void the_third_interval_without_a_change_fires_and_the_onset_is_where_the_weights_came_to_rest() {
        Judging.Episode unchanged = Judging.of(fault()).only(UNCHANGED_WEIGHTS);
        assertThat(unchanged.openedStep()).isEqualTo(400);
        assertThat(unchanged.onsetStep()).isEqualTo(250);
        assertThat(unchanged.highest()).isEqualTo(Severity.warning);
        assertThat(unchanged.message())
                .isEqualTo(
                        "all 12 weights are unchanged since step 250 though the optimizer steps (learning rate 0.001)");
    }

    @Test
    void layers_that_the_optimizer_forgot_are_named() {
        Judging judging = Judging.of(run -> {
            Network network = new Network(6);
            Network.train(run, network, 4, 50, tensor -> {});
            Network.train(run, network, 10, 50, frozen(layer -> layer == 2 || layer == 3));
        });
        assertThat(judging.only(UNCHANGED_WEIGHTS).openedStep()).isEqualTo(400);
        assertThat(judging.only(UNCHANGED_WEIGHTS).message())
                .isEqualTo("4 of 12 weights are unchanged since step 250 though they should train: 2.weight, 2.bias,"
                        + " 3.weight, ...");
    }

    @Test
    void frozen_layers_have_no_gradient_and_are_quiet() {
        Scenario none = run -> {
            Network network = new Network(6);
            for (int i = 0; i < 20; i++) {
                List<TensorSummary> tensors = network.report(frozen(layer -> layer < 4));
                tensors.removeIf(tensor -> tensor.getKind() == TensorKind.gradient && Network.layer(tensor) < 4);
                run.steps(50).tensors(tensors);
            }
        };
        assertThat(Judging.of(none).episodes()).isEmpty();
        Scenario zeros = run -> Network.train(
                run, new Network(6), 20, 50, frozen(layer -> layer < 4).andThen(gradients(tensor -> {
                    if (Network.layer(tensor) < 4) {
                        Network.resize(tensor, 0);
                    }
                })));
        assertThat(Judging.of(zeros).episodes()).isEmpty();
    }

    @Test
    void layers_that_get_next_to_no_gradient_are_not_said_to_be_forgotten() {
        Scenario starved = run -> Network.train(
                run, new Network(6), 20, 50, frozen(layer -> layer < 3).andThen(gradients(tensor -> {
                    if (Network.layer(tensor) < 3) {
                        Network.resize(tensor, 9e-8);
                    }
                })));
        assertThat(Judging.of(starved).episodes(UNCHANGED_WEIGHTS)).isEmpty();
    }

    @Test
    void what_was_declared_decides_over_the_gradient() {
        assertThat(Judging.of(declaring(false)).episodes()).isEmpty();
        Scenario trainableWithoutGradients = run -> {
            Network network = new Network(6);
            run.started(body -> body.setLayers(network.declared(layer -> layer.setTrainable(true))));
            for (int i = 0; i < 10; i++) {
                List<TensorSummary> tensors = network.report(frozen(layer -> layer == 1));
                tensors.removeIf(tensor -> tensor.getKind() == TensorKind.gradient);
                run.steps(50).tensors(tensors);
            }
        };
        assertThat(Judging.of(trainableWithoutGradients).only(UNCHANGED_WEIGHTS).openedStep())
                .isEqualTo(200);
    }

    private static Scenario declaring(boolean trainable) {
        return run -> {
            Network network = new Network(6);
            run.started(body ->
                    body.setLayers(network.declared(layer -> layer.setTrainable(trainable || layer.getIndex() != 1))));
            Network.train(run, network, 10, 50, frozen(layer -> layer == 1));
        };
    }

    @Test
    void three_digits_show_no_small_step() {
        Judging judging = Judging.of(run -> Network.train(run, new Network(6), 20, 50, weights(tensor -> {
            tensor.setStd(rounded(tensor.getStd()));
            tensor.setAbsMean(rounded(tensor.getAbsMean()));
            tensor.setAbsMax(rounded(tensor.getAbsMax()));
            tensor.setL2Norm(rounded(tensor.getL2Norm()));
        })));
        assertThat(judging.episodes()).isEmpty();
        assertThat(judging.notChecked(UNCHANGED_WEIGHTS))
                .isEqualTo("two reports of weights with 6 digits and optimizer steps between them");
    }

    private static double rounded(double value) {
        return new BigDecimal(value).round(new MathContext(3)).doubleValue();
    }

    @Test
    void steps_that_were_skipped_or_warm_up_move_nothing() {
        Judging judging = Judging.of(run -> {
            Network network = new Network(6);
            run.started(body -> body.setWarmupSteps(100L));
            Network.train(run, network, 10, 10, frozen(layer -> true));
            for (int i = 0; i < 16; i++) {
                run.steps(10, (body, step) -> {
                            body.setOptimizerStepSkipped(true);
                            body.setGradNorm(Double.POSITIVE_INFINITY);
                        })
                        .tensors(network.report(frozen(layer -> true)));
            }
            Network.train(run, network, 10, 50, tensor -> {});
        });
        assertThat(judging.episodes(UNCHANGED_WEIGHTS)).isEmpty();
    }

    @Test
    void fifty_steps_are_waited_for() {
        Judging judging = Judging.of(run -> Network.train(run, new Network(6), 60, 1, frozen(layer -> true)));
        assertThat(judging.only(UNCHANGED_WEIGHTS).openedStep()).isEqualTo(51);
        assertThat(judging.only(UNCHANGED_WEIGHTS).onsetStep()).isEqualTo(1);
    }

    @Test
    void a_declared_phase_begins_anew() {
        Judging judging = Judging.of(run -> {
            Network network = new Network(6);
            for (int i = 0; i < 6; i++) {
                Network.train(run, network, 3, 50, frozen(layer -> true));
                run.phaseChanged("unfreeze");
            }
        });
        assertThat(judging.episodes()).isEmpty();
    }

    @Test
    void at_the_end_of_the_schedule_it_is_info_and_a_rate_of_nothing_in_the_middle_a_warning() {
        Scenario annealed = run -> {
            run.started(body -> body.setMaxSteps(1000L));
            run.learningRate(step -> step < 700 ? 1e-3 : 1e-5);
            Network network = new Network(6);
            Network.train(run, network, 14, 50, tensor -> {});
            Network.train(run, network, 6, 50, frozen(layer -> true));
        };
        assertThat(Judging.of(annealed).only(UNCHANGED_WEIGHTS).highest()).isEqualTo(Severity.info);
        Scenario broken = run -> {
            run.learningRate(step -> step < 200 ? 1e-3 : 0);
            fault().accept(run);
        };
        assertThat(Judging.of(broken).only(UNCHANGED_WEIGHTS).highest()).isEqualTo(Severity.warning);
    }

    @Test
    void updates_that_are_reported_decide() {
        Consumer<RunStream> moving = run -> Network.train(run, new Network(3), 10, 50, frozen(layer -> true));
        Judging judging = Judging.of(run -> {
            Network network = new Network(3);
            for (int i = 0; i < 10; i++) {
                List<TensorSummary> tensors = network.report(frozen(layer -> true));
                for (int layer = 0; layer < 3; layer++) {
                    tensors.add(Network.tensor(layer + ".weight", TensorKind.update, layer == 1 ? 0 : 1e-5));
                    tensors.add(Network.tensor(layer + ".bias", TensorKind.update, 1e-5));
                }
                run.steps(50).tensors(tensors);
            }
        });
        assertThat(judging.only(UNCHANGED_WEIGHTS).message())
                .contains("1 of 6 weights")
                .contains("1.weight");
        assertThat(Judging.of(moving::accept).only(UNCHANGED_WEIGHTS).message()).startsWith("all 6 weights");
    }

    @Test
    void a_ratio_that_float32_cannot_show_is_nothing() {
        Judging judging = Judging.of(run -> run.steps(100, (body, step) -> body.setUpdateToWeightRatio(1e-3))
                .steps(100, (body, step) -> body.setUpdateToWeightRatio(9e-9))
                .steps(100, (body, step) -> body.setUpdateToWeightRatio(2e-8)));
        Judging.Episode tiny = judging.only(UNCHANGED_WEIGHTS);
        assertThat(tiny.openedStep()).isEqualTo(151);
        assertThat(tiny.onsetStep()).isEqualTo(101);
        assertThat(tiny.scope()).isEqualTo("update_to_weight_ratio");
        assertThat(tiny.message()).isEqualTo("updates are 9.000e-09 of the weights since step 101: nothing is trained");
    }

    @Test
    void hostile_names_are_bounded() {
        Judging judging = Judging.of(run -> Network.hostile(run, tensor -> {}));
        assertThat(judging.encoded().length).isLessThan(200_000);
        assertThat(judging.changes())
                .allSatisfy(alert -> assertThat(alert.getMessage()).doesNotContain("\n"));
    }

    @Test
    void what_is_missing_is_said() {
        assertThat(Judging.of(run -> run.steps(100)).notChecked(UNCHANGED_WEIGHTS))
                .isEqualTo("tensor_stats.tensors of kind weight, or step_completed.update_to_weight_ratio");
    }
}
