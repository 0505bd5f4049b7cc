package io.trainwatch.monitor.detect;

import static org.assertj.core.api.Assertions.assertThat;

import io.trainwatch.alert.Severity;
import io.trainwatch.event.RankFingerprint;
import io.trainwatch.event.StepCompleted;
import io.trainwatch.monitor.Judging;
import io.trainwatch.monitor.RunStream;
import io.trainwatch.monitor.RunStream.Scenario;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class RankDesyncTest implements DetectorContract {
    private static final String RANK_DESYNC = "rank_desync";

    @Override
    public String detector() {
        return RANK_DESYNC;
    }

    /** Four replicas, a fingerprint each 50 steps. */
    @Override
    public Scenario healthy() {
        return run -> comparisons(run, 4, 20, (rank, step) -> moving(step));
    }

    /** From step 501 on rank 2 goes its own way, a thousandth at a time, until it is given the parameters anew. */
    @Override
    public Scenario fault() {
        return run -> comparisons(
                run, 4, 20, (rank, step) -> moving(step) * (rank == 2 && step > 500 && step <= 800 ? 1.001 : 1));
    }

    private interface Fingerprint {
        double of(int rank, long step);
    }

    private static double moving(long step) {
        return 12.5 + Math.sqrt((double) step);
    }

    private static void comparisons(RunStream run, int ranks, int count, Fingerprint fingerprint) {
        for (int i = 0; i < count; i++) {
            run.steps(50);
            for (int rank = 0; rank < ranks; rank++) {
                RankFingerprint body = new RankFingerprint();
                body.setFingerprint(fingerprint.of(rank, run.step()));
                run.ofRank(rank + 1, event -> {
                    event.setStep(run.step());
                    event.setWorldSize(ranks);
                    event.setBody(body);
                });
            }
        }
    }

    @Test
    void it_is_critical_at_the_first_step_at_which_they_differ() {
        Judging.Episode desync = Judging.of(fault()).only(RANK_DESYNC);
        assertThat(desync.openedStep()).isEqualTo(550);
        assertThat(desync.onsetStep()).isEqualTo(550);
        assertThat(desync.highest()).isEqualTo(Severity.critical);
        assertThat(desync.message())
                .isEqualTo("parameters of the ranks do not agree at step 550 (they last did at step 500): rank 3 has"
                        + " fingerprint 35.98803087791626, rank 1 and 2 more of 4 have 35.952078799117146");
        assertThat(desync.last().getResolvedStep()).isEqualTo(900);
    }

    @Test
    void two_ranks_that_come_apart_are_found_too() {
        Judging.Episode desync = Judging.of(run ->
                        comparisons(run, 2, 20, (rank, step) -> moving(step) + (rank == 1 && step > 500 ? 1e-3 : 0)))
                .only(RANK_DESYNC);
        assertThat(desync.openedStep()).isEqualTo(550);
    }

    @Test
    void shards_that_differ_from_the_start_are_not_compared() {
        Judging judging = Judging.of(run -> comparisons(run, 8, 20, (rank, step) -> moving(step) * (1 + rank)));
        assertThat(judging.episodes()).isEmpty();
        assertThat(judging.notChecked(RANK_DESYNC))
                .isEqualTo("rank_fingerprint of replicas: no two of the 8 ranks have the same parameters");
    }

    @Test
    void shards_that_begin_with_equal_constants_do_not_come_apart_when_they_move() {
        assertThat(Judging.of(run -> comparisons(
                                run, 8, 20, (rank, step) -> step <= 500 ? 64 : moving(step) * (1 + rank / 2)))
                        .episodes())
                .isEmpty();
    }

    @Test
    void replicas_of_shards_are_compared_with_each_other() {
        Judging.Episode desync = Judging.of(run -> comparisons(
                        run,
                        8,
                        20,
                        (rank, step) -> moving(step) * (1 + rank % 2) + (rank == 7 && step > 500 ? 1e-3 : 0)))
                .only(RANK_DESYNC);
        assertThat(desync.openedStep()).isEqualTo(550);
        assertThat(desync.message()).contains("rank 8 has fingerprint");
    }

    @Test
    void a_rank_that_never_agreed_with_the_many_is_found_at_the_second_comparison() {
        Judging.Episode desync = Judging.of(
                        run -> comparisons(run, 8, 20, (rank, step) -> moving(step) + (rank == 0 ? 1 : 0)))
                .only(RANK_DESYNC);
        assertThat(desync.openedStep()).isEqualTo(100);
        assertThat(desync.message()).contains("(they never did): rank 1 has fingerprint");
    }

    @Test
    void nan_on_one_rank_alone_is_a_difference_and_on_all_of_them_none() {
        assertThat(Judging.of(run -> comparisons(
                                run, 4, 20, (rank, step) -> rank == 3 && step > 500 ? Double.NaN : moving(step)))
                        .only(RANK_DESYNC)
                        .openedStep())
                .isEqualTo(550);
        assertThat(Judging.of(run -> comparisons(run, 4, 20, (rank, step) -> step > 500 ? Double.NaN : moving(step)))
                        .episodes())
                .isEmpty();
    }

    @Test
    void rounding_that_always_was_there_is_none_and_rounding_that_appears_is_a_warning() {
        assertThat(Judging.of(run -> comparisons(run, 4, 20, (rank, step) -> moving(step) * (1 + 1e-9 * run.noise(1))))
                        .episodes())
                .isEmpty();
        Judging.Episode inexact = Judging.of(run -> comparisons(
                        run, 4, 20, (rank, step) -> moving(step) * (rank == 2 && step > 500 ? 1 + 1e-9 : 1)))
                .only(RANK_DESYNC);
        assertThat(inexact.openedStep()).isEqualTo(550);
        assertThat(inexact.highest()).isEqualTo(Severity.warning);
        assertThat(inexact.message())
                .isEqualTo(
                        "parameters of the ranks were equal to the last bit at 10 comparisons and differ at step 550,"
                                + " by less than 1.000e-06 of their size");
    }

    @Test
    void the_sum_of_a_subset_is_compared_by_the_size_of_its_norm() {
        assertThat(Judging.of(run -> {
                            for (int i = 0; i < 20; i++) {
                                run.steps(50);
                                for (int rank = 0; rank < 4; rank++) {
                                    RankFingerprint body = new RankFingerprint();
                                    body.setFingerprint(1e-6 * run.noise(1));
                                    body.setParameterNorm(100.0);
                                    run.ofRank(rank + 1, run.step(), body);
                                }
                            }
                        })
                        .episodes())
                .isEmpty();
    }

    @Test
    void a_smaller_world_is_learned_anew() {
        assertThat(Judging.of(run -> {
                            comparisons(run, 8, 10, (rank, step) -> moving(step) * (1 + rank % 2));
                            comparisons(run, 6, 10, (rank, step) -> moving(step) * (1 + rank % 3));
                        })
                        .episodes())
                .isEmpty();
    }

    @Test
    void one_rank_alone_is_not_checked() {
        assertThat(Judging.of(run -> comparisons(run, 1, 20, (rank, step) -> 1)).notChecked(RANK_DESYNC))
                .isEqualTo("rank_fingerprint of at least 2 ranks at one step");
        assertThat(Judging.of(run -> run.steps(10)).notChecked(RANK_DESYNC))
                .isEqualTo("rank_fingerprint of at least 2 ranks");
    }

    private static Scenario losses(String reduction, int from) {
        return run -> {
            for (int i = 1; i <= 400; i++) {
                double common = 2 + run.noise(0.1);
                run.steps(1, (body, step) -> {
                    body.setLoss(common);
                    body.setLossReduction(reduction);
                });
                for (int rank = 1; rank < 4; rank++) {
                    StepCompleted body = new StepCompleted();
                    body.setLoss(i < from ? 2 + run.noise(0.1) : common);
                    body.setLossReduction(reduction);
                    run.ofRank(rank, event -> {
                        event.setStep(run.step());
                        event.setWorldSize(4);
                        event.setBody(body);
                    });
                }
            }
        };
    }

    @Test
    void ranks_with_losses_of_their_own_are_quiet() {
        assertThat(Judging.of(losses("rank_mean", 1000)).episodes()).isEmpty();
    }

    @Test
    void the_same_loss_on_all_ranks_for_more_than_twenty_steps_is_the_same_data() {
        Judging.Episode same = Judging.of(losses("rank_mean", 101)).only(RANK_DESYNC);
        assertThat(same.scope()).isEqualTo("losses");
        assertThat(same.openedStep()).isEqualTo(121);
        assertThat(same.onsetStep()).isEqualTo(101);
        assertThat(same.highest()).isEqualTo(Severity.warning);
        assertThat(same.message())
                .matches(
                        "every rank has had the same loss for 21 steps, [12]\\.\\d+ at step 121: they read the same data");
    }

    @Test
    void where_nothing_says_whose_loss_it_is_it_is_info_unless_they_once_differed() {
        assertThat(Judging.of(losses(null, 1)).only(RANK_DESYNC).highest()).isEqualTo(Severity.info);
        assertThat(Judging.of(losses(null, 101)).only(RANK_DESYNC).highest()).isEqualTo(Severity.warning);
        assertThat(Judging.of(losses("global_mean", 1)).episodes()).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(doubles = {0, 0.6931471805599453})
    void losses_that_do_not_move_say_nothing(double constant) {
        assertThat(Judging.of(run -> {
                            for (int i = 1; i <= 400; i++) {
                                run.steps(1, (body, step) -> {
                                    body.setLoss(constant);
                                    body.setLossReduction("rank_mean");
                                });
                                StepCompleted body = new StepCompleted();
                                body.setLoss(constant);
                                body.setLossReduction("rank_mean");
                                run.ofRank(1, run.step(), body);
                            }
                        })
                        .episodes(RANK_DESYNC))
                .isEmpty();
    }

    @Test
    void tensor_parallel_pairs_that_share_a_batch_are_quiet() {
        assertThat(Judging.of(run -> {
                            for (int i = 1; i <= 600; i++) {
                                double pair = 2 + run.noise(0.1);
                                double other = 2 + run.noise(0.1);
                                run.steps(1, (body, step) -> {
                                    body.setLoss(pair);
                                    body.setLossReduction("rank_mean");
                                });
                                for (int rank = 1; rank < 4; rank++) {
                                    StepCompleted body = new StepCompleted();
                                    body.setLoss(rank == 1 ? pair : other);
                                    body.setLossReduction("rank_mean");
                                    run.ofRank(rank, run.step(), body);
                                }
                            }
                        })
                        .episodes(RANK_DESYNC))
                .isEmpty();
    }

    @Test
    void ranks_and_steps_without_number_are_bounded() {
        Judging judging = Judging.of(run -> {
            for (int i = 0; i < 20_000; i++) {
                RankFingerprint body = new RankFingerprint();
                body.setFingerprint(i);
                run.ofRank(Integer.MAX_VALUE - i, i % 3 == 0 ? Long.MAX_VALUE : Long.MIN_VALUE + i, body);
                run.ofRank(-1 - i, i, body);
                StepCompleted step = new StepCompleted();
                step.setLoss(1.0);
                run.ofRank(Integer.MAX_VALUE - i, Long.MIN_VALUE + i, step);
            }
        });
        assertThat(judging.encoded()).hasSizeLessThan(1_000_000);
    }
}
