package io.trainwatch.monitor.detect;

import io.trainwatch.alert.Evidence;
import io.trainwatch.alert.Severity;
import io.trainwatch.event.SectionTime;
import io.trainwatch.event.StepCompleted;
import io.trainwatch.event.StepProfile;
import io.trainwatch.event.TrainingEvent;
import io.trainwatch.monitor.run.RunView;
import io.trainwatch.monitor.stats.Medians;
import io.trainwatch.monitor.stats.StateReader;
import io.trainwatch.monitor.stats.StateWriter;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Finds a rank that computes more slowly than the others and makes all of them wait (D22). Looks at compute time alone,
 * before collectives: the wall time of a synchronous step is the same on every rank.
 *
 * <pre>
 * round = the reports of the ranks at one step, at least 4 ; x_r = compute time of rank r ; M = median over the ranks
 * slow  = x_r &gt; 1.07 M and (x_r - M) / max(1.4826 MAD, 0.005 M) &gt; 5
 * fires when slow in 3 of its last 4 rounds, the latest among them                     -&gt; warning
 *       and 3 of them beyond 1.33 M                                                   -&gt; critical
 * a rank that was never level with the others: at most warning; below 1.33 M           -&gt; info, scope from_start
 * 12 of the last 16 rounds have a slowest rank beyond 1.33 M that was it in less than 8  -&gt; info, scope rotating
 * </pre>
 *
 * <p>A rank that was level for 4 rounds and then is slow has changed: a throttled or failing device, another process on
 * its host. One that was slow from the start may have been given more to do (the last stage of a pipeline, a larger
 * shard), so it is not taken for a fault below the 1.33 at which nvidia-resiliency-ext calls a rank a straggler (score
 * 0.75). A slowest rank that changes from round to round is uneven data, such as sequences of unequal length; SageMaker's
 * LoadBalancing looks at that. 3 of 4 and 1.07 are simulated: no false alarm in 1,024 ranks x 400 reports, a rank 10 %
 * slow found in 3 reports.
 *
 * <p>A round is judged when as many ranks have reported as the round before had, or when 8 later steps were reported on.
 * Known weakness: half of the ranks slow is no straggler but the median; fewer than 4 ranks cannot tell who is odd.
 * Siblings: {@link ThroughputDrop}, {@link InputBottleneck}. Source: DETECTION.md D22.
 */
public final class StragglerRank extends Detector<StragglerRank.State> {
    static final Setting<Double> SLOWDOWN = Setting.number(
            "slowdown",
            0.07,
            0.01,
            10,
            "share of the median step time of all ranks",
            "How much longer a rank has to take than the others, in 3 of 4 rounds. Simulated: no false "
                    + "alarm in 1,024 ranks and 400 reports.");

    static final String FROM_START = "from_start";
    static final String ROTATING = "rotating";
    static final int LEAST_RANKS = 4;
    static final double SLOW_SCORE = 5;
    static final double SCALE_FLOOR = 0.005;
    static final double CRITICAL_RATIO = 1.33;
    static final int MEMORY = 4;
    static final int PERSISTENT = 3;
    static final int ROUNDS = 8;
    static final int ROTATION = 16;
    static final int ROTATING_ROUNDS = 12;

    private static final int MAX_HOSTS = 32;
    private static final int MAX_NAMED = 4;
    private static final long NO_STEP = Long.MIN_VALUE;

    private final double slowRatio;

    StragglerRank(DetectorSettings settings) {
        slowRatio = 1 + settings.get(SLOWDOWN);
    }

    /** The rounds that are still open, and of each rank its last excesses; an excess is x / M where slow, else 0. */
    static final class State implements DetectorState {
        final RankIndex ranks = new RankIndex();
        long[] steps = new long[0];
        int[] reports = new int[0];
        boolean[] judged = new boolean[0];
        float[][] times = new float[0][];
        float[] excesses = new float[0];
        byte[] rounds = new byte[0];
        boolean[] wasLevel = new boolean[0];
        float[] forward = new float[0];
        float[] backward = new float[0];
        final Map<Integer, String> hosts = new LinkedHashMap<>();
        float[] slowest = new float[0];
        int[] slowestPlace = new int[0];
        long judgedRounds;
        int expected;
        int attempt;
        long onset = -1;

