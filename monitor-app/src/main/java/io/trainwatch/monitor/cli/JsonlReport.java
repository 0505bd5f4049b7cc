package io.trainwatch.monitor.cli;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import io.trainwatch.alert.Alert;
import io.trainwatch.alert.Cause;
import io.trainwatch.monitor.judge.LogVerdict.Episode;
import io.trainwatch.monitor.judge.LogVerdict.RunVerdict;
import io.trainwatch.run.NotChecked;
import java.io.IOException;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.io.Writer;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * A line of JSON per episode, then one for the run; one per episode that other settings changed. What is not known is null.
 *
 * <pre>
 * {"kind":"alert","file":"a.jsonl","run_id":"r1","detector":"loss_spike","severity":"warning","scope":"","opened_step":12,"onset_step":11,"resolved_step":null,"message":"...","causes":[{"id":"...","title":"...","score":2.5}],"accelerator_seconds_lost":null}
 * {"kind":"run","file":"a.jsonl","run_id":"r1","events":40,"first_step":1,"last_step":40,"not_checked":[{"detector":"label_drift","missing":"batch_stats"}]}
 * {"kind":"diff","file":"a.jsonl","run_id":"r1","detector":"loss_spike","scope":"","change":"severity","default_severity":"warning","severity":"info","default_opened_step":12,"opened_step":12}
 * </pre>
 *
 * <p>Lines of kind diff come last.
 */
final class JsonlReport implements Report {
    private static final JsonFactory FACTORY = new JsonFactory();

    private interface Body {
        void write(JsonGenerator out) throws IOException;
    }

    private final Appendable to;

    JsonlReport(Appendable to) {
        this.to = to;
    }

    @Override
    public void log(String file, List<RunVerdict> runs) {
        runs.forEach(run -> run(file, run));
    }

    private void run(String file, RunVerdict run) {
        for (Episode episode : run.episodes()) {
            line(out -> alert(out, file, episode));
        }
        line(out -> run(out, file, run));
    }

    @Override
    public void differences(List<LogDifference> differences, int runs) {
        differences.forEach(one -> line(out -> difference(out, one)));
    }

    private static void difference(JsonGenerator out, LogDifference difference) throws IOException {
        Alert alert = difference.episode().alert();
        Episode before = difference.episode().before();
        Episode now = difference.episode().now();
        out.writeStringField("kind", "diff");
        out.writeStringField("file", difference.file());
        out.writeStringField("run_id", alert.getRunId());
        out.writeStringField("detector", alert.getDetector());
        out.writeStringField("scope", alert.getScope());
        out.writeStringField("change", difference.episode().change().name().toLowerCase(Locale.ROOT));
        out.writeStringField(
                "default_severity", before == null ? null : before.severity().name());
        out.writeStringField("severity", now == null ? null : now.severity().name());
        number(out, "default_opened_step", before == null ? null : before.opened());
        number(out, "opened_step", now == null ? null : now.opened());
    }

    private static void alert(JsonGenerator out, String file, Episode episode) throws IOException {
        Alert alert = episode.last();
        out.writeStringField("kind", "alert");
        out.writeStringField("file", file);
        out.writeStringField("run_id", alert.getRunId());
        out.writeStringField("detector", alert.getDetector());
        out.writeStringField("severity", episode.severity().name());
        out.writeStringField("scope", alert.getScope());
        number(out, "opened_step", alert.getOpenedStep());
        number(out, "onset_step", alert.getOnsetStep());
        number(out, "resolved_step", alert.getResolvedStep());
        out.writeStringField("message", alert.getMessage());
        out.writeArrayFieldStart("causes");
        for (Cause cause : alert.getCauses()) {
            out.writeStartObject();
            out.writeStringField("id", cause.getId());
            out.writeStringField("title", cause.getTitle());
            out.writeNumberField("score", cause.getScore());
            out.writeEndObject();
        }
        out.writeEndArray();
        Double lost = alert.getAcceleratorSecondsLost();
        if (lost == null) {
            out.writeNullField("accelerator_seconds_lost");
        } else {
            out.writeNumberField("accelerator_seconds_lost", Math.round(lost * 1e3) / 1e3);
        }
    }

    private static void run(JsonGenerator out, String file, RunVerdict run) throws IOException {
        out.writeStringField("kind", "run");
        out.writeStringField("file", file);
        out.writeStringField("run_id", run.status().getRunId());
        out.writeNumberField("events", run.events());
        number(out, "first_step", run.firstStep());
        number(out, "last_step", run.lastStep());
        out.writeArrayFieldStart("not_checked");
        for (NotChecked notChecked : run.status().getNotChecked()) {
            out.writeStartObject();
            out.writeStringField("detector", notChecked.getDetector());
            out.writeStringField("missing", notChecked.getMissing());
            out.writeEndObject();
        }
        out.writeEndArray();
    }

    private static void number(JsonGenerator out, String name, @Nullable Long value) throws IOException {
        if (value == null) {
            out.writeNullField(name);
        } else {
            out.writeNumberField(name, value);
        }
    }

    private void line(Body body) {
        Writer line = new StringWriter();
        try (JsonGenerator out = FACTORY.createGenerator(line)) {
            out.writeStartObject();
            body.write(out);
            out.writeEndObject();
        } catch (IOException e) {
            throw new UncheckedIOException("writing to memory failed", e);
        }
        try {
            to.append(line.toString()).append('\n');
        } catch (IOException e) {
            throw new UncheckedIOException("cannot write the report", e);
        }
    }
}
