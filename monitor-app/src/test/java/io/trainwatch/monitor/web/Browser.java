package io.trainwatch.monitor.web;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.trainwatch.monitor.Installed;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.WebSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Base64;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.awaitility.Awaitility;

/** A headless Chromium with one window, driven over its DevTools protocol. */
public final class Browser implements AutoCloseable {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final Duration LIMIT = Duration.ofSeconds(30);

    private final Path profile;
    private final Process process;
    private final WebSocket socket;
    private final AtomicInteger ids = new AtomicInteger();
    private final Map<Integer, CompletableFuture<JsonNode>> answers = new ConcurrentHashMap<>();
    private final List<String> problems = new CopyOnWriteArrayList<>();

    private Browser(Path profile, Process process, HttpClient client, URI page) {
        this.profile = profile;
        this.process = process;
        this.socket = client.newWebSocketBuilder().buildAsync(page, new Ear()).join();
        send("Page.enable", Map.of());
        send("Runtime.enable", Map.of());
        send("Log.enable", Map.of());
    }

    public static Browser start() throws IOException, InterruptedException {
        Path chromium = Installed.program("chromium", "chromium");
        Path profile = Files.createTempDirectory("trainwatch-browser-");
        Process process = new ProcessBuilder(
                        chromium.toString(),
                        "--headless",
                        "--no-sandbox",
                        "--disable-gpu",
                        "--disable-quic",
                        "--no-first-run",
                        "--disable-background-networking",
                        "--disable-component-update",
                        "--disable-sync",
                        "--disable-extensions",
                        "--hide-scrollbars",
                        "--force-color-profile=srgb",
                        "--remote-debugging-port=0",
                        "--user-data-dir=" + profile,
                        "about:blank")
                .redirectErrorStream(true)
                .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                .start();
        Path port = profile.resolve("DevToolsActivePort");
        Awaitility.await().atMost(LIMIT).until(() -> Files.exists(port) && Files.size(port) > 0);
        HttpClient client = HttpClient.newHttpClient();
        String root = "http://127.0.0.1:" + Files.readAllLines(port).get(0);
        HttpRequest request =
                HttpRequest.newBuilder(URI.create(root + "/json/list")).build();
        JsonNode pages = Awaitility.await()
                .atMost(LIMIT)
                .until(
                        () -> JSON.readTree(client.send(request, HttpResponse.BodyHandlers.ofString())
                                .body()),
                        list -> !list.isEmpty());
        return new Browser(
                profile,
                process,
                client,
                URI.create(pages.get(0).get("webSocketDebuggerUrl").asText()));
    }

    /** Opens an address and waits until it is loaded. */
    public void open(String url) {
        send("Page.navigate", Map.of("url", "about:blank"));
        send("Page.navigate", Map.of("url", url));
        until("document.readyState === 'complete' && location.href !== 'about:blank'");
    }

    /** Goes to another place of the same page, as a link does. */
    public void go(String hash) {
        value("document.getElementById('page').replaceChildren()");
        value("location.hash = " + quoted(hash));
    }

    /** The value of an expression, which may be a promise. */
    public JsonNode value(String expression) {
        JsonNode answer =
                send("Runtime.evaluate", Map.of("expression", expression, "returnByValue", true, "awaitPromise", true));
        if (answer.has("exceptionDetails")) {
            throw new IllegalStateException(expression + ": " + answer.get("exceptionDetails"));
        }
        return answer.get("result").path("value");
    }

    /** The text of the first element that matches; empty if there is none. */
    public String text(String selector) {
        return value("document.querySelector(" + quoted(selector) + ")?.textContent ?? ''")
                .asText();
    }

    /** The texts of all elements that match. */
    public List<String> texts(String selector) {
        JsonNode texts = value("[...document.querySelectorAll(" + quoted(selector) + ")].map((e) => e.textContent)");
        return Stream.iterate(0, i -> i < texts.size(), i -> i + 1)
                .map(i -> texts.get(i).asText())
                .toList();
    }

    public void click(String selector) {
        value("document.querySelector(" + quoted(selector) + ").click()");
    }

    /** Waits until the expression is true. */
    public void until(String expression) {
        Awaitility.await(expression)
                .atMost(LIMIT)
                .pollInterval(Duration.ofMillis(20))
                .until(() -> value(expression).asBoolean());
    }

    /** Presses and releases a key, e.g. "j", "/", "Enter". */
    public void press(String key) {
        String text = key.length() == 1 ? key : key.equals("Enter") ? "\r" : "";
        int code = key.equals("Escape") ? 27 : key.equals("Enter") ? 13 : 0;
        send(
                "Input.dispatchKeyEvent",
                Map.of("type", "keyDown", "key", key, "text", text, "windowsVirtualKeyCode", code));
        send("Input.dispatchKeyEvent", Map.of("type", "keyUp", "key", key, "windowsVirtualKeyCode", code));
    }

