package io.trainwatch.monitor.topology;

import io.trainwatch.alert.Alert;
import io.trainwatch.event.Heartbeat;
import io.trainwatch.event.TrainingEvent;
import org.jspecify.annotations.Nullable;

/** Counts for tests of what is shown of the counters. */
public final class Counting {
    private Counting() {}

    public static void alert(MonitorCounters counters, Alert change) {
        counters.alert(change);
    }

    public static void judged(MonitorCounters counters, long nanos, String runId, @Nullable Long step) {
        TrainingEvent event = new TrainingEvent();
        event.setRunId(runId);
        event.setStep(step);
        event.setBody(new Heartbeat());
        counters.judged(nanos, event);
    }
}
