package io.trainwatch.monitor.detect;

import io.trainwatch.alert.Evidence;
import io.trainwatch.alert.Severity;
import io.trainwatch.event.BatchStats;
import io.trainwatch.event.EvaluationCompleted;
import io.trainwatch.event.PredictionStats;
import io.trainwatch.event.StepCompleted;
import io.trainwatch.event.TrainingEvent;
import io.trainwatch.monitor.run.MetricDirection;
import io.trainwatch.monitor.run.MetricProfile;
import io.trainwatch.monitor.run.RunState;
import io.trainwatch.monitor.run.RunView;
import io.trainwatch.monitor.run.Series;
import io.trainwatch.monitor.stats.Moments;
import io.trainwatch.monitor.stats.Persistent;
import io.trainwatch.monitor.stats.StateReader;
import io.trainwatch.monitor.stats.StateWriter;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Finds a model whose outputs lost their variety: one class for everything, one value, one embedding, one sample (D15).
 *
 * <pre>
 * per split, over windows of clamp(20 classes, 100, 500) predictions, H = entropy of the predicted classes:
 *   collapsed = one class has more than 95 % of the predictions of a batch and less than 80 % of its labels, on average
 *               or H &lt; half of the entropy of the labels, no label having 80 % (not for tokens)
 *               or std of the predictions &lt; 5 % of that of the labels   (regression)
 *               or mean pairwise cosine &gt; 0.95                          (embeddings)
 *   2 windows in a row -&gt; warning ; from the third on critical if predictions had variety before
 *   one class has more than 95 % of predictions and 80 % of labels too -&gt; info
 * diversity metric of an evaluation below half of its best 3 times in a row -&gt; warning, scope DATASET/METRIC
 * profile gan: loss of the discriminator in [0, 0.05), or in [0, a fifth of where it began) while that of the generator is
 *              five times where it began, or its accuracy above 0.95, for 500 steps -&gt; warning, scope NAME
 * </pre>
 *
 * <p>A model that never had variety may be at its start: then nothing is said before the first 500 steps (a quarter of the
 * planned ones) and the warm-up are over, as {@link NotLearning} does it; where it had variety, from 100 steps on. Labels
 * are those of the same samples, else of {@code batch_stats} of the split; without any, one class is a collapse only where
 * there was variety before. Tokens are predicted greedily from a long tail,
 * so their entropy is far below that of the labels in health.
 *
 * <p>A discriminator that cannot be fooled gives its generator no gradient: what follows is collapse. Wasserstein critics
 * have losses below 0 and are not read.
 *
 * <p>Measured on a zoo of small networks: H / ln C is 0 collapsed, 0.27 partial, at least 0.63 otherwise. Known weakness:
 * a majority that really has 80 % of the labels: {@link ClassImbalance} sees the classes that are never predicted. Source:
 * DETECTION.md D15.
 */
public final class PredictionCollapse extends Detector<PredictionCollapse.State> {
    static final Setting<Double> ONE_CLASS = Setting.number(
            "share",
            0.95,
            0.5,
            1,
            "share of the predictions",
            "Predictions are collapsed where more of them are one class, and less than 80 % of the " + "labels are.");

    static final long FIRST_STEPS = 100;
    static final int PER_CLASS = 20;
    static final int MIN_WINDOW = 100;
    static final int MAX_WINDOW = 500;
    static final double MAJORITY = 0.8;
    static final double LEAST_ENTROPY_RATIO = 0.5;
    static final double LEAST_STD_RATIO = 0.05;
    static final double MOST_COSINE = 0.95;
    static final int IN_A_ROW = 2;
    static final int CRITICAL_IN_A_ROW = 3;
    static final double LEAST_DIVERSITY = 0.5;
    static final int DIVERSITY_IN_A_ROW = 3;
    /** A balanced game leaves both losses within a factor of a few of where they began. */
    static final double OUTMATCHED = 5;

    static final double BEATEN_LOSS = 0.05;
    static final double BEATEN_ACCURACY = 0.95;
    static final long BEATEN_STEPS = 500;
    static final int BEATEN_POINTS = 20;

    private static final Pattern DISCRIMINATOR = Pattern.compile("(^|[^a-z])(d|disc|discriminator)([^a-z]|$)");
    private static final Pattern GENERATOR = Pattern.compile("(^|[^a-z])(g|gen|generator)([^a-z]|$)");

    private final double oneClass;

