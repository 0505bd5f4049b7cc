package io.trainwatch.monitor.detect;

import io.trainwatch.alert.Severity;
import io.trainwatch.event.Heartbeat;
import io.trainwatch.event.RunFinished;
import io.trainwatch.event.StepCompleted;
import io.trainwatch.event.TrainingEvent;
import io.trainwatch.monitor.run.RunView;
import io.trainwatch.monitor.stats.StateReader;
import io.trainwatch.monitor.stats.StateWriter;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Finds a run that stopped making progress without saying that it ended (D23). Judged by the clock of the monitor at
 * every tick; the topology ticks only runs whose partition it has read to the end.
 *
 * <pre>
 * gap = time between arrivals of progress (steps, evaluations, checkpoints)
 * T   = clamp(5 x max(p99 of gap, longest gap), 60 s, 45 min) ; 20 min before the first step
 * in a gap in which living heartbeats say init, evaluation, checkpoint or compile: at least
 *       clamp(5 x longest gap of that phase, 60 s, 45 min), 20 min for its first ; idle is a pause
 * no progress for T:
 *   heartbeats go on                            -&gt; warning "hang": the process lives, training does not move
 *   heartbeats of some hosts go on, and those of others stopped when the progress did
 *                                               -&gt; critical "host_lost": these hosts, or the processes there, are gone
 *   heartbeats came before and stopped too      -&gt; critical "lost": process, host or network is gone
 *   there never were heartbeats                 -&gt; warning "silent": ended or lost, cannot be told
 *   no step yet                                 -&gt; warning "not started"
 * no step beyond the largest while the run began anew 3 times -&gt; warning "replay loop", scope replay
 * </pre>
 *
 * <p>The longest gap is forgotten slowly (half-life of some 350 gaps), so that one long pause does not blind it for ever;
 * that makes it the p99 of a spiky stream too. A gap belongs to the phase that was told in it, so that evaluations do not
 * make the training's own deadline longer. Beginning anew is a new attempt, or a step that goes back without going back
 * to the first: logs hold several runs. 60 s and 45 min are nvidia-resiliency-ext's defaults, with its safety
 * factor 5; 20 min is SageMaker's MaxInitializationTime. Known weakness: a first evaluation that is more than five times
 * longer than any gap before, in a run that sends no heartbeats with their phase. Source: DETECTION.md D23.
 */
public final class StalledRun extends Detector<StalledRun.State> {
    static final Setting<Duration> SHORTEST = Setting.duration(
            "shortest",
            Duration.ofMinutes(1),
            Duration.ofSeconds(1),
            Duration.ofDays(1),
            "A run is never said to be silent sooner, however short its steps are: a checkpoint or an "
                    + "evaluation fits in.");

    static final Setting<Duration> LONGEST = Setting.duration(
            "longest",
            Duration.ofMinutes(45),
            Duration.ofSeconds(1),
            Duration.ofDays(7),
            "A run is said to be silent after this at the latest; between the two it is five times its "
                    + "longest gap so far.");

    static final Setting<Duration> START_UP = Setting.duration(
            "start_up",
            Duration.ofMinutes(20),
            Duration.ofSeconds(1),
            Duration.ofDays(7),
            "How long a run may take for its first step, with loading data and compiling. Source: "
                    + "MaxInitializationTime of Amazon SageMaker Debugger.");

    /** Hosts of a run of which heartbeats are told apart; of further ones they only say that the run lives. */
    static final int MAX_HOSTS = 32;

    static final double SAFETY_FACTOR = 5;
    static final double FORGETTING = 0.998;
    static final String REPLAY = "replay";
    static final int REPLAYS = 3;

    private static final long MIN_PATIENCE_MS = 30_000;
    private static final int NAMED_HOSTS = 4;
    private static final String IDLE = "idle";
    private static final List<String> PAUSES = List.of("init", "evaluation", "checkpoint", "compile");

    private final long shortestMs;
    private final long longestMs;
    private final long startUpMs;

    StalledRun(DetectorSettings settings) {
        shortestMs = settings.get(SHORTEST).toMillis();
        longestMs = settings.get(LONGEST).toMillis();
        startUpMs = settings.get(START_UP).toMillis();
    }

    /** Arrivals of progress and of heartbeats, monitor's clock. */
    static final class State implements DetectorState {
        long firstArrivalMs = -1;
        long progressMs = -1;
        long heartbeatMs = -1;
        double heartbeatIntervalMs = 10_000;
        double longestGapMs;
        final double[] longestPauseMs = new double[PAUSES.size()];
        boolean progressed;
        boolean ended;
        boolean ticked;

        /** Of the latest heartbeat. */
        @Nullable
        String phase;

        /** Index of the phase that was told since the last progress, -1 if none. */
        int pause = -1;

