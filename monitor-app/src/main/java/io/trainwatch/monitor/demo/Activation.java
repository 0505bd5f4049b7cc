package io.trainwatch.monitor.demo;

/** What a hidden unit does with its weighted sum. */
enum Activation {
    RELU {
        @Override
        double of(double sum) {
            return Math.max(0, sum);
        }

        @Override
        double slopeAt(double output) {
            return output > 0 ? 1 : 0;
        }
    },
    /** Never dies: a slope of 0.01 below zero. */
    LEAKY_RELU {
        @Override
        double of(double sum) {
            return sum > 0 ? sum : 0.01 * sum;
        }

        @Override
        double slopeAt(double output) {
            return output > 0 ? 1 : 0.01;
        }
    },
    TANH {
        @Override
        double of(double sum) {
            return Math.tanh(sum);
        }

        @Override
        double slopeAt(double output) {
            return 1 - output * output;
        }
    };

    /** NaN stays NaN, as on any accelerator. */
    abstract double of(double sum);

    /** The derivative, from the output alone, which back-propagation has at hand. */
    abstract double slopeAt(double output);
}
