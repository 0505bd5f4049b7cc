package io.trainwatch.monitor.intake;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.json.JsonReadFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.MissingNode;
import io.javalin.config.RoutesConfig;
import io.javalin.http.Context;
import io.javalin.http.Handler;
import io.javalin.http.HandlerType;
import io.javalin.http.HttpStatus;
import io.trainwatch.event.FinishStatus;
import io.trainwatch.event.RunStarted;
import io.trainwatch.monitor.board.RunBoard;
import io.trainwatch.monitor.intake.IntakeCounters.Loss;
import io.trainwatch.monitor.intake.IntakeCounters.Outcome;
import io.trainwatch.monitor.intake.IntakeCounters.Protocol;
import io.trainwatch.monitor.web.Endpoints;
import io.trainwatch.monitor.web.Json;
import io.trainwatch.monitor.web.Problem;
import io.trainwatch.run.RunCondition;
import io.trainwatch.run.RunStatus;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Base64;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.UUID;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * The part of MLflow's tracking API that trainers use, so that one with {@code MLFLOW_TRACKING_URI=http://monitor:8280} is
 * watched without a change. It watches and keeps nothing to be read back: no history, no parameters, no artifacts, which the
 * client writes to {@code mlartifacts} where it runs.
 *
 * <p>Nothing is kept that a restart could lose. The id of an experiment is its name, written so that it may stand in a URL
 * ({@link #experimentId}); so every experiment exists already. The id of a run is random, and names it in the events too;
 * what else is asked of a run is on the board, or was never told. An experiment is the project of its runs.
 *
 * <p>What cannot be used of a request is counted and is no error, since an error would end the training: only a body that is
 * no JSON or names no run is refused.
 */
final class MlflowApi implements Endpoints {
    private static final String DEFAULT_EXPERIMENT_ID = "0";
    private static final String DEFAULT_EXPERIMENT = "Default";
    private static final String EXPERIMENT_ID_PREFIX = "e";
    private static final int MAX_EXPERIMENT_NAME = 500;
    private static final int MAX_METRIC_NAME = 250;
    private static final int MAX_LISTED = 1_000;

    /** What MLflow's own server takes as the id of a run. */
    private static final Pattern RUN_ID = Pattern.compile("[A-Za-z0-9][\\w-]{0,255}");

    private static final Pattern BY_NAME =
            Pattern.compile("\\s*(?:attribute\\.|attributes\\.)?`?name`?\\s*=\\s*(?:'([^']*)'|\"([^\"]*)\")\\s*");

    /** What MLflow measures of the machine, by a counter of its own that is no step. */
    private static final String SYSTEM_METRICS = "system/";

    private static final JsonMapper JSON = new JsonMapper(JsonFactory.builder()
            .enable(JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS)
            .build());

    private final Gateway gateway;
    private final NamedRuns runs;
    private final RunBoard board;

    MlflowApi(Gateway gateway, NamedRuns runs, RunBoard board) {
        this.gateway = gateway;
        this.runs = runs;
        this.board = board;
    }

    /** An answer that is an error, as MLflow's clients know them. */
    private static final class ErrorException extends Exception {
        private static final long serialVersionUID = 1L;
        private final HttpStatus status;
        private final String code;

        ErrorException(HttpStatus status, String code, String message) {
            super(message, null, false, false);
            this.status = status;
            this.code = code;
        }

        static ErrorException invalid(String message) {
            return new ErrorException(HttpStatus.BAD_REQUEST, "INVALID_PARAMETER_VALUE", message);
        }
    }

    @Override
    public void addTo(RoutesConfig routes) {
        Handler handler = this::answer;
        for (String root : new String[] {"/api/{version}/mlflow/<call>", "/ajax-api/{version}/mlflow/<call>"}) {
            routes.get(root, handler);
            routes.post(root, handler);
            routes.patch(root, handler);
        }
        routes.get("/version", context -> context.result("trainwatch"));
        routes.get("/health", context -> context.result("OK"));
    }

    private void answer(Context context) throws Problem, IOException {
        String call = context.pathParam("call");
        try {
            JsonNode request = context.method().equals(HandlerType.GET)
                    ? query(context)
                    : gateway.read(context, Protocol.MLFLOW, MlflowApi::json);
            Json.Body body = answer(context.method().name() + " " + call, call, request);
            gateway.counters().request(Protocol.MLFLOW, Outcome.ACCEPTED);
            context.result(Json.text(body)).contentType("application/json");
        } catch (ErrorException e) {
            gateway.counters().request(Protocol.MLFLOW, Outcome.REFUSED);
            context.status(e.status)
                    .result(Json.text(out -> {
                        out.writeStartObject();
                        out.writeStringField("error_code", e.code);
                        out.writeStringField("message", e.getMessage());
                        out.writeEndObject();
                    }))
                    .contentType("application/json");
        }
    }

    private static JsonNode json(byte[] body) throws Problem, IOException {
        if (body.length == 0) {
            return JSON.createObjectNode();
        }
        try {
            return JSON.readTree(body);
        } catch (JsonProcessingException e) {
            throw Problem.badRequest("the body is no JSON: " + e.getOriginalMessage());
        }
    }

    private static JsonNode query(Context context) {
        Map<String, String> parameters = new TreeMap<>();
        context.queryParamMap().forEach((name, values) -> parameters.put(name, values.isEmpty() ? "" : values.get(0)));
        return JSON.valueToTree(parameters);
    }

    private Json.Body answer(String methodAndCall, String call, JsonNode request) throws ErrorException {
        return switch (methodAndCall) {
            case "GET experiments/get-by-name" -> experiment(experimentName(request, "experiment_name"));
            case "GET experiments/get" -> experiment(nameOf(text(request, "experiment_id")));
            case "POST experiments/create" -> created(experimentName(request, "name"));
            case "GET experiments/search", "POST experiments/search", "GET experiments/list" -> experiments(request);
            case "POST runs/create" -> create(request);
            case "GET runs/get" -> run(runId(request));
            case "POST runs/update" -> update(request);
            case "POST runs/log-metric" -> {
                runs.with(runId(request), run -> metric(run, request));
                yield MlflowApi::nothing;
            }
            case "POST runs/log-parameter" -> {
                runs.with(runId(request), run -> parameter(run, request));
                yield MlflowApi::nothing;
            }
            case "POST runs/log-batch" -> batch(request);
            case "POST runs/set-tag" -> {
                runs.with(runId(request), run -> tag(run, request));
                yield MlflowApi::nothing;
            }
            case "POST runs/search" -> list("runs");
            case "GET metrics/get-history", "GET metrics/get-history-bulk" -> list("metrics");
            case "GET artifacts/list" -> list("files");
            case "POST experiments/set-experiment-tag",
                    "POST experiments/update",
                    "POST runs/delete-tag",
                    "POST runs/log-inputs",
                    "POST runs/outputs",
                    "POST runs/log-outputs",
                    "POST runs/log-model" -> MlflowApi::nothing;
            case "GET server-info" ->
                out -> {
                    out.writeStartObject();
                    out.writeStringField("store_type", "SqlStore");
                    out.writeBooleanField("workspaces_enabled", false);
                    out.writeBooleanField("trace_archival_enabled", false);
                    out.writeEndObject();
                };
            default -> model(methodAndCall, call, request);
        };
    }

    /** MLflow 3 keeps models beside runs; here they are nothing but an id. */
    private static Json.Body model(String methodAndCall, String call, JsonNode request) throws ErrorException {
        if (methodAndCall.equals("POST logged-models/search")) {
            return list("models");
        }
        if (methodAndCall.equals("POST logged-models")) {
            String id = "m-" + UUID.randomUUID().toString().replace("-", "");
            return out -> writeModel(out, id, request, "LOGGED_MODEL_PENDING");
        }
        if (call.startsWith("logged-models/")) {
            String id = call.split("/", -1)[1];
            return out -> writeModel(out, id, request, "LOGGED_MODEL_READY");
        }
        throw new ErrorException(
                HttpStatus.NOT_FOUND,
                "ENDPOINT_NOT_FOUND",
                "trainwatch watches runs and does not answer " + RequestBody.shown(call));
    }

    private static void writeModel(JsonGenerator out, String id, JsonNode request, String status) throws IOException {
        long now = System.currentTimeMillis();
        out.writeStartObject();
        out.writeObjectFieldStart("model");
        out.writeObjectFieldStart("info");
        out.writeStringField("model_id", id);
        out.writeStringField("experiment_id", orElse(text(request, "experiment_id"), DEFAULT_EXPERIMENT_ID));
        out.writeStringField("name", text(request, "name"));
        out.writeNumberField("creation_timestamp_ms", now);
        out.writeNumberField("last_updated_timestamp_ms", now);
        out.writeStringField("artifact_uri", "mlartifacts/models/" + id + "/artifacts");
        out.writeStringField("status", status);
        out.writeEndObject();
        out.writeObjectFieldStart("data");
        out.writeEndObject();
        out.writeEndObject();
        out.writeEndObject();
    }

    // --- experiments

    /** The id of an experiment: its name in the alphabet of URLs, {@code 0} for the one that always is. */
    static String experimentId(String name) {
        return name.equals(DEFAULT_EXPERIMENT)
                ? DEFAULT_EXPERIMENT_ID
                : EXPERIMENT_ID_PREFIX
                        + Base64.getUrlEncoder().withoutPadding().encodeToString(name.getBytes(StandardCharsets.UTF_8));
    }

    /** The name of an experiment; that of one which another server made is its id. */
    static String nameOf(String experimentId) {
        if (experimentId.isEmpty() || experimentId.equals(DEFAULT_EXPERIMENT_ID)) {
            return DEFAULT_EXPERIMENT;
        }
        if (experimentId.startsWith(EXPERIMENT_ID_PREFIX)) {
            try {
                String name = new String(
                        Base64.getUrlDecoder().decode(experimentId.substring(EXPERIMENT_ID_PREFIX.length())),
                        StandardCharsets.UTF_8);
                if (experimentId(name).equals(experimentId) && !name.isEmpty()) {
                    return name;
                }
            } catch (IllegalArgumentException e) {
                // Not one of ours.
            }
        }
        return experimentId;
    }

    private static String experimentName(JsonNode request, String field) throws ErrorException {
        String name = text(request, field);
        if (name.isBlank() || name.length() > MAX_EXPERIMENT_NAME) {
            throw ErrorException.invalid(
                    field + " has " + name.length() + " characters, allowed are 1 to " + MAX_EXPERIMENT_NAME);
        }
        return name;
    }

    private static Json.Body experiment(String name) {
        return out -> {
            out.writeStartObject();
            out.writeFieldName("experiment");
            writeExperiment(out, name);
            out.writeEndObject();
        };
    }

    private static Json.Body created(String name) {
        return out -> {
            out.writeStartObject();
            out.writeStringField("experiment_id", experimentId(name));
            out.writeEndObject();
        };
    }

    private Json.Body experiments(JsonNode request) {
        Matcher byName = BY_NAME.matcher(text(request, "filter"));
        Set<String> names = new LinkedHashSet<>();
        if (byName.matches()) {
            names.add(byName.group(1) != null ? byName.group(1) : byName.group(2));
        } else {
            names.add(DEFAULT_EXPERIMENT);
            board.runs().stream()
                    .map(run -> run.status().getProject())
                    .filter(project -> project != null && !project.isEmpty())
                    .sorted()
                    .limit(MAX_LISTED)
                    .forEach(names::add);
        }
        return out -> {
            out.writeStartObject();
            out.writeArrayFieldStart("experiments");
            for (String name : names) {
                writeExperiment(out, name);
            }
            out.writeEndArray();
            out.writeEndObject();
        };
    }

    private static void writeExperiment(JsonGenerator out, String name) throws IOException {
        out.writeStartObject();
        out.writeStringField("experiment_id", experimentId(name));
        out.writeStringField("name", name);
        out.writeStringField("artifact_location", "mlartifacts");
        out.writeStringField("lifecycle_stage", "active");
        out.writeArrayFieldStart("tags");
        out.writeEndArray();
        out.writeEndObject();
    }

    // --- runs

    private Json.Body create(JsonNode request) throws ErrorException {
        String runId = UUID.randomUUID().toString().replace("-", "");
        String experiment = nameOf(text(request, "experiment_id"));
        long now = System.currentTimeMillis();
        long startedAt = whole(request.path("start_time"), now);
        String given = text(request, "run_name");
        String[] name = {given};
        runs.with(runId, run -> {
            if (!experiment.equals(DEFAULT_EXPERIMENT)) {
                run.facts().setProject(NamedRun.bounded(experiment));
            }
            for (JsonNode tag : request.path("tags")) {
                tag(run, tag);
                name[0] = name[0].isEmpty() && text(tag, "key").equals("mlflow.runName") ? text(tag, "value") : name[0];
            }
            if (!name[0].isEmpty()) {
                run.facts().setRunName(NamedRun.bounded(name[0]));
            }
            run.begin(0, startedAt > 0 ? startedAt : now);
        });
        return out -> {
            out.writeStartObject();
            out.writeObjectFieldStart("run");
            writeInfo(out, runId, name[0], experiment, "RUNNING", startedAt, 0);
            writeData(out, name[0], request.path("tags"));
            out.writeEndObject();
            out.writeEndObject();
        };
    }

    private Json.Body run(String runId) {
        Optional<RunStatus> known = board.run(runId).map(snapshot -> snapshot.status());
        RunStarted declared = runs.declaredOf(runId);
        String name = declared != null
                ? declared.getRunName()
                : known.map(RunStatus::getRunName).orElse(null);
        String project = declared != null
                ? declared.getProject()
                : known.map(RunStatus::getProject).orElse(null);
        return out -> {
            out.writeStartObject();
            out.writeObjectFieldStart("run");
            writeInfo(
                    out,
                    runId,
                    name,
                    project == null ? DEFAULT_EXPERIMENT : project,
                    known.map(MlflowApi::statusOf).orElse("RUNNING"),
                    known.map(RunStatus::getStartedAtMs).orElse(0L),
                    0);
            writeData(out, name, MissingNode.getInstance());
            out.writeEndObject();
            out.writeEndObject();
        };
    }

    private static String statusOf(RunStatus status) {
        return switch (status.getCondition()) {
            case completed -> "FINISHED";
            case failed -> "FAILED";
            case killed -> "KILLED";
            default -> "RUNNING";
        };
    }

    private Json.Body update(JsonNode request) throws ErrorException {
        String runId = runId(request);
        String status = text(request, "status");
        long now = System.currentTimeMillis();
        Optional<RunStatus> known = board.run(runId).map(snapshot -> snapshot.status());
        runs.with(runId, run -> {
            if (!text(request, "run_name").isEmpty()) {
                run.facts().setRunName(NamedRun.bounded(text(request, "run_name")));
                run.declared();
            }
            switch (status) {
                case "FINISHED" -> run.finish(FinishStatus.completed, whole(request.path("end_time"), now));
                case "FAILED" -> run.finish(FinishStatus.failed, whole(request.path("end_time"), now));
                case "KILLED" -> run.finish(FinishStatus.killed, whole(request.path("end_time"), now));
                case "RUNNING" -> {
                    if (run.isFinished() || known.map(MlflowApi::hasEnded).orElse(false)) {
                        run.begin(run.attempt() + 1, now);
                    }
                }
                default -> {
                    // SCHEDULED, or a new name alone.
                }
            }
        });
        return out -> {
            out.writeStartObject();
            out.writeObjectFieldStart("run_info");
            writeInfoFields(
                    out,
                    runId,
                    known.map(RunStatus::getRunName).orElse(""),
                    known.map(RunStatus::getProject).orElse(DEFAULT_EXPERIMENT),
                    status.isEmpty() ? "RUNNING" : status,
                    known.map(RunStatus::getStartedAtMs).orElse(now),
                    whole(request.path("end_time"), 0));
            out.writeEndObject();
            out.writeEndObject();
        };
    }

    private static boolean hasEnded(RunStatus status) {
        return status.getCondition() == RunCondition.completed
                || status.getCondition() == RunCondition.failed
                || status.getCondition() == RunCondition.killed;
    }

    private Json.Body batch(JsonNode request) throws ErrorException {
        TreeMap<Long, List<JsonNode>> bySteps = new TreeMap<>();
        for (JsonNode metric : request.path("metrics")) {
            bySteps.computeIfAbsent(whole(metric.path("step"), 0), step -> new ArrayList<>())
                    .add(metric);
        }
        runs.with(runId(request), run -> {
            request.path("params").forEach(parameter -> parameter(run, parameter));
            request.path("tags").forEach(tag -> tag(run, tag));
            bySteps.values().forEach(metrics -> metrics.forEach(metric -> metric(run, metric)));
        });
        return MlflowApi::nothing;
    }

    private void metric(NamedRun run, JsonNode metric) {
        String name = text(metric, "key");
        Double value = number(metric.path("value"));
        if (name.isBlank() || name.length() > MAX_METRIC_NAME || value == null) {
            gateway.counters().lost(Protocol.MLFLOW, Loss.INVALID, 1);
            return;
        }
        if (name.startsWith(SYSTEM_METRICS)) {
            return;
        }
        long now = System.currentTimeMillis();
        long at = whole(metric.path("timestamp"), now);
        run.put(name, value, whole(metric.path("step"), 0), at > 0 ? at : now, now);
    }

    private static void parameter(NamedRun run, JsonNode parameter) {
        if (HyperParameters.declare(run.facts(), text(parameter, "key"), text(parameter, "value"))) {
            run.declared();
        }
    }

    private static void tag(NamedRun run, JsonNode tag) {
        String name = text(tag, "key");
        String value = text(tag, "value");
        if (name.equals("mlflow.runName") && !value.isEmpty()) {
            run.facts().setRunName(NamedRun.bounded(value));
            run.declared();
        } else if (name.equals("mlflow.source.git.commit") && !value.isEmpty()) {
            run.facts().setGitSha(NamedRun.bounded(value));
            run.declared();
        } else if (!name.isBlank() && !name.startsWith("mlflow.")) {
            run.label(name, value);
        }
    }

    private static String runId(JsonNode request) throws ErrorException {
        String id = orElse(text(request, "run_id"), text(request, "run_uuid"));
        if (!RUN_ID.matcher(id).matches()) {
            throw ErrorException.invalid(
                    "run_id is '" + RequestBody.shown(id) + "', allowed are 1 to 256 letters, digits, '_' and '-'");
        }
        return id;
    }

    private static void writeInfo(
            JsonGenerator out,
            String runId,
            @Nullable String name,
            String experiment,
            String status,
            long startedAtMs,
            long endedAtMs)
            throws IOException {
        out.writeObjectFieldStart("info");
        writeInfoFields(out, runId, name, experiment, status, startedAtMs, endedAtMs);
        out.writeEndObject();
    }

    private static void writeInfoFields(
            JsonGenerator out,
            String runId,
            @Nullable String name,
            String experiment,
            String status,
            long startedAtMs,
            long endedAtMs)
            throws IOException {
        out.writeStringField("run_id", runId);
        out.writeStringField("run_uuid", runId);
        out.writeStringField("run_name", name == null ? "" : name);
        out.writeStringField("experiment_id", experimentId(experiment));
        out.writeStringField("user_id", "");
        out.writeStringField("status", status);
        out.writeNumberField("start_time", startedAtMs);
        if (endedAtMs > 0) {
            out.writeNumberField("end_time", endedAtMs);
        }
        out.writeStringField("artifact_uri", "mlartifacts/" + runId + "/artifacts");
        out.writeStringField("lifecycle_stage", "active");
    }

    private static void writeData(JsonGenerator out, @Nullable String name, JsonNode tags) throws IOException {
        out.writeObjectFieldStart("data");
        out.writeArrayFieldStart("tags");
        boolean named = false;
        for (JsonNode tag : tags) {
            named |= text(tag, "key").equals("mlflow.runName");
            writeTag(out, text(tag, "key"), text(tag, "value"));
        }
        if (!named && name != null && !name.isEmpty()) {
            writeTag(out, "mlflow.runName", name);
        }
        out.writeEndArray();
        out.writeEndObject();
        out.writeObjectFieldStart("inputs");
        out.writeEndObject();
    }

    private static void writeTag(JsonGenerator out, String key, String value) throws IOException {
        out.writeStartObject();
        out.writeStringField("key", key);
        out.writeStringField("value", value);
        out.writeEndObject();
    }

    private static void nothing(JsonGenerator out) throws IOException {
        out.writeStartObject();
        out.writeEndObject();
    }

    private static Json.Body list(String name) {
        return out -> {
            out.writeStartObject();
            out.writeArrayFieldStart(name);
            out.writeEndArray();
            out.writeEndObject();
        };
    }

    // --- JSON as either client writes it: the Java one puts int64 and non-finite numbers in quotes

    private static String text(JsonNode request, String field) {
        return request.path(field).asText("");
    }

    private static String orElse(String text, String otherwise) {
        return text.isEmpty() ? otherwise : text;
    }

    private static long whole(JsonNode number, long otherwise) {
        return number.asLong(otherwise);
    }

    private static @Nullable Double number(JsonNode number) {
        if (number.isNumber()) {
            return number.doubleValue();
        }
        if (!number.isTextual()) {
            return null;
        }
        try {
            return Double.valueOf(number.textValue());
        } catch (NumberFormatException e) {
            return null;
        }
    }
}
