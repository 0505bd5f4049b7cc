package io.trainwatch.monitor.detect;

import static org.assertj.core.api.Assertions.assertThat;

import io.trainwatch.alert.Severity;
import io.trainwatch.monitor.Judging;
import io.trainwatch.monitor.RunStream;
import io.trainwatch.monitor.RunStream.Scenario;
import java.util.Map;
import java.util.function.LongToDoubleFunction;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class NotLearningTest implements DetectorContract {
    private static final String NOT_LEARNING = "not_learning";

    @Override
    public String detector() {
        return NOT_LEARNING;
    }

    @Override
    public Scenario healthy() {
        return run -> run.steps(1100);
    }

    /** A loss that scatters around ln 10 and stays. */
    @Override
    public Scenario fault() {
        return run -> run.started(body -> body.setNumClasses(10))
                .loss(step -> Math.log(10) + run.noise(0.05))
                .steps(900);
    }

    @Test
    void it_is_judged_at_step_500_and_not_before() {
        Judging.Episode flat = Judging.of(fault()).only(NOT_LEARNING);
        assertThat(flat.openedStep()).isEqualTo(500);
        assertThat(flat.onsetStep()).isEqualTo(1);
        assertThat(flat.highest()).isEqualTo(Severity.warning);
        assertThat(flat.message())
                .matches("after 500 steps the loss (improved by only [\\d.e-]+ %|got worse): 2\\.[23]\\d* at the start,"
                        + " 2\\.[23]\\d* now, the level of chance \\(2\\.303\\)");
    }

    @Test
    void a_short_run_is_judged_after_a_quarter_of_it() {
        Judging judging = Judging.of(run -> {
            run.started(body -> body.setMaxSteps(800L));
            run.loss(step -> 2.3 + run.noise(0.05)).steps(300);
        });
        assertThat(judging.only(NOT_LEARNING).openedStep()).isEqualTo(200);
    }

    @Test
    void a_loss_that_fell_to_chance_has_learned_nothing() {
        // It began badly scaled at 5 and came to ln 10: better by half, and still chance.
        Judging judging = Judging.of(run -> run.started(body -> body.setNumClasses(10))
                .loss(step -> Math.log(10) + 2.7 * Math.exp(-step / 50.0) + run.noise(0.01))
                .steps(600));
        assertThat(judging.only(NOT_LEARNING).message()).endsWith("now, the level of chance (2.303)");
    }

    @Test
    void the_warm_up_is_waited_for_twice() {
        Judging judging = Judging.of(run -> {
            run.started(body -> body.setWarmupSteps(1000L));
            run.loss(step -> 2.3 + run.noise(0.05)).steps(2500);
        });
        assertThat(judging.only(NOT_LEARNING).openedStep()).isEqualTo(2000);
    }

    @Test
    void a_learning_rate_that_still_rises_is_waited_for() {
        Judging judging = Judging.of(run -> run.learningRate(step -> 1e-6 * Math.min(step, 700))
                .loss(step -> 2.3 + run.noise(0.05))
                .steps(2500));
        assertThat(judging.only(NOT_LEARNING).openedStep()).isEqualTo(1400);
    }

    @Test
    void an_s_curve_that_falls_later_resolves_it_at_the_next_doubling() {
        Judging judging =
                Judging.of(run -> run.loss(step -> 2.3 - 1 / (1 + Math.exp(-(step - 800) / 40.0)) + run.noise(0.02))
                        .steps(1300));
        Judging.Episode flat = judging.only(NOT_LEARNING);
        assertThat(flat.openedStep()).isEqualTo(500);
        assertThat(flat.last().getResolvedStep()).isEqualTo(1000 + 127);
    }

    @ParameterizedTest
    @ValueSource(doubles = {1e-4, 1e6})
    void the_scale_of_the_loss_does_not_matter(double unit) {
        assertThat(Judging.of(run -> {
                            var loss = run.healthyLoss();
                            run.loss(step -> unit * loss.applyAsDouble(step)).steps(1100);
                        })
                        .episodes())
                .isEmpty();
        assertThat(Judging.of(run ->
                                run.loss(step -> unit * (2.3 + run.noise(0.05))).steps(600))
                        .only(NOT_LEARNING)
                        .openedStep())
                .isEqualTo(500);
    }

    @Test
    void a_negative_loss_that_falls_has_learned() {
        assertThat(Judging.of(run -> run.loss(step -> -1 - 0.5 * Math.log((double) step) + run.noise(0.05))
                                .steps(1100))
                        .episodes())
                .isEmpty();
    }

    @ParameterizedTest
    @ValueSource(strings = {"gan", "rl", "custom"})
    void where_the_loss_need_not_fall_it_is_info(String profile) {
        Judging judging = Judging.of(run -> run.started(body -> body.setMetricProfile(profile))
                .loss(step -> 0.7 + run.noise(0.05))
                .steps(900));
        assertThat(judging.only(NOT_LEARNING).highest()).isEqualTo(Severity.info);
        assertThat(judging.only(NOT_LEARNING).first().getSuppressedBy()).isEqualTo("metric_profile");
    }

    @Test
    void steps_that_are_redone_do_not_count() {
        Judging judging = Judging.of(run -> run.loss(step -> 2.3 + run.noise(0.05))
                .steps(400)
                .restartAt(100)
                .steps(399));
        assertThat(judging.episodes(NOT_LEARNING)).isEmpty();
    }

    @Test
    void what_is_missing_is_said() {
        assertThat(Judging.of(run -> run.steps(30)).notChecked(NOT_LEARNING))
                .isEqualTo("500 steps and 20 points of loss, 30 and 30 came");
        assertThat(Judging.of(run -> run.loggedEvery(100).steps(7)).notChecked(NOT_LEARNING))
                .isEqualTo("500 steps and 20 points of loss, 601 and 7 came");
        assertThat(Judging.of(run -> run.heartbeat("train")).notChecked(NOT_LEARNING))
                .isEqualTo("step_completed.loss, or 2048 episodes of a return");
    }

    @ParameterizedTest
    @CsvSource({
        "still improving,             1",
        "at its ceiling,              2",
    })
    void a_return_that_improves_or_is_at_its_ceiling_is_quiet(String what, int kind) {
        Judging judging = Judging.of(run -> episodes(
                run,
                10_000,
                n -> kind == 1
                        ? 100 * Math.log(n + 1.0) + 30 * run.noise(1)
                        : Math.min(21, n / 50.0 - 21 + 3 * run.noise(1))));

        assertThat(judging.alarms(NOT_LEARNING)).as(what).isEmpty();
        assertThat(judging.notChecked(NOT_LEARNING)).isEmpty();
    }

    @Test
    void a_return_that_has_not_improved_since_an_eighth_of_the_episodes_is_told_when_they_have_doubled() {
        Judging judging = Judging.of(run ->
                episodes(run, 10_000, n -> 80 + 270 * (1 - Math.exp(-n / 100.0)) + 50 * run.noise(1)));

        Judging.Episode flat = judging.only(NOT_LEARNING);
        assertThat(flat.scope()).isEqualTo("metrics/episode_return");
        assertThat(flat.highest()).isEqualTo(Severity.warning);
        assertThat(flat.openedStep()).isEqualTo(4096);
    }

    @Test
    void fewer_than_2048_episodes_say_nothing() {
        assertThat(Judging.of(run -> episodes(run, 2047, n -> run.noise(1))).episodes(NOT_LEARNING))
                .isEmpty();
    }

    private static void episodes(RunStream run, int count, LongToDoubleFunction returns) {
        run.steps(count, (body, step) -> {
            body.setLoss(null);
            body.setGradNorm(null);
            body.setMetrics(Map.of("episode_return", returns.applyAsDouble(step)));
        });
    }

    /** As of a linear model: from ln 2 to its floor within 20 steps, and flat from there. */
    private static Scenario learnedAtOnce(double first, double floor) {
        return run -> run.started(body -> body.setNumClasses(2))
                .loss(step -> floor + (first - floor) * Math.exp(-step / 5.0) + run.noise(0.02))
                .steps(1100);
    }

    @Test
    void what_fell_below_chance_within_its_first_points_has_learned() {
        assertThat(Judging.of(learnedAtOnce(0.9, 0.55)).episodes(NOT_LEARNING)).isEmpty();
    }

    @Test
    void what_began_below_chance_and_stays_has_learned_nothing() {
        assertThat(Judging.of(learnedAtOnce(0.55, 0.55)).only(NOT_LEARNING).openedStep())
                .isEqualTo(500);
    }

    /** The first point of a model that knew nothing, and from the second on a floor. */
    private static Scenario fellAtOnce(double first, double floor, String lossFunction) {
        return run -> {
            run.started(body -> body.setLossFunction(lossFunction)).step(first);
            run.loss(step -> floor + run.noise(0.02)).steps(1100);
        };
    }

    @Test
    void what_the_first_point_alone_lies_above_was_learned_at_once() {
        assertThat(Judging.of(fellAtOnce(1.3, 0.6, "mse")).episodes(NOT_LEARNING))
                .isEmpty();
        assertThat(Judging.of(fellAtOnce(3, 1.2, null)).episodes(NOT_LEARNING)).isEmpty();
    }

    @Test
    void a_first_point_within_the_noise_says_nothing() {
        assertThat(Judging.of(fellAtOnce(0.65, 0.6, "mse")).only(NOT_LEARNING).openedStep())
                .isEqualTo(500);
    }

    @Test
    void what_fell_at_once_to_what_a_constant_answer_has_learned_nothing_though_nobody_declared_the_classes() {
        assertThat(Judging.of(fellAtOnce(5, Math.log(2), null))
                        .only(NOT_LEARNING)
                        .message())
                .endsWith("now, which is what a constant answer has (ln 2)");
        assertThat(Judging.of(fellAtOnce(8, Math.log(10), "cross_entropy"))
                        .only(NOT_LEARNING)
                        .message())
                .endsWith("now, which is what a constant answer has (ln 10)");
        assertThat(Judging.of(fellAtOnce(5, 1, "mse")).only(NOT_LEARNING).message())
                .endsWith("now, which is what a constant answer has (1: the variance of targets of unit variance)");
    }

    @Test
    void below_chance_with_first_points_too_noisy_to_tell_where_it_began_has_learned() {
        // Batches of one: the first three points are below ln 2 by luck.
        assertThat(Judging.of(run -> {
                            run.started(body -> body.setNumClasses(2))
                                    .step(0.4)
                                    .step(0.3)
                                    .step(0.5);
                            run.loss(step -> Math.max(0, 0.3 + run.noise(0.25))).steps(1100);
                        })
                        .episodes(NOT_LEARNING))
                .isEmpty();
    }

    @Test
    void an_evaluation_loss_that_falls_says_that_the_run_learns_however_noisy_its_training_loss() {
        assertThat(Judging.of(run -> evaluated(run, 0.7, 0.6)).episodes(NOT_LEARNING))
                .isEmpty();
        assertThat(Judging.of(run -> evaluated(run, 0.7, 0.7))
                        .only(NOT_LEARNING)
                        .highest())
                .isEqualTo(Severity.warning);
    }

    private static void evaluated(RunStream run, double first, double later) {
        run.loss(step -> 0.7 + run.noise(0.1));
        for (int i = 0; i < 11; i++) {
            run.steps(100).evaluation(i == 0 ? first : later);
        }
    }

    @Test
    void few_points_that_cannot_exclude_a_tenth_of_progress_are_waited_for() {
        // Every fiftieth step: 20 points at step 1,000, 200 at 10,000.
        Judging judging = Judging.of(
                run -> run.loggedEvery(50).loss(step -> 0.6 + run.noise(0.12)).steps(12_000));
        assertThat(judging.only(NOT_LEARNING).openedStep()).isBetween(4000L, 12_000L);
    }

    @Test
    void where_a_step_is_an_epoch_twenty_of_them_are_enough() {
        assertThat(Judging.of(run -> run.started(body -> body.setStepsPerEpoch(1L))
                                .loss(step -> 0.693 + run.noise(0.0005))
                                .steps(40))
                        .only(NOT_LEARNING)
                        .openedStep())
                .isEqualTo(20);
    }

    @Test
    void batches_of_one_are_judged_after_as_many_samples_as_500_steps_of_8_have() {
        assertThat(Judging.of(run -> run.started(body -> {
                                    body.setGlobalBatchSize(1L);
                                    body.setMaxSteps(20_000L);
                                })
                                .loss(step -> 0.69 + run.noise(0.01))
                                .steps(4500))
                        .only(NOT_LEARNING)
                        .openedStep())
                .isEqualTo(4096);
    }

    @Test
    void a_loss_of_exactly_zero_with_a_gradient_of_zero_has_learned_nothing() {
        // As if all labels were masked.
        assertThat(Judging.of(run -> run.loss(step -> 0).gradNorm(step -> 0).steps(60))
                        .only(NOT_LEARNING)
                        .openedStep())
                .isEqualTo(20);
    }

    @Test
    void epochs_that_all_lie_at_ln_ten_are_a_constant_answer_though_the_first_were_above() {
        assertThat(Judging.of(run -> run.started(body -> body.setStepsPerEpoch(1L))
                                .loss(step -> Math.log(10) + 0.15 * Math.exp(-step / 2.0))
                                .steps(30))
                        .only(NOT_LEARNING)
                        .message())
                .endsWith("now, which is what a constant answer has (ln 10)");
    }

    @Test
    void an_accuracy_that_stays_low_says_that_what_fell_at_once_was_not_learning() {
        assertThat(Judging.of(run -> {
                            run.started(body -> body.setStepsPerEpoch(1L));
                            for (int epoch = 1; epoch <= 30; epoch++) {
                                run.step(epoch == 1 ? 3.4 : 2.55 + run.noise(0.06))
                                        .evaluation(
                                                Map.of(
                                                        "loss",
                                                        2.6 + run.noise(0.1),
                                                        "accuracy",
                                                        0.1 + run.noise(0.003)),
                                                body -> {});
                            }
                        })
                        .only(NOT_LEARNING)
                        .openedStep())
                .isEqualTo(20);
    }
}
