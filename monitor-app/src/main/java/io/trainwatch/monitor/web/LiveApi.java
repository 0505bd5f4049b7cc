package io.trainwatch.monitor.web;

import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.javalin.config.RoutesConfig;
import io.javalin.http.Context;
import io.javalin.http.HttpStatus;
import io.javalin.http.sse.SseClient;
import io.javalin.http.sse.SseHandler;
import io.trainwatch.monitor.board.RunBoard;
import io.trainwatch.monitor.board.RunBoard.Changes;
import io.trainwatch.monitor.board.RunBoard.Pinned;
import java.io.IOException;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Semaphore;
import java.util.concurrent.ThreadLocalRandom;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * The fleet as it is and as it changes.
 *
 * <ul>
 *   <li>{@code GET /api/v1/fleet}: {@code {"id","now_ms","not_ready","runs":[...]}}, every run as {@link FleetRow} has it; with
 *       several instances also {@code "others":[{"instance":"HOST:PORT","runs":[...]}]} ({@link Peers})
 *   <li>{@code GET /api/v1/stream?after=ID}: server-sent events from there on. {@code fleet}: {@code {"id","runs","gone",
 *       "alarm"}}, the rows that changed, ids of runs that left the board, and whether a condition or an open alert did;
 *       {@code reset}: look at the whole fleet again, for the id is of another life of the monitor or too old; {@code
 *       alive} every {@value #ALIVE_SECONDS} s: {@code {"now_ms","not_ready"}}. After a broken connection {@code
 *       Last-Event-ID} does what {@code after} does. What another instance tells comes as it does, with its address as {@code
 *       instance}: a run that is gone there may be here. {@code reset} also comes when there is another instance or one less;
 *       {@code alive} says in {@code others_not_ready} what is wrong with which
 *   <li>{@code GET /api/v1/stream?run=RUN}: the same of one run alone
 *   <li>{@code GET /api/v1/stream?focus=RUN}: of all runs, and every change of this one at once
 * </ul>
 *
 * <p>There is no queue: a client has a place in the versions of the board, and is told the latest state of what changed
 * after it as fast as it reads. A new condition or alert is told at once; rows in which only the numbers moved wait so that
 * one client gets no more than {@value #ROWS_A_SECOND} of them a second. Each client has a thread of its own, so that a slow
 * one holds nobody up; one that reads nothing for 30 s is cut off by the server. With {@value #MAX_CLIENTS} clients the next
 * is refused with 503.
 */
final class LiveApi {
    static final int MAX_CLIENTS = 64;
    static final int ROWS_A_SECOND = 500;
    static final int ALIVE_SECONDS = 5;

    private static final long ALIVE_NS = Duration.ofSeconds(ALIVE_SECONDS).toNanos();

    /** How often is asked which other instances there are. */
    private static final long OTHERS_NS = Duration.ofSeconds(1).toNanos();

    /** Between two messages to a client: fast for an eye, and changes that come together go together. */
    private static final Duration PACE = Duration.ofMillis(100);

    /** Within it a closing server is noticed. */
    private static final long MAX_WAIT_MS = 1_000;

    private final RunBoard board;
    private final Supplier<Optional<String>> notReady;
    private final Peers peers;
    private final Semaphore clients = new Semaphore(MAX_CLIENTS);
    private final SseHandler events = new SseHandler(0, this::serve);
    private volatile boolean closed;

    /** Tells this life of the monitor from others, whose versions mean nothing now. */
    private final String life = Long.toString(ThreadLocalRandom.current().nextLong(1L << 40), Character.MAX_RADIX);

    LiveApi(RunBoard board, Supplier<Optional<String>> notReady, Peers peers) {
        this.board = board;
        this.notReady = notReady;
        this.peers = peers;
    }

    void addTo(RoutesConfig routes) {
        routes.get("/api/v1/fleet", this::fleet);
        routes.get("/api/v1/stream", this::stream);
    }

    /** Ends every stream within a moment. */
    void close() {
        closed = true;
    }

    private void fleet(Context context) throws Problem {
        Query.of(context);
        Changes all = board.since(0);
        context.result(Json.text(out -> {
                    out.writeStartObject();
                    out.writeStringField("id", id(all.version()));
                    writeNow(out);
                    writeRows(out, all.changed());
                    out.writeEndObject();
                }))
                .contentType("application/json");
    }

    private void stream(Context context) throws Exception {
        Query query = Query.of(context, "run", "focus", "after");
        String run = query.text("run");
        if (run != null
                && board.run(run).isEmpty()
                && peers.others(Peers.Caller.of(context)).isEmpty()) {
            throw Problem.notFound("this monitor judges no run '" + Query.shown(run) + "'");
        }
        if (!String.valueOf(context.header("Accept")).contains("text/event-stream")) {
            Problem.answer(context, HttpStatus.NOT_ACCEPTABLE, "this is a stream: send 'Accept: text/event-stream'");
            return;
        }
        if (!clients.tryAcquire()) {
            context.header("Retry-After", "10");
            Problem.answer(
                    context,
                    HttpStatus.SERVICE_UNAVAILABLE,
                    MAX_CLIENTS + " clients follow this monitor already; GET /api/v1/fleet tells the state");
            return;
        }
        boolean started = false;
        try {
            events.handle(context);
            started = true;
        } finally {
            if (!started) {
                clients.release();
            }
        }
    }

    private void serve(SseClient client) {
        Context context = client.ctx();
        String last = context.header("Last-Event-ID");
        try (Follower follower = new Follower(client)) {
            follower.follow(last != null ? last : context.queryParam("after"));
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } finally {
            clients.release();
        }
    }

    private String id(long version) {
        return life + '-' + version;
    }

    /** The version that an id stands for; -1 if it is of another life or none. */
    private long version(String id) {
        if (!id.startsWith(life + '-')) {
            return -1;
        }
        try {
            return Long.parseLong(id.substring(life.length() + 1));
        } catch (NumberFormatException e) {
            return -1;
        }
    }

    private void writeNow(JsonGenerator out) throws IOException {
        out.writeNumberField("now_ms", System.currentTimeMillis());
        Optional<String> reason = notReady.get();
        if (reason.isPresent()) {
            out.writeStringField("not_ready", reason.get());
        }
    }

    private static void writeRows(JsonGenerator out, List<Pinned> runs) throws IOException {
        out.writeArrayFieldStart("runs");
        for (Pinned run : runs) {
            FleetRow.write(run.snapshot(), out);
        }
        out.writeEndArray();
    }

    /** One client and its place. What is here and what others tell goes to it one message after the other. */
    private final class Follower implements AutoCloseable {
        private final SseClient client;
        private final Peers.Caller caller;
        private final @Nullable String onlyRun;
        private final @Nullable String focus;
        private final Map<String, Relay> relays = new LinkedHashMap<>();
        private Map<String, String> toldTroubles = Map.of();
        private long told;
        private long toldAll;
        private long allDueNs = System.nanoTime();
        private long aliveDueNs = System.nanoTime();
        private long othersDueNs = System.nanoTime();

        Follower(SseClient client) {
            this.client = client;
            this.caller = Peers.Caller.of(client.ctx());
            this.onlyRun = caller.run();
            this.focus = caller.focus() == null ? onlyRun : caller.focus();
        }

        void follow(@Nullable String after) throws InterruptedException {
            Place place = after == null ? null : Place.of(after);
            if (place == null) {
                begin(null);
            } else if (version(place.own()) < 0 || !place.others().keySet().equals(peers.others(caller))) {
                reset();
            } else {
                begin(place);
            }
            while (!closed && !client.terminated()) {
                tell();
                lookAfterOthers();
                if (System.nanoTime() - aliveDueNs >= 0) {
                    send("alive", Json.text(this::alive), null);
                    aliveDueNs = System.nanoTime() + ALIVE_NS;
                }
                Thread.sleep(PACE.toMillis());
                long waitMs = toldAll < told ? (allDueNs - System.nanoTime()) / 1_000_000 : MAX_WAIT_MS;
                board.awaitChange(told, Duration.ofMillis(Math.max(0, Math.min(waitMs, MAX_WAIT_MS))));
            }
        }

        /** Goes on from a place; null for from now on. */
        private synchronized void begin(@Nullable Place place) {
            told = place == null ? board.version() : version(place.own());
            toldAll = told;
            close();
            for (String address : peers.others(caller)) {
                String after = place == null ? null : place.others().get(address);
                relays.put(address, peers.relay(caller, address, after, this::passOn));
            }
        }

        private synchronized void reset() {
            begin(null);
            send(
                    "reset",
                    Json.text(out -> {
                        out.writeStartObject();
                        out.writeStringField("id", place());
                        out.writeEndObject();
                    }),
                    place());
        }

        private void lookAfterOthers() {
            if (System.nanoTime() - othersDueNs < 0) {
                return;
            }
            othersDueNs = System.nanoTime() + OTHERS_NS;
            if (!relays.keySet().equals(peers.others(caller))) {
                reset();
            }
            relays.values().forEach(Relay::keepUp);
            if (!troubles().equals(toldTroubles)) {
                aliveDueNs = System.nanoTime();
            }
        }

        private Map<String, String> troubles() {
            Map<String, String> troubles = new LinkedHashMap<>();
            relays.forEach((address, relay) -> {
                String trouble = relay.trouble();
                if (trouble != null) {
                    troubles.put(address, trouble);
                }
            });
            return troubles;
        }

        private synchronized void passOn(Relay from, String event, ObjectNode message) {
            if (relays.get(from.address()) != from) {
                return;
            }
            message.put("id", place());
            message.put("instance", from.address());
            send(event, message.toString(), place());
        }

        private synchronized void tell() {
            Changes changes = board.since(toldAll);
            if (!changes.complete()) {
                reset();
                return;
            }
            boolean all = System.nanoTime() - allDueNs >= 0;
            List<Pinned> rows = changes.changed().stream()
                    .filter(run -> all || run.alarmVersion() > told || isNews(run))
                    .filter(run -> isWanted(run.snapshot().status().getRunId()))
                    .toList();
            List<String> gone = changes.gone().stream().filter(this::isWanted).toList();
            boolean alarm = rows.stream().anyMatch(run -> run.alarmVersion() > told);
            told = changes.version();
            if (all) {
                toldAll = changes.version();
                allDueNs = System.nanoTime() + Math.max(250, 1_000L * rows.size() / ROWS_A_SECOND) * 1_000_000;
            }
            if (!rows.isEmpty() || !gone.isEmpty()) {
                send("fleet", Json.text(out -> message(out, rows, gone, alarm)), place());
            }
        }

        private boolean isWanted(String runId) {
            return onlyRun == null || onlyRun.equals(runId);
        }

        private boolean isNews(Pinned run) {
            return run.version() > told && run.snapshot().status().getRunId().equals(focus);
        }

        private void message(JsonGenerator out, List<Pinned> rows, List<String> gone, boolean alarm)
                throws IOException {
            out.writeStartObject();
            out.writeStringField("id", place());
            writeRows(out, rows);
            out.writeArrayFieldStart("gone");
            for (String runId : gone) {
                out.writeString(runId);
            }
            out.writeEndArray();
            out.writeBooleanField("alarm", alarm);
            out.writeEndObject();
        }

        private void alive(JsonGenerator out) throws IOException {
            out.writeStartObject();
            writeNow(out);
            toldTroubles = troubles();
            if (!relays.isEmpty()) {
                out.writeObjectFieldStart("others_not_ready");
                for (Map.Entry<String, String> trouble : toldTroubles.entrySet()) {
                    out.writeStringField(trouble.getKey(), trouble.getValue());
                }
                out.writeEndObject();
            }
            out.writeEndObject();
        }

        /** The id of what was told so far. */
        private String place() {
            Map<String, String> others = new LinkedHashMap<>();
            relays.forEach((address, relay) -> others.put(address, relay.id()));
            return new Place(id(toldAll), others).toString();
        }

        private synchronized void send(String event, String data, @Nullable String id) {
            client.sendEvent(event, data, id);
        }

        @Override
        public synchronized void close() {
            relays.values().forEach(Relay::close);
            relays.clear();
        }
    }
}
