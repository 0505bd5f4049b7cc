package io.trainwatch.monitor.web;

import io.javalin.config.RoutesConfig;

/** A part of the monitor that answers HTTP requests; who may ask at all is decided before it is reached. */
@FunctionalInterface
public interface Endpoints {
    /** Adds what this part answers. */
    void addTo(RoutesConfig routes);
}
