/** The stream: events in; alerts, run status and dead letters out; one stateful node between. */
@NullMarked
package io.trainwatch.monitor.topology;

import org.jspecify.annotations.NullMarked;
