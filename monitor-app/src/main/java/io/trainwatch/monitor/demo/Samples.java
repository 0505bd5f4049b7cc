package io.trainwatch.monitor.demo;

import java.util.Arrays;
import java.util.SplittableRandom;

/**
 * A data set drawn from a random process that is known: equal seeds give equal data.
 *
 * @param train what the network learns from
 * @param validation drawn from the same process, never learned from
 * @param classes the number of classes
 */
record Samples(Batch train, Batch validation, int classes) {

    /** Two-dimensional spiral arms, one per class, one and a half turns each: slow to learn, for the classes interleave. */
    static Samples spirals(SplittableRandom random, int arms, int trainSize, int validationSize, double noise) {
        return draw(random, arms, trainSize, validationSize, (sample, label) -> {
            double along = Math.sqrt(sample.nextDouble());
            double angle = 2 * Math.PI * (1.5 * along + (double) label / arms);
            return new double[] {
                1.7 * along * Math.cos(angle) + noise * sample.nextGaussian(),
                1.7 * along * Math.sin(angle) + noise * sample.nextGaussian()
            };
        });
    }

    /** Gaussian clouds around random centres; neighbours overlap the more, the wider the spread. */
    static Samples blobs(
            SplittableRandom random, int classes, int features, int trainSize, int validationSize, double spread) {
        double[][] centres = new double[classes][features];
        for (double[] centre : centres) {
            Arrays.setAll(centre, i -> random.nextGaussian());
        }
        return draw(random, classes, trainSize, validationSize, (sample, label) -> {
            double[] input = new double[features];
            Arrays.setAll(input, i -> centres[label][i] + spread * sample.nextGaussian());
            return input;
        });
    }

    /**
     * Standard normal inputs, labelled by the softmax of a random network with one tanh layer of 24 units.
     *
     * @param sharpness factor on the teacher's logits: the labels are the noisier, the smaller it is
     */
    static Samples teacher(
            SplittableRandom random, int classes, int features, int trainSize, int validationSize, double sharpness) {
        Mlp teacher = new Mlp(random, Activation.TANH, features, 24, classes);
        Batch train = taught(random, teacher, features, trainSize, sharpness);
        return new Samples(train, taught(random, teacher, features, validationSize, sharpness), classes);
    }

    /** The same inputs, with a share of the training labels replaced by random ones. */
    Samples withLabelNoise(SplittableRandom random, double share) {
        int[] labels = train.labels().clone();
        for (int n = 0; n < labels.length; n++) {
            if (random.nextDouble() < share) {
                labels[n] = random.nextInt(classes);
            }
        }
        return new Samples(new Batch(train.inputs(), labels), validation, classes);
    }

    private static Samples draw(
            SplittableRandom random, int classes, int trainSize, int validationSize, Generator generator) {
        return new Samples(
                draw(random, classes, trainSize, generator), draw(random, classes, validationSize, generator), classes);
    }

    private static Batch draw(SplittableRandom random, int classes, int size, Generator generator) {
        double[][] inputs = new double[size][];
        int[] labels = new int[size];
        for (int n = 0; n < size; n++) {
            labels[n] = random.nextInt(classes);
            inputs[n] = generator.inputOf(random, labels[n]);
        }
        return new Batch(inputs, labels);
    }

    private static Batch taught(SplittableRandom random, Mlp teacher, int features, int size, double sharpness) {
        double[][] inputs = new double[size][features];
        int[] labels = new int[size];
        for (int n = 0; n < size; n++) {
            Arrays.setAll(inputs[n], i -> random.nextGaussian());
            double[] logits = teacher.forward(inputs[n]);
            double best = Double.NEGATIVE_INFINITY;
            for (int c = 0; c < logits.length; c++) {
                // The largest of logits with Gumbel noise is a draw from their softmax.
                double noisy = sharpness * logits[c] - Math.log(-Math.log(random.nextDouble(1e-12, 1)));
                if (noisy > best) {
                    best = noisy;
                    labels[n] = c;
                }
            }
        }
        return new Batch(inputs, labels);
    }

    @FunctionalInterface
    private interface Generator {
        double[] inputOf(SplittableRandom random, int label);
    }
}
