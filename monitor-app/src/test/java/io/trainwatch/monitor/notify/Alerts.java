package io.trainwatch.monitor.notify;

import io.trainwatch.alert.Alert;
import io.trainwatch.alert.AlertState;
import io.trainwatch.alert.Cause;
import io.trainwatch.alert.Evidence;
import io.trainwatch.alert.Severity;
import io.trainwatch.codec.SingleObjectCodec;
import io.trainwatch.codec.UndecodableException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.function.Consumer;

/** Alerts as the monitor raises them. */
final class Alerts {
    static final long T0 = 1_763_760_000_000L;

    private Alerts() {}

    /** A loss that is not finite, critical, as far as can be said about it. */
    static Alert nan(String runId) {
        return alert(runId, "non_finite_loss", Severity.critical);
    }

    static Alert alert(String runId, String detector, Severity severity) {
        Alert alert = new Alert();
        alert.setAlertId(id(runId, detector));
        alert.setRunId(runId);
        alert.setAttempt(0);
        alert.setProject("vision");
        alert.setDetector(detector);
        alert.setSeverity(severity);
        alert.setState(AlertState.firing);
        alert.setScope("");
        alert.setOpenedStep(121L);
        alert.setOnsetStep(120L);
        alert.setLastStep(121L);
        alert.setOpenedAtMs(T0);
        alert.setChangedAtMs(T0);
        alert.setMessage("The loss is NaN since step 120; it was 2.31.");
        Evidence evidence = new Evidence();
        evidence.setSignal("loss");
        evidence.setValue(Double.NaN);
        evidence.setBaseline(2.31);
        evidence.setStepFrom(120L);
        alert.setEvidence(List.of(evidence));
        Cause cause = new Cause();
        cause.setId("learning_rate");
        cause.setTitle("The learning rate is too high");
        cause.setScore(2.0);
        cause.setWhy(List.of("the gradient norm rose tenfold from step 90"));
        cause.setFix(List.of("halve the learning rate", "clip the gradient at 1.0"));
        cause.setCheck(List.of());
        alert.setCauses(List.of(cause));
        alert.setConfigVersion("c");
        alert.setLabels(Map.of());
        alert.setCheckpointStep(100L);
        alert.setCheckpointPath("s3://bucket/r/100");
        alert.setAcceleratorSecondsLost(9_000.0);
        return alert;
    }

    static String id(String runId, String detector) {
        return UUID.nameUUIDFromBytes((runId + " " + detector).getBytes(StandardCharsets.UTF_8))
                .toString()
                .replace("-", "");
    }

    static Alert with(Alert alert, Consumer<Alert> change) {
        SingleObjectCodec<Alert> codec = SingleObjectCodec.alerts();
        try {
            Alert changed = codec.decode(codec.encode(alert));
            change.accept(changed);
            return changed;
        } catch (UndecodableException e) {
            throw new AssertionError(e);
        }
    }

    static Alert resolved(Alert alert) {
        return with(alert, changed -> {
            changed.setState(AlertState.resolved);
            changed.setResolvedStep(150L);
            changed.setChangedAtMs(alert.getChangedAtMs() + 1_000);
        });
    }
}
