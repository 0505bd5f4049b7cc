package io.trainwatch.monitor.judge;

/** All that the monitor knows of one run. Mutable, bounded in size however long the run, owned by one thread. */
public final class JudgedRun {
    final String runId;
    long events;
    long stepsJudged;

    JudgedRun(String runId) {
        this.runId = runId;
    }

    public String runId() {
        return runId;
    }
}
