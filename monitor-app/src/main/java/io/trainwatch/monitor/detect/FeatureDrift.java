package io.trainwatch.monitor.detect;

import io.trainwatch.alert.Evidence;
import io.trainwatch.alert.Severity;
import io.trainwatch.event.BatchStats;
import io.trainwatch.event.FeatureSummary;
import io.trainwatch.event.Histogram;
import io.trainwatch.event.TrainingEvent;
import io.trainwatch.monitor.run.RunState;
import io.trainwatch.monitor.run.RunView;
import io.trainwatch.monitor.stats.Moments;
import io.trainwatch.monitor.stats.Persistent;
import io.trainwatch.monitor.stats.Psi;
import io.trainwatch.monitor.stats.StateReader;
import io.trainwatch.monitor.stats.StateWriter;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.commons.statistics.distribution.TDistribution;
import org.jspecify.annotations.Nullable;

/**
 * Finds input features whose distribution left that of the start of the phase (D17).
 *
 * <pre>
 * per feature and window ({@link Drift}):
 *   with a histogram of constant edges: PSI over its bins, p from (1/n + 1/m) chi^2(bins - 1)
 *   with moments alone: PSI of two normals, p from t tests of batch means and of ln batch std,
 *                       against their own scatter between the batches of the reference
 * drifted: PSI &gt; floor, and p passes Benjamini-Hochberg at q = 0.01 over all features and is below 0.001
 * fires if a feature drifted in two windows in a row -&gt; warning
 * </pre>
 *
 * <p>The scatter between real batches replaces an assumption of normal, independent samples, which heavy tails and
 * correlated batches break. Features that are constant in more than 80 % of the reference batches are not tested. Effect
 * sizes: a mean shift of 0.3 standard deviations is a PSI of 0.09.
 *
 * <p>Known weakness: a drift within the reference is its normal; a change of shape with equal moments needs histograms.
 * Siblings: {@link LabelDrift}. Source: DETECTION.md D17.
 */
public final class FeatureDrift extends Detector<FeatureDrift.State> {
    static final int MAX_FEATURES = 256;
    static final int MAX_BINS = 64;
    static final double Q = 0.01;
    static final double MOMENT_DOF = 2;
    static final double LEAST_VARYING_SHARE = 0.2;

    private final double leastPsi;

    FeatureDrift(DetectorSettings settings) {
        leastPsi = settings.get(Drift.PSI);
    }

    /** The clock and the features of each split. */
    static final class State implements DetectorState {
        final PerScope<Split> splits = new PerScope<>(1, 8, Split::new);
        boolean judged;
        boolean seen;

        @Override
        public int version() {
            return 1;
        }

        @Override
        public void write(StateWriter out) {
            splits.write(out);
            out.writeBoolean(judged);
            out.writeBoolean(seen);
        }

        @Override
        public void read(StateReader in) {
            splits.read(in);
            judged = in.readBoolean();
            seen = in.readBoolean();
        }
    }

    static final class Split implements Persistent {
        final Drift drift = new Drift();
        final Map<String, Feature> features = new LinkedHashMap<>();
        long phase;
        long onset = -1;

        @Override
        public void write(StateWriter out) {
            drift.write(out);
            out.writeLong(phase);
            out.writeLong(onset);
            out.writeInt(features.size());
            features.forEach((name, feature) -> {
                out.writeString(name);
                feature.write(out);
            });
        }

        @Override
        public void read(StateReader in) {
            drift.read(in);
            phase = in.readLong();
            onset = in.readLong();
            features.clear();
            int count = in.readCount(MAX_FEATURES);
            for (int i = 0; i < count; i++) {
                String name = in.readString();
                Feature feature = new Feature();
                feature.read(in);
                features.put(name, feature);
            }
        }
    }

    /** One feature: pooled samples, and how its batches scatter, in the reference and in the window. */
    static final class Feature implements Persistent {
        final Moments reference = new Moments();
        final Moments referenceMeans = new Moments();
        final Moments referenceSpreads = new Moments();
        final Moments window = new Moments();
        final Moments windowMeans = new Moments();
        final Moments windowSpreads = new Moments();
        double @Nullable [] referenceBins;
        double[] windowBins = {};
        int edges;
        int driftedWindows;
        double psi;
        double p = 1;

        void add(FeatureSummary summary, boolean learning) {
            Double mean = summary.getMean();
            Double std = summary.getStd();
            double count = count(summary);
            if (mean != null && Double.isFinite(mean) && std != null && Double.isFinite(std) && count > 0) {
                (learning ? reference : window).addGroup(count, mean, std);
                (learning ? referenceMeans : windowMeans).add(mean);
                if (std > 0) {
                    (learning ? referenceSpreads : windowSpreads).add(Math.log(std));
                }
            }
            Histogram histogram = summary.getHistogram();
            if (histogram != null) {
                add(histogram, learning);
            }
        }

