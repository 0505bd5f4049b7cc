package io.trainwatch.monitor.demo;

/** The learning rate at each step. */
@FunctionalInterface
interface Schedule {

    /** The rate in force at a step, counted from 1. */
    double at(long step);

    static Schedule constant(double rate) {
        return step -> rate;
    }

    /** Rises in a straight line to the peak, then falls along half a cosine to zero at the last step and stays there. */
    static Schedule warmupCosine(double peak, long warmupSteps, long lastStep) {
        return step -> {
            if (step <= warmupSteps) {
                return peak * step / warmupSteps;
            }
            double done = Math.min(1, (double) (step - warmupSteps) / (lastStep - warmupSteps));
            return peak * 0.5 * (1 + Math.cos(Math.PI * done));
        };
    }

    /** Multiplies the rate by a factor after every so many steps. */
    static Schedule stepwise(double rate, long every, double factor) {
        return step -> rate * Math.pow(factor, (int) ((step - 1) / every));
    }
}
