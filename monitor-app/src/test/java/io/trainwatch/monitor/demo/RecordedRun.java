package io.trainwatch.monitor.demo;

import io.trainwatch.event.BatchStats;
import io.trainwatch.event.EvaluationCompleted;
import io.trainwatch.event.FinishStatus;
import io.trainwatch.event.RunFinished;
import io.trainwatch.event.StepCompleted;
import io.trainwatch.event.TrainingEvent;
import io.trainwatch.sdk.TrainingRun;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.List;
import java.util.function.LongPredicate;
import org.apache.avro.specific.SpecificRecordBase;
import org.jspecify.annotations.Nullable;

/** What a training reports, in order. */
final class RecordedRun {
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
        training.run(run.recorder(), Double.POSITIVE_INFINITY, goesOn);
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

    /** Keeps each record with its step; a call of any other form is not what a training of the demonstration makes. */
    private TrainingRun recorder() {
        return (TrainingRun) Proxy.newProxyInstance(
                TrainingRun.class.getClassLoader(), new Class<?>[] {TrainingRun.class}, (proxy, method, arguments) -> {
                    entries.add(new Entry((Long) arguments[0], (SpecificRecordBase) arguments[1]));
                    return null;
                });
    }
}
