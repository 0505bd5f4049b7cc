package io.trainwatch.monitor.web;

import com.fasterxml.jackson.core.JsonGenerator;
import io.javalin.config.RoutesConfig;
import io.javalin.http.Context;
import io.trainwatch.alert.Alert;
import io.trainwatch.alert.AlertState;
import io.trainwatch.alert.Severity;
import io.trainwatch.codec.RecordJson;
import io.trainwatch.monitor.board.Fleet;
import io.trainwatch.monitor.board.RunBoard;
import io.trainwatch.monitor.judge.RunSnapshot;
import io.trainwatch.monitor.judge.RunStory;
import io.trainwatch.monitor.run.HeatMap;
import io.trainwatch.monitor.run.RunKind;
import io.trainwatch.monitor.run.SeriesSnapshot;
import io.trainwatch.run.RunCondition;
import io.trainwatch.run.RunStatus;
import java.io.IOException;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.ToDoubleFunction;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.avro.generic.IndexedRecord;
import org.jspecify.annotations.Nullable;

/**
 * The runs that this instance judges, for reading.
 *
 * <ul>
 *   <li>{@code GET /api/v1/runs?project=&condition=&limit=&after=}: statuses, latest start first; {@code next} is the
 *       {@code after} of the next page
 *   <li>{@code GET /api/v1/runs/{id}}: one status, the names of its series, its work per step as far as it
 *       declared it, and how many seconds of training it took to which step
 *   <li>{@code GET /api/v1/runs/{id}/series/{name}?points=}: one series in at most {@code points} stretches, each with its
 *       extremes
 *   <li>{@code GET /api/v1/runs/{id}/series?name=&name=&points=}: several of them at once, each as columns
 *   <li>{@code GET /api/v1/runs/{id}/heatmaps}: what its layers and features did, as far as it sends them
 *   <li>{@code GET /api/v1/runs/{id}/alerts?severity=&state=}: its episodes, open ones first
 *   <li>{@code GET /api/v1/runs/{id}/story}: what happened to it in time order: starts, phases, resumes, checkpoints, best
 *       evaluations, its end, and its episodes as they began and ended
 *   <li>{@code GET /api/v1/projects/{project}/outliers}: running runs whose loss is not like that of their siblings ({@link
 *       Fleet}), the farthest first; runs of other instances are not seen
 *   <li>{@code GET /api/v1/alerts?project=&severity=&state=&limit=}: episodes of all runs, open ones first, then by latest
 *       change
 * </ul>
 */
final class RunsApi {
    private static final int DEFAULT_LIMIT = 100;
    private static final int MAX_LIMIT = 1_000;
    private static final int MAX_POINTS = 1_000;
    private static final int MAX_SERIES_AT_ONCE = 64;

    private static final Comparator<RunStatus> LATEST_START_FIRST =
            Comparator.comparingLong(RunStatus::getStartedAtMs).reversed().thenComparing(RunStatus::getRunId);

    static final Comparator<Alert> OPEN_FIRST = Comparator.<Alert, Boolean>comparing(
                    alert -> alert.getState() == AlertState.resolved)
            .thenComparing(Comparator.comparingLong(Alert::getChangedAtMs).reversed())
            .thenComparing(Alert::getAlertId);

    private final RunBoard board;

    private RunsApi(RunBoard board) {
        this.board = board;
    }

    static void addTo(RoutesConfig routes, RunBoard board) {
        RunsApi api = new RunsApi(board);
        routes.get("/api/v1/runs", api::runs);
        routes.get("/api/v1/runs/{id}", api::run);
        routes.get("/api/v1/runs/{id}/series", api::severalSeries);
        routes.get("/api/v1/runs/{id}/series/<name>", api::series);
        routes.get("/api/v1/runs/{id}/heatmaps", api::heatMaps);
        routes.get("/api/v1/runs/{id}/alerts", api::alertsOfRun);
        routes.get("/api/v1/runs/{id}/story", api::story);
        routes.get("/api/v1/alerts", api::alerts);
        routes.get("/api/v1/projects/{project}/outliers", api::outliers);
    }

