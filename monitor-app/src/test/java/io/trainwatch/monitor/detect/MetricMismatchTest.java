package io.trainwatch.monitor.detect;

import static org.assertj.core.api.Assertions.assertThat;

import io.trainwatch.alert.Severity;
import io.trainwatch.event.MetricDeclaration;
import io.trainwatch.monitor.Judging;
import io.trainwatch.monitor.RunStream;
import io.trainwatch.monitor.RunStream.Scenario;
import java.util.List;
import java.util.Map;
import java.util.function.IntToDoubleFunction;
import org.junit.jupiter.api.Test;

class MetricMismatchTest implements DetectorContract {
    private static final String METRIC_MISMATCH = "metric_mismatch";

    @Override
    public String detector() {
        return METRIC_MISMATCH;
    }

    @Override
    public Scenario healthy() {
        return run -> evaluated(run, 30, i -> 0.9 - 0.6 * Math.exp(-i / 10.0), i -> 3 - 0.08 * i);
    }

    /** The loss falls all the time, the accuracy rises to 0.5 and then creeps down. */
    @Override
    public Scenario fault() {
        return run -> evaluated(run, 20, i -> i <= 8 ? 0.1 + 0.05 * i : 0.58 - 0.01 * i, i -> 3 - 0.1 * i);
    }

    private static void evaluated(
            RunStream run, int evaluations, IntToDoubleFunction accuracy, IntToDoubleFunction loss) {
        for (int i = 1; i <= evaluations; i++) {
            run.steps(100)
                    .evaluation(
                            Map.of("accuracy", accuracy.applyAsDouble(i), "loss", loss.applyAsDouble(i)),
                            body -> body.setNumSamples(20_000L));
        }
    }

    @Test
    void a_metric_that_is_worse_than_five_evaluations_ago_three_times_in_a_row_is_a_warning() {
        Judging.Episode mismatch = Judging.of(fault()).only(METRIC_MISMATCH);
        assertThat(mismatch.scope()).isEqualTo("val");
        // The eighth is the best: at the thirteenth 11, 12 and 13 are 0.03, 0.04 and 0.05 worse.
        assertThat(mismatch.openedStep()).isEqualTo(1300);
        assertThat(mismatch.onsetStep()).isEqualTo(800);
        assertThat(mismatch.highest()).isEqualTo(Severity.warning);
        assertThat(mismatch.last().getMessage())
                .matches(
                        "val/accuracy got worse, 0\\.\\d+ -> 0\\.\\d+, while the loss improved, [\\d.]+ -> [\\d.]+, over 5"
                                + " evaluations since step \\d+");
    }

    @Test
    void a_metric_that_never_moved_is_info_and_one_that_improved_and_stays_is_health() {
        assertThat(Judging.of(run -> evaluated(run, 20, i -> 0.2, i -> 3 - 0.1 * i))
                        .only(METRIC_MISMATCH)
                        .highest())
                .isEqualTo(Severity.info);
        assertThat(Judging.of(run -> evaluated(run, 20, i -> Math.min(0.6, 0.2 * i), i -> 3 - 0.1 * i))
                        .episodes())
                .isEmpty();
    }

    @Test
    void a_single_dip_is_no_warning() {
        assertThat(Judging.of(run -> evaluated(run, 20, i -> i == 12 ? 0.1 : 0.2 + 0.01 * i, i -> 3 - 0.1 * i))
                        .alarms())
                .isEmpty();
    }

    @Test
    void an_accuracy_above_half_has_little_to_gain() {
        assertThat(Judging.of(run -> evaluated(run, 20, i -> 0.7, i -> 3 - 0.1 * i))
                        .episodes())
                .isEmpty();
    }

    @Test
    void a_loss_that_does_not_improve_is_not_the_metrics_fault() {
        assertThat(Judging.of(run -> evaluated(run, 20, i -> 0.6, i -> 2 + run.noise(0.01)))
                        .episodes(METRIC_MISMATCH))
                .isEmpty();
    }

    @Test
    void the_declared_primary_metric_is_the_one() {
        Judging judging = Judging.of(run -> {
            run.started(body -> {
                MetricDeclaration quality = new MetricDeclaration();
                quality.setName("quality");
                quality.setMode("max");
                quality.setPrimary(true);
                body.setMetrics(List.of(quality));
            });
            for (int i = 1; i <= 12; i++) {
                run.steps(100)
                        .evaluation(
                                Map.of("accuracy", 0.3 + 0.03 * i, "quality", 5 - 0.2 * i, "loss", 3 - 0.1 * i),
                                body -> {
                                    body.setNumSamples(20_000L);
                                    body.setMetricStdError(Map.of("quality", 0.05));
                                });
            }
        });
        assertThat(judging.only(METRIC_MISMATCH).message()).startsWith("val/quality got worse, 4.8 -> 3.8");
        assertThat(judging.only(METRIC_MISMATCH).first().getSuppressedBy()).isEqualTo("metric_drift");
    }

    @Test
    void losses_that_need_not_fall_are_not_read() {
        Judging judging = Judging.of(run -> {
            run.started(body -> body.setTask("gan"));
            fault().accept(run);
        });
        assertThat(judging.episodes(METRIC_MISMATCH)).isEmpty();
        assertThat(judging.notChecked(METRIC_MISMATCH)).isEqualTo("a loss that has to fall");
    }

    @Test
    void hostile_metrics_harm_nothing() {
        Judging judging = Judging.of(run -> {
            for (int i = 0; i < 200; i++) {
                String name = "accuracy" + "\n".repeat(i);
                run.steps(1).evaluation(Map.of(name, 1e308 * (i % 3 - 1), "loss", -1e308 * (i % 2)), body -> {
                    body.setDataset(name);
                    body.setMetricStdError(Map.of(name, 0.0));
                });
            }
        });
        assertThat(judging.encoded().length).isLessThan(300_000);
    }

    @Test
    void what_is_missing_is_said() {
        assertThat(Judging.of(run -> run.steps(5)).notChecked(METRIC_MISMATCH))
                .isEqualTo("evaluation_completed.metrics of known direction, with num_samples or metric_std_error");
        assertThat(Judging.of(run -> evaluated(run, 5, i -> 0.5, i -> 3)).notChecked(METRIC_MISMATCH))
                .isEqualTo("6 evaluations");
    }
}
