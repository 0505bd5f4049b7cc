package io.trainwatch.monitor.detect;

import static org.assertj.core.api.Assertions.assertThat;

import io.trainwatch.alert.Severity;
import io.trainwatch.event.TensorKind;
import io.trainwatch.event.TensorSummary;
import io.trainwatch.monitor.Judging;
import io.trainwatch.monitor.RunStream.Scenario;
import java.util.Collections;
import java.util.List;
import java.util.SplittableRandom;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;

class VanishingGradientTest implements DetectorContract {
    private static final String VANISHING_GRADIENT = "vanishing_gradient";

    @Override
    public String detector() {
        return VANISHING_GRADIENT;
    }

    /** Gradients that differ by up to a hundred times from layer to layer and report to report. */
    @Override
    public Scenario healthy() {
        SplittableRandom random = new SplittableRandom(1);
        return run -> Network.train(
                run,
                new Network(12),
                40,
                20,
                gradients(tensor -> Network.resize(tensor, 1e-3 * Math.pow(10, random.nextDouble(-1, 1)))));
    }

    /** Each layer towards the input gets a fifth of the gradient. */
    @Override
    public Scenario fault() {
        return run -> Network.train(run, new Network(12), 20, 20, decaying(12, 0.2));
    }

    private static Consumer<TensorSummary> gradients(Consumer<TensorSummary> edit) {
        return Network.only(TensorKind.gradient, edit);
    }

    private static Consumer<TensorSummary> decaying(int layers, double factor) {
        return gradients(tensor -> Network.resize(tensor, 1e-3 * Math.pow(factor, layers - 1 - Network.layer(tensor))));
    }

    private static Consumer<TensorSummary> zero(int from, int to) {
        return gradients(tensor -> {
            if (Network.layer(tensor) >= from && Network.layer(tensor) < to) {
                Network.resize(tensor, 0);
            }
        });
    }

    @Test
    void the_third_report_behind_step_50_fires_though_the_total_norm_is_normal() {
        Judging.Episode vanishing = Judging.of(fault()).only(VANISHING_GRADIENT);
        assertThat(vanishing.openedStep()).isEqualTo(100);
        assertThat(vanishing.onsetStep()).isEqualTo(60);
        assertThat(vanishing.highest()).isEqualTo(Severity.warning);
        assertThat(vanishing.message())
                .isEqualTo("gradients do not reach the layers near the input since step 60: norm 3.277e-08 there"
                        + " (0.weight), 0.0128 at the output (11.weight); less than 1.000e-09 in 3 of 12 layers,"
                        + " 2.weight the last of them");
        assertThat(vanishing.first().getEvidence().get(0).getSignal()).isEqualTo("0.weight");
    }

    @Test
    void small_gradients_that_are_small_everywhere_are_a_run_that_converged() {
        Judging judging = Judging.of(
                run -> Network.train(run, new Network(12), 40, 20, gradients(tensor -> Network.resize(tensor, 1e-8))));
        assertThat(judging.episodes()).isEmpty();
    }

    @Test
    void a_large_ratio_of_large_gradients_is_no_vanishing() {
        Judging judging = Judging.of(run -> Network.train(
                run,
                new Network(4),
                40,
                20,
                gradients(tensor -> Network.resize(tensor, Network.layer(tensor) == 0 ? 1e-4 : 1))));
        assertThat(judging.episodes()).isEmpty();
    }

    @Test
    void declared_order_counts_and_not_that_of_the_report() {
        Scenario reversed = run -> {
            Network network = new Network(12);
            run.started(body -> body.setLayers(network.declared(layer -> {})));
            for (int i = 0; i < 20; i++) {
                List<TensorSummary> tensors = network.report(decaying(12, 0.2));
                Collections.reverse(tensors);
                run.steps(20).tensors(tensors);
            }
        };
        assertThat(Judging.of(reversed).only(VANISHING_GRADIENT).openedStep()).isEqualTo(100);
    }

    @Test
    void a_frozen_layer_and_an_embedding_that_were_declared_are_left_out() {
        Judging judging = Judging.of(run -> {
            Network network = new Network(6);
            run.started(body -> body.setLayers(network.declared(layer -> {
                layer.setTrainable(layer.getIndex() != 0);
                layer.setRole(layer.getIndex() == 1 ? "embedding" : "linear");
            })));
            Network.train(
                    run,
                    network,
                    20,
                    20,
                    gradients(tensor -> Network.resize(tensor, Network.layer(tensor) < 2 ? 1e-12 : 1e-3)));
        });
        assertThat(judging.episodes()).isEmpty();
    }

