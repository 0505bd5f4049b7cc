package io.trainwatch.sdk;

import io.trainwatch.event.BatchStats;
import io.trainwatch.event.EvaluationCompleted;
import io.trainwatch.event.PredictionStats;
import io.trainwatch.event.PreflightCompleted;
import io.trainwatch.event.StepCompleted;
import io.trainwatch.event.StepProfile;
import io.trainwatch.event.TensorStats;
import java.util.Map;

/**
 * One training run as the monitor sees it. Every method copies its arguments into a bounded queue and returns: no I/O,
 * no waiting, no exception, whatever happens to the broker.
 *
 * <pre>{@code
 * try (TrainingRun run = Trainwatch.run("resnet-7").project("vision").maxSteps(90_000).start("kafka:localhost:9092")) {
 *     for (long step = 1; step <= 90_000; step++) {
 *         ...
 *         run.step(step, loss, gradNorm, learningRate);
 *     }
 * }
 * }</pre>
 *
 * <p>Steps count completed optimizer steps, from 1. Records passed in belong to the run afterwards: do not change them.
 */
public interface TrainingRun extends AutoCloseable {

    void step(long step, double loss);

    void step(long step, double loss, double gradNorm, double learningRate);

    void step(long step, StepCompleted details);

    /** Metrics on the validation split; {@code "loss"} is the validation loss. */
    void evaluation(long step, Map<String, Double> metrics);

    void evaluation(long step, EvaluationCompleted details);

    void preflight(PreflightCompleted checks);

    void tensorStats(long step, TensorStats stats);

    void batchStats(long step, BatchStats stats);

    void predictionStats(long step, PredictionStats stats);

    void stepProfile(long step, StepProfile profile);

    /** Declares a change of conditions, so that what follows is compared with itself and not with what was before. */
    void phase(long step, String phaseId, String reason);

    void checkpointSaved(long step, String path);

    void checkpointLoaded(long step, String path);

    /** Marks the run as failed: {@link #close} then says so instead of "completed". */
    void failed(Throwable error);

    /** Sends what is queued and {@code run_finished}, within the close timeout of the builder. */
    @Override
    void close();
}
