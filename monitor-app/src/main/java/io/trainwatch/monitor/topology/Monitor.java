package io.trainwatch.monitor.topology;

import io.trainwatch.monitor.board.RunBoard;
import io.trainwatch.monitor.judge.RunJudge;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Collectors;
import org.apache.kafka.clients.CommonClientConfigs;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ListOffsetsResult.ListOffsetsResultInfo;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringSerializer;
import org.apache.kafka.streams.CloseOptions;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.KeyQueryMetadata;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.state.HostInfo;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A running instance: joins the others of its group and judges the runs of its share of the partitions until it is closed.
 *
 * <pre>{@code
 * try (Monitor monitor = Monitor.start(MonitorSettings.forBroker("127.0.0.1:9092", Path.of("data/state")))) {
 *     monitor.awaitRunning(Duration.ofSeconds(30));
 *     serve(monitor.board());
 * }
 * }</pre>
 *
 * <p>A thread that dies of an error is replaced, after {@code 100 ms} at first and twice as long each further time, up to
 * {@code 30 s}; bad settings and topics that do not fit refuse the start instead.
 */
public final class Monitor implements AutoCloseable {
    private static final Duration CLOSE_LIMIT = Duration.ofSeconds(20);
    /** How long a commit may take: the broker aborts a longer one, and its events are judged again. */
    private static final long LONGEST_COMMIT_MS = 15_000;

    private static final long LAG_INTERVAL_MS = 1_000;
    private static final int LAG_LIMIT_SECONDS = 5;
    private static final long UNREACHABLE_MS = 10_000;
    private static final long FIRST_BACKOFF_MS = 100;
    private static final long LONGEST_BACKOFF_MS = 30_000;
    /** A thread that has lived this long starts again with the shortest backoff. */
    private static final long HEALED_MS = 60_000;

    private static final Logger LOG = LoggerFactory.getLogger(Monitor.class);

    private final MonitorSettings settings;
    private final Topics topics;
    private final RunBoard board = new RunBoard();
    private final MonitorCounters counters = new MonitorCounters();
    private final Lag lag = new Lag();
    private final Admin admin;
    private final KafkaStreams streams;
    private final ScheduledExecutorService lagReader;
    private final CountDownLatch closing = new CountDownLatch(1);
    private final CountDownLatch firstRunning = new CountDownLatch(1);
    private final AtomicInteger failuresInARow = new AtomicInteger();
    private volatile long threadDiedAtMs;
    private volatile String threadDiedOf = "";
    private volatile long brokersAnsweredAtMs = System.currentTimeMillis();

    private Monitor(MonitorSettings settings, Admin admin, RunJudge judge) {
        this.settings = settings;
        this.admin = admin;
        topics = new Topics(settings.topicPrefix());
        Properties properties = streamsProperties(settings);
        properties.put(TooLargeDropped.COUNTERS, counters);
        streams = new KafkaStreams(
                MonitorTopology.draw(topics, judge, board, lag, counters, settings, properties), properties);
        streams.setUncaughtExceptionHandler(this::onThreadDeath);
        streams.setStateListener((now, before) -> {
            if (now == KafkaStreams.State.RUNNING) {
                firstRunning.countDown();
            }
        });
        lagReader = Executors.newSingleThreadScheduledExecutor(task -> {
            Thread thread = new Thread(task, "trainwatch-lag");
            thread.setDaemon(true);
            return thread;
        });
    }

    /**
     * Creates the topics that are missing and starts to judge; returns before the first partition is assigned.
     *
     * @throws IllegalStateException if a topic does not fit or the brokers do not answer: which, and the remedy
     * @throws org.apache.kafka.common.config.ConfigException if a client property is refused
     */
    public static Monitor start(MonitorSettings settings) {
        return start(settings, new RunJudge());
    }

    /** The same with a judge of other settings. */
    public static Monitor start(MonitorSettings settings, RunJudge judge) {
        Map<String, Object> adminProperties = new HashMap<>(settings.clientProperties());
        adminProperties.put(CommonClientConfigs.BOOTSTRAP_SERVERS_CONFIG, settings.bootstrapServers());
        Admin admin = Admin.create(adminProperties);
        Monitor monitor;
        try {
            new Topics(settings.topicPrefix()).create(admin, settings.partitions(), settings.replication());
            monitor = new Monitor(settings, admin, judge);
        } catch (RuntimeException e) {
            admin.close(Duration.ZERO);
            throw e;
        }
        monitor.run();
        return monitor;
    }

    private void run() {
        try {
            streams.start();
            // readLag keeps its errors: the future only ends with the executor.
            var unused = lagReader.scheduleWithFixedDelay(this::readLag, 0, LAG_INTERVAL_MS, TimeUnit.MILLISECONDS);
        } catch (RuntimeException e) {
            close();
            throw e;
        }
    }

    public MonitorState state() {
        if (closing.getCount() == 0) {
            return MonitorState.STOPPED;
        }
        if (!trouble().isEmpty()) {
            return MonitorState.DEGRADED;
        }
        return firstRunning.getCount() == 0 ? MonitorState.RUNNING : MonitorState.STARTING;
    }

