package io.trainwatch.monitor.demo;

import io.trainwatch.event.EvaluationCompleted;
import io.trainwatch.event.RunStarted;
import io.trainwatch.event.StepCompleted;
import io.trainwatch.sdk.TrainingRun;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.LongPredicate;

/**
 * One training from the first step to the last: what is set up here is what is trained, and every number that it reports
 * comes out of it. Equal seeds give equal numbers.
 */
final class Training {
    private final String problem;
    private final Samples samples;
    private final SplittableRandom random;
    private Mlp network;
    private Optimizer optimizer = Optimizer.sgd(0.9);
    private Schedule schedule = Schedule.constant(0.05);
    private String scheduleName = "constant";
    private long warmupSteps;
    private Batches batches;
    private int batchSize = 32;
    private double maxGradNorm = Double.POSITIVE_INFINITY;
    private long steps = 1000;
    private long evaluateEvery = Long.MAX_VALUE;
    private long profileEvery = Long.MAX_VALUE;

    /**
     * Prepares a training.
     *
     * @param problem name of the data for people
     * @param random draws the weights and the order of the samples
     */
    Training(String problem, Samples samples, SplittableRandom random) {
        this.problem = problem;
        this.samples = samples;
        this.random = random;
        network = new Mlp(random, Activation.RELU, samples.train().features(), 32, samples.classes());
        batches = Batches.shuffled(samples.train(), batchSize, random.split());
    }

    Training hidden(Activation activation, int... hidden) {
        int[] widths = new int[hidden.length + 2];
        widths[0] = samples.train().features();
        System.arraycopy(hidden, 0, widths, 1, hidden.length);
        widths[widths.length - 1] = samples.classes();
        network = new Mlp(random, activation, widths);
        return this;
    }

    Training optimizer(Optimizer optimizer) {
        this.optimizer = optimizer;
        return this;
    }

    Training schedule(String name, Schedule schedule) {
        this.scheduleName = name;
        this.schedule = schedule;
        return this;
    }

    /** Declares how many of the first steps the schedule uses to warm up. */
    Training warmup(long steps) {
        this.warmupSteps = steps;
        return this;
    }

    /** Shuffled batches of this size. */
    Training batchesOf(int size) {
        return batches(size, Batches.shuffled(samples.train(), size, random.split()));
    }

    Training batches(int size, Batches batches) {
        this.batchSize = size;
        this.batches = batches;
        return this;
    }

    /** Scales a gradient of a larger L2 norm down to this one. */
    Training clip(double maxGradNorm) {
        this.maxGradNorm = maxGradNorm;
        return this;
    }

    Training steps(long steps) {
        this.steps = steps;
        return this;
    }

    Training evaluateEvery(long steps) {
        this.evaluateEvery = steps;
        return this;
    }

    /** Tells what the input looked like over each so many steps. */
    Training profileEvery(long steps) {
        this.profileEvery = steps;
        return this;
    }

    long steps() {
        return steps;
    }

    /** What a run of this training declares when it starts. */
    RunStarted declaration() {
        RunStarted started = new RunStarted();
        started.setModelName("mlp on " + problem);
        started.setTask("classification");
        started.setNumParameters((long) network.weights().length);
        started.setNumClasses(samples.classes());
        started.setLossFunction("cross_entropy");
        started.setOptimizer(optimizer.name());
        started.setLrSchedule(scheduleName);
        if (warmupSteps > 0) {
            started.setWarmupSteps(warmupSteps);
        }
        if (Double.isFinite(maxGradNorm)) {
            started.setMaxGradNorm(maxGradNorm);
        }
        started.setMaxSteps(steps);
        started.setStepsPerEpoch((long) samples.train().size() / batchSize);
        started.setGlobalBatchSize((long) batchSize);
        started.setTrainNumSamples((long) samples.train().size());
        started.setEvalNumSamples((long) samples.validation().size());
        started.setFramework("trainwatch demo");
        return started;
    }

    /**
     * Trains until the last step, or until it is told to stop, and reports every step.
     *
     * @param stepsPerSecond no faster than this; infinity for as fast as the machine can
     * @param goesOn asked after every step
     */
    void run(TrainingRun report, double stepsPerSecond, LongPredicate goesOn) {
        InputProfile profile = new InputProfile(samples.train(), samples.classes());
        long started = System.nanoTime();
        for (long step = 1; step <= steps; step++) {
            Batch batch = batches.next(step);
            profile.add(batch);
            report.step(step, train(step, batch));
            if (step % profileEvery == 0) {
                report.batchStats(step, profile.tell());
            }
            if (step % evaluateEvery == 0) {
                report.evaluation(step, evaluate());
            }
            if (!goesOn.test(step)) {
                return;
            }
            sleepUntil(started + (long) (step / stepsPerSecond * TimeUnit.SECONDS.toNanos(1)));
        }
    }

    private StepCompleted train(long step, Batch batch) {
        double learningRate = schedule.at(step);
        double loss = network.backward(batch);
        double norm = norm(network.gradient());
        if (norm > maxGradNorm) {
            double scale = maxGradNorm / norm;
            for (int i = 0; i < network.gradient().length; i++) {
                network.gradient()[i] *= scale;
            }
        }
        optimizer.update(network.weights(), network.gradient(), learningRate);
        StepCompleted completed = new StepCompleted();
        completed.setLoss(loss);
        completed.setGradNorm(norm);
        completed.setLearningRate(learningRate);
        completed.setParamNorm(norm(network.weights()));
        completed.setSamplesSeen(step * batchSize);
        return completed;
    }

    private EvaluationCompleted evaluate() {
        Mlp.Score score = network.evaluate(samples.validation());
        EvaluationCompleted evaluation = new EvaluationCompleted();
        evaluation.setSplit("val");
        evaluation.setNumSamples((long) samples.validation().size());
        evaluation.setMetrics(Map.of("loss", score.loss(), "accuracy", score.accuracy()));
        return evaluation;
    }

    private static double norm(double[] values) {
        double sum = 0;
        for (double value : values) {
            sum += value * value;
        }
        return Math.sqrt(sum);
    }

    private static void sleepUntil(long nanoTime) {
        for (long left = nanoTime - System.nanoTime();
                left > 0 && !Thread.currentThread().isInterrupted();
                left = nanoTime - System.nanoTime()) {
            LockSupport.parkNanos(left);
        }
    }
}
