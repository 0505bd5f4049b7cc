package io.trainwatch.monitor.notify;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/** Somebody who takes requests on this machine, and behaves as a test says. */
final class Receiver implements AutoCloseable {
    private static final ObjectMapper JSON = new ObjectMapper();

    /** A request that came, and when, epoch milliseconds. */
    record Request(String path, com.sun.net.httpserver.Headers headers, String body, long atMs) {
        JsonNode json() {
            try {
                return JSON.readTree(body);
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
    }

    /** What it answers; a status of 0 hangs up without an answer, -1 never answers. */
    record Answer(int status, String body, String retryAfter) {
        static final Answer OK = new Answer(200, "ok", null);

        static Answer status(int status) {
            return new Answer(status, "", null);
        }
    }

    /** Decides what becomes of a request. */
    interface Behaviour {
        Answer answer(Request request);
    }

    private final HttpServer server;
    private final ExecutorService threads = Executors.newCachedThreadPool();
    private final List<Request> requests = new CopyOnWriteArrayList<>();
    private final List<Request> taken = new CopyOnWriteArrayList<>();
    private volatile Behaviour behaviour = request -> Answer.OK;

    Receiver() {
        this(0);
    }

    /** Listens on a port of this machine. */
    Receiver(int port) {
        try {
            server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), port), 100);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        server.setExecutor(threads);
        server.createContext("/", this::handle);
        server.start();
    }

    private void handle(HttpExchange exchange) throws IOException {
        Request request = new Request(
                exchange.getRequestURI().getPath(),
                exchange.getRequestHeaders(),
                new String(exchange.getRequestBody().readAllBytes(), StandardCharsets.UTF_8),
                System.currentTimeMillis());
        requests.add(request);
        Answer answer = behaviour.answer(request);
        if (answer.status() == 0) {
            // Without a response the server closes the connection.
            exchange.close();
            return;
        }
        if (answer.status() < 0) {
            return;
        }
        if (answer.status() < 300) {
            taken.add(request);
        }
        if (answer.retryAfter() != null) {
            exchange.getResponseHeaders().set("Retry-After", answer.retryAfter());
        }
        byte[] body = answer.body().getBytes(StandardCharsets.UTF_8);
        exchange.sendResponseHeaders(answer.status(), body.length == 0 ? -1 : body.length);
        if (body.length > 0) {
            exchange.getResponseBody().write(body);
        }
        exchange.close();
    }

    Receiver behaving(Behaviour as) {
        behaviour = as;
        return this;
    }

    URI url() {
        return URI.create("http://127.0.0.1:" + server.getAddress().getPort() + "/");
    }

    URI url(String path) {
        return url().resolve(path);
    }

    /** All that came, also what was not taken. */
    List<Request> requests() {
        return requests;
    }

    /** What was answered with success. */
    List<Request> taken() {
        return taken;
    }

    @Override
    public void close() {
        server.stop(0);
        threads.shutdownNow();
    }
}
