package io.trainwatch.monitor.detect;

import static org.assertj.core.api.Assertions.assertThat;

import io.trainwatch.alert.Severity;
import io.trainwatch.event.TensorKind;
import io.trainwatch.event.TensorSummary;
import io.trainwatch.monitor.Judging;
import io.trainwatch.monitor.RunStream.Scenario;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class AbnormalWeightsTest implements DetectorContract {
    private static final String ABNORMAL_WEIGHTS = "abnormal_weights";

    @Override
    public String detector() {
        return ABNORMAL_WEIGHTS;
    }

    /** The widest scales that healthy networks had, 0.11 to 1.42, among them a norm, a bias and an adapter at 0. */
    @Override
    public Scenario healthy() {
        return run -> {
            Network network = new Network(8);
            Network.train(run, network, 40, 5, weights(tensor -> {
                double scale = Network.layer(tensor) % 2 == 0 ? 0.11 : 1.42;
                Network.resize(tensor, scale / Math.sqrt((double) Network.UNITS) * (1 + run.step() * 1e-6));
                if (tensor.getName().equals("3.weight")) {
                    norm(tensor, 1);
                } else if (tensor.getName().equals("5.weight") && run.step() < 10) {
                    norm(tensor, 0);
                    tensor.setCount(Network.UNITS * Network.UNITS);
                }
            }));
        };
    }

    private static void norm(TensorSummary tensor, double value) {
        tensor.setCount(Network.UNITS);
        tensor.setMean(value);
        tensor.setStd(0.0);
        tensor.setAbsMean(value);
        tensor.setAbsMax(value);
        tensor.setL2Norm(value * 8);
    }

    /** Weights ten times too large for their inputs, and a loss far above ln 10. */
    @Override
    public Scenario fault() {
        return run -> {
            run.started(body -> body.setNumClasses(10));
            run.loss(step -> 300 - step / 10.0 + run.noise(1));
            Network.train(run, new Network(4), 40, 5, large(2));
        };
    }

    private static Consumer<TensorSummary> weights(Consumer<TensorSummary> edit) {
        return Network.only(TensorKind.weight, edit);
    }

    private static Consumer<TensorSummary> large(int layer) {
        return weights(tensor -> {
            if (tensor.getName().equals(layer + ".weight")) {
                Network.resize(tensor, 1.8);
            }
        });
    }

    @Test
    void out_of_scale_with_a_loss_far_above_chance_is_a_warning_at_the_first_report() {
        Judging.Episode abnormal = Judging.of(fault()).only(ABNORMAL_WEIGHTS);
        assertThat(abnormal.stepOf(Severity.warning)).isEqualTo(5);
        assertThat(abnormal.onsetStep()).isEqualTo(1);
        assertThat(Judging.of(fault()).changes(ABNORMAL_WEIGHTS).get(1).getMessage())
                .matches("1 of 4 weight matrices began out of scale: 2\\.weight std 1\\.8, 14\\.4 by the root of its"
                        + " inputs; the loss began at (299|30\\d)[.\\d]*, chance is 2\\.303");
    }

    @Test
    void out_of_scale_alone_is_info_and_ends_after_500_steps() {
        Judging judging = Judging.of(run -> Network.train(run, new Network(4), 120, 5, large(2)));
        Judging.Episode abnormal = judging.only(ABNORMAL_WEIGHTS);
        assertThat(abnormal.highest()).isEqualTo(Severity.info);
        assertThat(abnormal.openedStep()).isEqualTo(5);
        assertThat(abnormal.last().getResolvedStep()).isEqualTo(503);
    }

    @ParameterizedTest
    @ValueSource(doubles = {0.019, 4.1})
    void the_scale_is_that_of_the_declared_inputs(double scale) {
        Scenario wide = run -> {
            Network network = new Network(4);
            run.started(body -> body.setLayers(network.declared(layer -> layer.setFanIn(10_000))));
            Network.train(run, network, 5, 5, weights(tensor -> {
                if (tensor.getName().equals("1.weight")) {
                    Network.resize(tensor, scale / 100);
                } else {
                    Network.resize(tensor, 0.006 * (1 + run.step() * 1e-6));
                }
            }));
        };
        assertThat(Judging.of(wide).only(ABNORMAL_WEIGHTS).message())
                .startsWith("1 of 4 weight matrices began out of scale: 1.weight");
    }

    @Test
    void an_alarm_that_nothing_is_learned_makes_it_a_warning() {
        Judging judging = Judging.of(run -> {
            run.started(body -> body.setMaxSteps(1000L));
            run.loss(step -> 2.3 + run.noise(0.02));
            Network.train(run, new Network(4), 60, 5, large(2));
        });
        assertThat(judging.only("not_learning").openedStep()).isEqualTo(250);
        assertThat(judging.only(ABNORMAL_WEIGHTS).stepOf(Severity.warning)).isEqualTo(250);
    }

    @Test
    void a_matrix_that_is_constant_is_a_warning_by_itself() {
        Judging judging = Judging.of(run -> Network.train(run, new Network(4), 3, 1, weights(tensor -> {
            if (tensor.getName().equals("1.weight")) {
                norm(tensor, 0.01);
                tensor.setCount(Network.UNITS * Network.UNITS);
            }
        })));
        Judging.Episode constant = judging.only(ABNORMAL_WEIGHTS);
        assertThat(constant.openedStep()).isEqualTo(1);
        assertThat(constant.highest()).isEqualTo(Severity.warning);
        assertThat(constant.message()).startsWith("1 of 4 weight matrices began constant: 1.weight std 0");
    }

    @Test
    void all_matrices_at_zero_are_a_warning() {
        Judging judging = Judging.of(
                run -> Network.train(run, new Network(4), 3, 1, weights(tensor -> Network.resize(tensor, 0))));
        assertThat(judging.only(ABNORMAL_WEIGHTS).highest()).isEqualTo(Severity.warning);
    }

    @Test
    void a_loss_far_above_chance_alone_is_info() {
        Judging judging = Judging.of(run -> {
            run.started(body -> body.setNumClasses(10));
            run.loss(step -> 9 / Math.sqrt((double) step)).steps(600);
        });
        assertThat(judging.only(ABNORMAL_WEIGHTS).highest()).isEqualTo(Severity.info);
        assertThat(judging.only(ABNORMAL_WEIGHTS).last().getResolvedStep()).isEqualTo(503);
        assertThat(Judging.of(run -> {
                            run.started(body -> body.setNumClasses(50_257));
                            run.loss(step -> 10.8 + 11.8 / step).steps(40);
                        })
                        .episodes(ABNORMAL_WEIGHTS))
                .isEmpty();
    }

    @Test
    void weights_that_a_rate_blew_up_within_three_steps_began_well() {
        Judging judging = Judging.of(run -> {
            Network network = new Network(4);
            Network.train(run, network, 2, 1, tensor -> {});
            Network.train(run, network, 50, 1, large(1));
        });
        assertThat(judging.episodes(ABNORMAL_WEIGHTS)).isEmpty();
    }

    @Test
    void weights_that_grow_later_are_no_initialisation() {
        Judging judging = Judging.of(run -> {
            Network network = new Network(4);
            Network.train(run, network, 10, 10, tensor -> {});
            Network.train(run, network, 100, 10, large(1));
        });
        assertThat(judging.episodes(ABNORMAL_WEIGHTS)).isEmpty();
    }

    @Test
    void weights_that_are_first_seen_after_a_blow_up_are_info() {
        Judging judging = Judging.of(run -> {
            run.started(body -> body.setNumClasses(10));
            run.loss(step -> step < 3 ? 2.3 : 500 + run.noise(1)).steps(99);
            Network.train(run, new Network(4), 20, 1, large(2));
        });
        assertThat(judging.alarms("loss_divergence")).hasSize(1);
        assertThat(judging.only(ABNORMAL_WEIGHTS).highest()).isEqualTo(Severity.info);
        assertThat(judging.only(ABNORMAL_WEIGHTS).first().getSuppressedBy()).isEqualTo("blew_up_before");
    }

    @Test
    void hostile_names_are_bounded() {
        Judging judging = Judging.of(run -> Network.hostile(run, weights(tensor -> tensor.setAbsMax(100.0))));
        assertThat(judging.changes(ABNORMAL_WEIGHTS))
                .isNotEmpty()
                .allSatisfy(alert -> assertThat(alert.getMessage()).doesNotContain("\n"));
        assertThat(judging.encoded().length).isLessThan(200_000);
    }

    @Test
    void what_is_missing_is_said() {
        assertThat(Judging.of(run -> run.steps(100)).notChecked(ABNORMAL_WEIGHTS))
                .isEqualTo("tensor_stats.tensors of kind weight");
        assertThat(Judging.of(run -> run.steps(600).tensors(new Network(2).report()))
                        .notChecked(ABNORMAL_WEIGHTS))
                .isEqualTo("tensor_stats of weight matrices within the first 500 steps");
    }

    @Test
    void weights_are_known_by_the_names_of_haiku_too() {
        Judging judging = Judging.of(run -> {
            run.started(body -> body.setNumClasses(10));
            run.loss(step -> 300 - step / 10.0 + run.noise(1));
            Network.train(run, new Network(4), 40, 5, tensor -> {
                large(2).accept(tensor);
                tensor.setName(tensor.getName().replace(".weight", "/w").replace(".bias", "/b"));
            });
        });
        assertThat(judging.changes(ABNORMAL_WEIGHTS).get(1).getMessage())
                .contains("2/w std 1.8, 14.4 by the root of its inputs");
    }
}
