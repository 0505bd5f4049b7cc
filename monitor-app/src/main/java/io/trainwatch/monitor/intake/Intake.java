package io.trainwatch.monitor.intake;

import io.prometheus.metrics.model.registry.MultiCollector;
import io.trainwatch.monitor.board.RunBoard;
import io.trainwatch.monitor.intake.IntakeCounters.Protocol;
import io.trainwatch.monitor.web.Endpoints;
import io.trainwatch.run.Command;
import java.util.List;
import java.util.Map;
import java.util.function.Function;

/** Takes in what trainers send over HTTP and writes it to Kafka, until it is closed. */
public final class Intake implements AutoCloseable {
    private final EventOutlet outlet;
    private final IntakeCounters counters = new IntakeCounters();
    private final NamedRuns mlflowRuns;
    private final NamedRuns otlpRuns;
    private final List<Endpoints> endpoints;

    private Intake(
            IntakeSettings settings, EventOutlet outlet, RunBoard board, Function<String, List<Command>> commands) {
        this.outlet = outlet;
        Gateway gateway = new Gateway(settings, outlet, counters);
        mlflowRuns = new NamedRuns(Protocol.MLFLOW, outlet, counters, board);
        otlpRuns = new NamedRuns(Protocol.OTLP, outlet, counters, board);
        endpoints = settings.enabled()
                ? List.of(
                        new EventsApi(gateway, commands),
                        new MlflowApi(gateway, mlflowRuns, board),
                        new OtlpApi(gateway, otlpRuns))
                : List.of();
    }

    /**
     * Connects to Kafka, without waiting for it.
     *
     * @param client further settings of the Kafka client, e.g. security
     * @param topic of the events
     * @param board what this instance knows of the runs
     * @param commands what a run, by its id, has still to carry out
     */
    public static Intake start(
            IntakeSettings settings,
            String bootstrapServers,
            Map<String, String> client,
            String topic,
            RunBoard board,
            Function<String, List<Command>> commands) {
        return new Intake(
                settings,
                new EventOutlet(bootstrapServers, client, topic, settings.maxUnacknowledgedBytes()),
                board,
                commands);
    }

    /** What it answers; nothing if it is switched off. */
    public List<Endpoints> endpoints() {
        return endpoints;
    }

    /** What it shows to Prometheus. */
    public MultiCollector metrics() {
        return new IntakeMetrics(counters, outlet::unacknowledgedBytes);
    }

    /** Sends what it has, for up to five seconds. */
    @Override
    public void close() {
        mlflowRuns.close();
        otlpRuns.close();
        outlet.close();
    }
}
