package io.trainwatch.monitor.topology;

import io.trainwatch.codec.SingleObjectCodec;
import io.trainwatch.event.FinishStatus;
import io.trainwatch.event.Heartbeat;
import io.trainwatch.event.RunFinished;
import io.trainwatch.event.RunStarted;
import io.trainwatch.event.StepCompleted;
import io.trainwatch.event.TrainingEvent;
import java.nio.charset.StandardCharsets;
import java.util.SplittableRandom;

/** Makes the events of one run, as the SDK would: numbered, with a loss that falls and is a little noisy. */
public final class Trainer {
    private final SingleObjectCodec<TrainingEvent> codec = SingleObjectCodec.events();
    private final SplittableRandom random;
    private final String runId;
    private long seq;
    private long step;

    public Trainer(String runId) {
        this.runId = runId;
        this.random = new SplittableRandom(runId.hashCode());
    }

    public String runId() {
        return runId;
    }

    public byte[] key() {
        return runId.getBytes(StandardCharsets.UTF_8);
    }

    public TrainingEvent started() {
        return started(null);
    }

    /** Begins a run that is to be compared with another one. */
    public TrainingEvent started(String referenceRunId) {
        RunStarted body = new RunStarted();
        body.setReferenceRunId(referenceRunId);
        body.setProject("test");
        body.setMaxSteps(1_000_000L);
        return event(null, body);
    }

    public TrainingEvent step() {
        double loss = 0.5 + 2 * Math.exp(-step / 500.0) + 0.02 * random.nextDouble();
        return step(loss);
    }

    public TrainingEvent step(double loss) {
        StepCompleted body = new StepCompleted();
        body.setLoss(loss);
        body.setGradNorm(1 + 0.1 * random.nextDouble());
        body.setLearningRate(1e-3);
        body.setStepTimeSeconds(0.1);
        return event(++step, body);
    }

    public TrainingEvent finished() {
        RunFinished body = new RunFinished();
        body.setStatus(FinishStatus.completed);
        return event(step, body);
    }

    /** Says that the process lives, training. */
    public TrainingEvent heartbeat() {
        Heartbeat body = new Heartbeat();
        body.setPhase("train");
        body.setIntervalSeconds(1.0);
        return event(step, body);
    }

    /** Goes back to an earlier step, as after the load of a checkpoint. */
    public void resumeAt(long earlier) {
        step = earlier;
    }

    public byte[] encode(TrainingEvent event) {
        return codec.encode(event);
    }

    private TrainingEvent event(Long atStep, Object body) {
        TrainingEvent event = new TrainingEvent();
        event.setRunId(runId);
        event.setSession("s");
        event.setSeq(++seq);
        event.setTimestampMs(1_763_760_000_000L + seq * 100);
        event.setStep(atStep);
        event.setBody(body);
        return event;
    }
}
