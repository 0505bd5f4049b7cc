package io.trainwatch.monitor.demo;

/** Samples that are looked at together: a row of inputs and a class for each. Its arrays are shared, not to be changed. */
final class Batch {
    private final double[][] inputs;
    private final int[] labels;

    /**
     * Takes the arrays as they are.
     *
     * @param inputs one row per sample, at least one
     * @param labels the class of each row, from 0
     */
    Batch(double[][] inputs, int[] labels) {
        this.inputs = inputs;
        this.labels = labels;
    }

    double[][] inputs() {
        return inputs;
    }

    int[] labels() {
        return labels;
    }

    int size() {
        return labels.length;
    }

    int features() {
        return inputs[0].length;
    }
}
