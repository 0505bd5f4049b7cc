package io.trainwatch.monitor.run;

import java.util.Collection;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** What a detector may know of a run beside the event that it judges; the event is already in it. */
public interface RunView {

    String runId();

    int attempt();

    RunFacts facts();

    Gates gates();

    /** Counts the events of the run from 1: identifies the one that is being judged. */
    long eventNumber();

    /** Last optimizer step that {@link #reportingRank} completed, -1 before the first. */
    long lastStep();

    /** First step of the run that was seen: the smallest that a segment began at. -1 before it. */
    long firstStep();

    /** Optimizer steps between {@link #firstStep} and {@link #lastStep}, at least 0. */
    default long stepsSeen() {
        return Math.max(0, lastStep() - firstStep());
    }

    /** Number of {@code step_completed} events judged, of all ranks. */
    long stepEvents();

    /** Rank whose steps make the series, -1 before the first. */
    int reportingRank();

    /** Whether the event that is being judged is a step of {@link #reportingRank} and made the series longer. */
    boolean reporting();

    /** Largest step that was ever completed: below it, steps are being redone. */
    long highestStep();

    /** Whether steps that were completed before are being redone after a resume. */
    default boolean redoing() {
        return lastStep() < highestStep();
    }

    /** Whether the event that is being judged opened a segment: its step went back or its attempt is new. */
    boolean segmentOpened();

    /** Step at which the latest segment began. */
    long segmentStart();

    /** Training loss. */
    Series loss();

    /** The loss of the run that this one is compared with; null where there is none. */
    @Nullable
    ReferenceCurve reference();

    /** Global gradient norm before clipping. */
    Series gradNorm();

    /** The training loss, where the run has one, and its components. */
    List<Series> losses();

    /** A shown or judged series by name; null if the run has none of it. */
    @Nullable
    Series series(String name);

    /** Every series, in the order in which they appeared. */
    Collection<Series> allSeries();

    /** Step at which the trainer last declared a change of phase, -1 if it never did. */
    long phaseStep();

    /** Number of {@code phase_changed} events so far: a reference that was taken in another phase is stale. */
    long phase();

    /** The latest checkpoints. */
    Checkpoints checkpoints();

    /** Whether the latest event was read from a log that was there before, so that nobody can act on it any more. */
    boolean historical();

    /**
     * What the accelerators have spent on the run, with {@code waitedMs} in which no event came, in seconds times ranks; NaN
     * if it cannot be told.
     */
    double acceleratorSeconds(long waitedMs);

    /** The same when a step was completed, as far as can be told. */
    double acceleratorSecondsAt(long step);

    /** Whether the run said that it ended. */
    boolean finished();

    /** Arrival of the latest event at the monitor, epoch milliseconds. */
    long lastArrivalMs();

    /** Events that were sent and have not come. */
    long missingEvents();

    /** Events that the trainer says it had to drop. */
    long droppedByTrainer();
}
