package io.trainwatch.sdk.internal;

import io.trainwatch.run.Command;
import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.ProxySelector;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;
import java.util.zip.GZIPOutputStream;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Posts events to a monitor, in order, one request at a time: what the answer to a request says is settled before the next
 * is made. A request carries what has gathered meanwhile, up to {@value #MAX_BATCH_BYTES} bytes.
 *
 * <p>It never gives up. A monitor that is away, busy, hanging or answers anything but what a monitor answers is asked again
 * with the same events: after as long as it says in {@code Retry-After}, at most {@value #MAX_RETRY_AFTER_SECONDS} s, else
 * after 0.25 s and twice as long each further time, up to 10 s, half of it left to chance. What arrived twice has the same
 * {@code seq}. Only an event that the monitor refuses by name is settled without having arrived.
 *
 * <p>All of it happens on a thread of its own: names are resolved there, files read, bodies packed.
 */
final class HttpTransport implements Transport {
    static final int MAX_BATCH_BYTES = 512 << 10;
    static final int MAX_RETRY_AFTER_SECONDS = 60;

    private static final Logger log = LoggerFactory.getLogger("io.trainwatch.sdk");
    private static final int MAX_QUEUED = 10_000;
    private static final Duration CONNECT_LIMIT = Duration.ofSeconds(10);

    /** Longer than a monitor waits for its broker, 25 s at most. */
    private static final Duration ANSWER_LIMIT = Duration.ofSeconds(35);

    private static final long FIRST_PAUSE_MS = 250;
    private static final long LONGEST_PAUSE_MS = 10_000;

    private final Location.Http location;
    private final @Nullable String token;
    private final String runId;
    private final Consumer<Command> commands;
    private final Duration answerLimit;
    private final BlockingQueue<byte[]> queue = new ArrayBlockingQueue<>(MAX_QUEUED);
    private final AtomicLong settled = new AtomicLong();
    private final AtomicLong rejected = new AtomicLong();
    private final SplittableRandom random = new SplittableRandom();
    private final Thread thread = new Thread(this::run, "trainwatch-http");
    private volatile boolean closed;

    private int batchBytes = MAX_BATCH_BYTES;
    private long pauseMs = FIRST_PAUSE_MS;
    private String trouble = "";
    private boolean refusalLogged;

    /**
     * Begins to send.
     *
     * @param token what the monitor wants to see, null for none; a token file of the location counts before it
     * @param commands gets what the monitor asks the run to do, on the sending thread
     */
    HttpTransport(Location.Http location, @Nullable String token, String runId, Consumer<Command> commands) {
        this(location, token, runId, commands, ANSWER_LIMIT);
    }

    HttpTransport(
            Location.Http location,
            @Nullable String token,
            String runId,
            Consumer<Command> commands,
            Duration answerLimit) {
        this.location = location;
        this.token = token;
        this.runId = runId;
        this.commands = commands;
        this.answerLimit = answerLimit;
        thread.setDaemon(true);
        thread.start();
    }

    @Override
    public boolean offer(byte[] event) {
        return queue.offer(event);
    }

    @Override
    public long settled() {
        return settled.get();
    }

    @Override
    public long rejected() {
        return rejected.get();
    }

    @Override
    public boolean hasFailed() {
        return false;
    }

    @Override
    public void close() {
        closed = true;
        thread.interrupt();
    }

    private void run() {
        try {
            HttpClient client = HttpClient.newBuilder()
                    .version(HttpClient.Version.HTTP_1_1)
                    .connectTimeout(CONNECT_LIMIT)
                    .proxy(ProxySelector.getDefault())
                    .build();
            List<byte[]> unsettled = new ArrayList<>();
            while (!closed) {
                int count = gather(unsettled);
                long waitMs = attempt(client, unsettled, count);
                if (waitMs > 0) {
                    Thread.sleep(waitMs);
                }
            }
        } catch (InterruptedException e) {
            // Closed: what was not acknowledged is the sender's to keep.
        }
    }

    /** Returns how many of the unsettled events, the first ones, the next request is to carry. */
    private int gather(List<byte[]> unsettled) throws InterruptedException {
        if (unsettled.isEmpty()) {
            unsettled.add(queue.take());
        }
        int count = 0;
        int bytes = 0;
        while (true) {
            if (count == unsettled.size()) {
                byte[] next = queue.poll();
                if (next == null) {
                    return count;
                }
                unsettled.add(next);
            }
            bytes += unsettled.get(count).length;
            if (count > 0 && bytes > batchBytes) {
                return count;
            }
            count++;
        }
    }

    /** Makes a request with the first events, forgets what it settled, and returns how long to wait before the next. */
    private long attempt(HttpClient client, List<byte[]> unsettled, int count) throws InterruptedException {
        CompletableFuture<HttpResponse<byte[]>> answer;
        try {
            answer = client.sendAsync(request(unsettled.subList(0, count)), info -> new BoundedBody());
        } catch (IOException e) {
            return trouble(e.toString(), 0);
        }
        try {
            return handle(answer.get(answerLimit.toMillis(), TimeUnit.MILLISECONDS), unsettled, count);
        } catch (TimeoutException e) {
            return trouble("no answer within " + answerLimit.toMillis() + " ms", 0);
        } catch (ExecutionException e) {
            return trouble(String.valueOf(e.getCause()), 0);
        } finally {
            answer.cancel(true);
        }
    }

    private HttpRequest request(List<byte[]> events) throws IOException {
        HttpRequest.Builder request = HttpRequest.newBuilder(location.events())
                .timeout(answerLimit)
                .header("Content-Type", "application/vnd.trainwatch.avro")
                .header("Content-Encoding", "gzip")
                .POST(BodyPublishers.ofByteArray(packed(events)));
        Path file = location.tokenFile();
        String secret = file == null ? token : Files.readString(file).strip();
        if (secret != null && !secret.isEmpty()) {
            request.header("Authorization", "Bearer " + secret);
        }
        return request.build();
    }

    private static byte[] packed(List<byte[]> events) {
        ByteArrayOutputStream body = new ByteArrayOutputStream(1 << 12);
        try (DataOutputStream out = new DataOutputStream(new GZIPOutputStream(body))) {
            for (byte[] event : events) {
                out.writeInt(event.length);
                out.write(event);
            }
        } catch (IOException e) {
            throw new UncheckedIOException("writing to memory failed", e);
        }
        return body.toByteArray();
    }

    private long handle(HttpResponse<byte[]> response, List<byte[]> unsettled, int count) {
        int status = response.statusCode();
        if (status == 413) {
            if (count == 1) {
                settle(unsettled, 1, 1, "HTTP 413: it is too large");
            }
            batchBytes = Math.max(1, batchBytes / 2);
            return 0;
        }
        IntakeAnswer answer = IntakeAnswer.read(response.body());
        if (answer != null && (status == 200 || status == 400)) {
            settle(unsettled, count, Math.min(count, answer.rejected()), answer.detail());
            answer.commands().stream()
                    .filter(command -> command.getRunId().equals(runId))
                    .forEach(commands);
            return 0;
        }
        long retryAfterMs = response.headers()
                .firstValue("Retry-After")
                .filter(text -> text.matches("\\d{1,9}"))
                .map(text -> Math.min(MAX_RETRY_AFTER_SECONDS, Long.parseLong(text)) * 1_000)
                .orElse(0L);
        String said = new String(response.body(), StandardCharsets.UTF_8).replaceAll("\\p{Cntrl}+", " ");
        return trouble("HTTP " + status + " " + said.substring(0, Math.min(200, said.length())), retryAfterMs);
    }

    private void settle(List<byte[]> unsettled, int count, long refused, String why) {
        if (refused > 0 && !refusalLogged) {
            refusalLogged = true;
            log.warn("run {}: the monitor refuses events: {}", runId, why);
        }
        if (!trouble.isEmpty()) {
            log.info("run {}: {} takes events again", runId, location.events());
            trouble = "";
        }
        pauseMs = FIRST_PAUSE_MS;
        unsettled.subList(0, count).clear();
        // In this order: whoever reads them must not miss a rejection of what is settled.
        rejected.addAndGet(refused);
        settled.addAndGet(count);
    }

    private long trouble(String why, long retryAfterMs) {
        if (trouble.isEmpty() && !closed) {
            log.warn("run {}: {} does not take events, trying on: {}", runId, location.events(), why);
        }
        trouble = why;
        long pause = pauseMs;
        pauseMs = Math.min(LONGEST_PAUSE_MS, 2 * pauseMs);
        return Math.max(retryAfterMs, pause / 2 + random.nextLong(pause / 2 + 1));
    }
}
