package io.trainwatch.monitor.run;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

final class MetricProfileTest {

    @ParameterizedTest
    @CsvSource({
        ", , SUPERVISED",
        ", classification, SUPERVISED",
        ", gan, GAN",
        ", Adversarial, GAN",
        ", reinforcement_learning, RL",
        "RL, , RL",
        "contrastive, , CONTRASTIVE",
        "custom, gan, CUSTOM",
        "supervised, rl, SUPERVISED",
    })
    void the_declared_profile_counts_and_the_task_where_there_is_none(
            String declared, String task, MetricProfile expected) {
        assertThat(MetricProfile.of(declared, task)).isEqualTo(expected);
    }

    @Test
    void the_loss_falls_in_supervised_and_contrastive_training_alone() {
        assertThat(MetricProfile.values())
                .filteredOn(MetricProfile::lossFallsWhenHealthy)
                .containsExactly(MetricProfile.SUPERVISED, MetricProfile.CONTRASTIVE);
    }
}
