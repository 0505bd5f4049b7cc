package io.trainwatch.monitor.intake;

import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.util.JsonFormat;
import io.javalin.config.RoutesConfig;
import io.javalin.http.Context;
import io.javalin.http.HttpStatus;
import io.opentelemetry.proto.collector.metrics.v1.ExportMetricsServiceRequest;
import io.opentelemetry.proto.collector.metrics.v1.ExportMetricsServiceResponse;
import io.opentelemetry.proto.common.v1.AnyValue;
import io.opentelemetry.proto.common.v1.KeyValue;
import io.opentelemetry.proto.metrics.v1.AggregationTemporality;
import io.opentelemetry.proto.metrics.v1.HistogramDataPoint;
import io.opentelemetry.proto.metrics.v1.Metric;
import io.opentelemetry.proto.metrics.v1.NumberDataPoint;
import io.opentelemetry.proto.metrics.v1.ResourceMetrics;
import io.opentelemetry.proto.metrics.v1.ScopeMetrics;
import io.trainwatch.monitor.intake.IntakeCounters.Loss;
import io.trainwatch.monitor.intake.IntakeCounters.Outcome;
import io.trainwatch.monitor.intake.IntakeCounters.Protocol;
import io.trainwatch.monitor.run.EventBounds;
import io.trainwatch.monitor.web.Endpoints;
import io.trainwatch.monitor.web.Problem;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * {@code POST /v1/metrics}: OpenTelemetry metrics over HTTP, as protobuf or JSON. One export of one resource is one step of
 * one run.
 *
 * <ul>
 *   <li>The run is named by the first of the resource attributes {@value #RUN_ID_ATTRIBUTES}; the project is
 *       {@code service.namespace}, else {@code service.name}.
 *   <li>Gauges and sums count as they are, histograms by the mean of what came since the export before. An attribute of the
 *       point that names a split ({@code split, stage, phase}) leads the name, others follow it.
 *   <li>The step is that of an attribute ({@code step, iteration, global_step}) or of a metric of such a name. Where none is
 *       given, as by Megatron-LM, each export that brings other numbers than the one before is a further step, and one that
 *       brings none says that the process lives.
 * </ul>
 */
final class OtlpApi implements Endpoints {
    static final String RUN_ID_ATTRIBUTES = "trainwatch.run_id, run.id, nemo.run.id, service.instance.id, service.name";

    /** An export is some kilobytes; a megabyte of empty messages takes a hundred as objects. */
    private static final int MAX_BODY_BYTES = 1 << 20;

    private static final String PROTOBUF = "application/x-protobuf";
    private static final String JSON = "application/json";
    private static final List<String> RUN_ID = List.of(RUN_ID_ATTRIBUTES.split(", ", -1));
    private static final Set<String> STEP = Set.of("step", "iteration", "global_step");
    private static final Set<String> SPLIT = Set.of("split", "stage", "phase");

    /** What instrumentation says of process, machine and libraries, by the names of OpenTelemetry's conventions. */
    private static final Set<String> NOT_OF_TRAINING =
            Set.of("process", "system", "http", "rpc", "db", "jvm", "container", "k8s", "otel", "dotnet", "runtime");

    /** Names that trainers put before all of theirs. */
    private static final String MEGATRON = "megatron.";

    private static final Map<String, String> ALSO_KNOWN_AS =
            Map.of("training.step_duration_ms", "training.step_time_ms");
    private static final int MAX_HISTOGRAMS = 10_000;

    private final Gateway gateway;
    private final NamedRuns runs;

    /** Sum and count of cumulative histograms at the export before, by run and name. */
    private final Map<String, double[]> histograms = new LinkedHashMap<>(16, 0.75f, true) {
        private static final long serialVersionUID = 1L;

        @Override
        protected boolean removeEldestEntry(Map.Entry<String, double[]> eldest) {
            return size() > MAX_HISTOGRAMS;
        }
    };

    OtlpApi(Gateway gateway, NamedRuns runs) {
        this.gateway = gateway;
        this.runs = runs;
    }

    @Override
    public void addTo(RoutesConfig routes) {
        routes.post("/v1/metrics", this::take);
    }

    /** What one resource said: numbers by name, the step if it is given, and when. */
    private static final class Export {
        final Map<String, Double> numbers = new TreeMap<>();

        @Nullable
        Long step;

        long atMs;
    }

    private void take(Context context) throws Problem, IOException {
        boolean json = isJson(context);
        ExportMetricsServiceRequest request =
                gateway.read(context, Protocol.OTLP, MAX_BODY_BYTES, body -> parse(body, json));
        long refused = 0;
        for (ResourceMetrics resource : request.getResourceMetricsList()) {
            refused += take(resource);
        }
        gateway.counters().lost(Protocol.OTLP, Loss.INVALID, refused);
        gateway.counters().request(Protocol.OTLP, Outcome.ACCEPTED);
        ExportMetricsServiceResponse.Builder response = ExportMetricsServiceResponse.newBuilder();
        if (refused > 0) {
            response.getPartialSuccessBuilder()
                    .setRejectedDataPoints(refused)
                    .setErrorMessage("a resource names no run: set one of the attributes " + RUN_ID_ATTRIBUTES);
        }
        if (json) {
            context.result(JsonFormat.printer()
                            .omittingInsignificantWhitespace()
                            .print(response))
                    .contentType(JSON);
        } else {
            context.result(response.build().toByteArray()).contentType(PROTOBUF);
        }
    }

    private static boolean isJson(Context context) throws Problem {
        String given = context.contentType();
        String type = given == null ? "" : given.split(";", 2)[0].strip().toLowerCase(Locale.ROOT);
        if (type.equals(JSON) || type.equals(PROTOBUF)) {
            return type.equals(JSON);
        }
        throw Problem.of(
                HttpStatus.UNSUPPORTED_MEDIA_TYPE,
                "Content-Type is '" + RequestBody.shown(type) + "', allowed are " + PROTOBUF + " and " + JSON);
    }

    private static ExportMetricsServiceRequest parse(byte[] body, boolean json) throws Problem {
        try {
            if (!json) {
                return ExportMetricsServiceRequest.parseFrom(body);
            }
            ExportMetricsServiceRequest.Builder request = ExportMetricsServiceRequest.newBuilder();
            JsonFormat.parser().ignoringUnknownFields().merge(new String(body, StandardCharsets.UTF_8), request);
            return request.build();
        } catch (InvalidProtocolBufferException e) {
            throw Problem.badRequest(
                    "the body is no ExportMetricsServiceRequest: " + RequestBody.shown(String.valueOf(e.getMessage())));
        }
    }

    /** Returns the points that were refused. */
    private long take(ResourceMetrics resource) {
        Map<String, String> attributes = attributes(resource.getResource().getAttributesList());
        String runId = RUN_ID.stream()
                .map(name -> attributes.getOrDefault(name, ""))
                .filter(value -> !value.isBlank())
                .findFirst()
                .orElse("");
        if (runId.isEmpty() || !EventBounds.isRunId(runId)) {
            return resource.getScopeMetricsList().stream()
                    .flatMap(scope -> scope.getMetricsList().stream())
                    .mapToLong(OtlpApi::points)
                    .sum();
        }
        Export export = new Export();
        for (ScopeMetrics scope : resource.getScopeMetricsList()) {
            for (Metric metric : scope.getMetricsList()) {
                if (!NOT_OF_TRAINING.contains(metric.getName().split("\\.", 2)[0])) {
                    read(metric, runId, export);
                }
            }
        }
        if (!export.numbers.isEmpty()) {
            String project = attributes.getOrDefault("service.namespace", attributes.getOrDefault("service.name", ""));
            long now = System.currentTimeMillis();
            runs.with(runId, run -> {
                if (run.isNew()) {
                    if (!project.isBlank() && !project.equals(runId)) {
                        run.facts().setProject(NamedRun.bounded(project));
                    }
                    run.begin(run.attempt(), export.atMs > 0 ? export.atMs : now);
                }
                run.export(export.numbers, export.step, export.atMs > 0 ? export.atMs : now);
            });
        }
        return 0;
    }

    private static long points(Metric metric) {
        return (long) metric.getGauge().getDataPointsCount()
                + metric.getSum().getDataPointsCount()
                + metric.getHistogram().getDataPointsCount();
    }

    private void read(Metric metric, String runId, Export export) {
        String name = metric.getName().startsWith(MEGATRON)
                ? metric.getName().substring(MEGATRON.length())
                : metric.getName();
        name = ALSO_KNOWN_AS.getOrDefault(name, name);
        if (name.isBlank()) {
            return;
        }
        List<NumberDataPoint> points = metric.hasSum()
                ? metric.getSum().getDataPointsList()
                : metric.getGauge().getDataPointsList();
        for (NumberDataPoint point : points) {
            double value = point.hasAsInt() ? (double) point.getAsInt() : point.getAsDouble();
            put(export, name, point.getAttributesList(), value, point.getTimeUnixNano());
        }
        boolean cumulative = metric.getHistogram().getAggregationTemporality()
                == AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE;
        for (HistogramDataPoint point : metric.getHistogram().getDataPointsList()) {
            double mean = mean(point, cumulative, runId + "\n" + name + attributes(point.getAttributesList()));
            if (!Double.isNaN(mean)) {
                put(export, name, point.getAttributesList(), mean, point.getTimeUnixNano());
            }
        }
    }

    /** Mean of what came since the export before; NaN where nothing did. */
    private double mean(HistogramDataPoint point, boolean cumulative, String series) {
        double sum = point.getSum();
        double count = point.getCount();
        if (cumulative) {
            double[] before;
            synchronized (histograms) {
                before = histograms.put(series, new double[] {sum, count});
            }
            if (before != null && before[1] <= count) {
                sum -= before[0];
                count -= before[1];
            }
        }
        return count > 0 ? sum / count : Double.NaN;
    }

    private static void put(Export export, String metric, List<KeyValue> attributes, double value, long atNanos) {
        StringBuilder name = new StringBuilder(metric);
        for (Map.Entry<String, String> attribute : attributes(attributes).entrySet()) {
            if (STEP.contains(attribute.getKey())) {
                Long step = whole(attribute.getValue());
                export.step = step == null ? export.step : step;
            } else if (SPLIT.contains(attribute.getKey())) {
                name.insert(0, attribute.getValue() + "/");
            } else {
                name.append('/').append(attribute.getKey()).append('=').append(attribute.getValue());
            }
        }
        if (export.numbers.size() < NamedRun.MAX_NAMES) {
            export.numbers.put(NamedRun.bounded(name.toString()), value);
        }
        export.atMs = Math.max(export.atMs, atNanos / 1_000_000);
    }

    private static @Nullable Long whole(String text) {
        return text.matches("\\d{1,15}") ? Long.valueOf(text) : null;
    }

    private static Map<String, String> attributes(List<KeyValue> list) {
        Map<String, String> attributes = new TreeMap<>();
        for (KeyValue attribute : list) {
            AnyValue value = attribute.getValue();
            switch (value.getValueCase()) {
                case STRING_VALUE -> attributes.put(attribute.getKey(), value.getStringValue());
                case INT_VALUE -> attributes.put(attribute.getKey(), Long.toString(value.getIntValue()));
                case DOUBLE_VALUE -> attributes.put(attribute.getKey(), Double.toString(value.getDoubleValue()));
                case BOOL_VALUE -> attributes.put(attribute.getKey(), Boolean.toString(value.getBoolValue()));
                default -> {
                    // Lists and maps name nothing here.
                }
            }
        }
        return attributes;
    }
}
