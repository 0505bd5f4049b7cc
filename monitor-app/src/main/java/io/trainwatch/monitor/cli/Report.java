package io.trainwatch.monitor.cli;

import io.trainwatch.monitor.judge.LogVerdict.RunVerdict;

/** Tells what was found in a run. */
interface Report {
    void run(String file, RunVerdict run);
}
