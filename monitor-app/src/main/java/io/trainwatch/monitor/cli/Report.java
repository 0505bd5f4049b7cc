package io.trainwatch.monitor.cli;

import io.trainwatch.monitor.judge.LogVerdict.RunVerdict;
import java.util.List;

/** Tells what was found in logs. */
interface Report {
    /** What was found in the runs of one log. */
    void log(String file, List<RunVerdict> runs);

    /** All logs are told. */
    default void end() {}
}
