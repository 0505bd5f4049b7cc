package io.trainwatch.monitor.topology;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class CommitPacerTest {
    private static final long MS = 1_000_000;

    private final CommitPacer pacer = new CommitPacer();

    @Test
    void the_first_alert_does_not_wait() {
        assertThat(pacer.waitNanos(-5 * MS)).isZero();
    }

    @Test
    void a_commit_is_followed_by_as_much_judging_as_it_took() {
        pacer.committing(100 * MS);
        pacer.committing(150 * MS);
        pacer.judging(400 * MS);
        assertThat(pacer.commits()).isEqualTo(1);
        assertThat(pacer.waitNanos(450 * MS)).isEqualTo(250 * MS);
        assertThat(pacer.waitNanos(700 * MS)).isZero();
    }

    @Test
    void a_fast_commit_is_followed_by_twenty_milliseconds_of_judging() {
        pacer.committing(100 * MS);
        pacer.judging(101 * MS);
        assertThat(pacer.waitNanos(101 * MS)).isEqualTo(20 * MS);
    }

    @Test
    void an_alert_right_after_a_commit_tells_that_it_ended() {
        pacer.committing(0);
        assertThat(pacer.waitNanos(30 * MS)).isEqualTo(30 * MS);
        assertThat(pacer.commits()).isEqualTo(1);
    }
}
