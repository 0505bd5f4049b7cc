package io.trainwatch.monitor.demo;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import org.junit.jupiter.api.Test;

class ScheduleTest {

    @Test
    void a_cosine_warms_up_to_its_peak_falls_to_zero_and_stays_there() {
        Schedule cosine = Schedule.warmupCosine(1, 100, 1_100);
        assertThat(cosine.at(1)).isEqualTo(0.01);
        assertThat(cosine.at(100)).isEqualTo(1);
        assertThat(cosine.at(600)).isCloseTo(0.5, within(1e-12));
        assertThat(cosine.at(1_100)).isZero();
        assertThat(cosine.at(5_000)).isZero();
    }

    @Test
    void a_stepwise_schedule_multiplies_after_every_so_many_steps() {
        Schedule stepwise = Schedule.stepwise(8, 10, 0.5);
        assertThat(stepwise.at(10)).isEqualTo(8);
        assertThat(stepwise.at(11)).isEqualTo(4);
        assertThat(stepwise.at(21)).isEqualTo(2);
    }
}
