package io.trainwatch.monitor.detect;

import static org.assertj.core.api.Assertions.assertThat;

import io.trainwatch.alert.Severity;
import io.trainwatch.monitor.Judging;
import io.trainwatch.monitor.RunStream;
import io.trainwatch.monitor.RunStream.Scenario;
import java.util.Map;
import java.util.Random;
import java.util.function.IntToDoubleFunction;
import org.junit.jupiter.api.Test;

class TrainValDivergenceTest implements DetectorContract {
    private static final String TRAIN_VAL_DIVERGENCE = "train_val_divergence";

    @Override
    public String detector() {
        return TRAIN_VAL_DIVERGENCE;
    }

    @Override
    public Scenario healthy() {
        return run -> evaluated(run, 30, i -> 1.6 + 3 * Math.pow(100 * i + 10.0, -0.35) + run.noise(0.01));
    }

    /** Down to 1.4 at the sixth evaluation, then up by 0.1 at each. */
    @Override
    public Scenario fault() {
        return run -> evaluated(run, 12, i -> 1.4 + 0.1 * Math.abs(i - 6));
    }

    private static void evaluated(RunStream run, int evaluations, IntToDoubleFunction loss) {
        for (int i = 1; i <= evaluations; i++) {
            run.steps(100).evaluation(loss.applyAsDouble(i));
        }
    }

    @Test
    void the_third_rise_of_the_strips_fires_and_the_onset_is_the_minimum() {
        Judging.Episode overfit = Judging.of(fault()).only(TRAIN_VAL_DIVERGENCE);
        assertThat(overfit.scope()).isEqualTo("val");
        assertThat(overfit.openedStep()).isEqualTo(900);
        assertThat(overfit.onsetStep()).isEqualTo(600);
        assertThat(overfit.highest()).isEqualTo(Severity.warning);
        assertThat(overfit.message())
                .matches(
                        "val loss rose from 1\\.4\\d* at step \\d+ to 1\\.\\d+ \\([\\d.]+ % worse\\) while the training loss went from 1\\.\\d+ to 1\\.\\d+");
    }

    @Test
    void noise_of_two_percent_between_evaluations_is_no_turn() {
        int alarmed = 0;
        for (int seed = 0; seed < 200; seed++) {
            Random random = new Random(seed);
            Judging judging = Judging.of(run -> {
                for (int i = 1; i <= 40; i++) {
                    run.steps(2).evaluation((1.6 + Math.pow(i, -0.35)) * (1 + 0.02 * random.nextGaussian()));
                }
            });
            alarmed += judging.alarms(TRAIN_VAL_DIVERGENCE).size();
        }
        assertThat(alarmed).isLessThanOrEqualTo(3);
    }

    @Test
    void noise_of_six_percent_about_a_floor_that_was_reached_at_once_is_no_turn() {
        int alarmed = 0;
        for (int seed = 0; seed < 200; seed++) {
            Random random = new Random(seed);
            Judging judging = Judging.of(run -> {
                for (int i = 1; i <= 40; i++) {
                    run.steps(2).evaluation((i == 1 ? 0.5 : 0.1) * (1 + 0.06 * random.nextGaussian()));
                }
            });
            alarmed += judging.alarms(TRAIN_VAL_DIVERGENCE).size();
        }
        assertThat(alarmed).isLessThanOrEqualTo(4);
    }

    @Test
    void a_turn_is_found_through_noise_of_six_percent_once_it_stands_out() {
        Random random = new Random(3);
        Judging judging = Judging.of(run -> {
            for (int i = 1; i <= 40; i++) {
                run.steps(10).evaluation((1 + 0.03 * Math.abs(i - 12)) * (1 + 0.06 * random.nextGaussian()));
            }
        });
        assertThat(judging.only(TRAIN_VAL_DIVERGENCE).openedStep()).isBetween(150L, 300L);
    }

