package io.trainwatch.monitor.web;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.javalin.config.RoutesConfig;
import io.javalin.http.Context;
import io.javalin.http.HttpStatus;
import io.trainwatch.monitor.board.RunBoard;
import java.io.IOException;
import java.net.URI;
import java.net.URLDecoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Makes every instance answer for all: a question about a run that another instance judges is asked there, and the lists of
 * runs and of alerts hold those of all instances. Only reading is passed on, and never twice.
 *
 * <p>Whom to ask is known from Kafka: each instance tells its group an address. It gets the token or cookie of the caller, so all
 * instances need the same one. An instance that does not answer within {@value #LIMIT_MS} ms is named in the header
 * {@value #MISSING} of a list, and makes a question about its runs fail with 502.
 */
public final class Peers implements Endpoints {
    static final String FORWARDED = "X-Trainwatch-Forwarded";
    static final String MISSING = "X-Trainwatch-Missing";
    /** By what a caller may ask: a token, or the cookie that a browser got for it and that any instance knows. */
    private static final List<String> RIGHTS = List.of("Authorization", "Cookie");

    private static final int LIMIT_MS = 3_000;
    private static final int RUN_SEGMENT = 4;
    private static final Logger LOG = LoggerFactory.getLogger(Peers.class);

    /** What Kafka knows of the instances of a monitor; addresses are {@code host:port}. */
    public interface Directory {
        /** Where the other instance that judges a run is; empty if it is this one, or not known. */
        Optional<String> judgeOf(String runId);

        /** Where all other instances are. */
        Set<String> others();
    }

    private static final Comparator<JsonNode> OPEN_FIRST = Comparator.<JsonNode>comparingInt(
                    alert -> alert.path("state").asText().equals("resolved") ? 1 : 0)
            .thenComparing(Comparator.<JsonNode>comparingLong(
                            alert -> alert.path("changed_at_ms").asLong())
                    .reversed())
            .thenComparing(alert -> alert.path("alert_id").asText());
    private static final Comparator<JsonNode> LATEST_START_FIRST = Comparator.<JsonNode>comparingLong(
                    run -> run.path("started_at_ms").asLong())
            .reversed()
            .thenComparing(run -> run.path("run_id").asText());

    private final RunBoard board;
    private final Directory directory;
    private final ObjectMapper json = new ObjectMapper();
    private final HttpClient client = HttpClient.newBuilder()
            .version(HttpClient.Version.HTTP_1_1)
            .followRedirects(HttpClient.Redirect.NEVER)
            .connectTimeout(Duration.ofMillis(LIMIT_MS))
            .build();

    public Peers(RunBoard board, Directory directory) {
        this.board = board;
        this.directory = directory;
    }

    @Override
    public void addTo(RoutesConfig routes) {
        routes.before("/api/v1/runs/*", this::askTheJudge);
        routes.after("/api/v1/runs", context -> addTheirs(context, "runs", LATEST_START_FIRST));
        routes.after("/api/v1/alerts", context -> addTheirs(context, "alerts", OPEN_FIRST));
    }

    private void askTheJudge(Context context) {
        String runId = runId(context);
        if (runId == null || isForwarded(context) || board.run(runId).isPresent()) {
            return;
        }
        Optional<String> judge = directory.judgeOf(runId);
        if (judge.isEmpty()) {
            return;
        }
        try {
            HttpResponse<byte[]> answer =
                    client.send(request(context, judge.get()), HttpResponse.BodyHandlers.ofByteArray());
            context.status(answer.statusCode())
                    .contentType(answer.headers().firstValue("Content-Type").orElse("application/json"))
                    .result(answer.body());
        } catch (IOException | IllegalArgumentException e) {
            LOG.warn("The instance at {} does not answer: {}", judge.get(), e.toString());
            Problem.answer(
                    context,
                    HttpStatus.BAD_GATEWAY,
                    "the instance at " + judge.get() + " judges this run and does not answer this one: see"
                            + " http.advertised, and that both have the same token");
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            Problem.answer(context, HttpStatus.BAD_GATEWAY, "this instance is stopping");
        }
        context.skipRemainingHandlers();
    }

    private static @Nullable String runId(Context context) {
        String[] segments = context.req().getRequestURI().split("/", RUN_SEGMENT + 2);
        if (!context.method().name().equals("GET") || segments.length <= RUN_SEGMENT) {
            return null;
        }
        try {
            return URLDecoder.decode(segments[RUN_SEGMENT].replace("+", "%2B"), StandardCharsets.UTF_8);
        } catch (IllegalArgumentException notEncoded) {
            return null;
        }
    }

    private void addTheirs(Context context, String list, Comparator<JsonNode> order) throws IOException {
        Set<String> others =
                isForwarded(context) || context.statusCode() != HttpStatus.OK.getCode() ? Set.of() : directory.others();
        String own = context.result();
        if (others.isEmpty() || own == null || !(json.readTree(own) instanceof ObjectNode answer)) {
            return;
        }
        List<JsonNode> all = new ArrayList<>();
        answer.path(list).forEach(all::add);
        boolean more = answer.has("next");
        List<String> missing = new ArrayList<>();
        List<CompletableFuture<HttpResponse<String>>> asked = new ArrayList<>();
        List<String> addresses = List.copyOf(others);
        for (String address : addresses) {
            asked.add(ask(context, address));
        }
        for (int i = 0; i < addresses.size(); i++) {
            JsonNode theirs = parse(addresses.get(i), asked.get(i));
            if (theirs == null) {
                missing.add(addresses.get(i));
            } else {
                theirs.path(list).forEach(all::add);
                more |= theirs.has("next");
            }
        }
        all.sort(order);
        int limit = RunsApi.limit(context);
        more |= all.size() > limit;
        ArrayNode merged = answer.putArray(list);
        all.subList(0, Math.min(limit, all.size())).forEach(merged::add);
        answer.remove("next");
        if (more && list.equals("runs") && !merged.isEmpty()) {
            JsonNode last = merged.get(merged.size() - 1);
            answer.put(
                    "next",
                    last.path("started_at_ms").asLong() + ":"
                            + last.path("run_id").asText());
        }
        if (!missing.isEmpty()) {
            context.header(MISSING, String.join(", ", missing));
        }
        context.result(json.writeValueAsString(answer));
    }

    private CompletableFuture<HttpResponse<String>> ask(Context context, String address) {
        try {
            return client.sendAsync(request(context, address), HttpResponse.BodyHandlers.ofString());
        } catch (IllegalArgumentException e) {
            return CompletableFuture.failedFuture(e);
        }
    }

    private @Nullable JsonNode parse(String address, CompletableFuture<HttpResponse<String>> asked) {
        try {
            HttpResponse<String> answer = asked.join();
            if (answer.statusCode() == HttpStatus.OK.getCode()) {
                return json.readTree(answer.body());
            }
            LOG.warn("The instance at {} answers {}", address, answer.statusCode());
        } catch (CompletionException | JsonProcessingException e) {
            LOG.warn("The instance at {} does not answer: {}", address, e.toString());
        }
        return null;
    }

    private static HttpRequest request(Context context, String address) {
        String query = context.queryString();
        HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(
                        "http://" + address + context.req().getRequestURI() + (query == null ? "" : "?" + query)))
                .timeout(Duration.ofMillis(LIMIT_MS))
                .header(FORWARDED, "1");
        for (String right : RIGHTS) {
            String given = context.header(right);
            if (given != null) {
                request.header(right, given);
            }
        }
        return request.build();
    }

    private static boolean isForwarded(Context context) {
        return context.header(FORWARDED) != null;
    }
}