        private static double count(FeatureSummary summary) {
            Long count = summary.getCount();
            return count == null ? 1 : count - (summary.getMissingCount() == null ? 0 : summary.getMissingCount());
        }

        private void add(Histogram histogram, boolean learning) {
            int bins = histogram.getCounts().size();
            if (bins < 2 || bins > MAX_BINS) {
                return;
            }
            int seen = histogram.getEdges().hashCode();
            if (referenceBins == null) {
                if (!learning) {
                    return;
                }
                referenceBins = new double[bins];
                windowBins = new double[bins];
                edges = seen;
            }
            if (seen != edges || bins != referenceBins.length) {
                // Other edges cannot be compared: from here on the moments have to do.
                referenceBins = null;
                return;
            }
            double[] into = learning ? referenceBins : windowBins;
            for (int i = 0; i < bins; i++) {
                into[i] += histogram.getCounts().get(i);
            }
        }

        /** Compares the window with the reference; false if this feature cannot be tested. */
        boolean test(Drift drift) {
            if (referenceBins != null && total(windowBins) > 0) {
                double design = designEffect();
                psi = Psi.of(referenceBins, windowBins);
                p = Psi.pValue(psi, referenceBins.length, total(referenceBins) / design, total(windowBins) / design);
                return true;
            }
            boolean varies = referenceSpreads.count() >= LEAST_VARYING_SHARE * drift.referenceBatches();
            if (!varies || referenceMeans.count() < Drift.REFERENCE_BATCHES || window.count() == 0) {
                return false;
            }
            double floor = 1e-6 * reference.std();
            psi = Psi.ofNormals(
                    reference.mean(), Math.max(reference.std(), 1e-300),
                    window.mean(), Math.max(window.std(), Math.max(floor, 1e-300)));
            double byMean = tTest(referenceMeans, windowMeans);
            double bySpread = tTest(referenceSpreads, windowSpreads);
            p = Math.min(1, 2 * Math.min(byMean, bySpread));
            return true;
        }

        /** How many times more the batch means vary than means of independent samples would. */
        private double designEffect() {
            double perBatch = reference.count() / Math.max(1, referenceMeans.count());
            double expected = reference.variance() / Math.max(1, perBatch);
            return expected > 0 && referenceMeans.count() >= Drift.REFERENCE_BATCHES
                    ? Math.max(1, referenceMeans.variance() / expected)
                    : 1;
        }

        private static double tTest(Moments reference, Moments window) {
            double k = reference.count();
            if (k < Drift.REFERENCE_BATCHES || window.count() == 0 || reference.std() == 0) {
                return 1;
            }
            double error = reference.std() * Math.sqrt(1 / window.count() + 1 / k);
            double t = Math.abs(window.mean() - reference.mean()) / error;
            return 2 * TDistribution.of(k - 1).survivalProbability(t);
        }

        void nextWindow() {
            window.reset();
            windowMeans.reset();
            windowSpreads.reset();
            Arrays.fill(windowBins, 0);
        }

        double leastPsi(Drift drift, double least) {
            return referenceBins != null
                    ? drift.leastPsi(least, referenceBins.length - 1.0, designEffect())
                    : drift.leastPsi(least, MOMENT_DOF, 1);
        }

        private static double total(double[] counts) {
            double total = 0;
            for (double count : counts) {
                total += count;
            }
            return total;
        }

        @Override
        public void write(StateWriter out) {
            reference.write(out);
            referenceMeans.write(out);
            referenceSpreads.write(out);
            window.write(out);
            windowMeans.write(out);
            windowSpreads.write(out);
            out.writeInt(referenceBins == null ? 0 : referenceBins.length);
            if (referenceBins != null) {
                out.writeDoubles(referenceBins, referenceBins.length);
                out.writeDoubles(windowBins, referenceBins.length);
            }
            out.writeInt(edges);
            out.writeInt(driftedWindows);
            out.writeDouble(psi);
            out.writeDouble(p);
        }

        @Override
        public void read(StateReader in) {
            reference.read(in);
            referenceMeans.read(in);
            referenceSpreads.read(in);
            window.read(in);
            windowMeans.read(in);
            windowSpreads.read(in);
            int bins = in.readCount(MAX_BINS);
            referenceBins = bins == 0 ? null : new double[bins];
            windowBins = new double[bins];
            if (referenceBins != null) {
                in.readDoubles(referenceBins, bins);
                in.readDoubles(windowBins, bins);
            }
            edges = in.readInt();
            driftedWindows = in.readInt();
            psi = in.readDouble();
            p = in.readDouble();
        }
    }

    @Override
    public String name() {
        return "feature_drift";
    }

