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
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Makes every instance answer for all: a question about a run that another instance judges is asked there, the lists of runs
 * and of alerts hold those of all instances, and so do the fleet and the stream of its changes. Only reading is passed on, and
 * never twice.
 *
 * <p>Whom to ask is known from Kafka: each instance tells its group an address. It gets the token or cookie of the caller, so all
 * instances need the same one. An instance that does not answer within {@value #LIMIT_MS} ms is named in the header
 * {@value #MISSING} of a list, and makes a question about its runs fail with 502.
 */
public final class Peers {
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

        /** There is no other instance. */
        Directory ALONE = new Directory() {
            @Override
            public Optional<String> judgeOf(String runId) {
                return Optional.empty();
            }

            @Override
            public Set<String> others() {
                return Set.of();
            }
        };
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

    Peers(RunBoard board, Directory directory) {
        this.board = board;
        this.directory = directory;
    }

    void addTo(RoutesConfig routes) {
        routes.before("/api/v1/runs/*", this::askTheJudge);
        routes.after("/api/v1/runs", context -> addTheirs(context, "runs", LATEST_START_FIRST));
        routes.after("/api/v1/alerts", context -> addTheirs(context, "alerts", OPEN_FIRST));
        routes.after("/api/v1/fleet", this::addTheirFleets);
    }

    /** Who judges runs beside this instance, or one run if it is named: nobody, if another instance asks this one. */
    Set<String> others(Context context, @Nullable String run) {
        if (isForwarded(context)) {
            return Set.of();
        }
        return run == null
                ? directory.others()
                : directory.judgeOf(run).map(Set::of).orElse(Set.of());
    }

    /** What another instance tells to whoever asked for a stream here, after an id; null for from now on. */
    Relay relay(Context context, String address, @Nullable String after, Relay.Ear ear) {
        List<String> asked = new ArrayList<>();
        for (String name : List.of("run", "focus")) {
            String value = context.queryParam(name);
            if (value != null) {
                asked.add(name + '=' + URLEncoder.encode(value, StandardCharsets.UTF_8));
            }
        }
        return new Relay(
                address,
                client,
                id -> {
                    List<String> query = new ArrayList<>(asked);
                    if (id != null) {
                        query.add("after=" + URLEncoder.encode(id, StandardCharsets.UTF_8));
                    }
                    return request(context, address, String.join("&", query))
                            .header("Accept", "text/event-stream")
                            .build();
                },
                after,
                ear);
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
                    client.send(request(context, judge.get()).build(), HttpResponse.BodyHandlers.ofByteArray());
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
        Map<String, JsonNode> theirs = askOthers(context);
        ObjectNode answer = theirs.isEmpty() ? null : own(context);
        if (answer == null) {
            return;
        }
        List<JsonNode> all = new ArrayList<>();
        answer.path(list).forEach(all::add);
        boolean more = answer.has("next");
        for (JsonNode one : theirs.values()) {
            one.path(list).forEach(all::add);
            more |= one.has("next");
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
        context.result(json.writeValueAsString(answer));
    }

    private void addTheirFleets(Context context) throws IOException {
        Map<String, JsonNode> theirs = askOthers(context);
        ObjectNode answer = theirs.isEmpty() ? null : own(context);
        if (answer == null) {
            return;
        }
        Map<String, String> ids = new LinkedHashMap<>();
        ArrayNode others = answer.putArray("others");
        theirs.forEach((address, fleet) -> {
            ids.put(address, fleet.path("id").asText());
            others.addObject()
                    .put("instance", address)
                    .set("runs", fleet.has("runs") ? fleet.get("runs") : json.createArrayNode());
        });
        answer.put("id", new Place(answer.path("id").asText(), ids).toString());
        context.result(json.writeValueAsString(answer));
    }

    private @Nullable ObjectNode own(Context context) throws JsonProcessingException {
        String own = context.result();
        return own != null && json.readTree(own) instanceof ObjectNode answer ? answer : null;
    }

    /** The same question to all others: their answers by address, nothing from one that does not answer, which is named. */
    private Map<String, JsonNode> askOthers(Context context) {
        Map<String, CompletableFuture<HttpResponse<String>>> asked = new LinkedHashMap<>();
        if (context.statusCode() == HttpStatus.OK.getCode()) {
            others(context, null).forEach(address -> asked.put(address, ask(context, address)));
        }
        Map<String, JsonNode> answers = new LinkedHashMap<>();
        List<String> missing = new ArrayList<>();
        asked.forEach((address, answer) -> {
            JsonNode theirs = parse(address, answer);
            if (theirs == null) {
                missing.add(address);
            }
            answers.put(address, theirs == null ? json.createObjectNode() : theirs);
        });
        if (!missing.isEmpty()) {
            context.header(MISSING, String.join(", ", missing));
        }
        return answers;
    }

    private CompletableFuture<HttpResponse<String>> ask(Context context, String address) {
        try {
            return client.sendAsync(request(context, address).build(), HttpResponse.BodyHandlers.ofString());
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

    private static HttpRequest.Builder request(Context context, String address) {
        return request(context, address, context.queryString());
    }

    private static HttpRequest.Builder request(Context context, String address, @Nullable String query) {
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
        return request;
    }

    private static boolean isForwarded(Context context) {
        return context.header(FORWARDED) != null;
    }
}
