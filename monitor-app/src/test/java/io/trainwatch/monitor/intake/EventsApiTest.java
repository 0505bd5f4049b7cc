package io.trainwatch.monitor.intake;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.trainwatch.codec.EventJson;
import io.trainwatch.codec.SingleObjectCodec;
import io.trainwatch.event.TrainingEvent;
import io.trainwatch.run.Command;
import io.trainwatch.run.CommandAction;
import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.Socket;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;
import org.junit.jupiter.api.io.TempDir;

/** {@code POST /api/v1/events} over real HTTP before a real broker, which the last test stops. */
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
class EventsApiTest {
    private static final String PATH = "/api/v1/events";
    private static final IntakeSettings SETTINGS =
            new IntakeSettings(true, 1 << 20, 2, 1 << 20, Duration.ofMillis(1500));

    @TempDir
    static Path dir;

    private static IntakeRig rig;
    private final ObjectMapper json = new ObjectMapper();

    @BeforeAll
    static void start() throws Exception {
        rig = new IntakeRig(dir, SETTINGS);
    }

    @AfterAll
    static void stop() {
        rig.close();
    }

    @Test
    void lines_are_answered_when_the_broker_has_them_in_order_and_keyed_by_run() throws Exception {
        String body = step("quiet", 1) + "\n\n" + step("quiet", 2) + "\n" + step("other", 1);

        HttpResponse<String> response = rig.post(PATH, body);

        assertThat(response.statusCode()).isEqualTo(200);
        assertThat(response.body()).isEqualTo("{\"accepted\":3,\"rejected\":[],\"commands\":[]}");
        assertThat(rig.lines("quiet")).containsExactly(step("quiet", 1), step("quiet", 2));
        assertThat(rig.records())
                .allSatisfy(record -> assertThat(new String(record.key(), StandardCharsets.UTF_8))
                        .isEqualTo(SingleObjectCodec.events()
                                .decode(record.value())
                                .getRunId()));
    }

    @Test
    void avro_arrives_byte_for_byte_as_it_was_sent() throws Exception {
        byte[] event = encoded(step("avro", 7));

        HttpResponse<String> response = rig.send(rig.request(PATH)
                .header("Content-Type", EventsApi.AVRO)
                .POST(BodyPublishers.ofByteArray(framed(event, event))));

        assertThat(response.body()).isEqualTo("{\"accepted\":2,\"rejected\":[],\"commands\":[]}");
        assertThat(rig.records().stream()
                        .filter(record -> new String(record.key(), StandardCharsets.UTF_8).equals("avro"))
                        .map(record -> record.value()))
                .containsExactly(event, event);
    }

    @Test
    void a_gzip_body_is_unpacked() throws Exception {
        HttpResponse<String> response = rig.send(rig.request(PATH)
                .header("Content-Encoding", "gzip")
                .POST(BodyPublishers.ofByteArray(gzip(step("packed", 1).getBytes(StandardCharsets.UTF_8)))));

        assertThat(response.statusCode()).isEqualTo(200);
        assertThat(rig.lines("packed")).containsExactly(step("packed", 1));
    }

    @Test
    void a_bad_line_is_named_with_field_and_value_and_the_good_ones_are_taken() throws Exception {
        String body = step("mixed", 1) + "\n" + step("mixed", 2).replace("0.5", "\"half\"") + "\nno json\n"
                + step("mixed", 3);

        HttpResponse<String> response = rig.post(PATH, body);

        assertThat(response.statusCode()).isEqualTo(400);
        assertThat(response.headers().firstValue("Content-Type")).hasValue("application/problem+json");
        JsonNode problem = json.readTree(response.body());
        assertThat(problem.get("accepted").asInt()).isEqualTo(2);
        assertThat(problem.get("rejected_total").asInt()).isEqualTo(2);
        assertThat(problem.get("rejected").get(0).get("line").asInt()).isEqualTo(2);
        assertThat(problem.get("rejected").get(0).get("detail").asText()).startsWith("loss is \"half\", but must be");
        assertThat(problem.get("rejected").get(1).get("line").asInt()).isEqualTo(3);
        assertThat(problem.get("detail").asText())
                .startsWith("2 of 4 events were refused, the others were taken; event 2: loss is \"half\"");
        assertThat(rig.lines("mixed")).containsExactly(step("mixed", 1), step("mixed", 3));
    }

