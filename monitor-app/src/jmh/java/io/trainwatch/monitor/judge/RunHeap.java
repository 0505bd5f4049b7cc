package io.trainwatch.monitor.judge;

import io.trainwatch.event.BatchStats;
import io.trainwatch.event.FeatureSummary;
import io.trainwatch.event.StepCompleted;
import io.trainwatch.event.TensorKind;
import io.trainwatch.event.TensorStats;
import io.trainwatch.event.TensorSummary;
import io.trainwatch.event.TrainingEvent;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;

/**
 * Heap of a run by the steps it has taken, and bytes of its state: the used heap after collections, over many equal runs.
 * Plain runs send loss, gradient norm and learning rate; rich ones besides 300 layers of weights and gradients every 100
 * steps and 100 features every 10. One run of each kind is judged before, so that classes and what all runs share do not
 * count.
 *
 * <p>System properties: {@code runs} (100) and {@code steps} (1,000,000, for each run), {@code rich.runs} (4) and {@code
 * rich.steps} (1,000,000).
 */
public final class RunHeap {
    private static final int STEPS_BEFORE = 20_000;
    private static final int LAYERS = 300;
    private static final int FEATURES = 100;

    private final RunJudge judge = new RunJudge();
    private final JudgedRunCodec codec = new JudgedRunCodec(judge);
    private final SplittableRandom random = new SplittableRandom(1);

    private RunHeap() {}

    public static void main(String[] args) {
        RunHeap heap = new RunHeap();
        for (boolean rich : new boolean[] {false, true}) {
            JudgedRun before = heap.judge.newRun("before");
            for (long step = 1; step <= STEPS_BEFORE; step++) {
                heap.step(before, step, rich);
            }
            var unused = heap.codec.encode(before);
        }
        System.out.println("| run | steps | heap, kB | state, kB |");
        System.out.println("|---|---:|---:|---:|");
        heap.measure("plain", Integer.getInteger("runs", 100), Long.getLong("steps", 1_000_000), false);
        heap.measure(
                "300 layers, 100 features",
                Integer.getInteger("rich.runs", 4),
                Long.getLong("rich.steps", 1_000_000),
                true);
    }

    private void measure(String what, int count, long steps, boolean rich) {
        long before = used();
        List<JudgedRun> runs = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            runs.add(judge.newRun("run-" + i));
        }
        if (count == 0) {
            return;
        }
        long next = 100;
        for (long step = 1; step <= steps; step++) {
            for (JudgedRun run : runs) {
                step(run, step, rich);
            }
            if (step == next || step == steps) {
                next *= 10;
                System.out.printf(
                        "| %s | %,d | %.1f | %.1f |%n",
                        what, step, (used() - before) / 1024.0 / count, codec.encode(runs.get(0)).length / 1024.0);
            }
        }
        if (runs.stream().anyMatch(run -> run.events() == 0)) {
            throw new IllegalStateException("nothing was judged");
        }
    }

    private void step(JudgedRun run, long step, boolean rich) {
        StepCompleted body = new StepCompleted();
        body.setLoss(0.5 + 2 * Math.exp(-step / 500.0) + 0.02 * random.nextDouble());
        body.setGradNorm(1 + 0.1 * random.nextDouble());
        body.setLearningRate(1e-3);
        judge(run, step, body);
        if (rich && step % 10 == 0) {
            judge(run, step, features(random));
        }
        if (rich && step % 100 == 0) {
            judge(run, step, tensors(random));
        }
    }

    /** A batch of 100 features. */
    static BatchStats features(SplittableRandom random) {
        List<FeatureSummary> features = new ArrayList<>();
        for (int i = 0; i < FEATURES; i++) {
            FeatureSummary feature = new FeatureSummary();
            feature.setName("feature-" + i);
            feature.setCount(320L);
            feature.setMean(0.01 * random.nextDouble());
            feature.setStd(1 + 0.01 * random.nextDouble());
            feature.setMin(-3.0);
            feature.setMax(3.0);
            features.add(feature);
        }
        BatchStats stats = new BatchStats();
        stats.setSplit("train");
        stats.setNumSamples(320L);
        stats.setFeatures(features);
        return stats;
    }

    /** Weights and gradients of 300 layers. */
    static TensorStats tensors(SplittableRandom random) {
        List<TensorSummary> tensors = new ArrayList<>();
        for (int i = 0; i < LAYERS; i++) {
            for (TensorKind kind : List.of(TensorKind.weight, TensorKind.gradient)) {
                TensorSummary tensor = new TensorSummary();
                tensor.setName("transformer.blocks." + i + ".attention.weight");
                tensor.setKind(kind);
                tensor.setCount(1_048_576L);
                tensor.setMean(0.0);
                tensor.setStd(0.02 + 0.001 * random.nextDouble());
                tensor.setAbsMean(0.01 + 0.001 * random.nextDouble());
                tensor.setAbsMax(0.1);
                tensor.setL2Norm(1 + 0.1 * random.nextDouble());
                tensors.add(tensor);
            }
        }
        TensorStats stats = new TensorStats();
        stats.setTensors(tensors);
        return stats;
    }

    private void judge(JudgedRun run, long step, Object body) {
        TrainingEvent event = new TrainingEvent();
        event.setRunId(run.runId());
        event.setSession("s");
        event.setSeq(run.events() + 1);
        event.setStep(step);
        event.setTimestampMs(1_763_760_000_000L + step * 1000);
        event.setBody(body);
        var unused = judge.judge(run, event, event.getTimestampMs());
    }

    private static long used() {
        Runtime runtime = Runtime.getRuntime();
        for (int i = 0; i < 3; i++) {
            System.gc();
        }
        return runtime.totalMemory() - runtime.freeMemory();
    }
}
