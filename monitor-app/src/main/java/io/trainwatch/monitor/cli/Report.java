package io.trainwatch.monitor.cli;

import io.trainwatch.monitor.judge.LogVerdict.RunVerdict;
import java.util.List;

/** Tells what was found in a run. */
interface Report {
    void run(String file, RunVerdict run);

    /**
     * Reports what the settings changed, after the last run.
     *
     * @param runs how many runs were judged by both
     */
    void differences(List<LogDifference> differences, int runs);
}