    @Test
    void a_training_loss_that_rises_too_is_no_overfitting() {
        Judging judging = Judging.of(run -> {
            run.loss(step -> 2 + step / 1000.0);
            fault().accept(run);
        });
        assertThat(judging.episodes(TRAIN_VAL_DIVERGENCE)).isEmpty();
    }

    @Test
    void a_gap_that_stays_is_no_evidence() {
        assertThat(Judging.of(run -> evaluated(run, 30, i -> 4 + 3 * Math.pow(100 * i, -0.35)))
                        .episodes())
                .isEmpty();
    }

    @Test
    void a_loss_that_goes_below_zero_is_judged_by_its_progress() {
        Judging judging = Judging.of(run -> evaluated(run, 14, i -> -3 + 0.5 * Math.abs(i - 6)));
        assertThat(judging.only(TRAIN_VAL_DIVERGENCE).highest()).isEqualTo(Severity.warning);
    }

    @Test
    void an_accuracy_that_falls_by_two_standard_errors_makes_it_critical() {
        Judging.Episode overfit = Judging.of(run ->
                        withAccuracy(run, i -> i <= 6 ? 0.8 : 0.8 - 0.02 * (i - 6), 10_000L))
                .only(TRAIN_VAL_DIVERGENCE);
        assertThat(overfit.highest()).isEqualTo(Severity.critical);
        assertThat(overfit.last().getMessage()).matches(".*; accuracy fell from 0\\.8 to 0\\.\\d+");
    }

    @Test
    void an_accuracy_that_holds_is_over_confidence() {
        Judging.Episode overfit =
                Judging.of(run -> withAccuracy(run, i -> 0.8, 10_000L)).only(TRAIN_VAL_DIVERGENCE);
        assertThat(overfit.highest()).isEqualTo(Severity.warning);
        assertThat(overfit.message()).endsWith("; accuracy holds at 0.8: over-confidence");
    }

    @Test
    void without_the_number_of_samples_nothing_is_critical() {
        assertThat(Judging.of(run -> withAccuracy(run, i -> i <= 6 ? 0.8 : 0.2, null))
                        .only(TRAIN_VAL_DIVERGENCE)
                        .highest())
                .isEqualTo(Severity.warning);
    }

    private static void withAccuracy(RunStream run, IntToDoubleFunction accuracy, Long samples) {
        for (int i = 1; i <= 12; i++) {
            run.steps(100)
                    .evaluation(
                            Map.of("loss", 1.4 + 0.1 * Math.abs(i - 6), "accuracy", accuracy.applyAsDouble(i)),
                            body -> body.setNumSamples(samples));
        }
    }

    @Test
    void it_is_over_after_three_evaluations_back_at_the_minimum() {
        Judging judging = Judging.of(run -> {
            fault().accept(run);
            evaluated(run, 12, i -> 1.35);
        });
        assertThat(judging.only(TRAIN_VAL_DIVERGENCE).resolved()).isTrue();
    }

    @Test
    void datasets_do_not_mix() {
        Judging judging = Judging.of(run -> {
            for (int i = 1; i <= 12; i++) {
                double falling = 3 - 0.1 * i;
                run.steps(100)
                        .evaluation(Map.of("loss", 1.4 + 0.1 * Math.abs(i - 6)), body -> body.setDataset("wiki"))
                        .evaluation(Map.of("loss", falling), body -> body.setDataset("code"));
            }
        });
        assertThat(judging.only(TRAIN_VAL_DIVERGENCE).scope()).isEqualTo("wiki");
    }

    @Test
    void in_reinforcement_learning_it_is_info() {
        Judging judging = Judging.of(run -> {
            run.started(body -> body.setMetricProfile("rl"));
            fault().accept(run);
        });
        assertThat(judging.only(TRAIN_VAL_DIVERGENCE).highest()).isEqualTo(Severity.info);
    }

