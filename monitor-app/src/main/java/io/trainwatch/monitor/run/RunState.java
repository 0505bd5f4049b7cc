package io.trainwatch.monitor.run;

import io.trainwatch.event.BatchStats;
import io.trainwatch.event.CheckpointLoaded;
import io.trainwatch.event.CheckpointSaved;
import io.trainwatch.event.CommandAcknowledged;
import io.trainwatch.event.EvaluationCompleted;
import io.trainwatch.event.FinishStatus;
import io.trainwatch.event.Heartbeat;
import io.trainwatch.event.PhaseChanged;
import io.trainwatch.event.PreflightCompleted;
import io.trainwatch.event.RunFinished;
import io.trainwatch.event.RunStarted;
import io.trainwatch.event.StepCompleted;
import io.trainwatch.event.TensorStats;
import io.trainwatch.event.TrainingEvent;
import io.trainwatch.monitor.stats.Persistent;
import io.trainwatch.monitor.stats.StateReader;
import io.trainwatch.monitor.stats.StateWriter;
import io.trainwatch.monitor.stats.UnreadableStateException;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What is known of one run: what it declared, where it is, and its series. Bounded however long the run: at most
 * {@value #MAX_SERIES} series, names of at most {@value #MAX_NAME} characters; what does not fit is counted. Of several
 * ranks, which run ahead of each other and arrive in batches, one says where the run is and brings its series: the lowest
 * that reported a loss in this attempt, before that the lowest that reported a step. Where it takes over from another, it
 * is heard from the step after the last one on, at most {@value #MAX_BEHIND} of its steps are passed over until then.
 *
 * <p>A step that goes back, or a new attempt, opens a segment (DETECTION.md 2.1): short windows keep their content, log
 * buckets go back to the resume step, and {@link #redoing} holds until the largest step is passed.
 */
public final class RunState implements RunView, Persistent {
    static final int MAX_SERIES = 64;
    static final int MAX_NAME = 128;

    /** Steps that a rank may be behind the one that it takes over from: a few batches, not a step number gone wrong. */
    static final int MAX_BEHIND = 4096;

    /** A reference that still runs is copied again when this run is as far beyond the end of its copy. */
    static final double REFERENCE_OUTGROWN = 1.25;

    private static final int NO_RANK = -1;

    private final String runId;
    private final RunFacts facts = new RunFacts();
    private final Gates gates = new Gates();
    private final Producers producers = new Producers();
    private final AcceleratorTime acceleratorTime = new AcceleratorTime();
    private final Story story = new Story();
    private final Checkpoints checkpoints = new Checkpoints();
    private final HeatMaps heatMaps = new HeatMaps();
    private final Series loss = new Series("loss", Series.Kind.LINEAR);
    private final Series gradNorm = new Series("grad_norm", Series.Kind.LOGARITHMIC);
    private final Series learningRate = new Series("learning_rate", Series.Kind.SHOWN);
    private final Series stepTime = new Series("step_time_seconds", Series.Kind.SHOWN);
    private final Map<String, Series> named = new LinkedHashMap<>();
    private final List<Series> losses = new ArrayList<>(List.of(loss));

    private int attempt;
    private int reportingRank = NO_RANK;
    private boolean lossReported;
    private int behind;
    private boolean reporting;
    private long events;
    private long stepEvents;
    private long firstStep = -1;
    private long lastStep = -1;
    private long highestStep = -1;
    private long segmentStart = -1;
    private boolean segmentOpened;
    private long phase;
    private long phaseStep = -1;
    private long startedAtMs;
    private long lastEventAtMs;
    private long lastArrivalMs;
    private double evaluationLoss = Double.NaN;
    private boolean evaluationLossKnown;
    private boolean historical;
    private @Nullable FinishStatus finish;
    private long refusedNames;
    private @Nullable ReferenceCurve reference;
    private long referenceFreshUntil;

    public RunState(String runId) {
        this.runId = runId;
        nameOwnSeries();
    }

    private void nameOwnSeries() {
        named.put(loss.name(), loss);
        named.put(gradNorm.name(), gradNorm);
        named.put(learningRate.name(), learningRate);
        named.put(stepTime.name(), stepTime);
    }

    /**
     * Takes in an event.
     *
     * @param arrivedAtMs when it reached the monitor, epoch milliseconds
     * @return false if it came before and nothing changed
     */
    public boolean accept(TrainingEvent event, long arrivedAtMs) {
        if (!producers.accept(event)) {
            return false;
        }
        events++;
        historical = Boolean.TRUE.equals(event.getHistorical());
        reporting = false;
        segmentOpened = false;
        if (startedAtMs == 0) {
            startedAtMs = event.getTimestampMs();
        }
        lastEventAtMs = Math.max(lastEventAtMs, event.getTimestampMs());
        lastArrivalMs = arrivedAtMs;
        acceleratorTime.event(event.getTimestampMs(), event.getAttempt(), ranks(event));
        if (events == 1 || event.getAttempt() > attempt) {
            story.began(event, stepOf(event));
        }
        if (event.getAttempt() > attempt) {
            attempt = event.getAttempt();
            reportingRank = NO_RANK;
            lossReported = false;
            openSegment(event.getStep() == null ? lastStep + 1 : event.getStep());
        }
        Object body = event.getBody();
        if (body instanceof StepCompleted step) {
            completed(event, step);
        } else if (body instanceof EvaluationCompleted evaluation) {
            evaluated(event, evaluation);
        } else {
            other(event, body);
        }
        return true;
    }

    private static int ranks(TrainingEvent event) {
        return event.getWorldSize() == null ? 1 : event.getWorldSize();
    }

    /** Step that the event is about, else the last one that was completed. */
    private long stepOf(TrainingEvent event) {
        return event.getStep() == null ? lastStep : event.getStep();
    }

    private void completed(TrainingEvent event, StepCompleted body) {
        stepEvents++;
        reporting = reports(event, body);
        if (!reporting) {
            return;
        }
        finish = null;
        long step = event.getStep() == null ? lastStep + 1 : event.getStep();
        if (firstStep < 0) {
            firstStep = step;
            segmentStart = step;
        } else if (step < lastStep) {
            story.resumed(event, step, lastStep);
            openSegment(step);
        }
        lastStep = step;
        acceleratorTime.step(step, body.getStepTimeSeconds() == null ? Double.NaN : body.getStepTimeSeconds());
        highestStep = Math.max(highestStep, step);
        gates.point();
        if (body.getLearningRate() != null) {
            gates.learningRate(facts, step, body.getLearningRate());
            learningRate.add(events, step, body.getLearningRate());
        }
        if (body.getLoss() != null) {
            loss.add(events, step, body.getLoss());
        }
        if (body.getGradNorm() != null && !Boolean.TRUE.equals(body.getOptimizerStepSkipped())) {
            gradNorm.add(events, step, body.getGradNorm());
        }
        if (body.getLosses() != null) {
            body.getLosses().forEach((name, value) -> add("losses/" + name, Series.Kind.LINEAR, step, value));
        }
        if (body.getMetrics() != null) {
            body.getMetrics().forEach((name, value) -> add("metrics/" + name, Series.Kind.SHOWN, step, value));
        }
        if (body.getStepTimeSeconds() != null) {
            stepTime.add(events, step, body.getStepTimeSeconds());
        }
    }

    private boolean reports(TrainingEvent event, StepCompleted body) {
        boolean loss = body.getLoss() != null || body.getLosses() != null;
        int rank = event.getRank();
        if (rank < 0) {
            return false;
        }
        if (rank != reportingRank) {
            boolean first = reportingRank == NO_RANK;
            boolean better = loss == lossReported ? rank < reportingRank : loss;
            if (event.getAttempt() != attempt || !(first || better)) {
                return false;
            }
            reportingRank = rank;
            behind = first ? 0 : MAX_BEHIND;
        }
        lossReported |= loss;
        if (behind > 0 && event.getStep() != null && event.getStep() <= lastStep) {
            behind--;
            return false;
        }
        behind = 0;
        return true;
    }

    private void evaluated(TrainingEvent event, EvaluationCompleted body) {
        if (body.getMetrics() == null) {
            return;
        }
        long step = event.getStep() == null ? Math.max(0, lastStep) : event.getStep();
        String dataset = evaluationScope(body);
        story.evaluated(event, body, facts, step);
        body.getMetrics().forEach((name, value) -> {
            add(dataset + "/" + name, Series.Kind.SHOWN, step, value);
            if (name.equals("loss")) {
                evaluationLoss = value;
                evaluationLossKnown = true;
            }
        });
    }

    /** What the batches of a split are called in scopes: those that do not say are of the training set. */
    public static String splitScope(@Nullable String split) {
        return split == null ? "train" : split;
    }

    /** What an evaluation is called in scopes and series: its dataset or split, with its slice if it has one. */
    public static String evaluationScope(EvaluationCompleted evaluation) {
        String dataset = evaluation.getDataset() != null
                ? evaluation.getDataset()
                : evaluation.getSplit() != null ? evaluation.getSplit() : "val";
        return evaluation.getSlice() == null ? dataset : dataset + "/" + evaluation.getSlice();
    }

    private void other(TrainingEvent event, Object body) {
        if (body instanceof RunStarted started) {
            facts.declare(started);
            story.declared(event, started, stepOf(event));
            finish = null;
        } else if (body instanceof PreflightCompleted preflight) {
            facts.preflight(preflight);
            story.preflight(event, preflight, stepOf(event));
        } else if (body instanceof PhaseChanged changed) {
            story.phaseChanged(event, changed, stepOf(event));
            phase++;
            phaseStep = event.getStep() == null ? Math.max(0, lastStep) : event.getStep();
            gates.phaseChanged();
        } else if (body instanceof CheckpointSaved saved) {
            checkpoints.saved(stepOf(event), saved.getPath());
            story.saved(event, saved, stepOf(event));
        } else if (body instanceof CheckpointLoaded loaded) {
            story.loaded(event, loaded, stepOf(event));
            gates.resumed();
        } else if (body instanceof TensorStats tensors) {
            heatMaps.add(Math.max(0, stepOf(event)), tensors);
        } else if (body instanceof BatchStats batch) {
            heatMaps.add(Math.max(0, stepOf(event)), batch);
        } else if (body instanceof Heartbeat heartbeat && heartbeat.getDroppedEvents() != null) {
            producers.dropped(event, heartbeat.getDroppedEvents());
        } else if (body instanceof CommandAcknowledged acknowledged) {
            story.acknowledged(event, acknowledged, stepOf(event));
        } else if (body instanceof RunFinished finished) {
            finish = finished.getStatus();
            story.finished(event, finished, stepOf(event));
            if (finished.getDroppedEvents() != null) {
                producers.dropped(event, finished.getDroppedEvents());
            }
        }
    }

    private void openSegment(long step) {
        segmentOpened = true;
        segmentStart = step;
        gates.resumed();
        if (step > highestStep) {
            return;
        }
        firstStep = Math.min(firstStep, step);
        for (Series series : named.values()) {
            series.rewind(step);
        }
    }

    private void add(String name, Series.Kind kind, long step, double value) {
        Series series = named.get(name);
        if (series == null && named.size() < MAX_SERIES && name.length() <= MAX_NAME) {
            series = open(name, kind);
        }
        if (series == null || series.kind() != kind) {
            refusedNames++;
            return;
        }
        series.add(events, step, value);
    }

    private Series open(String name, Series.Kind kind) {
        Series series = new Series(name, kind);
        named.put(name, series);
        if (kind == Series.Kind.LINEAR) {
            losses.add(series);
        }
        return series;
    }

    @Override
    public String runId() {
        return runId;
    }

    @Override
    public int attempt() {
        return attempt;
    }

    @Override
    public int reportingRank() {
        return reportingRank;
    }

    @Override
    public boolean reporting() {
        return reporting;
    }

    @Override
    public RunFacts facts() {
        return facts;
    }

    @Override
    public Gates gates() {
        return gates;
    }

    @Override
    public long eventNumber() {
        return events;
    }

    @Override
    public long lastStep() {
        return lastStep;
    }

    @Override
    public long firstStep() {
        return firstStep;
    }

    @Override
    public long stepEvents() {
        return stepEvents;
    }

    @Override
    public long highestStep() {
        return highestStep;
    }

    @Override
    public boolean segmentOpened() {
        return segmentOpened;
    }

    @Override
    public long segmentStart() {
        return segmentStart;
    }

    @Override
    public Series loss() {
        return loss;
    }

    @Override
    public @Nullable ReferenceCurve reference() {
        return reference;
    }

    /** Compares the run with another one from here on. */
    public void compareWith(ReferenceCurve other) {
        reference = other;
        double end = Math.max((double) lastStep, other.lastStep() / other.stepsPerStep(facts.kind()));
        referenceFreshUntil = (long) (REFERENCE_OUTGROWN * end);
    }

    /**
     * The run whose curve is wanted now: the one that was named and is not known yet, or whose copy this run has outgrown
     * while it went on. Null if none. A copy is at least a quarter longer in steps than the one before, so there are few.
     */
    public @Nullable String wantedReference() {
        String named = facts.referenceRunId();
        if (named == null || named.equals(runId)) {
            return null;
        }
        if (reference == null || !reference.runId().equals(named)) {
            return named;
        }
        return reference.ended() || lastStep <= referenceFreshUntil ? null : named;
    }

    @Override
    public Series gradNorm() {
        return gradNorm;
    }

    @Override
    public List<Series> losses() {
        return losses;
    }

    @Override
    public @Nullable Series series(String name) {
        return named.get(name);
    }

    @Override
    public Collection<Series> allSeries() {
        return named.values();
    }

    @Override
    public long phaseStep() {
        return phaseStep;
    }

    @Override
    public long phase() {
        return phase;
    }

    @Override
    public Checkpoints checkpoints() {
        return checkpoints;
    }

    @Override
    public boolean historical() {
        return historical;
    }

    @Override
    public double acceleratorSeconds(long waitedMs) {
        return acceleratorTime.seconds(waitedMs);
    }

    @Override
    public double acceleratorSecondsAt(long step) {
        return acceleratorTime.at(step);
    }

    /** Seconds of training up to a step: the maximum of each point is that of its last step. Empty if not known. */
    public List<SeriesSnapshot.Bucket> elapsed() {
        return acceleratorTime.elapsed();
    }

    /** What its layers and features did, as far as it sends them. */
    public List<HeatMap> heatMaps() {
        return heatMaps.snapshot();
    }

    /** What happened to the run so far. */
    public Story story() {
        return story;
    }

    @Override
    public boolean finished() {
        return finish != null;
    }

    @Override
    public long lastArrivalMs() {
        return lastArrivalMs;
    }

    @Override
    public long missingEvents() {
        return producers.missing();
    }

    @Override
    public long droppedByTrainer() {
        return producers.droppedByTrainer();
    }

    /** How the run ended, null while it goes on. */
    public @Nullable FinishStatus finish() {
        return finish;
    }

    /** Every series by name, in the order in which they appeared. */
    public Map<String, Series> series() {
        return named;
    }

    /** Events that came twice. */
    public long duplicates() {
        return producers.duplicates();
    }

    /** Gaps in the sequence numbers that may still be filled by late events. */
    public long pendingEvents() {
        return producers.pending();
    }

    /** Points that were refused: too many series, a name too long, or a name that a series of another kind has. */
    public long refusedNames() {
        return refusedNames;
    }

    /** Timestamp of the first event, epoch milliseconds by the trainer. */
    public long startedAtMs() {
        return startedAtMs;
    }

    /** Latest timestamp of an event, epoch milliseconds by the trainer. */
    public long lastEventAtMs() {
        return lastEventAtMs;
    }

    /** Whether an evaluation loss came at all; it may be NaN. */
    public boolean evaluationLossKnown() {
        return evaluationLossKnown;
    }

    /** Latest evaluation loss of any dataset, NaN before the first. */
    public double evaluationLoss() {
        return evaluationLoss;
    }

    @Override
    public void write(StateWriter out) {
        facts.write(out);
        gates.write(out);
        producers.write(out);
        acceleratorTime.write(out);
        story.write(out);
        out.writeInt(attempt);
        out.writeInt(reportingRank);
        out.writeBoolean(lossReported);
        out.writeInt(behind);
        out.writeLong(events);
        out.writeLong(stepEvents);
        out.writeLong(firstStep);
        out.writeLong(lastStep);
        out.writeLong(highestStep);
        out.writeLong(segmentStart);
        out.writeLong(phase);
        out.writeLong(phaseStep);
        out.writeLong(startedAtMs);
        out.writeLong(lastEventAtMs);
        out.writeLong(lastArrivalMs);
        out.writeDouble(evaluationLoss);
        out.writeBoolean(evaluationLossKnown);
        checkpoints.write(out);
        heatMaps.write(out);
        out.writeBoolean(historical);
        out.writeEnum(finish);
        out.writeLong(refusedNames);
        out.writeBoolean(reference != null);
        if (reference != null) {
            reference.write(out);
        }
        out.writeLong(referenceFreshUntil);
        out.writeInt(named.size());
        named.forEach((name, series) -> {
            out.writeString(name);
            out.writeEnum(series.kind());
            series.write(out);
        });
    }

    @Override
    public void read(StateReader in) {
        facts.read(in);
        gates.read(in);
        producers.read(in);
        acceleratorTime.read(in);
        story.read(in);
        attempt = in.readInt();
        reportingRank = in.readInt();
        lossReported = in.readBoolean();
        behind = in.readCount(MAX_BEHIND);
        events = in.readLong();
        stepEvents = in.readLong();
        firstStep = in.readLong();
        lastStep = in.readLong();
        highestStep = in.readLong();
        segmentStart = in.readLong();
        phase = in.readLong();
        phaseStep = in.readLong();
        startedAtMs = in.readLong();
        lastEventAtMs = in.readLong();
        lastArrivalMs = in.readLong();
        evaluationLoss = in.readDouble();
        evaluationLossKnown = in.readBoolean();
        checkpoints.read(in);
        heatMaps.read(in);
        historical = in.readBoolean();
        finish = in.readEnum(FinishStatus.class);
        refusedNames = in.readLong();
        reference = in.readBoolean() ? ReferenceCurve.read(in) : null;
        referenceFreshUntil = in.readLong();
        named.clear();
        nameOwnSeries();
        losses.clear();
        losses.add(loss);
        int count = in.readCount(MAX_SERIES);
        for (int i = 0; i < count; i++) {
            String name = in.readString();
            Series.Kind kind = in.readEnum(Series.Kind.class);
            Series series = named.get(name);
            if (kind == null || (series != null && series.kind() != kind)) {
                throw new UnreadableStateException("series " + name + " of kind " + kind);
            }
            (series == null ? open(name, kind) : series).read(in);
        }
    }
}
