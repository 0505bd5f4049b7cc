package io.trainwatch.monitor.notify;

import java.util.List;

/** The metrics of a notifier that told one page through the sink {@code team}. */
public final class SampleNotifyMetrics {
    private SampleNotifyMetrics() {}

    public static NotifyMetrics oneTold() {
        NotifyCounters counters = new NotifyCounters();
        counters.told("team", Page.Kind.OPENED);
        return new NotifyMetrics(counters, List.of("team"));
    }
}
