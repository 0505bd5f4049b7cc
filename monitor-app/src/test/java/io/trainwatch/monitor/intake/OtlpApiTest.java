package io.trainwatch.monitor.intake;

import static org.assertj.core.api.Assertions.assertThat;

import io.opentelemetry.proto.collector.metrics.v1.ExportMetricsServiceRequest;
import io.opentelemetry.proto.collector.metrics.v1.ExportMetricsServiceResponse;
import io.opentelemetry.proto.common.v1.AnyValue;
import io.opentelemetry.proto.common.v1.KeyValue;
import io.opentelemetry.proto.metrics.v1.AggregationTemporality;
import io.opentelemetry.proto.metrics.v1.Gauge;
import io.opentelemetry.proto.metrics.v1.Histogram;
import io.opentelemetry.proto.metrics.v1.HistogramDataPoint;
import io.opentelemetry.proto.metrics.v1.Metric;
import io.opentelemetry.proto.metrics.v1.NumberDataPoint;
import io.opentelemetry.proto.metrics.v1.Sum;
import java.io.ByteArrayOutputStream;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** OpenTelemetry metrics over real HTTP before a real broker. What a real exporter sends is in {@link PythonClientsIT}. */
class OtlpApiTest {
    private static final String PATH = "/v1/metrics";

    @TempDir
    static Path dir;

    private static IntakeRig rig;

    @BeforeAll
    static void start() throws Exception {
        rig = new IntakeRig(dir, IntakeSettings.DEFAULT);
    }

    @AfterAll
    static void stop() {
        rig.close();
    }

    @Test
    void an_export_of_megatron_is_a_step_and_the_same_numbers_again_are_a_sign_of_life() throws Exception {
        Map<String, String> resource = Map.of("service.name", "megatron-lm", "nemo.run.id", "nemo-1");
        Metric loss = gauge("megatron.training.loss", 2.5);
        Metric learningRate = gauge("megatron.training.learning_rate", 0.001);
        post(request(resource, loss, gauge("megatron.training.grad_norm", 1.5), learningRate, histogram(1, 250)));
        post(request(resource, loss, gauge("megatron.training.grad_norm", 1.5), learningRate));
        post(request(resource, loss, gauge("megatron.training.grad_norm", 1.5), learningRate));
        post(request(resource, gauge("megatron.training.loss", Double.NaN), learningRate, histogram(3, 1_050)));

        assertThat(told("nemo-1"))
                .containsExactly(
                        "{\"event_type\":\"run_started\",\"project\":\"megatron-lm\"}",
                        "{\"event_type\":\"step_completed\",\"step\":1,\"loss\":2.5,\"grad_norm\":1.5,\"learning_rate\":0.001,\"step_time_seconds\":0.25}",
                        "{\"event_type\":\"heartbeat\",\"step\":1,\"last_step\":1}",
                        "{\"event_type\":\"heartbeat\",\"step\":1,\"last_step\":1}",
                        "{\"event_type\":\"step_completed\",\"step\":2,\"loss\":\"NaN\",\"learning_rate\":0.001,\"step_time_seconds\":0.4}");
    }

    @Test
    void steps_splits_and_sums_are_read_where_they_are_given_and_what_is_not_of_the_training_is_left()
            throws Exception {
        Metric split = Metric.newBuilder()
                .setName("loss")
                .setGauge(Gauge.newBuilder()
                        .addDataPoints(point(1.5).addAttributes(attribute("split", "train")))
                        .addDataPoints(point(1.75).addAttributes(attribute("split", "val"))))
                .build();
        Metric tokens = Metric.newBuilder()
                .setName("tokens_seen")
                .setSum(Sum.newBuilder()
                        .addDataPoints(NumberDataPoint.newBuilder()
                                .setAsInt(4096)
                                .setTimeUnixNano(1_700_000_000_000_000_000L)))
                .build();
        post(request(
                Map.of("service.name", "trainer", "trainwatch.run_id", "r1"),
                split,
                tokens,
                gauge("global_step", 70),
                gauge("process.runtime.memory", 1)));

        assertThat(told("r1"))
                .containsExactly(
                        "{\"event_type\":\"run_started\",\"project\":\"trainer\"}",
                        "{\"event_type\":\"step_completed\",\"step\":70,\"loss\":1.5,\"num_input_tokens_seen\":4096}",
                        "{\"event_type\":\"evaluation_completed\",\"step\":70,\"split\":\"val\",\"metrics\":{\"loss\":1.75}}");
    }

