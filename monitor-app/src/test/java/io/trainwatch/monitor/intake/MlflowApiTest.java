package io.trainwatch.monitor.intake;

import static io.trainwatch.monitor.board.SampleRuns.bare;
import static io.trainwatch.monitor.board.SampleRuns.snapshot;
import static io.trainwatch.monitor.board.SampleRuns.with;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.trainwatch.codec.EventJson;
import io.trainwatch.event.TrainingEvent;
import io.trainwatch.run.RunCondition;
import java.net.URLEncoder;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.mlflow.api.proto.Service.Metric;
import org.mlflow.api.proto.Service.RunInfo;
import org.mlflow.api.proto.Service.RunStatus;
import org.mlflow.tracking.MlflowClient;

/** MLflow's tracking API over real HTTP before a real broker, by MLflow's own Java client and by hand. */
class MlflowApiTest {
    private static final Duration LIMIT = Duration.ofSeconds(20);
    private static final String API = "/api/2.0/mlflow/";

    @TempDir
    static Path dir;

    private static IntakeRig rig;
    private final ObjectMapper json = new ObjectMapper();

    @BeforeAll
    static void start() throws Exception {
        rig = new IntakeRig(dir, IntakeSettings.DEFAULT);
    }

    @AfterAll
    static void stop() {
        rig.close();
    }

    @Test
    void the_java_client_of_mlflow_is_watched_from_the_first_call_to_the_last() throws Exception {
        try (MlflowClient client = new MlflowClient(rig.web.url())) {
            String experiment = client.getExperimentByName("exp x")
                    .map(found -> found.getExperimentId())
                    .orElseGet(() -> client.createExperiment("exp x"));
            assertThat(client.getExperiment(experiment).getName()).isEqualTo("exp x");

            RunInfo run = client.createRun(experiment);
            client.logParam(run.getRunId(), "learning_rate", "3e-4");
            client.logParam(run.getRunId(), "of_no_meaning", "x");
            client.setTag(run.getRunId(), "mlflow.runName", "n");
            client.logMetric(run.getRunId(), "loss", 2.5, 1_700_000_000_000L, 5);
            client.logMetric(run.getRunId(), "grad_norm", 0.5, 1_700_000_000_001L, 5);
            client.logBatch(
                    run.getRunId(),
                    List.of(metric("loss", Double.NaN, 6), metric("learning_rate", 3e-4, 6)),
                    List.of(),
                    List.of());
            client.setTerminated(run.getRunId(), RunStatus.FAILED);
            assertThat(client.getRun(run.getRunId()).getInfo().getRunId()).isEqualTo(run.getRunId());

            awaitFinished(run.getRunId());
            assertThat(told(run.getRunId()))
                    .containsExactly(
                            "{\"event_type\":\"run_started\",\"project\":\"exp x\"}",
                            "{\"event_type\":\"run_started\",\"project\":\"exp x\",\"run_name\":\"n\",\"learning_rate_peak\":3.0E-4}",
                            "{\"event_type\":\"step_completed\",\"step\":5,\"loss\":2.5,\"grad_norm\":0.5}",
                            "{\"event_type\":\"step_completed\",\"step\":6,\"loss\":\"NaN\",\"learning_rate\":3.0E-4}",
                            "{\"event_type\":\"run_finished\",\"step\":6,\"status\":\"failed\"}");
        }
    }

    @Test
    void numbers_of_one_step_are_joined_and_the_last_step_is_told_when_it_has_rested() throws Exception {
        String run = create("{}");
        log(run, "loss", 1, 1);
        log(run, "lr", 0.1, 1);
        log(run, "loss", 2, 2);

        await().atMost(LIMIT)
                .untilAsserted(() -> assertThat(told(run))
                        .containsExactly(
                                "{\"event_type\":\"run_started\"}",
                                "{\"event_type\":\"step_completed\",\"step\":1,\"loss\":1.0,\"learning_rate\":0.1}",
                                "{\"event_type\":\"step_completed\",\"step\":2,\"loss\":2.0}"));
    }

    /** MLflow's client logs on several threads where it need not wait, as Keras' and Hugging Face's callbacks have it do. */
    @Test
    void steps_that_come_out_of_their_order_are_put_in_order() throws Exception {
        String run = create("{}");
        for (long step : new long[] {2, 1, 4, 3, 6, 5}) {
            log(run, "loss", (double) step, step);
        }
        log(run, "lr", 0.1, 3);
        finish(run, "FINISHED");

        assertThat(told(run))
                .containsExactly(
                        "{\"event_type\":\"run_started\"}",
                        "{\"event_type\":\"step_completed\",\"step\":1,\"loss\":1.0}",
                        "{\"event_type\":\"step_completed\",\"step\":2,\"loss\":2.0}",
                        "{\"event_type\":\"step_completed\",\"step\":3,\"loss\":3.0,\"learning_rate\":0.1}",
                        "{\"event_type\":\"step_completed\",\"step\":4,\"loss\":4.0}",
                        "{\"event_type\":\"step_completed\",\"step\":5,\"loss\":5.0}",
                        "{\"event_type\":\"step_completed\",\"step\":6,\"loss\":6.0}",
                        "{\"event_type\":\"run_finished\",\"step\":6,\"status\":\"completed\"}");
    }

