package io.trainwatch.sdk;

import io.trainwatch.event.BatchStats;
import io.trainwatch.event.CheckpointLoaded;
import io.trainwatch.event.CheckpointSaved;
import io.trainwatch.event.EvaluationCompleted;
import io.trainwatch.event.PredictionStats;
import io.trainwatch.event.PreflightCompleted;
import io.trainwatch.event.RankFingerprint;
import io.trainwatch.event.StepCompleted;
import io.trainwatch.event.StepProfile;
import io.trainwatch.event.TensorStats;
import io.trainwatch.run.Command;
import java.util.Map;
import java.util.function.Consumer;

/**
 * One training run as the monitor sees it. Every method copies its arguments into a bounded queue and returns: no I/O,
 * no waiting, no exception, whatever happens to the broker. Any thread may call.
 *
 * <pre>{@code
 * try (TrainingRun run = Trainwatch.run("resnet-7").project("vision").maxSteps(90_000).start("kafka:localhost:9092")) {
 *     try {
 *         for (long step = 1; step <= 90_000; step++) {
 *             ...
 *             run.step(step, loss, gradNorm, learningRate);
 *         }
 *     } catch (RuntimeException e) {
 *         run.failed(e);
 *         throw e;
 *     }
 * }
 * }</pre>
 *
 * <p>Steps count completed optimizer steps, from 1; a step that goes back is a resume. Numbers may be NaN or infinite.
 * Records passed in belong to the run afterwards: do not change them. A null record or activity is ignored.
 */
public interface TrainingRun extends AutoCloseable {

    void step(long step, double loss);

    void step(long step, double loss, double gradNorm, double learningRate);

    void step(long step, StepCompleted details);

    /** Records metrics on the validation split; {@code "loss"} is the validation loss. The map is copied. */
    void evaluation(long step, Map<String, Double> metrics);

    void evaluation(long step, EvaluationCompleted details);

    void preflight(PreflightCompleted checks);

    void tensorStats(long step, TensorStats stats);

    void batchStats(long step, BatchStats stats);

    void predictionStats(long step, PredictionStats stats);

    void stepProfile(long step, StepProfile profile);

    void rankFingerprint(long step, RankFingerprint fingerprint);

    /** Declares a change of conditions, so that what follows is compared with itself and not with what was before. */
    void phase(long step, String phaseId, String reason);

    /** Says what the trainer does until the next step, so that a long evaluation or compilation is not taken for a hang. */
    void activity(Activity activity);

    void checkpointSaved(long step, String path);

    void checkpointSaved(long step, CheckpointSaved details);

    void checkpointLoaded(long step, String path);

    void checkpointLoaded(long step, CheckpointLoaded details);

    /** Marks the run as failed: {@link #close} then says so instead of "completed". */
    void failed(Throwable error);

    /**
     * Whether the monitor, or a person by it, told this run to end: save a checkpoint if the run should go on later, and
     * leave the loop. One volatile read; the first call begins to listen for commands in the background, so ask early.
     *
     * <pre>{@code
     * if (run.shouldStop()) {
     *     save(step);
     *     run.checkpointSaved(step, path);
     *     break;
     * }
     * }</pre>
     */
    boolean shouldStop();

    /**
     * Hears of each command once, on a background thread, as it comes; throw to refuse it. Needed for {@code checkpoint};
     * {@link #shouldStop} is enough for the others. What it does must be quick and safe for threads, e.g. set a flag.
     */
    void onCommand(Consumer<Command> listener);

    /** Returns what has become of the events so far. */
    Delivery delivery();

    /**
     * Sends what is queued and {@code run_finished}, within the close timeout of the builder; what could not be sent stays
     * in the spool. Later calls do nothing. A process that ends without it flushes too, but does not say how the run ended.
     */
    @Override
    void close();
}
