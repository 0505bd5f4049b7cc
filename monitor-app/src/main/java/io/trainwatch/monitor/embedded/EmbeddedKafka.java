package io.trainwatch.monitor.embedded;

import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import kafka.server.KafkaConfig;
import kafka.server.KafkaRaftServer;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.utils.Time;
import org.apache.kafka.metadata.storage.Formatter;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A real Kafka broker of one node in this JVM, for a monitor that runs alone: it listens on loopback only and keeps its
 * data directory between starts. A directory serves one broker at a time.
 *
 * <pre>{@code
 * try (EmbeddedKafka kafka = EmbeddedKafka.start(Path.of("data"), 9092)) {
 *     monitor(kafka.bootstrapServers());
 * }
 * }</pre>
 */
public final class EmbeddedKafka implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(EmbeddedKafka.class);

    /** A healthy broker starts in two or three seconds; one that recovers large logs after a crash may need longer. */
    private static final Duration START_LIMIT = Duration.ofSeconds(60);

    private static final Duration STOP_LIMIT = Duration.ofSeconds(20);
    private static final String LOOPBACK = "127.0.0.1";
    private static final int NODE_ID = 1;

    private final KafkaRaftServer server;
    private final FileChannel lockFile;
    private final int port;
    private boolean closed;

    private EmbeddedKafka(KafkaRaftServer server, FileChannel lockFile, int port) {
        this.server = server;
        this.lockFile = lockFile;
        this.port = port;
    }

    /**
     * Starts a broker and waits until it serves, at most {@code 60 s}.
     *
     * @param dataDir where topics live; created and formatted if it is new
     * @param port port on 127.0.0.1, 0 to 65535; 0 takes a free one
     * @throws EmbeddedKafkaException if the directory is in use, is damaged or cannot be written, or the port is taken
     */
    public static EmbeddedKafka start(Path dataDir, int port) {
        return start(dataDir, port, Map.of());
    }

    /**
     * The same with settings of the broker on top, e.g. {@code log.retention.bytes}.
     *
     * @throws EmbeddedKafkaException as {@link #start(Path, int)} and if a setting is refused
     */
    public static EmbeddedKafka start(Path dataDir, int port, Map<String, String> brokerSettings) {
        Path dir = dataDir.toAbsolutePath().normalize();
        int brokerPort = port == 0 ? freePort() : requireFree(port);
        FileChannel lockFile = lock(dir);
        @Nullable KafkaRaftServer server = null;
        try {
            Properties properties = properties(dir, brokerPort, freePort());
            properties.putAll(brokerSettings);
            KafkaConfig config = KafkaConfig.fromProps(properties, false);
            formatIfNew(dir);
            KafkaRaftServer starting = new KafkaRaftServer(config, Time.SYSTEM);
            server = starting;
            within(START_LIMIT, "kafka-start", starting::startup);
            return new EmbeddedKafka(starting, lockFile, brokerPort);
        } catch (Exception e) {
            if (server != null) {
                shutDownQuietly(server);
            }
            unlock(lockFile);
            throw new EmbeddedKafkaException(
                    "The embedded Kafka broker cannot start on data directory " + dir + ": " + rootMessage(e)
                            + ". If the directory is damaged, move it away (its topics go with it) and start again.",
                    e);
        }
    }

    /** Where clients connect, e.g. {@code 127.0.0.1:9092}. */
    public String bootstrapServers() {
        return LOOPBACK + ":" + port;
    }

    public int port() {
        return port;
    }

    /** Stops the broker, at most {@code 20 s}, and frees the data directory. Safe to call twice. */
    @Override
    public synchronized void close() {
        if (closed) {
            return;
        }
        closed = true;
        shutDownQuietly(server);
        unlock(lockFile);
    }

    private static Properties properties(Path dir, int brokerPort, int controllerPort) {
        Properties p = new Properties();
        p.put("process.roles", "broker,controller");
        p.put("node.id", Integer.toString(NODE_ID));
        p.put("controller.quorum.voters", NODE_ID + "@" + LOOPBACK + ":" + controllerPort);
        p.put("controller.listener.names", "CONTROLLER");
        p.put("listener.security.protocol.map", "CONTROLLER:PLAINTEXT,CLIENTS:PLAINTEXT");
        p.put("inter.broker.listener.name", "CLIENTS");
        p.put(
                "listeners",
                "CLIENTS://" + LOOPBACK + ":" + brokerPort + ",CONTROLLER://" + LOOPBACK + ":" + controllerPort);
        p.put("advertised.listeners", "CLIENTS://" + LOOPBACK + ":" + brokerPort);
        p.put("log.dirs", logDir(dir).toString());
        p.put("auto.create.topics.enable", "false");
        p.put("default.replication.factor", "1");
        p.put("min.insync.replicas", "1");
        for (String internal : List.of("offsets.topic", "transaction.state.log", "share.coordinator.state.topic")) {
            p.put(internal + ".replication.factor", "1");
            p.put(internal + ".num.partitions", "1");
        }
        p.put("transaction.state.log.min.isr", "1");
        p.put("share.coordinator.state.topic.min.isr", "1");
        p.put("group.initial.rebalance.delay.ms", "0");
        // The default of 128 MB is for brokers with thousands of partitions.
        p.put("log.cleaner.dedupe.buffer.size", Integer.toString(8 << 20));
        // A broker that is late with its own heartbeats, because the machine is busy, declares itself dead and refuses
        // every
        // client; one that was killed may register again only after its old session. This is the price of each.
        p.put("broker.session.timeout.ms", "15000");
        p.put("broker.heartbeat.interval.ms", "500");
        return p;
    }

    private static Path logDir(Path dir) {
        return dir.resolve("kafka");
    }

    private static void formatIfNew(Path dir) throws Exception {
        Path logs = logDir(dir);
        if (Files.exists(logs.resolve("meta.properties"))) {
            return;
        }
        Files.createDirectories(logs);
        new Formatter()
                .setPrintStream(new PrintStream(OutputStream.nullOutputStream(), false, StandardCharsets.UTF_8))
                .setNodeId(NODE_ID)
                .setClusterId(Uuid.randomUuid().toString())
                .addDirectory(logs.toString())
                .setMetadataLogDirectory(logs.toString())
                .setControllerListenerName("CONTROLLER")
                .run();
    }

    private static FileChannel lock(Path dir) {
        FileChannel channel;
        try {
            Files.createDirectories(dir);
            channel = FileChannel.open(dir.resolve("in-use.lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
        } catch (IOException e) {
            throw new EmbeddedKafkaException(
                    "Data directory " + dir + " cannot be written: " + e
                            + ". Choose a directory that this user may write.",
                    e);
        }
        try {
            FileLock lock = channel.tryLock();
            if (lock != null) {
                return channel;
            }
        } catch (OverlappingFileLockException e) {
            // This JVM holds it already: the same answer as for another process.
        } catch (IOException e) {
            unlock(channel);
            throw new EmbeddedKafkaException(
                    "Data directory " + dir + " cannot be locked: " + e + ". Choose a directory on a local disk.", e);
        }
        unlock(channel);
        throw new EmbeddedKafkaException(
                "Data directory " + dir + " is in use by another broker. Stop that one, or choose another directory.");
    }

    private static void unlock(FileChannel lockFile) {
        try {
            lockFile.close();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** IPv4, which the listeners name: the loopback address of the platform may be {@code ::1}. */
    private static InetAddress loopback() throws IOException {
        return InetAddress.getByAddress(LOOPBACK, new byte[] {127, 0, 0, 1});
    }

    private static int freePort() {
        try (ServerSocket socket = new ServerSocket(0, 1, loopback())) {
            return socket.getLocalPort();
        } catch (IOException e) {
            throw new EmbeddedKafkaException("No free port on " + LOOPBACK + ": " + e + ".", e);
        }
    }

    private static int requireFree(int port) {
        try (ServerSocket socket = new ServerSocket()) {
            socket.setReuseAddress(true);
            socket.bind(new InetSocketAddress(loopback(), port), 1);
            return port;
        } catch (IOException | IllegalArgumentException e) {
            throw new EmbeddedKafkaException(
                    "Port " + port + " on " + LOOPBACK + " cannot be used: " + e.getMessage()
                            + ". Stop what listens there, or choose another port (0 takes a free one).",
                    e);
        }
    }

    private static void shutDownQuietly(KafkaRaftServer server) {
        try {
            within(STOP_LIMIT, "kafka-stop", () -> {
                server.shutdown();
                server.awaitShutdown();
            });
        } catch (Exception e) {
            LOG.warn("The embedded broker did not stop cleanly", e);
        }
    }

    private static void within(Duration limit, String threadName, Runnable work) throws Exception {
        CompletableFuture<Void> done = new CompletableFuture<>();
        Thread thread = new Thread(
                () -> {
                    try {
                        work.run();
                        done.complete(null);
                    } catch (Throwable e) {
                        done.completeExceptionally(e);
                    }
                },
                threadName);
        thread.setDaemon(true);
        thread.start();
        try {
            done.get(limit.toMillis(), TimeUnit.MILLISECONDS);
        } catch (TimeoutException e) {
            throw new TimeoutException("not done after " + limit.toSeconds() + " s");
        } catch (ExecutionException e) {
            throw new IllegalStateException(rootMessage(e), e);
        }
    }

    private static String rootMessage(Throwable e) {
        Throwable root = e;
        while (root.getCause() != null) {
            root = root.getCause();
        }
        return root.getMessage() == null ? root.toString() : root.getMessage();
    }
}
