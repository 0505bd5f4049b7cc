package io.trainwatch.monitor.diagnose;

import io.trainwatch.alert.Severity;
import io.trainwatch.monitor.detect.Figures;
import io.trainwatch.monitor.run.Checkpoints.Checkpoint;
import io.trainwatch.monitor.run.RunFacts;
import io.trainwatch.monitor.run.RunView;
import io.trainwatch.monitor.run.Series;
import io.trainwatch.monitor.run.SeriesSnapshot.Bucket;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What is known of a run around the onset of an episode: the other episodes by the name of their detector, and what its
 * curves and its declaration say. Taken when an alert changes, which is rare, from the curves that the run keeps anyway;
 * a curve of a long run has one bucket for many steps, so times are as exact as its buckets.
 *
 * <table>
 * <caption>Names beside those of detectors</caption>
 * <tr><td>gradient_growth</td><td>the gradient norm rose at least 3-fold before the onset and stayed there, fully at
 * 10-fold</td></tr>
 * <tr><td>gradient_steady</td><td>it was known and did not</td></tr>
 * <tr><td>gradient_failed_first</td><td>it was not finite while the loss still was, without fp16</td></tr>
 * <tr><td>initial_gradient_large</td><td>above 100 at the first step, the guides' start-up threshold</td></tr>
 * <tr><td>loss_growth</td><td>the loss rose at least 2-fold above its lowest before the onset, fully at 10-fold</td></tr>
 * <tr><td>initial_loss_high</td><td>the first loss is above 1.5 times that of a model that knows nothing</td></tr>
 * <tr><td>loss_at_chance</td><td>the loss is within 2 % of it</td></tr>
 * <tr><td>training_falls</td><td>the training loss fell by at least a fifth</td></tr>
 * <tr><td>learning_rate_rising</td><td>at the onset above 1.5 times its lowest of the 500 steps before, fully at 10</td></tr>
 * <tr><td>learning_rate_large</td><td>above 0.01 for a method of the Adam family, 1 for SGD, 0.1 for an unknown one;
 * fully at 10 times that</td></tr>
 * <tr><td>learning_rate_small</td><td>below 1e-6 for the Adam family, 1e-4 otherwise; fully at a tenth</td></tr>
 * <tr><td>learning_rate_gone</td><td>below a thousandth of its peak with more than a tenth of the run to go</td></tr>
 * <tr><td>learning_rate_annealed</td><td>below a tenth of its peak at the end of the declared steps</td></tr>
 * <tr><td>validation_at_chance</td><td>no evaluation loss or accuracy was ever better than chance</td></tr>
 * <tr><td>validation_learned</td><td>an evaluation loss was once a fifth below its first</td></tr>
 * <tr><td>early</td><td>the onset is within the first 100 steps</td></tr>
 * <tr><td>sudden</td><td>neither the loss nor the gradient moved before the onset</td></tr>
 * <tr><td>phase_changed, resumed</td><td>within 500 and 100 steps before the onset</td></tr>
 * <tr><td>fp16</td><td>declared</td></tr>
 * <tr><td>no_clipping</td><td>a run that declared itself and no gradient clipping</td></tr>
 * </table>
 */
final class Facts {
    /** Steps before the onset within which something may be its cause: DETECTION.md 6. */
    static final int HORIZON = 500;
    /** Points that a detector may take to see what another one saw at once. */
    static final int TOLERANCE = 8;

    static final int RESUME_HORIZON = 100;
    static final int EARLY = 100;

    private static final double GROWTH = 3;
    private static final double CHANCE_BAND = 0.02;

    private final Map<String, Fact> facts = new LinkedHashMap<>();
    private final Map<String, String> words = new HashMap<>();
    private final RunView run;
    private final long onset;

    private Facts(RunView run, long onset) {
        this.run = run;
        this.onset = onset;
    }

    static Facts around(Finding episode, List<Finding> others, RunView run) {
        long onset = episode.onsetStep() < 0 ? run.lastStep() : episode.onsetStep();
        Facts facts = new Facts(run, onset);
        facts.episodes(episode, others);
        facts.failedFirst(episode, others);
        facts.gradient();
        facts.loss();
        facts.learningRate();
        facts.evaluations();
        facts.circumstances();
        return facts;
    }

    @Nullable
    Fact get(String name) {
        return facts.get(name);
    }

