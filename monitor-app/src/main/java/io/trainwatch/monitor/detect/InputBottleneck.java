package io.trainwatch.monitor.detect;

import io.trainwatch.alert.Severity;
import io.trainwatch.event.SectionTime;
import io.trainwatch.event.StepCompleted;
import io.trainwatch.event.StepProfile;
import io.trainwatch.event.TrainingEvent;
import io.trainwatch.monitor.run.RunView;
import io.trainwatch.monitor.stats.StateReader;
import io.trainwatch.monitor.stats.StateWriter;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Finds a training that waits for its data (D20): the loader, the storage behind it or the copy to the device is slower
 * than the model.
 *
 * <pre>
 * f = data_time / step_time of a step, for each rank ; blocks of 50 steps
 * over = the median of f over two adjacent blocks (100 steps) is above 0.3
 * fires when over twice in a row on any rank (150 steps)                              -&gt; warning
 *       while steps take less than 5 ms                                               -&gt; info
 * f above 0.1 on average beside a device that is busy less than 70 % of the time      -&gt; info, scope gpu_utilization
 * </pre>
 *
 * <p>A median is above 0.3 if more than half of the steps are, so each rank is two counts and no window, and a pause for a
 * new shard or a restarted worker, however long, is one step. Every rank is looked at, because all wait for the slowest.
 * From step_completed where it has data_time_seconds, else from the data_loading section of step_profile. Steps of less
 * than 5 ms are info: there the fixed cost of a batch (the interpreter, collation, a hand-over between processes, each
 * of the order of a millisecond) is what is seen, and no faster storage changes it. First steps are left out.
 *
 * <p>30 % is the usual limit of debugging guides, the rule over 100 steps that of DETECTION.md; OLMo-core too takes the
 * maximum over ranks. 70 % is SageMaker's LowGPUUtilization. Known weakness: data_time has to be the time that the step
 * was blocked; a trainer that reports the work of its prefetching threads alarms. Siblings: {@link ThroughputDrop}.
 * Source: DETECTION.md D20.
 */
public final class InputBottleneck extends Detector<InputBottleneck.State> {
    static final Setting<Double> SHARE = Setting.number(
            "share",
            0.3,
            0.01,
            1,
            "share of the step",
            "A rank that waits longer for its data in more than half of 100 steps is told. 0.3 is the "
                    + "usual limit of debugging guides.");

    static final String GPU_UTILIZATION = "gpu_utilization";
    static final double INFO_SHARE = 0.1;
    static final double BUSY = 0.7;
    static final int BLOCK = 50;
    static final int CONFIRMATIONS = 2;
    static final double SHORT_STEP_SECONDS = 0.005;

    private final double mostWaiting;

    InputBottleneck(DetectorSettings settings) {
        mostWaiting = settings.get(SHARE);
    }

    /** For each rank the present block, the one before it, and whether the two of them were over. */
    static final class State implements DetectorState {
        final RankIndex ranks = new RankIndex();
        int[] steps = new int[0];
        int[] over = new int[0];
        int[] stepsBefore = new int[0];
        int[] overBefore = new int[0];
        int[] confirmed = new int[0];
        float[] share = new float[0];
        float[] seconds = new float[0];
        float[] busy = new float[0];
        long[] begin = new long[0];
        long[] beginBefore = new long[0];
        long[] since = new long[0];
        boolean[] bySteps = new boolean[0];
        int waiting;
        boolean judged;

        int place(int rank) {
            int place = ranks.of(rank);
            if (place >= steps.length) {
                grow();
            }
            return place;
        }

        private void grow() {
            int before = steps.length;
            int room = ranks.room();
            steps = Arrays.copyOf(steps, room);
            over = Arrays.copyOf(over, room);
            stepsBefore = Arrays.copyOf(stepsBefore, room);
            overBefore = Arrays.copyOf(overBefore, room);
            confirmed = Arrays.copyOf(confirmed, room);
            share = Arrays.copyOf(share, room);
            seconds = Arrays.copyOf(seconds, room);
            busy = Arrays.copyOf(busy, room);
            begin = Arrays.copyOf(begin, room);
            beginBefore = Arrays.copyOf(beginBefore, room);
            since = Arrays.copyOf(since, room);
            bySteps = Arrays.copyOf(bySteps, room);
            Arrays.fill(busy, before, room, Float.NaN);
        }

