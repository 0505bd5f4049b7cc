package io.trainwatch.monitor.notify;

import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodySubscriber;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.time.format.DateTimeParseException;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Flow;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;

/** POSTs to receivers: no redirects, one deadline for the whole exchange, and only the head of an answer is read. */
final class Http {
    /** Longest time of one exchange. A receiver that takes longer is away: nobody waits for a page. */
    static final Duration LIMIT = Duration.ofSeconds(10);

    private static final Duration CONNECT_LIMIT = Duration.ofSeconds(5);
    /** Longest wait that a receiver may ask for. */
    private static final Duration LONGEST_WAIT = Duration.ofHours(1);

    private static final int ANSWER_BYTES = 2_048;
    private static final int SHOWN = 200;

    private final HttpClient client = HttpClient.newBuilder()
            .connectTimeout(CONNECT_LIMIT)
            .followRedirects(HttpClient.Redirect.NEVER)
            .build();

    /** Status and the head of the body; the receipt of what needs no closer look. */
    record Answer(int status, String head, Receipt receipt) {}

    /** Sends one body. A status of 200 to 299 is told; 408, 425, 429 and 500 to 599 may pass; any other is a refusal. */
    Answer post(URI address, Map<String, String> headers, String body) throws InterruptedException {
        HttpRequest.Builder request = HttpRequest.newBuilder(address)
                .timeout(LIMIT)
                .header("User-Agent", "trainwatch")
                .POST(BodyPublishers.ofString(body));
        headers.forEach(request::header);
        CompletableFuture<HttpResponse<String>> exchange =
                client.sendAsync(request.build(), response -> new Head(ANSWER_BYTES));
        try {
            HttpResponse<String> response = exchange.get(LIMIT.toMillis(), TimeUnit.MILLISECONDS);
            return new Answer(response.statusCode(), response.body(), receipt(response));
        } catch (TimeoutException e) {
            return away("no answer within " + LIMIT.toSeconds() + " s");
        } catch (ExecutionException e) {
            Throwable cause = e.getCause();
            return away(
                    cause instanceof IOException || cause == null
                            ? PlainText.line(reason(cause), SHOWN)
                            : PlainText.line(cause.toString(), SHOWN));
        } finally {
            exchange.cancel(true);
        }
    }

    private static Answer away(String reason) {
        return new Answer(0, "", new Receipt.Unavailable(reason, null));
    }

    private static String reason(@Nullable Throwable cause) {
        if (cause == null) {
            return "unknown";
        }
        String message = cause.getMessage();
        return message == null
                ? cause.getClass().getSimpleName()
                : cause.getClass().getSimpleName() + ": " + message;
    }

    private static Receipt receipt(HttpResponse<String> response) {
        int status = response.statusCode();
        String said =
                "HTTP " + status + (response.body().isBlank() ? "" : ": " + PlainText.line(response.body(), SHOWN));
        if (status >= 200 && status < 300) {
            return new Receipt.Told(said);
        }
        if (status == 408 || status == 425 || status == 429 || status >= 500) {
            return new Receipt.Unavailable(
                    said,
                    response.headers().firstValue("Retry-After").map(Http::wait).orElse(null));
        }
        return new Receipt.Refused(said);
    }

    /** Seconds, or a date; null if it is neither. */
    private static @Nullable Duration wait(String retryAfter) {
        Duration wait;
        try {
            wait = Duration.ofSeconds(Long.parseLong(retryAfter.strip()));
        } catch (NumberFormatException | ArithmeticException notSeconds) {
            try {
                wait = Duration.between(
                        Instant.now(), ZonedDateTime.parse(retryAfter.strip(), DateTimeFormatter.RFC_1123_DATE_TIME));
            } catch (DateTimeParseException notADate) {
                return null;
            }
        }
        return wait.isNegative() ? Duration.ZERO : wait.compareTo(LONGEST_WAIT) > 0 ? LONGEST_WAIT : wait;
    }

    /** Reads so many bytes and lets go of the rest. */
    private static final class Head implements BodySubscriber<String> {
        private final CompletableFuture<String> body = new CompletableFuture<>();
        private final ByteBuffer bytes;
        private Flow.@Nullable Subscription subscription;

        Head(int most) {
            bytes = ByteBuffer.allocate(most);
        }

        @Override
        public CompletionStage<String> getBody() {
            return body;
        }

        @Override
        public void onSubscribe(Flow.Subscription given) {
            subscription = given;
            given.request(Long.MAX_VALUE);
        }

        @Override
        public void onNext(List<ByteBuffer> buffers) {
            for (ByteBuffer buffer : buffers) {
                int take = Math.min(buffer.remaining(), bytes.remaining());
                bytes.put(buffer.slice(buffer.position(), take));
            }
            if (!bytes.hasRemaining() && subscription != null) {
                subscription.cancel();
                onComplete();
            }
        }

        @Override
        public void onError(Throwable error) {
            body.completeExceptionally(error);
        }

        @Override
        public void onComplete() {
            bytes.flip();
            body.complete(StandardCharsets.UTF_8.decode(bytes).toString());
            bytes.limit(bytes.position());
        }
    }
}
