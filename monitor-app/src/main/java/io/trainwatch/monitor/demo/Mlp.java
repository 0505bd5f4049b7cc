package io.trainwatch.monitor.demo;

import java.util.Arrays;
import java.util.SplittableRandom;

/**
 * A multi-layer perceptron that classifies: dense layers, one activation, softmax cross entropy in nats. Back-propagation
 * is written out; a finite-difference check in the tests proves it.
 *
 * <p>All weights are one array, all gradients another: layer by layer the matrix (a row per input), then the biases. An
 * optimizer needs no more.
 */
final class Mlp {
    private final int[] widths;
    private final Activation activation;
    private final int[] offsets;
    private final double[] weights;
    private final double[] gradient;
    private final double[][] outputs;
    private final double[][] deltas;

    /**
     * Makes a network with random weights: He's initialisation, halved in variance for tanh (Glorot's).
     *
     * @param widths inputs, hidden widths, classes
     */
    Mlp(SplittableRandom random, Activation activation, int... widths) {
        this.widths = widths.clone();
        this.activation = activation;
        int layers = widths.length - 1;
        offsets = new int[layers];
        outputs = new double[widths.length][];
        deltas = new double[widths.length][];
        int size = 0;
        for (int layer = 0; layer < layers; layer++) {
            offsets[layer] = size;
            size += (widths[layer] + 1) * widths[layer + 1];
            outputs[layer + 1] = new double[widths[layer + 1]];
            deltas[layer + 1] = new double[widths[layer + 1]];
        }
        weights = new double[size];
        gradient = new double[size];
        double gain = activation == Activation.TANH ? 1 : 2;
        for (int layer = 0; layer < layers; layer++) {
            double std = Math.sqrt(gain / widths[layer]);
            for (int i = 0; i < widths[layer] * widths[layer + 1]; i++) {
                weights[offsets[layer] + i] = std * random.nextGaussian();
            }
        }
    }

    /** The weights themselves, for an optimizer to change. */
    double[] weights() {
        return weights;
    }

    /** The gradient of the last {@link #backward}, for an optimizer to read or clip. */
    double[] gradient() {
        return gradient;
    }

    /**
     * Computes the mean loss of a batch and its {@link #gradient}.
     *
     * @return nats per sample; NaN or infinite once the weights are
     */
    double backward(Batch batch) {
        Arrays.fill(gradient, 0);
        double loss = 0;
        for (int n = 0; n < batch.size(); n++) {
            int label = batch.labels()[n];
            double[] logits = forward(batch.inputs()[n]);
            loss += crossEntropy(logits, label);
            double[] delta = deltas[widths.length - 1];
            double logSum = logSumExp(logits);
            for (int c = 0; c < logits.length; c++) {
                delta[c] = (Math.exp(logits[c] - logSum) - (c == label ? 1 : 0)) / batch.size();
            }
            propagate(batch.inputs()[n]);
        }
        return loss / batch.size();
    }

    /** Mean loss in nats and share of right answers, 0 to 1, without touching the gradient. */
    Score evaluate(Batch batch) {
        double loss = 0;
        int right = 0;
        for (int n = 0; n < batch.size(); n++) {
            double[] logits = forward(batch.inputs()[n]);
            loss += crossEntropy(logits, batch.labels()[n]);
            if (indexOfLargest(logits) == batch.labels()[n]) {
                right++;
            }
        }
        return new Score(loss / batch.size(), (double) right / batch.size());
    }

    /** The logits of one sample; the array is reused by the next call. */
    double[] forward(double[] input) {
        double[] in = input;
        for (int layer = 0; layer < offsets.length; layer++) {
            double[] out = outputs[layer + 1];
            int width = out.length;
            System.arraycopy(weights, offsets[layer] + widths[layer] * width, out, 0, width);
            for (int i = 0; i < widths[layer]; i++) {
                double x = in[i];
                int row = offsets[layer] + i * width;
                for (int j = 0; j < width; j++) {
                    out[j] += x * weights[row + j];
                }
            }
            if (layer < offsets.length - 1) {
                for (int j = 0; j < width; j++) {
                    out[j] = activation.of(out[j]);
                }
            }
            in = out;
        }
        return in;
    }

    private void propagate(double[] input) {
        for (int layer = offsets.length - 1; layer >= 0; layer--) {
            double[] in = layer == 0 ? input : outputs[layer];
            double[] delta = deltas[layer + 1];
            int width = delta.length;
            int biases = offsets[layer] + widths[layer] * width;
            for (int j = 0; j < width; j++) {
                gradient[biases + j] += delta[j];
            }
            for (int i = 0; i < widths[layer]; i++) {
                double x = in[i];
                int row = offsets[layer] + i * width;
                for (int j = 0; j < width; j++) {
                    gradient[row + j] += x * delta[j];
                }
                if (layer > 0) {
                    double sum = 0;
                    for (int j = 0; j < width; j++) {
                        sum += weights[row + j] * delta[j];
                    }
                    deltas[layer][i] = sum * activation.slopeAt(x);
                }
            }
        }
    }

    private static double crossEntropy(double[] logits, int label) {
        return logSumExp(logits) - logits[label];
    }

    private static double logSumExp(double[] logits) {
        double max = Double.NEGATIVE_INFINITY;
        for (double logit : logits) {
            max = Math.max(max, logit);
        }
        double sum = 0;
        for (double logit : logits) {
            sum += Math.exp(logit - max);
        }
        return max + Math.log(sum);
    }

    private static int indexOfLargest(double[] values) {
        int best = 0;
        for (int i = 1; i < values.length; i++) {
            if (values[i] > values[best]) {
                best = i;
            }
        }
        return best;
    }

    /**
     * How good the network is on some samples.
     *
     * @param loss nats per sample
     * @param accuracy share of right answers, 0 to 1
     */
    record Score(double loss, double accuracy) {}
}
