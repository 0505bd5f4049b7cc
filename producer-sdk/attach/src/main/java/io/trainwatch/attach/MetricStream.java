package io.trainwatch.attach;

import io.trainwatch.attach.MetricNames.Metric;
import io.trainwatch.attach.MetricNames.Role;
import io.trainwatch.attach.MetricNames.Span;
import io.trainwatch.event.EvaluationCompleted;
import io.trainwatch.event.StepCompleted;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Makes events of the numbers of one run that come by name, step by step: for those who are sent them and read no log.
 * {@link MetricNames} says what a name means, {@link MetricRow} what becomes of the numbers of one step.
 *
 * <p>Metrics that come late, behind those of later steps, are told with the latest step: only a loss, a gradient norm or a
 * learning rate says that the run went back. The summary that Hugging Face's trainer gives at its end (the mean loss of all
 * steps beside {@code train_runtime}) is no step and is left out.
 *
 * <p>Bounded: {@value #MAX_STEP_NAMES} names are remembered. Not thread-safe.
 */
public final class MetricStream {
    private static final int MAX_STEP_NAMES = 1_000;
    private static final String SUMMARY_OF_HUGGING_FACE = "train_runtime";

    /**
     * What happened, without who says so and when.
     *
     * @param step optimizer step, at least 0
     * @param epoch epochs completed, null where nobody said
     * @param body a {@link StepCompleted} or an {@link EvaluationCompleted}
     */
    public record Happening(long step, @Nullable Double epoch, Object body) {}

    /** Names whose numbers came for steps, so that their means over epochs are others. */
    private final Set<String> ofSteps = new HashSet<>();

    private MetricRow row = new MetricRow();
    private boolean summary;
    private boolean empty = true;
    private long lastStep;

    /** Begins behind a step, 0 for a run that is new. */
    public MetricStream(long lastStep) {
        this.lastStep = lastStep;
    }

    /** The latest step that was told. */
    public long lastStep() {
        return lastStep;
    }

    /** Takes in a number of the step that is open. */
    public void put(String name, double value) {
        Metric metric = MetricNames.of(name);
        if (metric.span() == Span.STEP && ofSteps.size() < MAX_STEP_NAMES) {
            ofSteps.add(metric.name());
        }
        summary |= name.equals(SUMMARY_OF_HUGGING_FACE);
        empty &= metric.role() == Role.NOTHING;
        row.put(metric, value, ofSteps.contains(metric.name()));
    }

    /** Whether nothing that could be told came for the step that is open. */
    public boolean isEmpty() {
        return empty;
    }

    /** A step that one of the numbers of the open step gives, e.g. {@code global_step}; null if none does. */
    public @Nullable Long givenStep() {
        return row.wholeStep();
    }

    /** Completes the step that is open and begins the next one. */
    public List<Happening> complete(long step) {
        MetricRow done = row;
        boolean told = !summary && !empty;
        row = new MetricRow();
        summary = false;
        empty = true;
        List<Happening> happenings = new ArrayList<>();
        if (!told) {
            return happenings;
        }
        StepCompleted completed = done.completed();
        if (completed != null) {
            lastStep = step < lastStep && !done.mayGoBack() ? lastStep : step;
            happenings.add(new Happening(lastStep, done.epoch, completed));
        }
        for (EvaluationCompleted evaluation : done.evaluations()) {
            happenings.add(new Happening(step, done.epoch, evaluation));
        }
        return happenings;
    }
}