    /** The line with the words in braces filled in; empty if one is not known of this run. */
    String fillIn(String line) {
        String filled = line;
        for (Map.Entry<String, String> word : words.entrySet()) {
            filled = filled.replace("{" + word.getKey() + "}", word.getValue());
        }
        return filled.indexOf('{') >= 0 ? "" : filled;
    }

    private void add(String name, double strength, long step, String text) {
        if (strength > 0) {
            facts.putIfAbsent(name, new Fact(name, Math.min(1, strength), step, text));
        }
    }

    private void episodes(Finding episode, List<Finding> others) {
        if (episode.detector().equals("stalled_run") || !episode.scope().isEmpty()) {
            words.put("scope", episode.scope());
        }
        add(episode.detector(), 1, onset, episode.message());
        if ("hang".equals(episode.reason())) {
            add("process_lives", 1, onset, "its heartbeats go on");
        } else if ("lost".equals(episode.reason())) {
            add("heartbeats_stopped", 1, onset, "its heartbeats stopped too");
        }
        for (Finding other : others) {
            boolean before = other.onsetStep() < 0
                    || (other.onsetStep() >= onset - HORIZON && other.onsetStep() <= onset + TOLERANCE)
                    || (lastsLong(other) && other.onsetStep() <= Math.max(onset, episode.openedStep()));
            if (before && !other.detector().equals(episode.detector())) {
                double strength = other.severity() == Severity.info ? 0.5 : 1;
                String where = other.scope().isEmpty() ? "" : " (" + other.scope() + ")";
                String since = other.onsetStep() < 0 ? "" : " since step " + other.onsetStep();
                add(other.detector(), strength, other.onsetStep(), other.detector() + where + since);
            }
        }
    }

    private void failedFirst(Finding episode, List<Finding> others) {
        long gradient = onsetOf("non_finite_gradient", episode, others);
        long loss = onsetOf("non_finite_loss", episode, others);
        if (!run.facts().fp16() && gradient >= 0 && gradient < loss && loss - gradient <= HORIZON) {
            add(
                    "gradient_failed_first",
                    1,
                    gradient,
                    "the gradient was not finite at step " + gradient + ", the loss only at step " + loss);
        }
    }

    private static long onsetOf(String detector, Finding episode, List<Finding> others) {
        if (episode.detector().equals(detector) && episode.scope().isEmpty()) {
            return episode.onsetStep();
        }
        return others.stream()
                .filter(other ->
                        other.detector().equals(detector) && other.scope().isEmpty())
                .mapToLong(Finding::onsetStep)
                .max()
                .orElse(-1);
    }

    /**
     * Faults of the state of the model, which work on for as long as they last: however long ago they began, and also where
     * the episode reaches back to before them, as a run that learned nothing from its first step.
     */
    private static boolean lastsLong(Finding finding) {
        return switch (finding.detector()) {
            case "vanishing_gradient",
                    "dead_units",
                    "saturated_units",
                    "abnormal_weights",
                    "unchanged_weights",
                    "class_imbalance",
                    "abnormal_input",
                    "preflight_failed" -> true;
            default -> false;
        };
    }

    private void gradient() {
        List<Bucket> before = finiteUntil(run.gradNorm(), onset - 1);
        if (before.isEmpty()) {
            return;
        }
        double first = before.get(0).mean();
        if (first > 100 && before.get(0).lastStep() - run.firstStep() <= TOLERANCE) {
            add("initial_gradient_large", 1, before.get(0).lastStep(), "the first gradient norm is " + text(first));
        }
        double growth = growth(before);
        if (growth >= GROWTH) {
            double peak = before.get(before.size() - 1).max();
            add(
                    "gradient_growth",
                    Math.log10(growth),
                    before.get(Math.max(0, before.size() - 3)).lastStep(),
                    "the gradient norm grew " + text(growth) + "-fold before step " + onset + ", to " + text(peak));
        } else if (before.size() >= 2) {
            add("gradient_steady", 1, -1, "the gradient norm did not grow before step " + onset);
        }
    }

    /** Where it stood just before the onset over where it stood before that; medians, because norms are heavy-tailed. */
    private static double growth(List<Bucket> points) {
        int recent = points.size() < 6 ? 1 : 3;
        double now = median(points.subList(points.size() - recent, points.size()));
        List<Bucket> earlier = points.subList(0, points.size() - recent);
        double reference =
                earlier.size() < 8 ? (earlier.isEmpty() ? now : earlier.get(0).mean()) : median(earlier);
        return reference > 0 ? now / reference : 1;
    }

