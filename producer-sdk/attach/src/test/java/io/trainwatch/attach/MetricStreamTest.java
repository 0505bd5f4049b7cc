package io.trainwatch.attach;

import static org.assertj.core.api.Assertions.assertThat;

import io.trainwatch.attach.MetricStream.Happening;
import io.trainwatch.event.StepCompleted;
import java.util.List;
import org.junit.jupiter.api.Test;

class MetricStreamTest {
    private final MetricStream numbers = new MetricStream(0);

    @Test
    void a_step_without_numbers_is_none() {
        assertThat(numbers.complete(1L)).isEmpty();

        numbers.put("eval_runtime", 3);
        numbers.put("epoch", 1);
        assertThat(numbers.complete(1L)).isEmpty();
        assertThat(numbers.isEmpty()).isTrue();
    }

    @Test
    void metrics_that_come_late_are_of_the_latest_step_and_a_loss_that_goes_back_is_a_resume() {
        numbers.put("loss", 1);
        numbers.complete(10L);

        numbers.put("accuracy", 0.5);
        assertThat(numbers.complete(4L)).extracting(Happening::step).containsExactly(10L);
        numbers.put("loss", 1);
        assertThat(numbers.complete(4L)).extracting(Happening::step).containsExactly(4L);
    }

    @Test
    void where_nobody_gives_a_step_a_number_may_and_else_it_is_the_next_one() {
        numbers.put("loss", 1);
        assertThat(numbers.complete(null)).extracting(Happening::step).containsExactly(1L);
        numbers.put("loss", 1);
        numbers.put("global_step", 70);
        assertThat(numbers.complete(null)).extracting(Happening::step).containsExactly(70L);
    }

    @Test
    void the_summary_of_hugging_face_is_left_out_and_the_step_beside_it_is_told() {
        numbers.put("loss", 1.5);
        numbers.put("train_loss", 9);
        numbers.put("train_runtime", 3);
        numbers.put("total_flos", 1e9);

        List<Happening> told = numbers.complete(20L);

        assertThat(told).singleElement().satisfies(happening -> {
            StepCompleted step = (StepCompleted) happening.body();
            assertThat(step.getLoss()).isEqualTo(1.5);
            assertThat(step.getLosses()).isNull();
            assertThat(step.getMetrics()).isNull();
        });
    }
}
