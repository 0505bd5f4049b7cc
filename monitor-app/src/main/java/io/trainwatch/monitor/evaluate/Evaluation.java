package io.trainwatch.monitor.evaluate;

import io.trainwatch.alert.Alert;
import io.trainwatch.alert.Cause;
import io.trainwatch.alert.Severity;
import io.trainwatch.event.StepCompleted;
import io.trainwatch.event.TrainingEvent;
import io.trainwatch.monitor.evaluate.Labels.Label;
import io.trainwatch.monitor.evaluate.Labels.Must;
import io.trainwatch.monitor.judge.LogVerdict;
import io.trainwatch.monitor.judge.LogVerdict.Episode;
import io.trainwatch.monitor.judge.LogVerdict.RunVerdict;
import io.trainwatch.monitor.judge.RunJudge;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * Judges labelled logs and keeps count: what had to be found and was, after how many steps, and what was raised that should
 * not have been. The other rules judge the same events.
 *
 * <p>A log counts as healthy if nothing has to be raised on it; its points ({@code step_completed} of rank 0) are the
 * denominator of the false alarm rate. Precision is over all logs: found entries against found entries and false alarms.
 */
final class Evaluation {

    /** One log: what was found and what was not. */
    record LogResult(
            String file, String format, Label label, long points, List<Found> must, List<Episode> falseAlarms) {
        boolean right() {
            return falseAlarms.isEmpty() && must.stream().allMatch(found -> found.episode() != null);
        }
    }

    /**
     * An entry of the labels and the episode that answers it, null if none does.
     *
     * @param rank place of the first right cause from 1, 0 if none is, -1 if the label names no cause
     */
    record Found(Must must, @Nullable Episode episode, int rank) {
        /** Steps from the onset that the label names to the opening; null where either is not known. */
        @Nullable
        Long delay() {
            return episode == null || !must.hasFrom() || episode.opened() == null
                    ? null
                    : (Long) (episode.opened() - must.fromStep());
        }
    }

    /** Counts of one group of logs or one detector. */
    static final class Count {
        int must;
        int found;
        int falseAlarms;
        int criticalFalseAlarms;
        int healthyLogs;
        int alarmedHealthyLogs;
        long healthyPoints;
        int falseOnHealthy;
        int causes;
        int firstCauses;
        int topThreeCauses;
        final List<Long> delays = new ArrayList<>();

        double recall() {
            return must == 0 ? Double.NaN : found / (double) must;
        }

        double precision() {
            return found + falseAlarms == 0 ? Double.NaN : found / (double) (found + falseAlarms);
        }

        Rate falseAlarmRate() {
            return new Rate(falseOnHealthy, healthyPoints);
        }

        @Nullable
        Long medianDelay() {
            List<Long> sorted = delays.stream().sorted().toList();
            return sorted.isEmpty() ? null : sorted.get(sorted.size() / 2);
        }
    }

    private final RunJudge judge;
    private final List<LogResult> logs = new ArrayList<>();
    private final Count all = new Count();
    private final Map<String, Count> byDetector = new TreeMap<>();
    private final Map<String, Count> byFormat = new TreeMap<>();
    private final Map<String, Count> others = new LinkedHashMap<>();

    Evaluation(RunJudge judge) {
        this.judge = judge;
        OtherRule.all().forEach(named -> others.put(named.name(), new Count()));
    }

    /** Judges one log. */
    LogResult add(String file, String format, Label label, List<TrainingEvent> events) {
        LogVerdict verdict = new LogVerdict(judge);
        long points = 0;
        for (TrainingEvent event : events) {
            verdict.event(event);
            if (event.getBody() instanceof StepCompleted && event.getRank() == 0) {
                points++;
            }
        }
        List<Episode> episodes = verdict.runs().stream()
                .map(RunVerdict::episodes)
                .flatMap(List::stream)
                .toList();
        List<Found> must = label.must().stream().map(one -> find(one, episodes)).toList();
        List<Episode> wrong = episodes.stream()
                .filter(episode -> episode.severity() != Severity.info)
                .filter(episode -> !label.allowed().contains(episode.last().getDetector()))
                .toList();
        LogResult result = new LogResult(file, format, label, points, must, wrong);
        logs.add(result);
        count(all, result);
        count(byFormat.computeIfAbsent(format, f -> new Count()), result);
        byDetector(result);
        compare(result, events);
        return result;
    }

    private static Found find(Must must, List<Episode> episodes) {
        for (Episode episode : episodes) {
            Alert alert = episode.last();
            Long opened = alert.getOpenedStep();
            if (must.detectors().contains(alert.getDetector())
                    && episode.severity().compareTo(must.severity()) >= 0
                    && within(must, opened)) {
                return new Found(must, episode, rankOfCause(must, alert));
            }
        }
        return new Found(must, null, must.causes().isEmpty() ? -1 : 0);
    }

