package io.trainwatch.monitor.notify;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Optional;
import org.junit.jupiter.api.Test;

/** When a monitor says of itself that it does not judge, or not in time. */
class PulseTest {
    private static final long SECOND = 1_000;
    private static final long MINUTE = 60 * SECOND;

    private Optional<String> trouble = Optional.empty();
    private long judged;
    private long waiting;
    private final Pulse pulse = new Pulse(() -> trouble, () -> judged, () -> waiting);

    @Test
    void a_monitor_with_nothing_to_judge_is_well_however_long() {
        assertQuiet(0, 60 * MINUTE);
    }

    @Test
    void events_that_wait_while_others_are_judged_are_well() {
        waiting = 900;
        for (long now = 0; now < 20 * MINUTE; now += SECOND) {
            judged++;
            assertThat(pulse.failing(now)).isEmpty();
            assertThat(pulse.behind(now)).isEmpty();
        }
    }

    @Test
    void events_that_wait_for_a_minute_without_one_being_judged_are_a_failure_until_one_is() {
        judged = 5;
        waiting = 1;
        assertQuiet(0, MINUTE - SECOND);

        assertThat(pulse.failing(MINUTE)).hasValue("1 event waits, and none has been judged for 60 s.");
        judged++;
        assertThat(pulse.failing(MINUTE + SECOND)).isEmpty();
    }

    @Test
    void what_is_in_the_way_is_a_failure_at_once() {
        trouble = Optional.of("The brokers have not answered for 11 s.");

        assertThat(pulse.failing(0)).isEqualTo(trouble);
    }

    @Test
    void more_than_a_minute_of_work_that_waits_for_five_minutes_is_late_until_it_is_less() {
        // 100 a second are judged: 6,000 are a minute of work.
        waiting = 6_500;
        long now = 0;
        for (; now < 5 * MINUTE; now += SECOND) {
            assertThat(pulse.behind(now)).as("at %d s", now / SECOND).isEmpty();
            judged += 100;
        }
        // It had no pace in the first second.
        now = advance(now, 10 * SECOND);
        assertThat(pulse.behind(now))
                .hasValue("6,500 events wait to be judged, and 100 were judged each second of the last 5 minutes.");
        assertThat(pulse.failing(now)).isEmpty();

        waiting = 5_500;
        assertThat(pulse.behind(now)).isEmpty();
        // It takes five minutes again.
        waiting = 6_500;
        assertThat(pulse.behind(now)).isEmpty();
    }

    @Test
    void a_monitor_that_does_not_judge_at_all_is_not_late_besides() {
        waiting = 1_000_000;
        for (long now = 0; now < 10 * MINUTE; now += SECOND) {
            assertThat(pulse.behind(now)).isEmpty();
        }
        assertThat(pulse.failing(10 * MINUTE)).isPresent();
    }

    private long advance(long from, long by) {
        for (long now = from; now < from + by; now += SECOND) {
            judged += 100;
            pulse.behind(now);
        }
        return from + by;
    }

    private void assertQuiet(long from, long to) {
        for (long now = from; now <= to; now += SECOND) {
            assertThat(pulse.failing(now)).isEmpty();
            assertThat(pulse.behind(now)).isEmpty();
        }
    }
}