        @Override
        public int version() {
            return 1;
        }

        @Override
        public void write(StateWriter out) {
            ranks.write(out);
            for (int i = 0; i < ranks.size(); i++) {
                out.writeInt(steps[i]);
                out.writeInt(over[i]);
                out.writeInt(stepsBefore[i]);
                out.writeInt(overBefore[i]);
                out.writeInt(confirmed[i]);
                out.writeFloat(share[i]);
                out.writeFloat(seconds[i]);
                out.writeFloat(busy[i]);
                out.writeLong(begin[i]);
                out.writeLong(beginBefore[i]);
                out.writeLong(since[i]);
                out.writeBoolean(bySteps[i]);
            }
            out.writeInt(waiting);
            out.writeBoolean(judged);
        }

        @Override
        public void read(StateReader in) {
            ranks.read(in);
            grow();
            for (int i = 0; i < ranks.size(); i++) {
                steps[i] = in.readInt();
                over[i] = in.readInt();
                stepsBefore[i] = in.readInt();
                overBefore[i] = in.readInt();
                confirmed[i] = in.readInt();
                share[i] = in.readFloat();
                seconds[i] = in.readFloat();
                busy[i] = in.readFloat();
                begin[i] = in.readLong();
                beginBefore[i] = in.readLong();
                since[i] = in.readLong();
                bySteps[i] = in.readBoolean();
            }
            waiting = in.readInt();
            judged = in.readBoolean();
        }
    }

    @Override
    public String name() {
        return "input_bottleneck";
    }

    @Override
    public List<Setting<?>> settings() {
        return List.of(SHARE);
    }

    @Override
    public Set<Class<?>> reads() {
        return Set.of(StepCompleted.class, StepProfile.class);
    }

    @Override
    public int quietVerdicts() {
        return 4;
    }

    @Override
    public State newState() {
        return new State();
    }

    @Override
    public void observe(State state, RunView run, TrainingEvent event, Verdicts verdicts) {
        if (event.getBody() instanceof StepCompleted step) {
            Integer window = step.getWindowSteps();
            if (step.getDataTimeSeconds() != null && !Boolean.TRUE.equals(step.getIsFirstStep())) {
                int place = state.place(event.getRank());
                if (place != RankIndex.NO_PLACE) {
                    state.bySteps[place] = true;
                    int weight = window == null ? 1 : window;
                    add(state, run, place, step.getDataTimeSeconds(), step.getStepTimeSeconds(), weight, verdicts);
                }
            }
        } else if (event.getBody() instanceof StepProfile profile) {
            int place = state.place(event.getRank());
            if (place != RankIndex.NO_PLACE) {
                profiled(state, run, place, profile, verdicts);
            }
        }
    }

    private void profiled(State state, RunView run, int place, StepProfile profile, Verdicts verdicts) {
        Double busy = profile.getGpuUtilizationFraction();
        if (busy != null && busy >= 0 && busy <= 1) {
            float before = state.busy[place];
            state.busy[place] = Float.isNaN(before) ? busy.floatValue() : before + (busy.floatValue() - before) / 4;
        }
        Map<String, SectionTime> sections = profile.getSections();
        SectionTime loading = sections == null ? null : sections.get("data_loading");
        if (loading != null && loading.getP50Seconds() != null && !state.bySteps[place]) {
            Long count = loading.getCount();
            int weight = count == null ? 1 : (int) Math.max(1, Math.min(count, BLOCK));
            add(state, run, place, loading.getP50Seconds(), profile.getStepTimeSeconds(), weight, verdicts);
        }
    }

    private void add(
            State state, RunView run, int place, double wait, @Nullable Double time, int steps, Verdicts verdicts) {
        if (time == null || !(time > 0) || !(wait >= 0) || !Double.isFinite(time) || !Double.isFinite(wait)) {
            return;
        }
        int weight = Math.max(1, Math.min(steps, BLOCK));
        float f = (float) Math.min(1, wait / time);
        if (state.steps[place] == 0) {
            state.begin[place] = run.lastStep();
            state.share[place] = 0;
            state.seconds[place] = 0;
        }
        state.steps[place] += weight;
        state.over[place] += f > mostWaiting ? weight : 0;
        float part = (float) weight / state.steps[place];
        state.share[place] += (f - state.share[place]) * part;
        state.seconds[place] += ((float) Math.min(time, Float.MAX_VALUE) - state.seconds[place]) * part;
        if (state.steps[place] >= BLOCK) {
            close(state, run, place, verdicts);
        }
    }

