package io.trainwatch.monitor;

import io.trainwatch.event.BatchStats;
import io.trainwatch.event.CheckpointLoaded;
import io.trainwatch.event.CheckpointSaved;
import io.trainwatch.event.EvaluationCompleted;
import io.trainwatch.event.FeatureSummary;
import io.trainwatch.event.FinishStatus;
import io.trainwatch.event.Heartbeat;
import io.trainwatch.event.PhaseChanged;
import io.trainwatch.event.RunFinished;
import io.trainwatch.event.RunStarted;
import io.trainwatch.event.StepCompleted;
import io.trainwatch.event.TensorStats;
import io.trainwatch.event.TensorSummary;
import io.trainwatch.event.TrainingEvent;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.function.Consumer;
import java.util.function.LongToDoubleFunction;
import java.util.function.ObjLongConsumer;
import org.jspecify.annotations.Nullable;

/**
 * Says what happens in one run, in the words of a trainer. Steps are healthy unless a scenario says otherwise: a loss that
 * falls as a power law with a little noise, a gradient norm that scatters around 0.5, a learning rate that stays. Steps
 * count from 1, a second apart.
 */
public final class RunStream {
    public static final long BEGIN_MS = 1_763_760_000_000L;

    /** What a scenario does with a run. */
    public interface Scenario extends Consumer<RunStream> {}

    /**
     * An event, or the passing of time.
     *
     * @param event null where nothing came
     * @param atMs clock of the monitor
     */
    public record Moment(@Nullable TrainingEvent event, long atMs) {}

    private final String runId;
    private final Consumer<Moment> sink;
    private final Random random;
    private LongToDoubleFunction loss;
    private LongToDoubleFunction gradNorm;
    private LongToDoubleFunction learningRate = step -> 1e-3;
    private int attempt;
    private long seq;
    private long step;
    private long stride = 1;
    private long nowMs = BEGIN_MS;
    private final Map<Integer, Long> seqOfOthers = new HashMap<>();

    public RunStream(String runId, Consumer<Moment> sink) {
        this.runId = runId;
        this.sink = sink;
        this.random = new Random(runId.hashCode());
        this.loss = healthyLoss();
        this.gradNorm = at -> 0.5 * Math.exp(0.15 * random.nextGaussian());
    }

    /** A loss that learns: 1.5 + 3 (t + 10)^-0.35, noise of 0.02. */
    public LongToDoubleFunction healthyLoss() {
        return at -> 1.5 + 3 * Math.pow(at + 10.0, -0.35) + noise(0.02);
    }

    /** A seeded normal deviate. */
    public double noise(double sigma) {
        return sigma * random.nextGaussian();
    }

    public String runId() {
        return runId;
    }

    /** Last completed step. */
    public long step() {
        return step;
    }

    public RunStream loss(LongToDoubleFunction byStep) {
        loss = byStep;
        return this;
    }

    public RunStream gradNorm(LongToDoubleFunction byStep) {
        gradNorm = byStep;
        return this;
    }

    public RunStream learningRate(LongToDoubleFunction byStep) {
        learningRate = byStep;
        return this;
    }

    /** From here on only each {@code steps}-th step is logged. */
    public RunStream loggedEvery(long steps) {
        stride = steps;
        return this;
    }

    public RunStream started(Consumer<RunStarted> declaring) {
        RunStarted body = new RunStarted();
        declaring.accept(body);
        return says(null, body);
    }

    /** The next {@code count} logged steps. */
    public RunStream steps(int count) {
        return steps(count, (body, at) -> {});
    }

    /** The next {@code count} logged steps, each edited. */
    public RunStream steps(int count, ObjLongConsumer<StepCompleted> edit) {
        for (int i = 0; i < count; i++) {
            step += stride;
            StepCompleted body = new StepCompleted();
            body.setLoss(loss.applyAsDouble(step));
            body.setGradNorm(gradNorm.applyAsDouble(step));
            body.setLearningRate(learningRate.applyAsDouble(step));
            edit.accept(body, step);
            says(step, body);
        }
        return this;
    }

    /** One more step with this loss. */
    public RunStream step(double itsLoss) {
        return steps(1, (body, at) -> body.setLoss(itsLoss));
    }

