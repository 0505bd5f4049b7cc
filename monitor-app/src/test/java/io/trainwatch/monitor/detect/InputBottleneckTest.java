package io.trainwatch.monitor.detect;

import static org.assertj.core.api.Assertions.assertThat;

import io.trainwatch.alert.Severity;
import io.trainwatch.event.SectionTime;
import io.trainwatch.event.StepCompleted;
import io.trainwatch.event.StepProfile;
import io.trainwatch.monitor.Judging;
import io.trainwatch.monitor.RunStream.Scenario;
import java.util.Map;
import java.util.function.ObjLongConsumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class InputBottleneckTest implements DetectorContract {
    private static final String INPUT_BOTTLENECK = "input_bottleneck";

    @Override
    public String detector() {
        return INPUT_BOTTLENECK;
    }

    @Override
    public Scenario healthy() {
        return run -> run.steps(1000, waiting(0.2));
    }

    /** Three fifths of each step go into the loader, for 600 steps. */
    @Override
    public Scenario fault() {
        return run -> run.steps(300, waiting(0.2)).steps(600, waiting(0.6)).steps(300, waiting(0.2));
    }

    private static ObjLongConsumer<StepCompleted> waiting(double share) {
        return waiting(0.25, share);
    }

    private static ObjLongConsumer<StepCompleted> waiting(double seconds, double share) {
        return (body, step) -> {
            body.setStepTimeSeconds(seconds);
            body.setDataTimeSeconds(share * seconds);
        };
    }

    private static StepProfile profile(double seconds, double share, Double busy) {
        SectionTime loading = new SectionTime();
        loading.setP50Seconds(share * seconds);
        loading.setCount(50L);
        StepProfile profile = new StepProfile();
        profile.setStepTimeSeconds(seconds);
        profile.setSections(Map.of("data_loading", loading));
        profile.setGpuUtilizationFraction(busy);
        return profile;
    }

    @Test
    void it_fires_when_two_medians_over_a_hundred_steps_are_over() {
        Judging.Episode waits = Judging.of(fault()).only(INPUT_BOTTLENECK);
        // Steps 301 to 400 and 351 to 450; half of 251 to 350 is not more than half.
        assertThat(waits.openedStep()).isEqualTo(450);
        assertThat(waits.onsetStep()).isEqualTo(301);
        assertThat(waits.highest()).isEqualTo(Severity.warning);
        assertThat(waits.message()).isEqualTo("rank 0 waits for data in 60 % of each step of 0.25 s since step 301");
        // Steps 851 to 950 are the first that are not over, 1001 to 1100 the fourth.
        assertThat(waits.last().getResolvedStep()).isEqualTo(1100);
    }

    @Test
    void less_than_half_of_the_steps_is_no_bottleneck_however_long_they_wait() {
        assertThat(Judging.of(run -> run.steps(
                                2000,
                                (body, step) ->
                                        waiting(step % 5 < 2 ? 0.95 : 0.1).accept(body, step)))
                        .episodes())
                .isEmpty();
    }

    @Test
    void a_hundred_slow_steps_are_over_once_and_not_twice() {
        assertThat(Judging.of(run -> run.steps(300, waiting(0.2))
                                .steps(100, waiting(0.9))
                                .steps(300, waiting(0.2)))
                        .episodes(INPUT_BOTTLENECK))
                .isEmpty();
    }

    @Test
    void steps_shorter_than_five_milliseconds_are_info() {
        Judging.Episode waits =
                Judging.of(run -> run.steps(300, waiting(0.004, 0.6))).only(INPUT_BOTTLENECK);
        assertThat(waits.openedStep()).isEqualTo(150);
        assertThat(waits.highest()).isEqualTo(Severity.info);
        assertThat(waits.message()).endsWith("; at steps this short it may be the fixed cost of a batch");
    }

    @Test
    void first_steps_do_not_count() {
        assertThat(Judging.of(run -> run.steps(400, (body, step) -> {
                            boolean first = step % 4 != 0;
                            body.setIsFirstStep(first);
                            waiting(first ? 0.9 : 0.1).accept(body, step);
                        }))
                        .episodes(INPUT_BOTTLENECK))
                .isEmpty();
    }

    @Test
    void a_mean_over_steps_counts_as_so_many() {
        Judging.Episode waits = Judging.of(run -> run.loggedEvery(10).steps(40, (body, step) -> {
                    body.setWindowSteps(10);
                    waiting(step <= 100 ? 0.2 : 0.6).accept(body, step);
                }))
                .only(INPUT_BOTTLENECK);
        assertThat(waits.openedStep()).isEqualTo(250);
    }

    @Test
    void one_rank_that_waits_makes_all_of_them_wait() {
        Judging.Episode waits = Judging.of(run -> {
                    for (int report = 1; report <= 20; report++) {
                        run.steps(50);
                        for (int rank = 1; rank < 8; rank++) {
                            double share = rank == 5 && report > 10 ? 0.5 : 0.02;
                            run.ofRank(rank, run.step(), profile(0.5, share, null));
                        }
                    }
                })
                .only(INPUT_BOTTLENECK);
        assertThat(waits.openedStep()).isEqualTo(13 * 50);
        assertThat(waits.onsetStep()).isEqualTo(11 * 50);
        assertThat(waits.message()).isEqualTo("rank 5 waits for data in 50 % of each step of 0.5 s since step 550");
        assertThat(waits.last().getState().name()).isNotEqualTo("resolved");
    }

    @Test
    void a_smaller_share_beside_an_idle_device_is_info() {
        Judging.Episode idle = Judging.of(run -> {
                    for (int report = 1; report <= 10; report++) {
                        run.steps(50).says(run.step(), profile(0.5, 0.2, 0.4));
                    }
                })
                .only(INPUT_BOTTLENECK);
        assertThat(idle.scope()).isEqualTo("gpu_utilization");
        assertThat(idle.highest()).isEqualTo(Severity.info);
        assertThat(idle.message())
                .isEqualTo("rank 0 waits for data in 20 % of each step, and its device is busy for 40 % of the time");
        assertThat(Judging.of(run -> {
                            for (int report = 1; report <= 10; report++) {
                                run.steps(50).says(run.step(), profile(0.5, 0.2, 0.9));
                            }
                        })
                        .episodes())
                .isEmpty();
    }

    @ParameterizedTest
    @ValueSource(doubles = {Double.NaN, Double.POSITIVE_INFINITY, -1, 0})
    void times_that_make_no_sense_are_not_taken(double odd) {
        Judging judging = Judging.of(run -> run.steps(300, (body, step) -> {
            body.setStepTimeSeconds(odd);
            body.setDataTimeSeconds(odd == 0 ? -1 : odd);
        }));
        assertThat(judging.episodes(INPUT_BOTTLENECK)).isEmpty();
        assertThat(judging.notChecked(INPUT_BOTTLENECK))
                .isEqualTo("step_completed.data_time_seconds beside step_time_seconds,"
                        + " or step_profile with section data_loading");
    }

    @Test
    void ranks_without_number_are_bounded() {
        Judging judging = Judging.of(run -> {
            run.steps(1);
            for (int i = 0; i < 20_000; i++) {
                run.ofRank(Integer.MAX_VALUE - i, 1, profile(0.5, 0.9, 0.1));
                run.ofRank(-1 - i, 1, profile(0.5, 0.9, 0.1));
            }
        });
        assertThat(judging.encoded()).hasSizeLessThan(2_000_000);
    }

    @Test
    void it_explains_a_throughput_that_drops_after_it() {
        Judging judging = Judging.of(run ->
                run.steps(600, waiting(1, 0.05)).steps(300, waiting(1, 0.5)).steps(400, waiting(2.5, 0.8)));
        assertThat(judging.only(INPUT_BOTTLENECK).highest()).isEqualTo(Severity.warning);
        assertThat(judging.only("throughput_drop").highest()).isEqualTo(Severity.info);
        assertThat(judging.only("throughput_drop").last().getSuppressedBy()).isEqualTo(INPUT_BOTTLENECK);
    }
}
