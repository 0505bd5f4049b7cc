package io.trainwatch.monitor.topology;

import io.trainwatch.monitor.board.RunBoard;
import io.trainwatch.monitor.judge.RunJudge;
import io.trainwatch.monitor.topology.Outcome.Destination;
import io.trainwatch.monitor.topology.RunStore.HeapBudget;
import java.nio.charset.StandardCharsets;
import java.util.Optional;
import java.util.Properties;
import java.util.Set;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Utils;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.TopologyConfig;
import org.apache.kafka.streams.kstream.Branched;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Named;
import org.apache.kafka.streams.kstream.Produced;

/**
 * The drawing.
 *
 * <pre>
 *             +-------+      +-------+ ---> alerts
 *  events --> | judge | ---> | split | ---> runs
 *             +-------+      +-------+ ---> dead letters
 *                 |
 *               runs store, logged
 * </pre>
 */
final class MonitorTopology {
    private static final Serde<byte[]> BYTES = Serdes.ByteArray();
    private static final Serde<Outcome> OUTCOMES =
            Serdes.serdeFrom((topic, outcome) -> outcome.bytes(), (topic, bytes) -> {
                throw new UnsupportedOperationException("Outcomes are never read.");
            });

    private MonitorTopology() {}

    static Topology draw(
            Topics topics,
            RunJudge judge,
            RunBoard board,
            Lag lag,
            MonitorCounters counters,
            MonitorSettings settings,
            Properties streams) {
        StreamsBuilder builder = new StreamsBuilder(new TopologyConfig(new StreamsConfig(streams)));
        ThreadLocal<CommitPacer> pacers = ThreadLocal.withInitial(CommitPacer::new);
        ReferenceDesk references = new ReferenceDesk();
        builder.addStateStore(RunStore.builder(judge, new HeapBudget(settings.maxLiveRuns()), pacers, counters));
        builder.stream(
                        topics.events(),
                        Consumed.with(BYTES, BYTES).withName("events").withTimestampExtractor(new ArrivalTime()))
                .process(
                        () -> new JudgeProcessor(judge, board, references, lag, pacers, counters, settings),
                        Named.as("judge"),
                        RunStore.NAME)
                .split(Named.as("outcome-"))
                .branch(
                        (key, outcome) -> outcome.goesTo(Destination.ALERTS),
                        Branched.<byte[], Outcome>withConsumer(alerts -> alerts.to(
                                        topics.alerts(),
                                        Produced.with(BYTES, OUTCOMES)
                                                .withName("alerts")
                                                .withStreamPartitioner(MonitorTopology::partitionOfRun)))
                                .withName("alert"))
                .branch(
                        (key, outcome) -> outcome.goesTo(Destination.RUNS),
                        Branched.<byte[], Outcome>withConsumer(runs -> runs.to(
                                        topics.runs(),
                                        Produced.with(BYTES, OUTCOMES).withName("runs")))
                                .withName("status"))
                .branch(
                        (key, outcome) -> outcome.goesTo(Destination.DEAD_LETTERS),
                        Branched.<byte[], Outcome>withConsumer(letters -> letters.to(
                                        topics.deadLetters(),
                                        Produced.with(BYTES, OUTCOMES).withName("dead-letters")))
                                .withName("dead-letter"));
        return builder.build(streams);
    }

    /** As the default partitioner of every client does with the run_id as key. */
    private static Optional<Set<Integer>> partitionOfRun(String topic, byte[] key, Outcome outcome, int partitions) {
        byte[] runId = outcome.runId().getBytes(StandardCharsets.UTF_8);
        return Optional.of(Set.of(Utils.toPositive(Utils.murmur2(runId)) % partitions));
    }
}
