package io.trainwatch.monitor.notify;

import io.trainwatch.alert.Alert;
import io.trainwatch.alert.Severity;
import io.trainwatch.monitor.notify.Incidents.Due;
import io.trainwatch.monitor.notify.Page.Kind;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.UUID;
import java.util.concurrent.ExecutionException;
import java.util.stream.Collectors;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Tells people through one sink. In each round it takes the new alerts into its {@link Incidents}, tells what is due,
 * keeps how the incidents stand, and only then lets the alerts be committed. A crash before that repeats a page with the
 * same key and number; nothing is lost at any point.
 *
 * <p>A receiver that is away holds up this sink alone; it is tried again after a {@link Backoff}. What it refuses, or
 * could not be told in {@code giveUpAfter}, goes to the parking topic.
 */
final class Pager implements AlertReader.Listener, Incidents.Ledger {
    private static final Logger LOG = LoggerFactory.getLogger(Pager.class);

    /** A round ends after this, so that alerts go on being read. */
    private static final Duration LONGEST_ROUND = Duration.ofSeconds(20);

    /** How long the monitor may fail before that is told. */
    private static final Duration MONITOR_GRACE = Duration.ofSeconds(30);

    private final String name;
    private final Sink sink;
    private final NotifySettings settings;
    private final PageText text;
    private final NotifyState state;
    private final KafkaProducer<String, byte[]> producer;
    private final String parking;
    private final String monitor;
    private final @Nullable Pulse pulse;
    private final NotifyCounters counters;
    private final InstantSource clock;
    private final Incidents incidents;
    private final Backoff backoff;
    private final Map<Hold, Integer> heldSince = new EnumMap<>(Hold.class);
    private long lastBeatMs;
    private long failingSinceMs;
    private boolean writeFailed;

    /** What pagers share. */
    record Surroundings(
            NotifySettings settings,
            PageText text,
            NotifyState state,
            KafkaProducer<String, byte[]> producer,
            String parking,
            String monitor,
            @Nullable Pulse pulse,
            NotifyCounters counters,
            InstantSource clock) {}

    Pager(SinkSettings of, Surroundings around) {
        name = of.name();
        sink = of.open(around.clock());
        settings = around.settings();
        text = around.text();
        state = around.state();
        producer = around.producer();
        parking = around.parking();
        monitor = around.monitor();
        pulse = around.pulse();
        counters = around.counters();
        clock = around.clock();
        incidents = new Incidents(
                name,
                settings.grouping(),
                settings.rate(),
                settings.quietHours(),
                sink instanceof AlertmanagerSink ? AlertmanagerSink.RESEND : null,
                sink.acknowledges(),
                state,
                this,
                clock.millis());
        backoff = new Backoff(new SplittableRandom(name.hashCode() ^ clock.millis()));
    }

    @Override
    public void takeOver() throws InterruptedException {
        if (!state.catchUp()) {
            throw new KafkaException("the state of the pages could not be read in time");
        }
        incidents.restore(state.incidents(name));
        LOG.info("Sink {} tells {} of {} open incidents", name, sink.target(), incidents.size());
    }

    @Override
    public void release() {
        incidents.restore(List.of());
        counters.openIncidents(name, 0);
        counters.waitingSince(name, 0);
    }

    @Override
    public void handle(List<Alert> alerts) throws InterruptedException {
        long now = clock.millis();
        for (Alert alert : alerts) {
            incidents.take(alert, settings.routes().lead(alert, name), now);
        }
        watchMonitor(now);
        boolean tells = backoff.isOver(now);
        if (tells) {
            tellDue(now);
        } else {
            // Counts what is held and closes what ended meanwhile.
            incidents.due(now);
        }
        keep(!alerts.isEmpty());
        if (tells) {
            beat(now);
        }
        counters.openIncidents(name, incidents.size());
        counters.waitingSince(name, incidents.waitingSinceMs());
    }

