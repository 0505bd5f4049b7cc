package io.trainwatch.monitor.topology;

import io.trainwatch.alert.Alert;
import io.trainwatch.codec.SingleObjectCodec;
import io.trainwatch.codec.UndecodableException;
import io.trainwatch.event.TrainingEvent;
import io.trainwatch.monitor.board.RunBoard;
import io.trainwatch.monitor.judge.RunJudge;
import io.trainwatch.run.RunStatus;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.streams.TestInputTopic;
import org.apache.kafka.streams.TestOutputTopic;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.TopologyTestDriver;
import org.apache.kafka.streams.test.TestRecord;

/** The whole topology on a clock of its own, without a broker. */
final class TopologyRig implements AutoCloseable {
    final MonitorCounters counters = new MonitorCounters();
    final RunBoard board = new RunBoard();
    final Lag lag = new Lag();
    final Topics topics;
    final Topology topology;
    private final TopologyTestDriver driver;
    private final TestInputTopic<byte[], byte[]> events;
    private final TestOutputTopic<byte[], byte[]> alerts;
    private final TestOutputTopic<byte[], byte[]> runs;
    private final TestOutputTopic<byte[], byte[]> deadLetters;
    private final SingleObjectCodec<Alert> alertCodec = SingleObjectCodec.alerts();
    private final SingleObjectCodec<RunStatus> statusCodec = SingleObjectCodec.runStatuses();
    private Instant now = Instant.ofEpochMilli(System.currentTimeMillis());

    TopologyRig(Path stateDir) {
        this(settings(stateDir));
    }

    TopologyRig(MonitorSettings settings) {
        this(settings, new RunJudge());
    }

    TopologyRig(MonitorSettings settings, RunJudge judge) {
        Properties properties = Monitor.streamsProperties(settings);
        topics = new Topics(settings.topicPrefix());
        topology = MonitorTopology.draw(topics, judge, board, lag, counters, settings, properties);
        driver = new TopologyTestDriver(topology, properties, now);
        events = driver.createInputTopic(topics.events(), new ByteArraySerializer(), new ByteArraySerializer());
        alerts = output(topics.alerts());
        runs = output(topics.runs());
        deadLetters = output(topics.deadLetters());
    }

    static MonitorSettings settings(Path stateDir) {
        return MonitorSettings.forBroker("127.0.0.1:1", stateDir);
    }

    private TestOutputTopic<byte[], byte[]> output(String topic) {
        return driver.createOutputTopic(topic, new ByteArrayDeserializer(), new ByteArrayDeserializer());
    }

    void send(Trainer trainer, TrainingEvent event) {
        send(trainer.key(), trainer.encode(event));
    }

    void send(byte[] key, byte[] value) {
        events.pipeInput(key, value, now);
    }

    void sendAt(byte[] key, byte[] value, Instant recordTime) {
        events.pipeInput(key, value, recordTime);
    }

    void pass(Duration time) {
        for (long seconds = time.toSeconds(); seconds > 0; seconds--) {
            advance(Duration.ofSeconds(1));
        }
        advance(time.minusSeconds(time.toSeconds()));
    }

    private void advance(Duration time) {
        now = now.plus(time);
        driver.advanceWallClockTime(time);
    }

    /** Lets the monitor know that the broker has nothing more than what was sent. */
    void caughtUp(long sent) {
        lag.observe(0, 0, sent, now.toEpochMilli());
    }

    List<Alert> alerts() {
        return alerts.readRecordsToList().stream()
                .map(r -> decode(alertCodec, r.value()))
                .toList();
    }

    /** The last status of each run that was published since the last call; null for one that was deleted. */
    Map<String, RunStatus> statuses() {
        Map<String, RunStatus> last = new LinkedHashMap<>();
        for (TestRecord<byte[], byte[]> r : runs.readRecordsToList()) {
            last.put(
                    new String(r.key(), StandardCharsets.UTF_8),
                    r.value() == null ? null : decode(statusCodec, r.value()));
        }
        return last;
    }

    List<TestRecord<byte[], byte[]>> deadLetters() {
        return deadLetters.readRecordsToList();
    }

    static String header(TestRecord<byte[], byte[]> letter, String name) {
        return new String(letter.headers().lastHeader(name).value(), StandardCharsets.UTF_8);
    }

    RunStore store() {
        return (RunStore) driver.getStateStore(RunStore.NAME);
    }

    @Override
    public void close() {
        driver.close();
    }

    static <T extends org.apache.avro.specific.SpecificRecordBase> T decode(SingleObjectCodec<T> codec, byte[] bytes) {
        try {
            return codec.decode(bytes);
        } catch (UndecodableException e) {
            throw new AssertionError(e);
        }
    }
}
