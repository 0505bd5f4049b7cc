package io.trainwatch.sdk.internal;

import io.trainwatch.event.BatchStats;
import io.trainwatch.event.Heartbeat;
import io.trainwatch.event.PredictionStats;
import io.trainwatch.event.RankFingerprint;
import io.trainwatch.event.RunFinished;
import io.trainwatch.event.RunStarted;
import io.trainwatch.event.StepCompleted;
import io.trainwatch.event.StepProfile;
import io.trainwatch.event.TensorStats;
import org.jspecify.annotations.Nullable;

/** What an event is worth when something must be given up: the oldest of the lowest goes first. */
enum Importance {
    /** Plain steps, bulky statistics, heartbeats: the next one tells nearly the same. */
    ROUTINE(0),
    /** Evaluations, checkpoints, phases, preflight checks: rare, and each stands for itself. */
    NOTABLE(1),
    /** Steps with a number that is not finite: what the run is watched for. */
    ALARMING(2),
    /** The run's start and end. */
    BOUNDARY(3);

    /** Stands for it on disk. */
    final byte code;

    Importance(int code) {
        this.code = (byte) code;
    }

    static @Nullable Importance of(byte code) {
        for (Importance importance : values()) {
            if (importance.code == code) {
                return importance;
            }
        }
        return null;
    }

    boolean isAbove(Importance other) {
        return compareTo(other) > 0;
    }

    boolean isVital() {
        return this == ALARMING || this == BOUNDARY;
    }

    static Importance of(Object body) {
        if (body instanceof StepCompleted step) {
            return isNonFinite(step) ? ALARMING : ROUTINE;
        }
        if (body instanceof RunStarted || body instanceof RunFinished) {
            return BOUNDARY;
        }
        boolean routine = body instanceof Heartbeat
                || body instanceof TensorStats
                || body instanceof BatchStats
                || body instanceof PredictionStats
                || body instanceof StepProfile
                || body instanceof RankFingerprint;
        return routine ? ROUTINE : NOTABLE;
    }

    private static boolean isNonFinite(StepCompleted step) {
        Long count = step.getNonfiniteCount();
        return isNonFinite(step.getLoss()) || isNonFinite(step.getGradNorm()) || (count != null && count > 0);
    }

    private static boolean isNonFinite(@Nullable Double value) {
        return value != null && !Double.isFinite(value);
    }
}
