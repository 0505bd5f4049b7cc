package io.trainwatch.monitor.detect;

import static org.assertj.core.api.Assertions.assertThat;

import io.trainwatch.alert.Severity;
import io.trainwatch.event.MetricDeclaration;
import io.trainwatch.monitor.Judging;
import io.trainwatch.monitor.Noise;
import io.trainwatch.monitor.RunStream;
import io.trainwatch.monitor.RunStream.Scenario;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.IntToDoubleFunction;
import java.util.function.LongToDoubleFunction;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class MetricDriftTest implements DetectorContract {
    private static final String METRIC_DRIFT = "metric_drift";

    @Override
    public String detector() {
        return METRIC_DRIFT;
    }

    @Override
    public Scenario healthy() {
        return run -> evaluated(run, 60, 1000L, i -> learned(i) + run.noise(0.01));
    }

    /** 20 healthy evaluations, then eight points less than the best. */
    @Override
    public Scenario fault() {
        return run -> evaluated(run, 40, 1000L, i -> (i <= 20 ? learned(i) : 0.8) + run.noise(0.005));
    }

    private static double learned(int i) {
        return 0.9 - 0.6 * Math.exp(-i / 3.0);
    }

    private static void evaluated(RunStream run, int evaluations, Long samples, IntToDoubleFunction accuracy) {
        for (int i = 1; i <= evaluations; i++) {
            run.steps(10)
                    .evaluation(Map.of("accuracy", accuracy.applyAsDouble(i)), body -> body.setNumSamples(samples));
        }
    }

    @Test
    void the_third_low_evaluation_fires_and_the_onset_is_the_first() {
        Judging.Episode drift = Judging.of(fault()).only(METRIC_DRIFT);
        assertThat(drift.scope()).isEqualTo("val/accuracy");
        assertThat(drift.openedStep()).isEqualTo(230);
        assertThat(drift.onsetStep()).isEqualTo(210);
        assertThat(drift.highest()).isEqualTo(Severity.warning);
        assertThat(drift.message())
                .matches(
                        "val/accuracy is 0\\.(79|80)\\d* and was 0\\.(90|91)\\d* at its best, at step \\d+, [\\d.]+ standard"
                                + " errors; 3 times in a row since step 210");
    }

    @Test
    void two_low_evaluations_are_not_enough() {
        assertThat(Judging.of(run -> evaluated(run, 40, 1000L, i -> i == 21 || i == 22 ? 0.8 : 0.9))
                        .episodes(METRIC_DRIFT))
                .isEmpty();
    }

    @Test
    void three_standard_errors_decide_where_nothing_else_varies() {
        // 1,000 samples at 0.9: a standard error of 0.0095 there, of 0.0098 at 0.87 and of 0.0101 at 0.86.
        assertThat(Judging.of(run -> evaluated(run, 40, 1000L, i -> i <= 20 ? 0.9 : 0.875))
                        .episodes(METRIC_DRIFT))
                .isEmpty();
        assertThat(Judging.of(run -> evaluated(run, 40, 1000L, i -> i <= 20 ? 0.9 : 0.86))
                        .only(METRIC_DRIFT)
                        .openedStep())
                .isEqualTo(230);
    }

    @Test
    void without_a_number_of_samples_the_steps_of_the_rate_bound_it() {
        // All values are multiples of 1 / 20: one sample of 20, so nothing is certain.
        assertThat(Judging.of(run -> evaluated(run, 40, null, i -> i <= 20 ? 0.9 + 0.05 * (i % 2) : 0.7))
                        .episodes())
                .isEmpty();
        assertThat(Judging.of(run -> evaluated(run, 40, null, i -> i <= 20 ? 0.9 + 0.001 * (i % 2) : 0.7))
                        .only(METRIC_DRIFT)
                        .openedStep())
                .isEqualTo(230);
    }

    @Test
    void few_evaluations_without_a_standard_error_are_not_judged() {
        Judging judging = Judging.of(run -> {
            for (double fid : new double[] {20, 90, 90, 90}) {
                run.steps(10).evaluation(Map.of("fid", fid), body -> {});
            }
        });
        assertThat(judging.episodes()).isEmpty();
        assertThat(judging.notChecked(METRIC_DRIFT))
                .isEqualTo("further evaluations, or evaluation_completed.num_samples");
        assertThat(Judging.of(run -> evaluated(run, 4, 1000L, i -> i == 1 ? 0.9 : 0.1))
                        .only(METRIC_DRIFT)
                        .openedStep())
                .isEqualTo(40);
    }

    @Test
    void a_metric_that_comes_and_goes_has_to_stay_away_for_twice_as_long() {
        // It falls for two evaluations again and again, then for good: four are twice as long.
        Judging judging =
                Judging.of(run -> evaluated(run, 60, 1000L, i -> i > 42 || i % 8 == 6 || i % 8 == 7 ? 0.6 : 0.9));
        assertThat(judging.only(METRIC_DRIFT).openedStep()).isEqualTo(460);
    }

    @Test
    void it_is_over_after_three_evaluations_near_the_best() {
        Judging judging = Judging.of(run -> evaluated(run, 40, 1000L, i -> i <= 20 || i > 30 ? 0.9 : 0.7));
        assertThat(judging.only(METRIC_DRIFT).last().getResolvedStep()).isEqualTo(330);
    }

    @ParameterizedTest
    @EnumSource(Noise.class)
    void noise_as_large_as_an_eighth_of_the_progress_alarms_in_at_most_one_run_of_a_hundred(Noise noise) {
        int alarmed = 0;
        for (int seed = 0; seed < 100; seed++) {
            LongToDoubleFunction deviates = noise.seeded(seed);
            Judging judging = Judging.of(run -> {
                for (int i = 1; i <= 30; i++) {
                    double fid = 20 + 8 * Math.exp(-i / 5.0) + deviates.applyAsDouble(i);
                    run.evaluation(Map.of("fid", fid), body -> {});
                }
            });
            alarmed += judging.alarms(METRIC_DRIFT).size();
        }
        assertThat(alarmed).isLessThanOrEqualTo(1);
    }

    @Test
    void the_best_of_a_thousand_equally_good_evaluations_was_luck() {
        assertThat(Judging.of(run -> evaluated(run, 1000, 400L, i -> 0.5 + run.noise(0.025)))
                        .alarms())
                .isEmpty();
    }

    @Test
    void a_single_fluke_is_no_best() {
        assertThat(Judging.of(run -> evaluated(run, 40, 1000L, i -> i == 10 ? 0.99 : 0.8 + run.noise(0.005)))
                        .episodes(METRIC_DRIFT))
                .isEmpty();
    }

    @Test
    void what_has_learned_nothing_may_wander_in_all_but_a_few_runs() {
        int alarmed = 0;
        for (int seed = 0; seed < 100; seed++) {
            LongToDoubleFunction deviates = Noise.AR_09.seeded(seed);
            alarmed += Judging.of(run -> {
                        for (int i = 1; i <= 30; i++) {
                            run.evaluation(Map.of("fid", 20 + deviates.applyAsDouble(i)), body -> {});
                        }
                    })
                    .alarms(METRIC_DRIFT)
                    .size();
        }
        assertThat(alarmed).isLessThanOrEqualTo(3);
    }

    @Test
    void a_metric_that_is_better_when_smaller_is_turned() {
        Judging judging = Judging.of(run -> {
            for (int i = 1; i <= 30; i++) {
                double fid = (i <= 20 ? 20 : 45) + run.noise(0.5);
                run.steps(10).evaluation(Map.of("fid", fid), body -> {});
            }
        });
        assertThat(judging.only(METRIC_DRIFT).openedStep()).isEqualTo(230);
    }

    @Test
    void a_name_that_says_nothing_is_judged_only_if_its_direction_is_declared() {
        Scenario falling = run -> {
            for (int i = 1; i <= 30; i++) {
                run.steps(10).evaluation(Map.of("quality", i <= 20 ? 5.0 + run.noise(0.1) : 2.0), body -> {});
            }
        };
        Judging unknown = Judging.of(falling);
        assertThat(unknown.episodes()).isEmpty();
        assertThat(unknown.notChecked(METRIC_DRIFT)).isEqualTo("run_started.metrics: which way they are better");
        assertThat(Judging.of(run -> {
                            run.started(body -> {
                                MetricDeclaration quality = new MetricDeclaration();
                                quality.setName("quality");
                                quality.setMode("max");
                                body.setMetrics(List.of(quality));
                            });
                            falling.accept(run);
                        })
                        .only(METRIC_DRIFT)
                        .openedStep())
                .isEqualTo(230);
    }

    @Test
    void datasets_and_slices_do_not_mix() {
        Judging judging = Judging.of(run -> {
            for (int i = 1; i <= 30; i++) {
                double minority = i <= 20 ? 0.9 : 0.5;
                run.steps(10)
                        .evaluation(Map.of("accuracy", 0.9), body -> body.setNumSamples(1000L))
                        .evaluation(Map.of("accuracy", minority), body -> {
                            body.setSlice("minority");
                            body.setNumSamples(1000L);
                        });
            }
        });
        assertThat(judging.only(METRIC_DRIFT).scope()).isEqualTo("val/minority/accuracy");
    }

    @Test
    void an_evaluation_loss_is_judged_only_where_there_is_no_training_loss() {
        assertThat(Judging.of(run -> losses(run.steps(300))).episodes(METRIC_DRIFT))
                .isEmpty();
        assertThat(Judging.of(MetricDriftTest::losses).only(METRIC_DRIFT).scope())
                .isEqualTo("val/loss");
    }

    /** Evaluations of a run that says nothing of its steps. */
    private static void losses(RunStream run) {
        for (int i = 1; i <= 30; i++) {
            run.evaluation(i <= 20 ? 2 + run.noise(0.02) : 4);
        }
    }

    @Test
    void a_return_that_collapses_and_stays_down_is_found_when_a_quarter_of_all_returns_are_low() {
        Judging.Episode collapse = Judging.of(run -> rewarded(
                        run, step -> Math.min(500, step / 4.0) * (step > 3200 ? 0.1 : 1) * (1 + run.noise(0.2))))
                .only(METRIC_DRIFT);
        assertThat(collapse.scope()).isEqualTo("metrics/reward");
        assertThat(collapse.onsetStep()).isBetween(3200L, 3400L);
        // A quarter of all returns are low at 4,270: four thirds of 3,200.
        assertThat(collapse.openedStep()).isBetween(4270L, 4550L);
        assertThat(collapse.highest()).isEqualTo(Severity.warning);
    }

    @Test
    void a_run_of_few_returns_is_judged_in_means_of_4_and_more() {
        Judging.Episode collapse = Judging.of(run -> {
                    run.started(body -> body.setTask("rl"));
                    run.steps(
                            250,
                            (body, step) -> body.setMetrics(Map.of(
                                    "reward", (step > 160 ? 9 : Math.min(200, 5.0 * step)) * (1 + run.noise(0.03)))));
                })
                .only(METRIC_DRIFT);
        assertThat(collapse.onsetStep()).isEqualTo(166);
        assertThat(collapse.openedStep()).isEqualTo(228);
    }

    @Test
    void a_return_that_loses_a_third_and_finds_it_again_is_exploring() {
        assertThat(Judging.of(run -> rewarded(
                                run,
                                step -> Math.min(500, step / 4.0)
                                        * (1 - 0.15 * (1 + Math.sin(step / 200.0)))
                                        * (1 + run.noise(0.2))))
                        .episodes())
                .isEmpty();
    }

    private static void rewarded(RunStream run, LongToDoubleFunction reward) {
        run.started(body -> body.setTask("rl"));
        run.steps(4800, (body, step) -> body.setMetrics(Map.of("reward", reward.applyAsDouble(step))));
    }

    @Test
    void inputs_that_drift_or_a_loss_that_diverges_explain_it() {
        Judging judging = Judging.of(run -> {
            evaluated(run, 40, 1000L, i -> 0.9);
            run.loss(step -> 2 + 0.01 * (step - 400));
            evaluated(run, 60, 1000L, i -> i < 30 ? 0.9 : 0.3);
        });
        assertThat(judging.only(METRIC_DRIFT).highest()).isEqualTo(Severity.info);
        assertThat(judging.only(METRIC_DRIFT).first().getSuppressedBy()).isEqualTo("loss_divergence");
    }

    @Test
    void evaluations_of_steps_that_are_redone_do_not_count_and_a_phase_begins_anew() {
        assertThat(Judging.of(run -> {
                            evaluated(run, 20, 1000L, i -> 0.9);
                            run.resumeAt(50);
                            evaluated(run, 10, 1000L, i -> 0.5);
                        })
                        .episodes(METRIC_DRIFT))
                .isEmpty();
        assertThat(Judging.of(run -> {
                            evaluated(run, 20, 1000L, i -> 0.9);
                            run.phaseChanged("data_mix");
                            evaluated(run, 20, 1000L, i -> 0.5);
                        })
                        .episodes(METRIC_DRIFT))
                .isEmpty();
    }

    @Test
    void hostile_metrics_harm_nothing() {
        Judging judging = Judging.of(run -> {
            for (int i = 0; i < 200; i++) {
                Map<String, Double> metrics = new HashMap<>();
                for (int m = 0; m < 20; m++) {
                    metrics.put("\n".repeat(m) + "accuracy " + i, m % 2 == 0 ? Double.NaN : 1e308 * (m % 3 - 1));
                }
                run.steps(1, (body, step) -> body.setMetrics(Map.of("reward", step % 2 == 0 ? 1e308 : -1e308)));
                run.evaluation(metrics, body -> {
                    body.setNumSamples(Long.MIN_VALUE);
                    body.setMetricStdError(Map.of("accuracy", -1.0));
                });
            }
        });
        assertThat(judging.encoded().length).isLessThan(300_000);
    }

    @Test
    void what_is_missing_is_said() {
        assertThat(Judging.of(run -> run.steps(5)).notChecked(METRIC_DRIFT))
                .isEqualTo("evaluation_completed.metrics beside the loss");
    }

    @Test
    void a_policy_that_mostly_acts_at_random_has_nothing_to_lose() {
        assertThat(Judging.of(run -> {
                            run.started(body -> body.setTask("rl"));
                            run.steps(
                                    4800,
                                    (body, step) -> body.setMetrics(Map.of(
                                            "ep_rew_mean",
                                            step > 3000 ? 5 + run.noise(1) : step / 10.0,
                                            "rollout/exploration_rate",
                                            0.5)));
                        })
                        .episodes(METRIC_DRIFT))
                .isEmpty();
    }

    @Test
    void precision_that_recall_gains_from_is_no_fall_where_another_metric_holds_them_together() {
        Map<String, Double> before = Map.of("precision", 0.9, "recall", 0.1, "mAP50", 0.4);
        Map<String, Double> after = Map.of("precision", 0.5, "recall", 0.6, "mAP50", 0.45);
        assertThat(Judging.of(run -> traded(run, before, after)).episodes(METRIC_DRIFT))
                .isEmpty();
        assertThat(Judging.of(run -> traded(run, Map.of("precision", 0.9), Map.of("precision", 0.5)))
                        .only(METRIC_DRIFT)
                        .scope())
                .isEqualTo("val/precision");
    }

    private static void traded(RunStream run, Map<String, Double> before, Map<String, Double> after) {
        for (int i = 0; i < 30; i++) {
            run.steps(10).evaluation(i < 20 ? before : after, body -> body.setNumSamples(1000L));
        }
    }

    @Test
    void an_evaluated_return_may_lose_two_fifths_of_what_was_learned_and_no_more() {
        assertThat(Judging.of(run -> evaluatedReturn(run, 65)).episodes(METRIC_DRIFT))
                .isEmpty();
        assertThat(Judging.of(run -> evaluatedReturn(run, 30))
                        .only(METRIC_DRIFT)
                        .scope())
                .isEqualTo("val/mean_reward");
    }

    private static void evaluatedReturn(RunStream run, double later) {
        run.started(body -> body.setTask("rl"));
        for (int i = 0; i < 60; i++) {
            double earned = i < 40 ? Math.min(100, 5.0 * i) : later;
            run.steps(10).evaluation(Map.of("mean_reward", earned + run.noise(0.5)), body -> {});
        }
    }
}
