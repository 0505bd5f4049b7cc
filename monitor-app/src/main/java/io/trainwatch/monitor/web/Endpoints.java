package io.trainwatch.monitor.web;

import io.javalin.config.RoutesConfig;
import io.javalin.http.Context;

/** A part of the monitor that answers HTTP requests; who may ask at all is decided before it is reached. */
@FunctionalInterface
public interface Endpoints {
    /** Adds what this part answers. */
    void addTo(RoutesConfig routes);

    /** Whether a request proves by itself that it may be answered, e.g. by a signed address, and needs no token. */
    default boolean admits(Context context) {
        return false;
    }
}