    PredictionCollapse(DetectorSettings settings) {
        oneClass = settings.get(ONE_CLASS);
    }

    /** The windows of each split, the diversity metrics and the discriminators. */
    static final class State implements DetectorState {
        final PerScope<Window> splits = new PerScope<>(1, 8, Window::new);
        final PerScope<Diversity> diversities = new PerScope<>(1, 16, Diversity::new);
        final PerScope<Streak> discriminators = new PerScope<>(1, 4, Streak::new);
        boolean judged;
        boolean seen;

        @Override
        public int version() {
            return 1;
        }

        @Override
        public void write(StateWriter out) {
            splits.write(out);
            diversities.write(out);
            discriminators.write(out);
            out.writeBoolean(judged);
            out.writeBoolean(seen);
        }

        @Override
        public void read(StateReader in) {
            splits.read(in);
            diversities.read(in);
            discriminators.read(in);
            judged = in.readBoolean();
            seen = in.readBoolean();
        }
    }

    /** Predictions of one split since the window began, and the labels of its batches ever. */
    static final class Window implements Persistent {
        final ClassCensus predicted = new ClassCensus();
        final ClassCensus labels = new ClassCensus();
        final ClassCensus batchLabels = new ClassCensus();
        final Moments values = new Moments();
        final Moments batchValues = new Moments();
        final Moments cosines = new Moments();
        double predictedTops;
        double labelTops;
        double samples;
        long start = -1;
        boolean varied;
        int collapsed;
        long onset = -1;

        @Override
        public void write(StateWriter out) {
            for (Persistent part : parts()) {
                part.write(out);
            }
            out.writeDouble(predictedTops);
            out.writeDouble(labelTops);
            out.writeDouble(samples);
            out.writeLong(start);
            out.writeBoolean(varied);
            out.writeInt(collapsed);
            out.writeLong(onset);
        }

        @Override
        public void read(StateReader in) {
            for (Persistent part : parts()) {
                part.read(in);
            }
            predictedTops = in.readDouble();
            labelTops = in.readDouble();
            samples = in.readDouble();
            start = in.readLong();
            varied = in.readBoolean();
            collapsed = in.readInt();
            onset = in.readLong();
        }

        private List<Persistent> parts() {
            return List.of(predicted, labels, batchLabels, values, batchValues, cosines);
        }

        void reset() {
            predicted.reset();
            labels.reset();
            values.reset();
            cosines.reset();
            predictedTops = 0;
            labelTops = 0;
            samples = 0;
            start = -1;
        }

        /** The share that the most frequent class of a batch has of its predictions, on average. */
        double predictedShare() {
            return predictedTops / predicted.total();
        }

        /** The same of the labels; of those of the split where those of the predictions are not known. */
        double labelShare() {
            return labels.total() > 0 ? labelTops / labels.total() : batchLabels.share(batchLabels.most());
        }
    }

    /** One diversity metric of one dataset. */
    static final class Diversity implements Persistent {
        double best = Double.NaN;
        int low;
        long onset = -1;

        @Override
        public void write(StateWriter out) {
            out.writeDouble(best);
            out.writeInt(low);
            out.writeLong(onset);
        }

        @Override
        public void read(StateReader in) {
            best = in.readDouble();
            low = in.readInt();
            onset = in.readLong();
        }
    }

    /** Since when a discriminator cannot be fooled. */
    static final class Streak implements Persistent {
        long since = -1;
        long points;

        @Override
        public void write(StateWriter out) {
            out.writeLong(since);
            out.writeLong(points);
        }

        @Override
        public void read(StateReader in) {
            since = in.readLong();
            points = in.readLong();
        }
    }

    @Override
    public String name() {
        return "prediction_collapse";
    }

    @Override
    public List<Setting<?>> settings() {
        return List.of(ONE_CLASS);
    }

    @Override
    public Set<Class<?>> reads() {
        return Set.of(PredictionStats.class, BatchStats.class, EvaluationCompleted.class, StepCompleted.class);
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
        Object body = event.getBody();
        if (body instanceof StepCompleted step) {
            boolean components = step.getLosses() != null || step.getMetrics() != null;
            if (components && event.getRank() == 0 && run.facts().profile() == MetricProfile.GAN) {
                discriminators(state, run, step, verdicts);
            }
        } else if (body instanceof PredictionStats predictions) {
            predictions(state, run, predictions, verdicts);
        } else if (body instanceof BatchStats batch) {
            labels(state, batch);
        } else if (body instanceof EvaluationCompleted evaluation) {
            diversities(state, run, evaluation, verdicts);
        }
    }

