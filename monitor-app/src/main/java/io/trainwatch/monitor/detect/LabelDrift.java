package io.trainwatch.monitor.detect;

import io.trainwatch.alert.Severity;
import io.trainwatch.event.BatchStats;
import io.trainwatch.event.PredictionStats;
import io.trainwatch.event.TrainingEvent;
import io.trainwatch.monitor.run.RunView;
import io.trainwatch.monitor.stats.Moments;
import io.trainwatch.monitor.stats.Persistent;
import io.trainwatch.monitor.stats.Psi;
import io.trainwatch.monitor.stats.StateReader;
import io.trainwatch.monitor.stats.StateWriter;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Finds labels whose frequencies left those of the start of the phase (D17): data sorted by class, broken shuffling, a
 * changed source.
 *
 * <pre>
 * PSI over the classes between reference and window ({@link Drift}), p from (1/n + 1/m) chi^2(classes - 1),
 * n and m divided by how many times the batches vary more than independent draws would
 * fires if PSI &gt; floor and p &lt; 0.001 in two windows in a row -&gt; warning
 * </pre>
 *
 * <p>Reads the label histograms of {@code batch_stats}, or of {@code prediction_stats} where those have none. At most 1,000
 * classes; more are pooled. Known weakness: data that is sorted from the first step on is its own reference. Siblings:
 * {@link FeatureDrift}. Source: DETECTION.md D17.
 */
public final class LabelDrift implements Detector<LabelDrift.State> {
    static final int MAX_CLASSES = 1000;

    /** The clock and the classes of each split. */
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

    static final class Split implements Persistent {
        final Drift drift = new Drift();
        final Map<String, Label> labels = new LinkedHashMap<>();
        long phase;
        int driftedWindows;
        long onset = -1;

        @Override
        public void write(StateWriter out) {
            drift.write(out);
            out.writeLong(phase);
            out.writeInt(driftedWindows);
            out.writeLong(onset);
            out.writeInt(labels.size());
            labels.forEach((name, label) -> {
                out.writeString(name);
                out.writeDouble(label.reference);
                out.writeDouble(label.window);
                label.shares.write(out);
            });
        }

        @Override
        public void read(StateReader in) {
            drift.read(in);
            phase = in.readLong();
            driftedWindows = in.readInt();
            onset = in.readLong();
            labels.clear();
            int count = in.readCount(MAX_CLASSES + 1);
            for (int i = 0; i < count; i++) {
                String name = in.readString();
                Label label = new Label();
                label.reference = in.readDouble();
                label.window = in.readDouble();
                label.shares.read(in);
                labels.put(name, label);
            }
        }
    }

    /** Counts of one class, and its share in each batch of the reference in which it occurred. */
    private static final class Label {
        double reference;
        double window;
        final Moments shares = new Moments();
    }

    @Override
    public String name() {
        return "label_drift";
    }

    @Override
    public Set<Class<?>> reads() {
        return Set.of(BatchStats.class, PredictionStats.class);
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
        Map<String, Long> histogram;
        String split;
        if (event.getBody() instanceof BatchStats batch) {
            histogram = batch.getLabelHistogram();
            split = batch.getSplit();
            state.inBatches |= histogram != null;
        } else {
            PredictionStats predictions = (PredictionStats) event.getBody();
            histogram = state.inBatches ? null : predictions.getLabelHistogram();
            split = predictions.getSplit();
        }
        if (histogram == null || histogram.isEmpty()) {
            return;
        }
        state.seen = true;
        add(state, run, split == null ? "train" : split, histogram, verdicts);
    }

