package io.trainwatch.monitor.detect;

import io.trainwatch.alert.Severity;
import io.trainwatch.event.TrainingEvent;
import io.trainwatch.monitor.run.RunView;
import io.trainwatch.monitor.stats.StateReader;
import io.trainwatch.monitor.stats.StateWriter;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Finds events that were sent and never came (D26): the monitor saw less than the trainer sent, so every other verdict
 * rests on less than it seems.
 *
 * <pre>
 * missing = sequence numbers that stayed absent after 64 later ones of the same producer
 * fires when missing grew within the last 1,000 events: more than 1 % of them -&gt; warning, else info
 * </pre>
 *
 * <p>Late events fill their gap for 64 sequence numbers. What the trainer says that it dropped itself (its queue or spool
 * was full) is told from what was lost on the way. Known weakness: events lost at the very end of a run leave no gap.
 * Siblings: {@link StalledRun} for silence. Source: DETECTION.md D26.
 */
public final class TelemetryGap extends Detector<TelemetryGap.State> {
    static final Setting<Double> SHARE = Setting.number(
            "share",
            0.01,
            0.0001,
            1,
            "share of the events",
            "More missing events are a warning, fewer are info. A choice: from there on, what is "
                    + "counted in a row no longer is.");

    static final int HORIZON = 1000;

    private final double mostMissing;

    TelemetryGap(DetectorSettings settings) {
        mostMissing = settings.get(SHARE);
    }

    /** Missing events when the present stretch of {@value #HORIZON} began. */
    static final class State implements DetectorState {
        long events;
        long missingBefore;
        long missingInStretch;
        long onset = -1;
        boolean sequenced;

        @Override
        public int version() {
            return 1;
        }

        @Override
        public void write(StateWriter out) {
            out.writeLong(events);
            out.writeLong(missingBefore);
            out.writeLong(missingInStretch);
            out.writeLong(onset);
            out.writeBoolean(sequenced);
        }

        @Override
        public void read(StateReader in) {
            events = in.readLong();
            missingBefore = in.readLong();
            missingInStretch = in.readLong();
            onset = in.readLong();
            sequenced = in.readBoolean();
        }
    }

    @Override
    public String name() {
        return "telemetry_gap";
    }

    @Override
    public List<Setting<?>> settings() {
        return List.of(SHARE);
    }

    @Override
    public Set<Class<?>> reads() {
        return EventTypes.ALL;
    }

    @Override
    public int quietVerdicts() {
        return HORIZON;
    }

    @Override
    public State newState() {
        return new State();
    }

    @Override
    public void observe(State state, RunView run, TrainingEvent event, Verdicts verdicts) {
        if (event.getSeq() == null) {
            return;
        }
        state.sequenced = true;
        state.events++;
        long missing = run.missingEvents() - state.missingBefore;
        boolean grew = missing > state.missingInStretch;
        state.missingInStretch = missing;
        if (state.events % HORIZON == 0) {
            state.missingBefore = run.missingEvents();
            state.missingInStretch = 0;
        }
        if (!grew) {
            if (missing == 0) {
                state.onset = -1;
            }
            verdicts.healthy(Verdicts.RUN);
            return;
        }
        if (state.onset < 0) {
            state.onset = run.lastStep();
        }
        double share = missing / (double) (missing + HORIZON);
        verdicts.unhealthy(
                Verdicts.RUN,
                share > mostMissing ? Severity.warning : Severity.info,
                state.onset,
                null,
                () -> explain(state, run, missing, share));
    }

    private static Verdicts.Explanation explain(State state, RunView run, long missing, double share) {
        long dropped = run.droppedByTrainer();
        String told = dropped > 0
                ? "; the trainer says that it had to drop " + dropped + " in all (queue or spool full)"
                : "; the trainer reports no drops, so they were lost on the way";
        return new Verdicts.Explanation(
                missing + " events missing of the last " + (missing + HORIZON) + ", " + run.missingEvents() + " in all"
                        + told,
                List.of(Figures.evidence("seq", state.onset, run.lastStep(), share, 0, Double.NaN, "share of events")));
    }

    @Override
    public @Nullable String missing(State state, RunView run) {
        return state.sequenced ? null : "seq";
    }
}