    private static void labels(State state, BatchStats body) {
        boolean regression = finite(body.getLabelMean()) && finite(body.getLabelStd()) && body.getLabelStd() >= 0;
        if (body.getLabelHistogram() == null && !regression) {
            return;
        }
        Window window = state.splits.of(RunState.splitScope(body.getSplit()));
        if (window == null) {
            return;
        }
        if (body.getLabelHistogram() != null) {
            window.batchLabels.add(body.getLabelHistogram());
        }
        if (regression) {
            double samples = body.getNumSamples() == null ? 1 : Math.max(1.0, body.getNumSamples());
            window.batchValues.addGroup(samples, body.getLabelMean(), body.getLabelStd());
        }
    }

    private void predictions(State state, RunView run, PredictionStats body, Verdicts verdicts) {
        String scope = RunState.splitScope(body.getSplit());
        Map<String, Long> histogram = body.getPredictedClassHistogram();
        boolean classes = histogram != null && !histogram.isEmpty();
        boolean values = finite(body.getMean()) && finite(body.getStd()) && body.getStd() >= 0;
        boolean cosine = finite(body.getPairwiseCosineMean());
        if (!classes && !values && !cosine) {
            return;
        }
        state.seen = true;
        Window window = state.splits.of(scope);
        if (window == null) {
            return;
        }
        if (window.start < 0) {
            window.start = run.lastStep();
        }
        double before = window.predicted.total();
        if (classes) {
            window.predicted.add(histogram);
            window.predictedTops += top(histogram);
            if (body.getLabelHistogram() != null) {
                window.labels.add(body.getLabelHistogram());
                window.labelTops += top(body.getLabelHistogram());
            }
        }
        double counted = window.predicted.total() - before;
        double samples = counted > 0 ? counted : body.getNumSamples() == null ? 1 : Math.max(1, body.getNumSamples());
        window.samples += samples;
        if (values) {
            window.values.addGroup(samples, body.getMean(), body.getStd());
        }
        if (cosine) {
            window.cosines.add(body.getPairwiseCosineMean());
        }
        double known =
                Math.max((double) run.facts().classes(), window.labels.counts().size());
        if (window.samples >= Math.min(MAX_WINDOW, Math.max(MIN_WINDOW, PER_CLASS * known))) {
            judge(state, run, window, scope, verdicts);
            window.reset();
        }
    }

    private static double top(Map<String, Long> histogram) {
        long top = 0;
        for (long count : histogram.values()) {
            top = Math.max(top, count);
        }
        return top;
    }

    private void judge(State state, RunView run, Window window, String scope, Verdicts verdicts) {
        String why = collapse(run, window);
        if (why == null) {
            if (run.stepsSeen() >= FIRST_STEPS) {
                window.varied |= window.predicted.total() == 0 || window.predictedShare() <= oneClass;
                state.judged = true;
            }
            window.collapsed = 0;
            window.onset = -1;
            if (majorityAlone(window) && late(run, false)) {
                verdicts.unhealthy(scope, Severity.info, window.start, null, () -> explainMajority(window, scope, run));
            } else {
                verdicts.healthy(scope);
            }
            return;
        }
        if (!late(run, window.varied)) {
            return;
        }
        state.judged = true;
        if (window.collapsed++ == 0) {
            window.onset = window.start;
        }
        if (window.collapsed < IN_A_ROW) {
            return;
        }
        boolean lost = window.varied && window.collapsed >= CRITICAL_IN_A_ROW;
        verdicts.unhealthy(
                scope,
                lost ? Severity.critical : Severity.warning,
                window.onset,
                run.gates().upwardMove(),
                () -> explain(window, scope, why, run));
    }

    /** Whether the start is over, for a model that had variety or for one that never had. */
    private static boolean late(RunView run, boolean varied) {
        if (varied) {
            return run.stepsSeen() >= FIRST_STEPS;
        }
        return run.stepsSeen() + 1 >= NotLearning.firstCheck(run)
                && run.stepsSeen() >= 2 * run.gates().warmupEnd(run.facts())
                && !run.gates().learningRateStillRising();
    }