    private static double median(List<Bucket> points) {
        double[] means = points.stream().mapToDouble(Bucket::mean).sorted().toArray();
        return means[means.length / 2];
    }

    private void loss() {
        List<Bucket> before = finiteUntil(run.loss(), onset - 1);
        if (before.isEmpty()) {
            return;
        }
        double lowest = before.stream().mapToDouble(Bucket::mean).min().orElse(0);
        Bucket last = before.get(before.size() - 1);
        double rise = lowest > 0 ? last.max() / lowest : 1;
        // A loss that falls far makes any noise a multiple of its lowest: it has to be above where it began, too.
        if (rise >= 2 && last.max() >= run.loss().initial()) {
            add(
                    "loss_growth",
                    Math.log10(rise),
                    last.lastStep(),
                    "the loss rose " + text(rise) + "-fold above its lowest");
        }
        if (!facts.containsKey("loss_growth") && !facts.containsKey("gradient_growth")) {
            add("sudden", 1, onset, "nothing moved before step " + onset);
        }
        double chance = run.facts().chanceLoss();
        if (chance > 0) {
            double initial = before.get(0).mean();
            if (initial > 1.5 * chance) {
                add(
                        "initial_loss_high",
                        Math.log(initial / chance) / Math.log(3),
                        before.get(0).lastStep(),
                        "the first loss is " + text(initial) + ", a model that knows nothing has " + text(chance));
            }
            double median = run.loss().median();
            if (Math.abs(median - chance) < CHANCE_BAND * chance) {
                add("loss_at_chance", 1, -1, "the loss is " + text(median) + ", that of a model that knows nothing");
            }
        }
        double initial = run.loss().initial();
        double now = run.loss().median();
        if (initial > 0 && now < 0.8 * initial) {
            add("training_falls", 1, -1, "the training loss fell from " + text(initial) + " to " + text(now));
        }
    }

    private void learningRate() {
        Series series = run.series("learning_rate");
        if (series == null) {
            return;
        }
        List<Bucket> before = finiteUntil(series, onset);
        if (before.isEmpty()) {
            return;
        }
        double rate = before.get(before.size() - 1).max();
        fillInRate(rate);
        double lowest = before.stream()
                .filter(bucket -> bucket.lastStep() >= onset - HORIZON)
                .mapToDouble(Bucket::min)
                .min()
                .orElse(rate);
        if (lowest > 0 && rate > 1.5 * lowest) {
            add(
                    "learning_rate_rising",
                    Math.log10(rate / lowest),
                    -1,
                    "the learning rate rose from " + text(lowest) + " to " + text(rate));
        }
        Family family = Family.of(run.facts());
        if (rate > family.large) {
            String kind = family == Family.UNKNOWN ? "" : " for " + run.facts().optimizer();
            add(
                    "learning_rate_large",
                    Math.log10(rate / family.large),
                    -1,
                    "a learning rate of " + text(rate) + " is large" + kind);
        }
        if (rate > 0 && rate < family.small) {
            add(
                    "learning_rate_small",
                    Math.log10(family.small / rate),
                    -1,
                    "a learning rate of " + text(rate) + " is small");
        }
        double peak = before.stream().mapToDouble(Bucket::max).max().orElse(rate);
        double now = series.last();
        // What was gone in the middle of the run did not come down as the run ends.
        long since = run.gates().learningRateGoneSince();
        double progress = run.facts().maxSteps() > 0
                ? (since > 0 ? since : run.lastStep()) / (double) run.facts().maxSteps()
                : Double.NaN;
        if (peak > 0 && now < 1e-3 * peak && !(progress > 0.9)) {
            add("learning_rate_gone", 1, -1, "the learning rate is " + text(now) + " after a peak of " + text(peak));
        }
        if (peak > 0 && now < 0.1 * peak && progress > 0.9) {
            add("learning_rate_annealed", 1, -1, "the learning rate came down to " + text(now) + " as the run ends");
        }
    }

    private void fillInRate(double rate) {
        if (rate > 0) {
            words.put("learning_rate", text(rate));
            words.put("learning_rate/3", text(rate / 3));
            words.put("learning_rate/10", text(rate / 10));
            words.put("learning_rate*10", text(rate * 10));
        }
    }

    /** Optimizers of which a learning rate can be called large or small. */
    private enum Family {
        ADAM(0.01, 1e-6),
        SGD(1, 1e-4),
        UNKNOWN(0.1, 1e-6);

