package io.trainwatch.monitor.topology;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;

final class CatchUpTest {
    private final CatchUp catchUp = new CatchUp();
    private final List<String> judged = new ArrayList<>();

    @Test
    void nothing_waits_at_first() {
        drain(record -> judged.add("?"));

        assertThat(catchUp.isEmpty()).isTrue();
        assertThat(judged).isEmpty();
    }

    @Test
    void runs_that_took_turns_are_judged_one_after_the_other_each_in_its_own_order() {
        for (int turn = 0; turn < 3; turn++) {
            add("a", turn);
            add("b", turn);
            add("c", turn);
        }

        drain(record -> judged.add(key(record) + record.offset()));

        assertThat(judged).containsExactlyInAnyOrder("a0", "a1", "a2", "b0", "b1", "b2", "c0", "c1", "c2");
        for (String run : List.of("a", "b", "c")) {
            int first = judged.indexOf(run + 0);
            assertThat(judged.subList(first, first + 3)).containsExactly(run + 0, run + 1, run + 2);
        }
        assertThat(catchUp.isEmpty()).isTrue();
    }

    @Test
    void it_is_full_at_its_capacity_and_keeps_the_order_of_one_run_until_then() {
        for (int i = 0; i < CatchUp.CAPACITY; i++) {
            assertThat(catchUp.isFull()).isFalse();
            add("a", i);
        }

        assertThat(catchUp.isFull()).isTrue();
        List<Long> offsets = new ArrayList<>();
        drain(record -> offsets.add(record.offset()));
        assertThat(offsets).hasSize(CatchUp.CAPACITY).isSorted();
    }

    @Test
    void it_is_full_when_large_records_take_the_memory_that_it_may_have() {
        for (int i = 0; i < 16; i++) {
            assertThat(catchUp.isFull()).isFalse();
            add("a", i, new byte[1 << 20]);
        }

        assertThat(catchUp.isFull()).isTrue();
        drain(record -> judged.add(key(record)));
        assertThat(catchUp.isFull()).isFalse();
    }

    @Test
    void what_waits_is_stale_when_nothing_came_since_the_last_look() {
        add("a", 0);

        assertThat(catchUp.isStale()).isFalse();
        add("a", 1);
        assertThat(catchUp.isStale()).isFalse();
        assertThat(catchUp.isStale()).isTrue();
    }

    @Test
    void a_judge_that_throws_ends_the_task_and_a_cleared_one_judges_nothing() {
        add("a", 0);
        assertThatThrownBy(() -> catchUp.drain(records -> {
                    throw new IllegalStateException("the broker is gone");
                }))
                .hasMessage("the broker is gone");

        add("a", 1);
        catchUp.clear();
        drain(record -> judged.add("?"));
        assertThat(judged).isEmpty();
    }

    private void drain(Consumer<EventRecord> judge) {
        catchUp.drain(records -> records.forEach(judge));
    }

    private void add(String run, long offset) {
        add(run, offset, new byte[0]);
    }

    private void add(String run, long offset, byte[] value) {
        catchUp.add(run.getBytes(StandardCharsets.UTF_8), value, 0, offset);
    }

    private static String key(EventRecord record) {
        return new String(EventRecord.copy(record.key()), StandardCharsets.UTF_8);
    }
}
