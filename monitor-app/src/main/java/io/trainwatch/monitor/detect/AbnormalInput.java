package io.trainwatch.monitor.detect;

import io.trainwatch.alert.Severity;
import io.trainwatch.event.BatchStats;
import io.trainwatch.event.FeatureSummary;
import io.trainwatch.event.TrainingEvent;
import io.trainwatch.monitor.run.RunState;
import io.trainwatch.monitor.run.RunView;
import io.trainwatch.monitor.stats.Moments;
import io.trainwatch.monitor.stats.Persistent;
import io.trainwatch.monitor.stats.StateReader;
import io.trainwatch.monitor.stats.StateWriter;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Finds input that is finite and yet not what it should be (D19). Each finding has a scope of its own under its split.
 *
 * <pre>
 * labels    a label outside the declared classes                               -&gt; critical
 * constant  over the first 1,000 samples a feature does not vary               -&gt; info
 *           a feature that varied in each batch does not, in 2 windows of 500  -&gt; warning
 * scale     over the first 1,000 samples |mean| &gt; 1 or std outside 0.1 to 10   -&gt; info; warning if the run then has
 *           a non-finite loss, or nothing learned where it should have, within 500 steps, and a feature has |mean|
 *           or std &gt; 10, or most have std &lt; 0.1: one that hardly varies among others keeps nothing from learning
 * zeros     share of all-zero samples &gt; 1 % and &gt; 5 times the reference, in 2 windows -&gt; warning; &gt; 1 % from the start: info
 * padding   more than half of the tokens are padding, in 2 windows             -&gt; info
 * duplicates  more than 90 % seen before where the reference had less than 10 %, in 2 windows -&gt; warning
 * </pre>
 *
 * <p>Reference: the first 500 samples of the split, or of a declared phase. Labels are counted out of range by the trainer,
 * or are whole numbers outside [0, C) of {@code label_histogram}; -100 is how frameworks say "ignore", and 1 to C is a
 * numbering too. A scale is a hint and never more by itself: trees and batch norms do not mind it. Sampling with
 * replacement repeats up to 63 % of an epoch.
 *
 * <p>Known weakness: a range beyond +-10 with a usual mean and std is a heavy tail and is not told. Siblings: {@link
 * NonFiniteInput}, {@link FeatureDrift}. Sources: SageMaker CheckInputImages (mean), NLPSequenceRatio (padding 50 %);
 * DETECTION.md D19.
 */
public final class AbnormalInput extends Detector<AbnormalInput.State> {
    static final Setting<Double> PADDING = Setting.number(
            "padding",
            0.5,
            0.01,
            1,
            "share of the tokens",
            "More padding is told, as info: the work on it is for nothing. Source: NLPSequenceRatio of "
                    + "Amazon SageMaker Debugger.");

    static final Setting<Double> DUPLICATES = Setting.number(
            "duplicates",
            0.9,
            0.01,
            1,
            "share of the samples",
            "More samples that were seen before in the same epoch are told, where there were few in the "
                    + "beginning. Sampling with replacement repeats up to 63 %.");

    static final int MAX_FEATURES = 256;
    static final double FIRST_SAMPLES = 1000;
    static final double WINDOW_SAMPLES = 500;
    static final double NO_SPREAD = 1e-10;
    static final double MOST_MEAN = 1;
    static final double LEAST_STD = 0.1;
    static final double MOST_STD = 10;
    static final double LEAST_IMPROVEMENT = 0.02;
    static final double ZEROS = 0.01;
    static final double TIMES_REFERENCE = 5;
    static final double FEW_DUPLICATES = 0.1;
    static final int IN_A_ROW = 2;
    static final int FEWEST_BATCHES = 8;
    private static final long IGNORED_LABEL = -100;

    private final double mostPadding;
    private final double mostDuplicates;

    AbnormalInput(DetectorSettings settings) {
        mostPadding = settings.get(PADDING);
        mostDuplicates = settings.get(DUPLICATES);
    }

    /** The splits, and whether there was anything to judge. */
    static final class State implements DetectorState {
        final PerScope<Split> splits = new PerScope<>(1, 8, Split::new);
        boolean judged;

