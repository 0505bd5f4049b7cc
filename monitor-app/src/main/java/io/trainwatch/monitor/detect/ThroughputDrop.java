package io.trainwatch.monitor.detect;

import io.trainwatch.alert.Severity;
import io.trainwatch.event.CheckpointLoaded;
import io.trainwatch.event.CheckpointSaved;
import io.trainwatch.event.EvaluationCompleted;
import io.trainwatch.event.Heartbeat;
import io.trainwatch.event.StepCompleted;
import io.trainwatch.event.StepProfile;
import io.trainwatch.event.TrainingEvent;
import io.trainwatch.monitor.run.RunView;
import io.trainwatch.monitor.stats.Medians;
import io.trainwatch.monitor.stats.StateReader;
import io.trainwatch.monitor.stats.StateWriter;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Finds a training that has become slower and stays so, and one that loses its time in pauses (D21).
 *
 * <pre>
 * x = ln of the time of a step, of a token or a sample where they are counted ; B = median of each block of 16 points
 * R = median of up to 64 blocks, the latest 8 not among them ; ref = lowest R
 * sigma = max(1.4826 MAD, (q90 - q50) / 1.2816) of the same blocks, at least 0.01 and at least what the scatter within
 *         blocks makes of a median of 16 ; rho = their autocorrelation from block to block
 * se = min(1, 1.2533 sqrt((1 + rho) / (1 - rho) / 8)) sigma, the standard error of a median of 8 blocks
 * S = max(0, S + min((B - ref) / sigma, 8) - max(0.5, 0.015 / sigma))
 * slow = R rests on at least 12 blocks, S &gt; 12, the median of the latest 8 blocks above ref by 5 %, 2 sigma and 5 se
 * fires when slow for 5 blocks and at the latest of them, and for 5 x the longest time that it ever was slow and then
 *       was not (slowly forgotten, 64 blocks at most), once that has cost 10 s            -&gt; warning
 *       by more than 30 %, once it has cost 60 s                                          -&gt; critical
 *       until then                                                                        -&gt; info
 * pauses: steps longer than 2 x the reference and 2 x the block before take more than 5 % of 500 points and 10 s,
 * twice in a row                                                                          -&gt; info, scope pauses
 *       and 3 x their smallest share so far                                               -&gt; warning
 * </pre>
 *
 * <p>Step times are heavy-tailed, have a memory, and jump at every new shard, so no point counts by itself: a block
 * median ignores seven of sixteen, and sigma is the scatter of whole blocks over a thousand points, its upper tail
 * included. A machine that is shared, or a toy whose steps are as short as the timer's noise, has scattered block
 * medians and so its own, larger limit; noise with a memory, whose eight blocks are one observation and not eight,
 * has the largest. Neighbours that come and go teach it how long they stay, as pauses teach {@link StalledRun}, with
 * the same factor. The cost says when a person should look: ten seconds are less than it takes to read the alert.
 *
 * <p>First steps, the 16 points after a start or a resume, and for pauses the point after an evaluation, a checkpoint
 * or a heartbeat of another phase are left out. A declared phase, another world size, or 5 % and 5 of its standard
 * errors more or less work in a step begin a new reference. BLOOM's drop from 149 to 140 TFLOPs (105.2 to 111.1 s) is
 * the size to be found. A rule of 3 sigma on single steps (SageMaker's StepOutlier) gives 1,102 alarms in 100,000
 * healthy steps; what outliers cost is asked instead.
 *
 * <p>Measured: none in 46,000 points of five real logs (llm.c, OLMo); 5.5 % added to one of them is a warning after
 * 144 steps, 4 % is none. None in eight families of noise at 3 and 10 % (10 million steps), a new shard each 190
 * steps and batches of unequal length among them.
 *
 * <p>Known weakness: the first time that a neighbour takes 40 % for more than 128 steps is a warning, and noise of 10
 * % that wanders over thousands of steps is 4 to 6 in 100,000; a run that is slow from the start is its own
 * reference; less than 336 points are not judged. Siblings: {@link InputBottleneck}, {@link StragglerRank}, which
 * explain it. Source: DETECTION.md D21.
 */
public final class ThroughputDrop extends Detector<ThroughputDrop.State> {
    static final Setting<Double> SLOWDOWN = Setting.number(
            "slowdown",
            0.05,
            0.01,
            10,
            "share of the usual step time",
            "How much longer a step has to take, beside being outside the noise of the run. At 0.05 no "
                    + "point of five real logs is told, and 5.5 % added to one of them is, after 144 steps.");

    static final String PAUSES = "pauses";
    static final int BLOCK = 16;
    static final int SETTLING_POINTS = 16;
    static final int REFERENCE_BLOCKS = 64;
    static final int RECENT_BLOCKS = 8;
    static final int ARMED_BLOCKS = 12;
    static final double SIGMA_FLOOR = 0.01;
    static final double SLACK = 0.5;
    static final double SLACK_SHIFT = 0.015;
    static final double LIMIT = 12;
    static final double WINSOR = 8;
    static final double CRITICAL_SHARE = 0.3;
    static final double SCALES = 2;
    static final double ERRORS = 5;
    static final double WITHIN_BLOCKS = 32;
    static final double WARNING_SECONDS = 10;
    static final double CRITICAL_SECONDS = 60;
    static final int SLOW_BLOCKS = 5;
    static final double SAFETY_FACTOR = 5;
    static final double LONGEST_SLOW = 64;
    static final double FORGETTING = 0.998;
    static final double WORK_CHANGE = 0.05;
    static final int PAUSE_POINTS = 500;
    static final double PAUSE_RATIO = 2;
    static final double PAUSE_SHARE = 0.05;
    static final double PAUSE_GROWTH = 3;

    /** Standard error of a median over that of a mean, of many normal points. */
    private static final double MEDIAN_ERROR = 1.2533;

    /** Steps that one point can stand for: a log every so many, not a step number gone wrong. */
    private static final long MOST_STEPS = 10_000;

    private final double slowdown;

    ThroughputDrop(DetectorSettings settings) {
        slowdown = settings.get(SLOWDOWN);
    }

    private enum Source {
        PROFILE("step time"),
        SAMPLE_RATE("time per sample"),
        TOKEN_RATE("time per token"),
        STEP_TIME("step time");

        final String told;

        Source(String told) {
            this.told = told;
        }
    }

    /** The blocks, what they are compared with, and the pauses. */
    static final class State implements DetectorState {
        final DeviceUse device = new DeviceUse();
        int deviceRank = -1;

        @Nullable
        Source source;

        boolean counted;
        long seenBefore = -1;
        long stepBefore = -1;
        long atMsBefore = -1;
        long profileBefore = -1;
        int settling = SETTLING_POINTS;
        long phase;
        int worldSize = -1;

        float[] block = new float[0];
        float[] work = new float[0];
        int inBlock;
        double blockSeconds;
        long blockBegin = -1;

        float[] recent = new float[0];
        int blocks;
        float[] reference = new float[0];
        int referenceBlocks;
        double workReference = Double.NaN;
        double workWithin;
        double within = Double.NaN;
        double level = Double.NaN;
        double levelSigma;
        double sum;
        long onset = -1;
        double lostSeconds;
        int slowBlocks;
        double longestSlow;

        boolean paused;
        int pausePoints;
        double pausedSeconds;
        double allSeconds;
        int pauses;
        long firstPause;
        long lastPause;
        boolean pausedBefore;
        double smallestShare = Double.NaN;

        /** Many runs have no times. */
        void timed() {
            if (block.length == 0) {
                block = new float[BLOCK];
                work = new float[BLOCK];
                recent = new float[RECENT_BLOCKS];
                reference = new float[REFERENCE_BLOCKS];
            }
        }

        /** What comes cannot be compared with what was. */
        void anchor() {
            inBlock = 0;
            blocks = 0;
            referenceBlocks = 0;
            within = Double.NaN;
            level = Double.NaN;
            workReference = Double.NaN;
            workWithin = 0;
            sum = 0;
            onset = -1;
            lostSeconds = 0;
            slowBlocks = 0;
            longestSlow = 0;
            forgetPauses();
            pausedBefore = false;
            smallestShare = Double.NaN;
        }

        void forgetPauses() {
            pausePoints = 0;
            pausedSeconds = 0;
            allSeconds = 0;
            pauses = 0;
        }

        @Override
        public int version() {
            return 1;
        }

        @Override
        public void write(StateWriter out) {
            device.write(out);
            out.writeInt(deviceRank);
            out.writeEnum(source);
            out.writeBoolean(counted);
            out.writeLong(seenBefore);
            out.writeLong(stepBefore);
            out.writeLong(atMsBefore);
            out.writeLong(profileBefore);
            out.writeInt(settling);
            out.writeLong(phase);
            out.writeInt(worldSize);
            out.writeInt(inBlock);
            out.writeFloats(block, inBlock);
            out.writeFloats(work, inBlock);
            out.writeDouble(blockSeconds);
            out.writeLong(blockBegin);
            out.writeInt(blocks);
            out.writeFloats(recent, Math.min(blocks, RECENT_BLOCKS));
            out.writeInt(referenceBlocks);
            out.writeFloats(reference, Math.min(referenceBlocks, REFERENCE_BLOCKS));
            out.writeDouble(workReference);
            out.writeDouble(workWithin);
            out.writeDouble(within);
            out.writeDouble(level);
            out.writeDouble(levelSigma);
            out.writeDouble(sum);
            out.writeLong(onset);
            out.writeDouble(lostSeconds);
            out.writeInt(slowBlocks);
            out.writeDouble(longestSlow);
            out.writeBoolean(paused);
            out.writeInt(pausePoints);
            out.writeDouble(pausedSeconds);
            out.writeDouble(allSeconds);
            out.writeInt(pauses);
            out.writeLong(firstPause);
            out.writeLong(lastPause);
            out.writeBoolean(pausedBefore);
            out.writeDouble(smallestShare);
        }

        @Override
        public void read(StateReader in) {
            device.read(in);
            deviceRank = in.readInt();
            source = in.readEnum(Source.class);
            if (source != null) {
                timed();
            }
            counted = in.readBoolean();
            seenBefore = in.readLong();
            stepBefore = in.readLong();
            atMsBefore = in.readLong();
            profileBefore = in.readLong();
            settling = in.readInt();
            phase = in.readLong();
            worldSize = in.readInt();
            inBlock = in.readCount(BLOCK - 1);
            in.readFloats(block, inBlock);
            in.readFloats(work, inBlock);
            blockSeconds = in.readDouble();
            blockBegin = in.readLong();
            blocks = in.readCount(Integer.MAX_VALUE);
            in.readFloats(recent, Math.min(blocks, RECENT_BLOCKS));
            referenceBlocks = in.readCount(Integer.MAX_VALUE);
            in.readFloats(reference, Math.min(referenceBlocks, REFERENCE_BLOCKS));
            workReference = in.readDouble();
            workWithin = in.readDouble();
            within = in.readDouble();
            level = in.readDouble();
            levelSigma = in.readDouble();
            sum = in.readDouble();
            onset = in.readLong();
            lostSeconds = in.readDouble();
            slowBlocks = in.readInt();
            longestSlow = in.readDouble();
            paused = in.readBoolean();
            pausePoints = in.readInt();
            pausedSeconds = in.readDouble();
            allSeconds = in.readDouble();
            pauses = in.readInt();
            firstPause = in.readLong();
            lastPause = in.readLong();
            pausedBefore = in.readBoolean();
            smallestShare = in.readDouble();
        }
    }

    @Override
    public String name() {
        return "throughput_drop";
    }

    @Override
    public List<Setting<?>> settings() {
        return List.of(SLOWDOWN);
    }

    @Override
    public Set<Class<?>> reads() {
        return Set.of(
                StepCompleted.class,
                StepProfile.class,
                EvaluationCompleted.class,
                CheckpointSaved.class,
                CheckpointLoaded.class,
                Heartbeat.class);
    }

    @Override
    public int quietVerdicts() {
        return RECENT_BLOCKS;
    }

    @Override
    public State newState() {
        return new State();
    }

    @Override
    public void observe(State state, RunView run, TrainingEvent event, Verdicts verdicts) {
        if (run.segmentOpened()) {
            state.settling = SETTLING_POINTS;
            state.inBlock = 0;
            state.seenBefore = -1;
            state.stepBefore = -1;
            state.atMsBefore = -1;
            state.profileBefore = -1;
            state.device.restart();
        }
        if (event.getBody() instanceof StepCompleted step) {
            if (run.reporting()) {
                completed(state, run, event, step, verdicts);
            }
        } else if (event.getBody() instanceof StepProfile profile) {
            profiled(state, run, event, profile, verdicts);
        } else if (event.getBody() instanceof Heartbeat heartbeat) {
            String phase = heartbeat.getPhase();
            state.paused |= phase != null && !phase.equals("train");
        } else {
            state.paused = true;
        }
    }

    private void completed(State state, RunView run, TrainingEvent event, StepCompleted body, Verdicts verdicts) {
        long step = run.lastStep();
        boolean first = Boolean.TRUE.equals(body.getIsFirstStep());
        long seen = body.getNumInputTokensSeen() != null
                ? body.getNumInputTokensSeen()
                : body.getSamplesSeen() != null ? body.getSamplesSeen() : -1;
        if (seen >= 0 && !state.counted) {
            state.counted = true;
            state.anchor();
        } else if (seen < 0 && state.counted) {
            // Of a run that counts its samples, a step that does not say how many cannot be compared.
            return;
        }
        long steps = state.stepBefore < 0 ? 0 : step - state.stepBefore;
        double work = steps > 0 && seen > state.seenBefore && state.seenBefore >= 0
                ? (double) (seen - state.seenBefore) / steps
                : Double.NaN;
        double sinceMs = state.atMsBefore < 0 ? 0 : (double) (event.getTimestampMs() - state.atMsBefore);
        state.seenBefore = seen;
        state.stepBefore = step;
        state.atMsBefore = event.getTimestampMs();
        if (first || (state.counted && Double.isNaN(work))) {
            state.paused = false;
            return;
        }
        double covered = covered(steps);
        if (usable(body.getStepTimeSeconds())) {
            double time = body.getStepTimeSeconds();
            double share = state.counted ? time / work : time;
            add(state, run, event, Source.STEP_TIME, share, work, time * covered, verdicts);
        } else if (usable(body.getTokensPerSecond())) {
            rate(state, run, event, Source.TOKEN_RATE, body.getTokensPerSecond(), work, sinceMs, verdicts);
        } else if (usable(body.getSamplesPerSecond())) {
            rate(state, run, event, Source.SAMPLE_RATE, body.getSamplesPerSecond(), work, sinceMs, verdicts);
        }
    }

    /** A rate says what the work takes, and not how long the step was: the clock of the trainer does. */
    private void rate(
            State state,
            RunView run,
            TrainingEvent event,
            Source source,
            double rate,
            double work,
            double sinceMs,
            Verdicts verdicts) {
        double seconds = Math.max(0, Math.min(sinceMs / 1000, 3600));
        add(state, run, event, source, 1 / rate, work, seconds, verdicts);
    }

    private void profiled(State state, RunView run, TrainingEvent event, StepProfile profile, Verdicts verdicts) {
        int rank = event.getRank();
        if (rank >= 0 && (state.deviceRank < 0 || rank < state.deviceRank)) {
            state.deviceRank = rank;
            state.device.restart();
        }
        if (rank != state.deviceRank) {
            return;
        }
        state.device.add(run, profile, verdicts);
        if ((state.source == null || state.source == Source.PROFILE) && usable(profile.getStepTimeSeconds())) {
            long step = event.getStep() == null ? run.lastStep() : event.getStep();
            double covered = state.profileBefore < 0 ? 1 : covered(step - state.profileBefore);
            state.profileBefore = step;
            double time = profile.getStepTimeSeconds();
            add(state, run, event, Source.PROFILE, time, Double.NaN, time * covered, verdicts);
        }
    }

    private static double covered(long steps) {
        return (double) Math.max(1, Math.min(steps, MOST_STEPS));
    }

    private static boolean usable(@Nullable Double number) {
        return number != null && number > 1e-30 && number < 1e30;
    }

    private void add(
            State state,
            RunView run,
            TrainingEvent event,
            Source source,
            double time,
            double work,
            double seconds,
            Verdicts verdicts) {
        int worldSize = event.getWorldSize() == null ? -1 : event.getWorldSize();
        if (state.source != source || state.phase != run.phase() || state.worldSize != worldSize) {
            state.source = source;
            state.timed();
            state.phase = run.phase();
            state.worldSize = worldSize;
            state.anchor();
            state.settling = SETTLING_POINTS;
        }
        if (state.settling > 0) {
            state.settling--;
            state.paused = false;
            return;
        }
        pause(state, run, time, seconds, verdicts);
        if (state.inBlock == 0) {
            state.blockBegin = run.lastStep();
            state.blockSeconds = 0;
        }
        state.block[state.inBlock] = (float) Math.log(time);
        state.work[state.inBlock] = (float) Math.log(work);
        state.blockSeconds += seconds;
        if (++state.inBlock == BLOCK) {
            state.inBlock = 0;
            close(state, run, verdicts);
        }
    }

    private void close(State state, RunView run, Verdicts verdicts) {
        float median = Medians.of(state.block, BLOCK);
        double scatter = 1.4826 * Medians.absoluteDeviation(state.block, BLOCK, median);
        work(state);
        state.within = Double.isNaN(state.within) ? scatter : state.within + (scatter - state.within) / WITHIN_BLOCKS;
        int at = state.blocks % RECENT_BLOCKS;
        if (state.blocks >= RECENT_BLOCKS && state.slowBlocks == 0) {
            state.reference[state.referenceBlocks % REFERENCE_BLOCKS] = state.recent[at];
            state.referenceBlocks++;
        }
        state.recent[at] = median;
        state.blocks++;
        if (state.referenceBlocks < ARMED_BLOCKS) {
            return;
        }
        double sigma = learn(state);
        double score = (median - state.level) / sigma;
        double before = state.sum;
        state.sum = Math.min(
                2 * LIMIT, Math.max(0, state.sum + Math.min(score, WINSOR) - Math.max(SLACK, SLACK_SHIFT / sigma)));
        if (state.sum == 0) {
            state.lostSeconds = 0;
            state.onset = -1;
        } else {
            if (before == 0) {
                state.onset = state.blockBegin;
            }
            state.lostSeconds += state.blockSeconds * Math.max(0, 1 - Math.exp(state.level - median));
        }
        if (state.sum <= LIMIT) {
            notSlow(state, verdicts);
            return;
        }
        double rise = Medians.of(state.recent.clone(), RECENT_BLOCKS) - state.level;
        double limit = Math.max(Math.log1p(slowdown), Math.max(SCALES, errors(state)) * sigma);
        if (rise <= limit) {
            notSlow(state, verdicts);
            return;
        }
        state.slowBlocks++;
        boolean over = median - state.level <= limit;
        if (over || state.slowBlocks < Math.max(SLOW_BLOCKS, SAFETY_FACTOR * state.longestSlow)) {
            return;
        }
        Severity severity = rise > Math.log1p(CRITICAL_SHARE) && state.lostSeconds >= CRITICAL_SECONDS
                ? Severity.critical
                : state.lostSeconds >= WARNING_SECONDS ? Severity.warning : Severity.info;
        verdicts.unhealthy(Verdicts.RUN, severity, state.onset, null, () -> explain(state, run, rise, rise / sigma));
    }

    private static void notSlow(State state, Verdicts verdicts) {
        state.longestSlow = Math.max(FORGETTING * state.longestSlow, Math.min(state.slowBlocks, LONGEST_SLOW));
        state.slowBlocks = 0;
        verdicts.healthy(Verdicts.RUN);
    }

    /** Begins a new reference where a step has another amount of work in it than the steps before. */
    private static void work(State state) {
        if (Float.isNaN(state.work[0])) {
            return;
        }
        float median = Medians.of(state.work, BLOCK);
        double scatter = 1.4826 * Medians.absoluteDeviation(state.work, BLOCK, median);
        double error = MEDIAN_ERROR * Math.max(scatter, state.workWithin) / Math.sqrt(BLOCK);
        if (Math.abs(median - state.workReference) > Math.max(WORK_CHANGE, ERRORS * error)) {
            state.anchor();
        }
        if (Double.isNaN(state.workReference)) {
            state.workReference = median;
            state.workWithin = scatter;
        } else {
            state.workReference += (median - state.workReference) / RECENT_BLOCKS;
            state.workWithin += (scatter - state.workWithin) / WITHIN_BLOCKS;
        }
    }

    /** Brings level and scatter of the reference up to date; returns the scatter. */
    private static double learn(State state) {
        int count = Math.min(state.referenceBlocks, REFERENCE_BLOCKS);
        float[] blocks = Arrays.copyOf(state.reference, count);
        float median = Medians.of(blocks, count);
        double upperTail = (blocks[(9 * count + 9) / 10 - 1] - median) / 1.2816;
        double deviation = 1.4826 * Medians.absoluteDeviation(blocks, count, median);
        double ofMedian = MEDIAN_ERROR * state.within / Math.sqrt(BLOCK);
        double sigma = Math.max(Math.max(deviation, upperTail), Math.max(ofMedian, SIGMA_FLOOR));
        if (Double.isNaN(state.level) || median < state.level) {
            state.level = median;
            state.levelSigma = sigma;
        }
        return Math.max(sigma, state.levelSigma);
    }

    /** So many standard errors of the latest blocks, in scatters of one block. */
    private static double errors(State state) {
        int count = Math.min(state.referenceBlocks, REFERENCE_BLOCKS);
        int oldest = state.referenceBlocks - count;
        float centre = Medians.of(Arrays.copyOf(state.reference, count), count);
        double products = 0;
        double squares = 0;
        double before = 0;
        for (int i = 0; i < count; i++) {
            double deviation = state.reference[(oldest + i) % REFERENCE_BLOCKS] - centre;
            products += deviation * before;
            squares += deviation * deviation;
            before = deviation;
        }
        double memory = squares == 0 ? 0 : Math.max(0, products / squares);
        return ERRORS * Math.min(1, MEDIAN_ERROR * Math.sqrt((1 + memory) / (1 - memory) / RECENT_BLOCKS));
    }

    private static Verdicts.Explanation explain(State state, RunView run, double rise, double score) {
        double before = Math.exp(state.level);
        double now = Math.exp(state.level + rise);
        Source source = state.source == null ? Source.STEP_TIME : state.source;
        String what = source == Source.STEP_TIME && !Double.isNaN(state.workReference)
                ? "step time for each token or sample"
                : source.told;
        return new Verdicts.Explanation(
                what + " is " + Figures.text(now) + " s since step " + state.onset + ", " + Figures.text(before)
                        + " s before (+" + Figures.percent(Math.expm1(rise)) + "); "
                        + Figures.text(state.lostSeconds) + " s lost so far",
                List.of(Figures.evidence(
                        what.replace(' ', '_'), state.onset, run.lastStep(), now, before, score, "seconds")));
    }

    private static void pause(State state, RunView run, double time, double seconds, Verdicts verdicts) {
        boolean declared = state.paused;
        state.paused = false;
        if (declared || Double.isNaN(state.level)) {
            return;
        }
        float latest = state.recent[(state.blocks + RECENT_BLOCKS - 1) % RECENT_BLOCKS];
        double usual = Math.exp(Math.max(state.level, latest));
        state.allSeconds += seconds;
        if (time > PAUSE_RATIO * usual) {
            state.pausedSeconds += seconds * (1 - usual / time);
            if (state.pauses++ == 0) {
                state.firstPause = run.lastStep();
            }
            state.lastPause = run.lastStep();
        }
        if (++state.pausePoints < PAUSE_POINTS) {
            return;
        }
        double share = state.pausedSeconds / Math.max(state.allSeconds, 1e-9);
        boolean much = state.slowBlocks == 0 && share > PAUSE_SHARE && state.pausedSeconds >= WARNING_SECONDS;
        Severity severity = share > PAUSE_GROWTH * state.smallestShare ? Severity.warning : Severity.info;
        state.smallestShare = Double.isNaN(state.smallestShare) ? share : Math.min(state.smallestShare, share);
        if (much && state.pausedBefore) {
            long first = state.firstPause;
            double seconds500 = state.pausedSeconds;
            double period = state.pauses < 2 ? Double.NaN : (double) (state.lastPause - first) / (state.pauses - 1);
            int pauses = state.pauses;
            verdicts.unhealthy(
                    PAUSES,
                    severity,
                    first,
                    null,
                    () -> new Verdicts.Explanation(
                            Figures.percent(share) + " of the time goes into " + pauses + " of the last "
                                    + PAUSE_POINTS + " steps that took more than twice as long as usual ("
                                    + Figures.text(seconds500) + " s)"
                                    + (Double.isNaN(period) ? "" : ", one in " + Figures.text(period)),
                            List.of(Figures.evidence(
                                    "paused_share",
                                    first,
                                    run.lastStep(),
                                    share,
                                    PAUSE_SHARE,
                                    Double.NaN,
                                    "share of time"))));
        } else if (!much) {
            verdicts.healthy(PAUSES);
        }
        state.pausedBefore = much;
        state.forgetPauses();
    }

    @Override
    public @Nullable String missing(State state, RunView run) {
        if (!Double.isNaN(state.level)) {
            return null;
        }
        return state.source == null
                ? "step_completed.step_time_seconds, tokens_per_second or samples_per_second, or step_profile"
                : SETTLING_POINTS + (ARMED_BLOCKS + RECENT_BLOCKS) * BLOCK + " points of step time under one condition";
    }
}