    @Test
    void what_the_monitor_would_refuse_is_refused_here() throws Exception {
        JsonNode problem =
                json.readTree(rig.post(PATH, step("control\\u0007", 1) + "\n" + step("far", 2_000_000_000_000_000L))
                        .body());

        assertThat(problem.get("accepted").asInt()).isZero();
        assertThat(problem.get("rejected").findValuesAsText("detail"))
                .containsExactly(
                        "run_id holds a control character at index 7",
                        "step is 2000000000000000, allowed is up to 1000000000000000");
    }

    @Test
    void a_body_that_is_too_large_packed_or_unpacked_is_refused_whole() throws Exception {
        byte[] zeros = new byte[2 << 20];
        assertProblem(rig.send(rig.request(PATH).POST(BodyPublishers.ofByteArray(zeros))), 413, "1048576 bytes");
        assertProblem(
                rig.send(rig.request(PATH)
                        .header("Content-Encoding", "gzip")
                        .POST(BodyPublishers.ofByteArray(gzip(zeros)))),
                413,
                "1048576 bytes");

        ByteArrayOutputStream nothing = new ByteArrayOutputStream();
        while (nothing.size() < 2 << 20) {
            nothing.write(gzip(new byte[0]));
        }
        assertProblem(
                rig.send(rig.request(PATH)
                        .header("Content-Encoding", "gzip")
                        .POST(BodyPublishers.ofByteArray(nothing.toByteArray()))),
                413,
                "1048576 bytes");
    }

    @Test
    void a_body_that_cannot_be_events_is_refused_with_what_is_allowed() throws Exception {
        assertProblem(
                rig.send(rig.request(PATH).header("Content-Type", "image/png").POST(BodyPublishers.ofString("x"))),
                415,
                "Content-Type is 'image/png', allowed are application/x-ndjson for JSON Lines and"
                        + " application/vnd.trainwatch.avro");
        assertProblem(
                rig.send(rig.request(PATH).header("Content-Encoding", "br").POST(BodyPublishers.ofString("x"))),
                415,
                "Content-Encoding is 'br', allowed are gzip and identity");
        assertProblem(
                rig.send(rig.request(PATH).header("Content-Encoding", "gzip").POST(BodyPublishers.ofString("x"))),
                400,
                "the body is not gzip as its Content-Encoding says");
    }

    @Test
    void the_answer_brings_the_commands_of_the_runs_of_the_body() throws Exception {
        Command stop = new Command();
        stop.setCommandId("c1");
        stop.setRunId("doomed");
        stop.setAttempt(2);
        stop.setAction(CommandAction.stop);
        stop.setReason("loss is NaN");
        stop.setIssuedAtMs(1L);
        stop.setExpiresAtMs(99L);
        rig.commands.put("doomed", List.of(stop));

        assertThat(rig.post(PATH, step("doomed", 1) + "\n" + step("doomed", 2)).body())
                .isEqualTo(
                        "{\"accepted\":2,\"rejected\":[],\"commands\":[{\"command_id\":\"c1\",\"run_id\":\"doomed\",\"attempt\":2,"
                                + "\"action\":\"stop\",\"reason\":\"loss is NaN\",\"issued_at_ms\":1,\"expires_at_ms\":99}]}");
    }

