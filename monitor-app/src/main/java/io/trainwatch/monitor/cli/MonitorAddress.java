package io.trainwatch.monitor.cli;

import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** Where a running monitor is reached by commands that ask it something. */
final class MonitorAddress {
    private static final Duration LIMIT = Duration.ofSeconds(15);
    private static final String TOKEN_VARIABLE = "TRAINWATCH_HTTP_TOKEN";

    @Option(
            names = "--url",
            paramLabel = "URL",
            defaultValue = "http://127.0.0.1:8280",
            description = "Address of the monitor (default: ${DEFAULT-VALUE}). Its token is read from " + TOKEN_VARIABLE
                    + ".")
    @SuppressWarnings("NullAway.Init") // picocli fills it in
    URI url;

    /**
     * Asks the monitor and returns the body of its answer.
     *
     * @throws CommandFailedException if it is not reached or refuses: the message has its reason
     */
    String ask(String method, String path, @Nullable String body) throws CommandFailedException, InterruptedException {
        HttpRequest.Builder request = HttpRequest.newBuilder(url.resolve(path))
                .timeout(LIMIT)
                .header("Content-Type", "application/json")
                .method(method, body == null ? BodyPublishers.noBody() : BodyPublishers.ofString(body));
        String token = System.getenv(TOKEN_VARIABLE);
        if (token != null) {
            request.header("Authorization", "Bearer " + token.strip());
        }
        HttpResponse<String> response;
        try {
            response = HttpClient.newBuilder()
                    .connectTimeout(LIMIT)
                    .build()
                    .send(request.build(), BodyHandlers.ofString());
        } catch (IOException e) {
            throw new CommandFailedException(
                    "no monitor answers at " + url + ": " + e + "; --url names another one", e);
        }
        if (response.statusCode() / 100 != 2) {
            throw new CommandFailedException(
                    "the monitor refuses (HTTP " + response.statusCode() + "): " + response.body());
        }
        return response.body();
    }
}
