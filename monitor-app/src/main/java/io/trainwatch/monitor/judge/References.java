package io.trainwatch.monitor.judge;

import io.trainwatch.monitor.run.ReferenceCurve;
import org.jspecify.annotations.Nullable;

/** The runs that a log may be compared with, beside those in it. */
public interface References {

    /** None at all. */
    References NONE = new References() {
        @Override
        public @Nullable ReferenceCurve find(String runId) {
            return null;
        }
    };

    /** The curve of the run of that name; null if it is not known. */
    @Nullable
    ReferenceCurve find(String runId);

    /** What a run is compared with that names none; null for nothing. */
    default @Nullable ReferenceCurve byDefault() {
        return null;
    }
}
