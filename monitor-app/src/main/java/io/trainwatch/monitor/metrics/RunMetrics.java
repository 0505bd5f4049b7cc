package io.trainwatch.monitor.metrics;

import io.prometheus.metrics.model.registry.MultiCollector;
import io.prometheus.metrics.model.snapshots.MetricSnapshots;
import io.trainwatch.alert.Alert;
import io.trainwatch.monitor.board.RunBoard;
import io.trainwatch.monitor.judge.RunJudge;
import io.trainwatch.monitor.judge.RunSnapshot;
import io.trainwatch.monitor.run.SeriesSnapshot;
import io.trainwatch.run.RunCondition;
import io.trainwatch.run.RunStatus;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * The series of the runs that this instance judges, read from the {@link RunBoard} at each scrape: a run that the board
 * forgets is gone at the next one, a run that has ended after {@link MetricsSettings#endedRunTtl}.
 *
 * <pre>
 * trainwatch_alert_active{detector="loss_spike",project="vision",run_id="r1",severity="warning"} 1.0
 * trainwatch_run_info{model_name="resnet-7",project="vision",run_id="r1",run_name="resnet"} 1
 * trainwatch_run_accelerator_lost_seconds{project="vision",run_id="r1"} 12.5
 * trainwatch_run_condition{condition="running",project="vision",run_id="r1"} 1.0
 * trainwatch_run_detectors_not_checked{project="vision",run_id="r1"} 1.0
 * trainwatch_run_eval_loss{project="vision",run_id="r1"} 2.5
 * trainwatch_run_events_total{project="vision",run_id="r1"} 120.0
 * trainwatch_run_events_duplicate_total{project="vision",run_id="r1"} 2.0
 * trainwatch_run_events_missing_total{project="vision",run_id="r1"} 3.0
 * trainwatch_run_grad_norm{project="vision",run_id="r1"} +Inf
 * trainwatch_run_last_event_timestamp_seconds{project="vision",run_id="r1"} 1.76376E9
 * trainwatch_run_last_step{project="vision",run_id="r1"} 100.0
 * trainwatch_run_learning_rate{project="vision",run_id="r1"} 0.001
 * trainwatch_run_loss{project="vision",run_id="r1"} NaN
 * trainwatch_run_max_steps{project="vision",run_id="r1"} 1000.0
 * trainwatch_run_metric{metric="val/accuracy",project="vision",run_id="r1"} 0.71
 * trainwatch_run_started_timestamp_seconds{project="vision",run_id="r1"} 1.76375E9
 * trainwatch_run_step_time_seconds{project="vision",run_id="r1"} 0.25
 * trainwatch_run_steps_total{project="vision",run_id="r1"} 100.0
 * </pre>
 */
public final class RunMetrics implements MultiCollector {
    private static final int MAX_LABEL_CHARACTERS = 256;
    private static final Set<RunCondition> ENDED =
            EnumSet.of(RunCondition.completed, RunCondition.failed, RunCondition.killed);

    private static final Comparator<RunStatus> FIRST_EXPORTED = Comparator.<RunStatus, Boolean>comparing(
                    run -> run.getOpenAlerts().isEmpty())
            .thenComparing(Comparator.comparingLong(RunStatus::getStartedAtMs).reversed())
            .thenComparing(RunStatus::getRunId);
    /** Series that have a metric of their own. */
    private static final Set<String> NAMED = Set.of("loss", "grad_norm", "learning_rate", "step_time_seconds");

    private final RunBoard board;
    private final MetricsSettings settings;
    private final InstantSource clock;

    private final Map<String, Long> endedSeenAtMs = new HashMap<>();
    private Set<String> leftOut = Set.of();
    private long dropped;
    private Map<String, Integer> metricsLeftOut = Map.of();
    private long metricsDropped;

    public RunMetrics(RunBoard board, MetricsSettings settings, InstantSource clock) {
        this.board = board;
        this.settings = settings;
        this.clock = clock;
    }

    @Override
    public synchronized MetricSnapshots collect() {
        List<RunSnapshot> exported = choose();
        Exposition exposition = new Exposition();
        Map<String, Integer> nowLeftOut = new HashMap<>();
        for (RunSnapshot run : exported) {
            addStatus(exposition, run.status());
            addLostTime(exposition, run);
            nowLeftOut.put(run.status().getRunId(), addSeries(exposition, run));
        }
        nowLeftOut.forEach((run, count) -> metricsDropped += Math.max(0, count - metricsLeftOut.getOrDefault(run, 0)));
        metricsLeftOut = nowLeftOut;
        exposition.add(MetricCatalog.RUN_SERIES_DROPPED, dropped);
        exposition.add(MetricCatalog.RUN_METRICS_DROPPED, metricsDropped);
        return exposition.snapshots();
    }

    private List<RunSnapshot> choose() {
        List<RunSnapshot> candidates = new ArrayList<>(
                board.runs().stream().filter(RunMetrics::isActive).toList());
        candidates.addAll(endedOfLate());
        candidates.sort(Comparator.comparing(RunSnapshot::status, FIRST_EXPORTED));

        int kept = Math.min(candidates.size(), settings.maxRuns());
        Set<String> nowLeftOut = new HashSet<>();
        for (RunSnapshot run : candidates.subList(kept, candidates.size())) {
            nowLeftOut.add(run.status().getRunId());
            if (!leftOut.contains(run.status().getRunId())) {
                dropped++;
            }
        }
        leftOut = nowLeftOut;
        return candidates.subList(0, kept);
    }

    /** The time to live counts from the first scrape that saw the end: the clock of a trainer may be years off. */
    private List<RunSnapshot> endedOfLate() {
        long nowMs = clock.millis();
        List<RunSnapshot> ended =
                board.runs().stream().filter(run -> !isActive(run)).toList();
        Set<String> onBoard = new HashSet<>();
        for (RunSnapshot run : ended) {
            onBoard.add(run.status().getRunId());
            endedSeenAtMs.putIfAbsent(run.status().getRunId(), nowMs);
        }
        endedSeenAtMs.keySet().retainAll(onBoard);
        return ended.stream()
                .filter(run -> nowMs - endedSeenAtMs.getOrDefault(run.status().getRunId(), nowMs)
                        <= settings.endedRunTtl().toMillis())
                .toList();
    }

    static boolean isActive(RunSnapshot run) {
        return !ENDED.contains(run.status().getCondition());
    }

    private static void addStatus(Exposition to, RunStatus run) {
        String id = run.getRunId();
        String project = label(run.getProject());
        to.add(MetricCatalog.RUN_INFO, 1, id, project, label(run.getRunName()), label(run.getModelName()));
        to.add(MetricCatalog.RUN_CONDITION, 1, id, project, run.getCondition().name());
        to.add(MetricCatalog.RUN_LOSS, run.getLoss(), id, project);
        to.add(MetricCatalog.RUN_EVAL_LOSS, run.getEvalLoss(), id, project);
        to.add(MetricCatalog.RUN_GRAD_NORM, run.getGradNorm(), id, project);
        to.add(MetricCatalog.RUN_LEARNING_RATE, run.getLearningRate(), id, project);
        to.add(MetricCatalog.RUN_LAST_STEP, run.getLastStep(), id, project);
        to.add(MetricCatalog.RUN_MAX_STEPS, run.getMaxSteps(), id, project);
        to.add(MetricCatalog.RUN_STARTED, run.getStartedAtMs() / 1e3, id, project);
        to.add(MetricCatalog.RUN_LAST_EVENT, run.getLastEventAtMs() / 1e3, id, project);
        to.add(MetricCatalog.RUN_EVENTS, run.getEvents(), id, project);
        to.add(MetricCatalog.RUN_STEPS, run.getStepsJudged(), id, project);
        to.add(MetricCatalog.RUN_EVENTS_DUPLICATE, run.getDuplicates(), id, project);
        to.add(MetricCatalog.RUN_EVENTS_MISSING, run.getMissing(), id, project);
        long lacking = run.getNotChecked().stream().filter(RunJudge::isMissing).count();
        to.add(MetricCatalog.RUN_DETECTORS_NOT_CHECKED, lacking, id, project);

        Map<List<String>, Integer> open = new TreeMap<>(Comparator.comparing(List::toString));
        run.getOpenAlerts()
                .forEach((episode, severity) ->
                        open.merge(List.of(episode.replaceFirst("(?s)/.*", ""), severity), 1, Integer::sum));
        open.forEach((alert, episodes) ->
                to.add(MetricCatalog.ALERT_ACTIVE, episodes, id, project, alert.get(0), alert.get(1)));
    }

    /** Episodes of a run are of the same hours: their sum would count an hour once for each. */
    private static void addLostTime(Exposition to, RunSnapshot run) {
        run.alerts().stream()
                .map(Alert::getAcceleratorSecondsLost)
                .filter(Objects::nonNull)
                .max(Double::compare)
                .ifPresent(seconds -> to.add(
                        MetricCatalog.RUN_ACCELERATOR_LOST,
                        seconds,
                        run.status().getRunId(),
                        label(run.status().getProject())));
    }

    /** Returns how many series found no room. */
    private int addSeries(Exposition to, RunSnapshot run) {
        String id = run.status().getRunId();
        String project = label(run.status().getProject());
        SeriesSnapshot stepTime = run.series().get("step_time_seconds");
        to.add(MetricCatalog.RUN_STEP_TIME, stepTime == null ? null : (Double) stepTime.last(), id, project);
        List<SeriesSnapshot> others = run.series().values().stream()
                .filter(series -> !NAMED.contains(series.name()))
                .sorted(Comparator.comparing(SeriesSnapshot::name))
                .toList();
        int kept = Math.min(others.size(), settings.maxMetricsPerRun());
        for (SeriesSnapshot series : others.subList(0, kept)) {
            to.add(MetricCatalog.RUN_METRIC, series.last(), id, project, label(series.name()));
        }
        return others.size() - kept;
    }

    /** An empty label is the same as none to Prometheus. Nobody joins on a long one, and each costs memory. */
    private static String label(@Nullable String text) {
        if (text == null) {
            return "";
        }
        return text.length() <= MAX_LABEL_CHARACTERS ? text : text.substring(0, MAX_LABEL_CHARACTERS - 1) + "…";
    }
}
