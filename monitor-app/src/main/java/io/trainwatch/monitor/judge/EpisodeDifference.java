package io.trainwatch.monitor.judge;

import io.trainwatch.alert.Alert;
import io.trainwatch.monitor.judge.LogVerdict.Episode;
import io.trainwatch.monitor.judge.LogVerdict.RunVerdict;
import java.util.ArrayList;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * What other settings make of one episode of a run. An episode is the same under both where the detector, the scope and
 * the attempt are and both are open at a time; its onset may be another.
 *
 * @param before as it was, null where it is added
 * @param now as it is, null where it is silenced
 */
public record EpisodeDifference(
        @Nullable Episode before, @Nullable Episode now) {

    /** What became of it; of several the first counts. */
    public enum Change {
        ADDED,
        SILENCED,
        SEVERITY,
        MOVED
    }

    public EpisodeDifference {
        if (before == null && now == null) {
            throw new IllegalArgumentException("no episode on either side");
        }
    }

    public Change change() {
        return before == null
                ? Change.ADDED
                : now == null ? Change.SILENCED : before.severity() != now.severity() ? Change.SEVERITY : Change.MOVED;
    }

    /** The alert as it is, or was where it is silenced. */
    public Alert alert() {
        return Objects.requireNonNull(now != null ? now : before).last();
    }

    /** The differences between two verdicts on the same run, in the order of its episodes; those that are silenced last. */
    public static List<EpisodeDifference> between(RunVerdict before, RunVerdict now) {
        List<EpisodeDifference> differences = new ArrayList<>();
        Set<Episode> left = Collections.newSetFromMap(new IdentityHashMap<>());
        left.addAll(before.episodes());
        List<Episode> added = new ArrayList<>();
        for (Episode episode : now.episodes()) {
            String id = episode.last().getAlertId();
            Episode same = find(before, left, other -> other.last().getAlertId().equals(id));
            if (same == null) {
                added.add(episode);
            } else {
                add(differences, same, episode);
            }
        }
        for (Episode episode : added) {
            add(differences, find(before, left, one -> isSame(one, episode)), episode);
        }
        for (Episode episode : before.episodes()) {
            if (left.contains(episode)) {
                differences.add(new EpisodeDifference(episode, null));
            }
        }
        return differences;
    }

    private static void add(List<EpisodeDifference> differences, @Nullable Episode before, Episode now) {
        boolean equal =
                before != null && before.severity() == now.severity() && Objects.equals(before.opened(), now.opened());
        if (!equal) {
            differences.add(new EpisodeDifference(before, now));
        }
    }

    private interface Condition {
        boolean of(Episode episode);
    }

    private static @Nullable Episode find(RunVerdict before, Set<Episode> left, Condition condition) {
        for (Episode episode : before.episodes()) {
            if (left.contains(episode) && condition.of(episode)) {
                left.remove(episode);
                return episode;
            }
        }
        return null;
    }

    private static boolean isSame(Episode before, Episode now) {
        return before.last().getDetector().equals(now.last().getDetector())
                && before.last().getScope().equals(now.last().getScope())
                && before.last().getAttempt() == now.last().getAttempt()
                && begin(before) <= end(now)
                && begin(now) <= end(before);
    }

    private static long begin(Episode episode) {
        return episode.opened() == null ? -1 : episode.opened();
    }

    private static long end(Episode episode) {
        Long resolved = episode.last().getResolvedStep();
        return resolved == null ? Long.MAX_VALUE : resolved;
    }
}
