package io.trainwatch.monitor.detect;

import io.trainwatch.alert.Severity;
import io.trainwatch.event.BatchStats;
import io.trainwatch.event.ClassCounts;
import io.trainwatch.event.EvaluationCompleted;
import io.trainwatch.event.PredictionStats;
import io.trainwatch.event.TrainingEvent;
import io.trainwatch.monitor.run.RunState;
import io.trainwatch.monitor.run.RunView;
import io.trainwatch.monitor.stats.Persistent;
import io.trainwatch.monitor.stats.StateReader;
import io.trainwatch.monitor.stats.StateWriter;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Finds labels that are unevenly spread over their classes, and classes that the model fails because of it (D16).
 *
 * <pre>
 * per split, labels counted since the start of the phase, from 500 and 20 per class on:
 *   most frequent class &gt; 10 times the rarest                                       -&gt; info, scope SPLIT
 *   every label the same, of at least 2 declared classes                           -&gt; warning, scope SPLIT
 *   declared classes (at most 20) that never came in 100 labels per class          -&gt; warning, scope SPLIT/classes
 * per split and class, over windows of at least 20 of its samples, after the first 500 steps (a quarter of the planned):
 *   recall of a class &lt; 20 % of the mean recall, or never predicted, 3 windows in a row -&gt; warning, scope SPLIT/recall
 * accuracy of an evaluation not above the share of the majority in the labels of its split by 1 standard error,
 *   where classes are uneven by 10 times, 3 times in a row                         -&gt; warning, scope DATASET/majority
 * </pre>
 *
 * <p>Uneven classes alone are info: most real data is uneven, and a loss may be weighted. The rarest class is taken at the
 * upper end of what its count may mean (3 standard errors of a Poisson count), so that sparse counts are not imbalance.
 * Of more than two classes the model has to have learned something, a mean recall of 1.5 times chance, before one can be
 * worse than the others; before that {@link PredictionCollapse} and {@link NotLearning} say what is wrong.
 *
 * <p>Not for tokens, nor above 1,000 classes. Above 20 declared classes, numberings with holes are common (COCO: 91 numbers,
 * 80 classes), so a class that never came is no finding. Labels come from {@code batch_stats}, or {@code prediction_stats}
 * where those have none. A recall needs {@code per_class}; with the
 * histograms of predictions and labels alone, classes that are never predicted are found. Sources: SageMaker ClassImbalance (10, 500
 * samples, misprediction 0.7) and Confusion (recall of each class); DETECTION.md D16.
 */
public final class ClassImbalance extends Detector<ClassImbalance.State> {
    static final Setting<Double> RATIO = Setting.number(
            "ratio",
            10,
            1.5,
            1e6,
            "times the labels of the rarest class",
            "How many times as often the most frequent class has to come. Source: ClassImbalance of "
                    + "Amazon SageMaker Debugger.");

    static final int FEWEST_LABELS = 500;
    static final int PER_CLASS = 20;
    static final int MAX_DECLARED = 20;
    static final int PER_ABSENT_CLASS = 100;
    static final int FEWEST_OF_CLASS = 20;
    static final double LEAST_OF_MEAN_RECALL = 0.2;
    static final double CHANCES = 1.5;
    static final int IN_A_ROW = 3;
    static final int MAX_CLASSES = 256;

    private final double mostUneven;

    ClassImbalance(DetectorSettings settings) {
        mostUneven = settings.get(RATIO);
    }

    /** The splits, and what came at all. */
    static final class State implements DetectorState {
        final PerScope<Split> splits = new PerScope<>(1, 8, Split::new);
        boolean judged;
        boolean seen;
        boolean inBatches;

        @Override
        public int version() {
            return 1;
        }

        @Override
        public void write(StateWriter out) {
            splits.write(out);
            out.writeBoolean(judged);
            out.writeBoolean(seen);
            out.writeBoolean(inBatches);
        }

        @Override
        public void read(StateReader in) {
            splits.read(in);
            judged = in.readBoolean();
            seen = in.readBoolean();
            inBatches = in.readBoolean();
        }
    }

    /** Labels of a split, and how its classes fare. */
    static final class Split implements Persistent {
        final ClassCensus labels = new ClassCensus();
        final Map<String, Recall> recalls = new LinkedHashMap<>();
        double windowSamples;
        long phase;
        long unevenSince = -1;
        int majorityAlone;
        boolean counted;

