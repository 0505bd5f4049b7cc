package io.trainwatch.monitor.demo;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.Arrays;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class MlpTest {
    private final SplittableRandom random = new SplittableRandom(7);

    @ParameterizedTest
    @EnumSource(Activation.class)
    void every_gradient_agrees_with_the_finite_difference_of_the_loss(Activation activation) {
        Mlp network = new Mlp(random, activation, 5, 7, 6, 4);
        Batch batch = Samples.blobs(random, 4, 5, 16, 1, 1).train();
        network.backward(batch);
        double[] gradient = network.gradient().clone();
        double h = 1e-6;
        for (int i = 0; i < gradient.length; i++) {
            double weight = network.weights()[i];
            network.weights()[i] = weight + h;
            double above = network.evaluate(batch).loss();
            network.weights()[i] = weight - h;
            double below = network.evaluate(batch).loss();
            network.weights()[i] = weight;
            assertThat(gradient[i]).as("weight %d", i).isCloseTo((above - below) / (2 * h), within(1e-7));
        }
        assertThat(Arrays.stream(gradient))
                .as("a gradient that is zero everywhere proves nothing")
                .anyMatch(slope -> Math.abs(slope) > 0.01);
    }

    @Test
    void the_loss_of_a_network_without_an_opinion_is_the_logarithm_of_the_number_of_classes() {
        Mlp network = new Mlp(random, Activation.TANH, 3, 4, 5);
        Arrays.fill(network.weights(), 0);
        Batch batch = Samples.blobs(random, 5, 3, 50, 1, 1).train();
        assertThat(network.backward(batch)).isCloseTo(Math.log(5), within(1e-12));
    }

    @ParameterizedTest
    @EnumSource(Activation.class)
    void a_weight_that_is_not_a_number_makes_the_loss_not_a_number(Activation activation) {
        Mlp network = new Mlp(random, activation, 3, 4, 2);
        network.weights()[0] = Double.NaN;
        assertThat(network.backward(Samples.blobs(random, 2, 3, 8, 1, 1).train()))
                .isNaN();
    }

    @Test
    void evaluating_leaves_the_gradient_alone() {
        Mlp network = new Mlp(random, Activation.RELU, 3, 4, 2);
        Batch batch = Samples.blobs(random, 2, 3, 8, 1, 1).train();
        network.backward(batch);
        double[] gradient = network.gradient().clone();
        network.evaluate(batch);
        assertThat(network.gradient()).containsExactly(gradient);
    }
}