    @Test
    void a_step_far_back_is_one_from_which_the_trainer_goes_on() throws Exception {
        String run = create("{}");
        for (long step : new long[] {200, 201, 100, 101}) {
            log(run, "loss", (double) step, step);
        }
        finish(run, "FINISHED");

        assertThat(told(run))
                .filteredOn(line -> line.contains("step_completed"))
                .extracting(line -> line.replaceAll(".*\"step\":(\\d+).*", "$1"))
                .containsExactly("200", "201", "100", "101");
    }

    @Test
    void where_a_trainer_gives_no_steps_a_name_that_comes_again_is_the_next_one() throws Exception {
        String run = create("{}");
        for (int i = 0; i < 3; i++) {
            log(run, "loss", i, 0);
            log(run, "accuracy", 0.5, 0);
        }
        finish(run, "FINISHED");

        assertThat(told(run))
                .containsExactly(
                        "{\"event_type\":\"run_started\"}",
                        "{\"event_type\":\"step_completed\",\"step\":0,\"loss\":0.0,\"metrics\":{\"accuracy\":0.5}}",
                        "{\"event_type\":\"step_completed\",\"step\":1,\"loss\":1.0,\"metrics\":{\"accuracy\":0.5}}",
                        "{\"event_type\":\"step_completed\",\"step\":2,\"loss\":2.0,\"metrics\":{\"accuracy\":0.5}}",
                        "{\"event_type\":\"run_finished\",\"step\":2,\"status\":\"completed\"}");
    }

    @Test
    void evaluations_are_told_as_such_and_a_result_without_a_step_belongs_to_the_last() throws Exception {
        String run = create("{}");
        rig.post(API + "runs/log-batch", """
                {"run_id":"%s","metrics":[
                  {"key":"loss","value":1.5,"timestamp":1700000000000,"step":10},
                  {"key":"eval_loss","value":1.25,"timestamp":1700000000000,"step":10},
                  {"key":"eval_runtime","value":3,"timestamp":1700000000000,"step":10},
                  {"key":"system/cpu_utilization_percentage","value":50,"timestamp":1700000000000,"step":3}]}""".formatted(run));
        log(run, "test_accuracy", 0.9, 0);
        rig.post(API + "runs/log-batch", """
                {"run_id":"%s","metrics":[
                  {"key":"loss","value":1.25,"timestamp":1700000000000,"step":11},
                  {"key":"train_loss","value":9.5,"timestamp":1700000000000,"step":11},
                  {"key":"train_runtime","value":3,"timestamp":1700000000000,"step":11}]}""".formatted(run));
        finish(run, "KILLED");

        assertThat(told(run))
                .containsExactly(
                        "{\"event_type\":\"run_started\"}",
                        "{\"event_type\":\"step_completed\",\"step\":10,\"loss\":1.5}",
                        "{\"event_type\":\"evaluation_completed\",\"step\":10,\"split\":\"test\",\"metrics\":{\"accuracy\":0.9}}",
                        "{\"event_type\":\"evaluation_completed\",\"step\":10,\"split\":\"val\",\"metrics\":{\"loss\":1.25}}",
                        "{\"event_type\":\"step_completed\",\"step\":11,\"loss\":1.25}",
                        "{\"event_type\":\"run_finished\",\"step\":11,\"status\":\"killed\"}");
    }

    @Test
    void what_cannot_be_read_is_counted_and_no_error_since_an_error_would_end_the_training() throws Exception {
        String run = create("{}");
        String before = lost();
        HttpResponse<String> response = rig.post(API + "runs/log-batch", """
                {"run_id":"%s","metrics":[
                  {"key":"loss","value":"much","step":1},
                  {"key":"","value":1,"step":1},
                  {"key":"loss","value":NaN,"step":"1"}]}""".formatted(run));
        finish(run, "FINISHED");

        assertThat(response.statusCode()).isEqualTo(200);
        assertThat(response.body()).isEqualTo("{}");
        assertThat(told(run)).contains("{\"event_type\":\"step_completed\",\"step\":1,\"loss\":\"NaN\"}");
        assertThat(lost()).isNotEqualTo(before);
    }

    @Test
    void a_run_that_this_monitor_has_not_seen_is_continued_where_the_board_says_it_was() throws Exception {
        String run = "0123456789abcdef0123456789abcdef";
        rig.board.publish(snapshot(with(bare(run), status -> {
            status.setAttempt(2);
            status.setLastStep(50L);
            status.setProject("exp");
            status.setCondition(RunCondition.failed);
        })));

        JsonNode info = get(API + "runs/get?run_id=" + run).get("run").get("info");
        assertThat(info.get("status").asText()).isEqualTo("FAILED");
        assertThat(info.get("experiment_id").asText()).isEqualTo(MlflowApi.experimentId("exp"));
        rig.post(API + "runs/update", "{\"run_id\":\"" + run + "\",\"status\":\"RUNNING\"}");
        log(run, "loss", 1, 0);
        finish(run, "FINISHED");

        assertThat(told(run)).contains("{\"event_type\":\"step_completed\",\"attempt\":3,\"step\":50,\"loss\":1.0}");
        assertThat(get(API + "runs/get?run_id=unheard-of")
                        .get("run")
                        .get("info")
                        .get("status")
                        .asText())
                .isEqualTo("RUNNING");
    }

