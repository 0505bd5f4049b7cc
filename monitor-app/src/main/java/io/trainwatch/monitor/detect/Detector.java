package io.trainwatch.monitor.detect;

import io.trainwatch.event.TrainingEvent;
import io.trainwatch.monitor.run.RunView;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Judges one aspect of a run. Immutable: settings are its fields; history is in S, bounded however long the run.
 *
 * <p>A detector says what is true now, at each event that it reads: {@link Verdicts#healthy}, {@link
 * Verdicts#unhealthy}, or nothing where it cannot tell. When a level becomes an alert and when that ends is the business
 * of the alert lifecycle. It reads no clock and keeps no reference to the event.
 *
 * <p>A class and not an interface: two dozen of them see every step of every run, and the JVM finds the method of a class by
 * its place, that of an interface by a search.
 *
 * @param <S> its state for one run; {@link NoState} where it has none
 */
public abstract class Detector<S extends DetectorState> {

    /** Stable name: state slot, metric label, alert name and runbook anchor. Lower snake case. */
    public abstract String name();

    /** Bodies of the events that {@link #observe} wants to see; classes of {@code io.trainwatch.event}. */
    public abstract Set<Class<?>> reads();

    public abstract S newState();

    /** Judges the event, which is already part of {@code run}. */
    public abstract void observe(S state, RunView run, TrainingEvent event, Verdicts verdicts);

    /** Judges the passing of time, every second or so; {@code nowMs} is epoch milliseconds of the monitor. */
    public void tick(S state, RunView run, long nowMs, Verdicts verdicts) {}

    /** What it lacks to judge this run, in words; null if it has judged. Silence must never look like health. */
    @Nullable
    public abstract String missing(S state, RunView run);

    /** What users may set of it, beside what they may set of every detector. */
    public List<Setting<?>> settings() {
        return List.of();
    }

    /** Healthy verdicts in a row after which an episode of it is over, at least 1. */
    public int quietVerdicts() {
        return 128;
    }
}
