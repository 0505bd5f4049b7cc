package io.trainwatch.monitor.run;

import io.trainwatch.event.Change;
import io.trainwatch.event.CheckpointLoaded;
import io.trainwatch.event.CheckpointSaved;
import io.trainwatch.event.CommandAcknowledged;
import io.trainwatch.event.EvaluationCompleted;
import io.trainwatch.event.FinishStatus;
import io.trainwatch.event.PhaseChanged;
import io.trainwatch.event.PreflightCheck;
import io.trainwatch.event.PreflightCompleted;
import io.trainwatch.event.RunFinished;
import io.trainwatch.event.RunStarted;
import io.trainwatch.event.TrainingEvent;
import io.trainwatch.monitor.run.Milestone.Kind;
import io.trainwatch.monitor.stats.Persistent;
import io.trainwatch.monitor.stats.StateReader;
import io.trainwatch.monitor.stats.StateWriter;
import io.trainwatch.monitor.stats.UnreadableStateException;
import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * What happened to a run, in the order in which it was told: at most {@value #CAPACITY} milestones. Where there are more,
 * the oldest of the least weight is forgotten and counted; the beginning stays. What every rank tells is there once; of
 * the checkpoints there are the first and the latest, of each evaluation loss and metric the best.
 *
 * <p>Episodes are not in it: {@code AlertLifecycle} remembers them.
 */
public final class Story implements Persistent {
    static final int CAPACITY = 96;

    private static final int MAX_TEXT = 256;
    private static final int MAX_NAME = 64;
    private static final int MAX_BEST = 8;
    private static final int MAX_CHANGES = 4;

    private final List<Milestone> milestones = new ArrayList<>();
    private final Map<String, Best> best = new LinkedHashMap<>();
    private @Nullable Milestone latestCheckpoint;
    private long checkpoints;
    private long forgotten;

    /** The best value of one series, and the milestone that says so; null where that was forgotten. */
    private record Best(double value, @Nullable Milestone milestone) {}

    /** The first event of a run or of an attempt; {@code run_started} may follow and say more. */
    void began(TrainingEvent event, long step) {
        add(Kind.STARTED, event, step, "");
    }

    void declared(TrainingEvent event, RunStarted started, long step) {
        String text = essentials(event, started);
        for (int i = milestones.size() - 1; i >= 0; i--) {
            Milestone milestone = milestones.get(i);
            if (milestone.kind() == Kind.STARTED && milestone.attempt() == event.getAttempt()) {
                if (milestone.text().isEmpty()) {
                    milestones.set(
                            i,
                            new Milestone(Kind.STARTED, milestone.attempt(), milestone.step(), milestone.atMs(), text));
                }
                return;
            }
        }
        add(Kind.STARTED, event, step, text);
    }

    private static String essentials(TrainingEvent event, RunStarted started) {
        List<String> parts = new ArrayList<>();
        part(parts, started.getModelName());
        part(parts, started.getTask());
        part(parts, started.getOptimizer());
        if (started.getLearningRatePeak() != null) {
            parts.add("learning rate " + number(started.getLearningRatePeak()));
        }
        part(parts, started.getPrecision());
        if (started.getGlobalBatchSize() != null) {
            parts.add("batch " + whole(started.getGlobalBatchSize()));
        }
        if (started.getMaxSteps() != null) {
            parts.add(whole(started.getMaxSteps()) + " steps planned");
        }
        if (event.getWorldSize() != null && event.getWorldSize() > 1) {
            parts.add(whole(event.getWorldSize()) + " ranks");
        }
        if (started.getResumedFromStep() != null) {
            parts.add("from step " + whole(started.getResumedFromStep()));
        }
        return String.join(", ", parts);
    }

    private static void part(List<String> parts, @Nullable String text) {
        if (text != null && !text.isEmpty()) {
            parts.add(RunFacts.bounded(text, MAX_NAME));
        }
    }

    /** Training goes on at {@code step}, which is behind {@code reached}. */
    void resumed(TrainingEvent event, long step, long reached) {
        add(Kind.RESUMED, event, step, "back from step " + whole(reached) + " to step " + whole(step));
    }

    void preflight(TrainingEvent event, PreflightCompleted completed, long step) {
        List<String> failed = completed.getChecks().stream()
                .filter(check -> Boolean.FALSE.equals(check.getPassed()))
                .map(PreflightCheck::getName)
                .map(name -> RunFacts.bounded(name, MAX_NAME))
                .limit(MAX_CHANGES)
                .toList();
        addOnce(
                Kind.PREFLIGHT,
                event,
                step,
                whole(completed.getChecks().size()) + " checks, "
                        + (failed.isEmpty() ? "none failed" : "failed: " + String.join(", ", failed)));
    }

    void phaseChanged(TrainingEvent event, PhaseChanged changed, long step) {
        List<String> parts = new ArrayList<>();
        part(parts, event.getPhaseId());
        part(parts, changed.getReason());
        if (changed.getChanged() != null) {
            changed.getChanged().entrySet().stream()
                    .limit(MAX_CHANGES)
                    .forEach(change -> parts.add(RunFacts.bounded(change.getKey(), MAX_NAME) + " "
                            + value(change.getValue(), true) + " to " + value(change.getValue(), false)));
        }
        addOnce(Kind.PHASE_CHANGED, event, step, String.join(", ", parts));
    }

    private static String value(Change change, boolean before) {
        String value = before ? change.getBefore() : change.getAfter();
        return value == null ? "?" : RunFacts.bounded(value, MAX_NAME);
    }

    void loaded(TrainingEvent event, CheckpointLoaded loaded, long step) {
        addOnce(Kind.CHECKPOINT_LOADED, event, step, loaded.getPath() == null ? "" : loaded.getPath());
    }

    void saved(TrainingEvent event, CheckpointSaved saved, long step) {
        Milestone latest = latestCheckpoint;
        if (latest != null && latest.step() == step && latest.attempt() == event.getAttempt()) {
            return;
        }
        checkpoints++;
        String path = saved.getPath() == null ? "" : saved.getPath();
        if (latest != null && checkpoints > 2) {
            milestones.remove(latest);
        }
        latestCheckpoint = add(
                Kind.CHECKPOINT_SAVED,
                event,
                step,
                checkpoints == 1 ? path : "the latest of " + whole(checkpoints) + (path.isEmpty() ? "" : ": " + path));
    }

    /** Only what is known to be better when lower or higher has a best. */
    void evaluated(TrainingEvent event, EvaluationCompleted evaluation, RunFacts facts, long step) {
        if (evaluation.getMetrics() == null) {
            return;
        }
        String scope = RunState.evaluationScope(evaluation);
        evaluation.getMetrics().forEach((name, value) -> {
            MetricDirection direction = name.equals("loss") ? MetricDirection.MIN : facts.direction(scope, name);
            if (direction != null && Double.isFinite(value)) {
                evaluated(event, scope + "/" + name, value, direction, step);
            }
        });
    }

    private void evaluated(TrainingEvent event, String series, double value, MetricDirection direction, long step) {
        Best before = best.get(series);
        if (before == null && (best.size() >= MAX_BEST || series.length() > RunState.MAX_NAME)) {
            return;
        }
        if (before != null && (direction == MetricDirection.MIN ? value >= before.value() : value <= before.value())) {
            return;
        }
        if (before != null && before.milestone() != null) {
            milestones.remove(before.milestone());
        }
        best.put(series, new Best(value, add(Kind.BEST_EVALUATION, event, step, series + " " + number(value))));
    }

    void acknowledged(TrainingEvent event, CommandAcknowledged body, long step) {
        String detail = body.getDetail() == null ? "" : ": " + body.getDetail();
        add(Kind.COMMAND, event, step, "command " + body.getAction() + " " + body.getOutcome() + detail);
    }

    void finished(TrainingEvent event, RunFinished finished, long step) {
        for (int i = milestones.size() - 1; i >= 0; i--) {
            Milestone milestone = milestones.get(i);
            if (milestone.kind() == Kind.STARTED || milestone.kind() == Kind.RESUMED) {
                break;
            }
            if (milestone.kind() == Kind.FINISHED && milestone.attempt() == event.getAttempt()) {
                boolean worse = milestone.text().equals(FinishStatus.completed.name());
                if (worse) {
                    milestones.set(i, milestone(Kind.FINISHED, event, milestone.step(), ending(finished)));
                }
                return;
            }
        }
        add(Kind.FINISHED, event, step, ending(finished));
    }

    private static String ending(RunFinished finished) {
        List<String> parts = new ArrayList<>();
        parts.add(finished.getStatus().name());
        part(parts, finished.getErrorType());
        if (finished.getErrorMessage() != null) {
            parts.add(finished.getErrorMessage());
        }
        if (finished.getExitCode() != null && finished.getExitCode() != 0) {
            parts.add("exit code " + finished.getExitCode());
        }
        return String.join(", ", parts);
    }

    /** What every rank tells. */
    private void addOnce(Kind kind, TrainingEvent event, long step, String text) {
        for (int i = milestones.size() - 1; i >= 0; i--) {
            Milestone milestone = milestones.get(i);
            if (milestone.kind() == kind) {
                if (milestone.step() == step && milestone.attempt() == event.getAttempt()) {
                    return;
                }
                break;
            }
        }
        add(kind, event, step, text);
    }

    private Milestone add(Kind kind, TrainingEvent event, long step, String text) {
        if (milestones.size() == CAPACITY) {
            forgetOne();
        }
        Milestone added = milestone(kind, event, step, text);
        milestones.add(added);
        return added;
    }

    private static Milestone milestone(Kind kind, TrainingEvent event, long step, String text) {
        return new Milestone(kind, event.getAttempt(), step, event.getTimestampMs(), RunFacts.bounded(text, MAX_TEXT));
    }

    private void forgetOne() {
        int least = 1;
        for (int i = 2; i < milestones.size(); i++) {
            if (milestones.get(i).kind().weight() < milestones.get(least).kind().weight()) {
                least = i;
            }
        }
        milestones.remove(least);
        forgotten++;
    }

    public List<Milestone> milestones() {
        return List.copyOf(milestones);
    }

    /** Milestones that made room for others. */
    public long forgotten() {
        return forgotten;
    }

    private static String whole(long number) {
        return String.format(Locale.ROOT, "%,d", number);
    }

    private static String number(double value) {
        String digits = String.format(Locale.ROOT, "%.4g", value);
        return digits.contains("e")
                ? digits
                : new BigDecimal(digits).stripTrailingZeros().toPlainString();
    }

    @Override
    public void write(StateWriter out) {
        out.writeInt(milestones.size());
        for (Milestone milestone : milestones) {
            out.writeEnum(milestone.kind());
            out.writeInt(milestone.attempt());
            out.writeLong(milestone.step());
            out.writeLong(milestone.atMs());
            out.writeString(milestone.text());
        }
        out.writeInt(best.size());
        best.forEach((series, one) -> {
            out.writeString(series);
            out.writeDouble(one.value());
            out.writeInt(place(one.milestone()));
        });
        out.writeInt(place(latestCheckpoint));
        out.writeLong(checkpoints);
        out.writeLong(forgotten);
    }

    private int place(@Nullable Milestone milestone) {
        for (int i = 0; i < milestones.size(); i++) {
            if (Objects.equals(milestones.get(i), milestone)) {
                return i + 1;
            }
        }
        return 0;
    }

    private @Nullable Milestone at(int place) {
        return place == 0 ? null : milestones.get(place - 1);
    }

    @Override
    public void read(StateReader in) {
        milestones.clear();
        int count = in.readCount(CAPACITY);
        for (int i = 0; i < count; i++) {
            Kind kind = in.readEnum(Kind.class);
            if (kind == null) {
                throw new UnreadableStateException("a milestone without a kind");
            }
            milestones.add(new Milestone(kind, in.readInt(), in.readLong(), in.readLong(), in.readString()));
        }
        best.clear();
        int kept = in.readCount(MAX_BEST);
        for (int i = 0; i < kept; i++) {
            best.put(in.readString(), new Best(in.readDouble(), at(in.readCount(count))));
        }
        latestCheckpoint = at(in.readCount(count));
        checkpoints = in.readLong();
        forgotten = in.readLong();
    }
}
