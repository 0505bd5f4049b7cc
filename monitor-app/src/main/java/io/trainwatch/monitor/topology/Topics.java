package io.trainwatch.monitor.topology;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.Config;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.config.TopicConfig;
import org.apache.kafka.common.errors.TopicExistsException;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The topics of one monitor.
 *
 * <table>
 * <caption>What they hold</caption>
 * <tr><th>Topic<th>Key<th>Partition by<th>Kept
 * <tr><td>events<td>run_id<td>run_id<td>7 days
 * <tr><td>alerts<td>alert_id<td>run_id<td>the last state of each episode, 30 days
 * <tr><td>runs<td>run_id<td>run_id<td>the last status of each run, until the run is forgotten
 * <tr><td>commands<td>run_id<td>run_id<td>the last command of each run
 * <tr><td>notify state<td>what it is<td>one partition<td>what people were told, and what they said is not to be told
 * <tr><td>notify parked<td>incident<td>one partition<td>30 days: pages that no receiver took
 * <tr><td>dead letters<td>as it came<td>one partition<td>7 days
 * </table>
 *
 * <p>An alert is keyed by its episode, so that compaction keeps the last state of each one, and partitioned by its run,
 * so that a reader sees the alerts of a run in order.
 *
 * <p>The timestamp of an event record is the broker's, set as it arrives. A trainer whose clock says 1970 or 2100 can
 * then neither have its events deleted at once nor keep a log segment forever, and arrival times are equal at a replay.
 */
public record Topics(String prefix) {
    /** Largest alert and run status; both are bounded far below by what they hold. */
    static final int MAX_OUTCOME_BYTES = 512 << 10;
    /** Largest dead letter: an event of the largest size that a broker takes by default, cut if it is larger still. */
    static final int MAX_DEAD_LETTER_BYTES = 1 << 20;
    /** Room for key, headers and the batch around a record. */
    private static final int OVERHEAD_BYTES = 64 << 10;

    private static final long DAY_MS = 86_400_000;
    private static final int ADMIN_LIMIT_SECONDS = 60;
    private static final int KNOWN_LIMIT_SECONDS = 10;
    private static final long KNOWN_RETRY_MS = 50;
    private static final Logger LOG = LoggerFactory.getLogger(Topics.class);

    public String events() {
        return prefix + "events";
    }

    public String alerts() {
        return prefix + "alerts";
    }

    public String runs() {
        return prefix + "runs";
    }

    public String commands() {
        return prefix + "commands";
    }

    public String deadLetters() {
        return prefix + "dead-letters";
    }

    public String notifyState() {
        return prefix + "notify-state";
    }

    public String notifyParked() {
        return prefix + "notify-parked";
    }

    /** Consumer group and first part of the names of internal topics. */
    public String applicationId() {
        return prefix + "monitor";
    }