    private void runs(Context context) throws Problem {
        Query query = Query.of(context, "project", "condition", "limit", "after");
        String project = query.text("project");
        Set<String> conditions = query.names("condition", names(RunCondition.values()));
        int limit = query.integer("limit", 1, MAX_LIMIT, DEFAULT_LIMIT);
        RunStatus after = cursor(query.text("after"));

        List<RunStatus> page = board.runs().stream()
                .map(RunSnapshot::status)
                .filter(run -> project == null || project.equals(run.getProject()))
                .filter(run -> conditions.isEmpty()
                        || conditions.contains(run.getCondition().name()))
                .filter(run -> after == null || LATEST_START_FIRST.compare(run, after) > 0)
                .sorted(LATEST_START_FIRST)
                .limit(limit + 1L)
                .toList();
        answer(context, out -> {
            out.writeStartObject();
            writeAll(out, "runs", page.subList(0, Math.min(limit, page.size())));
            if (page.size() > limit) {
                RunStatus last = page.get(limit - 1);
                out.writeStringField("next", last.getStartedAtMs() + ":" + last.getRunId());
            }
            out.writeEndObject();
        });
    }

    /** How many entries a list that was answered may have. */
    static int limit(Context context) {
        String limit = context.queryParam("limit");
        return limit == null ? DEFAULT_LIMIT : Integer.parseInt(limit);
    }

    private void run(Context context) throws Problem {
        Query.of(context);
        RunSnapshot run = find(context);
        answer(context, out -> {
            out.writeStartObject();
            out.writeFieldName("run");
            RecordJson.write(run.status(), out);
            out.writeArrayFieldStart("series");
            for (SeriesSnapshot series : new TreeMap<>(run.series()).values()) {
                out.writeStartObject();
                out.writeStringField("name", series.name());
                out.writeNumberField("points", series.points());
                Json.number(out, "last", series.last());
                out.writeEndObject();
            }
            out.writeEndArray();
            out.writeNumberField("heat_maps", run.heatMaps().size());
            writeKind(run.kind(), out);
            out.writeObjectFieldStart("elapsed");
            writeSteps(run.elapsed(), out);
            writeColumn("seconds", run.elapsed(), SeriesSnapshot.Bucket::max, out);
            out.writeEndObject();
            out.writeEndObject();
        });
    }

    private static void writeKind(RunKind kind, JsonGenerator out) throws IOException {
        out.writeObjectFieldStart("kind");
        if (kind.batchSize() > 0) {
            out.writeNumberField("batch_size", kind.batchSize());
        }
        if (kind.sequenceLength() > 0) {
            out.writeNumberField("sequence_length", kind.sequenceLength());
        }
        out.writeEndObject();
    }

    private void severalSeries(Context context) throws Problem {
        Query query = Query.of(context, Query.REPEATED, "points");
        int points = query.integer("points", 1, MAX_POINTS, MAX_POINTS);
        List<String> names = query.repeated();
        if (names.size() > MAX_SERIES_AT_ONCE) {
            throw Problem.badRequest("name is given " + names.size() + " times, allowed are " + MAX_SERIES_AT_ONCE);
        }
        RunSnapshot run = find(context);
        answer(context, out -> {
            out.writeStartObject();
            out.writeArrayFieldStart("series");
            for (String name : names) {
                SeriesSnapshot series = run.series().get(name);
                if (series != null) {
                    writeColumns(series, Resolution.atMost(points, series.buckets()), out);
                }
            }
            out.writeEndArray();
            out.writeEndObject();
        });
    }

    /** Columns take a third of what objects take; null is a stretch without a finite value. */
    private static void writeColumns(SeriesSnapshot series, List<SeriesSnapshot.Bucket> buckets, JsonGenerator out)
            throws IOException {
        out.writeStartObject();
        out.writeStringField("name", series.name());
        out.writeNumberField("points", series.points());
        Json.number(out, "last", series.last());
        writeSteps(buckets, out);
        writeColumn("min", buckets, SeriesSnapshot.Bucket::min, out);
        writeColumn("mean", buckets, SeriesSnapshot.Bucket::mean, out);
        writeColumn("max", buckets, SeriesSnapshot.Bucket::max, out);
        out.writeEndObject();
    }