    @Test
    void evaluations_of_steps_that_are_redone_do_not_count() {
        Judging judging = Judging.of(run -> {
            evaluated(run, 8, i -> 3 - 0.1 * i);
            run.resumeAt(100);
            evaluated(run, 6, i -> 2.9 + 0.1 * i);
        });
        assertThat(judging.episodes(TRAIN_VAL_DIVERGENCE)).isEmpty();
    }

    @Test
    void what_is_missing_is_said() {
        assertThat(Judging.of(run -> run.steps(10)).notChecked(TRAIN_VAL_DIVERGENCE))
                .isEqualTo("evaluation_completed.metrics.loss");
        assertThat(Judging.of(run -> evaluated(run, 2, i -> 2)).notChecked(TRAIN_VAL_DIVERGENCE))
                .isEqualTo("4 evaluations, 2 came");
        assertThat(Judging.of(run -> run.evaluation(2).evaluation(2)).notChecked(TRAIN_VAL_DIVERGENCE))
                .isEqualTo("step_completed.loss beside the evaluations");
    }

    /** The training loss goes to a fiftieth of where it began; the evaluation loss from 2 to what is left. */
    private static Scenario byHeart(double left) {
        return run -> {
            run.loss(step -> 0.04 + 2 * Math.exp(-step / 100.0));
            evaluated(run, 12, i -> left + (2 - left) * Math.exp(-i));
        };
    }

    @Test
    void what_is_learned_by_heart_is_told_at_the_eighth_evaluation() {
        Judging.Episode gap = Judging.of(byHeart(1.5)).only(TRAIN_VAL_DIVERGENCE);
        assertThat(gap.scope()).isEqualTo("val/gap");
        assertThat(gap.openedStep()).isEqualTo(800);
        assertThat(gap.highest()).isEqualTo(Severity.warning);
        assertThat(gap.message())
                .matches(
                        "the training loss went from 1\\.9\\d* to 0\\.04\\d*, the evaluation loss never below 1\\.5\\d*:"
                                + " 7\\d\\.?\\d* % of what was gained is learned by heart.*");
    }

    @Test
    void a_third_that_is_not_carried_over_is_a_usual_gap() {
        assertThat(Judging.of(byHeart(0.65)).episodes(TRAIN_VAL_DIVERGENCE)).isEmpty();
    }

    @Test
    void an_evaluation_loss_of_another_unit_is_not_compared() {
        assertThat(Judging.of(run -> {
                            run.loss(step -> 0.04 + 2 * Math.exp(-step / 100.0));
                            evaluated(run, 12, i -> 500 + 1500 * Math.exp(-i));
                        })
                        .episodes(TRAIN_VAL_DIVERGENCE))
                .isEmpty();
    }

    @Test
    void a_line_through_noise_that_never_rises_three_times_is_found_too() {
        // Every second evaluation is lower than the one before, and each is higher than the one before that.
        Judging.Episode overfit = Judging.of(run ->
                        evaluated(run, 40, i -> i <= 6 ? 1.5 - 0.05 * i : 1.2 + 0.02 * (i - 6) + 0.06 * (i % 2)))
                .only(TRAIN_VAL_DIVERGENCE);
        assertThat(overfit.onsetStep()).isEqualTo(600);
        assertThat(overfit.openedStep()).isBetween(1200L, 2000L);
    }

    @Test
    void what_is_learned_by_heart_within_the_first_epochs_is_measured_from_the_first_of_them() {
        // The mean of 8 epochs is 0.9, and the evaluation loss stays at four times that.
        Judging.Episode byHeart = Judging.of(run -> {
                    for (int epoch = 1; epoch <= 40; epoch++) {
                        run.step(4.4 / (epoch * epoch)).evaluation(4.1 + 0.001 * (epoch % 3));
                    }
                })
                .only(TRAIN_VAL_DIVERGENCE);
        assertThat(byHeart.scope()).isEqualTo("val/gap");
    }
}
