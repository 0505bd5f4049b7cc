package io.trainwatch.attach;

import io.trainwatch.attach.MetricNames.Metric;
import io.trainwatch.attach.MetricNames.Role;
import io.trainwatch.attach.MetricNames.Span;
import io.trainwatch.event.EvaluationCompleted;
import io.trainwatch.event.StepCompleted;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
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
 * <p>Bounded: a step has {@value #MAX_NAMES} names, as many are remembered. Not thread-safe.
 */
public final class MetricStream {
    static final int MAX_NAMES = 1_000;

    /** Where the first of them is, all are of the summary. */
    private static final List<String> SUMMARY_OF_HUGGING_FACE =
            List.of("train_runtime", "train_loss", "train_samples_per_second", "train_steps_per_second", "total_flos");

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

    /** The numbers of the step that is open, by name. */
    private final Map<String, Double> open = new LinkedHashMap<>();

    private long lastStep;

    /** Begins behind a step, 0 for a run that is new. */
    public MetricStream(long lastStep) {
        this.lastStep = lastStep;
    }

    /** The latest step that was told. */
    public long lastStep() {
        return lastStep;
    }

    /** Takes in a number of the step that is open; one of the same name is replaced. */
    public void put(String name, double value) {
        if (open.size() < MAX_NAMES || open.containsKey(name)) {
            open.put(name, value);
        }
    }

    /** Whether nothing came for the step that is open. */
    public boolean isEmpty() {
        return open.isEmpty();
    }

    /**
     * Completes the step that is open and begins the next one.
     *
     * @param given its number; null where only a number of its own may say it, e.g. {@code global_step}, and it is the next
     *     one otherwise
     */
    public List<Happening> complete(@Nullable Long given) {
        if (open.containsKey(SUMMARY_OF_HUGGING_FACE.get(0))) {
            SUMMARY_OF_HUGGING_FACE.forEach(open::remove);
        }
        MetricRow row = new MetricRow();
        boolean told = false;
        for (Map.Entry<String, Double> number : open.entrySet()) {
            Metric metric = MetricNames.of(number.getKey());
            if (metric.span() == Span.STEP && ofSteps.size() < MAX_NAMES) {
                ofSteps.add(metric.name());
            }
            told |= metric.role() != Role.NOTHING && metric.role() != Role.EPOCH;
            row.put(metric, number.getValue(), ofSteps.contains(metric.name()));
        }
        open.clear();
        return told ? happenings(row, given) : List.of();
    }

    private List<Happening> happenings(MetricRow row, @Nullable Long given) {
        Long own = given == null ? row.wholeStep() : given;
        long step = own == null ? lastStep + 1 : own;
        List<Happening> happenings = new ArrayList<>();
        StepCompleted completed = row.completed();
        if (completed != null) {
            lastStep = step < lastStep && !row.mayGoBack() ? lastStep : step;
            happenings.add(new Happening(lastStep, row.epoch, completed));
        }
        for (EvaluationCompleted evaluation : row.evaluations()) {
            happenings.add(new Happening(step, row.epoch, evaluation));
        }
        return happenings;
    }
}