    private static void writeSteps(List<SeriesSnapshot.Bucket> buckets, JsonGenerator out) throws IOException {
        out.writeArrayFieldStart("step");
        for (SeriesSnapshot.Bucket bucket : buckets) {
            out.writeNumber(bucket.lastStep());
        }
        out.writeEndArray();
    }

    private static void writeColumn(
            String name,
            List<SeriesSnapshot.Bucket> buckets,
            ToDoubleFunction<SeriesSnapshot.Bucket> value,
            JsonGenerator out)
            throws IOException {
        out.writeArrayFieldStart(name);
        for (SeriesSnapshot.Bucket bucket : buckets) {
            float number = (float) value.applyAsDouble(bucket);
            if (Float.isFinite(number)) {
                out.writeNumber(number);
            } else {
                out.writeNull();
            }
        }
        out.writeEndArray();
    }

    private void series(Context context) throws Problem {
        int points = Query.of(context, "points").integer("points", 1, MAX_POINTS, MAX_POINTS);
        RunSnapshot run = find(context);
        String name = context.pathParam("name");
        SeriesSnapshot series = run.series().get(name);
        if (series == null) {
            throw Problem.notFound("run '%s' has no series '%s'; it has: %s"
                    .formatted(
                            Query.shown(run.status().getRunId()),
                            Query.shown(name),
                            Query.shown(String.join(", ", new TreeMap<>(run.series()).keySet()))));
        }
        answer(context, out -> {
            out.writeStartObject();
            out.writeStringField("run_id", run.status().getRunId());
            out.writeStringField("series", series.name());
            out.writeNumberField("points", series.points());
            Json.number(out, "last", series.last());
            out.writeArrayFieldStart("buckets");
            for (SeriesSnapshot.Bucket bucket : Resolution.atMost(points, series.buckets())) {
                out.writeStartObject();
                out.writeNumberField("last_step", bucket.lastStep());
                Json.number(out, "min", bucket.min());
                Json.number(out, "mean", bucket.mean());
                Json.number(out, "max", bucket.max());
                out.writeEndObject();
            }
            out.writeEndArray();
            out.writeEndObject();
        });
    }

    private void heatMaps(Context context) throws Problem {
        Query.of(context);
        RunSnapshot run = find(context);
        answer(context, out -> {
            out.writeStartObject();
            out.writeArrayFieldStart("heat_maps");
            for (HeatMap map : run.heatMaps()) {
                out.writeStartObject();
                out.writeStringField("title", map.title());
                out.writeStringField("unit", map.unit());
                out.writeArrayFieldStart("rows");
                for (HeatMap.Row row : map.rows()) {
                    out.writeStartObject();
                    out.writeStringField("name", row.name());
                    writeSteps(row.buckets(), out);
                    writeColumn("mean", row.buckets(), SeriesSnapshot.Bucket::mean, out);
                    out.writeEndObject();
                }
                out.writeEndArray();
                out.writeEndObject();
            }
            out.writeEndArray();
            out.writeEndObject();
        });
    }

    private void story(Context context) throws Problem {
        Query.of(context);
        RunSnapshot run = find(context);
        RunStory story = run.story();
        answer(context, out -> {
            out.writeStartObject();
            out.writeStringField("run_id", run.status().getRunId());
            out.writeNumberField("forgotten", story.forgotten());
            out.writeArrayFieldStart("story");
            for (RunStory.Entry entry : story.entries()) {
                write(entry, out);
            }
            out.writeEndArray();
            out.writeEndObject();
        });
    }

    private static void write(RunStory.Entry entry, JsonGenerator out) throws IOException {
        out.writeStartObject();
        out.writeStringField("kind", entry.kind());
        out.writeNumberField("timestamp_ms", entry.atMs());
        out.writeNumberField("attempt", entry.attempt());
        if (entry.step() >= 0) {
            out.writeNumberField("step", entry.step());
        }
        Alert alert = entry.alert();
        if (alert != null) {
            out.writeStringField("alert_id", alert.getAlertId());
            out.writeStringField("detector", alert.getDetector());
            out.writeStringField("scope", alert.getScope());
            out.writeStringField("severity", alert.getSeverity().name());
            if (alert.getOnsetStep() != null) {
                out.writeNumberField("onset_step", alert.getOnsetStep());
            }
        }
        out.writeStringField("text", entry.text());
        out.writeEndObject();
    }

