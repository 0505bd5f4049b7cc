package io.trainwatch.monitor.demo;

import java.util.Comparator;
import java.util.SplittableRandom;
import java.util.function.UnaryOperator;
import java.util.stream.IntStream;

/** Where a training gets its batches from. */
@FunctionalInterface
interface Batches {

    /** The batch of a step. Called once for every step from 1, in order. */
    Batch next(long step);

    /** Every sample once per epoch, in a new random order each time; a rest smaller than a batch is left out. */
    static Batches shuffled(Batch samples, int size, SplittableRandom random) {
        int[] order = IntStream.range(0, samples.size()).toArray();
        long perEpoch = samples.size() / size;
        return step -> {
            int batch = (int) ((step - 1) % perEpoch);
            if (batch == 0) {
                for (int i = order.length - 1; i > 0; i--) {
                    int other = random.nextInt(i + 1);
                    int swap = order[i];
                    order[i] = order[other];
                    order[other] = swap;
                }
            }
            return pick(samples, order, batch * size, size);
        };
    }

    /** Every sample once per epoch, class by class: what a loader does that forgot to shuffle. */
    static Batches sortedByLabel(Batch samples, int size) {
        int[] order = IntStream.range(0, samples.size())
                .boxed()
                .sorted(Comparator.comparingInt(n -> samples.labels()[n]))
                .mapToInt(n -> n)
                .toArray();
        long perEpoch = samples.size() / size;
        return step -> pick(samples, order, (int) ((step - 1) % perEpoch) * size, size);
    }

    /** These batches, and from a step on others. */
    default Batches from(long firstStep, Batches others) {
        return step -> step < firstStep ? next(step) : others.next(step - firstStep + 1);
    }

    /** These batches, with something done to those of the steps from first to last. */
    default Batches between(long firstStep, long lastStep, UnaryOperator<Batch> change) {
        return step -> {
            Batch batch = next(step);
            return step < firstStep || step > lastStep ? batch : change.apply(batch);
        };
    }

    private static Batch pick(Batch samples, int[] order, int start, int size) {
        double[][] inputs = new double[size][];
        int[] labels = new int[size];
        for (int i = 0; i < size; i++) {
            inputs[i] = samples.inputs()[order[start + i]];
            labels[i] = samples.labels()[order[start + i]];
        }
        return new Batch(inputs, labels);
    }
}
