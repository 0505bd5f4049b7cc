package io.trainwatch.monitor.diagnose;

import io.trainwatch.alert.Cause;
import io.trainwatch.monitor.run.RunView;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;

/**
 * Ranks the likely causes of an episode.
 *
 * <pre>
 * score = prior + sum of weight x strength over the facts that hold, cut to 0 .. 1
 * </pre>
 *
 * <p>A fact counts in full if it began before the onset, at most {@value Facts#HORIZON} steps earlier, or within a few
 * points after it, because detectors need some to see; what began later is a consequence and counts nothing (DETECTION.md
 * 6). Of the rules for the detector the best {@value #SHOWN} are shown, none below {@value #LEAST}. Known weakness: the
 * weights are judgement, not fitted; {@code trainwatch evaluate} says how often they are right.
 */
public final class Diagnosis {
    static final int SHOWN = 3;
    static final double LEAST = 0.1;

    private Diagnosis() {}

    /**
     * The causes of an episode, likeliest first.
     *
     * @param episode the episode
     * @param others the other episodes of the run, open or over
     * @param run the run as it is now
     */
    public static List<Cause> of(Finding episode, List<Finding> others, RunView run) {
        Facts facts = Facts.around(episode, others, run);
        List<Cause> causes = new ArrayList<>();
        for (CauseRule rule : CauseCatalogue.RULES) {
            Double prior = rule.explains().get(episode.detector());
            if (prior != null) {
                Cause cause = weigh(rule, prior, facts, episode);
                if (cause.getScore() >= LEAST) {
                    causes.add(cause);
                }
            }
        }
        causes.sort(Comparator.comparingDouble(Cause::getScore).reversed());
        return causes.size() <= SHOWN ? causes : List.copyOf(causes.subList(0, SHOWN));
    }

    private static Cause weigh(CauseRule rule, double prior, Facts facts, Finding episode) {
        double score = prior;
        List<Fact> used = new ArrayList<>();
        for (Map.Entry<String, Double> clue : rule.clues().entrySet()) {
            Fact fact = facts.get(clue.getKey());
            if (fact != null) {
                score += clue.getValue() * fact.strength();
                if (clue.getValue() > 0 && !fact.name().equals(episode.detector())) {
                    used.add(fact);
                }
            }
        }
        used.sort(Comparator.comparingLong(Fact::step).thenComparing(Fact::name));
        Cause cause = new Cause();
        cause.setId(rule.id());
        cause.setTitle(rule.title());
        cause.setScore(Math.round(100 * Math.max(0, Math.min(score, 1))) / 100.0);
        cause.setWhy(used.stream().map(Fact::words).toList());
        cause.setFix(rule.fixes().stream()
                .map(facts::fillIn)
                .filter(line -> !line.isEmpty())
                .toList());
        cause.setCheck(List.of(rule.check()));
        return cause;
    }
}
