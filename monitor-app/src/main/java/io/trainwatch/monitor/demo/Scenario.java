package io.trainwatch.monitor.demo;

import java.util.Set;
import java.util.function.LongFunction;
import org.jspecify.annotations.Nullable;

/**
 * A training and what the monitor is expected to say about it.
 *
 * @param name names the run
 * @param story what happens, in a sentence for the person who watches
 * @param fault what is planted; null for a healthy training, about which nothing may be raised at warning or above
 * @param ending how the process leaves
 * @param stepsPerSecond the pace at which people watch it
 * @param training makes the training from a seed
 */
record Scenario(
        String name,
        String story,
        @Nullable Fault fault,
        Ending ending,
        double stepsPerSecond,
        LongFunction<Training> training) {

    /** Whether the training takes no further step after this one, though its last is yet to come. */
    boolean leavesAfter(long step) {
        return fault != null && goesSilent() && step >= fault.step() - 1;
    }

    boolean goesSilent() {
        return ending != Ending.FINISHES;
    }

    /** How the process of a training leaves. */
    enum Ending {
        /** It takes its last step and says so. */
        FINISHES,
        /** It waits forever after the step of its fault, alive: heartbeats go on. */
        HANGS,
        /** It is killed after the step of its fault: nothing more comes. */
        IS_KILLED
    }

    /**
     * What is wrong on purpose.
     *
     * @param planted what it is, in a few words
     * @param step the first step that it concerns
     * @param foundBy the detectors that find it: one of them has to, at warning or above
     * @param withinSteps how many steps later at most; without meaning for a run that goes silent, which takes none
     * @param besides detectors that may well raise its consequences
     */
    record Fault(String planted, long step, Set<String> foundBy, long withinSteps, Set<String> besides) {}
}
