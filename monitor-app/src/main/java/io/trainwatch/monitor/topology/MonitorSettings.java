package io.trainwatch.monitor.topology;

import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.function.Consumer;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * How a monitor runs. Immutable; {@link #forBroker} gives the defaults, the {@code with} methods change one of them.
 *
 * @param bootstrapServers brokers, {@code host:port,...}
 * @param topicPrefix first part of every topic name and of the consumer group, default {@code "trainwatch."}: letters,
 *     digits, {@code . _ -}, at most 100 characters
 * @param partitions partitions of the topics that are keyed by run, 1 to 1000, default 8: the most threads that can ever
 *     judge at once over all instances. It cannot change later without losing the order of running runs.
 * @param replication copies of each topic, 1 to 10, default 1 as for the embedded broker; take 3 on a real cluster
 * @param stateDir directory of the run states, one per instance; may be lost, then the states come back from the broker
 * @param threads threads that judge, 1 to 64, default half of the processors (the other half is the broker's, the
 *     garbage collector's and the readers')
 * @param guarantee default {@link Guarantee#EXACTLY_ONCE}
 * @param commitInterval longest time between two commits while events are judged as they come, 10 ms to 1 min, default
 *     10 s; {@value #COMMIT_FACTOR_BEHIND} times as long while old ones are caught up with. Each commit writes the state of
 *     every run that changed, so a longer one costs less; a crash judges that much again, and readers of the runs topic see
 *     a status that much later. Alerts do not wait for it: they ask for a commit at once.
 * @param maxLiveRuns runs kept on the heap over all threads, at least 1, default one per 60 kB of half of the heap; the
 *     others stay in the store on disk and come back with their next event
 * @param runRetention how long a run without events is remembered, default 7 days, which is how long its events are kept
 * @param endedTtl how long a run that has ended stays on the board, default 1 h
 * @param idleTtl how long a run that is silent without having ended stays on the board and is judged for silence,
 *     default 24 h
 * @param tickGrace time after a partition was assigned in which no run is judged for silence, default 30 s
 * @param address {@code host:port} at which the other instances reach the HTTP of this one; null if they do not
 * @param clientProperties settings for every Kafka client on top, e.g. {@code security.protocol}
 */
public record MonitorSettings(
        String bootstrapServers,
        String topicPrefix,
        int partitions,
        int replication,
        Path stateDir,
        int threads,
        Guarantee guarantee,
        Duration commitInterval,
        int maxLiveRuns,
        Duration runRetention,
        Duration endedTtl,
        Duration idleTtl,
        Duration tickGrace,
        @Nullable String address,
        Map<String, String> clientProperties) {

    private static final Pattern PREFIX = Pattern.compile("[A-Za-z0-9._-]{1,100}");
    private static final int HEAP_BYTES_PER_RUN = 60_000;

    /** What a crash may do to alerts and counts. */
    public enum Guarantee {
        /** Nothing lost, nothing twice: state, alerts and offsets commit together. */
        EXACTLY_ONCE,
        /** Nothing lost; events since the last commit are judged again, the alerts they raise keep their ids. */
        AT_LEAST_ONCE
    }

    static final int COMMIT_FACTOR_BEHIND = 3;

    public MonitorSettings {
        require(!bootstrapServers.isBlank(), "bootstrapServers", bootstrapServers, "host:port");
        require(PREFIX.matcher(topicPrefix).matches(), "topicPrefix", topicPrefix, "1 to 100 of A-Z a-z 0-9 . _ -");
        requireRange("partitions", partitions, 1, 1000);
        requireRange("replication", replication, 1, 10);
        requireRange("threads", threads, 1, 64);
        requireRange("maxLiveRuns", maxLiveRuns, 1, Integer.MAX_VALUE);
        requireRange("commitInterval", commitInterval, Duration.ofMillis(10), Duration.ofMinutes(1));
        requireRange("runRetention", runRetention, Duration.ofSeconds(1), Duration.ofDays(3650));
        requireRange("endedTtl", endedTtl, Duration.ZERO, runRetention);
        requireRange("idleTtl", idleTtl, Duration.ZERO, runRetention);
        requireRange("tickGrace", tickGrace, Duration.ZERO, Duration.ofDays(1));
        clientProperties = Map.copyOf(clientProperties);
    }

    /** The defaults. */
    public static MonitorSettings forBroker(String bootstrapServers, Path stateDir) {
        return new MonitorSettings(
                bootstrapServers,
                "trainwatch.",
                8,
                1,
                stateDir,
                Math.min(8, Math.max(1, Runtime.getRuntime().availableProcessors() / 2)),
                Guarantee.EXACTLY_ONCE,
                Duration.ofSeconds(10),
                (int) Math.min(1_000_000, Math.max(1_000, Runtime.getRuntime().maxMemory() / 2 / HEAP_BYTES_PER_RUN)),
                Duration.ofDays(7),
                Duration.ofHours(1),
                Duration.ofHours(24),
                Duration.ofSeconds(30),
                null,
                Map.of());
    }

    /** Longest time between two commits while old events are caught up with: then nobody waits for one in particular. */
    Duration commitIntervalBehind() {
        return commitInterval.multipliedBy(COMMIT_FACTOR_BEHIND);
    }

    public MonitorSettings withTopicPrefix(String value) {
        return change(draft -> draft.topicPrefix = value);
    }

    public MonitorSettings withPartitions(int value) {
        return change(draft -> draft.partitions = value);
    }

    public MonitorSettings withReplication(int value) {
        return change(draft -> draft.replication = value);
    }

    public MonitorSettings withThreads(int value) {
        return change(draft -> draft.threads = value);
    }

    public MonitorSettings withGuarantee(Guarantee value) {
        return change(draft -> draft.guarantee = value);
    }

    public MonitorSettings withCommitInterval(Duration value) {
        return change(draft -> draft.commitInterval = value);
    }

    public MonitorSettings withMaxLiveRuns(int value) {
        return change(draft -> draft.maxLiveRuns = value);
    }

    /** Changes how long runs are remembered: without events, after their end, and silent. */
    public MonitorSettings withLifetimes(Duration retention, Duration ended, Duration idle) {
        return change(draft -> {
            draft.runRetention = retention;
            draft.endedTtl = ended;
            draft.idleTtl = idle;
        });
    }

    public MonitorSettings withTickGrace(Duration value) {
        return change(draft -> draft.tickGrace = value);
    }

    public MonitorSettings withClientProperties(Map<String, String> value) {
        return change(draft -> draft.clientProperties = value);
    }

    private static <T extends Comparable<T>> void requireRange(String name, T value, T least, T most) {
        require(
                value.compareTo(least) >= 0 && value.compareTo(most) <= 0,
                name,
                value.toString(),
                least + " to " + most);
    }

    private static void require(boolean good, String name, String value, String allowed) {
        if (!good) {
            throw new IllegalArgumentException(name + " is \"" + value + "\"; allowed is " + allowed + ".");
        }
    }

    public MonitorSettings withAddress(@Nullable String value) {
        return change(draft -> draft.address = value);
    }

    private MonitorSettings change(Consumer<Draft> change) {
        Draft draft = new Draft(this);
        change.accept(draft);
        return draft.done();
    }

    /** The settings, to be changed. */
    private static final class Draft {
        final String bootstrapServers;
        String topicPrefix;
        int partitions;
        int replication;
        final Path stateDir;
        int threads;
        Guarantee guarantee;
        Duration commitInterval;
        int maxLiveRuns;
        Duration runRetention;
        Duration endedTtl;
        Duration idleTtl;
        Duration tickGrace;

        @Nullable
        String address;

        Map<String, String> clientProperties;

        Draft(MonitorSettings of) {
            bootstrapServers = of.bootstrapServers;
            topicPrefix = of.topicPrefix;
            partitions = of.partitions;
            replication = of.replication;
            stateDir = of.stateDir;
            threads = of.threads;
            guarantee = of.guarantee;
            commitInterval = of.commitInterval;
            maxLiveRuns = of.maxLiveRuns;
            runRetention = of.runRetention;
            endedTtl = of.endedTtl;
            idleTtl = of.idleTtl;
            tickGrace = of.tickGrace;
            address = of.address;
            clientProperties = of.clientProperties;
        }

        MonitorSettings done() {
            return new MonitorSettings(
                    bootstrapServers,
                    topicPrefix,
                    partitions,
                    replication,
                    stateDir,
                    threads,
                    guarantee,
                    commitInterval,
                    maxLiveRuns,
                    runRetention,
                    endedTtl,
                    idleTtl,
                    tickGrace,
                    address,
                    clientProperties);
        }
    }
}