    @Test
    void zero_since_the_start_in_a_run_that_learns_is_frozen_else_dead() {
        Scenario learning = run -> Network.train(run, new Network(6), 40, 20, zero(0, 4));
        assertThat(Judging.of(learning).episodes(VANISHING_GRADIENT)).isEmpty();
        Scenario stuck = run -> {
            run.loss(step -> 2.3 + run.noise(0.02));
            learning.accept(run);
        };
        Judging.Episode dead = Judging.of(stuck).only(VANISHING_GRADIENT);
        assertThat(dead.highest()).isEqualTo(Severity.warning);
        assertThat(dead.message()).endsWith("less than 1.000e-09 in 4 of 6 layers, 3.weight the last of them");
    }

    @Test
    void adapters_between_layers_that_are_frozen_and_filled_with_zeros_pass_the_gradient_on() {
        // A fine-tuning that gains too little to be called learning: 0 and 1 frozen, 2 an adapter, 3 frozen, ...
        Judging judging = Judging.of(run -> {
            run.loss(step -> 2.3 + run.noise(0.02));
            Network.train(run, new Network(12), 20, 20, gradients(tensor -> {
                if (Network.layer(tensor) % 3 != 2) {
                    Network.resize(tensor, 0);
                }
            }));
        });
        assertThat(judging.episodes(VANISHING_GRADIENT)).isEmpty();
    }

    @Test
    void one_expert_without_tokens_among_many_is_quiet() {
        Judging judging = Judging.of(run -> {
            Network network = new Network(10);
            Network.train(run, network, 3, 20, tensor -> {});
            Network.train(run, network, 30, 20, zero(5, 7));
        });
        assertThat(judging.episodes()).isEmpty();
    }

    @Test
    void adapters_that_begin_at_zero_have_fifty_steps_and_the_warm_up_twice() {
        Judging early = Judging.of(run -> {
            Network network = new Network(6);
            Network.train(run, network, 49, 1, decaying(6, 1e-3));
            Network.train(run, network, 10, 20, tensor -> {});
        });
        assertThat(early.episodes()).isEmpty();
        Judging warming = Judging.of(run -> {
            run.started(body -> body.setWarmupSteps(100L));
            Network.train(run, new Network(6), 20, 20, decaying(6, 1e-3));
        });
        assertThat(warming.only(VANISHING_GRADIENT).onsetStep()).isEqualTo(200);
    }

    @Test
    void gradients_that_carry_the_loss_scale_are_unscaled() {
        // Vanished at 2^16 times their size: the absolute limit must not see the scaled ones.
        Judging judging = Judging.of(run -> {
            Network network = new Network(12);
            for (int i = 0; i < 10; i++) {
                run.steps(20, (body, step) -> body.setLossScale(65536.0));
                run.tensors(network.report(gradients(tensor ->
                        Network.resize(tensor, 65536 * 5e-3 * Math.pow(0.3, 11 - Network.layer(tensor))))));
            }
        });
        assertThat(judging.only(VANISHING_GRADIENT).openedStep()).isEqualTo(100);
    }

    @Test
    void at_the_floor_of_the_loss_it_is_info() {
        Judging judging = Judging.of(run -> {
            run.loss(step -> step < 100 ? 2.3 : 1e-5 * (1 + run.noise(0.1)));
            Network network = new Network(12);
            Network.train(run, network, 12, 20, tensor -> {});
            Network.train(run, network, 10, 20, decaying(12, 0.1));
        });
        assertThat(judging.only(VANISHING_GRADIENT).highest()).isEqualTo(Severity.info);
        assertThat(judging.only(VANISHING_GRADIENT).first().getSuppressedBy()).isEqualTo("at_floor");
    }

    @Test
    void a_total_norm_that_drops_to_zero_fires_at_the_tenth_point() {
        Judging judging = Judging.of(run ->
                run.steps(100).steps(30, (body, step) -> body.setGradNorm(0.0)).steps(20));
        Judging.Episode zero = judging.only(VANISHING_GRADIENT);
        assertThat(zero.openedStep()).isEqualTo(110);
        assertThat(zero.onsetStep()).isEqualTo(101);
        assertThat(zero.scope()).isEqualTo("grad_norm");
        assertThat(zero.last().getResolvedStep()).isEqualTo(133);
    }

    @Test
    void a_norm_that_nobody_fills_in_is_no_norm() {
        assertThat(Judging.of(run -> run.gradNorm(step -> 0).steps(300)).episodes())
                .isEmpty();
    }

    @Test
    void hostile_names_and_numbers_harm_nothing() {
        Judging judging = Judging.of(run -> Network.hostile(run, tensor -> {}));
        assertThat(judging.encoded().length).isLessThan(200_000);
    }

    @Test
    void what_is_missing_is_said() {
        assertThat(Judging.of(run -> run.steps(100)).notChecked(VANISHING_GRADIENT))
                .isEqualTo("tensor_stats.tensors of kind gradient");
        assertThat(Judging.of(run -> run.steps(10).tensors(new Network(3).report()))
                        .notChecked(VANISHING_GRADIENT))
                .isEqualTo("tensor_stats of two weight matrices that train, behind step 50 and twice the warm-up");
    }
}