    private static boolean within(Must must, @Nullable Long opened) {
        return opened == null ? !must.hasFrom() : opened >= must.fromStep() && opened <= must.toStep();
    }

    private static int rankOfCause(Must must, Alert alert) {
        if (must.causes().isEmpty()) {
            return -1;
        }
        List<Cause> causes = alert.getCauses();
        for (int i = 0; i < causes.size(); i++) {
            if (must.causes().contains(causes.get(i).getId())) {
                return i + 1;
            }
        }
        return 0;
    }

    private static void count(Count count, LogResult log) {
        for (Found found : log.must()) {
            count.must++;
            if (found.episode() != null) {
                count.found++;
            }
            Long delay = found.delay();
            if (delay != null) {
                count.delays.add(delay);
            }
            if (found.rank() >= 0) {
                count.causes++;
                count.firstCauses += found.rank() == 1 ? 1 : 0;
                count.topThreeCauses += found.rank() >= 1 ? 1 : 0;
            }
        }
        count.falseAlarms += log.falseAlarms().size();
        count.criticalFalseAlarms += (int) log.falseAlarms().stream()
                .filter(episode -> episode.severity() == Severity.critical)
                .count();
        if (log.label().healthy()) {
            count.healthyLogs++;
            count.healthyPoints += log.points();
            count.falseOnHealthy += log.falseAlarms().size();
            count.alarmedHealthyLogs += log.falseAlarms().isEmpty() ? 0 : 1;
        }
    }

    /** An entry that any of several detectors may answer counts for the one that did, and as missed for the first named. */
    private void byDetector(LogResult log) {
        for (Found found : log.must()) {
            String name = found.episode() == null
                    ? found.must().detectors().iterator().next()
                    : found.episode().last().getDetector();
            Count count = ofDetector(name);
            count.must++;
            count.found += found.episode() == null ? 0 : 1;
            Long delay = found.delay();
            if (delay != null) {
                count.delays.add(delay);
            }
        }
        for (Episode wrong : log.falseAlarms()) {
            Count count = ofDetector(wrong.last().getDetector());
            count.falseAlarms++;
            count.falseOnHealthy += log.label().healthy() ? 1 : 0;
        }
    }

    private Count ofDetector(String name) {
        return byDetector.computeIfAbsent(name, n -> new Count());
    }

    private void compare(LogResult log, List<TrainingEvent> events) {
        Map<String, List<TrainingEvent>> runs = new LinkedHashMap<>();
        events.forEach(event ->
                runs.computeIfAbsent(event.getRunId(), id -> new ArrayList<>()).add(event));
        for (OtherRule.Named named : OtherRule.all()) {
            List<Long> alarms = new ArrayList<>();
            runs.values().forEach(run -> alarms.addAll(OtherRule.alarms(named, run)));
            Count count = others.get(named.name());
            if (count != null) {
                compare(count, log, alarms);
            }
        }
    }

    /** Any alarm within the steps of an entry answers it, whatever it says: these rules have no names in the labels. */
    private static void compare(Count count, LogResult log, List<Long> alarms) {
        long firstFault = Long.MAX_VALUE;
        for (Found found : log.must()) {
            Must must = found.must();
            count.must++;
            firstFault = Math.min(firstFault, must.fromStep());
            alarms.stream()
                    .filter(alarm -> alarm >= must.fromStep() && alarm <= must.toStep())
                    .min(Long::compare)
                    .ifPresent(alarm -> {
                        count.found++;
                        if (must.hasFrom()) {
                            count.delays.add(alarm - must.fromStep());
                        }
                    });
        }
        long beforeAnyFault = firstFault;
        int wrong =
                (int) alarms.stream().filter(alarm -> alarm < beforeAnyFault).count();
        count.falseAlarms += wrong;
        if (log.label().healthy()) {
            count.healthyLogs++;
            count.healthyPoints += log.points();
            count.falseOnHealthy += wrong;
            count.alarmedHealthyLogs += wrong == 0 ? 0 : 1;
        }
    }

    List<LogResult> logs() {
        return logs;
    }

    Count all() {
        return all;
    }

    /** By the name of the detector; its healthy points are those of all logs. */
    Map<String, Count> byDetector() {
        byDetector.values().forEach(count -> count.healthyPoints = all.healthyPoints);
        return byDetector;
    }

    Map<String, Count> byFormat() {
        return byFormat;
    }

    /** By the name of the set of rules. */
    Map<String, Count> others() {
        return others;
    }
}