        boolean profiled() {
            return steps.length > 0;
        }

        /** Most runs have no profiles of their ranks. */
        void profile() {
            if (!profiled()) {
                steps = new long[ROUNDS];
                reports = new int[ROUNDS];
                judged = new boolean[ROUNDS];
                times = new float[ROUNDS][0];
                slowest = new float[ROTATION];
                slowestPlace = new int[ROTATION];
                Arrays.fill(steps, NO_STEP);
            }
        }

        int place(int rank) {
            int place = ranks.of(rank);
            if (place >= rounds.length) {
                grow();
            }
            return place;
        }

        private void grow() {
            int before = rounds.length;
            int room = ranks.room();
            excesses = Arrays.copyOf(excesses, MEMORY * room);
            rounds = Arrays.copyOf(rounds, room);
            wasLevel = Arrays.copyOf(wasLevel, room);
            forward = Arrays.copyOf(forward, room);
            backward = Arrays.copyOf(backward, room);
            Arrays.fill(forward, before, room, Float.NaN);
            Arrays.fill(backward, before, room, Float.NaN);
            for (int i = 0; i < ROUNDS; i++) {
                times[i] = Arrays.copyOf(times[i], room);
                Arrays.fill(times[i], before, room, Float.NaN);
            }
        }

        /** The ranks begin anew at an earlier step, or in another number. */
        void forgetRounds() {
            for (int i = 0; i < steps.length; i++) {
                clear(i, NO_STEP);
            }
            expected = 0;
        }

        void clear(int round, long step) {
            steps[round] = step;
            reports[round] = 0;
            judged[round] = false;
            Arrays.fill(times[round], Float.NaN);
        }

        int slowRounds(int place) {
            return beyond(place, 0);
        }

        int beyond(int place, double ratio) {
            int count = 0;
            for (int i = 0; i < MEMORY; i++) {
                count += excesses[MEMORY * place + i] > ratio ? 1 : 0;
            }
            return count;
        }

        @Override
        public int version() {
            return 1;
        }

        @Override
        public void write(StateWriter out) {
            out.writeInt(attempt);
            out.writeBoolean(profiled());
            if (!profiled()) {
                return;
            }
            ranks.write(out);
            int size = ranks.size();
            for (int i = 0; i < ROUNDS; i++) {
                out.writeLong(steps[i]);
                out.writeInt(reports[i]);
                out.writeBoolean(judged[i]);
                out.writeFloats(times[i], reports[i] == 0 ? 0 : size);
            }
            out.writeFloats(excesses, MEMORY * size);
            for (int i = 0; i < size; i++) {
                out.writeInt(rounds[i]);
                out.writeBoolean(wasLevel[i]);
            }
            out.writeFloats(forward, size);
            out.writeFloats(backward, size);
            out.writeInt(hosts.size());
            hosts.forEach((place, host) -> {
                out.writeInt(place);
                out.writeString(host);
            });
            out.writeFloats(slowest, ROTATION);
            for (int place : slowestPlace) {
                out.writeInt(place);
            }
            out.writeLong(judgedRounds);
            out.writeInt(expected);
            out.writeLong(onset);
        }

        @Override
        public void read(StateReader in) {
            attempt = in.readInt();
            if (!in.readBoolean()) {
                return;
            }
            profile();
            ranks.read(in);
            grow();
            int size = ranks.size();
            for (int i = 0; i < ROUNDS; i++) {
                steps[i] = in.readLong();
                reports[i] = in.readCount(size);
                judged[i] = in.readBoolean();
                in.readFloats(times[i], reports[i] == 0 ? 0 : size);
            }
            in.readFloats(excesses, MEMORY * size);
            for (int i = 0; i < size; i++) {
                rounds[i] = (byte) in.readCount(MEMORY);
                wasLevel[i] = in.readBoolean();
            }
            in.readFloats(forward, size);
            in.readFloats(backward, size);
            hosts.clear();
            int named = in.readCount(MAX_HOSTS);
            for (int i = 0; i < named; i++) {
                hosts.put(in.readInt(), in.readString());
            }
            in.readFloats(slowest, ROTATION);
            for (int i = 0; i < ROTATION; i++) {
                slowestPlace[i] = in.readCount(RankIndex.CAPACITY);
            }
            judgedRounds = in.readLong();
            expected = in.readInt();
            onset = in.readLong();
        }
    }

