package io.trainwatch.monitor.cli;

import io.trainwatch.monitor.cli.LogVerdict.RunVerdict;

/** Tells what was found in a run. */
interface Report {
    void run(String file, RunVerdict run);
}
