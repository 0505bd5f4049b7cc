package io.trainwatch.sdk.internal;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import io.trainwatch.codec.SingleObjectCodec;
import io.trainwatch.codec.UndecodableException;
import java.io.DataInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.zip.GZIPInputStream;
import org.jspecify.annotations.Nullable;

/** Answers as a monitor does, or as a test has it misbehave. */
final class Receiver implements AutoCloseable {
    /** What one request brought. */
    record Posted(
            List<Long> seqs,
            @Nullable String authorization,
            @Nullable String contentType) {}

    /** How to answer a request that is not to be answered as usual. */
    interface Answer {
        void to(HttpExchange exchange, Posted posted) throws Exception;
    }

    /** Misbehaviours of the next requests, one each. */
    final Queue<Answer> next = new ConcurrentLinkedQueue<>();

    /** Requests in the order in which they came. */
    final Queue<Posted> posted = new ConcurrentLinkedQueue<>();

    /** Sequence numbers of what was acknowledged, in order. */
    final Queue<Long> acknowledged = new ConcurrentLinkedQueue<>();

    private final HttpServer server;
    private final ExecutorService threads = Executors.newCachedThreadPool();

    Receiver(int port) throws IOException {
        server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), port), 0);
        server.createContext("/api/v1/events", this::receive);
        server.setExecutor(threads);
        server.start();
    }

    Location.Http location() {
        return (Location.Http)
                Location.parse("http://127.0.0.1:" + server.getAddress().getPort());
    }

    private void receive(HttpExchange exchange) throws IOException {
        Posted request = new Posted(
                read(exchange),
                exchange.getRequestHeaders().getFirst("Authorization"),
                exchange.getRequestHeaders().getFirst("Content-Type"));
        posted.add(request);
        Answer answer = next.poll();
        try {
            if (answer == null) {
                acknowledged.addAll(request.seqs());
                answer(exchange, 200, "{\"accepted\":" + request.seqs().size() + ",\"rejected\":[],\"commands\":[]}");
            } else {
                answer.to(exchange, request);
            }
        } catch (Exception e) {
            throw new IOException(e);
        } finally {
            exchange.close();
        }
    }

    static void answer(HttpExchange exchange, int status, String body) throws IOException {
        byte[] bytes = body.getBytes(StandardCharsets.UTF_8);
        exchange.sendResponseHeaders(status, bytes.length);
        exchange.getResponseBody().write(bytes);
    }

    private static List<Long> read(HttpExchange exchange) throws IOException {
        List<Long> seqs = new ArrayList<>();
        SingleObjectCodec<io.trainwatch.event.TrainingEvent> codec = SingleObjectCodec.events();
        try (DataInputStream in = new DataInputStream(new GZIPInputStream(exchange.getRequestBody()))) {
            while (true) {
                byte[] event = new byte[in.readInt()];
                in.readFully(event);
                seqs.add(codec.decode(event).getSeq());
            }
        } catch (EOFException end) {
            return seqs;
        } catch (UndecodableException e) {
            throw new IOException(e);
        }
    }

    @Override
    public void close() {
        server.stop(0);
        threads.shutdownNow();
    }
}