    private static void add(State state, RunView run, String scope, Map<String, Long> histogram, Verdicts verdicts) {
        Split split = state.splits.of(scope);
        if (split == null) {
            return;
        }
        if (split.phase != run.phase()) {
            split = state.splits.renew(scope);
            split.phase = run.phase();
        }
        double samples = 0;
        for (long count : histogram.values()) {
            samples += Math.max(0, count);
        }
        if (samples == 0) {
            return;
        }
        boolean learning = split.drift.learning();
        for (Map.Entry<String, Long> entry : histogram.entrySet()) {
            boolean known = split.labels.containsKey(entry.getKey())
                    || (split.labels.size() < MAX_CLASSES && entry.getKey().length() <= 128);
            Label label = split.labels.computeIfAbsent(known ? entry.getKey() : "(other)", name -> new Label());
            double count = Math.max(0, entry.getValue());
            if (learning) {
                label.reference += count;
                label.shares.add(count / samples);
            } else {
                label.window += count;
            }
        }
        if (split.drift.add(samples, run.lastStep())) {
            judge(state, split, scope, run, verdicts);
        }
    }

    private static void judge(State state, Split split, String scope, RunView run, Verdicts verdicts) {
        Drift drift = split.drift;
        int classes = split.labels.size();
        double[] reference =
                split.labels.values().stream().mapToDouble(l -> l.reference).toArray();
        double[] window =
                split.labels.values().stream().mapToDouble(l -> l.window).toArray();
        if (classes >= 2) {
            state.judged = true;
            double design = designEffect(split);
            double psi = Psi.of(reference, window);
            double p = Psi.pValue(psi, classes, drift.referenceSamples() / design, drift.windowSamples() / design);
            boolean now = p < Drift.ALPHA && psi > drift.leastPsi(classes - 1.0, design);
            split.driftedWindows = now ? split.driftedWindows + 1 : 0;
            if (!now) {
                split.onset = -1;
            } else if (split.onset < 0) {
                split.onset = drift.windowStart();
            }
            if (split.driftedWindows >= Drift.WINDOWS_IN_A_ROW) {
                long onset = split.onset;
                verdicts.unhealthy(
                        scope, Severity.warning, onset, null, () -> explain(split, scope, onset, run.lastStep(), psi));
            } else {
                verdicts.healthy(scope);
            }
        }
        drift.nextWindow();
        split.labels.values().forEach(label -> label.window = 0);
    }

    /** How many times more the class shares vary between batches than independent draws would, at least 1. */
    private static double designEffect(Split split) {
        double batches = split.drift.referenceBatches();
        double perBatch = split.drift.referenceSamples() / batches;
        double observed = 0;
        double expected = 0;
        for (Label label : split.labels.values()) {
            double share = label.reference / split.drift.referenceSamples();
            expected += share * (1 - share) / perBatch;
            // Batches without the class count as a share of 0.
            double absent = batches - label.shares.count();
            double squares = label.shares.variance() * Math.max(0, label.shares.count() - 1)
                    + label.shares.count() * (label.shares.mean() - share) * (label.shares.mean() - share)
                    + absent * share * share;
            observed += squares / Math.max(1, batches - 1);
        }
        return expected > 0 ? Math.max(1, observed / expected) : 1;
    }

    private static Verdicts.Explanation explain(Split split, String scope, long onset, long step, double psi) {
        String moved = "";
        double shareBefore = 0;
        double shareNow = 0;
        double most = -1;
        for (Map.Entry<String, Label> entry : split.labels.entrySet()) {
            double before = entry.getValue().reference / split.drift.referenceSamples();
            double now = entry.getValue().window / split.drift.windowSamples();
            if (Math.abs(now - before) > most) {
                most = Math.abs(now - before);
                moved = entry.getKey();
                shareBefore = before;
                shareNow = now;
            }
        }
        return new Verdicts.Explanation(
                scope + " labels left their reference since step " + onset + "; most of all class " + moved + ": "
                        + Figures.percent(shareBefore) + " -> " + Figures.percent(shareNow) + " (PSI "
                        + Figures.text(psi) + ")",
                List.of(Figures.evidence(
                        "labels/" + moved, onset, step, shareNow, shareBefore, psi, "share of labels")));
    }

    @Override
    public @Nullable String missing(State state, RunView run) {
        if (state.judged) {
            return null;
        }
        return !state.seen
                ? "batch_stats.label_histogram"
                : (int) Drift.REFERENCE_SAMPLES + " labels of reference and " + (int) Drift.WINDOW_SAMPLES + " more";
    }
}