    @Test
    void json_and_gzip_are_read_too() throws Exception {
        HttpResponse<String> response = rig.post(PATH, """
                {"resourceMetrics":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"by-json"}}]},
                  "scopeMetrics":[{"metrics":[{"name":"train.loss","gauge":{"dataPoints":[
                    {"timeUnixNano":"1700000000000000000","asDouble":0.5,"attributes":[{"key":"step","value":{"intValue":"9"}}]}
                  ]},"unknown":1}]}]}]}""");
        assertThat(response.statusCode()).isEqualTo(200);
        assertThat(response.body()).isEqualTo("{}");
        assertThat(told("by-json")).contains("{\"event_type\":\"step_completed\",\"step\":9,\"loss\":0.5}");

        ByteArrayOutputStream packed = new ByteArrayOutputStream();
        try (GZIPOutputStream out = new GZIPOutputStream(packed)) {
            request(Map.of("service.name", "packed"), gauge("loss", 1)).writeTo(out);
        }
        assertThat(rig.send(rig.request(PATH)
                                .header("Content-Type", "application/x-protobuf")
                                .header("Content-Encoding", "gzip")
                                .POST(BodyPublishers.ofByteArray(packed.toByteArray())))
                        .statusCode())
                .isEqualTo(200);
        assertThat(told("packed")).hasSize(2);
    }

    @Test
    void a_resource_that_names_no_run_is_refused_alone() throws Exception {
        ExportMetricsServiceRequest both = request(Map.of("service.name", "named"), gauge("loss", 1)).toBuilder()
                .addAllResourceMetrics(
                        request(Map.of("host.name", "h"), gauge("loss", 2)).getResourceMetricsList())
                .build();

        ExportMetricsServiceResponse response = post(both);

        assertThat(response.getPartialSuccess().getRejectedDataPoints()).isEqualTo(1);
        assertThat(response.getPartialSuccess().getErrorMessage())
                .isEqualTo("a resource names no run: set one of the attributes trainwatch.run_id, run.id, nemo.run.id,"
                        + " service.instance.id, service.name");
        assertThat(told("named")).hasSize(2);
    }

    @Test
    void a_body_that_is_none_is_refused() throws Exception {
        assertThat(rig.post(PATH, "[".repeat(500_000)).statusCode()).isEqualTo(400);
        assertThat(rig.post(PATH, "{\"resourceMetrics\":1}").statusCode()).isEqualTo(400);
        assertThat(rig.send(rig.request(PATH)
                                .header("Content-Type", "application/x-protobuf")
                                .POST(BodyPublishers.ofByteArray(new byte[] {10, 127, 1})))
                        .statusCode())
                .isEqualTo(400);
        assertThat(rig.send(rig.request(PATH)
                                .header("Content-Type", "text/plain")
                                .POST(BodyPublishers.ofString("x")))
                        .statusCode())
                .isEqualTo(415);
        assertThat(rig.send(rig.request(PATH)
                                .header("Content-Type", "application/x-protobuf")
                                .POST(BodyPublishers.ofByteArray(new byte[(1 << 20) + 1])))
                        .statusCode())
                .isEqualTo(413);
    }

    private static ExportMetricsServiceResponse post(ExportMetricsServiceRequest request) throws Exception {
        HttpResponse<byte[]> response = rig.http.send(
                rig.request(PATH)
                        .header("Content-Type", "application/x-protobuf")
                        .POST(BodyPublishers.ofByteArray(request.toByteArray()))
                        .build(),
                BodyHandlers.ofByteArray());
        assertThat(response.statusCode()).isEqualTo(200);
        return ExportMetricsServiceResponse.parseFrom(response.body());
    }

    private static ExportMetricsServiceRequest request(Map<String, String> resource, Metric... metrics) {
        ExportMetricsServiceRequest.Builder request = ExportMetricsServiceRequest.newBuilder();
        var one = request.addResourceMetricsBuilder();
        resource.forEach((key, value) -> one.getResourceBuilder().addAttributes(attribute(key, value)));
        one.addScopeMetricsBuilder().addAllMetrics(List.of(metrics));
        return request.build();
    }

    private static KeyValue attribute(String key, String value) {
        return KeyValue.newBuilder()
                .setKey(key)
                .setValue(AnyValue.newBuilder().setStringValue(value))
                .build();
    }

    private static Metric gauge(String name, double value) {
        return Metric.newBuilder()
                .setName(name)
                .setGauge(Gauge.newBuilder().addDataPoints(point(value)))
                .build();
    }

    private static NumberDataPoint.Builder point(double value) {
        return NumberDataPoint.newBuilder().setAsDouble(value).setTimeUnixNano(1_700_000_000_000_000_000L);
    }

    private static Metric histogram(long count, double sum) {
        return Metric.newBuilder()
                .setName("megatron.training.step_duration_ms")
                .setHistogram(Histogram.newBuilder()
                        .setAggregationTemporality(AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE)
                        .addDataPoints(HistogramDataPoint.newBuilder()
                                .setCount(count)
                                .setSum(sum)
                                .setTimeUnixNano(1_700_000_000_000_000_000L)))
                .build();
    }

    private static List<String> told(String run) throws Exception {
        return rig.events().stream()
                .filter(event -> event.getRunId().equals(run))
                .map(MlflowApiTest::brief)
                .toList();
    }
}
