package io.trainwatch.monitor.run;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.trainwatch.monitor.stats.RoundTrip;
import org.junit.jupiter.api.Test;

class AcceleratorTimeTest {
    private static final long BEGIN_MS = 1_763_760_000_000L;

    private final AcceleratorTime time = new AcceleratorTime();

    /** A step per second. */
    private void steps(long from, long to, int attempt, long beginMs, int ranks) {
        for (long step = from; step <= to; step++) {
            time.event(beginMs + (step - from) * 1000, attempt, ranks);
            time.step(step, Double.NaN);
        }
    }

    @Test
    void it_is_unknown_where_the_log_has_no_clock() {
        steps(1, 100, 0, 946_684_800_000L, 1);

        assertThat(time.seconds(0)).isNaN();
    }

    @Test
    void without_a_clock_step_times_count_for_the_steps_since_the_point_before() {
        time.event(946_684_800_000L, 0, 4);
        time.step(10, 0.5);
        time.step(20, 0.5);

        assertThat(time.seconds(0)).isEqualTo(4 * (0.5 + 10 * 0.5));
    }

    @Test
    void it_runs_by_the_timestamps_of_all_ranks_and_for_each_of_them() {
        steps(1, 101, 0, BEGIN_MS, 8);

        assertThat(time.seconds(0)).isEqualTo(800);
        assertThat(time.seconds(2_500)).isEqualTo(820);
        assertThat(time.at(51)).isEqualTo(400);
    }

    @Test
    void between_two_attempts_nothing_is_held() {
        steps(1, 101, 0, BEGIN_MS, 1);
        steps(102, 202, 1, BEGIN_MS + 86_400_000L, 1);

        assertThat(time.seconds(0)).isEqualTo(200);
    }

    @Test
    void a_timestamp_that_went_back_costs_nothing() {
        steps(1, 101, 0, BEGIN_MS, 1);
        steps(102, 152, 0, BEGIN_MS, 1);

        assertThat(time.seconds(0)).isEqualTo(100);
    }

    @Test
    void the_time_of_a_past_step_is_interpolated_however_long_the_run() {
        steps(1, 1_000_000, 0, BEGIN_MS, 1);

        assertThat(time.at(1)).isBetween(0.0, 1.0);
        assertThat(time.at(123_456)).isCloseTo(123_455, within(2.0));
        assertThat(time.at(2_000_000)).isCloseTo(999_999, within(0.1));
    }

    @Test
    void steps_that_are_redone_cost_their_time_again() {
        steps(1, 101, 0, BEGIN_MS, 1);
        steps(51, 101, 0, BEGIN_MS + 101_000, 1);

        assertThat(time.seconds(0)).isEqualTo(151);
        assertThat(time.at(101)).isEqualTo(151);
        assertThat(time.at(50)).isEqualTo(49);
    }

    @Test
    void a_restart_changes_nothing() {
        steps(1, 300, 0, BEGIN_MS, 2);
        AcceleratorTime again = RoundTrip.copy(time, new AcceleratorTime());

        assertThat(again.seconds(0)).isEqualTo(time.seconds(0));
        assertThat(again.at(137)).isEqualTo(time.at(137));
    }
}