        int attempt = -1;
        boolean attemptBegun;
        long highestStep = -1;
        int replays;

        /** Latest heartbeat by host; only of hosts that sent one in this attempt. */
        Map<String, Long> heartbeatOfHostMs = Map.of();

        @Override
        public int version() {
            return 3;
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
            out.writeDoubles(longestPauseMs, longestPauseMs.length);
            out.writeInt(pause + 1);
            out.writeInt(attempt);
            out.writeBoolean(attemptBegun);
            out.writeLong(highestStep);
            out.writeInt(replays);
            out.writeInt(heartbeatOfHostMs.size());
            heartbeatOfHostMs.forEach((host, atMs) -> {
                out.writeString(host);
                out.writeLong(atMs);
            });
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
            in.readDoubles(longestPauseMs, longestPauseMs.length);
            pause = in.readCount(PAUSES.size()) - 1;
            attempt = in.readInt();
            attemptBegun = in.readBoolean();
            highestStep = in.readLong();
            replays = in.readInt();
            int hosts = in.readCount(MAX_HOSTS);
            for (int i = 0; i < hosts; i++) {
                beat(in.readString(), in.readLong());
            }
        }

        void beat(String host, long atMs) {
            if (heartbeatOfHostMs.containsKey(host)) {
                heartbeatOfHostMs.put(host, atMs);
            } else if (heartbeatOfHostMs.size() < MAX_HOSTS) {
                heartbeatOfHostMs = heartbeatOfHostMs.isEmpty() ? new LinkedHashMap<>(4) : heartbeatOfHostMs;
                heartbeatOfHostMs.put(host, atMs);
            }
        }

        long patienceMs() {
            return (long) Math.max(3 * heartbeatIntervalMs, MIN_PATIENCE_MS);
        }

        /** Hosts that went silent when the progress did, in the order in which they were first heard of. */
        List<String> lostHosts(long nowMs) {
            return heartbeatOfHostMs.entrySet().stream()
                    .filter(host -> nowMs - host.getValue() >= patienceMs()
                            // One that left long before the end has done so without harm.
                            && host.getValue() >= progressMs - patienceMs())
                    .map(Map.Entry::getKey)
                    .toList();
        }
    }

    @Override
    public String name() {
        return "stalled_run";
    }

    @Override
    public List<Setting<?>> settings() {
        return List.of(SHORTEST, LONGEST, START_UP);
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
        replay(state, run, verdicts);
        if (event.getBody() instanceof Heartbeat heartbeat) {
            boolean speaksForTheRun = run.reportingRank() < 0 || event.getRank() == run.reportingRank();
            heartbeat(state, heartbeat, speaksForTheRun, now);
            if (event.getHost() != null) {
                state.beat(Verdicts.Explanation.oneLine(event.getHost(), 64), now);
            }
            return;
        }
        state.ended = event.getBody() instanceof RunFinished;
        if (state.progressed && now > state.progressMs) {
            double gap = (double) (now - state.progressMs);
            if (state.pause >= 0) {
                state.longestPauseMs[state.pause] = Math.max(gap, state.longestPauseMs[state.pause] * FORGETTING);
            } else {
                state.longestGapMs = Math.max(gap, state.longestGapMs * FORGETTING);
            }
        }
        state.pause = -1;
        state.progressed |= event.getBody() instanceof StepCompleted;
        state.progressMs = now;
        verdicts.healthy(Verdicts.RUN);
    }

    private static void heartbeat(State state, Heartbeat heartbeat, boolean speaksForTheRun, long now) {
        state.heartbeatMs = now;
        if (speaksForTheRun) {
            String phase = heartbeat.getPhase();
            state.phase = phase == null || phase.length() > 64 ? null : phase;
            int pause = phase == null ? -1 : PAUSES.indexOf(phase);
            state.pause = pause >= 0 ? pause : state.pause;
        }
        Double interval = heartbeat.getIntervalSeconds();
        if (interval != null && interval > 0 && interval < 3600) {
            state.heartbeatIntervalMs = interval * 1000;
        }
    }

    private static void replay(State state, RunView run, Verdicts verdicts) {
        boolean again = false;
        if (state.attempt != run.attempt()) {
            again = state.attempt >= 0;
            state.attempt = run.attempt();
            state.attemptBegun = false;
            state.heartbeatOfHostMs = Map.of();
        } else if (run.segmentOpened() && state.attemptBegun) {
            again = run.segmentStart() > run.firstStep();
        }
        state.attemptBegun |= run.reporting();
        if (run.reporting() && run.lastStep() > state.highestStep) {
            state.highestStep = run.lastStep();
            state.replays = 0;
            verdicts.healthy(REPLAY);
        } else if (again) {
            long planned = run.facts().maxSteps();
            boolean done = planned > 0 && state.highestStep >= planned;
            state.replays += done ? 0 : 1;
            if (state.replays >= REPLAYS) {
                verdicts.unhealthy(REPLAY, Severity.warning, state.highestStep, null, () -> explainReplay(state, run));
            }
        }
    }

