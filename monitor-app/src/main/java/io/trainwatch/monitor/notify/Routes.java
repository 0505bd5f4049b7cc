package io.trainwatch.monitor.notify;

import io.trainwatch.alert.Alert;
import io.trainwatch.alert.Severity;
import java.util.List;

/**
 * Who hears of an alert: the sinks of the first route that matches; every sink where there are no routes. Nobody hears
 * of an alert that is info, was found in a past that was read later, or belongs to a run with {@code paging="off"}.
 *
 * @param routes first match counts
 */
public record Routes(List<Route> routes) {
    /** Everything to every sink. */
    public static final Routes EVERYWHERE = new Routes(List.of());

    public Routes {
        routes = List.copyOf(routes);
    }

    /** Whether an alert pages at all. */
    static boolean pages(Alert alert) {
        return alert.getSeverity() != Severity.info && !alert.getHistorical() && !"off".equals(alert.getPaging());
    }

    boolean lead(Alert alert, String sink) {
        if (!pages(alert)) {
            return false;
        }
        return routes.isEmpty()
                || routes.stream()
                        .filter(route -> route.matches(alert))
                        .findFirst()
                        .map(route -> route.sinks().contains(sink))
                        .orElse(false);
    }
}