    @Test
    void every_experiment_exists_under_an_id_that_is_its_name() throws Exception {
        for (String name : List.of("a", "exp x", "Ümläut/日本", "x".repeat(500), "'; drop table runs")) {
            JsonNode experiment = get(API + "experiments/get-by-name?experiment_name="
                            + URLEncoder.encode(name, StandardCharsets.UTF_8))
                    .get("experiment");
            String id = experiment.get("experiment_id").asText();
            assertThat(id).matches("e[\\w-]+");
            assertThat(get(API + "experiments/get?experiment_id=" + id)
                            .get("experiment")
                            .get("name")
                            .asText())
                    .isEqualTo(name);
        }
        assertThat(MlflowApi.experimentId("Default")).isEqualTo("0");
        assertThat(MlflowApi.nameOf("17")).isEqualTo("17");
        assertThat(MlflowApi.nameOf("e!")).isEqualTo("e!");
        assertThat(json.readTree(rig.post(API + "experiments/search", "{\"filter\":\"name = 'it'\"}")
                                .body())
                        .get("experiments")
                        .findValuesAsText("name"))
                .containsExactly("it");
    }

    @Test
    void what_is_not_answered_is_an_error_as_the_clients_know_it() throws Exception {
        HttpResponse<String> unknown = rig.post("/ajax-api/2.0/mlflow/registered-models/create", "{}");
        assertThat(unknown.statusCode()).isEqualTo(404);
        assertThat(unknown.body())
                .isEqualTo("{\"error_code\":\"ENDPOINT_NOT_FOUND\",\"message\":\"trainwatch watches runs and does not"
                        + " answer registered-models/create\"}");
        HttpResponse<String> nameless = rig.post(API + "runs/log-metric", "{\"key\":\"loss\",\"value\":1}");
        assertThat(nameless.statusCode()).isEqualTo(400);
        assertThat(json.readTree(nameless.body()).get("error_code").asText()).isEqualTo("INVALID_PARAMETER_VALUE");
        assertThat(rig.post(API + "runs/log-metric", "{\"run_id\":").statusCode())
                .isEqualTo(400);
        assertThat(rig.post(API + "runs/log-batch", "[".repeat(100_000)).statusCode())
                .isEqualTo(400);
        assertThat(rig.post(API + "runs/log-batch", "[1]").statusCode()).isEqualTo(400);
    }

    private static Metric metric(String key, double value, long step) {
        return Metric.newBuilder()
                .setKey(key)
                .setValue(value)
                .setTimestamp(1_700_000_000_002L)
                .setStep(step)
                .build();
    }

    private String create(String body) throws Exception {
        return json.readTree(rig.post(API + "runs/create", body).body())
                .get("run")
                .get("info")
                .get("run_id")
                .asText();
    }

    private void log(String run, String key, double value, long step) throws Exception {
        HttpResponse<String> response = rig.post(
                API + "runs/log-metric",
                "{\"run_id\":\"%s\",\"key\":\"%s\",\"value\":%s,\"timestamp\":1700000000000,\"step\":%d}"
                        .formatted(run, key, value, step));
        assertThat(response.statusCode()).isEqualTo(200);
    }

    private void finish(String run, String status) throws Exception {
        rig.post(API + "runs/update", "{\"run_id\":\"" + run + "\",\"status\":\"" + status + "\",\"end_time\":1}");
        awaitFinished(run);
    }

    private static void awaitFinished(String run) {
        await().atMost(LIMIT).until(() -> rig.lines(run).stream().anyMatch(line -> line.contains("run_finished")));
    }

    private JsonNode get(String path) throws Exception {
        return json.readTree(rig.send(rig.request(path).GET()).body());
    }

    private static String lost() throws Exception {
        return rig.scrape()
                .lines()
                .filter(line -> line.startsWith("trainwatch_intake_lost_total{protocol=\"mlflow\",reason=\"invalid\"}"))
                .findFirst()
                .orElseThrow();
    }

    /** The events of a run, without what is the same in all of them. */
    static List<String> told(String run) throws Exception {
        return rig.events().stream()
                .filter(event -> event.getRunId().equals(run))
                .map(MlflowApiTest::brief)
                .toList();
    }

    static String brief(TrainingEvent event) {
        return EventJson.write(event)
                .replaceAll("\"(run_id|session)\":\"[^\"]*\",?|\"(seq|timestamp_ms|rank)\":\\d+,?|\"attempt\":0,?", "")
                .replace(",}", "}");
    }
}
