package io.trainwatch.monitor.topology;

import static org.assertj.core.api.Assertions.assertThat;

import io.trainwatch.monitor.Judging;
import io.trainwatch.monitor.run.ReferenceCurve;
import org.junit.jupiter.api.Test;

class ReferenceDeskTest {
    private final ReferenceDesk desk = new ReferenceDesk();

    @Test
    void what_one_task_asks_another_one_answers() {
        ReferenceCurve curve = Judging.of(run -> run.steps(100)).run().curve();

        assertThat(desk.ask("run", 0)).isNull();
        assertThat(desk.unanswered()).containsExactly("run");
        desk.answer(curve);
        assertThat(desk.unanswered()).isEmpty();
        assertThat(desk.ask("run", 1_000)).isSameAs(curve);
    }

    @Test
    void an_answer_that_nobody_asked_for_is_not_kept() {
        desk.answer(Judging.of(run -> run.steps(100)).run().curve());
        assertThat(desk.ask("run", 0)).isNull();
    }

    @Test
    void a_question_that_nobody_repeats_is_forgotten() {
        assertThat(desk.ask("run", 0)).isNull();
        assertThat(desk.ask("other", ReferenceDesk.FORGOTTEN_MS + 1)).isNull();
        assertThat(desk.unanswered()).containsExactly("other");
    }

    @Test
    void only_so_many_runs_are_asked_for_at_once() {
        for (int i = 0; i <= ReferenceDesk.MAX_ASKED; i++) {
            assertThat(desk.ask("run " + i, 0)).isNull();
        }
        assertThat(desk.unanswered()).hasSize(ReferenceDesk.MAX_ASKED);
    }
}