    @Override
    public List<Setting<?>> settings() {
        return List.of(Drift.PSI);
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
        if (body.getFeatures() == null || body.getFeatures().isEmpty()) {
            return;
        }
        state.seen = true;
        String scope = RunState.splitScope(body.getSplit());
        Split split = state.splits.of(scope);
        if (split == null) {
            return;
        }
        if (split.phase != run.phase()) {
            split = state.splits.renew(scope);
            split.phase = run.phase();
        }
        boolean learning = split.drift.learning();
        for (FeatureSummary summary : body.getFeatures()) {
            Feature feature = split.features.get(summary.getName());
            if (feature == null
                    && learning
                    && split.features.size() < MAX_FEATURES
                    && summary.getName().length() <= 128) {
                feature = new Feature();
                split.features.put(summary.getName(), feature);
            }
            if (feature != null) {
                feature.add(summary, learning);
            }
        }
        if (split.drift.add(samples(body), run.lastStep())) {
            judge(state, split, scope, run, verdicts);
        }
    }

    private static double samples(BatchStats body) {
        if (body.getNumSamples() != null) {
            return body.getNumSamples();
        }
        Long count = body.getFeatures().get(0).getCount();
        return count == null ? 1 : count;
    }

    private void judge(State state, Split split, String scope, RunView run, Verdicts verdicts) {
        List<Map.Entry<String, Feature>> tested = new ArrayList<>();
        for (Map.Entry<String, Feature> feature : split.features.entrySet()) {
            if (feature.getValue().test(split.drift)) {
                tested.add(feature);
            }
        }
        double limit = Math.min(
                Drift.ALPHA,
                benjaminiHochberg(
                        tested.stream().mapToDouble(f -> f.getValue().p).toArray(), Q));
        if (!split.drift.isFull() && tested.stream().noneMatch(f -> isAway(f.getValue(), split.drift, limit))) {
            return;
        }
        List<Map.Entry<String, Feature>> drifted = new ArrayList<>();
        for (Map.Entry<String, Feature> entry : tested) {
            Feature feature = entry.getValue();
            feature.driftedWindows = isAway(feature, split.drift, limit) ? feature.driftedWindows + 1 : 0;
            if (feature.driftedWindows >= Drift.WINDOWS_IN_A_ROW) {
                drifted.add(entry);
            }
        }
        boolean any = tested.stream().anyMatch(f -> f.getValue().driftedWindows > 0);
        if (!any) {
            split.onset = -1;
        } else if (split.onset < 0) {
            split.onset = split.drift.windowStart();
        }
        state.judged |= !tested.isEmpty();
        if (drifted.isEmpty()) {
            if (!tested.isEmpty()) {
                verdicts.healthy(scope);
            }
        } else {
            drifted.sort(Comparator.comparingDouble(f -> -f.getValue().psi));
            int of = tested.size();
            long onset = split.onset;
            verdicts.unhealthy(
                    scope, Severity.warning, onset, null, () -> explain(drifted, of, scope, onset, run.lastStep()));
        }
        split.drift.nextWindow();
        split.features.values().forEach(Feature::nextWindow);
    }

    private boolean isAway(Feature feature, Drift drift, double limit) {
        return feature.p <= limit && feature.psi > feature.leastPsi(drift, leastPsi);
    }

    /** The largest p that passes at false discovery rate {@code q}; 0 if none does. */
    static double benjaminiHochberg(double[] p, double q) {
        Arrays.sort(p);
        for (int i = p.length; i > 0; i--) {
            if (p[i - 1] <= q * i / p.length) {
                return p[i - 1];
            }
        }
        return 0;
    }

    private static Verdicts.Explanation explain(
            List<Map.Entry<String, Feature>> drifted, int of, String scope, long onset, long step) {
        List<Evidence> evidence = new ArrayList<>();
        for (Map.Entry<String, Feature> entry : drifted.subList(0, Math.min(3, drifted.size()))) {
            Feature feature = entry.getValue();
            evidence.add(Figures.evidence(
                    "features/" + entry.getKey() + "/mean",
                    onset,
                    step,
                    feature.window.mean(),
                    feature.reference.mean(),
                    feature.psi,
                    null));
        }
        Feature worst = drifted.get(0).getValue();
        return new Verdicts.Explanation(
                drifted.size() + " of " + of + " " + scope + " features left their reference since step " + onset
                        + "; most of all " + drifted.get(0).getKey() + ": mean " + Figures.text(worst.reference.mean())
                        + " -> " + Figures.text(worst.window.mean()) + ", std " + Figures.text(worst.reference.std())
                        + " -> " + Figures.text(worst.window.std()) + " (PSI " + Figures.text(worst.psi) + ")",
                evidence);
    }

    @Override
    public @Nullable String missing(State state, RunView run) {
        if (state.judged) {
            return null;
        }
        return !state.seen
                ? "batch_stats.features"
                : (int) Drift.REFERENCE_SAMPLES + " samples of reference and " + (int) Drift.WINDOW_SAMPLES
                        + " more, of features that vary";
    }
}
