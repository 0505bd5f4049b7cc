package io.trainwatch.sdk.internal;

import io.trainwatch.codec.SingleObjectCodec;
import io.trainwatch.event.Heartbeat;
import io.trainwatch.event.PhaseChanged;
import io.trainwatch.event.RunStarted;
import io.trainwatch.event.StepCompleted;
import io.trainwatch.event.StepProfile;
import io.trainwatch.event.TrainingEvent;
import org.apache.avro.specific.SpecificRecordBase;
import org.jspecify.annotations.Nullable;

/**
 * Puts events of one session into their envelope and into bytes. Host and world size stand where they say something:
 * in run_started, heartbeat and step_profile.
 */
final class EventWriter {
    /** A change of phase on its way: from here on every event carries the phase. */
    record PhaseChange(String phaseId, PhaseChanged body) {}

    private final SingleObjectCodec<TrainingEvent> codec = SingleObjectCodec.events();
    private final RunSettings settings;
    private final TrainingEvent envelope = new TrainingEvent();
    private final StepCompleted plainStep = new StepCompleted();
    private @Nullable String phaseId;
    private long cut;

    EventWriter(RunSettings settings, String session) {
        this.settings = settings;
        envelope.setRunId(settings.runId());
        envelope.setAttempt(settings.attempt());
        envelope.setRank(settings.rank());
        envelope.setSession(session);
    }

    /** Encodes a plain step. */
    byte[] write(long seq, EventRing.Taken step) {
        plainStep.setLoss((step.numbers & EventRing.LOSS) == 0 ? null : step.loss);
        plainStep.setGradNorm((step.numbers & EventRing.GRAD_NORM) == 0 ? null : step.gradNorm);
        plainStep.setLearningRate((step.numbers & EventRing.LEARNING_RATE) == 0 ? null : step.learningRate);
        return encode(seq, step.timestampMs, step.step, plainStep);
    }

    /** Encodes anything else, cut to {@link Limits}. */
    byte[] write(long seq, long timestampMs, long step, Object body) {
        Object inner = body;
        if (body instanceof PhaseChange change) {
            phaseId = change.phaseId().substring(0, Math.min(change.phaseId().length(), Limits.MAX_NAME_LENGTH));
            inner = change.body();
        }
        if (inner instanceof SpecificRecordBase record) {
            cut += Limits.cut(record);
        }
        return encode(seq, timestampMs, step, inner);
    }

    /** Entries and texts that were longer than allowed, so far. */
    long cut() {
        return cut;
    }

    private byte[] encode(long seq, long timestampMs, long step, Object body) {
        boolean about = body instanceof RunStarted || body instanceof Heartbeat || body instanceof StepProfile;
        envelope.setWorldSize(about ? settings.worldSize() : null);
        envelope.setHost(about ? settings.host() : null);
        envelope.setSeq(seq);
        envelope.setTimestampMs(timestampMs);
        envelope.setStep(step == EventRing.NO_STEP ? null : (Long) step);
        envelope.setPhaseId(phaseId);
        envelope.setBody(body);
        return codec.encode(envelope);
    }
}
