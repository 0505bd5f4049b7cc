package io.trainwatch.monitor.web;

import com.fasterxml.jackson.core.JsonGenerator;
import io.trainwatch.alert.Alert;
import io.trainwatch.alert.AlertState;
import io.trainwatch.alert.Severity;
import io.trainwatch.monitor.judge.RunSnapshot;
import io.trainwatch.monitor.run.Milestone;
import io.trainwatch.monitor.run.SeriesSnapshot;
import io.trainwatch.monitor.run.SeriesSnapshot.Bucket;
import io.trainwatch.run.RunCondition;
import io.trainwatch.run.RunStatus;
import java.io.IOException;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * One run among many, as JSON of at most 2 kB: where it is, how its loss went, and what is worst about it.
 *
 * <pre>
 * {"run_id","name","project","model","attempt","condition","started_at_ms","last_event_at_ms",
 *  "last_step","max_steps","loss","eval_loss",
 *  "seconds_left"              at the pace of the second half of its steps so far; only while it runs and has max_steps
 *  "accelerator_seconds_lost"  the most that one of its episodes cost; episodes overlap, so they are not added up
 *  "critical","warning","info" open episodes by severity
 *  "worst"                     the open episode of the highest severity, of those the first: {"alert_id","detector",
 *                              "scope","severity","opened_at_ms","onset_step","message","cause"}
 *  "ending"                    of a run that failed or was killed, what it said last
 *  "spark"                     training loss, oldest first, at most 32 points; null where it was not finite}
 * </pre>
 */
final class FleetRow {
    private static final int SPARK_POINTS = 32;
    private static final int MAX_TEXT = 280;

    private FleetRow() {}

    static void write(RunSnapshot run, JsonGenerator out) throws IOException {
        RunStatus status = run.status();
        out.writeStartObject();
        out.writeStringField("run_id", status.getRunId());
        text(out, "name", status.getRunName());
        text(out, "project", status.getProject());
        text(out, "model", status.getModelName());
        out.writeNumberField("attempt", status.getAttempt());
        out.writeStringField("condition", status.getCondition().name());
        out.writeNumberField("started_at_ms", status.getStartedAtMs());
        out.writeNumberField("last_event_at_ms", status.getLastEventAtMs());
        whole(out, "last_step", status.getLastStep());
        whole(out, "max_steps", status.getMaxSteps());
        decimal(out, "loss", status.getLoss());
        decimal(out, "eval_loss", status.getEvalLoss());
        double secondsLeft = secondsLeft(run);
        if (Double.isFinite(secondsLeft)) {
            out.writeNumberField("seconds_left", Math.round(secondsLeft));
        }
        long lost = secondsLost(run.alerts());
        if (lost > 0) {
            out.writeNumberField("accelerator_seconds_lost", lost);
        }
        for (Severity severity : Severity.values()) {
            long open = status.getOpenAlerts().values().stream()
                    .filter(severity.name()::equals)
                    .count();
            if (open > 0) {
                out.writeNumberField(severity.name(), open);
            }
        }
        Optional<Alert> worst = worst(run.alerts());
        if (worst.isPresent()) {
            out.writeFieldName("worst");
            write(worst.get(), out);
        }
        if (status.getCondition() == RunCondition.failed || status.getCondition() == RunCondition.killed) {
            text(out, "ending", ending(run.milestones()));
        }
        spark(run.series().get("loss"), out);
        out.writeEndObject();
    }

    private static @Nullable String ending(List<Milestone> milestones) {
        for (int i = milestones.size() - 1; i >= 0; i--) {
            if (milestones.get(i).kind() == Milestone.Kind.FINISHED) {
                return milestones.get(i).text();
            }
        }
        return null;
    }

    /** The open episode of the highest severity; of several, that which began first. */
    static Optional<Alert> worst(List<Alert> alerts) {
        Alert worst = null;
        for (Alert alert : alerts) {
            if (alert.getState() != AlertState.resolved
                    && (worst == null
                            || alert.getSeverity().compareTo(worst.getSeverity()) > 0
                            || (alert.getSeverity() == worst.getSeverity()
                                    && alert.getOpenedAtMs() < worst.getOpenedAtMs()))) {
                worst = alert;
            }
        }
        return Optional.ofNullable(worst);
    }

    private static void write(Alert alert, JsonGenerator out) throws IOException {
        out.writeStartObject();
        out.writeStringField("alert_id", alert.getAlertId());
        out.writeStringField("detector", alert.getDetector());
        out.writeStringField("scope", bounded(alert.getScope()));
        out.writeStringField("severity", alert.getSeverity().name());
        out.writeNumberField("opened_at_ms", alert.getOpenedAtMs());
        whole(out, "onset_step", alert.getOnsetStep());
        out.writeStringField("message", bounded(alert.getMessage()));
        if (!alert.getCauses().isEmpty()) {
            out.writeStringField("cause", bounded(alert.getCauses().get(0).getTitle()));
        }
        out.writeEndObject();
    }

    /** Seconds until the last planned step; NaN if it cannot be told. */
    static double secondsLeft(RunSnapshot run) {
        Long step = run.status().getLastStep();
        Long end = run.status().getMaxSteps();
        List<Bucket> elapsed = run.elapsed();
        if (run.isEnded() || step == null || end == null || elapsed.size() < 2) {
            return Double.NaN;
        }
        Bucket from = elapsed.get((elapsed.size() - 1) / 2);
        Bucket to = elapsed.get(elapsed.size() - 1);
        double pace = (to.max() - from.max()) / (to.lastStep() - from.lastStep());
        return pace >= 0 ? Math.max(0, end - step) * pace : Double.NaN;
    }

    private static long secondsLost(List<Alert> alerts) {
        double most = 0;
        for (Alert alert : alerts) {
            Double lost = alert.getAcceleratorSecondsLost();
            most = lost == null ? most : Math.max(most, lost);
        }
        return Math.round(most);
    }

    private static void spark(@Nullable SeriesSnapshot loss, JsonGenerator out) throws IOException {
        if (loss == null) {
            return;
        }
        out.writeArrayFieldStart("spark");
        for (Bucket bucket : Resolution.atMost(SPARK_POINTS, loss.buckets())) {
            if (Double.isFinite(bucket.mean())) {
                out.writeNumber((float) bucket.mean());
            } else {
                out.writeNull();
            }
        }
        out.writeEndArray();
    }

    private static void text(JsonGenerator out, String name, @Nullable String text) throws IOException {
        if (text != null && !text.isEmpty()) {
            out.writeStringField(name, bounded(text));
        }
    }

    private static String bounded(String text) {
        return text.length() <= MAX_TEXT ? text : text.substring(0, MAX_TEXT) + "…";
    }

    private static void whole(JsonGenerator out, String name, @Nullable Long number) throws IOException {
        if (number != null) {
            out.writeNumberField(name, number);
        }
    }

    private static void decimal(JsonGenerator out, String name, @Nullable Double number) throws IOException {
        if (number != null) {
            Json.number(out, name, number);
        }
    }
}
