package io.trainwatch.monitor.detect;

import io.trainwatch.monitor.stats.Persistent;

/** What a detector remembers of one run. */
public interface DetectorState extends Persistent {

    /** Version of what {@code write} writes; a state of another version is not read, the detector starts anew. */
    int version();
}