    /** What is in the way of judging, in one line; empty if nothing is. */
    public String trouble() {
        long now = System.currentTimeMillis();
        if (now - brokersAnsweredAtMs > UNREACHABLE_MS) {
            return "The brokers at " + settings.bootstrapServers() + " have not answered for "
                    + (now - brokersAnsweredAtMs) / 1000 + " s.";
        }
        if (threadDiedAtMs != 0 && now - threadDiedAtMs < HEALED_MS) {
            return "A judging thread died " + (now - threadDiedAtMs) / 1000 + " s ago: " + threadDiedOf;
        }
        KafkaStreams.State state = streams.state();
        return state.isShuttingDown() || state.hasCompletedShutdown() ? "Kafka Streams is in state " + state + "." : "";
    }

    /** Waits until partitions are assigned and their states restored; says whether that came in time. */
    public boolean awaitRunning(Duration limit) throws InterruptedException {
        return firstRunning.await(limit.toMillis(), TimeUnit.MILLISECONDS);
    }

    /** The runs that this instance judges. */
    public RunBoard board() {
        return board;
    }

    public MonitorCounters counters() {
        return counters;
    }

    public Topics topics() {
        return topics;
    }

    /** Events in the partitions of this instance that wait to be judged, at most about a second old. */
    public long lag() {
        return lag.events();
    }

    /** Where the other instance that judges a run is, {@code host:port}; empty if it is this one, or not known now. */
    public Optional<String> judgeOf(String runId) {
        try {
            KeyQueryMetadata judge = streams.queryMetadataForKey(RunStore.NAME, runId, new StringSerializer());
            return judge == null || judge.equals(KeyQueryMetadata.NOT_AVAILABLE)
                    ? Optional.empty()
                    : other(judge.activeHost());
        } catch (IllegalStateException notRunning) {
            return Optional.empty();
        }
    }

    /** Where the other instances that judge runs are. */
    public Set<String> others() {
        try {
            return streams.metadataForAllStreamsClients().stream()
                    .filter(instance -> !instance.topicPartitions().isEmpty())
                    .flatMap(instance -> other(instance.hostInfo()).stream())
                    .collect(Collectors.toSet());
        } catch (IllegalStateException notRunning) {
            return Set.of();
        }
    }

    private Optional<String> other(HostInfo instance) {
        String address = instance.host() + ":" + instance.port();
        return instance.equals(HostInfo.unavailable()) || address.equals(settings.address())
                ? Optional.empty()
                : Optional.of(address);
    }

    /** For the metrics of Kafka Streams; do not start or close it. */
    public KafkaStreams streams() {
        return streams;
    }

    /** Commits, leaves the group so that others take over at once, and frees everything, within 20 s. Safe to call twice. */
    @Override
    public void close() {
        closing.countDown();
        lagReader.shutdownNow();
        boolean clean = streams.close(CloseOptions.timeout(CLOSE_LIMIT)
                .withGroupMembershipOperation(CloseOptions.GroupMembershipOperation.LEAVE_GROUP));
        if (!clean) {
            LOG.warn(
                    "The monitor did not stop within {} s; what was not committed is judged again.",
                    CLOSE_LIMIT.toSeconds());
        }
        admin.close(Duration.ofSeconds(2));
    }