    /** Makes the window as large, in CSS pixels; a phone has touch. */
    public void size(int width, int height, boolean phone) {
        send(
                "Emulation.setDeviceMetricsOverride",
                Map.of("width", width, "height", height, "deviceScaleFactor", phone ? 2 : 1, "mobile", phone));
        send("Emulation.setTouchEmulationEnabled", Map.of("enabled", phone));
    }

    /** A desktop by day that remembers no problem: how each test begins. */
    public void desktop() {
        size(1440, 900, false);
        scheme("light");
        forgetProblems();
    }

    /** What the system asks pages for: "dark" or "light". */
    public void scheme(String scheme) {
        send(
                "Emulation.setEmulatedMedia",
                Map.of("features", List.of(Map.of("name", "prefers-color-scheme", "value", scheme))));
    }

    /** Writes a picture of the window. */
    public void photograph(Path file) throws IOException {
        value("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 50))))");
        JsonNode picture = send("Page.captureScreenshot", Map.of("format", "png"));
        Files.createDirectories(file.toAbsolutePath().getParent());
        Files.write(file, Base64.getDecoder().decode(picture.get("data").asText()));
    }

    /** Errors, uncaught exceptions and violations of the security policy so far. */
    public List<String> problems() {
        return List.copyOf(problems);
    }

    public void forgetProblems() {
        problems.clear();
    }

    public JsonNode send(String method, Map<String, ?> parameters) {
        int id = ids.incrementAndGet();
        CompletableFuture<JsonNode> answer = new CompletableFuture<>();
        answers.put(id, answer);
        ObjectNode message = JSON.createObjectNode().put("id", id).put("method", method);
        message.set("params", JSON.valueToTree(parameters));
        try {
            synchronized (socket) {
                socket.sendText(message.toString(), true).join();
            }
            JsonNode answered = answer.get(LIMIT.toSeconds(), TimeUnit.SECONDS);
            if (answered.has("error")) {
                throw new IllegalStateException(method + ": " + answered.get("error"));
            }
            return answered.get("result");
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException(e);
        } catch (ExecutionException | TimeoutException e) {
            throw new IllegalStateException(method + " was not answered", e);
        }
    }

    private static String quoted(String text) {
        return JSON.valueToTree(text).toString();
    }

    @Override
    public void close() throws IOException {
        socket.abort();
        process.descendants().forEach(ProcessHandle::destroy);
        process.destroy();
        try {
            if (!process.waitFor(5, TimeUnit.SECONDS)) {
                process.destroyForcibly().waitFor(5, TimeUnit.SECONDS);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        Awaitility.await().atMost(LIMIT).until(this::isDeleted);
    }

    /** Its helpers may write for a moment after it ended. */
    private boolean isDeleted() {
        try (Stream<Path> files = Files.walk(profile)) {
            for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                Files.deleteIfExists(file);
            }
            return true;
        } catch (IOException | UncheckedIOException e) {
            return false;
        }
    }

    private final class Ear implements WebSocket.Listener {
        private final StringBuilder message = new StringBuilder();

        @Override
        public CompletionStage<?> onText(WebSocket from, CharSequence part, boolean last) {
            message.append(part);
            if (last) {
                heard(message.toString());
                message.setLength(0);
            }
            from.request(1);
            return null;
        }

        private void heard(String text) {
            JsonNode node;
            try {
                node = JSON.readTree(text);
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
            if (node.has("id")) {
                CompletableFuture<JsonNode> answer =
                        answers.remove(node.get("id").asInt());
                if (answer != null) {
                    answer.complete(node);
                }
                return;
            }
            JsonNode parameters = node.path("params");
            switch (node.path("method").asText()) {
                case "Runtime.exceptionThrown" ->
                    problems.add(parameters
                            .path("exceptionDetails")
                            .path("exception")
                            .path("description")
                            .asText(parameters.toString()));
                case "Runtime.consoleAPICalled" -> {
                    if (List.of("error", "warning", "assert")
                            .contains(parameters.path("type").asText())) {
                        problems.add("console: " + parameters.path("args"));
                    }
                }
                case "Log.entryAdded" -> {
                    JsonNode entry = parameters.path("entry");
                    if (List.of("error", "warning").contains(entry.path("level").asText())) {
                        problems.add(entry.path("text").asText() + " "
                                + entry.path("url").asText());
                    }
                }
                default -> {}
            }
        }
    }
}