    /**
     * Creates the topics that are missing and checks those that exist.
     *
     * @throws IllegalStateException if a topic has another number of partitions or takes too small records, naming the
     *     topic and the remedy, or if the brokers do not answer within 60 s
     */
    public void create(Admin admin, int partitions, int replication) {
        Map<String, NewTopic> wanted = wanted(partitions, (short) replication);
        try {
            Set<String> existing = admin.listTopics().names().get(ADMIN_LIMIT_SECONDS, TimeUnit.SECONDS);
            List<NewTopic> missing = new ArrayList<>(wanted.values());
            missing.removeIf(topic -> existing.contains(topic.name()));
            for (var created : admin.createTopics(missing).values().entrySet()) {
                try {
                    created.getValue().get(ADMIN_LIMIT_SECONDS, TimeUnit.SECONDS);
                } catch (ExecutionException e) {
                    // Two instances may start together; the check below is for both.
                    if (!(e.getCause() instanceof TopicExistsException)) {
                        throw new IllegalStateException(
                                "Topic " + created.getKey() + " cannot be created: " + message(e)
                                        + ". Check that replication (" + replication
                                        + ") is at most the number of brokers and that this user may create topics.",
                                e);
                    }
                }
            }
            checkOnceKnown(admin, wanted);
        } catch (ExecutionException | TimeoutException e) {
            throw new IllegalStateException(
                    "The topics cannot be listed: " + message(e) + ". Check the bootstrap servers and that they run.",
                    e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException("Interrupted while creating topics.", e);
        }
    }

    /** A topic that was created is not known to every broker at once. */
    private static void checkOnceKnown(Admin admin, Map<String, NewTopic> wanted)
            throws ExecutionException, InterruptedException, TimeoutException {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(KNOWN_LIMIT_SECONDS);
        while (true) {
            try {
                check(admin, wanted);
                return;
            } catch (ExecutionException e) {
                if (!(e.getCause() instanceof UnknownTopicOrPartitionException) || System.nanoTime() > deadline) {
                    throw e;
                }
                Thread.sleep(KNOWN_RETRY_MS);
            }
        }
    }

    private static void check(Admin admin, Map<String, NewTopic> wanted)
            throws ExecutionException, InterruptedException, TimeoutException {
        Map<String, TopicDescription> found =
                admin.describeTopics(wanted.keySet()).allTopicNames().get(ADMIN_LIMIT_SECONDS, TimeUnit.SECONDS);
        Map<ConfigResource, Config> configs = admin.describeConfigs(wanted.keySet().stream()
                        .map(name -> new ConfigResource(ConfigResource.Type.TOPIC, name))
                        .toList())
                .all()
                .get(ADMIN_LIMIT_SECONDS, TimeUnit.SECONDS);
        for (NewTopic topic : wanted.values()) {
            String name = topic.name();
            TopicDescription description = found.get(name);
            int has = description == null ? 0 : description.partitions().size();
            if (has != topic.numPartitions()) {
                throw new IllegalStateException(
                        "Topic " + name + " has " + has + " partitions, the monitor wants " + topic.numPartitions()
                                + ". The place of a run's events and state depends on that number: set partitions to that of"
                                + " the existing topics, choose another topic prefix, or delete the topic.");
            }
            Config config = configs.get(new ConfigResource(ConfigResource.Type.TOPIC, name));
            long takes = Long.parseLong(value(config, TopicConfig.MAX_MESSAGE_BYTES_CONFIG));
            long needs = Long.parseLong(topic.configs().get(TopicConfig.MAX_MESSAGE_BYTES_CONFIG));
            if (takes < needs) {
                throw new IllegalStateException("Topic " + name + " takes records of at most " + takes
                        + " bytes, the monitor may write " + needs + ": raise its max.message.bytes.");
            }
            String timestamps = topic.configs().get(TopicConfig.MESSAGE_TIMESTAMP_TYPE_CONFIG);
            if (timestamps != null && !timestamps.equals(value(config, TopicConfig.MESSAGE_TIMESTAMP_TYPE_CONFIG))) {
                LOG.warn(
                        "Topic {} keeps the timestamps of producers: a wrong clock of a trainer then decides how long its"
                                + " events are kept. Set message.timestamp.type=LogAppendTime.",
                        name);
            }
        }
    }

    private Map<String, NewTopic> wanted(int partitions, short replication) {
        Map<String, NewTopic> topics = new LinkedHashMap<>();
        add(
                topics,
                new NewTopic(events(), partitions, replication),
                MAX_DEAD_LETTER_BYTES,
                Map.of(
                        TopicConfig.CLEANUP_POLICY_CONFIG, "delete",
                        TopicConfig.RETENTION_MS_CONFIG, Long.toString(7 * DAY_MS),
                        TopicConfig.MESSAGE_TIMESTAMP_TYPE_CONFIG, "LogAppendTime"));
        add(
                topics,
                new NewTopic(alerts(), partitions, replication),
                MAX_OUTCOME_BYTES + OVERHEAD_BYTES,
                Map.of(
                        TopicConfig.CLEANUP_POLICY_CONFIG,
                        "compact,delete",
                        TopicConfig.RETENTION_MS_CONFIG,
                        Long.toString(30 * DAY_MS)));
        add(
                topics,
                new NewTopic(runs(), partitions, replication),
                MAX_OUTCOME_BYTES + OVERHEAD_BYTES,
                Map.of(TopicConfig.CLEANUP_POLICY_CONFIG, "compact"));
        add(
                topics,
                new NewTopic(commands(), partitions, replication),
                MAX_OUTCOME_BYTES + OVERHEAD_BYTES,
                Map.of(TopicConfig.CLEANUP_POLICY_CONFIG, "compact"));
        add(
                topics,
                new NewTopic(notifyState(), 1, replication),
                MAX_OUTCOME_BYTES + OVERHEAD_BYTES,
                Map.of(TopicConfig.CLEANUP_POLICY_CONFIG, "compact"));
        add(
                topics,
                new NewTopic(notifyParked(), 1, replication),
                MAX_OUTCOME_BYTES + OVERHEAD_BYTES,
                Map.of(
                        TopicConfig.CLEANUP_POLICY_CONFIG,
                        "delete",
                        TopicConfig.RETENTION_MS_CONFIG,
                        Long.toString(30 * DAY_MS)));
        add(
                topics,
                new NewTopic(deadLetters(), 1, replication),
                MAX_DEAD_LETTER_BYTES + OVERHEAD_BYTES,
                Map.of(
                        TopicConfig.CLEANUP_POLICY_CONFIG,
                        "delete",
                        TopicConfig.RETENTION_MS_CONFIG,
                        Long.toString(7 * DAY_MS)));
        return topics;
    }

    private static void add(Map<String, NewTopic> topics, NewTopic topic, int maxBytes, Map<String, String> configs) {
        Map<String, String> all = new LinkedHashMap<>(configs);
        all.put(TopicConfig.MAX_MESSAGE_BYTES_CONFIG, Integer.toString(maxBytes));
        topics.put(topic.name(), topic.configs(all));
    }

    private static String value(@Nullable Config config, String name) {
        ConfigEntry entry = config == null ? null : config.get(name);
        return entry == null || entry.value() == null ? "0" : entry.value();
    }

    private static String message(Exception e) {
        return e.getCause() == null ? e.toString() : String.valueOf(e.getCause().getMessage());
    }
}