    @Override
    public String name() {
        return "straggler_rank";
    }

    @Override
    public List<Setting<?>> settings() {
        return List.of(SLOWDOWN);
    }

    @Override
    public Set<Class<?>> reads() {
        return Set.of(StepProfile.class, StepCompleted.class);
    }

    @Override
    public int quietVerdicts() {
        return 8;
    }

    @Override
    public State newState() {
        return new State();
    }

    @Override
    public void observe(State state, RunView run, TrainingEvent event, Verdicts verdicts) {
        if (run.segmentOpened() || run.attempt() != state.attempt) {
            state.attempt = run.attempt();
            state.forgetRounds();
        }
        if (!(event.getBody() instanceof StepProfile profile) || event.getAttempt() != run.attempt()) {
            return;
        }
        state.profile();
        double forward = median(profile, "forward");
        double backward = median(profile, "backward");
        double compute = profile.getComputeTimeSeconds() == null ? forward + backward : profile.getComputeTimeSeconds();
        if (!(compute > 0) || compute > Float.MAX_VALUE) {
            return;
        }
        int place = state.place(event.getRank());
        if (place == RankIndex.NO_PLACE) {
            return;
        }
        state.forward[place] = (float) forward;
        state.backward[place] = (float) backward;
        String host = event.getHost();
        if (host != null && state.slowRounds(place) > 0) {
            if (state.hosts.size() >= MAX_HOSTS) {
                state.hosts.keySet().removeIf(named -> state.slowRounds(named) == 0);
            }
            if (state.hosts.size() < MAX_HOSTS) {
                state.hosts.put(place, Verdicts.Explanation.oneLine(host, 64));
            }
        }
        long step = event.getStep() == null ? run.lastStep() : event.getStep();
        int round = round(state, run, step, verdicts);
        if (round < 0 || !Float.isNaN(state.times[round][place])) {
            return;
        }
        state.times[round][place] = (float) compute;
        int reports = ++state.reports[round];
        state.expected = Math.max(state.expected, reports);
        if (reports >= state.expected && reports >= LEAST_RANKS && !state.judged[round]) {
            judge(state, run, round, verdicts);
        }
    }

    private static double median(StepProfile profile, String section) {
        Map<String, SectionTime> sections = profile.getSections();
        SectionTime time = sections == null ? null : sections.get(section);
        return time == null || time.getP50Seconds() == null ? Double.NaN : time.getP50Seconds();
    }

    /** The round of the step, opened in place of the oldest; -1 if it has been closed already. */
    private int round(State state, RunView run, long step, Verdicts verdicts) {
        int oldest = 0;
        for (int i = 0; i < ROUNDS; i++) {
            if (state.steps[i] == step) {
                return i;
            }
            if (state.steps[i] < state.steps[oldest]) {
                oldest = i;
            }
        }
        if (step < state.steps[oldest]) {
            return -1;
        }
        int reports = state.reports[oldest];
        if (reports > 0) {
            if (!state.judged[oldest] && reports >= LEAST_RANKS) {
                judge(state, run, oldest, verdicts);
            }
            state.expected = reports;
        }
        state.clear(oldest, step);
        return oldest;
    }

