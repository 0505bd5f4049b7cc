package io.trainwatch.monitor.notify;

import io.trainwatch.alert.Alert;
import io.trainwatch.alert.AlertState;
import io.trainwatch.alert.Severity;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.UUID;

/** Alerts that are about the monitor itself, and a message that only tries the way. */
final class MonitorAlert {
    /** Detector of a monitor that does not judge. */
    static final String STALLED = "monitor_stalled";

    /** Detector of a monitor that judges too slowly. */
    static final String BEHIND = "monitor_behind";

    private MonitorAlert() {}

    /** What stands for a run in alerts of a monitor. */
    static String runId(String monitor) {
        return monitor + "monitor";
    }

    static Alert stalled(String monitor, String why, long sinceMs) {
        Alert alert = alert(runId(monitor), STALLED, Severity.critical, sinceMs);
        alert.setMessage("The monitor " + monitor + "* does not judge: " + why
                + " No run is watched until this is resolved. /health/ready and the log of the monitor say more.");
        return alert;
    }

    static Alert behind(String monitor, String why, long sinceMs) {
        Alert alert = alert(runId(monitor), BEHIND, Severity.warning, sinceMs);
        alert.setMessage("The monitor " + monitor + "* is behind: " + why
                + " Alerts come late until this is resolved. Give it more threads or another instance.");
        return alert;
    }

    static Alert resolved(Alert open, long nowMs) {
        Alert alert = alert(open.getRunId(), open.getDetector(), open.getSeverity(), open.getOpenedAtMs());
        alert.setAlertId(open.getAlertId());
        alert.setMessage(open.getMessage());
        alert.setState(AlertState.resolved);
        alert.setChangedAtMs(nowMs);
        return alert;
    }

    static Alert test(long nowMs) {
        Alert alert = alert("trainwatch-test", "test", Severity.warning, nowMs);
        alert.setMessage("This message only tries the way from the monitor to you. Nothing is wrong with any run.");
        return alert;
    }

    private static Alert alert(String runId, String detector, Severity severity, long sinceMs) {
        Alert alert = new Alert();
        alert.setAlertId(UUID.nameUUIDFromBytes((runId + detector + sinceMs).getBytes(StandardCharsets.UTF_8))
                .toString()
                .replace("-", ""));
        alert.setRunId(runId);
        alert.setDetector(detector);
        alert.setSeverity(severity);
        alert.setState(AlertState.firing);
        alert.setScope("");
        alert.setOpenedAtMs(sinceMs);
        alert.setChangedAtMs(sinceMs);
        alert.setEvidence(List.of());
        alert.setCauses(List.of());
        alert.setConfigVersion("");
        alert.setLabels(Map.of());
        return alert;
    }
}
