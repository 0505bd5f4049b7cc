package io.trainwatch.monitor.demo;

import static io.trainwatch.monitor.demo.Activation.LEAKY_RELU;
import static io.trainwatch.monitor.demo.Activation.RELU;
import static io.trainwatch.monitor.demo.Activation.TANH;

import io.trainwatch.monitor.demo.Scenario.Ending;
import io.trainwatch.monitor.demo.Scenario.Fault;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.SplittableRandom;

/** The trainings of the demonstration: healthy ones, and one for each fault. */
final class Scenarios {
    /** The first start of every training uses it, so that all people see the same numbers. */
    static final long SEED = 20_240_601;

    private Scenarios() {}

    /** Those that take longest to be judged come first. */
    static List<Scenario> all() {
        return List.of(
                killed(),
                hung(),
                healthyConstantRate(),
                healthyWarmupCosine(),
                scheduleEndsTooEarly(),
                memorises(),
                inputRescaled(),
                sortedByLabel(),
                corruptBatches(),
                learningRateTooHigh());
    }

    static Scenario healthyConstantRate() {
        return new Scenario(
                "healthy-constant-rate",
                "learns a noisy teacher network, constant learning rate",
                null,
                Ending.FINISHES,
                60,
                seed -> {
                    SplittableRandom random = new SplittableRandom(seed);
                    return new Training("teacher", Samples.teacher(random, 6, 10, 20_000, 1_000, 3), random)
                            .hidden(RELU, 32)
                            .optimizer(Optimizer.sgd(0.9))
                            .schedule("constant", Schedule.constant(0.01))
                            .batchesOf(32)
                            .steps(3_000)
                            .evaluateEvery(100)
                            .profileEvery(25);
                });
    }

    static Scenario healthyWarmupCosine() {
        return new Scenario(
                "healthy-warmup-cosine",
                "learns spirals, warm-up then cosine decay",
                null,
                Ending.FINISHES,
                60,
                seed -> {
                    SplittableRandom random = new SplittableRandom(seed);
                    return new Training("spirals", Samples.spirals(random, 3, 12_000, 1_000, 0.12), random)
                            .hidden(TANH, 24, 24)
                            .optimizer(Optimizer.adam())
                            .schedule("cosine", Schedule.warmupCosine(0.003, 200, 3_000))
                            .warmup(200)
                            .clip(1)
                            .batchesOf(32)
                            .steps(3_000)
                            .evaluateEvery(100)
                            .profileEvery(25);
                });
    }

    static Scenario learningRateTooHigh() {
        long fault = 601;
        return new Scenario(
                "learning-rate-too-high",
                "a decay factor upside down: the rate is multiplied by 1000 after 600 steps",
                new Fault(
                        "learning rate x 1000",
                        fault,
                        Set.of("non_finite_loss"),
                        600,
                        Set.of("loss_spike", "loss_divergence", "exploding_gradient", "non_finite_gradient")),
                Ending.FINISHES,
                40,
                seed -> {
                    SplittableRandom random = new SplittableRandom(seed);
                    return new Training("teacher", Samples.teacher(random, 6, 10, 8_000, 500, 3), random)
                            .hidden(LEAKY_RELU, 24, 24)
                            .optimizer(Optimizer.sgd(0.9))
                            .schedule("step", Schedule.stepwise(0.01, fault - 1, 1000))
                            .batchesOf(32)
                            .steps(1_000)
                            .evaluateEvery(100);
                });
    }

    static Scenario scheduleEndsTooEarly() {
        long fault = 500;
        return new Scenario(
                "schedule-ends-too-early",
                "the cosine was given an eighth of the steps: the rate is zero from step 500 on",
                new Fault("schedule bug: rate 0", fault, Set.of("loss_plateau"), 2_000, Set.of()),
                Ending.FINISHES,
                75,
                seed -> taughtWithCosine(seed, fault));
    }

    /** The training of {@link #scheduleEndsTooEarly}, with the cosine that ends at a step of choice. */
    static Training taughtWithCosine(long seed, long cosineEnds) {
        SplittableRandom random = new SplittableRandom(seed);
        return new Training("teacher", Samples.teacher(random, 6, 10, 20_000, 1_000, 20), random)
                .hidden(TANH, 32)
                .optimizer(Optimizer.adam())
                .schedule("cosine", Schedule.warmupCosine(0.002, 50, cosineEnds))
                .warmup(50)
                .batchesOf(256)
                .steps(4_000)
                .evaluateEvery(100);
    }

    static Scenario memorises() {
        return new Scenario(
                "memorises-small-noisy-set",
                "160 samples, many with a wrong label, and weights enough to learn them by heart",
                new Fault("memorising", 1, Set.of("train_val_divergence"), 2_000, Set.of("suspicious_validation")),
                Ending.FINISHES,
                50,
                seed -> {
                    SplittableRandom random = new SplittableRandom(seed);
                    Samples samples =
                            Samples.blobs(random, 4, 6, 160, 1_000, 0.8).withLabelNoise(random, 0.3);
                    return new Training("blobs", samples, random)
                            .hidden(RELU, 64)
                            .optimizer(Optimizer.adam())
                            .schedule("constant", Schedule.constant(0.002))
                            .batchesOf(16)
                            .steps(2_000)
                            .evaluateEvery(40);
                });
    }

