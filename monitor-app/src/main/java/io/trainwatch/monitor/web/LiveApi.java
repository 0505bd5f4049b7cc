package io.trainwatch.monitor.web;

import com.fasterxml.jackson.core.JsonGenerator;
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
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.Semaphore;
import java.util.concurrent.ThreadLocalRandom;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * The fleet as it is and as it changes.
 *
 * <ul>
 *   <li>{@code GET /api/v1/fleet}: {@code {"id","now_ms","not_ready","runs":[...]}}, every run as {@link FleetRow} has it
 *   <li>{@code GET /api/v1/stream?after=ID}: server-sent events from there on. {@code fleet}: {@code {"id","runs","gone",
 *       "alarm"}}, the rows that changed, ids of runs that left the board, and whether a condition or an open alert did;
 *       {@code reset}: look at the whole fleet again, for the id is of another life of the monitor or too old; {@code
 *       alive} every {@value #ALIVE_SECONDS} s: {@code {"now_ms","not_ready"}}. After a broken connection {@code
 *       Last-Event-ID} does what {@code after} does
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

    /** Between two messages to a client: fast for an eye, and changes that come together go together. */
    private static final Duration PACE = Duration.ofMillis(100);

    /** Within it a closing server is noticed. */
    private static final long MAX_WAIT_MS = 1_000;

    private final RunBoard board;
    private final Supplier<Optional<String>> notReady;
    private final Semaphore clients = new Semaphore(MAX_CLIENTS);
    private final SseHandler events = new SseHandler(0, this::serve);
    private volatile boolean closed;

    /** Tells this life of the monitor from others, whose versions mean nothing now. */
    private final String life = Long.toString(ThreadLocalRandom.current().nextLong(1L << 40), Character.MAX_RADIX);

    LiveApi(RunBoard board, Supplier<Optional<String>> notReady) {
        this.board = board;
        this.notReady = notReady;
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
        if (run != null && board.run(run).isEmpty()) {
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
        try {
            Context context = client.ctx();
            String last = context.header("Last-Event-ID");
            String after = last != null ? last : context.queryParam("after");
            String run = context.queryParam("run");
            String focus = context.queryParam("focus");
            new Follower(client, run == null || run.isEmpty() ? null : run, focus == null ? run : focus).follow(after);
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
    private long version(@Nullable String id) {
        if (id == null || !id.startsWith(life + '-')) {
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

    /** One client and its place. */
    private final class Follower {
        private final SseClient client;
        private final @Nullable String onlyRun;
        private final @Nullable String focus;
        private long told;
        private long toldAll;
        private long allDueNs = System.nanoTime();
        private long aliveDueNs = System.nanoTime();

        Follower(SseClient client, @Nullable String onlyRun, @Nullable String focus) {
            this.client = client;
            this.onlyRun = onlyRun;
            this.focus = focus;
        }

        void follow(@Nullable String after) throws InterruptedException {
            long from = version(after);
            if (from < 0) {
                from = board.version();
                if (after != null) {
                    reset(from);
                }
            }
            told = from;
            toldAll = from;
            while (!closed && !client.terminated()) {
                tell();
                if (System.nanoTime() - aliveDueNs >= 0) {
                    client.sendEvent("alive", Json.text(this::alive), null);
                    aliveDueNs = System.nanoTime() + ALIVE_NS;
                }
                Thread.sleep(PACE.toMillis());
                long waitMs = toldAll < told ? (allDueNs - System.nanoTime()) / 1_000_000 : MAX_WAIT_MS;
                board.awaitChange(told, Duration.ofMillis(Math.max(0, Math.min(waitMs, MAX_WAIT_MS))));
            }
        }

        private void tell() {
            Changes changes = board.since(toldAll);
            if (!changes.complete()) {
                reset(changes.version());
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
                client.sendEvent("fleet", Json.text(out -> message(out, rows, gone, alarm)), id(toldAll));
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
            out.writeStringField("id", id(toldAll));
            writeRows(out, rows);
            out.writeArrayFieldStart("gone");
            for (String runId : gone) {
                out.writeString(runId);
            }
            out.writeEndArray();
            out.writeBooleanField("alarm", alarm);
            out.writeEndObject();
        }

        private void reset(long version) {
            told = version;
            toldAll = version;
            client.sendEvent("reset", String.format(Locale.ROOT, "{\"id\":\"%s\"}", id(version)), id(version));
        }

        private void alive(JsonGenerator out) throws IOException {
            out.writeStartObject();
            writeNow(out);
            out.writeEndObject();
        }
    }
}