    private @Nullable String collapse(RunView run, Window window) {
        if (window.predicted.total() > 0) {
            ClassCensus labels = labels(window);
            String most = window.predicted.most();
            double share = window.predictedShare();
            if (labels.total() == 0) {
                // Without labels one class may be right: unless it was different before.
                return share > oneClass && window.varied
                        ? oneClass(share, most) + ", which was different before"
                        : null;
            }
            if (share > oneClass && window.labelShare() < MAJORITY) {
                return oneClass(share, most) + ", where one has " + Figures.percent(window.labelShare()) + " of labels";
            }
            boolean even = window.labelShare() < MAJORITY && !run.facts().predictsTokens();
            double entropy = window.predicted.entropy();
            if (even && entropy < LEAST_ENTROPY_RATIO * labels.entropy()) {
                return "predicted classes have an entropy of " + Figures.text(entropy) + " nats, labels of "
                        + Figures.text(labels.entropy());
            }
            return null;
        }
        if (window.cosines.count() > 0 && window.cosines.mean() > MOST_COSINE) {
            return "embeddings of different samples have a mean cosine of " + Figures.text(window.cosines.mean());
        }
        boolean regression = window.values.count() > 1 && window.batchValues.count() > 1;
        if (regression && window.values.std() < LEAST_STD_RATIO * window.batchValues.std()) {
            return "predictions have a std of " + Figures.text(window.values.std()) + ", labels of "
                    + Figures.text(window.batchValues.std());
        }
        return null;
    }

    private static String oneClass(double share, String name) {
        return Figures.percent(share) + " of predictions are one class, mostly " + name;
    }

    private static ClassCensus labels(Window window) {
        return window.labels.total() > 0 ? window.labels : window.batchLabels;
    }

    /** Whether one class is predicted alone because the labels are nearly all of it. */
    private boolean majorityAlone(Window window) {
        return window.predicted.total() > 0
                && labels(window).total() > 0
                && window.predictedShare() > oneClass
                && window.labelShare() >= MAJORITY;
    }

    private static Verdicts.Explanation explain(Window window, String scope, String why, RunView run) {
        boolean classes = window.predicted.total() > 0;
        String most = window.predicted.most();
        Evidence evidence = classes
                ? Figures.evidence(
                        "predictions/" + most,
                        window.onset,
                        run.lastStep(),
                        window.predictedShare(),
                        window.labelShare(),
                        window.predicted.entropy(),
                        "share of predictions")
                : Figures.evidence(
                        window.cosines.count() > 0 ? "pairwise_cosine_mean" : "predictions/std",
                        window.onset,
                        run.lastStep(),
                        window.cosines.count() > 0 ? window.cosines.mean() : window.values.std(),
                        window.cosines.count() > 0 ? Double.NaN : window.batchValues.std(),
                        Double.NaN,
                        null);
        return new Verdicts.Explanation(scope + ": " + why + ", since step " + window.onset, List.of(evidence));
    }

    private static Verdicts.Explanation explainMajority(Window window, String scope, RunView run) {
        String most = window.predicted.most();
        double share = window.predictedShare();
        double labelled = window.labelShare();
        return new Verdicts.Explanation(
                scope + ": " + oneClass(share, most) + ", and so are " + Figures.percent(labelled) + " of labels",
                List.of(Figures.evidence(
                        "predictions/" + most,
                        window.start,
                        run.lastStep(),
                        share,
                        labelled,
                        Double.NaN,
                        "share of predictions")));
    }

    private static void diversities(State state, RunView run, EvaluationCompleted body, Verdicts verdicts) {
        if (body.getMetrics() == null || run.redoing()) {
            return;
        }
        body.getMetrics().forEach((name, value) -> {
            if (!MetricDirection.isDiversity(name) || !Double.isFinite(value) || value < 0) {
                return;
            }
            String scope = RunState.evaluationScope(body) + "/" + name;
            Diversity diversity = state.diversities.of(scope);
            if (diversity == null) {
                return;
            }
            state.judged = true;
            if (!(value <= diversity.best)) {
                diversity.best = value;
            }
            if (value >= LEAST_DIVERSITY * diversity.best) {
                diversity.low = 0;
                verdicts.healthy(scope);
                return;
            }
            if (diversity.low++ == 0) {
                diversity.onset = run.lastStep();
            }
            if (diversity.low >= DIVERSITY_IN_A_ROW) {
                verdicts.unhealthy(
                        scope,
                        Severity.warning,
                        diversity.onset,
                        run.gates().upwardMove(),
                        () -> explainDiversity(diversity, scope, value, run));
            }
        });
    }

