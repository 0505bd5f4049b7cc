package io.trainwatch.monitor.demo;

import io.trainwatch.event.BatchStats;
import io.trainwatch.event.EvaluationCompleted;
import io.trainwatch.event.FinishStatus;
import io.trainwatch.event.PredictionStats;
import io.trainwatch.event.PreflightCompleted;
import io.trainwatch.event.RankFingerprint;
import io.trainwatch.event.RunFinished;
import io.trainwatch.event.StepCompleted;
import io.trainwatch.event.StepProfile;
import io.trainwatch.event.TensorStats;
import io.trainwatch.event.TrainingEvent;
import io.trainwatch.sdk.Activity;
import io.trainwatch.sdk.Delivery;
import io.trainwatch.sdk.TrainingRun;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.LongPredicate;
import org.apache.avro.specific.SpecificRecordBase;
import org.jspecify.annotations.Nullable;

/** A run that keeps what it is told, in order. */
final class RecordedRun implements TrainingRun {
    /** One report: the step and what was said of it. */
    record Entry(long step, SpecificRecordBase body) {}

    private final List<Entry> entries = new ArrayList<>();
    private final Training training;

    private RecordedRun(Training training) {
        this.training = training;
    }

    /** Trains a scenario as fast as the machine can, until it ends or goes silent. */
    static RecordedRun of(Scenario scenario, long seed) {
        return of(scenario.training().apply(seed), step -> !scenario.leavesAfter(step));
    }

    static RecordedRun of(Training training, LongPredicate goesOn) {
        RecordedRun run = new RecordedRun(training);
        training.run(run, Double.POSITIVE_INFINITY, goesOn);
        return run;
    }

    /** The run as the monitor receives it, at the pace of the scenario from a fixed hour on. */
    List<TrainingEvent> events(Scenario scenario) {
        List<TrainingEvent> events = new ArrayList<>();
        events.add(event(scenario, events.size(), null, training.declaration()));
        for (Entry entry : entries) {
            events.add(event(scenario, events.size(), entry.step(), entry.body()));
        }
        if (!scenario.goesSilent()) {
            RunFinished finished = new RunFinished();
            finished.setStatus(FinishStatus.completed);
            events.add(event(scenario, events.size(), training.steps(), finished));
        }
        return events;
    }

    private static TrainingEvent event(Scenario scenario, long seq, @Nullable Long step, SpecificRecordBase body) {
        TrainingEvent event = new TrainingEvent();
        event.setRunId(scenario.name());
        event.setSession("recorded");
        event.setSeq(seq);
        event.setTimestampMs(
                1_700_000_000_000L + (step == null ? 0 : (long) (1000 * step / scenario.stepsPerSecond())));
        event.setStep(step);
        event.setBody(body);
        return event;
    }

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
    public void rankFingerprint(long step, RankFingerprint fingerprint) {
        throw new UnsupportedOperationException();
    }

    @Override
    public void activity(Activity activity) {
        throw new UnsupportedOperationException();
    }

    @Override
    public Delivery delivery() {
        return Delivery.NONE;
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