    private void judge(State state, RunView run, int round, Verdicts verdicts) {
        state.judged[round] = true;
        state.judgedRounds++;
        float[] times = state.times[round];
        int size = state.ranks.size();
        float[] present = new float[size];
        int count = 0;
        int slowest = 0;
        float longest = 0;
        for (int i = 0; i < size; i++) {
            if (!Float.isNaN(times[i])) {
                present[count++] = times[i];
                if (times[i] > longest) {
                    longest = times[i];
                    slowest = i;
                }
            }
        }
        float median = Medians.of(present, count);
        double deviation = Medians.absoluteDeviation(present, count, median);
        double scale = Math.max(1.4826 * deviation, SCALE_FLOOR * median);
        int place = (int) (state.judgedRounds % ROTATION);
        state.slowest[place] = longest / median;
        state.slowestPlace[place] = slowest;
        for (int i = 0; i < size; i++) {
            if (!Float.isNaN(times[i])) {
                boolean slow = times[i] > slowRatio * median && (times[i] - median) / scale > SLOW_SCORE;
                System.arraycopy(state.excesses, MEMORY * i, state.excesses, MEMORY * i + 1, MEMORY - 1);
                state.excesses[MEMORY * i] = slow ? times[i] / median : 0;
                state.rounds[i] = (byte) Math.min(MEMORY, state.rounds[i] + 1);
                state.wasLevel[i] |= state.rounds[i] == MEMORY && state.slowRounds(i) == 0;
            }
        }
        say(state, run, state.steps[round], times, median, verdicts);
    }

    private void say(State state, RunView run, long step, float[] times, float median, Verdicts verdicts) {
        List<Integer> changed = new ArrayList<>();
        List<Integer> fromStart = new ArrayList<>();
        Severity severity = Severity.warning;
        for (int i = 0; i < state.ranks.size(); i++) {
            if (!Float.isNaN(times[i]) && state.excesses[MEMORY * i] > 0 && state.slowRounds(i) >= PERSISTENT) {
                boolean grave = state.beyond(i, CRITICAL_RATIO) >= PERSISTENT;
                (state.wasLevel[i] || grave ? changed : fromStart).add(i);
                if (state.wasLevel[i] && grave) {
                    severity = Severity.critical;
                }
            }
        }
        if (changed.isEmpty()) {
            state.onset = -1;
            verdicts.healthy(Verdicts.RUN);
        } else {
            if (state.onset < 0) {
                state.onset = firstSlowStep(state, changed, step);
            }
            verdicts.unhealthy(
                    Verdicts.RUN,
                    severity,
                    state.onset,
                    null,
                    () -> explain(state, run, changed, times, median, state.onset));
        }
        if (fromStart.isEmpty()) {
            verdicts.healthy(FROM_START);
        } else {
            verdicts.unhealthy(
                    FROM_START, Severity.info, step, null, () -> explain(state, run, fromStart, times, median, step));
        }
        if (rotates(state) && changed.isEmpty() && fromStart.isEmpty()) {
            verdicts.unhealthy(ROTATING, Severity.info, step, null, () -> explainRotation(state, run, step));
        } else {
            verdicts.healthy(ROTATING);
        }
    }

    /** Whether there nearly always is a slowest rank far behind, and no rank is it in half of the rounds. */
    private static boolean rotates(State state) {
        int uneven = 0;
        for (int i = 0; i < ROTATION; i++) {
            uneven += state.slowest[i] > CRITICAL_RATIO && 2 * roundsSlowest(state, state.slowestPlace[i]) < ROTATION
                    ? 1
                    : 0;
        }
        return uneven >= ROTATING_ROUNDS;
    }

    /** The oldest round that still is open, at which the first of the ranks took as long as now. */
    private long firstSlowStep(State state, List<Integer> slow, long step) {
        long first = step;
        for (int i = 0; i < ROUNDS; i++) {
            if (state.judged[i]) {
                float[] present = new float[state.ranks.size()];
                int count = 0;
                for (float time : Arrays.copyOf(state.times[i], present.length)) {
                    if (!Float.isNaN(time)) {
                        present[count++] = time;
                    }
                }
                float median = Medians.of(present, count);
                for (int place : slow) {
                    if (state.times[i][place] > slowRatio * median) {
                        first = Math.min(first, state.steps[i]);
                    }
                }
            }
        }
        return first;
    }

