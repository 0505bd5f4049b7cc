package io.trainwatch.monitor.cli;

import io.trainwatch.monitor.judge.LogVerdict.RunVerdict;
import java.util.List;

/** Tells what was found in logs. */
interface Report {
    /** What was found in the runs of one log. */
    void log(String file, List<RunVerdict> runs);

    /**
     * Reports what the settings changed, after the last log.
     *
     * @param runs how many runs were judged by both
     */
    void differences(List<LogDifference> differences, int runs);

    /** All logs are told. */
    default void end() {}
}