        void add(String name, double support, double right, double predicted) {
            Recall recall = recalls.get(name);
            if (recall == null && recalls.size() < MAX_CLASSES && name.length() <= PerScope.MAX_NAME) {
                recall = new Recall();
                recalls.put(name, recall);
            }
            if (recall != null) {
                recall.support += support;
                recall.right += right;
                recall.predicted += predicted;
                windowSamples += support;
            }
        }

        /** Recall of a class; without confusion counts 1 if it is predicted at all. */
        double share(Recall recall) {
            return counted ? recall.right / recall.support : recall.predicted > 0 ? 1 : 0;
        }

        @Override
        public void write(StateWriter out) {
            labels.write(out);
            out.writeInt(recalls.size());
            recalls.forEach((name, recall) -> {
                out.writeString(name);
                out.writeDouble(recall.support);
                out.writeDouble(recall.right);
                out.writeDouble(recall.predicted);
                out.writeInt(recall.failed);
                out.writeLong(recall.onset);
            });
            out.writeDouble(windowSamples);
            out.writeLong(phase);
            out.writeLong(unevenSince);
            out.writeInt(majorityAlone);
            out.writeBoolean(counted);
        }

        @Override
        public void read(StateReader in) {
            labels.read(in);
            recalls.clear();
            int count = in.readCount(MAX_CLASSES);
            for (int i = 0; i < count; i++) {
                String name = in.readString();
                Recall recall = new Recall();
                recall.support = in.readDouble();
                recall.right = in.readDouble();
                recall.predicted = in.readDouble();
                recall.failed = in.readInt();
                recall.onset = in.readLong();
                recalls.put(name, recall);
            }
            windowSamples = in.readDouble();
            phase = in.readLong();
            unevenSince = in.readLong();
            majorityAlone = in.readInt();
            counted = in.readBoolean();
        }
    }

    /** One class in the window, and for how many windows the model has failed it. */
    private static final class Recall {
        double support;
        double right;
        double predicted;
        int failed;
        long onset = -1;
    }

    @Override
    public String name() {
        return "class_imbalance";
    }

    @Override
    public List<Setting<?>> settings() {
        return List.of(RATIO);
    }

    @Override
    public Set<Class<?>> reads() {
        return Set.of(BatchStats.class, PredictionStats.class, EvaluationCompleted.class);
    }

    @Override
    public int quietVerdicts() {
        return 3;
    }

    @Override
    public State newState() {
        return new State();
    }

    @Override
    public void observe(State state, RunView run, TrainingEvent event, Verdicts verdicts) {
        if (run.facts().predictsTokens() || run.facts().classes() > ClassShares.MAX_CLASSES) {
            return;
        }
        Object body = event.getBody();
        if (body instanceof BatchStats batch) {
            state.inBatches |= batch.getLabelHistogram() != null;
            labels(state, run, batch.getSplit(), batch.getLabelHistogram(), verdicts);
        } else if (body instanceof PredictionStats predictions) {
            if (!state.inBatches) {
                labels(state, run, predictions.getSplit(), predictions.getLabelHistogram(), verdicts);
            }
            recalls(state, run, predictions, verdicts);
        } else if (body instanceof EvaluationCompleted evaluation) {
            majority(state, run, evaluation, verdicts);
        }
    }

    private static @Nullable Split split(State state, RunView run, @Nullable String said) {
        String scope = RunState.splitScope(said);
        Split split = state.splits.of(scope);
        if (split != null && split.phase != run.phase()) {
            split = state.splits.renew(scope);
            split.phase = run.phase();
        }
        return split;
    }

    private void labels(
            State state, RunView run, @Nullable String said, @Nullable Map<String, Long> histogram, Verdicts verdicts) {
        if (histogram == null || histogram.isEmpty()) {
            return;
        }
        state.seen = true;
        Split split = split(state, run, said);
        if (split == null) {
            return;
        }
        split.labels.add(histogram);
        double total = split.labels.total();
        int came = split.labels.counts().size();
        long declared = run.facts().classes();
        if (total < Math.max(FEWEST_LABELS, (double) PER_CLASS * Math.max(came, declared))
                || came > ClassShares.MAX_CLASSES) {
            return;
        }
        state.judged = true;
        String scope = RunState.splitScope(said);
        boolean single = came == 1 && declared > 1;
        if (single || uneven(split)) {
            if (split.unevenSince < 0) {
                split.unevenSince = run.lastStep();
            }
            Severity severity = single ? Severity.warning : Severity.info;
            verdicts.unhealthy(scope, severity, split.unevenSince, null, () -> explainLabels(split, scope, run));
        } else {
            split.unevenSince = -1;
            verdicts.healthy(scope);
        }
        boolean countable = declared > 1 && declared <= MAX_DECLARED && total >= (double) PER_ABSENT_CLASS * declared;
        if (countable && !single) {
            absent(split, run, scope + "/classes", declared - came, verdicts);
        }
    }

