package io.trainwatch.monitor.run;

import io.trainwatch.monitor.stats.Persistent;
import io.trainwatch.monitor.stats.StateReader;
import io.trainwatch.monitor.stats.StateWriter;
import org.jspecify.annotations.Nullable;

/**
 * Conditions of a run under which a rule must not be taken at its word (DETECTION.md 2.4). A closed gate lowers a finding
 * to info and is named on it; it never silences.
 *
 * <table>
 * <caption>Gates</caption>
 * <tr><td>warm-up</td><td>step below the declared warm-up, or the learning rate has risen ever since the start</td></tr>
 * <tr><td>learning-rate rise</td><td>now above 1.5 x its minimum over the last 128 to 256 points and not above its
 * peak: a restart; held over the 128 points after that</td></tr>
 * <tr><td>learning-rate decay</td><td>now below 10 % of its peak</td></tr>
 * <tr><td>near the end</td><td>progress above 90 % of the declared steps</td></tr>
 * <tr><td>phase</td><td>the trainer declared a change: the 64 points after it</td></tr>
 * <tr><td>resume</td><td>a step went back or a checkpoint was loaded: the 100 points after it</td></tr>
 * </table>
 */
public final class Gates implements Persistent {
    public static final String LEARNING_RATE_RISE = "learning_rate_rise";
    public static final String PHASE_CHANGE = "phase_change";
    public static final String RESUME = "resume";
    public static final String LEARNING_RATE_DECAY = "learning_rate_decay";
    public static final String NEAR_THE_END = "near_the_end";

    static final double RESTART_RATIO = 1.5;
    /** A restart comes back to a rate that the run has had; what climbs beyond it is no restart. */
    static final double RESTART_PEAK = 1 + 1e-6;

    static final int RESTART_HOLD_POINTS = 128;
    static final int PHASE_HOLD_POINTS = 64;
    static final int RESUME_HOLD_POINTS = 100;

    private static final double NEGLIGIBLE = 1e-4;

    private long points;
    private double learningRate = Double.NaN;
    private double peak = Double.NaN;
    private long peakStep;
    private boolean risenEverSince = true;
    private boolean risen;
    private long firstRiseEnd;
    private double minimumBefore = Double.NaN;
    private double minimumNow = Double.NaN;
    private int minimumPoints;
    private long riseHeldThrough = -1;
    private long phaseHeldThrough = -1;
    private long resumeHeldThrough = -1;
    private long decayedSinceStep = -1;
    private long negligibleSinceStep = -1;

    void point() {
        points++;
    }

    void learningRate(RunFacts facts, long step, double rate) {
        if (!Double.isFinite(rate) || rate < 0) {
            return;
        }
        boolean warmingUp = step <= facts.warmupSteps() || risenEverSince;
        if (risenEverSince && rate > learningRate) {
            risen = true;
            firstRiseEnd = step;
        } else if (rate <= learningRate) {
            risenEverSince = false;
        }
        double lowest = Double.isNaN(minimumBefore) ? minimumNow : Math.min(minimumBefore, minimumNow);
        if (!warmingUp && rate > RESTART_RATIO * lowest && rate <= RESTART_PEAK * peak) {
            riseHeldThrough = points + RESTART_HOLD_POINTS;
        }
        if (warmingUp) {
            // What the rate was before its first peak is no level that it could be restarted from.
            minimumBefore = Double.NaN;
            minimumNow = Double.NaN;
            minimumPoints = 0;
        }
        minimumNow = Double.isNaN(minimumNow) ? rate : Math.min(minimumNow, rate);
        if (++minimumPoints == RESTART_HOLD_POINTS) {
            minimumBefore = minimumNow;
            minimumNow = rate;
            minimumPoints = 0;
        }
        learningRate = rate;
        double declared = facts.learningRatePeak();
        if (Double.isNaN(peak) || rate > peak) {
            peak = rate;
            peakStep = step;
        }
        double top = Double.isNaN(declared) ? peak : Math.max(peak, declared);
        decayedSinceStep = since(decayedSinceStep, step, rate < 0.1 * top && step > peakStep);
        negligibleSinceStep = since(negligibleSinceStep, step, rate <= NEGLIGIBLE * top && step > peakStep);
    }

