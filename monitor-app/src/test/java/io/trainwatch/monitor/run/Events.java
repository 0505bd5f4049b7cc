package io.trainwatch.monitor.run;

import io.trainwatch.event.StepCompleted;
import io.trainwatch.event.TrainingEvent;

/** Events by their parts. */
final class Events {
    private Events() {}

    static TrainingEvent of(Object body) {
        TrainingEvent event = new TrainingEvent();
        event.setRunId("run");
        event.setSession("");
        event.setTimestampMs(1_763_760_000_000L);
        event.setBody(body);
        return event;
    }

    static TrainingEvent at(long step, Object body) {
        TrainingEvent event = of(body);
        event.setStep(step);
        return event;
    }

    static TrainingEvent loss(long step, double loss) {
        StepCompleted body = new StepCompleted();
        body.setLoss(loss);
        return at(step, body);
    }

    static TrainingEvent learningRate(long step, double rate) {
        StepCompleted body = new StepCompleted();
        body.setLearningRate(rate);
        return at(step, body);
    }

    static TrainingEvent ofRank(int rank, TrainingEvent event) {
        event.setRank(rank);
        return event;
    }

    static TrainingEvent ofAttempt(int attempt, TrainingEvent event) {
        event.setAttempt(attempt);
        return event;
    }

    static TrainingEvent numbered(String session, long seq, TrainingEvent event) {
        event.setSession(session);
        event.setSeq(seq);
        return event;
    }
}
