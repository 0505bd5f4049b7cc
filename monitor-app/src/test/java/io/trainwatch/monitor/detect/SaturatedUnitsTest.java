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

class SaturatedUnitsTest implements DetectorContract {
    private static final String SATURATED_UNITS = "saturated_units";

    @Override
    public String detector() {
        return SATURATED_UNITS;
    }

    /** As saturated as healthy sigmoid layers ever were, 0 to 50 %. */
    @Override
    public Scenario healthy() {
        SplittableRandom random = new SplittableRandom(1);
        return run -> Network.train(
                run,
                new Network(6),
                30,
                50,
                activations(tensor -> tensor.setSaturatedFraction(random.nextDouble(0.5))));
    }

    @Override
    public Scenario fault() {
        return run -> {
            Network network = new Network(6);
            Network.train(run, network, 4, 50, tensor -> {});
            Network.train(run, network, 6, 50, saturated(1, 0.95));
        };
    }

    private static Consumer<TensorSummary> activations(Consumer<TensorSummary> edit) {
        return Network.only(TensorKind.activation, edit);
    }

    private static Consumer<TensorSummary> saturated(int layer, double share) {
        return activations(tensor -> {
            if (Network.layer(tensor) == layer) {
                tensor.setSaturatedFraction(share);
            }
        });
    }

    @Test
    void the_third_report_in_a_row_fires() {
        Judging.Episode saturated = Judging.of(fault()).only(SATURATED_UNITS);
        assertThat(saturated.openedStep()).isEqualTo(350);
        assertThat(saturated.onsetStep()).isEqualTo(250);
        assertThat(saturated.highest()).isEqualTo(Severity.warning);
        assertThat(saturated.message())
                .isEqualTo("1 of 6 layers have too many saturated units since step 250: first relu1 (95 %), worst relu1"
                        + " (95 %)");
    }

    @Test
    void at_the_limit_it_is_quiet() {
        assertThat(Judging.of(run -> Network.train(run, new Network(6), 20, 50, saturated(1, 0.7)))
                        .episodes())
                .isEmpty();
    }

    @Test
    void the_last_layer_alone_may_be_the_output_and_is_info() {
        Judging judging = Judging.of(run -> Network.train(run, new Network(6), 10, 50, saturated(5, 0.95)));
        assertThat(judging.only(SATURATED_UNITS).highest()).isEqualTo(Severity.info);
        assertThat(judging.only(SATURATED_UNITS).first().getSuppressedBy()).isEqualTo("may_be_output");
    }

    @Test
    void a_declared_output_is_left_out() {
        Judging judging = Judging.of(run -> {
            run.started(body -> body.setLayers(new Network(6).declared(layer -> {
                layer.setName("relu" + layer.getName());
                layer.setRole(layer.getIndex() == 5 ? "output" : "linear");
            })));
            Network.train(run, new Network(6), 10, 50, saturated(5, 0.95));
        });
        assertThat(judging.episodes()).isEmpty();
    }

    @Test
    void hostile_names_are_bounded() {
        Judging judging =
                Judging.of(run -> Network.hostile(run, activations(tensor -> tensor.setSaturatedFraction(1.0))));
        assertThat(judging.only(SATURATED_UNITS).message()).doesNotContain("\n");
        assertThat(judging.encoded().length).isLessThan(200_000);
    }

    @Test
    void what_is_missing_is_said() {
        assertThat(Judging.of(run -> run.steps(100)).notChecked(SATURATED_UNITS))
                .isEqualTo("tensor_stats.tensors.saturated_fraction of activations");
    }
}
