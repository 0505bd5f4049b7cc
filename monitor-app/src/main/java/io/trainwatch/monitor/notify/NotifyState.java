package io.trainwatch.monitor.notify;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.trainwatch.alert.Alert;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What must be known after a restart and by every instance, in a compacted topic: silences, acknowledgements, approvals
 * that were used, and the open incidents of each sink. Safe for many threads.
 *
 * <table>
 * <caption>Keys</caption>
 * <tr><td>{@code silence/ID}<td>{@link Silence}, JSON
 * <tr><td>{@code acknowledgement/ALERT}<td>{@link Acknowledgement}, JSON
 * <tr><td>{@code approval/ID}<td>when it was used, epoch milliseconds as text
 * <tr><td>{@code incident/SINK/KEY}<td>{@link Incident}
 * </table>
 */
final class NotifyState implements Muting, AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(NotifyState.class);
    private static final Duration WRITE_LIMIT = Duration.ofSeconds(10);
    private static final Duration READ_LIMIT = Duration.ofSeconds(30);
    private static final ObjectMapper JSON = new ObjectMapper();

    /** Silences at a time; a page that asks for more has none to give. */
    static final int MAX_SILENCES = 1_000;

    private static final String SILENCE = "silence/";
    private static final String ACKNOWLEDGEMENT = "acknowledgement/";
    private static final String APPROVAL = "approval/";
    private static final String INCIDENT = "incident/";

    private final String topic;
    private final KafkaProducer<String, byte[]> producer;
    private final Map<String, Silence> silences = new ConcurrentHashMap<>();
    private final Map<String, Acknowledgement> acknowledgements = new ConcurrentHashMap<>();
    private final Map<String, Long> approvals = new ConcurrentHashMap<>();
    private final Map<String, byte[]> incidents = new ConcurrentHashMap<>();
    private final TopicTable table;

    NotifyState(Map<String, Object> client, String topic) {
        this.topic = topic;
        producer = producer(client);
        table = new TopicTable(client, topic, this::read);
    }

    /** A producer that gives up soon, so that nobody waits for brokers that are away. */
    static KafkaProducer<String, byte[]> producer(Map<String, Object> client) {
        Map<String, Object> properties = new HashMap<>(client);
        properties.put(ProducerConfig.ACKS_CONFIG, "all");
        // As the SDK: an idempotent producer was seen to send nothing more after a broker was late with its heartbeats.
        properties.put(ProducerConfig.ENABLE_IDEMPOTENCE_CONFIG, false);
        properties.put(ProducerConfig.MAX_IN_FLIGHT_REQUESTS_PER_CONNECTION, 1);
        properties.put(ProducerConfig.LINGER_MS_CONFIG, 0);
        properties.put(ProducerConfig.MAX_BLOCK_MS_CONFIG, WRITE_LIMIT.toMillis() / 2);
        properties.put(ProducerConfig.REQUEST_TIMEOUT_MS_CONFIG, (int) WRITE_LIMIT.toMillis() / 2);
        properties.put(ProducerConfig.DELIVERY_TIMEOUT_MS_CONFIG, (int) WRITE_LIMIT.toMillis());
        properties.put(ProducerConfig.COMPRESSION_TYPE_CONFIG, "gzip");
        return new KafkaProducer<>(properties, new StringSerializer(), new ByteArraySerializer());
    }

    /** Waits until all that was written before is known here; says whether that came in time. */
    boolean catchUp() throws InterruptedException {
        return table.catchUp(READ_LIMIT);
    }

    private void read(String key, byte @Nullable [] value) {
        try {
            if (key.startsWith(SILENCE)) {
                putOrRemove(silences, key, value == null ? null : Silence.read(JSON.readTree(value)));
            } else if (key.startsWith(ACKNOWLEDGEMENT)) {
                putOrRemove(acknowledgements, key, value == null ? null : Acknowledgement.read(JSON.readTree(value)));
            } else if (key.startsWith(APPROVAL)) {
                putOrRemove(
                        approvals,
                        key,
                        value == null ? null : JSON.readTree(value).asLong());
            } else if (key.startsWith(INCIDENT)) {
                putOrRemove(incidents, key, value);
            }
        } catch (IOException | RuntimeException e) {
            LOG.warn("Record {} of topic {} cannot be read: {}", PlainText.line(key, 100), topic, e.toString());
        }
    }

    private static <T> void putOrRemove(Map<String, T> map, String key, @Nullable T value) {
        if (value == null) {
            map.remove(key);
        } else {
            map.put(key, value);
        }
    }

    @Override
    public boolean isSilenced(Alert alert, long nowMs) {
        return silences.values().stream().anyMatch(silence -> silence.covers(alert, nowMs));
    }

    @Override
    public OptionalLong acknowledgedAtMs(Alert alert, long nowMs) {
        Acknowledgement acknowledgement = acknowledgements.get(ACKNOWLEDGEMENT + alert.getAlertId());
        return acknowledgement != null && nowMs < acknowledgement.expiresAtMs()
                ? OptionalLong.of(acknowledgement.atMs())
                : OptionalLong.empty();
    }

    /** Silences that have not expired, the first to expire first. */
    List<Silence> silences(long nowMs) {
        return silences.values().stream()
                .filter(silence -> nowMs < silence.expiresAtMs())
                .sorted(Comparator.comparingLong(Silence::expiresAtMs).thenComparing(Silence::id))
                .toList();
    }

    /** Acknowledgements that have not expired. */
    List<Acknowledgement> acknowledgements(long nowMs) {
        return acknowledgements.values().stream()
                .filter(acknowledgement -> nowMs < acknowledgement.expiresAtMs())
                .sorted(Comparator.comparingLong(Acknowledgement::atMs).thenComparing(Acknowledgement::alertId))
                .toList();
    }

    void silence(Silence silence) throws InterruptedException {
        write(SILENCE + silence.id(), PageJson.text(silence::write).getBytes(StandardCharsets.UTF_8));
        silences.put(SILENCE + silence.id(), silence);
    }

    /** Ends a silence; says whether there was one. */
    boolean unsilence(String id) throws InterruptedException {
        if (!silences.containsKey(SILENCE + id)) {
            return false;
        }
        write(SILENCE + id, null);
        silences.remove(SILENCE + id);
        return true;
    }

    void acknowledge(Acknowledgement acknowledgement) throws InterruptedException {
        write(
                ACKNOWLEDGEMENT + acknowledgement.alertId(),
                PageJson.text(acknowledgement::write).getBytes(StandardCharsets.UTF_8));
        acknowledgements.put(ACKNOWLEDGEMENT + acknowledgement.alertId(), acknowledgement);
    }

    /** Uses an approval up; says whether it was unused. Two instances at the same moment may both say so. */
    boolean useApproval(String id, long nowMs) throws InterruptedException {
        if (approvals.putIfAbsent(APPROVAL + id, nowMs) != null) {
            return false;
        }
        try {
            write(APPROVAL + id, Long.toString(nowMs).getBytes(StandardCharsets.UTF_8));
        } catch (KafkaException e) {
            approvals.remove(APPROVAL + id);
            throw e;
        }
        return true;
    }

    boolean isUsed(String approvalId) {
        return approvals.containsKey(APPROVAL + approvalId);
    }

    /** The open incidents of a sink, those that can be read. */
    List<Incident> incidents(String sink) {
        List<Incident> readable = new ArrayList<>();
        incidents.forEach((key, value) -> {
            if (key.startsWith(INCIDENT + sink + "/")) {
                try {
                    readable.add(Incident.decode(value));
                } catch (IOException e) {
                    LOG.warn("Incident {} cannot be read and begins anew: {}", key, e.getMessage());
                }
            }
        });
        readable.sort(Comparator.comparingLong(Incident::openedAtMs).thenComparing(Incident::key));
        return readable;
    }

    /** Keeps how incidents of a sink stand; null stands for one that is closed. Returns when the brokers have it. */
    void keep(String sink, Map<String, byte @Nullable []> changed) throws InterruptedException {
        Map<String, byte @Nullable []> rows = new HashMap<>();
        changed.forEach((key, value) -> rows.put(INCIDENT + sink + "/" + key, value));
        write(rows);
    }

    private void write(String key, byte @Nullable [] value) throws InterruptedException {
        Map<String, byte @Nullable []> row = new HashMap<>();
        row.put(key, value);
        write(row);
    }

    private void write(Map<String, byte @Nullable []> rows) throws InterruptedException {
        List<Future<?>> sent = new ArrayList<>();
        rows.forEach((key, value) -> sent.add(producer.send(new ProducerRecord<>(topic, key, value))));
        for (var one : sent) {
            try {
                one.get(2 * WRITE_LIMIT.toMillis(), TimeUnit.MILLISECONDS);
            } catch (ExecutionException e) {
                throw e.getCause() instanceof KafkaException kafka ? kafka : new KafkaException(e.getCause());
            } catch (TimeoutException e) {
                throw new KafkaException("the brokers did not answer in time", e);
            }
        }
    }

    /** Forgets in the topic what has expired; what is used of approvals is kept as long as links may live. */
    void expire(long nowMs, Duration approvalsFor) throws InterruptedException {
        Map<String, byte @Nullable []> gone = new HashMap<>();
        silences.forEach((key, silence) -> {
            if (silence.expiresAtMs() <= nowMs) {
                gone.put(key, null);
            }
        });
        acknowledgements.forEach((key, acknowledgement) -> {
            if (acknowledgement.expiresAtMs() <= nowMs) {
                gone.put(key, null);
            }
        });
        approvals.forEach((key, usedAtMs) -> {
            if (nowMs - usedAtMs > approvalsFor.toMillis()) {
                gone.put(key, null);
            }
        });
        if (!gone.isEmpty()) {
            write(gone);
        }
    }

    @Override
    public void close() {
        table.close();
        producer.close(WRITE_LIMIT);
    }
}