    @Test
    void with_too_many_bodies_at_once_further_ones_are_told_to_come_back() throws Exception {
        List<Socket> slow = new ArrayList<>();
        try {
            for (int i = 0; i < SETTINGS.maxRequests(); i++) {
                Socket socket = new Socket(InetAddress.getLoopbackAddress(), rig.web.port());
                slow.add(socket);
                OutputStream out = socket.getOutputStream();
                out.write(("POST " + PATH + " HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nx")
                        .getBytes(StandardCharsets.US_ASCII));
                out.flush();
            }
            await().atMost(Duration.ofSeconds(10)).untilAsserted(() -> {
                HttpResponse<String> response = rig.post(PATH, step("late", 1));
                assertProblem(response, 429, "2 requests are being read (intake.max_requests): come back in a moment");
                assertThat(response.headers().firstValue("Retry-After")).hasValue("1");
            });
        } finally {
            for (Socket socket : slow) {
                socket.close();
            }
        }
        await().atMost(Duration.ofSeconds(10))
                .until(() -> rig.post(PATH, step("late", 1)).statusCode() == 200);
    }

    @Test
    @Order(Integer.MAX_VALUE)
    void while_the_broker_is_away_senders_are_told_to_come_back_and_nothing_piles_up() throws Exception {
        rig.stopBroker();

        long beganNanos = System.nanoTime();
        HttpResponse<String> away = rig.post(PATH, step("patient", 1));
        assertProblem(away, 503, "Kafka has not taken the events within 1500 ms");
        assertThat(away.headers().firstValue("Retry-After")).hasValue("5");
        assertThat(Duration.ofNanos(System.nanoTime() - beganNanos)).isLessThan(Duration.ofSeconds(5));

        String large = (step("patient", 2).replace("\"s\"", "\"" + "s".repeat(50_000) + "\"") + "\n").repeat(10);
        List<Integer> codes = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            codes.add(rig.post(PATH, large).statusCode());
        }
        assertThat(codes).containsExactly(503, 503, 429);

        rig.startBroker();
        await().atMost(Duration.ofSeconds(30))
                .until(() -> rig.post(PATH, step("patient", 1)).statusCode() == 200);
        assertThat(rig.lines("patient")).contains(step("patient", 1));
        assertThat(rig.scrape())
                .contains(
                        "trainwatch_intake_unacknowledged_bytes 0.0\n",
                        "trainwatch_intake_requests_total{outcome=\"busy\",protocol=\"mlflow\"} 0.0\n")
                .containsPattern("trainwatch_intake_requests_total\\{outcome=\"busy\",protocol=\"events\"} [1-9]")
                .containsPattern(
                        "trainwatch_intake_requests_total\\{outcome=\"unavailable\",protocol=\"events\"} [3-9]");
    }

    private static String step(String run, long step) {
        return "{\"event_type\":\"step_completed\",\"run_id\":\"" + run
                + "\",\"attempt\":0,\"rank\":0,\"session\":\"s\",\"seq\":" + step
                + ",\"timestamp_ms\":1763760000000,\"step\":" + step + ",\"loss\":0.5}";
    }

    private static byte[] encoded(String line) throws Exception {
        TrainingEvent event = new EventJson().read(line);
        return SingleObjectCodec.events().encode(event);
    }

    private static byte[] framed(byte[]... events) throws Exception {
        ByteArrayOutputStream body = new ByteArrayOutputStream();
        DataOutputStream out = new DataOutputStream(body);
        for (byte[] event : events) {
            out.writeInt(event.length);
            out.write(event);
        }
        return body.toByteArray();
    }

    private static byte[] gzip(byte[] plain) throws Exception {
        ByteArrayOutputStream packed = new ByteArrayOutputStream();
        try (GZIPOutputStream out = new GZIPOutputStream(packed)) {
            out.write(plain);
        }
        return packed.toByteArray();
    }

    private void assertProblem(HttpResponse<String> response, int status, String detail) throws Exception {
        assertThat(response.statusCode()).as(response.body()).isEqualTo(status);
        JsonNode problem = json.readTree(response.body());
        assertThat(problem.get("status").asInt()).isEqualTo(status);
        assertThat(problem.get("detail").asText()).contains(detail);
    }
}