    private void tellDue(long begunMs) throws InterruptedException {
        long now = begunMs;
        List<Due> due = incidents.due(now);
        for (int from = 0; from < due.size(); ) {
            List<Due> batch = new ArrayList<>();
            while (from < due.size() && batch.size() < sink.batch()) {
                Due next = due.get(from++);
                if (incidents.admit(next, now)) {
                    batch.add(next);
                }
            }
            if (!batch.isEmpty() && !tell(batch, now)) {
                return;
            }
            now = clock.millis();
            if (now - begunMs > LONGEST_ROUND.toMillis()) {
                return;
            }
        }
    }

    /** Tells a batch; says whether the receiver is there. */
    private boolean tell(List<Due> batch, long now) throws InterruptedException {
        String held = heldBack();
        List<Page> pages = new ArrayList<>(batch.size());
        for (Due due : batch) {
            pages.add(text.of(due.incident(), due.kind(), held, now));
        }
        List<Receipt> receipts = sink.tellAll(pages);
        boolean there = true;
        Receipt.@Nullable Unavailable away = null;
        for (int i = 0; i < batch.size(); i++) {
            Receipt receipt = receipts.get(i);
            Due due = batch.get(i);
            if (receipt instanceof Receipt.Told) {
                heldSince.clear();
                counters.told(name, due.kind());
                incidents.told(due, now);
            } else if (receipt instanceof Receipt.Refused refused) {
                counters.failed(name);
                park(due, pages.get(i), refused.reason(), now);
            } else if (receipt instanceof Receipt.Unavailable unavailable) {
                away = unavailable;
                there = false;
                if (now - due.incident().failed(now) > settings.giveUpAfter().toMillis()) {
                    park(due, pages.get(i), unavailable.reason(), now);
                }
            }
        }
        if (away == null) {
            backoff.succeeded();
        } else {
            counters.failed(name);
            backoff.failed(clock.millis(), away.retryAfter());
            LOG.warn("Sink {}: {} did not take a page and is tried again: {}", name, sink.target(), away.reason());
        }
        return there;
    }

    private @Nullable String heldBack() {
        return heldSince.isEmpty()
                ? null
                : heldSince.entrySet().stream()
                        .map(entry -> entry.getValue() + " by "
                                + entry.getKey().label().replace('_', ' '))
                        .collect(Collectors.joining(", "));
    }

    private void park(Due due, Page page, String reason, long now) throws InterruptedException {
        LOG.error(
                "Sink {}: {} will not have page {} ({}), which goes to topic {}: {}",
                name,
                sink.target(),
                page.key(),
                page.title(),
                parking,
                reason);
        String parked = PageJson.text(out -> {
            out.writeStartObject();
            out.writeStringField("sink", name);
            out.writeStringField("reason", reason);
            out.writeNumberField("parked_at_ms", now);
            out.writeFieldName("page");
            out.writeRawValue(PageJson.of(page));
            out.writeEndObject();
        });
        try {
            producer.send(new ProducerRecord<>(parking, page.key(), parked.getBytes(StandardCharsets.UTF_8)))
                    .get();
        } catch (ExecutionException | KafkaException e) {
            // Stays due, and is tried or put aside later.
            LOG.warn("Topic {} takes nothing now: {}", parking, e.toString());
            return;
        }
        counters.parked(name);
        incidents.told(due, now);
    }

    /** Alerts are only committed when what became of them is safe. */
    private void keep(boolean mustBeSafe) throws InterruptedException {
        Map<String, byte @Nullable []> changed = new HashMap<>();
        List<Incident> unkept = incidents.unkept();
        unkept.forEach(incident -> changed.put(incident.key(), incident.encode()));
        List<Incident> closed = incidents.drainClosed();
        closed.forEach(incident -> changed.put(incident.key(), null));
        if (changed.isEmpty()) {
            return;
        }
        try {
            state.keep(name, changed);
            unkept.forEach(incident -> incident.unkept = false);
            writeFailed = false;
        } catch (KafkaException e) {
            incidents.stayClosed(closed);
            if (mustBeSafe) {
                throw e;
            }
            if (!writeFailed) {
                LOG.warn(
                        "Sink {} cannot keep what it told; after a crash now it would tell it again: {}",
                        name,
                        e.toString());
            }
            writeFailed = true;
        }
    }

