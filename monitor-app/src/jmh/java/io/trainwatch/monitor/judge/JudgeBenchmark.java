package io.trainwatch.monitor.judge;

import io.trainwatch.alert.Alert;
import io.trainwatch.event.RunStarted;
import io.trainwatch.event.StepCompleted;
import io.trainwatch.event.TrainingEvent;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;

/**
 * Cost of judging one {@code step_completed} of a healthy run with every detector on: a falling, noisy loss, a gradient
 * norm and a learning rate, over 1 or 1,000 interleaved runs. Decoding is not in it. Baseline in the same run: {@link
 * #pass}, the loop without a judge. {@link #tensors} and {@link #features} are the cost of one event with the weights and
 * gradients of 300 layers, and of one with 100 features.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Warmup(iterations = 3, time = 2)
@Measurement(iterations = 5, time = 2)
@Fork(1)
public class JudgeBenchmark {
    private static final int EVENTS = 4096;
    private static final int RICH_EVENTS = 16;

    @Param({"1", "1000"})
    public int runs;

    private final RunJudge judge = new RunJudge();
    private final TrainingEvent[] events = new TrainingEvent[EVENTS];
    private final double[] noise = new double[EVENTS];
    private JudgedRun[] judged = {};
    private long[] steps = {};
    private int next;
    private final TrainingEvent[] tensors = new TrainingEvent[RICH_EVENTS];
    private final TrainingEvent[] features = new TrainingEvent[RICH_EVENTS];

    @Setup
    public void train() {
        SplittableRandom random = new SplittableRandom(7);
        for (int i = 0; i < EVENTS; i++) {
            StepCompleted body = new StepCompleted();
            noise[i] = 0.05 * random.nextGaussian();
            body.setGradNorm(Math.exp(0.2 * random.nextGaussian()));
            body.setLearningRate(3e-4);
            events[i] = event(body);
        }
        for (int i = 0; i < RICH_EVENTS; i++) {
            tensors[i] = event(RunHeap.tensors(random));
            features[i] = event(RunHeap.features(random));
        }
        judged = new JudgedRun[runs];
        steps = new long[runs];
        for (int i = 0; i < runs; i++) {
            judged[i] = judge.newRun("run-" + i);
            RunStarted started = new RunStarted();
            started.setPrecision("bf16");
            judge.judge(judged[i], event(started), 1);
        }
    }

    private static TrainingEvent event(Object body) {
        TrainingEvent event = new TrainingEvent();
        event.setRunId("run");
        event.setSession("benchmark");
        event.setSeq(0L);
        event.setTimestampMs(1_763_760_000_000L);
        event.setBody(body);
        return event;
    }

    @Benchmark
    public Object pass() {
        return nextEvent(next % runs);
    }

    @Benchmark
    public List<Alert> judge() {
        int run = next % runs;
        TrainingEvent event = nextEvent(run);
        return judge.judge(judged[run], event, event.getTimestampMs());
    }

    @Benchmark
    public List<Alert> tensors() {
        return rich(tensors);
    }

    @Benchmark
    public List<Alert> features() {
        return rich(features);
    }

    private List<Alert> rich(TrainingEvent[] some) {
        int run = next % runs;
        TrainingEvent event = some[next & (RICH_EVENTS - 1)];
        next = (next + 1) & Integer.MAX_VALUE;
        event.setStep(++steps[run]);
        event.setSeq(steps[run] + 1);
        return judge.judge(judged[run], event, event.getTimestampMs());
    }

    /** The next event of the run: the loss falls as a power law, as learning curves do, so slowly that it never has a plateau. */
    private TrainingEvent nextEvent(int run) {
        int i = next & (EVENTS - 1);
        TrainingEvent event = events[i];
        next = (next + 1) & Integer.MAX_VALUE;
        long step = ++steps[run];
        ((StepCompleted) event.getBody()).setLoss(2 + 8 * Math.pow((double) step, -0.1) + noise[i]);
        event.setStep(step);
        event.setSeq(step + 1);
        return event;
    }
}