    static Scenario inputRescaled() {
        long fault = 1_501;
        return new Scenario(
                "input-rescaled",
                "from step 1501 on one sensor reports in another unit: three times as large",
                new Fault(
                        "x2 in another unit",
                        fault,
                        Set.of("feature_drift"),
                        200,
                        Set.of("loss_spike", "loss_divergence", "exploding_gradient", "train_val_divergence")),
                Ending.FINISHES,
                60,
                seed -> {
                    SplittableRandom random = new SplittableRandom(seed);
                    Samples samples = Samples.blobs(random, 5, 6, 8_000, 1_000, 1);
                    return new Training("blobs", samples, random)
                            .hidden(RELU, 32)
                            .optimizer(Optimizer.sgd(0.9))
                            .schedule("constant", Schedule.constant(0.005))
                            .batches(
                                    32,
                                    Batches.shuffled(samples.train(), 32, random.split())
                                            .between(fault, Long.MAX_VALUE, Scenarios::inAnotherUnit))
                            .steps(2_500)
                            .evaluateEvery(100)
                            .profileEvery(25);
                });
    }

    static Scenario sortedByLabel() {
        long fault = 1_501;
        return new Scenario(
                "sorted-by-label",
                "from step 1501 on the loader no longer shuffles: the samples come class by class",
                new Fault(
                        "sorted by label",
                        fault,
                        Set.of("label_drift"),
                        200,
                        Set.of(
                                "feature_drift",
                                "loss_spike",
                                "loss_divergence",
                                "exploding_gradient",
                                "train_val_divergence")),
                Ending.FINISHES,
                60,
                seed -> {
                    SplittableRandom random = new SplittableRandom(seed);
                    Samples samples = Samples.blobs(random, 5, 6, 8_000, 1_000, 1);
                    return new Training("blobs", samples, random)
                            .hidden(RELU, 32)
                            .optimizer(Optimizer.sgd(0.9))
                            .schedule("constant", Schedule.constant(0.005))
                            .batches(
                                    32,
                                    Batches.shuffled(samples.train(), 32, random.split())
                                            .from(fault, Batches.sortedByLabel(samples.train(), 32)))
                            .steps(2_500)
                            .evaluateEvery(100)
                            .profileEvery(25);
                });
    }

    static Scenario corruptBatches() {
        long fault = 1_200;
        return new Scenario(
                "corrupt-batches",
                "four batches from a broken file: values 40 times too large",
                new Fault(
                        "4 corrupt batches",
                        fault,
                        Set.of("loss_spike"),
                        10,
                        Set.of("exploding_gradient", "loss_divergence", "feature_drift")),
                Ending.FINISHES,
                50,
                seed -> {
                    SplittableRandom random = new SplittableRandom(seed);
                    Samples samples = Samples.teacher(random, 6, 10, 12_000, 1_000, 3);
                    return new Training("teacher", samples, random)
                            .hidden(RELU, 32)
                            .optimizer(Optimizer.sgd(0.9))
                            .schedule("constant", Schedule.constant(0.01))
                            .clip(1)
                            .batches(
                                    32,
                                    Batches.shuffled(samples.train(), 32, random.split())
                                            .between(fault, fault + 3, batch -> scaled(batch, 40)))
                            .steps(2_000)
                            .evaluateEvery(100);
                });
    }

    static Scenario hung() {
        return silent("hung-in-data-loader", "waits forever for its next batch after step 250", Ending.HANGS);
    }

    static Scenario killed() {
        return silent("killed", "a process of its own, killed after step 250", Ending.IS_KILLED);
    }

    private static Scenario silent(String name, String story, Ending ending) {
        long fault = 251;
        return new Scenario(
                name, story, new Fault("silence", fault, Set.of("stalled_run"), 0, Set.of()), ending, 100, seed -> {
                    SplittableRandom random = new SplittableRandom(seed);
                    return new Training("blobs", Samples.blobs(random, 5, 6, 4_000, 500, 1), random)
                            .hidden(RELU, 32)
                            .optimizer(Optimizer.sgd(0.9))
                            .schedule("constant", Schedule.constant(0.005))
                            .batchesOf(32)
                            .steps(2_000)
                            .evaluateEvery(100);
                });
    }

    private static Batch inAnotherUnit(Batch batch) {
        double[][] inputs = new double[batch.size()][];
        Arrays.setAll(inputs, n -> {
            double[] input = batch.inputs()[n].clone();
            input[2] *= 3;
            return input;
        });
        return new Batch(inputs, batch.labels());
    }

    private static Batch scaled(Batch batch, double factor) {
        double[][] inputs = new double[batch.size()][];
        Arrays.setAll(
                inputs,
                n -> Arrays.stream(batch.inputs()[n]).map(x -> factor * x).toArray());
        return new Batch(inputs, batch.labels());
    }
}
