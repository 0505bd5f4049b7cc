package io.trainwatch.monitor.detect;

import static org.assertj.core.api.Assertions.assertThat;

import io.trainwatch.alert.Severity;
import io.trainwatch.event.SectionTime;
import io.trainwatch.event.StepProfile;
import io.trainwatch.monitor.Judging;
import io.trainwatch.monitor.RunStream;
import io.trainwatch.monitor.RunStream.Scenario;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class StragglerRankTest implements DetectorContract {
    private static final String STRAGGLER_RANK = "straggler_rank";

    @Override
    public String detector() {
        return STRAGGLER_RANK;
    }

    /** Eight ranks on two hosts, a report each 50 steps, 2 % of noise. */
    @Override
    public Scenario healthy() {
        return run -> reports(run, 8, 40, (rank, report) -> 1);
    }

    /** Rank 5 takes 1.5 times as long in reports 13 to 30. */
    @Override
    public Scenario fault() {
        return run -> reports(run, 8, 40, (rank, report) -> rank == 5 && report > 12 && report <= 30 ? 1.5 : 1);
    }

    private interface Slowness {
        double of(int rank, int report);
    }

    private static void reports(RunStream run, int ranks, int count, Slowness slowness) {
        for (int report = 1; report <= count; report++) {
            run.steps(50);
            for (int rank = 0; rank < ranks; rank++) {
                double compute = 0.1 * (1 + run.noise(0.02)) * slowness.of(rank, report);
                says(run, rank, profile(compute));
            }
        }
    }

    private static void says(RunStream run, int rank, StepProfile profile) {
        if (rank == 0) {
            run.says(run.step(), profile);
            return;
        }
        run.ofRank(rank, event -> {
            event.setStep(run.step());
            event.setHost("node" + rank / 4);
            event.setBody(profile);
        });
    }

    private static StepProfile profile(double compute) {
        StepProfile profile = new StepProfile();
        profile.setComputeTimeSeconds(compute);
        return profile;
    }

    @Test
    void it_fires_at_the_third_slow_report_and_names_rank_and_host() {
        Judging.Episode straggler = Judging.of(fault()).only(STRAGGLER_RANK);
        assertThat(straggler.openedStep()).isEqualTo(15 * 50);
        assertThat(straggler.onsetStep()).isEqualTo(13 * 50);
        assertThat(straggler.highest()).isEqualTo(Severity.critical);
        assertThat(straggler.message())
                .matches("rank 5 on node1 computes for 0\\.1[45]\\d* s a step, 1\\.[45]\\d* times the median of the"
                        + " ranks; it was the slowest in 6 of the last 15 reports");
        // Report 30 is the last slow one, 31 to 38 are the eight quiet ones.
        assertThat(straggler.last().getResolvedStep()).isEqualTo(38 * 50);
    }

    @Test
    void a_fifth_more_is_a_warning() {
        Judging.Episode straggler = Judging.of(
                        run -> reports(run, 32, 40, (rank, report) -> rank == 17 && report > 12 ? 1.2 : 1))
                .only(STRAGGLER_RANK);
        assertThat(straggler.openedStep()).isEqualTo(15 * 50);
        assertThat(straggler.highest()).isEqualTo(Severity.warning);
    }

    @Test
    void the_last_stage_of_a_pipeline_that_has_more_to_do_is_info() {
        Judging.Episode stage = Judging.of(run -> reports(run, 16, 40, (rank, report) -> rank >= 14 ? 1.25 : 1))
                .only(STRAGGLER_RANK);
        assertThat(stage.scope()).isEqualTo("from_start");
        assertThat(stage.highest()).isEqualTo(Severity.info);
        assertThat(stage.message()).contains(", since it was first seen").contains("; so do rank 1");
    }

    @Test
    void a_rank_that_always_was_much_slower_is_a_warning() {
        Judging.Episode slow = Judging.of(run -> reports(run, 8, 40, (rank, report) -> rank == 3 ? 1.6 : 1))
                .only(STRAGGLER_RANK);
        assertThat(slow.scope()).isEmpty();
        assertThat(slow.highest()).isEqualTo(Severity.warning);
        assertThat(slow.openedStep()).isEqualTo(3 * 50);
    }

    @Test
    void two_slow_reports_of_four_are_none() {
        assertThat(Judging.of(run -> reports(
                                run, 8, 60, (rank, report) -> rank == 5 && report > 12 && report % 4 < 2 ? 1.5 : 1))
                        .episodes())
                .isEmpty();
    }

    @Test
    void a_slowest_rank_that_changes_is_uneven_data_and_info() {
        Judging.Episode rotating = Judging.of(
                        run -> reports(run, 8, 40, (rank, report) -> rank == report * 5 % 8 ? 1.6 : 1))
                .only(STRAGGLER_RANK);
        assertThat(rotating.scope()).isEqualTo("rotating");
        assertThat(rotating.highest()).isEqualTo(Severity.info);
        assertThat(rotating.message())
                .matches(
                        "the slowest rank computes 1\\.\\d+ times as long as the median of the ranks, and it is another"
                                + " one each time \\(8 ranks in the last 16 reports\\): uneven work, such as sequences of unequal"
                                + " length");
    }

    @Test
    void all_ranks_slow_is_no_straggler() {
        assertThat(Judging.of(run -> reports(run, 8, 60, (rank, report) -> report > 20 ? 3 : 1))
                        .episodes())
                .isEmpty();
    }

    @Test
    void a_thousand_noisy_ranks_have_none() {
        assertThat(Judging.of(run -> reports(run, 1024, 60, (rank, report) -> Math.exp(run.noise(0.05))))
                        .episodes())
                .isEmpty();
    }

    @Test
    void ranks_that_arrive_one_after_the_other_are_compared_step_by_step() {
        Judging.Episode straggler = Judging.of(run -> {
                    for (int batch = 0; batch < 10; batch++) {
                        run.steps(250);
                        for (int rank = 0; rank < 8; rank++) {
                            for (int report = 0; report < 5; report++) {
                                long step = 250L * batch + 50L * report;
                                // The work of a step changes, for all of them.
                                double compute = (step >= 1000 ? 2 : 1) * (rank == 6 && step >= 1500 ? 1.5 : 1);
                                run.ofRank(rank + 1, step, profile(0.1 * compute * (1 + run.noise(0.01))));
                            }
                        }
                    }
                })
                .only(STRAGGLER_RANK);
        assertThat(straggler.onsetStep()).isEqualTo(1500);
        assertThat(straggler.message()).startsWith("rank 7 computes");
    }

    @Test
    void the_section_is_named_and_stands_for_a_missing_compute_time() {
        Judging.Episode straggler = Judging.of(run -> {
                    for (int report = 1; report <= 20; report++) {
                        run.steps(50);
                        for (int rank = 0; rank < 4; rank++) {
                            StepProfile profile = new StepProfile();
                            profile.setSections(Map.of(
                                    "forward", section(0.03 * (1 + run.noise(0.002))),
                                    "backward", section(rank == 2 && report > 10 ? 0.18 : 0.06)));
                            says(run, rank, profile);
                        }
                    }
                })
                .only(STRAGGLER_RANK);
        assertThat(straggler.message())
                .matches("rank 2 on node0 computes for 0\\.2\\d* s a step, 2\\.3\\d* times the median of the ranks,"
                        + " forward (1|1\\.0\\d*|0\\.99\\d*) times, backward 3 times; it was .*");
    }

    private static SectionTime section(double seconds) {
        SectionTime section = new SectionTime();
        section.setP50Seconds(seconds);
        return section;
    }

    @Test
    void a_rank_that_dies_does_not_keep_the_others_from_being_judged() {
        Judging.Episode straggler = Judging.of(run -> {
                    reports(run, 8, 10, (rank, report) -> 1);
                    reports(run, 7, 30, (rank, report) -> rank == 5 && report > 20 ? 1.5 : 1);
                })
                .only(STRAGGLER_RANK);
        assertThat(straggler.openedStep()).isEqualTo(33 * 50);
    }

    @Test
    void a_resume_begins_new_rounds() {
        Judging judging = Judging.of(run -> {
            reports(run, 8, 20, (rank, report) -> 1);
            run.resumeAt(500);
            reports(run, 8, 20, (rank, report) -> rank == 5 && report > 3 ? 1.5 : 1);
        });
        assertThat(judging.only(STRAGGLER_RANK).openedStep()).isEqualTo(500 + 6 * 50);
    }

    @Test
    void fewer_than_four_ranks_are_not_checked() {
        Judging judging = Judging.of(run -> reports(run, 3, 40, (rank, report) -> rank == 1 ? 3 : 1));
        assertThat(judging.episodes()).isEmpty();
        assertThat(judging.notChecked(STRAGGLER_RANK))
                .isEqualTo("step_profile of at least 4 ranks at one step, 3 came");
        assertThat(Judging.of(run -> run.steps(10)).notChecked(STRAGGLER_RANK)).isEqualTo("step_profile of each rank");
    }

    @ParameterizedTest
    @ValueSource(doubles = {Double.NaN, Double.POSITIVE_INFINITY, -1, 0, 1e300})
    void times_that_make_no_sense_are_not_taken(double odd) {
        Judging judging = Judging.of(run -> reports(run, 8, 10, (rank, report) -> odd));
        assertThat(judging.episodes()).isEmpty();
        assertThat(judging.notChecked(STRAGGLER_RANK))
                .isEqualTo("step_profile.compute_time_seconds, or its sections forward and backward");
    }

    @Test
    void ranks_and_hosts_without_number_are_bounded() {
        Judging judging = Judging.of(run -> {
            run.steps(1);
            for (long step = 0; step < 20; step++) {
                for (int i = 0; i < 2000; i++) {
                    int rank = Integer.MAX_VALUE - 2000 * (int) step - i;
                    long at = step;
                    run.ofRank(rank, event -> {
                        event.setStep(at);
                        event.setHost("h".repeat(1000) + rank);
                        event.setBody(profile(rank % 7 + 1));
                    });
                }
            }
        });
        assertThat(judging.encoded()).hasSizeLessThan(3_000_000);
    }
}
