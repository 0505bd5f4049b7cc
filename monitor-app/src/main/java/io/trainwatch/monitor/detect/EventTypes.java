package io.trainwatch.monitor.detect;

import io.trainwatch.event.BatchStats;
import io.trainwatch.event.CheckpointLoaded;
import io.trainwatch.event.CheckpointSaved;
import io.trainwatch.event.CommandAcknowledged;
import io.trainwatch.event.EvaluationCompleted;
import io.trainwatch.event.Heartbeat;
import io.trainwatch.event.PhaseChanged;
import io.trainwatch.event.PredictionStats;
import io.trainwatch.event.PreflightCompleted;
import io.trainwatch.event.RankFingerprint;
import io.trainwatch.event.RunFinished;
import io.trainwatch.event.RunStarted;
import io.trainwatch.event.StepCompleted;
import io.trainwatch.event.StepProfile;
import io.trainwatch.event.TensorStats;
import java.util.Set;

/** The bodies that an event can have. */
final class EventTypes {
    static final Set<Class<?>> ALL = Set.of(
            StepCompleted.class,
            RunStarted.class,
            PreflightCompleted.class,
            TensorStats.class,
            BatchStats.class,
            PredictionStats.class,
            EvaluationCompleted.class,
            StepProfile.class,
            Heartbeat.class,
            PhaseChanged.class,
            RankFingerprint.class,
            CheckpointSaved.class,
            CheckpointLoaded.class,
            RunFinished.class,
            CommandAcknowledged.class);

    private EventTypes() {}
}
