package io.trainwatch.monitor.run;

import static org.assertj.core.api.Assertions.assertThat;

import io.trainwatch.event.Heartbeat;
import io.trainwatch.event.TrainingEvent;
import io.trainwatch.monitor.stats.RoundTrip;
import java.util.HashSet;
import java.util.Set;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

final class ProducersTest {
    private final Producers producers = new Producers();

    @Test
    void an_unbroken_count_misses_nothing() {
        for (int seq = 1; seq <= 1000; seq++) {
            assertThat(accept("s", seq)).isTrue();
        }

        assertCounts(0, 0, 0);
    }

    @Test
    void a_source_that_cannot_count_misses_nothing_and_repeats_nothing() {
        assertThat(producers.accept(Events.of(new Heartbeat()))).isTrue();
        assertThat(producers.accept(Events.of(new Heartbeat()))).isTrue();

        assertCounts(0, 0, 0);
    }

    @Test
    void what_was_sent_before_the_monitor_looked_is_not_missing() {
        accept("s", 5000);
        accept("s", 5001);

        assertCounts(0, 0, 0);
    }

    @Test
    void a_number_that_came_before_is_a_duplicate() {
        accept("s", 1);
        accept("s", 2);

        assertThat(accept("s", 2)).isFalse();
        assertThat(accept("s", 1)).isFalse();
        assertCounts(2, 0, 0);
    }

    @Test
    void a_gap_is_pending_while_a_late_event_may_fill_it() {
        accept("s", 1);
        accept("s", 4);
        assertCounts(0, 0, 2);

        assertThat(accept("s", 3)).isTrue();
        assertCounts(0, 0, 1);
        assertThat(accept("s", 3)).isFalse();
        assertThat(accept("s", 2)).isTrue();
        assertCounts(1, 0, 0);
    }

    @Test
    void a_gap_is_missing_once_64_numbers_lie_behind_it() {
        accept("s", 1);
        for (int seq = 3; seq <= 65; seq++) {
            accept("s", seq);
        }
        assertCounts(0, 0, 1);

        accept("s", 66);
        assertCounts(0, 1, 0);
        assertThat(accept("s", 2)).isFalse();
        assertCounts(1, 1, 0);
    }

    @Test
    void a_gap_wider_than_the_window_is_missing_but_for_its_last_63() {
        accept("s", 1);
        accept("s", 1001);

        assertCounts(0, 999 - 63, 63);
    }

    @Test
    void the_counts_are_those_of_a_set_of_all_numbers() {
        SplittableRandom random = new SplittableRandom(1);
        Set<Long> came = new HashSet<>();
        long highest = 0;
        long duplicates = 0;
        accept("s", 0);
        came.add(0L);
        for (int i = 0; i < 20_000; i++) {
            long seq = Math.max(0, highest + random.nextInt(random.nextInt(50) == 0 ? 200 : 12) - 8);
            boolean fresh = seq > highest - 64 && came.add(seq);
            duplicates += fresh ? 0 : 1;
            highest = Math.max(highest, seq);
            assertThat(accept("s", seq)).isEqualTo(fresh);
        }
        long missing = 0;
        long pending = 0;
        for (long seq = 0; seq <= highest; seq++) {
            if (!came.contains(seq)) {
                missing += seq <= highest - 64 ? 1 : 0;
                pending += seq > highest - 64 ? 1 : 0;
            }
        }

        assertThat(missing).isPositive();
        assertCounts(duplicates, missing, pending);
    }

    @Test
    void a_new_session_an_attempt_and_a_rank_count_for_themselves() {
        accept("a", 100);
        assertThat(accept("b", 1)).isTrue();
        assertThat(producers.accept(Events.ofAttempt(1, event("b", 1)))).isTrue();
        assertThat(producers.accept(Events.ofRank(1, event("b", 1)))).isTrue();
        assertThat(accept("a", 101)).isTrue();

        assertCounts(0, 0, 0);
    }

    @Test
    void without_sessions_a_count_shared_by_all_ranks_has_no_gaps() {
        for (int seq = 0; seq < 1000; seq++) {
            assertThat(producers.accept(Events.ofRank(seq % 4, event("", seq)))).isTrue();
        }

        assertCounts(0, 0, 0);
    }

    @Test
    void without_sessions_a_count_of_each_rank_has_no_duplicates() {
        for (int seq = 0; seq < 1000; seq++) {
            for (int rank = 0; rank < 4; rank++) {
                assertThat(producers.accept(Events.ofRank(rank, event("", seq))))
                        .isTrue();
            }
        }

        assertCounts(0, 0, 0);
    }

    @Test
    void without_sessions_a_number_that_no_rank_brought_is_missing() {
        for (int seq = 0; seq < 1000; seq++) {
            if (seq != 500) {
                producers.accept(Events.ofRank(seq % 4, event("", seq)));
            }
        }

        assertCounts(0, 1, 0);
    }

    @Test
    void what_the_trainer_dropped_adds_up_over_its_sessions() {
        accept("a", 1);
        producers.dropped(event("a", 1), 3);
        producers.dropped(event("a", 1), 5);
        accept("b", 1);
        producers.dropped(event("b", 1), 2);

        assertThat(producers.droppedByTrainer()).isEqualTo(7);
    }

    @Test
    void of_more_producers_than_fit_the_one_that_was_silent_for_longest_is_forgotten() {
        accept("live", 1);
        accept("first", 1);
        accept("first", 3);
        producers.dropped(event("first", 3), 9);
        for (int i = 0; i < Producers.CAPACITY - 2; i++) {
            accept("other" + i, 1);
        }
        accept("live", 2);
        assertCounts(0, 0, 1);

        accept("one too many", 1);

        assertCounts(0, 1, 0);
        assertThat(producers.droppedByTrainer()).isEqualTo(9);
        assertThat(accept("live", 2)).isFalse();
        assertThat(accept("first", 3)).as("forgotten").isTrue();
    }

    @Test
    void a_session_is_known_by_its_first_128_characters() {
        String name = "x".repeat(Producers.MAX_SESSION);
        accept(name + "a".repeat(1_000_000), 1);

        assertThat(accept(name + "b", 1)).isFalse();
        assertThat(RoundTrip.bytes(producers)).hasSizeLessThan(250);
    }

    @Test
    void producers_that_are_read_back_continue_as_if_nothing_had_been() {
        SplittableRandom random = new SplittableRandom(2);
        Producers restored = new Producers();
        for (int i = 0; i < 3000; i++) {
            if (i % 500 == 0) {
                restored = RoundTrip.copy(producers, new Producers());
            }
            String session = random.nextInt(3) == 0 ? "" : "s" + random.nextInt(3);
            TrainingEvent event = Events.ofRank(random.nextInt(2), event(session, i / 4 + random.nextInt(10)));
            assertThat(restored.accept(event)).isEqualTo(producers.accept(event));
        }

        assertThat(producers.missing()).isPositive();
        assertThat(RoundTrip.bytes(restored)).isEqualTo(RoundTrip.bytes(producers));
    }

    private boolean accept(String session, long seq) {
        return producers.accept(event(session, seq));
    }

    private static TrainingEvent event(String session, long seq) {
        return Events.numbered(session, seq, Events.of(new Heartbeat()));
    }

    private void assertCounts(long duplicates, long missing, long pending) {
        assertThat(producers.duplicates()).as("duplicates").isEqualTo(duplicates);
        assertThat(producers.missing()).as("missing").isEqualTo(missing);
        assertThat(producers.pending()).as("pending").isEqualTo(pending);
    }
}
