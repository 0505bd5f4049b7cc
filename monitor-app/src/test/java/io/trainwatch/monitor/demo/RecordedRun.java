package io.trainwatch.monitor.demo;

import io.trainwatch.event.BatchStats;
import io.trainwatch.event.EvaluationCompleted;
import io.trainwatch.event.PredictionStats;
import io.trainwatch.event.PreflightCompleted;
import io.trainwatch.event.StepCompleted;
import io.trainwatch.event.StepProfile;
import io.trainwatch.event.TensorStats;
import io.trainwatch.sdk.TrainingRun;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.avro.specific.SpecificRecordBase;

/** A run that keeps what it is told, in order. */
final class RecordedRun implements TrainingRun {
    /** One report: the step and what was said of it. */
    record Entry(long step, SpecificRecordBase body) {}

    private final List<Entry> entries = new ArrayList<>();

    List<Entry> entries() {
        return entries;
    }

    /** The loss of each step; step 1 comes first. */
    double[] losses() {
        return entries.stream()
                .filter(entry -> entry.body() instanceof StepCompleted)
                .mapToDouble(entry -> ((StepCompleted) entry.body()).getLoss())
                .toArray();
    }

    double[] gradNorms() {
        return entries.stream()
                .filter(entry -> entry.body() instanceof StepCompleted)
                .mapToDouble(entry -> ((StepCompleted) entry.body()).getGradNorm())
                .toArray();
    }

    double[] validationLosses() {
        return entries.stream()
                .filter(entry -> entry.body() instanceof EvaluationCompleted)
                .mapToDouble(entry ->
                        ((EvaluationCompleted) entry.body()).getMetrics().get("loss"))
                .toArray();
    }

    List<BatchStats> profiles() {
        return entries.stream()
                .filter(entry -> entry.body() instanceof BatchStats)
                .map(entry -> (BatchStats) entry.body())
                .toList();
    }

    @Override
    public void step(long step, double loss) {
        throw new UnsupportedOperationException();
    }

    @Override
    public void step(long step, double loss, double gradNorm, double learningRate) {
        throw new UnsupportedOperationException();
    }

    @Override
    public void step(long step, StepCompleted details) {
        entries.add(new Entry(step, details));
    }

    @Override
    public void evaluation(long step, Map<String, Double> metrics) {
        throw new UnsupportedOperationException();
    }

    @Override
    public void evaluation(long step, EvaluationCompleted details) {
        entries.add(new Entry(step, details));
    }

    @Override
    public void preflight(PreflightCompleted checks) {
        throw new UnsupportedOperationException();
    }

    @Override
    public void tensorStats(long step, TensorStats stats) {
        throw new UnsupportedOperationException();
    }

    @Override
    public void batchStats(long step, BatchStats stats) {
        entries.add(new Entry(step, stats));
    }

    @Override
    public void predictionStats(long step, PredictionStats stats) {
        throw new UnsupportedOperationException();
    }

    @Override
    public void stepProfile(long step, StepProfile profile) {
        throw new UnsupportedOperationException();
    }

    @Override
    public void phase(long step, String phaseId, String reason) {
        throw new UnsupportedOperationException();
    }

    @Override
    public void checkpointSaved(long step, String path) {
        throw new UnsupportedOperationException();
    }

    @Override
    public void checkpointLoaded(long step, String path) {
        throw new UnsupportedOperationException();
    }

    @Override
    public void failed(Throwable error) {
        throw new UnsupportedOperationException();
    }

    @Override
    public void close() {}
}