    private boolean uneven(Split split) {
        ClassCensus labels = split.labels;
        return labels.counts().size() > 1
                && labels.count(labels.most()) > mostUneven * atMost(labels.count(labels.rarest()));
    }

    /** The upper end of what a count may mean. */
    private static double atMost(double count) {
        return count + 3 * Math.sqrt(count);
    }

    private static Verdicts.Explanation explainLabels(Split split, String scope, RunView run) {
        ClassCensus labels = split.labels;
        String most = labels.most();
        String rarest = labels.rarest();
        String rare = most.equals(rarest)
                ? ", and no other of the declared " + run.facts().classes() + " ever came"
                : ", class " + rarest + " " + Figures.percent(labels.share(rarest));
        return new Verdicts.Explanation(
                scope + ": class " + most + " has " + Figures.percent(labels.share(most)) + " of "
                        + Figures.text(labels.total()) + " labels" + rare,
                List.of(Figures.evidence(
                        "labels/" + most,
                        run.firstStep(),
                        run.lastStep(),
                        labels.share(most),
                        labels.share(rarest),
                        labels.share(most) / labels.share(rarest),
                        "share of labels")));
    }

    private static void absent(Split split, RunView run, String scope, long absent, Verdicts verdicts) {
        if (absent <= 0) {
            verdicts.healthy(scope);
            return;
        }
        verdicts.unhealthy(
                scope,
                Severity.warning,
                run.firstStep(),
                null,
                () -> new Verdicts.Explanation(
                        absent + " of the declared " + run.facts().classes() + " classes never came in "
                                + Figures.text(split.labels.total()) + " labels",
                        List.of(Figures.evidence(
                                scope,
                                run.firstStep(),
                                run.lastStep(),
                                split.labels.counts().size(),
                                (double) run.facts().classes(),
                                Double.NaN,
                                "classes"))));
    }

    private static void recalls(State state, RunView run, PredictionStats body, Verdicts verdicts) {
        Map<String, ClassCounts> perClass = body.getPerClass();
        Map<String, Long> predicted = body.getPredictedClassHistogram();
        Map<String, Long> labels = body.getLabelHistogram();
        if (perClass == null && (predicted == null || labels == null)) {
            return;
        }
        state.seen = true;
        Split split = split(state, run, body.getSplit());
        if (split == null) {
            return;
        }
        if (perClass != null) {
            split.counted = true;
            perClass.forEach((name, counts) -> {
                double support = Math.max(0, counts.getSupport());
                double right = Math.max(0, counts.getTp());
                split.add(name, support, Math.min(support, right), right + Math.max(0, counts.getFp()));
            });
        } else if (!split.counted && predicted != null && labels != null) {
            labels.forEach((name, support) -> split.add(name, Math.max(0.0, support), 0, 0));
            predicted.forEach((name, count) -> split.add(name, 0, 0, Math.max(0.0, count)));
        }
        if (split.windowSamples >= Math.max(FEWEST_LABELS, (double) PER_CLASS * split.recalls.size())) {
            judgeRecalls(state, run, split, RunState.splitScope(body.getSplit()) + "/recall", verdicts);
            split.windowSamples = 0;
            for (Recall recall : split.recalls.values()) {
                if (recall.support >= FEWEST_OF_CLASS) {
                    recall.support = recall.right = recall.predicted = 0;
                }
            }
        }
    }

