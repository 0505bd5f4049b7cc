package io.trainwatch.monitor.demo;

/** Changes weights by their gradient. Keeps the history that it needs, so each training has its own. */
interface Optimizer {

    /** Takes one step down the gradient. */
    void update(double[] weights, double[] gradient, double learningRate);

    /** Its usual name: "sgd", "adam". */
    String name();

    /** Stochastic gradient descent with momentum: v = momentum v + g, w = w - rate v. */
    static Optimizer sgd(double momentum) {
        return new Optimizer() {
            private double[] velocity = new double[0];

            @Override
            public void update(double[] weights, double[] gradient, double learningRate) {
                if (velocity.length == 0) {
                    velocity = new double[weights.length];
                }
                for (int i = 0; i < weights.length; i++) {
                    velocity[i] = momentum * velocity[i] + gradient[i];
                    weights[i] -= learningRate * velocity[i];
                }
            }

            @Override
            public String name() {
                return "sgd";
            }
        };
    }

    /** Adam with the constants of Kingma and Ba: 0.9, 0.999, 1e-8. */
    static Optimizer adam() {
        return new Optimizer() {
            private double[] mean = new double[0];
            private double[] square = new double[0];
            private double meanDecay = 1;
            private double squareDecay = 1;

            @Override
            public void update(double[] weights, double[] gradient, double learningRate) {
                if (mean.length == 0) {
                    mean = new double[weights.length];
                    square = new double[weights.length];
                }
                meanDecay *= 0.9;
                squareDecay *= 0.999;
                for (int i = 0; i < weights.length; i++) {
                    mean[i] = 0.9 * mean[i] + 0.1 * gradient[i];
                    square[i] = 0.999 * square[i] + 0.001 * gradient[i] * gradient[i];
                    weights[i] -= learningRate
                            * (mean[i] / (1 - meanDecay))
                            / (Math.sqrt(square[i] / (1 - squareDecay)) + 1e-8);
                }
            }

            @Override
            public String name() {
                return "adam";
            }
        };
    }
}
