/** What Prometheus sees of the runs and of the monitor itself. */
package io.trainwatch.monitor.metrics;
