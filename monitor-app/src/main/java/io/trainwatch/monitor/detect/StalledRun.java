package io.trainwatch.monitor.detect;

import io.trainwatch.alert.Severity;
import io.trainwatch.event.Heartbeat;
import io.trainwatch.event.RunFinished;
import io.trainwatch.event.StepCompleted;
import io.trainwatch.event.TrainingEvent;
import io.trainwatch.monitor.run.RunView;
import io.trainwatch.monitor.stats.StateReader;
import io.trainwatch.monitor.stats.StateWriter;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Finds a run that stopped making progress without saying that it ended (D23). Judged by the clock of the monitor at
 * every tick; the topology ticks only runs whose partition it has read to the end.
 *
 * <pre>
 * gap = time between arrivals of progress (steps, evaluations, checkpoints)
 * T   = clamp(5 x max(p99 of gap, longest gap), 60 s, 45 min) ; 20 min before the first step
 * no progress for T:
 *   heartbeats go on                            -&gt; warning "hang": the process lives, training does not move
 *   heartbeats came before and stopped too      -&gt; critical "lost": process, host or network is gone
 *   there never were heartbeats                 -&gt; warning "silent": ended or lost, cannot be told
 *   no step yet                                 -&gt; warning "not started"
 * </pre>
 *
 * <p>The longest gap is forgotten slowly (half-life of some 350 gaps), so that one long pause does not blind it for ever;
 * that makes it the p99 of a spiky stream too. 60 s and 45 min are nvidia-resiliency-ext's defaults, with its safety
 * factor 5; 20 min is SageMaker's MaxInitializationTime. Known weakness: a first evaluation that is more than five times
 * longer than any gap before, in a run that sends no heartbeats with their phase. Source: DETECTION.md D23.
 */
public final class StalledRun implements Detector<StalledRun.State> {
    static final double SAFETY_FACTOR = 5;
    static final long SHORTEST_MS = 60_000;
    static final long LONGEST_MS = 45 * 60_000;
    static final long START_UP_MS = 20 * 60_000;
    static final double FORGETTING = 0.998;

    /** Arrivals of progress and of heartbeats, monitor's clock. */
    static final class State implements DetectorState {
        long firstArrivalMs = -1;
        long progressMs = -1;
        long heartbeatMs = -1;
        double heartbeatIntervalMs = 10_000;
        double longestGapMs;
        boolean progressed;
        boolean ended;
        boolean ticked;

        @Nullable
        String phase;

        @Override
        public int version() {
            return 1;
        }

        @Override
        public void write(StateWriter out) {
            out.writeLong(firstArrivalMs);
            out.writeLong(progressMs);
            out.writeLong(heartbeatMs);
            out.writeDouble(heartbeatIntervalMs);
            out.writeDouble(longestGapMs);
            out.writeBoolean(progressed);
            out.writeBoolean(ended);
            out.writeBoolean(ticked);
            out.writeString(phase == null ? "" : phase);
        }

        @Override
        public void read(StateReader in) {
            firstArrivalMs = in.readLong();
            progressMs = in.readLong();
            heartbeatMs = in.readLong();
            heartbeatIntervalMs = in.readDouble();
            longestGapMs = in.readDouble();
            progressed = in.readBoolean();
            ended = in.readBoolean();
            ticked = in.readBoolean();
            String text = in.readString();
            phase = text.isEmpty() ? null : text;
        }
    }

    @Override
    public String name() {
        return "stalled_run";
    }

    @Override
    public Set<Class<?>> reads() {
        return EventTypes.ALL;
    }

    @Override
    public int quietVerdicts() {
        return 1;
    }

    @Override
    public State newState() {
        return new State();
    }

    @Override
    public void observe(State state, RunView run, TrainingEvent event, Verdicts verdicts) {
        long now = run.lastArrivalMs();
        if (state.firstArrivalMs < 0) {
            state.firstArrivalMs = now;
        }
        if (event.getBody() instanceof Heartbeat heartbeat) {
            heartbeat(state, heartbeat, now);
            return;
        }
        state.ended = event.getBody() instanceof RunFinished;
        if (state.progressed && now > state.progressMs) {
            state.longestGapMs = Math.max((double) (now - state.progressMs), state.longestGapMs * FORGETTING);
        }
        state.progressed |= event.getBody() instanceof StepCompleted;
        state.progressMs = now;
        verdicts.healthy(Verdicts.RUN);
    }

    private static void heartbeat(State state, Heartbeat heartbeat, long now) {
        state.heartbeatMs = now;
        String phase = heartbeat.getPhase();
        state.phase = phase == null || phase.length() > 64 ? null : phase;
        Double interval = heartbeat.getIntervalSeconds();
        if (interval != null && interval > 0 && interval < 3600) {
            state.heartbeatIntervalMs = interval * 1000;
        }
    }

    @Override
    public void tick(State state, RunView run, long nowMs, Verdicts verdicts) {
        if (state.ended || state.firstArrivalMs < 0 || run.finished()) {
            return;
        }
        state.ticked = true;
        long since = state.progressMs < 0 ? state.firstArrivalMs : state.progressMs;
        long deadline = deadlineMs(state);
        long silence = nowMs - since;
        if (silence < deadline) {
            return;
        }
        boolean beats = state.heartbeatMs >= 0;
        boolean alive = beats && nowMs - state.heartbeatMs < Math.max(3 * state.heartbeatIntervalMs, 30_000);
        boolean lost = beats && !alive;
        verdicts.unhealthy(
                Verdicts.RUN,
                lost ? Severity.critical : Severity.warning,
                run.lastStep(),
                null,
                () -> explain(state, run, silence, deadline, alive, nowMs));
    }

    static long deadlineMs(State state) {
        if (!state.progressed) {
            return START_UP_MS;
        }
        return (long) Math.max(SHORTEST_MS, Math.min(LONGEST_MS, SAFETY_FACTOR * state.longestGapMs));
    }

    private static Verdicts.Explanation explain(
            State state, RunView run, long silence, long deadline, boolean alive, long nowMs) {
        String where = state.progressed ? "after step " + run.lastStep() : "before the first step";
        String what;
        if (alive) {
            String phase = state.phase == null ? "" : " in phase " + state.phase;
            what = "hang: no progress for " + seconds(silence) + " " + where + ", but heartbeats go on" + phase;
        } else if (state.heartbeatMs >= 0) {
            what = "lost: no progress for " + seconds(silence) + " and no heartbeat for "
                    + seconds(nowMs - state.heartbeatMs) + " " + where
                    + ": the process, its host or the network is gone";
        } else if (state.progressed) {
            what = "silent: no event for " + seconds(silence) + " " + where
                    + ", and no run_finished: ended or lost, without heartbeats it cannot be told";
        } else {
            what = "not started: no step within " + seconds(silence) + " of the first event";
        }
        return new Verdicts.Explanation(
                what + " (expected within " + seconds(deadline) + ")",
                List.of(Figures.evidence(
                        "seconds_without_progress",
                        run.lastStep(),
                        run.lastStep(),
                        silence / 1000.0,
                        state.longestGapMs / 1000.0,
                        silence / (double) deadline,
                        "seconds")));
    }

    private static String seconds(long ms) {
        return ms < 120_000 ? Math.round(ms / 1000.0) + " s" : Math.round(ms / 60_000.0) + " min";
    }

    @Override
    public @Nullable String missing(State state, RunView run) {
        return state.ticked || state.ended ? null : "a clock: offline, silence cannot be seen";
    }
}
