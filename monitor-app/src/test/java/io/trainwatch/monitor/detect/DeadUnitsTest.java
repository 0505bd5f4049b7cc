package io.trainwatch.monitor.detect;

import static org.assertj.core.api.Assertions.assertThat;

import io.trainwatch.alert.Severity;
import io.trainwatch.event.TensorKind;
import io.trainwatch.event.TensorSummary;
import io.trainwatch.monitor.Judging;
import io.trainwatch.monitor.RunStream.Scenario;
import java.util.SplittableRandom;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;

class DeadUnitsTest implements DetectorContract {
    private static final String DEAD_UNITS = "dead_units";

    @Override
    public String detector() {
        return DEAD_UNITS;
    }

    /** As many silent units as healthy ReLU layers ever showed, 0 to 31 %. */
    @Override
    public Scenario healthy() {
        SplittableRandom random = new SplittableRandom(1);
        return run -> Network.train(
                run,
                new Network(10),
                30,
                50,
                activations(tensor -> tensor.setDeadUnitFraction(random.nextDouble(0.31))));
    }

    /** From the fifth report on layer 4 loses 60 % of its units, from the sixth on layer 2 loses 70 %. */
    @Override
    public Scenario fault() {
        return run -> {
            Network network = new Network(10);
            Network.train(run, network, 4, 50, tensor -> {});
            Network.train(run, network, 1, 50, dead(4, 0.6));
            Network.train(run, network, 10, 50, dead(4, 0.6).andThen(dead(2, 0.7)));
        };
    }

    private static Consumer<TensorSummary> activations(Consumer<TensorSummary> edit) {
        return Network.only(TensorKind.activation, edit);
    }

    private static Consumer<TensorSummary> dead(int layer, double share) {
        return activations(tensor -> {
            if (Network.layer(tensor) == layer) {
                tensor.setDeadUnitFraction(share);
            }
        });
    }

    private static Scenario allDead(double share, Consumer<TensorSummary> edit) {
        return run -> Network.train(
                run,
                new Network(4),
                5,
                50,
                activations(tensor -> tensor.setDeadUnitFraction(share)).andThen(edit));
    }

    @Test
    void the_third_report_in_a_row_fires_and_the_layer_that_moved_first_is_named() {
        Judging.Episode dead = Judging.of(fault()).only(DEAD_UNITS);
        assertThat(dead.openedStep()).isEqualTo(350);
        assertThat(dead.onsetStep()).isEqualTo(250);
        assertThat(dead.highest()).isEqualTo(Severity.warning);
        assertThat(dead.message())
                .isEqualTo(
                        "1 of 10 layers have too many dead units since step 250: first relu4 (60 %), worst relu4 (60 %)");
        Judging longer = Judging.of(run -> {
            fault().accept(run);
            Network.train(run, new Network(10), 40, 50, dead(4, 0.6).andThen(dead(2, 0.7)));
        });
        assertThat(longer.only(DEAD_UNITS).last().getMessage())
                .isEqualTo(
                        "2 of 10 layers have too many dead units since step 250: first relu4 (60 %), worst relu2 (70 %)");
    }

    @Test
    void two_reports_are_not_enough_and_half_of_the_units_neither() {
        Judging judging = Judging.of(run -> {
            Network network = new Network(4);
            for (int i = 0; i < 10; i++) {
                Network.train(run, network, 2, 50, dead(1, 0.99));
                Network.train(run, network, 1, 50, dead(1, 0.5));
            }
        });
        assertThat(judging.episodes()).isEmpty();
    }

    @Test
    void three_reports_of_one_step_are_one() {
        Judging judging = Judging.of(run -> {
            Network network = new Network(4);
            run.steps(50);
            for (int i = 0; i < 5; i++) {
                run.tensors(network.report(dead(1, 1)));
            }
        });
        assertThat(judging.episodes(DEAD_UNITS)).isEmpty();
    }

    @Test
    void a_network_that_is_dead_throughout_is_critical() {
        assertThat(Judging.of(allDead(1, tensor -> {})).only(DEAD_UNITS).highest())
                .isEqualTo(Severity.critical);
        assertThat(Judging.of(allDead(0.51, tensor -> {})).only(DEAD_UNITS).highest())
                .isEqualTo(Severity.warning);
    }

    @Test
    void in_a_few_samples_a_seldom_unit_looks_dead() {
        Scenario few = run -> {
            run.started(body -> body.setGlobalBatchSize(16L));
            allDead(0.7, tensor -> {}).accept(run);
        };
        assertThat(Judging.of(few).episodes(DEAD_UNITS)).isEmpty();
        Scenario fewInManyBatches = run -> {
            run.started(body -> body.setGlobalBatchSize(16L));
            allDead(0.7, tensor -> tensor.setDeadWindowBatches(10)).accept(run);
        };
        assertThat(Judging.of(fewInManyBatches).only(DEAD_UNITS).highest()).isEqualTo(Severity.warning);
    }

    @Test
    void zeros_among_the_elements_are_normal() {
        Judging judging = Judging.of(
                run -> Network.train(run, new Network(4), 20, 50, activations(tensor -> tensor.setZeroFraction(0.79))));
        assertThat(judging.episodes()).isEmpty();
    }

    @Test
    void three_healthy_reports_resolve_it() {
        Judging judging = Judging.of(run -> {
            Network network = new Network(4);
            Network.train(run, network, 4, 50, dead(1, 0.8));
            Network.train(run, network, 5, 50, tensor -> {});
        });
        assertThat(judging.only(DEAD_UNITS).last().getResolvedStep()).isEqualTo(350);
    }

    @Test
    void units_that_died_of_a_divergence_are_info() {
        Judging judging = Judging.of(run -> {
            Network network = new Network(4);
            Network.train(run, network, 4, 50, tensor -> {});
            run.loss(step -> 300).steps(20);
            Network.train(run, network, 5, 50, dead(1, 1).andThen(dead(2, 1)));
        });
        assertThat(judging.only("loss_divergence").highest()).isEqualTo(Severity.critical);
        assertThat(judging.only(DEAD_UNITS).highest()).isEqualTo(Severity.info);
        assertThat(judging.only(DEAD_UNITS).first().getSuppressedBy()).isEqualTo("loss_divergence");
    }

    @Test
    void hostile_names_are_bounded_and_counted() {
        Judging judging =
                Judging.of(run -> Network.hostile(run, activations(tensor -> tensor.setDeadUnitFraction(1.0))));
        assertThat(judging.only(DEAD_UNITS).first().getMessage())
                .contains("that are not followed")
                .doesNotContain("\n");
        assertThat(judging.encoded().length).isLessThan(200_000);
    }

    @Test
    void what_is_missing_is_said() {
        assertThat(Judging.of(run -> run.steps(100)).notChecked(DEAD_UNITS))
                .isEqualTo("tensor_stats.tensors.dead_unit_fraction of activations");
    }
}