    private static Verdicts.Explanation explainReplay(State state, RunView run) {
        return new Verdicts.Explanation(
                "replay loop: the run began anew " + state.replays + " times, the last time at step "
                        + run.segmentStart() + ", and never came beyond step " + state.highestStep,
                List.of(Figures.evidence(
                        "highest_step",
                        run.segmentStart(),
                        state.highestStep,
                        state.replays,
                        REPLAYS,
                        Double.NaN,
                        "times begun anew")),
                "replay");
    }

    @Override
    public void tick(State state, RunView run, long nowMs, Verdicts verdicts) {
        if (state.ended || state.firstArrivalMs < 0 || run.finished()) {
            return;
        }
        state.ticked = true;
        long since = state.progressMs < 0 ? state.firstArrivalMs : state.progressMs;
        boolean beats = state.heartbeatMs >= 0;
        boolean alive = beats && nowMs - state.heartbeatMs < state.patienceMs();
        boolean lost = beats && !alive;
        long deadline = alive ? Math.max(deadlineMs(state), pauseDeadlineMs(state)) : deadlineMs(state);
        long silence = nowMs - since;
        if (silence < deadline || (alive && IDLE.equals(state.phase))) {
            return;
        }
        List<String> lostHosts = beats ? state.lostHosts(nowMs) : List.of();
        verdicts.unhealthy(
                Verdicts.RUN,
                lost || !lostHosts.isEmpty() ? Severity.critical : Severity.warning,
                run.lastStep(),
                null,
                () -> explain(state, run, silence, deadline, alive, lostHosts, nowMs));
    }

    long deadlineMs(State state) {
        if (!state.progressed) {
            return startUpMs;
        }
        return clamp(SAFETY_FACTOR * state.longestGapMs);
    }

    /** What a process that lives may take for the phase that it told; 0 where it told none. */
    private long pauseDeadlineMs(State state) {
        if (state.pause < 0) {
            return 0;
        }
        double longest = state.longestPauseMs[state.pause];
        return longest == 0 ? startUpMs : clamp(SAFETY_FACTOR * longest);
    }

    private long clamp(double deadlineMs) {
        return (long) Math.max((double) shortestMs, Math.min((double) longestMs, deadlineMs));
    }

    private static Verdicts.Explanation explain(
            State state, RunView run, long silence, long deadline, boolean alive, List<String> lostHosts, long nowMs) {
        String where = state.progressed ? "after step " + run.lastStep() : "before the first step";
        String reason;
        String what;
        if (alive && !lostHosts.isEmpty()) {
            reason = "host_lost";
            what = "host lost: no heartbeat from " + names(lostHosts) + " for "
                    + seconds(lostHosts.stream()
                            .mapToLong(host -> nowMs - state.heartbeatOfHostMs.getOrDefault(host, nowMs))
                            .min()
                            .orElse(0))
                    + ", while "
                    + (state.heartbeatOfHostMs.size() - lostHosts.size()) + " of " + state.heartbeatOfHostMs.size()
                    + " hosts go on, and no progress for " + seconds(silence) + " " + where
                    + ": that host, its network or the processes there are gone";
        } else if (alive) {
            reason = "hang";
            String phase = state.phase == null ? "" : " in phase " + state.phase;
            what = "hang: no progress for " + seconds(silence) + " " + where + ", but heartbeats go on" + phase;
        } else if (state.heartbeatMs >= 0) {
            reason = "lost";
            what = "lost: no progress for " + seconds(silence) + " and no heartbeat for "
                    + seconds(nowMs - state.heartbeatMs) + " " + where
                    + ": the process, its host" + (lostHosts.isEmpty() ? "" : " (" + names(lostHosts) + ")")
                    + " or the network is gone";
        } else if (state.progressed) {
            reason = "silent";
            what = "silent: no event for " + seconds(silence) + " " + where
                    + ", and no run_finished: ended or lost, without heartbeats it cannot be told";
        } else {
            reason = "not_started";
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
                        "seconds")),
                reason);
    }

    private static String names(List<String> hosts) {
        int more = hosts.size() - NAMED_HOSTS;
        return String.join(", ", hosts.subList(0, Math.min(NAMED_HOSTS, hosts.size())))
                + (more > 0 ? " and " + more + " more" : "");
    }

    private static String seconds(long ms) {
        return ms < 120_000 ? Math.round(ms / 1000.0) + " s" : Math.round(ms / 60_000.0) + " min";
    }

    @Override
    public @Nullable String missing(State state, RunView run) {
        return state.ticked || state.ended ? null : "a clock: offline, silence cannot be seen";
    }
}
