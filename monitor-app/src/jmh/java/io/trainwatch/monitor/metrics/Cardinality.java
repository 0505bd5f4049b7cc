package io.trainwatch.monitor.metrics;

import io.prometheus.metrics.config.EscapingScheme;
import io.prometheus.metrics.expositionformats.ExpositionFormatWriter;
import io.prometheus.metrics.expositionformats.OpenMetricsTextFormatWriter;
import io.prometheus.metrics.expositionformats.PrometheusProtobufWriter;
import io.prometheus.metrics.expositionformats.PrometheusTextFormatWriter;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.prometheus.metrics.model.snapshots.MetricSnapshots;
import io.trainwatch.monitor.board.RunBoard;
import io.trainwatch.monitor.judge.RunSnapshot;
import io.trainwatch.monitor.run.RunKind;
import io.trainwatch.monitor.run.SeriesSnapshot;
import io.trainwatch.run.RunCondition;
import io.trainwatch.run.RunStatus;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.InstantSource;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * What a scrape of very many runs costs: every run sends 50 metrics beside its loss, gradient norm and learning rate, one in a
 * hundred has an open alert. Every bound of {@link MetricsSettings} as it is by default, and as far as it goes.
 *
 * <p>System properties: {@code runs} (10,000), {@code metrics} (50), {@code rounds} (20), after a quarter as many
 * that do not count.
 */
public final class Cardinality {
    private Cardinality() {}

    public static void main(String[] args) throws IOException {
        int runs = Integer.getInteger("runs", 10_000);
        int metrics = Integer.getInteger("metrics", 50);
        RunBoard board = new RunBoard();
        for (int i = 0; i < runs; i++) {
            board.publish(run(i, metrics));
        }
        System.out.printf("%,d runs of %d metrics; Java %s%n", runs, metrics, Runtime.version());
        System.out.println(
                "| max_runs | max_metrics_per_run | runs exported | dropped runs, metrics | series | format | kB | ms, median | ms, max |");
        System.out.println("|---:|---:|---:|---:|---:|---|---:|---:|---:|");
        MetricsSettings defaults = MetricsSettings.DEFAULT;
        report(board, defaults);
        report(board, new MetricsSettings(runs, 0, Duration.ZERO));
        report(board, new MetricsSettings(runs, defaults.maxMetricsPerRun(), Duration.ZERO));
        report(board, new MetricsSettings(runs, metrics, Duration.ZERO));
    }

    private static RunSnapshot run(int number, int metrics) {
        RunStatus status = new RunStatus();
        status.setRunId("resnet-7-sweep-%05d".formatted(number));
        status.setProject("vision-" + number % 10);
        status.setRunName("resnet 7, sweep");
        status.setModelName("resnet-7");
        status.setCondition(RunCondition.running);
        status.setStartedAtMs(1_763_750_000_000L + number);
        status.setLastEventAtMs(1_763_760_000_000L);
        status.setLastStep(1_000L + number);
        status.setMaxSteps(90_000L);
        status.setEvents(1_200);
        status.setStepsJudged(1_000);
        status.setLoss(2.0 + 1.0 / (number + 1));
        status.setGradNorm(1.25);
        status.setLearningRate(0.001);
        status.setEvalLoss(2.5);
        status.setOpenAlerts(new HashMap<>());
        if (number % 100 == 0) {
            status.getOpenAlerts().put("loss_spike", "warning");
        }
        status.setNotChecked(List.of());
        Map<String, SeriesSnapshot> series = new LinkedHashMap<>();
        for (int i = 0; i < metrics; i++) {
            String name = "metrics/head_%02d_accuracy".formatted(i);
            series.put(name, new SeriesSnapshot(name, 1_000, 0.1 + i + 1.0 / (number + 3), List.of()));
        }
        return new RunSnapshot(status, series, List.of(), List.of(), 0, RunKind.UNKNOWN);
    }

    private static void report(RunBoard board, MetricsSettings settings) throws IOException {
        Map<String, ExpositionFormatWriter> writers = new LinkedHashMap<>();
        writers.put("text", PrometheusTextFormatWriter.create());
        writers.put("OpenMetrics", OpenMetricsTextFormatWriter.create());
        writers.put("protobuf", new PrometheusProtobufWriter());
        for (Map.Entry<String, ExpositionFormatWriter> writer : writers.entrySet()) {
            PrometheusRegistry registry = new PrometheusRegistry();
            registry.register(new RunMetrics(board, settings, InstantSource.system()));
            int rounds = Integer.getInteger("rounds", 20);
            double[] millis = new double[rounds];
            ByteArrayOutputStream body = new ByteArrayOutputStream();
            for (int round = -rounds / 4; round < rounds; round++) {
                body = new ByteArrayOutputStream(1 << 16);
                long start = System.nanoTime();
                writer.getValue().write(body, registry.scrape(), EscapingScheme.UNDERSCORE_ESCAPING);
                if (round >= 0) {
                    millis[round] = (System.nanoTime() - start) / 1e6;
                }
            }
            Arrays.sort(millis);
            MetricSnapshots snapshots = registry.scrape();
            System.out.printf(
                    "| %,d | %d | %,d | %,d, %,d | %,d | %s | %,d | %.0f | %.0f |%n",
                    settings.maxRuns(),
                    settings.maxMetricsPerRun(),
                    points(snapshots, "trainwatch_run_condition"),
                    value(registry, "trainwatch_monitor_run_series_dropped_total"),
                    value(registry, "trainwatch_monitor_run_metrics_dropped_total"),
                    snapshots.stream()
                            .mapToLong(one -> one.getDataPoints().size())
                            .sum(),
                    writer.getKey(),
                    body.size() / 1_000,
                    millis[rounds / 2],
                    millis[rounds - 1]);
        }
    }

    private static long points(MetricSnapshots snapshots, String name) {
        return snapshots.stream()
                .filter(one -> one.getMetadata().getPrometheusName().equals(name))
                .mapToLong(one -> one.getDataPoints().size())
                .sum();
    }

    private static long value(PrometheusRegistry registry, String counter) throws IOException {
        ByteArrayOutputStream text = new ByteArrayOutputStream();
        PrometheusTextFormatWriter.create()
                .write(text, registry.scrape(name -> (name + "_total").equals(counter) || name.equals(counter)));
        return text.toString(StandardCharsets.UTF_8)
                .lines()
                .filter(line -> line.startsWith(counter + " "))
                .mapToLong(line -> (long) Double.parseDouble(line.substring(counter.length() + 1)))
                .findFirst()
                .orElseThrow();
    }
}