    private void close(State state, RunView run, int place, Verdicts verdicts) {
        int steps = state.steps[place] + state.stepsBefore[place];
        int over = state.over[place] + state.overBefore[place];
        boolean first = state.stepsBefore[place] == 0;
        boolean wasWaiting = state.confirmed[place] >= CONFIRMATIONS;
        if (first || 2 * over <= steps) {
            state.confirmed[place] = 0;
        } else if (state.confirmed[place]++ == 0) {
            boolean sinceBefore = 2 * state.overBefore[place] > state.stepsBefore[place];
            state.since[place] = sinceBefore ? state.beginBefore[place] : state.begin[place];
        }
        state.confirmed[place] = Math.min(state.confirmed[place], CONFIRMATIONS);
        boolean waits = state.confirmed[place] >= CONFIRMATIONS;
        state.waiting += (waits ? 1 : 0) - (wasWaiting ? 1 : 0);
        state.beginBefore[place] = state.begin[place];
        state.stepsBefore[place] = state.steps[place];
        state.overBefore[place] = state.over[place];
        state.steps[place] = 0;
        state.over[place] = 0;
        state.judged |= !first;

        float share = state.share[place];
        float busy = state.busy[place];
        if (waits) {
            verdicts.unhealthy(
                    Verdicts.RUN,
                    state.seconds[place] < SHORT_STEP_SECONDS ? Severity.info : Severity.warning,
                    state.since[place],
                    null,
                    () -> explain(state, run, place));
        } else if (state.waiting == 0 && !first) {
            verdicts.healthy(Verdicts.RUN);
        }
        if (share > INFO_SHARE && busy < BUSY) {
            long onset = state.begin[place];
            verdicts.unhealthy(
                    GPU_UTILIZATION, Severity.info, onset, null, () -> explainIdle(state, run, place, onset));
        } else {
            verdicts.healthy(GPU_UTILIZATION);
        }
    }

    private Verdicts.Explanation explain(State state, RunView run, int place) {
        double share = state.share[place];
        double seconds = state.seconds[place];
        String shortSteps =
                seconds < SHORT_STEP_SECONDS ? "; at steps this short it may be the fixed cost of a batch" : "";
        String others = state.waiting > 1 ? ", as do " + (state.waiting - 1) + " other ranks" : "";
        String message = "rank " + state.ranks.rankAt(place) + " waits for data in " + Figures.percent(share)
                + " of each step of " + Figures.text(seconds) + " s since step " + state.since[place] + others
                + shortSteps;
        return new Verdicts.Explanation(
                message,
                List.of(
                        Figures.evidence(
                                "data_time_share",
                                state.since[place],
                                run.lastStep(),
                                share,
                                mostWaiting,
                                share / mostWaiting,
                                "share of step time"),
                        Figures.evidence(
                                "step_time_seconds",
                                state.since[place],
                                run.lastStep(),
                                seconds,
                                Double.NaN,
                                Double.NaN,
                                "seconds")));
    }

    private static Verdicts.Explanation explainIdle(State state, RunView run, int place, long onset) {
        double busy = state.busy[place];
        String message = "rank " + state.ranks.rankAt(place) + " waits for data in "
                + Figures.percent(state.share[place]) + " of each step, and its device is busy for "
                + Figures.percent(busy) + " of the time";
        return new Verdicts.Explanation(
                message,
                List.of(Figures.evidence(
                        "gpu_utilization_fraction", onset, run.lastStep(), busy, BUSY, Double.NaN, "share of time")));
    }

    @Override
    public @Nullable String missing(State state, RunView run) {
        if (state.judged) {
            return null;
        }
        for (int i = 0; i < state.ranks.size(); i++) {
            if (state.steps[i] + state.stepsBefore[i] > 0) {
                return 2 * BLOCK + " steps with their data time";
            }
        }
        return "step_completed.data_time_seconds beside step_time_seconds, or step_profile with section data_loading";
    }
}