    /** A monitor that does not judge, or not in time, raises alerts of its own; they need no broker to be told. */
    private void watchMonitor(long now) {
        if (pulse == null) {
            return;
        }
        Optional<String> failing = pulse.failing(now);
        if (failing.isEmpty()) {
            failingSinceMs = 0;
        } else if (failingSinceMs == 0) {
            failingSinceMs = now;
        }
        if (failing.isEmpty()) {
            resolveOfMonitor(MonitorAlert.STALLED, now);
        } else if (now - failingSinceMs >= MONITOR_GRACE.toMillis() && ofMonitor(MonitorAlert.STALLED).isEmpty()) {
            incidents.take(MonitorAlert.stalled(monitor, failing.get(), failingSinceMs), true, now);
        }
        Optional<String> behind = pulse.behind(now);
        if (behind.isEmpty()) {
            resolveOfMonitor(MonitorAlert.BEHIND, now);
        } else if (ofMonitor(MonitorAlert.BEHIND).isEmpty()) {
            incidents.take(MonitorAlert.behind(monitor, behind.get(), now), true, now);
        }
    }

    private void resolveOfMonitor(String detector, long now) {
        ofMonitor(detector).ifPresent(open -> incidents.take(MonitorAlert.resolved(open, now), true, now));
    }

    /** Also one that was raised before a restart. */
    private Optional<Alert> ofMonitor(String detector) {
        return incidents.openEpisode(MonitorAlert.runId(monitor), detector);
    }

    private void beat(long now) throws InterruptedException {
        Heartbeat heartbeat = settings.heartbeat();
        if (heartbeat == null
                || pulse == null
                || !heartbeat.sink().equals(name)
                || !(sink instanceof Heartbeat.Carrier carrier)
                || now - lastBeatMs < heartbeat.every().toMillis()
                || pulse.failing(now).isPresent()) {
            return;
        }
        lastBeatMs = now;
        Receipt receipt = carrier.beat(monitor, now, heartbeat.validMs());
        if (receipt instanceof Receipt.Told) {
            counters.beat(name);
        } else {
            counters.failed(name);
            LOG.warn("Sink {}: {} did not take the heartbeat: {}", name, sink.target(), receipt);
        }
    }

    @Override
    public void held(Hold reason) {
        counters.held(name, reason);
        if (reason == Hold.RATE_LIMIT || reason == Hold.QUIET_HOURS) {
            heldSince.merge(reason, 1, Integer::sum);
        }
    }

    @Override
    public void endedUntold(Hold reason) {
        counters.endedUntold(name, reason);
    }

    @Override
    public void overflowed() {
        counters.overflowed(name);
    }

    /** Sends a message that says that it only tries the way. */
    static Receipt test(SinkSettings of, PageText text, InstantSource clock) throws InterruptedException {
        try (Sink sink = of.open(clock)) {
            long now = clock.millis();
            // Another one each time: a receiver tells nobody of what it has and somebody looks after.
            Incident incident = new Incident(
                    UUID.randomUUID().toString().replace("-", ""), Incidents.OF_RUN + "test", now);
            Alert alert = MonitorAlert.test(now);
            incident.put(alert, now);
            Page page = text.of(incident, Kind.OPENED, null, now);
            return sink.tell(new Page(
                    page.key(),
                    page.kind(),
                    page.number(),
                    Severity.warning,
                    "Test of trainwatch",
                    page.summary(),
                    List.of(),
                    List.of(),
                    List.of(),
                    page.sinceMs(),
                    page.atMs(),
                    page.runs(),
                    page.lead(),
                    page.episodes(),
                    Severity.warning,
                    1,
                    true,
                    true));
        }
    }
}