    private static Verdicts.Explanation explainDiversity(Diversity diversity, String scope, double value, RunView run) {
        return new Verdicts.Explanation(
                scope + " is " + Figures.text(value) + ", below half of its best " + Figures.text(diversity.best)
                        + " since step " + diversity.onset,
                List.of(Figures.evidence(
                        scope, diversity.onset, run.lastStep(), value, diversity.best, Double.NaN, null)));
    }

    private static void discriminators(State state, RunView run, StepCompleted body, Verdicts verdicts) {
        if (body.getLosses() != null) {
            body.getLosses().forEach((name, loss) -> {
                if (ofDiscriminator(name)) {
                    double outmatched = outmatched(run, body.getLosses(), name, loss);
                    boolean beaten = loss >= 0 && (loss < BEATEN_LOSS || outmatched > OUTMATCHED);
                    boolean wavers = loss >= 0 && (loss < 2 * BEATEN_LOSS || outmatched > OUTMATCHED / 2);
                    discriminator(state, run, "losses/" + name, loss, beaten, wavers, verdicts);
                }
            });
        }
        if (body.getMetrics() != null) {
            body.getMetrics().forEach((name, accuracy) -> {
                if (ofDiscriminator(name) && MetricDirection.isRate(name)) {
                    boolean beaten = accuracy > BEATEN_ACCURACY;
                    boolean wavers = 1 - accuracy < 2 * (1 - BEATEN_ACCURACY);
                    discriminator(state, run, "metrics/" + name, accuracy, beaten, wavers, verdicts);
                }
            });
        }
    }

    /**
     * How many times the discriminator has got better and the generator worse since they began, whichever is less: both losses
     * are those of the same game, whatever its unit.
     */
    private static double outmatched(RunView run, Map<String, Double> losses, String discriminator, double loss) {
        double least = 0;
        for (Map.Entry<String, Double> other : losses.entrySet()) {
            if (ofGenerator(other.getKey())) {
                double times =
                        Math.min(initial(run, discriminator) / loss, other.getValue() / initial(run, other.getKey()));
                least = times > least ? times : least;
            }
        }
        return least;
    }

    /** Where a component began; NaN where it has no start above 0. */
    private static double initial(RunView run, String component) {
        Series series = run.series("losses/" + component);
        return series != null && series.initial() > 0 ? series.initial() : Double.NaN;
    }

    private static boolean ofGenerator(String name) {
        return name.length() <= PerScope.MAX_NAME
                && GENERATOR.matcher(name.toLowerCase(Locale.ROOT)).find();
    }

    private static boolean ofDiscriminator(String name) {
        return name.length() <= PerScope.MAX_NAME
                && DISCRIMINATOR.matcher(name.toLowerCase(Locale.ROOT)).find();
    }

    private static void discriminator(
            State state, RunView run, String scope, double value, boolean beaten, boolean wavers, Verdicts verdicts) {
        Streak streak = state.discriminators.of(scope);
        if (streak == null) {
            return;
        }
        state.judged = true;
        if (!wavers || run.lastStep() < streak.since) {
            streak.since = -1;
            streak.points = 0;
            verdicts.healthy(scope);
            return;
        }
        if (beaten) {
            streak.points++;
            if (streak.since < 0) {
                streak.since = run.lastStep();
            }
        }
        boolean longEnough = streak.since >= 0 && run.lastStep() - streak.since >= BEATEN_STEPS;
        if (longEnough && streak.points >= BEATEN_POINTS) {
            verdicts.unhealthy(
                    scope,
                    Severity.warning,
                    streak.since,
                    run.gates().upwardMove(),
                    () -> new Verdicts.Explanation(
                            scope + " is " + Figures.text(value) + ": the discriminator cannot be fooled since step "
                                    + streak.since + ", so the generator learns nothing",
                            List.of(Figures.evidence(
                                    scope, streak.since, run.lastStep(), value, Double.NaN, Double.NaN, null))));
        }
    }

    private static boolean finite(@Nullable Double value) {
        return value != null && Double.isFinite(value);
    }

    @Override
    public @Nullable String missing(State state, RunView run) {
        if (state.judged) {
            return null;
        }
        return !state.seen ? "prediction_stats" : "predictions after the start of the run";
    }
}