        @Override
        public int version() {
            return 1;
        }

        @Override
        public void write(StateWriter out) {
            splits.write(out);
            out.writeBoolean(judged);
        }

        @Override
        public void read(StateReader in) {
            splits.read(in);
            judged = in.readBoolean();
        }
    }

    /** A split: its features, and its shares of strange samples. */
    static final class Split implements Persistent {
        final Map<String, Feature> features = new LinkedHashMap<>();
        final Share zeros = new Share();
        final Share padding = new Share();
        final Share duplicates = new Share();
        double samples;
        double windowSamples;
        long phase;
        long windowStart;
        long scaleKnownAt = -1;

        @Override
        public void write(StateWriter out) {
            out.writeInt(features.size());
            features.forEach((name, feature) -> {
                out.writeString(name);
                feature.write(out);
            });
            zeros.write(out);
            padding.write(out);
            duplicates.write(out);
            out.writeDouble(samples);
            out.writeDouble(windowSamples);
            out.writeLong(phase);
            out.writeLong(windowStart);
            out.writeLong(scaleKnownAt);
        }

        @Override
        public void read(StateReader in) {
            features.clear();
            int count = in.readCount(MAX_FEATURES);
            for (int i = 0; i < count; i++) {
                String name = in.readString();
                Feature feature = new Feature();
                feature.read(in);
                features.put(name, feature);
            }
            zeros.read(in);
            padding.read(in);
            duplicates.read(in);
            samples = in.readDouble();
            windowSamples = in.readDouble();
            phase = in.readLong();
            windowStart = in.readLong();
            scaleKnownAt = in.readLong();
        }
    }

    /** A feature at the start, and in the window. */
    private static final class Feature implements Persistent {
        final Moments first = new Moments();
        final Moments window = new Moments();
        long batches;
        boolean wasConstant;
        int constantWindows;

        void add(double count, double mean, double std) {
            if (known()) {
                window.addGroup(count, mean, std);
                return;
            }
            first.addGroup(count, mean, std);
            batches++;
            wasConstant |= std < NO_SPREAD;
        }

        /** Whether each of its first batches varied, so that one that does not is strange. A rare value does not. */
        boolean variesAlways() {
            return known() && !wasConstant && batches >= FEWEST_BATCHES;
        }

        boolean known() {
            return first.count() >= FIRST_SAMPLES;
        }

        boolean constant() {
            return known() && first.std() < NO_SPREAD;
        }

        boolean offScale() {
            return known()
                    && !constant()
                    && (Math.abs(first.mean()) > MOST_MEAN || first.std() < LEAST_STD || first.std() > MOST_STD);
        }

        /** So large that it drowns the others. */
        boolean gross() {
            return Math.abs(first.mean()) > MOST_STD || first.std() > MOST_STD;
        }

        /** Off the scale only because it hardly varies. */
        boolean tooSmall() {
            return Math.abs(first.mean()) <= MOST_MEAN && first.std() < LEAST_STD;
        }

        @Override
        public void write(StateWriter out) {
            first.write(out);
            window.write(out);
            out.writeLong(batches);
            out.writeBoolean(wasConstant);
            out.writeInt(constantWindows);
        }

        @Override
        public void read(StateReader in) {
            first.read(in);
            window.read(in);
            batches = in.readLong();
            wasConstant = in.readBoolean();
            constantWindows = in.readInt();
        }
    }

    /** A share of samples: in the reference, in the window, and for how many windows it was too large. */
    private static final class Share implements Persistent {
        final Moments reference = new Moments();
        final Moments window = new Moments();
        int high;
        long onset = -1;

        void add(@Nullable Double share, double samples, boolean learning) {
            if (share != null && share >= 0 && share <= 1) {
                (learning ? reference : window).addGroup(samples, share, 0);
            }
        }

        /** Counts the window; true if it is the second high one in a row. */
        boolean high(boolean now, long windowStart) {
            high = now ? high + 1 : 0;
            if (high == 1) {
                onset = windowStart;
            }
            return high >= IN_A_ROW;
        }

