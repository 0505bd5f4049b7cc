package io.trainwatch.monitor.topology;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class CommitPacerTest {
    private static final long MS = 1_000_000;

    private final CommitPacer pacer = new CommitPacer();

    @Test
    void the_first_alert_does_not_wait() {
        assertThat(pacer.waitNanos(-5 * MS, false)).isZero();
        assertThat(pacer.waitNanos(-5 * MS, true)).isZero();
    }

    @Test
    void an_alert_does_not_wait_because_of_a_commit_that_nobody_asked_for_however_long_ago_it_was() {
        pacer.committing(0);
        assertThat(pacer.waitNanos(4_900 * MS, true)).isNotPositive();
        assertThat(pacer.commits()).isZero();
    }

    @Test
    void a_commit_at_the_interval_says_nothing_of_how_long_the_next_one_that_is_asked_for_took() {
        pacer.committing(0);
        pacer.asked();
        pacer.committing(4_900 * MS);
        pacer.judging(4_910 * MS);
        assertThat(pacer.waitNanos(4_910 * MS, true)).isEqualTo(1_000 * MS);
        pacer.committing(5_000 * MS);
        assertThat(pacer.waitNanos(9_000 * MS, true)).isNotPositive();
    }

    @Test
    void a_commit_is_followed_by_as_much_judging_as_it_took() {
        pacer.asked();
        pacer.committing(1_000 * MS);
        pacer.committing(1_500 * MS);
        pacer.judging(4_000 * MS);
        assertThat(pacer.commits()).isEqualTo(1);
        assertThat(pacer.waitNanos(4_500 * MS, true)).isEqualTo(2_500 * MS);
        assertThat(pacer.waitNanos(7_000 * MS, true)).isZero();
    }

    @Test
    void where_nothing_is_behind_the_next_commit_waits_for_five_milliseconds_alone() {
        pacer.asked();
        pacer.committing(100 * MS);
        pacer.judging(400 * MS);
        assertThat(pacer.waitNanos(401 * MS, false)).isEqualTo(4 * MS);
        assertThat(pacer.waitNanos(405 * MS, false)).isZero();
    }

    @Test
    void a_fast_commit_is_followed_by_a_second_of_judging() {
        pacer.asked();
        pacer.committing(100 * MS);
        pacer.judging(101 * MS);
        assertThat(pacer.waitNanos(101 * MS, true)).isEqualTo(1_000 * MS);
    }

    @Test
    void an_alert_right_after_a_commit_tells_that_it_ended() {
        pacer.asked();
        pacer.committing(0);
        assertThat(pacer.waitNanos(3_000 * MS, true)).isEqualTo(3_000 * MS);
        assertThat(pacer.commits()).isEqualTo(1);
    }
}
