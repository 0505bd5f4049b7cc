package io.trainwatch.monitor.judge;

import io.trainwatch.alert.Alert;
import io.trainwatch.monitor.run.SeriesSnapshot;
import io.trainwatch.run.RunStatus;
import java.util.List;
import java.util.Map;

/**
 * An immutable picture of a {@link JudgedRun} for readers on other threads.
 *
 * @param status what is known of the run
 * @param series its series by name, at bounded resolution
 * @param alerts the latest state of its most recent episodes, oldest first, at most {@value #MAX_ALERTS}
 */
public record RunSnapshot(RunStatus status, Map<String, SeriesSnapshot> series, List<Alert> alerts) {
    public static final int MAX_ALERTS = 64;
}