    private StreamThreadExceptionResponse onThreadDeath(Throwable error) {
        long now = System.currentTimeMillis();
        if (now - threadDiedAtMs > HEALED_MS) {
            failuresInARow.set(0);
        }
        int failures = failuresInARow.getAndIncrement();
        threadDiedAtMs = now;
        threadDiedOf = String.valueOf(error.getMessage());
        counters.threadReplaced();
        long backoffMs = Math.min(LONGEST_BACKOFF_MS, FIRST_BACKOFF_MS << Math.min(failures, 10));
        LOG.error("A judging thread died; another one takes over in {} ms", backoffMs, error);
        try {
            if (closing.await(backoffMs, TimeUnit.MILLISECONDS)) {
                return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        return StreamThreadExceptionResponse.REPLACE_THREAD;
    }

    private void readLag() {
        try {
            Map<TopicPartition, OffsetSpec> latest = new HashMap<>();
            Map<TopicPartition, OffsetSpec> earliest = new HashMap<>();
            for (int partition : lag.assigned()) {
                TopicPartition topicPartition = new TopicPartition(topics.events(), partition);
                latest.put(topicPartition, OffsetSpec.latest());
                earliest.put(topicPartition, OffsetSpec.earliest());
            }
            Map<TopicPartition, OffsetAndMetadata> committed = admin.listConsumerGroupOffsets(topics.applicationId())
                    .partitionsToOffsetAndMetadata()
                    .get(LAG_LIMIT_SECONDS, TimeUnit.SECONDS);
            Map<TopicPartition, ListOffsetsResultInfo> starts =
                    admin.listOffsets(earliest).all().get(LAG_LIMIT_SECONDS, TimeUnit.SECONDS);
            Map<TopicPartition, ListOffsetsResultInfo> ends =
                    admin.listOffsets(latest).all().get(LAG_LIMIT_SECONDS, TimeUnit.SECONDS);
            long now = System.currentTimeMillis();
            ends.forEach((partition, end) -> {
                OffsetAndMetadata commit = committed.get(partition);
                ListOffsetsResultInfo first = starts.get(partition);
                long start = first == null ? 0 : first.offset();
                lag.observe(
                        partition.partition(),
                        commit == null ? start : Math.max(start, commit.offset()),
                        end.offset(),
                        now);
            });
            brokersAnsweredAtMs = now;
        } catch (ExecutionException | TimeoutException | RuntimeException e) {
            LOG.debug("The lag cannot be read", e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    static Properties streamsProperties(MonitorSettings settings) {
        Properties p = new Properties();
        p.putAll(settings.clientProperties());
        p.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, settings.bootstrapServers());
        p.put(StreamsConfig.APPLICATION_ID_CONFIG, new Topics(settings.topicPrefix()).applicationId());
        if (settings.address() != null) {
            p.put(StreamsConfig.APPLICATION_SERVER_CONFIG, settings.address());
        }
        p.put(StreamsConfig.STATE_DIR_CONFIG, settings.stateDir().toString());
        p.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, settings.threads());
        p.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, settings.replication());
        p.put(
                StreamsConfig.PROCESSING_GUARANTEE_CONFIG,
                switch (settings.guarantee()) {
                    case EXACTLY_ONCE -> StreamsConfig.EXACTLY_ONCE_V2;
                    case AT_LEAST_ONCE -> StreamsConfig.AT_LEAST_ONCE;
                });
        p.put(
                StreamsConfig.COMMIT_INTERVAL_MS_CONFIG,
                settings.commitIntervalBehind().toMillis());
        p.put(StreamsConfig.ENSURE_EXPLICIT_INTERNAL_RESOURCE_NAMING_CONFIG, true);
        p.put(StreamsConfig.PRODUCTION_EXCEPTION_HANDLER_CLASS_CONFIG, TooLargeDropped.class);
        // Readers of committed records wait this long for an instance that died while it committed and does not come
        // back.
        p.put(StreamsConfig.producerPrefix(ProducerConfig.TRANSACTION_TIMEOUT_CONFIG), (int)
                (settings.commitIntervalBehind().toMillis() + LONGEST_COMMIT_MS));
        // A new instance warms its states up first; the default looks every 10 min whether it has.
        p.put(StreamsConfig.PROBING_REBALANCE_INTERVAL_MS_CONFIG, 60_000);
        // An alert that waits for its commit is served when a poll returns, so an idle poll must be short.
        p.put(StreamsConfig.POLL_MS_CONFIG, 20);
        p.put(StreamsConfig.BUFFERED_RECORDS_PER_PARTITION_CONFIG, 5_000);
        p.put(StreamsConfig.consumerPrefix(ConsumerConfig.MAX_POLL_RECORDS_CONFIG), 5_000);
        // A member that died gives its partitions to the others after this, not after the default of 45 s.
        p.put(StreamsConfig.consumerPrefix(ConsumerConfig.SESSION_TIMEOUT_MS_CONFIG), 10_000);
        p.put(
                StreamsConfig.mainConsumerPrefix(ConsumerConfig.GROUP_INSTANCE_ID_CONFIG),
                instanceId(settings.stateDir()));
        // The first record after a commit is refused until its markers are written, a few milliseconds.
        p.put(StreamsConfig.producerPrefix(ProducerConfig.RETRY_BACKOFF_MS_CONFIG), 5);
        // Changelog records are large: small batches are what makes a logged store slow.
        p.put(StreamsConfig.producerPrefix(ProducerConfig.BATCH_SIZE_CONFIG), 256 << 10);
        p.put(StreamsConfig.producerPrefix(ProducerConfig.LINGER_MS_CONFIG), 20);
        p.put(StreamsConfig.producerPrefix(ProducerConfig.BUFFER_MEMORY_CONFIG), 64 << 20);
        p.put(
                StreamsConfig.producerPrefix(ProducerConfig.MAX_REQUEST_SIZE_CONFIG),
                RunStore.MAX_STATE_BYTES + (64 << 10));
        return p;
    }

    /** Stays with the state directory, so that a process that was killed takes its partitions back without a rebalance. */
    private static String instanceId(Path stateDir) {
        Path file = stateDir.resolve("instance-id");
        try {
            if (Files.exists(file)) {
                return Files.readString(file).strip();
            }
            Files.createDirectories(stateDir);
            String id = UUID.randomUUID().toString();
            Files.write(file, id.getBytes(StandardCharsets.US_ASCII));
            return id;
        } catch (IOException e) {
            throw new IllegalStateException(
                    "State directory " + stateDir + " cannot be used: " + e
                            + ". Choose a directory that this user may write.",
                    e);
        }
    }
}