        @Override
        public void write(StateWriter out) {
            reference.write(out);
            window.write(out);
            out.writeInt(high);
            out.writeLong(onset);
        }

        @Override
        public void read(StateReader in) {
            reference.read(in);
            window.read(in);
            high = in.readInt();
            onset = in.readLong();
        }
    }

    @Override
    public String name() {
        return "abnormal_input";
    }

    @Override
    public List<Setting<?>> settings() {
        return List.of(PADDING, DUPLICATES);
    }

    @Override
    public Set<Class<?>> reads() {
        return Set.of(BatchStats.class);
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
        BatchStats body = (BatchStats) event.getBody();
        String scope = RunState.splitScope(body.getSplit());
        Split split = state.splits.of(scope);
        if (split == null) {
            return;
        }
        if (split.phase != run.phase()) {
            split = state.splits.renew(scope);
            split.phase = run.phase();
        }
        labels(state, run, body, scope, verdicts);
        double samples = samples(body);
        boolean learning = split.samples < WINDOW_SAMPLES;
        if (!learning && split.windowSamples == 0) {
            split.windowStart = run.lastStep();
        }
        split.samples += samples;
        split.zeros.add(body.getAllZeroSampleFraction(), samples, learning);
        split.padding.add(body.getPaddingFraction(), samples, learning);
        if (body.getDuplicateCount() != null) {
            split.duplicates.add((double) body.getDuplicateCount() / samples, samples, learning);
        }
        if (body.getFeatures() != null) {
            features(state, run, split, body.getFeatures(), samples, scope, verdicts);
        }
        if (!learning) {
            split.windowSamples += samples;
            if (split.windowSamples >= WINDOW_SAMPLES) {
                window(state, run, split, scope, verdicts);
                split.windowSamples = 0;
            }
        }
    }

    private static double samples(BatchStats body) {
        if (body.getNumSamples() != null) {
            return Math.max(1, body.getNumSamples());
        }
        double labels = 0;
        if (body.getLabelHistogram() != null) {
            for (long count : body.getLabelHistogram().values()) {
                labels += Math.max(0, count);
            }
        }
        return Math.max(1, labels);
    }

    private static void labels(State state, RunView run, BatchStats body, String split, Verdicts verdicts) {
        long classes = run.facts().classes();
        boolean countable = classes > 1 && body.getLabelHistogram() != null;
        if (body.getOutOfRangeLabelCount() == null && !countable) {
            return;
        }
        state.judged = true;
        long outside = body.getOutOfRangeLabelCount() == null ? 0 : Math.max(0, body.getOutOfRangeLabelCount());
        String which = "";
        if (outside == 0 && countable) {
            boolean fromOne = !body.getLabelHistogram().containsKey("0");
            for (Map.Entry<String, Long> entry : body.getLabelHistogram().entrySet()) {
                long label = wholeNumber(entry.getKey());
                boolean wrong = label < 0 || label > classes || (label == classes && !fromOne);
                if (wrong && label != IGNORED_LABEL && entry.getValue() > 0) {
                    outside += entry.getValue();
                    which = ", label " + label;
                }
            }
        }
        String scope = split + "/labels";
        if (outside == 0) {
            verdicts.healthy(scope);
            return;
        }
        long count = outside;
        String named = which;
        verdicts.unhealthy(
                scope,
                Severity.critical,
                run.lastStep(),
                null,
                () -> new Verdicts.Explanation(
                        count + " labels of " + split + " are outside the "
                                + (classes > 1 ? classes + " declared classes" : "declared classes") + named
                                + " at step " + run.lastStep(),
                        List.of(Figures.evidence(
                                scope, run.lastStep(), run.lastStep(), (double) count, 0, Double.NaN, "labels"))));
    }

