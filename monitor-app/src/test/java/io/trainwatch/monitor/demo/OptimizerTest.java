package io.trainwatch.monitor.demo;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import org.junit.jupiter.api.Test;

class OptimizerTest {

    @Test
    void sgd_without_momentum_steps_down_the_gradient() {
        double[] weights = {1, 2};
        Optimizer.sgd(0).update(weights, new double[] {10, -10}, 0.1);
        assertThat(weights).containsExactly(0, 3);
    }

    @Test
    void momentum_carries_earlier_gradients_on() {
        double[] weights = {0};
        Optimizer sgd = Optimizer.sgd(0.5);
        sgd.update(weights, new double[] {1}, 1);
        sgd.update(weights, new double[] {1}, 1);
        assertThat(weights[0]).isCloseTo(-2.5, within(1e-12));
    }

    @Test
    void the_first_steps_of_adam_are_as_long_as_the_learning_rate_whatever_the_gradient() {
        double[] weights = {0, 0};
        Optimizer adam = Optimizer.adam();
        adam.update(weights, new double[] {1e-3, -1e3}, 0.1);
        assertThat(weights[0]).isCloseTo(-0.1, within(1e-5));
        assertThat(weights[1]).isCloseTo(0.1, within(1e-5));
        adam.update(weights, new double[] {1e-3, -1e3}, 0.1);
        assertThat(weights[1]).isCloseTo(0.2, within(1e-5));
    }
}
