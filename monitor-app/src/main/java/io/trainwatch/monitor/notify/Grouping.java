package io.trainwatch.monitor.notify;

import java.time.Duration;

/**
 * What becomes one page. The first page of an incident goes at once; only what follows is gathered.
 *
 * @param updateInterval least time between two pages of one run, 0 to 1 d, default 30 s: detectors that fire after the
 *     first one, from the same fault, do so within seconds
 * @param fleetRuns runs that fail with the same detector within {@code fleetWindow} and are then told as one, 2 to 1000,
 *     default 5: the ones before it have their own pages
 * @param fleetWindow 1 s to 1 h, default 1 min
 */
public record Grouping(Duration updateInterval, int fleetRuns, Duration fleetWindow) {
    /** The defaults. */
    public static final Grouping DEFAULT = new Grouping(Duration.ofSeconds(30), 5, Duration.ofMinutes(1));
}