    /** The number that the text is, {@link #IGNORED_LABEL} if it is none. */
    private static long wholeNumber(String text) {
        if (text.isEmpty() || text.length() > 10) {
            return IGNORED_LABEL;
        }
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (!(c >= '0' && c <= '9') && !(i == 0 && c == '-' && text.length() > 1)) {
                return IGNORED_LABEL;
            }
        }
        return Long.parseLong(text);
    }

    private void features(
            State state,
            RunView run,
            Split split,
            List<FeatureSummary> summaries,
            double samples,
            String scope,
            Verdicts verdicts) {
        for (FeatureSummary summary : summaries) {
            Feature feature = split.features.get(summary.getName());
            if (feature == null
                    && split.features.size() < MAX_FEATURES
                    && summary.getName().length() <= PerScope.MAX_NAME) {
                feature = new Feature();
                split.features.put(summary.getName(), feature);
            }
            Double mean = summary.getMean();
            Double std = summary.getStd();
            boolean numeric = !"categorical".equals(summary.getKind());
            if (feature != null
                    && numeric
                    && mean != null
                    && Double.isFinite(mean)
                    && std != null
                    && Double.isFinite(std)
                    && std >= 0) {
                double count = summary.getCount() == null ? samples : Math.max(1, summary.getCount());
                feature.add(count, mean, std);
            }
        }
        int known = 0;
        int constant = 0;
        int offScale = 0;
        int tooSmall = 0;
        int gross = 0;
        String aConstant = "";
        Moments itsFirst = new Moments();
        Moments worstFirst = itsFirst;
        String worst = "";
        double mostOff = -1;
        for (Map.Entry<String, Feature> entry : split.features.entrySet()) {
            Feature feature = entry.getValue();
            known += feature.known() ? 1 : 0;
            if (feature.constant()) {
                constant++;
                aConstant = entry.getKey();
                itsFirst = feature.first;
            } else if (feature.offScale()) {
                offScale++;
                tooSmall += feature.tooSmall() ? 1 : 0;
                gross += feature.gross() ? 1 : 0;
                if (off(feature) > mostOff) {
                    mostOff = off(feature);
                    worst = entry.getKey();
                    worstFirst = feature.first;
                }
            }
        }
        if (known == 0) {
            return;
        }
        state.judged = true;
        if (split.scaleKnownAt < 0) {
            split.scaleKnownAt = run.lastStep();
        }
        say(constant, known, scope + "/constant", aConstant, itsFirst, split, run, Severity.info, verdicts);
        boolean matters = gross > 0 || 2 * tooSmall > known;
        Severity severity = matters ? corroborated(run) : Severity.info;
        say(offScale, known, scope + "/scale", worst, worstFirst, split, run, severity, verdicts);
    }

    /** How far a feature is off the usual scale, in powers of e. */
    private static double off(Feature feature) {
        return Math.max(Math.log(Math.max(1, Math.abs(feature.first.mean()))), Math.abs(Math.log(feature.first.std())));
    }

    private static Severity corroborated(RunView run) {
        if (run.stepsSeen() > 2 * NotLearning.firstCheck(run) || run.loss().points() == 0) {
            return Severity.info;
        }
        boolean should = run.stepsSeen() + 1 >= NotLearning.firstCheck(run)
                && run.stepsSeen() >= 2 * run.gates().warmupEnd(run.facts())
                && !run.gates().learningRateStillRising()
                && LossGates.profile(run) == null;
        double first = run.loss().initial();
        boolean nothing = first - run.loss().median() < LEAST_IMPROVEMENT * Math.abs(first);
        return !Double.isFinite(run.loss().last()) || (should && nothing) ? Severity.warning : Severity.info;
    }

    private static void say(
            int count,
            int known,
            String scope,
            String name,
            Moments first,
            Split split,
            RunView run,
            Severity severity,
            Verdicts verdicts) {
        if (count == 0) {
            verdicts.healthy(scope);
            return;
        }
        verdicts.unhealthy(scope, severity, run.firstStep(), null, () -> {
            String what = scope.endsWith("constant") ? " do not vary, " : " are not of the usual scale, ";
            return new Verdicts.Explanation(
                    count + " of " + known + " features" + what + name + " has mean " + Figures.text(first.mean())
                            + " and std " + Figures.text(first.std()),
                    List.of(
                            Figures.evidence(
                                    "features/" + name + "/mean",
                                    run.firstStep(),
                                    split.scaleKnownAt,
                                    first.mean(),
                                    0,
                                    Double.NaN,
                                    null),
                            Figures.evidence(
                                    "features/" + name + "/std",
                                    run.firstStep(),
                                    split.scaleKnownAt,
                                    first.std(),
                                    1,
                                    Double.NaN,
                                    null)));
        });
    }

    private void window(State state, RunView run, Split split, String scope, Verdicts verdicts) {
        frozen(run, split, scope + "/frozen", verdicts);
        if (split.zeros.window.count() > 0) {
            state.judged = true;
            double usual = split.zeros.reference.mean();
            double now = split.zeros.window.mean();
            boolean jumped = split.zeros.high(now > ZEROS && now > TIMES_REFERENCE * usual, split.windowStart);
            boolean always = usual > ZEROS && now > ZEROS;
            share(
                    jumped ? Severity.warning : always ? Severity.info : null,
                    scope + "/zeros",
                    "samples are all zero",
                    split.zeros,
                    run,
                    verdicts);
        }
        if (split.padding.window.count() > 0) {
            state.judged = true;
            boolean high = split.padding.high(split.padding.window.mean() > mostPadding, split.windowStart);
            share(high ? Severity.info : null, scope + "/padding", "tokens are padding", split.padding, run, verdicts);
        }
        if (split.duplicates.window.count() > 0) {
            state.judged = true;
            boolean repeats = split.duplicates.reference.count() > 0
                    && split.duplicates.reference.mean() < FEW_DUPLICATES
                    && split.duplicates.window.mean() > mostDuplicates;
            share(
                    split.duplicates.high(repeats, split.windowStart) ? Severity.warning : null,
                    scope + "/duplicates",
                    "samples were seen before in this epoch",
                    split.duplicates,
                    run,
                    verdicts);
        }
        split.zeros.window.reset();
        split.padding.window.reset();
        split.duplicates.window.reset();
    }

    private static void frozen(RunView run, Split split, String scope, Verdicts verdicts) {
        int frozen = 0;
        int tested = 0;
        String name = "";
        double std = Double.NaN;
        for (Map.Entry<String, Feature> entry : split.features.entrySet()) {
            Feature feature = entry.getValue();
            if (!feature.variesAlways() || feature.window.count() == 0) {
                continue;
            }
            tested++;
            feature.constantWindows = feature.window.std() < NO_SPREAD ? feature.constantWindows + 1 : 0;
            if (feature.constantWindows >= IN_A_ROW) {
                frozen++;
                name = entry.getKey();
                std = feature.first.std();
            }
            feature.window.reset();
        }
        if (tested == 0) {
            return;
        }
        if (frozen == 0) {
            verdicts.healthy(scope);
            return;
        }
        int count = frozen;
        String one = name;
        double was = std;
        verdicts.unhealthy(
                scope,
                Severity.warning,
                split.windowStart,
                null,
                () -> new Verdicts.Explanation(
                        count + " features stopped varying, " + one + " had a std of " + Figures.text(was),
                        List.of(Figures.evidence(
                                "features/" + one + "/std",
                                split.windowStart,
                                run.lastStep(),
                                0,
                                was,
                                Double.NaN,
                                null))));
    }

    private static void share(
            @Nullable Severity severity, String scope, String what, Share share, RunView run, Verdicts verdicts) {
        if (severity == null) {
            verdicts.healthy(scope);
            return;
        }
        double now = share.window.mean();
        double usual = share.reference.count() > 0 ? share.reference.mean() : Double.NaN;
        long onset = share.high > 0 ? share.onset : run.firstStep();
        String before = Double.isNaN(usual) ? "" : ", " + Figures.percent(usual) + " at first";
        verdicts.unhealthy(
                scope,
                severity,
                onset,
                null,
                () -> new Verdicts.Explanation(
                        Figures.percent(now) + " of " + what + " since step " + onset + before,
                        List.of(Figures.evidence(scope, onset, run.lastStep(), now, usual, Double.NaN, "share"))));
    }

    @Override
    public @Nullable String missing(State state, RunView run) {
        if (state.judged) {
            return null;
        }
        return state.splits.all().isEmpty()
                ? "batch_stats"
                : (int) FIRST_SAMPLES + " samples of features, or labels with declared classes";
    }
}
