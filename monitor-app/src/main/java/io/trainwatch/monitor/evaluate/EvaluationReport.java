package io.trainwatch.monitor.evaluate;

import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.trainwatch.monitor.evaluate.Evaluation.Count;
import io.trainwatch.monitor.evaluate.Evaluation.Found;
import io.trainwatch.monitor.evaluate.Evaluation.LogResult;
import io.trainwatch.monitor.judge.LogVerdict.Episode;
import java.io.IOException;
import java.io.PrintWriter;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** What an evaluation found, as Markdown tables for people and documents, or as one JSON object for programs. */
final class EvaluationReport {
    private final Evaluation evaluation;

    EvaluationReport(Evaluation evaluation) {
        this.evaluation = evaluation;
    }

    void text(PrintWriter out) {
        Count all = evaluation.all();
        out.printf(
                Locale.ROOT,
                "%d logs, %d of them healthy with %,d points; %d entries had to be raised.%n%n",
                evaluation.logs().size(),
                all.healthyLogs,
                all.healthyPoints,
                all.must);
        out.println(
                "| | recall | precision | median delay, steps | false alarms per 100k healthy points (95 % interval)"
                        + " | healthy logs with one |");
        out.println("|---|---:|---:|---:|---:|---:|");
        row(out, "**trainwatch**", all);
        evaluation.others().forEach((name, count) -> row(out, name, count));
        out.println();
        if (all.causes > 0) {
            out.printf(
                    Locale.ROOT,
                    "Causes: the first one named is right for %d of %d entries whose cause is labelled (%s), one of three"
                            + " for %d (%s).%n%n",
                    all.firstCauses,
                    all.causes,
                    share(all.firstCauses / (double) all.causes),
                    all.topThreeCauses,
                    share(all.topThreeCauses / (double) all.causes));
        }
        table(out, "detector", evaluation.byDetector());
        table(out, "format", evaluation.byFormat());
        misses(out);
    }

    private static void table(PrintWriter out, String what, Map<String, Count> counts) {
        out.println("| " + what + " | had to be raised | recall | median delay, steps | false alarms |");
        out.println("|---|---:|---:|---:|---:|");
        counts.forEach((name, count) -> out.printf(
                "| %s | %d | %s | %s | %d |%n",
                name, count.must, share(count.recall()), steps(count.medianDelay()), count.falseAlarms));
        out.println();
    }

    private void misses(PrintWriter out) {
        for (LogResult log : evaluation.logs()) {
            for (Found found : log.must()) {
                if (found.episode() == null) {
                    out.println("missed: " + log.file() + ": none of "
                            + found.must().detectors());
                }
            }
            for (Episode wrong : log.falseAlarms()) {
                out.println("false alarm: " + log.file() + ": " + wrong.last().getDetector() + " (" + wrong.severity()
                        + ") at step " + wrong.opened());
            }
        }
    }

    private static void row(PrintWriter out, String name, Count count) {
        out.printf(
                "| %s | %s | %s | %s | %s | %d of %d |%n",
                name,
                share(count.recall()),
                share(count.precision()),
                steps(count.medianDelay()),
                count.falseAlarmRate(),
                count.alarmedHealthyLogs,
                count.healthyLogs);
    }

    private static String share(double share) {
        return Double.isNaN(share) ? "-" : String.format(Locale.ROOT, "%.3f", share);
    }

    private static String steps(@Nullable Long steps) {
        return steps == null ? "-" : String.format(Locale.ROOT, "%,d", steps);
    }

    void json(PrintWriter out) throws IOException {
        try (JsonGenerator json = new ObjectMapper().createGenerator(out)) {
            json.disable(JsonGenerator.Feature.AUTO_CLOSE_TARGET);
            json.useDefaultPrettyPrinter();
            json.writeStartObject();
            json.writeNumberField("logs", evaluation.logs().size());
            json.writeObjectFieldStart("all");
            fields(json, evaluation.all());
            json.writeEndObject();
            section(json, "detectors", evaluation.byDetector());
            section(json, "formats", evaluation.byFormat());
            section(json, "other_rules", evaluation.others());
            json.writeArrayFieldStart("wrong");
            for (LogResult log : evaluation.logs()) {
                if (!log.right()) {
                    wrong(json, log);
                }
            }
            json.writeEndArray();
            json.writeEndObject();
        }
        out.println();
    }

    private static void wrong(JsonGenerator json, LogResult log) throws IOException {
        json.writeStartObject();
        json.writeStringField("file", log.file());
        json.writeArrayFieldStart("missed");
        for (Found found : log.must()) {
            if (found.episode() == null) {
                json.writeString(String.join("|", found.must().detectors()));
            }
        }
        json.writeEndArray();
        json.writeArrayFieldStart("false_alarms");
        for (Episode episode : log.falseAlarms()) {
            json.writeString(episode.last().getDetector());
        }
        json.writeEndArray();
        json.writeEndObject();
    }

    private static void section(JsonGenerator json, String name, Map<String, Count> counts) throws IOException {
        json.writeObjectFieldStart(name);
        for (Map.Entry<String, Count> entry : counts.entrySet()) {
            json.writeObjectFieldStart(entry.getKey());
            fields(json, entry.getValue());
            json.writeEndObject();
        }
        json.writeEndObject();
    }

    private static void fields(JsonGenerator json, Count count) throws IOException {
        json.writeNumberField("must", count.must);
        json.writeNumberField("found", count.found);
        number(json, "recall", count.recall());
        number(json, "precision", count.precision());
        Long delay = count.medianDelay();
        number(json, "median_delay_steps", delay == null ? Double.NaN : (double) delay);
        json.writeNumberField("false_alarms", count.falseAlarms);
        json.writeNumberField("critical_false_alarms", count.criticalFalseAlarms);
        json.writeNumberField("healthy_logs", count.healthyLogs);
        json.writeNumberField("healthy_logs_with_false_alarm", count.alarmedHealthyLogs);
        json.writeNumberField("healthy_points", count.healthyPoints);
        Rate rate = count.falseAlarmRate();
        number(json, "false_alarms_per_100k", rate.value());
        number(json, "false_alarms_per_100k_low", rate.low());
        number(json, "false_alarms_per_100k_high", rate.high());
        json.writeNumberField("causes", count.causes);
        json.writeNumberField("first_cause_right", count.firstCauses);
        json.writeNumberField("one_of_three_causes_right", count.topThreeCauses);
    }

    private static void number(JsonGenerator json, String name, double value) throws IOException {
        if (Double.isFinite(value)) {
            json.writeNumberField(name, value);
        } else {
            json.writeNullField(name);
        }
    }
}