    private static Verdicts.Explanation explain(
            State state, RunView run, List<Integer> slow, float[] times, float median, long onset) {
        slow.sort((a, b) -> Float.compare(times[b], times[a]));
        int worst = slow.get(0);
        StringBuilder message = new StringBuilder()
                .append(who(state, worst))
                .append(" computes for ")
                .append(Figures.text(times[worst]))
                .append(" s a step, ")
                .append(Figures.text(times[worst] / median))
                .append(" times the median of the ranks")
                .append(state.wasLevel[worst] ? "" : ", since it was first seen")
                .append(section(state, worst));
        for (int i = 1; i < Math.min(slow.size(), MAX_NAMED); i++) {
            message.append(i == 1 ? "; so do " : ", ").append(who(state, slow.get(i)));
        }
        if (slow.size() > MAX_NAMED) {
            message.append(" and ").append(slow.size() - MAX_NAMED).append(" more");
        }
        List<Evidence> evidence = new ArrayList<>();
        for (int place : slow.subList(0, Math.min(slow.size(), MAX_NAMED))) {
            evidence.add(Figures.evidence(
                    "compute_time_seconds/rank " + state.ranks.rankAt(place),
                    onset,
                    run.lastStep(),
                    times[place],
                    median,
                    times[place] / median,
                    "seconds"));
        }
        return new Verdicts.Explanation(
                message.append("; it was the slowest in ")
                        .append(roundsSlowest(state, worst))
                        .append(" of the last ")
                        .append(Math.min(ROTATION, state.judgedRounds))
                        .append(" reports")
                        .toString(),
                evidence);
    }

    private static String who(State state, int place) {
        String host = state.hosts.get(place);
        return "rank " + state.ranks.rankAt(place) + (host == null ? "" : " on " + host);
    }

    private static int roundsSlowest(State state, int place) {
        int count = 0;
        for (int i = 0; i < ROTATION; i++) {
            count += state.slowest[i] > 0 && state.slowestPlace[i] == place ? 1 : 0;
        }
        return count;
    }

    /** The section in which the rank is further from the others. */
    private static String section(State state, int place) {
        double forward = state.forward[place] / medianOfKnown(state.forward, state.ranks.size());
        double backward = state.backward[place] / medianOfKnown(state.backward, state.ranks.size());
        if (Double.isNaN(forward) || Double.isNaN(backward)) {
            return "";
        }
        return ", forward " + Figures.text(forward) + " times, backward " + Figures.text(backward) + " times";
    }

    private static float medianOfKnown(float[] values, int size) {
        float[] known = new float[size];
        int count = 0;
        for (int i = 0; i < size; i++) {
            if (!Float.isNaN(values[i])) {
                known[count++] = values[i];
            }
        }
        return Medians.of(known, count);
    }

    private static Verdicts.Explanation explainRotation(State state, RunView run, long step) {
        float[] ratios = state.slowest.clone();
        float ratio = Medians.of(ratios, ROTATION);
        long ranks = Arrays.stream(state.slowestPlace).distinct().count();
        return new Verdicts.Explanation(
                "the slowest rank computes " + Figures.text(ratio)
                        + " times as long as the median of the ranks, and it is"
                        + " another one each time (" + ranks + " ranks in the last " + ROTATION
                        + " reports): uneven work, such as sequences of unequal length",
                List.of(Figures.evidence(
                        "slowest_compute_time_ratio", step, run.lastStep(), ratio, 1, Double.NaN, "times the median")));
    }

    @Override
    public @Nullable String missing(State state, RunView run) {
        if (state.judgedRounds > 0) {
            return null;
        }
        if (!state.profiled()) {
            return "step_profile of each rank";
        }
        return state.ranks.size() == 0
                ? "step_profile.compute_time_seconds, or its sections forward and backward"
                : "step_profile of at least " + LEAST_RANKS + " ranks at one step, " + state.ranks.size() + " came";
    }
}
