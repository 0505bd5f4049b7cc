package io.trainwatch.monitor.notify;

import io.trainwatch.alert.Alert;
import io.trainwatch.monitor.board.OpenCommands;
import io.trainwatch.monitor.topology.MonitorSettings;
import io.trainwatch.monitor.topology.Topics;
import io.trainwatch.monitor.web.Endpoints;
import java.time.Duration;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.CommonClientConfigs;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.jspecify.annotations.Nullable;

/**
 * Tells people and trainers about the alerts of a monitor, until it is closed. Each sink reads the alerts in a consumer
 * group of its own, {@code <prefix>notify-<sink>}, so that one that is slow or away delays no other:
 *
 * <pre>
 *            +-- notify-oncall ----> Pager: Incidents -> PageText -> PagerDutySink
 *  alerts ---+-- notify-team ------> Pager: Incidents -> PageText -> SlackSink
 *            +-- notify-commands --> Commander -> commands
 * </pre>
 *
 * <p>The topics must exist.
 */
public final class Notifier implements AutoCloseable {
    private final List<AlertReader> readers = new ArrayList<>();
    private final NotifyState state;
    private final TopicTable commands;
    private final KafkaProducer<String, byte[]> producer;
    private final NotifyCounters counters = new NotifyCounters();
    private final NotifySettings settings;
    private final List<Endpoints> endpoints;

    private Notifier(
            NotifySettings settings,
            MonitorSettings monitor,
            OpenCommands open,
            @Nullable Pulse pulse,
            InstantSource clock) {
        this.settings = settings;
        Topics topics = new Topics(monitor.topicPrefix());
        Map<String, Object> client = new HashMap<>(monitor.clientProperties());
        client.put(CommonClientConfigs.BOOTSTRAP_SERVERS_CONFIG, monitor.bootstrapServers());
        producer = NotifyState.producer(client);
        state = new NotifyState(client, topics.notifyState());
        Commander commander =
                new Commander(settings.commands(), topics.commands(), producer, open, state, counters, clock);
        commands = new TopicTable(client, topics.commands(), commander::read);
        Approvals approvals = new Approvals(settings.commands(), state, commander, counters, clock);
        endpoints = List.of(new PagingApi(state, clock), approvals);
        PageText text = text(settings, clock);
        Pager.Surroundings around = new Pager.Surroundings(
                settings, text, state, producer, topics.notifyParked(), monitor.topicPrefix(), pulse, counters, clock);
        for (SinkSettings sink : settings.sinks()) {
            readers.add(new AlertReader(
                    client, topics.alerts(), monitor.topicPrefix() + "notify-" + sink.name(), new Pager(sink, around)));
        }
        readers.add(new AlertReader(client, topics.alerts(), monitor.topicPrefix() + "notify-commands", commander));
    }

    private static PageText text(NotifySettings settings, InstantSource clock) {
        return new PageText(
                settings.links(),
                (Alert alert) -> Approvals.links(settings.commands(), settings.links(), clock, alert));
    }

    /**
     * Begins to tell.
     *
     * @param monitor brokers and topics
     * @param open where the commands of runs are shown
     * @param pulse whether the monitor judges; null where there is none to watch
     */
    public static Notifier start(
            NotifySettings settings, MonitorSettings monitor, OpenCommands open, @Nullable Pulse pulse) {
        return new Notifier(settings, monitor, open, pulse, InstantSource.system());
    }

    /** The same by another clock. */
    static Notifier start(
            NotifySettings settings,
            MonitorSettings monitor,
            OpenCommands open,
            @Nullable Pulse pulse,
            InstantSource clock) {
        return new Notifier(settings, monitor, open, pulse, clock);
    }

    /** Sends one marked message through a sink and says what came back, in one line. */
    public static Tried test(NotifySettings settings, SinkSettings sink) throws InterruptedException {
        long begun = System.nanoTime();
        Receipt receipt = Pager.test(sink, text(settings, InstantSource.system()), InstantSource.system());
        Duration took = Duration.ofNanos(System.nanoTime() - begun);
        if (receipt instanceof Receipt.Told told) {
            return new Tried(true, told.answer(), took);
        } else if (receipt instanceof Receipt.Refused refused) {
            return new Tried(false, "refused: " + refused.reason(), took);
        }
        return new Tried(false, "not reached: " + ((Receipt.Unavailable) receipt).reason(), took);
    }

    /**
     * What came of a try.
     *
     * @param told whether the receiver took the message
     * @param answer what it said, one line
     * @param took how long that was
     */
    public record Tried(boolean told, String answer, Duration took) {}

    /** What it answers over HTTP. */
    public List<Endpoints> endpoints() {
        return endpoints;
    }

    NotifyCounters counters() {
        return counters;
    }

    public NotifySettings settings() {
        return settings;
    }

    /** Whether this instance tells through every sink, and no other one does. */
    public boolean tellsAll() {
        return readers.stream().allMatch(AlertReader::reads);
    }

    /** Stops within about ten seconds; what is on its way may arrive, and is told again at the next start otherwise. */
    @Override
    public void close() {
        List<Thread> closing = new ArrayList<>();
        for (AlertReader reader : readers) {
            Thread thread = new Thread(reader::close, "trainwatch-notify-close");
            thread.start();
            closing.add(thread);
        }
        for (Thread thread : closing) {
            try {
                thread.join();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }
        commands.close();
        state.close();
        producer.close(Duration.ofSeconds(2));
    }
}
