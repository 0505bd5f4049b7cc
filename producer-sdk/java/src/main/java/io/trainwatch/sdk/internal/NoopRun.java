package io.trainwatch.sdk.internal;

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
import io.trainwatch.sdk.Activity;
import io.trainwatch.sdk.Delivery;
import io.trainwatch.sdk.TrainingRun;
import java.util.Map;
import java.util.function.Consumer;

/** A run that nobody watches. */
public enum NoopRun implements TrainingRun {
    INSTANCE;

    @Override
    public void step(long step, double loss) {}

    @Override
    public void step(long step, double loss, double gradNorm, double learningRate) {}

    @Override
    public void step(long step, StepCompleted details) {}

    @Override
    public void evaluation(long step, Map<String, Double> metrics) {}

    @Override
    public void evaluation(long step, EvaluationCompleted details) {}

    @Override
    public void preflight(PreflightCompleted checks) {}

    @Override
    public void tensorStats(long step, TensorStats stats) {}

    @Override
    public void batchStats(long step, BatchStats stats) {}

    @Override
    public void predictionStats(long step, PredictionStats stats) {}

    @Override
    public void stepProfile(long step, StepProfile profile) {}

    @Override
    public void rankFingerprint(long step, RankFingerprint fingerprint) {}

    @Override
    public void phase(long step, String phaseId, String reason) {}

    @Override
    public void activity(Activity activity) {}

    @Override
    public void checkpointSaved(long step, String path) {}

    @Override
    public void checkpointSaved(long step, CheckpointSaved details) {}

    @Override
    public void checkpointLoaded(long step, String path) {}

    @Override
    public void checkpointLoaded(long step, CheckpointLoaded details) {}

    @Override
    public void failed(Throwable error) {}

    @Override
    public boolean shouldStop() {
        return false;
    }

    @Override
    public void onCommand(Consumer<Command> listener) {}

    @Override
    public Delivery delivery() {
        return Delivery.NONE;
    }

    @Override
    public void close() {}
}
