package io.trainwatch.monitor.detect;

import static org.assertj.core.api.Assertions.assertThat;

import io.trainwatch.alert.Severity;
import io.trainwatch.event.TensorKind;
import io.trainwatch.event.TensorStats;
import io.trainwatch.event.TensorSummary;
import io.trainwatch.monitor.Judging;
import io.trainwatch.monitor.RunStream.Scenario;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class NonFiniteLossTest implements DetectorContract {
    private static final String NON_FINITE_LOSS = "non_finite_loss";

    @Override
    public String detector() {
        return NON_FINITE_LOSS;
    }

    @Override
    public Scenario healthy() {
        return run -> run.steps(300);
    }

    @Override
    public Scenario fault() {
        return run -> run.steps(200)
                .checkpointSaved("c/200")
                .steps(50)
                .loss(step -> Double.NaN)
                .steps(150);
    }

    @ParameterizedTest
    @ValueSource(doubles = {Double.NaN, Double.POSITIVE_INFINITY, Double.NEGATIVE_INFINITY})
    void the_step_itself_is_critical(double loss) {
        Judging.Episode episode =
                Judging.of(run -> run.steps(250).step(loss).steps(300)).only(NON_FINITE_LOSS);
        assertThat(episode.openedStep()).isEqualTo(251);
        assertThat(episode.onsetStep()).isEqualTo(251);
        assertThat(episode.first().getSeverity()).isEqualTo(Severity.critical);
        assertThat(episode.message()).isEqualTo("loss is " + loss + " since step 251");
        assertThat(episode.last().getResolvedStep()).isEqualTo(251 + 128);
    }

    @Test
    void the_first_step_can_be_it() {
        assertThat(Judging.of(run -> run.step(Double.NaN)).only(NON_FINITE_LOSS).openedStep())
                .isEqualTo(1);
    }

    @Test
    void the_last_checkpoint_before_it_is_named_and_what_was_usual() {
        Judging.Episode episode = Judging.of(fault()).only(NON_FINITE_LOSS);
        assertThat(episode.message()).isEqualTo("loss is NaN since step 251; last checkpoint before it: step 200");
        assertThat(episode.first().getEvidence().get(0).getBaseline()).isBetween(1.8, 2.2);
    }

    @Test
    void it_is_told_again_at_the_32nd_64th_and_128th_step() {
        assertThat(Judging.of(fault()).only(NON_FINITE_LOSS).changes())
                .extracting("lastStep")
                .containsExactly(251L, 251L + 31, 251L + 63, 251L + 127);
    }

    @Test
    void a_filtered_loss_of_zero_beside_a_gradient_of_nan_is_a_nan() {
        Judging.Episode episode = Judging.of(run -> run.steps(100).steps(1, (body, step) -> {
                    body.setLoss(0.0);
                    body.setGradNorm(Double.NaN);
                }))
                .only(NON_FINITE_LOSS);
        assertThat(episode.message())
                .isEqualTo(
                        "loss is exactly 0 while the gradient norm is NaN (the trainer filters non-finite losses) since"
                                + " step 101");
    }

    @Test
    void a_component_is_named() {
        assertThat(Judging.of(run -> run.steps(1, (body, step) -> body.setLosses(Map.of("box", Double.NaN))))
                        .only(NON_FINITE_LOSS)
                        .message())
                .isEqualTo("loss component box is NaN since step 1");
    }

    @Test
    void counted_values_are_wrong_unless_the_step_was_skipped() {
        assertThat(Judging.of(run -> run.steps(1, (body, step) -> body.setNonfiniteCount(3L)))
                        .only(NON_FINITE_LOSS)
                        .message())
                .isEqualTo("3 non-finite values in loss, weights or activations since step 1");
        assertThat(Judging.of(run -> run.steps(1, (body, step) -> {
                            body.setNonfiniteCount(3L);
                            body.setOptimizerStepSkipped(true);
                        }))
                        .episodes())
                .isEmpty();
    }

    @Test
    void weights_are_critical_gradients_are_not_its_business() {
        assertThat(Judging.of(run -> run.steps(5).says(5L, tensors(TensorKind.weight)))
                        .only(NON_FINITE_LOSS)
                        .message())
                .isEqualTo("7 non-finite values in weight blocks.3 at step 5: the weights do not recover");
        assertThat(Judging.of(run -> run.steps(5).says(5L, tensors(TensorKind.gradient)))
                        .episodes())
                .isEmpty();
    }

    private static TensorStats tensors(TensorKind kind) {
        TensorSummary tensor = new TensorSummary();
        tensor.setName("blocks.3");
        tensor.setKind(kind);
        tensor.setNonfiniteCount(7L);
        TensorStats stats = new TensorStats();
        stats.setTensors(List.of(tensor));
        return stats;
    }

    @Test
    void an_evaluation_is_a_warning_in_its_own_scope_and_explains_no_training_loss() {
        Judging judging = Judging.of(run -> run.steps(200)
                .evaluation(Double.NaN)
                .steps(2, (body, step) -> body.setLoss(4.0))
                .steps(5));
        Judging.Episode evaluation = judging.only(NON_FINITE_LOSS);
        assertThat(evaluation.scope()).isEqualTo("val");
        assertThat(evaluation.highest()).isEqualTo(Severity.warning);
        assertThat(evaluation.message()).isEqualTo("evaluation loss on val is NaN since step 200");
        assertThat(judging.only("loss_spike").highest()).isEqualTo(Severity.warning);
    }

    @Test
    void without_a_loss_it_says_what_is_missing() {
        assertThat(Judging.of(run -> run.heartbeat("init")).notChecked(NON_FINITE_LOSS))
                .isEqualTo("step_completed.loss");
    }
}