        final double large;
        final double small;

        Family(double large, double small) {
            this.large = large;
            this.small = small;
        }

        static Family of(RunFacts facts) {
            String name = facts.optimizer() == null ? "" : facts.optimizer().toLowerCase(Locale.ROOT);
            if (name.contains("adam") || name.contains("rmsprop") || name.contains("lion") || name.contains("nadam")) {
                return ADAM;
            }
            return name.contains("sgd") || name.contains("momentum") ? SGD : UNKNOWN;
        }
    }

    private void evaluations() {
        double chance = run.facts().chanceLoss();
        double accuracyByChance = chance > 0 ? Math.exp(-chance) : Double.NaN;
        boolean atChance = false;
        for (Series series : run.allSeries()) {
            boolean isLoss = series.name().endsWith("/loss") && !series.name().startsWith("losses/");
            boolean isAccuracy =
                    series.name().endsWith("/accuracy") && !series.name().startsWith("metrics/");
            if (!isLoss && !isAccuracy) {
                continue;
            }
            List<Bucket> points = finiteUntil(series, Long.MAX_VALUE);
            if (points.size() < 2) {
                continue;
            }
            if (isLoss) {
                double best = points.stream().mapToDouble(Bucket::min).min().orElseThrow();
                double first = points.get(0).mean();
                if (first > 0 && best < 0.8 * first) {
                    add(
                            "validation_learned",
                            1,
                            -1,
                            series.name() + " was once " + text(best) + ", from " + text(first));
                }
                atChance |= best > (1 - CHANCE_BAND) * chance;
            } else {
                double best = points.stream().mapToDouble(Bucket::max).max().orElseThrow();
                double mean =
                        points.stream().mapToDouble(Bucket::mean).average().orElseThrow();
                // Twice chance in one of many evaluations of a small set is luck; their mean is not.
                atChance |= mean < 1.25 * accuracyByChance && best < 2 * accuracyByChance;
            }
        }
        if (atChance && !facts.containsKey("validation_learned")) {
            add("validation_at_chance", 1, -1, "no evaluation was ever better than chance");
        }
    }

    private void circumstances() {
        if (onset - run.firstStep() <= EARLY) {
            add("early", 1, -1, "it began within the first " + EARLY + " steps");
        }
        if (run.phaseStep() >= 0 && onset >= run.phaseStep() && onset - run.phaseStep() <= HORIZON) {
            add("phase_changed", 1, run.phaseStep(), "the trainer declared a change at step " + run.phaseStep());
        }
        long since = onset - run.segmentStart();
        if (run.segmentStart() > run.firstStep() && since >= 0 && since <= RESUME_HORIZON) {
            add("resumed", 1, run.segmentStart(), "the run was resumed at step " + run.segmentStart());
        }
        if (run.facts().fp16()) {
            add("fp16", 1, -1, "the run is in fp16");
        }
        if (run.facts().declared() && Double.isNaN(run.facts().maxGradNorm())) {
            add("no_clipping", 1, -1, "no gradient clipping was declared");
        }
        Checkpoint checkpoint = run.checkpoints().before(onset);
        if (checkpoint != null && checkpoint.path() != null) {
            words.put("checkpoint", checkpoint.path() + " (step " + checkpoint.step() + ")");
        }
        words.put("onset", Long.toString(onset));
    }

    /** The finite points of a series up to a step; of a bucket that straddles it, only whole ones. */
    private static List<Bucket> finiteUntil(@Nullable Series series, long step) {
        if (series == null) {
            return List.of();
        }
        return series.snapshot().buckets().stream()
                .filter(bucket -> bucket.lastStep() <= step && Double.isFinite(bucket.mean()))
                .toList();
    }

    private static String text(double value) {
        return Figures.text(value);
    }

    /** Every name that a clue may have beside those of detectors. */
    static List<String> names() {
        return Arrays.asList(
                "gradient_growth",
                "gradient_steady",
                "gradient_failed_first",
                "initial_gradient_large",
                "loss_growth",
                "initial_loss_high",
                "loss_at_chance",
                "training_falls",
                "learning_rate_rising",
                "learning_rate_large",
                "learning_rate_small",
                "learning_rate_gone",
                "learning_rate_annealed",
                "validation_at_chance",
                "validation_learned",
                "process_lives",
                "heartbeats_stopped",
                "early",
                "sudden",
                "phase_changed",
                "resumed",
                "fp16",
                "no_clipping");
    }
}