    private void alertsOfRun(Context context) throws Problem {
        Query query = Query.of(context, "severity", "state");
        answerAlerts(context, query, find(context).alerts().stream(), RunSnapshot.MAX_ALERTS);
    }

    private void alerts(Context context) throws Problem {
        Query query = Query.of(context, "project", "severity", "state", "limit");
        String project = query.text("project");
        int limit = query.integer("limit", 1, MAX_LIMIT, DEFAULT_LIMIT);
        answerAlerts(
                context,
                query,
                board.runs().stream()
                        .flatMap(run -> run.alerts().stream())
                        .filter(alert -> project == null || project.equals(alert.getProject())),
                limit);
    }

    private void outliers(Context context) throws Problem {
        Query.of(context);
        String project = context.pathParam("project");
        Fleet.View view = Fleet.of(project, board.runs());
        answer(context, out -> {
            out.writeStartObject();
            out.writeStringField("project", project);
            out.writeNumberField("compared", view.compared());
            out.writeNumberField("not_compared", view.notCompared());
            out.writeArrayFieldStart("outliers");
            for (Fleet.Outlier outlier : view.outliers()
                    .subList(0, Math.min(MAX_LIMIT, view.outliers().size()))) {
                out.writeStartObject();
                out.writeStringField("run_id", outlier.run().getRunId());
                out.writeStringField("side", outlier.score() > 0 ? "worse" : "better");
                out.writeNumberField("from_step", outlier.fromStep());
                out.writeNumberField("to_step", outlier.toStep());
                Json.number(out, "loss", outlier.loss());
                Json.number(out, "median_of_siblings", outlier.median());
                Json.number(out, "score", outlier.score());
                out.writeNumberField("siblings", outlier.siblings());
                out.writeEndObject();
            }
            out.writeEndArray();
            out.writeEndObject();
        });
    }

    private static void answerAlerts(Context context, Query query, Stream<Alert> of, int limit) throws Problem {
        Set<String> severities = query.names("severity", names(Severity.values()));
        Set<String> states = query.names("state", Set.of("open", "resolved"));
        List<Alert> alerts = of.filter(alert -> severities.isEmpty()
                        || severities.contains(alert.getSeverity().name()))
                .filter(alert -> states.isEmpty()
                        || states.contains(alert.getState() == AlertState.resolved ? "resolved" : "open"))
                .sorted(OPEN_FIRST)
                .limit(limit)
                .toList();
        answer(context, out -> {
            out.writeStartObject();
            writeAll(out, "alerts", alerts);
            out.writeEndObject();
        });
    }

    private RunSnapshot find(Context context) throws Problem {
        String id = context.pathParam("id");
        return board.run(id)
                .orElseThrow(() -> Problem.notFound("this monitor judges no run '" + Query.shown(id)
                        + "': it has sent nothing, ended long ago, or another instance judges it"));
    }

    private static @Nullable RunStatus cursor(@Nullable String text) throws Problem {
        if (text == null) {
            return null;
        }
        int colon = text.indexOf(':');
        try {
            RunStatus cursor = new RunStatus();
            cursor.setStartedAtMs(Long.parseLong(text.substring(0, Math.max(colon, 0))));
            cursor.setRunId(text.substring(colon + 1));
            return cursor;
        } catch (NumberFormatException e) {
            throw Problem.badRequest(
                    "after is '" + Query.shown(text) + "': take it from 'next' of the page before, as it is");
        }
    }

    private static void writeAll(JsonGenerator out, String name, List<? extends IndexedRecord> records)
            throws IOException {
        out.writeArrayFieldStart(name);
        for (IndexedRecord record : records) {
            RecordJson.write(record, out);
        }
        out.writeEndArray();
    }

    private static <E extends Enum<E>> Set<String> names(E[] constants) {
        return Arrays.stream(constants).map(Enum::name).collect(Collectors.toSet());
    }

    private static void answer(Context context, Json.Body body) {
        context.result(Json.text(body)).contentType("application/json");
    }
}