    private static long since(long before, long step, boolean holds) {
        return !holds ? -1 : before >= 0 ? Math.min(before, step) : step;
    }

    void phaseChanged() {
        phaseHeldThrough = points + PHASE_HOLD_POINTS;
    }

    void resumed() {
        resumeHeldThrough = points + RESUME_HOLD_POINTS;
    }

    /** The gate that holds back an upward move of the loss or the gradient now; null if none does. */
    public @Nullable String upwardMove() {
        if (points <= riseHeldThrough) {
            return LEARNING_RATE_RISE;
        }
        if (points <= resumeHeldThrough) {
            return RESUME;
        }
        return points <= phaseHeldThrough ? PHASE_CHANGE : null;
    }

    /** The gate under which a flat loss is the plan; null if none does. */
    public @Nullable String flatLoss(RunView run) {
        long maxSteps = run.facts().maxSteps();
        if (maxSteps > 0 && run.lastStep() > 0.9 * maxSteps) {
            return NEAR_THE_END;
        }
        return decayedSinceStep >= 0 && !learningRateGone(run) ? LEARNING_RATE_DECAY : null;
    }

    /**
     * Whether the learning rate has been nothing (below 0.01 % of its peak) for a quarter of the steps before, at least
     * 100: no schedule means that, an annealing ends with the run.
     */
    public boolean learningRateGone(RunView run) {
        if (negligibleSinceStep < 0) {
            return false;
        }
        long before = negligibleSinceStep - run.firstStep();
        return run.lastStep() - negligibleSinceStep >= Math.max(100, before / 4);
    }

    /** Since which step the learning rate is nothing, -1 if it is not. */
    public long learningRateGoneSince() {
        return negligibleSinceStep;
    }

    /** The last step of the learning-rate warm-up: declared, or where the rise from the first point on ended; 0 if none. */
    public long warmupEnd(RunFacts facts) {
        return facts.warmupSteps() >= 0 ? facts.warmupSteps() : firstRiseEnd;
    }

    /** Whether the learning rate has risen at every report of it since the first, and so is in its warm-up. */
    public boolean learningRateStillRising() {
        return risenEverSince && risen;
    }

    /** Latest learning rate, NaN where none came. */
    public double learningRate() {
        return learningRate;
    }

    /** Largest learning rate so far, NaN where none came. */
    public double peakLearningRate() {
        return peak;
    }

    @Override
    public void write(StateWriter out) {
        out.writeLong(points);
        out.writeDouble(learningRate);
        out.writeDouble(peak);
        out.writeLong(peakStep);
        out.writeBoolean(risenEverSince);
        out.writeBoolean(risen);
        out.writeLong(firstRiseEnd);
        out.writeDouble(minimumBefore);
        out.writeDouble(minimumNow);
        out.writeInt(minimumPoints);
        out.writeLong(riseHeldThrough);
        out.writeLong(phaseHeldThrough);
        out.writeLong(resumeHeldThrough);
        out.writeLong(decayedSinceStep);
        out.writeLong(negligibleSinceStep);
    }

    @Override
    public void read(StateReader in) {
        points = in.readLong();
        learningRate = in.readDouble();
        peak = in.readDouble();
        peakStep = in.readLong();
        risenEverSince = in.readBoolean();
        risen = in.readBoolean();
        firstRiseEnd = in.readLong();
        minimumBefore = in.readDouble();
        minimumNow = in.readDouble();
        minimumPoints = in.readInt();
        riseHeldThrough = in.readLong();
        phaseHeldThrough = in.readLong();
        resumeHeldThrough = in.readLong();
        decayedSinceStep = in.readLong();
        negligibleSinceStep = in.readLong();
    }
}
