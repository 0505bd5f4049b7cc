package io.trainwatch.monitor.detect;

import static org.assertj.core.api.Assertions.assertThat;

import io.trainwatch.alert.Severity;
import io.trainwatch.event.StepCompleted;
import io.trainwatch.event.StepProfile;
import io.trainwatch.monitor.Judging;
import io.trainwatch.monitor.Noise;
import io.trainwatch.monitor.RunStream;
import io.trainwatch.monitor.RunStream.Scenario;
import java.util.function.LongToDoubleFunction;
import java.util.function.ObjLongConsumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class ThroughputDropTest implements DetectorContract {
    private static final String THROUGHPUT_DROP = "throughput_drop";

    @Override
    public String detector() {
        return THROUGHPUT_DROP;
    }

    /** Two slow first steps, 3 % of noise, and a new shard each 190 steps. */
    @Override
    public Scenario healthy() {
        return run -> run.steps(3000, timed(run, step -> 1));
    }

    /** The drop of BLOOM-176B, 105.2 to 111.1 s, for 1,000 steps. */
    @Override
    public Scenario fault() {
        return run -> run.steps(3000, timed(run, step -> step > 1000 && step <= 2000 ? 111.1 / 105.2 : 1));
    }

    private static ObjLongConsumer<StepCompleted> timed(RunStream run, LongToDoubleFunction slower) {
        return (body, step) -> {
            double pause = step <= 2 ? 30 : step % 190 == 0 ? 8 : 1;
            body.setStepTimeSeconds(2 * pause * slower.applyAsDouble(step) * Math.exp(run.noise(0.03)));
        };
    }

    private static ObjLongConsumer<StepCompleted> lasting(LongToDoubleFunction seconds) {
        return (body, step) -> body.setStepTimeSeconds(seconds.applyAsDouble(step));
    }

    @Test
    void five_and_a_half_percent_are_found_within_two_hundred_steps() {
        Judging.Episode drop = Judging.of(fault()).only(THROUGHPUT_DROP);
        assertThat(drop.onsetStep()).isBetween(993L, 1009L);
        assertThat(drop.openedStep()).isBetween(1060L, 1200L);
        assertThat(drop.highest()).isEqualTo(Severity.warning);
        assertThat(drop.message())
                .matches("step time is 2\\.1\\d* s since step (99|100)\\d, [12]\\.[09]\\d* s before"
                        + " \\(\\+5\\.\\d+ %\\); [\\d.]+ s lost so far");
        assertThat(drop.resolved()).isTrue();
    }

    @Test
    void a_quarter_of_the_time_more_is_a_warning_and_a_half_critical_once_a_minute_is_lost() {
        Judging.Episode quarter = Judging.of(run -> run.steps(1000, lasting(step -> step > 500 ? 2.5 : 2)))
                .only(THROUGHPUT_DROP);
        assertThat(quarter.highest()).isEqualTo(Severity.warning);
        Judging.Episode half = Judging.of(run -> run.steps(1000, lasting(step -> step > 512 ? 3 : 2)))
                .only(THROUGHPUT_DROP);
        // With four blocks the median of eight is half of the way up, with eight it is slow for the fifth time.
        assertThat(half.openedStep()).isEqualTo(512 + 8 * 16);
        assertThat(half.onsetStep()).isEqualTo(513);
        assertThat(half.highest()).isEqualTo(Severity.critical);
        assertThat(half.message()).isEqualTo("step time is 3 s since step 513, 2 s before (+50 %); 128 s lost so far");
    }

    @Test
    void a_drop_that_has_cost_less_than_ten_seconds_is_info_until_it_has() {
        Judging.Episode drop = Judging.of(run -> run.steps(3000, lasting(step -> step > 512 ? 0.012 : 0.01)))
                .only(THROUGHPUT_DROP);
        assertThat(drop.openedStep()).isEqualTo(512 + 8 * 16);
        assertThat(drop.highest()).isEqualTo(Severity.info);
        Judging.Episode longer = Judging.of(run -> run.steps(3000, lasting(step -> step > 512 ? 0.06 : 0.05)))
                .only(THROUGHPUT_DROP);
        assertThat(longer.first().getSeverity()).isEqualTo(Severity.info);
        assertThat(longer.stepOf(Severity.warning)).isEqualTo(512 + 63 * 16);
    }

    @ParameterizedTest
    @EnumSource(Noise.class)
    void noise_of_any_kind_is_none(Noise kind) {
        LongToDoubleFunction noise = kind.seeded(7);
        assertThat(Judging.of(run -> run.steps(
                                20_000, lasting(step -> 2 * Math.max(0.5, 1 + 0.1 * noise.applyAsDouble(step)))))
                        .alarms(THROUGHPUT_DROP))
                .isEmpty();
    }

    @Test
    void a_machine_that_is_shared_has_a_larger_limit() {
        assertThat(Judging.of(run -> run.steps(
                                20_000,
                                lasting(step -> 2 * (step / 100 % 3 == 0 ? 1.6 : 1) * Math.exp(run.noise(0.1)))))
                        .alarms())
                .isEmpty();
    }

    @Test
    void neighbours_that_came_and_went_teach_how_long_they_stay() {
        Judging.Episode drop = Judging.of(run -> run.steps(
                        8000, lasting(step -> step > 5504 || (step % 1000 >= 900 && step % 1000 < 1000) ? 3 : 2)))
                .only(THROUGHPUT_DROP);
        assertThat(drop.onsetStep()).isEqualTo(5505);
        // Neighbours that stayed for 100 steps were seen for 7 blocks, which are being forgotten.
        assertThat(drop.openedStep()).isEqualTo(5504 + (3 + 33) * 16);
    }

    @Test
    void larger_batches_take_longer_and_are_no_drop_where_samples_are_counted() {
        ObjLongConsumer<StepCompleted> grows = (body, step) -> {
            long samples = step <= 1000 ? 32 * step : 32_000 + 64 * (step - 1000);
            body.setSamplesSeen(samples);
            body.setStepTimeSeconds(step <= 1000 ? 1.0 : 2.4);
        };
        assertThat(Judging.of(run -> run.steps(2000, grows)).episodes()).isEmpty();
        assertThat(Judging.of(run -> run.steps(2000, (body, step) -> {
                            grows.accept(body, step);
                            body.setSamplesSeen(null);
                        }))
                        .only(THROUGHPUT_DROP)
                        .highest())
                .isEqualTo(Severity.critical);
    }

    @Test
    void batches_of_unequal_length_hide_no_drop_where_tokens_are_counted() {
        long[] seen = {0};
        Judging.Episode drop = Judging.of(run -> run.steps(2000, (body, step) -> {
                    long tokens = Math.round(1000 * Math.exp(run.noise(0.3)));
                    seen[0] += tokens;
                    body.setNumInputTokensSeen(seen[0]);
                    body.setStepTimeSeconds(tokens / (step > 1008 ? 450.0 : 500.0));
                }))
                .only(THROUGHPUT_DROP);
        // The first step has no step before it to count from.
        assertThat(drop.onsetStep()).isEqualTo(1010);
        assertThat(drop.openedStep()).isEqualTo(1009 + 128);
        assertThat(drop.message())
                .startsWith(
                        "step time for each token or sample is 0.002222 s since step 1010, 0.002 s before (+11.1 %)");
    }

    @Test
    void a_declared_phase_begins_a_new_reference() {
        assertThat(Judging.of(run -> run.steps(1000, lasting(step -> 1))
                                .phaseChanged("sequence_length")
                                .steps(1000, lasting(step -> 3)))
                        .episodes())
                .isEmpty();
    }

    @Test
    void a_resume_settles_and_is_compared_with_what_was() {
        Judging.Episode slower = Judging.of(run -> run.steps(1000, lasting(step -> 2))
                        .restartAt(900)
                        .steps(16, lasting(step -> 60))
                        .steps(300, lasting(step -> 2.5)))
                .only(THROUGHPUT_DROP);
        assertThat(slower.onsetStep()).isEqualTo(917);
        assertThat(slower.openedStep()).isEqualTo(916 + 128);
    }

    @Test
    void rates_are_judged_where_there_is_no_step_time() {
        Judging.Episode drop = Judging.of(
                        run -> run.steps(1000, (body, step) -> body.setTokensPerSecond(step > 512 ? 4000.0 : 5000.0)))
                .only(THROUGHPUT_DROP);
        assertThat(drop.openedStep()).isEqualTo(512 + 128);
        // A second passes between two events, a fifth of it is lost.
        assertThat(drop.message())
                .isEqualTo("time per token is 0.00025 s since step 513, 0.0002 s before (+25 %); 25.6 s lost so far");
        assertThat(drop.highest()).isEqualTo(Severity.warning);
    }

    @Test
    void profiles_are_judged_where_steps_have_no_time() {
        Judging.Episode drop = Judging.of(run -> {
                    for (int report = 1; report <= 600; report++) {
                        StepProfile profile = new StepProfile();
                        profile.setStepTimeSeconds(report > 400 ? 3.0 : 2.0);
                        run.steps(10).says(run.step(), profile);
                    }
                })
                .only(THROUGHPUT_DROP);
        assertThat(drop.openedStep()).isEqualTo(5280);
        assertThat(drop.onsetStep()).isEqualTo(4010);
    }

    @Test
    void pauses_that_begin_to_cost_more_than_a_twentieth_are_a_warning_at_the_second_five_hundred() {
        Judging.Episode pauses = Judging.of(run ->
                        run.steps(4000, lasting(step -> step > 1500 && step % 100 == 0 ? 20 : step % 190 == 0 ? 6 : 2)))
                .only(THROUGHPUT_DROP);
        assertThat(pauses.scope()).isEqualTo("pauses");
        assertThat(pauses.highest()).isEqualTo(Severity.warning);
        assertThat(pauses.openedStep()).isEqualTo(336 + 500 * 4);
        assertThat(pauses.message())
                .matches("8\\.\\d+ % of the time goes into 7 of the last 500 steps that took more than twice as long as"
                        + " usual \\(\\d+ s\\), one in 6\\d\\.?\\d*");
    }

    @Test
    void pauses_that_a_run_always_had_are_info() {
        Judging.Episode pauses = Judging.of(run -> run.steps(3000, lasting(step -> step % 100 == 0 ? 20 : 2)))
                .only(THROUGHPUT_DROP);
        assertThat(pauses.highest()).isEqualTo(Severity.info);
        assertThat(pauses.message())
                .isEqualTo("8.26 % of the time goes into 5 of the last 500 steps that took more than twice as long as"
                        + " usual (90 s), one in 100");
    }

    @Test
    void pauses_that_are_declared_are_none() {
        assertThat(Judging.of(run -> {
                            for (int i = 0; i < 30; i++) {
                                run.steps(99, lasting(step -> 2))
                                        .evaluation(1.5)
                                        .steps(1, lasting(step -> 20));
                            }
                        })
                        .episodes(THROUGHPUT_DROP))
                .isEmpty();
    }

    @Test
    void an_idle_device_and_memory_that_grows_are_info() {
        Judging judging = Judging.of(run -> {
            for (int report = 1; report <= 60; report++) {
                StepProfile profile = new StepProfile();
                profile.setGpuUtilizationFraction(0.5);
                profile.setGpuMemoryUsedBytes(20_000_000_000L + (report > 30 ? 6_000_000_000L : 0));
                profile.setGpuMemoryTotalBytes(80_000_000_000L);
                run.steps(10).says(run.step(), profile);
            }
        });
        assertThat(judging.alarms()).isEmpty();
        assertThat(judging.episodes(THROUGHPUT_DROP))
                .extracting(Judging.Episode::message)
                .containsExactly(
                        "device memory has grown from 25 % at step 200 to 32.5 %",
                        "the device was less than 70 % busy in 100 % of 50 reports and less than 10 % in 0 %; most of its"
                                + " memory is free, so a larger batch may fit");
    }

    @ParameterizedTest
    @ValueSource(doubles = {Double.NaN, Double.POSITIVE_INFINITY, -1, 0, 1e300, Double.MIN_VALUE})
    void times_that_make_no_sense_are_not_taken(double odd) {
        Judging judging = Judging.of(run -> run.steps(1000, (body, step) -> {
            body.setStepTimeSeconds(odd);
            body.setTokensPerSecond(odd);
            body.setSamplesPerSecond(odd);
            body.setSamplesSeen(Long.MIN_VALUE + step);
        }));
        assertThat(judging.episodes(THROUGHPUT_DROP)).isEmpty();
        assertThat(judging.notChecked(THROUGHPUT_DROP))
                .isEqualTo(
                        "step_completed.step_time_seconds, tokens_per_second or samples_per_second, or step_profile");
    }

    @Test
    void too_few_points_are_not_checked() {
        assertThat(Judging.of(run -> run.steps(335, lasting(step -> 1))).notChecked(THROUGHPUT_DROP))
                .isEqualTo("336 points of step time under one condition");
        assertThat(Judging.of(run -> run.steps(336, lasting(step -> 1))).notChecked(THROUGHPUT_DROP))
                .isEmpty();
    }
}
