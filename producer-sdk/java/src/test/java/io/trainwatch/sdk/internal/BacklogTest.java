package io.trainwatch.sdk.internal;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class BacklogTest {
    private static Outgoing event(int id, Importance importance) {
        return new Outgoing(new byte[] {(byte) id}, importance, 0);
    }

    private static List<Integer> drain(Backlog backlog) {
        List<Integer> ids = new ArrayList<>();
        for (Outgoing next = backlog.poll(); next != null; next = backlog.poll()) {
            ids.add((int) next.bytes[0]);
        }
        return ids;
    }

    @Test
    void events_of_every_importance_leave_in_the_order_in_which_they_came() {
        Backlog backlog = new Backlog(10, 1_000);
        backlog.add(event(1, Importance.BOUNDARY));
        backlog.add(event(2, Importance.ROUTINE));
        backlog.add(event(3, Importance.ALARMING));
        backlog.add(event(4, Importance.ROUTINE));
        assertThat(drain(backlog)).containsExactly(1, 2, 3, 4);
        assertThat(backlog.dropped()).isZero();
    }

    @Test
    void a_queue_that_is_full_drops_the_oldest_step_and_counts_it() {
        Backlog backlog = new Backlog(4, 1_000);
        backlog.add(event(1, Importance.BOUNDARY));
        backlog.add(event(2, Importance.NOTABLE));
        backlog.add(event(3, Importance.ROUTINE));
        backlog.add(event(4, Importance.ROUTINE));
        backlog.add(event(5, Importance.ALARMING));
        assertThat(backlog.dropped()).isEqualTo(1);
        backlog.add(event(6, Importance.ALARMING));
        backlog.add(event(7, Importance.ALARMING));
        // A plain step that finds nothing less important is the one that goes.
        backlog.add(event(8, Importance.ROUTINE));
        assertThat(backlog.dropped()).isEqualTo(4);
        assertThat(drain(backlog)).containsExactly(1, 5, 6, 7);
    }

    @Test
    void bytes_are_bounded_too() {
        Backlog backlog = new Backlog(1_000, 10);
        backlog.add(new Outgoing(new byte[6], Importance.ROUTINE, 0));
        backlog.add(new Outgoing(new byte[6], Importance.ROUTINE, 0));
        assertThat(backlog.size()).isEqualTo(1);
        assertThat(backlog.dropped()).isEqualTo(1);
    }
}