    /** Trains on, healthy, until {@code last} is completed. */
    public RunStream untilStep(long last) {
        return steps((int) ((last - step) / stride));
    }

    public RunStream evaluation(double itsLoss) {
        return evaluation(Map.of("loss", itsLoss), body -> {});
    }

    public RunStream evaluation(Map<String, Double> metrics, Consumer<EvaluationCompleted> edit) {
        EvaluationCompleted body = new EvaluationCompleted();
        body.setMetrics(new HashMap<>(metrics));
        edit.accept(body);
        return says(step, body);
    }

    /** Statistics of one batch of training inputs. */
    public RunStream features(long samples, List<FeatureSummary> features) {
        BatchStats body = new BatchStats();
        body.setNumSamples(samples);
        body.setFeatures(features);
        return says(step, body);
    }

    /** Labels of one batch of training inputs. */
    public RunStream labels(Map<String, Long> histogram) {
        BatchStats body = new BatchStats();
        body.setLabelHistogram(histogram);
        return says(step, body);
    }

    /** Statistics of tensors at the last completed step. */
    public RunStream tensors(List<TensorSummary> tensors) {
        return says(step, new TensorStats(tensors));
    }

    public RunStream heartbeat(String phase) {
        Heartbeat body = new Heartbeat();
        body.setPhase(phase);
        body.setIntervalSeconds(10.0);
        return says(step, body);
    }

    public RunStream phaseChanged(String reason) {
        PhaseChanged body = new PhaseChanged();
        body.setReason(reason);
        return says(step, body);
    }

    public RunStream checkpointSaved(String path) {
        CheckpointSaved body = new CheckpointSaved();
        body.setPath(path);
        return says(step, body);
    }

    /** The same process goes back to an earlier step. */
    public RunStream resumeAt(long earlier) {
        step = earlier;
        return says(step, new CheckpointLoaded());
    }

    /** A new process goes on from an earlier step. */
    public RunStream restartAt(long earlier) {
        attempt++;
        seq = 0;
        seqOfOthers.clear();
        return resumeAt(earlier);
    }

    public RunStream finished(FinishStatus status) {
        RunFinished body = new RunFinished();
        body.setStatus(status);
        return says(step, body);
    }

    /** {@code count} events are sent and never come. */
    public RunStream lose(int count) {
        seq += count;
        return this;
    }

    /** Nothing comes for so long; the monitor looks each second. */
    public RunStream silence(int seconds) {
        for (int i = 0; i < seconds; i++) {
            nowMs += 1000;
            sink.accept(new Moment(null, nowMs));
        }
        return this;
    }

    /** Says anything. */
    public RunStream says(@Nullable Long atStep, Object body) {
        return sends(event -> {
            event.setStep(atStep);
            event.setBody(body);
        });
    }

    /** A rank beside 0 says something, at the same moment and numbered by itself. */
    public RunStream ofRank(int rank, long atStep, Object body) {
        return ofRank(rank, event -> {
            event.setStep(atStep);
            event.setBody(body);
        });
    }

    /** A rank beside 0 sends an event of which {@code edit} decides everything but the numbering. */
    public RunStream ofRank(int rank, Consumer<TrainingEvent> edit) {
        TrainingEvent event = new TrainingEvent();
        event.setRunId(runId);
        event.setAttempt(attempt);
        event.setRank(rank);
        event.setSession("s" + attempt);
        event.setSeq(seqOfOthers.merge(rank, 1L, Long::sum));
        event.setTimestampMs(nowMs);
        edit.accept(event);
        sink.accept(new Moment(event, nowMs));
        return this;
    }

    /** Sends an event of which {@code edit} decides everything but the numbering. */
    public RunStream sends(Consumer<TrainingEvent> edit) {
        nowMs += 1000;
        TrainingEvent event = new TrainingEvent();
        event.setRunId(runId);
        event.setAttempt(attempt);
        event.setRank(0);
        event.setSession("s" + attempt);
        event.setSeq(++seq);
        event.setTimestampMs(nowMs);
        edit.accept(event);
        sink.accept(new Moment(event, nowMs));
        return this;
    }
}