    private static void judgeRecalls(State state, RunView run, Split split, String scope, Verdicts verdicts) {
        double sum = 0;
        int classes = 0;
        for (Recall recall : split.recalls.values()) {
            if (recall.support >= FEWEST_OF_CLASS) {
                sum += split.share(recall);
                classes++;
            }
        }
        boolean started = run.stepsSeen() + 1 >= NotLearning.firstCheck(run)
                && run.stepsSeen() >= 2 * run.gates().warmupEnd(run.facts());
        if (!started || classes < 2) {
            return;
        }
        state.judged = true;
        double mean = sum / classes;
        long of = Math.max(split.recalls.size(), run.facts().classes());
        boolean learned = of == 2 || mean >= CHANCES / of;
        List<String> failed = new ArrayList<>();
        long onset = Long.MAX_VALUE;
        double worst = 1;
        for (Map.Entry<String, Recall> entry : split.recalls.entrySet()) {
            Recall recall = entry.getValue();
            if (recall.support < FEWEST_OF_CLASS) {
                // Too rare in this window to tell.
                continue;
            }
            boolean fails = learned && (split.share(recall) < LEAST_OF_MEAN_RECALL * mean || recall.predicted == 0);
            recall.failed = fails ? recall.failed + 1 : 0;
            if (recall.failed == 1) {
                recall.onset = run.lastStep();
            }
            if (recall.failed >= IN_A_ROW) {
                failed.add(entry.getKey());
                onset = Math.min(onset, recall.onset);
                worst = Math.min(worst, split.share(recall));
            }
        }
        if (failed.isEmpty()) {
            verdicts.healthy(scope);
            return;
        }
        double recall = worst;
        long since = onset;
        boolean counted = split.counted;
        String names = failed.size() == 1
                ? "class " + failed.get(0)
                : failed.size() + " classes, " + failed.get(0) + " first,";
        verdicts.unhealthy(
                scope,
                Severity.warning,
                since,
                null,
                () -> new Verdicts.Explanation(
                        counted
                                ? "the model fails " + names + " since step " + since + ": a recall of "
                                        + Figures.percent(recall) + " where the mean is " + Figures.percent(mean)
                                : "the model never predicts " + names + " since step " + since,
                        List.of(Figures.evidence(
                                scope + "/" + failed.get(0),
                                since,
                                run.lastStep(),
                                recall,
                                mean,
                                Double.NaN,
                                "share of the class"))));
    }

    private void majority(State state, RunView run, EvaluationCompleted body, Verdicts verdicts) {
        String name = StandardError.dataset(body);
        if (body.getMetrics() == null || body.getSlice() != null || run.redoing()) {
            return;
        }
        Double accuracy = body.getMetrics().get("accuracy");
        Split split = accuracy == null || name.equals("train") ? null : labelled(state, name);
        if (split == null || accuracy == null || !Double.isFinite(accuracy)) {
            return;
        }
        double error = StandardError.of(run, body, "accuracy", accuracy);
        if (Double.isNaN(error) || split.labels.total() < FEWEST_LABELS) {
            return;
        }
        double share = split.labels.share(split.labels.most());
        split.majorityAlone = uneven(split) && accuracy <= share + error ? split.majorityAlone + 1 : 0;
        boolean started = run.stepsSeen() + 1 >= NotLearning.firstCheck(run);
        String scope = RunState.evaluationScope(body) + "/majority";
        if (split.majorityAlone < IN_A_ROW || !started) {
            verdicts.healthy(scope);
            return;
        }
        verdicts.unhealthy(
                scope,
                Severity.warning,
                run.lastStep(),
                null,
                () -> new Verdicts.Explanation(
                        name + " accuracy of " + Figures.percent(accuracy) + " is no better than always saying class "
                                + split.labels.most() + ", which has " + Figures.percent(share) + " of labels",
                        List.of(Figures.evidence(
                                name + "/accuracy",
                                run.lastStep(),
                                run.lastStep(),
                                accuracy,
                                share,
                                Double.NaN,
                                null))));
    }

    private static @Nullable Split labelled(State state, String name) {
        Split split = state.splits.find(name);
        return split == null || split.labels.total() == 0 ? null : split;
    }

    @Override
    public @Nullable String missing(State state, RunView run) {
        if (state.judged) {
            return null;
        }
        if (run.facts().predictsTokens() || run.facts().classes() > ClassShares.MAX_CLASSES) {
            return "at most " + ClassShares.MAX_CLASSES + " classes that are no tokens";
        }
        return !state.seen ? "batch_stats.label_histogram" : FEWEST_LABELS + " labels, and " + PER_CLASS + " per class";
    }
}
