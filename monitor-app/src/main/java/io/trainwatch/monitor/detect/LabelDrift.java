package io.trainwatch.monitor.detect;

import io.trainwatch.alert.Severity;
import io.trainwatch.event.BatchStats;
import io.trainwatch.event.PredictionStats;
import io.trainwatch.event.TrainingEvent;
import io.trainwatch.monitor.run.RunState;
import io.trainwatch.monitor.run.RunView;
import io.trainwatch.monitor.stats.Persistent;
import io.trainwatch.monitor.stats.StateReader;
import io.trainwatch.monitor.stats.StateWriter;
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
 * order: more than half of the variance of the labels in the reference lies between batches -&gt; warning, scope "/order"
 * </pre>
 *
 * <p>Reads the label histograms of {@code batch_stats}, or of {@code prediction_stats} where those have none. At most 1,000
 * classes; more are pooled. Data that is sorted from the first step on is its own reference, and is told by its batches: the
 * intraclass correlation of shuffled ones is 0, of batches of one class each 1 (design effect of cluster sampling, Kish
 * 1965). Known weakness: a sampler that means to draw batches of one class. Siblings: {@link FeatureDrift}. Source:
 * DETECTION.md D17.
 */
public final class LabelDrift extends Detector<LabelDrift.State> {
    static final double SORTED = 0.5;

    private final double leastPsi;

    LabelDrift(DetectorSettings settings) {
        leastPsi = settings.get(Drift.PSI);
    }

    /** The clock and the classes of each split. */
    static final class State implements DetectorState {
        final PerScope<Split> splits = new PerScope<>(1, 8, Split::new);
        boolean judged;
        boolean seen;
        boolean inBatches;

        @Override
        public int version() {
            return 2;
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
        final ClassShares shares = new ClassShares();
        long phase;
        int driftedWindows;
        long onset = -1;

        @Override
        public void write(StateWriter out) {
            shares.write(out);
            out.writeLong(phase);
            out.writeInt(driftedWindows);
            out.writeLong(onset);
        }

        @Override
        public void read(StateReader in) {
            shares.read(in);
            phase = in.readLong();
            driftedWindows = in.readInt();
            onset = in.readLong();
        }
    }

    @Override
    public String name() {
        return "label_drift";
    }

    @Override
    public List<Setting<?>> settings() {
        return List.of(Drift.PSI);
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
        add(state, run, RunState.splitScope(split), histogram, verdicts);
    }

    private void add(State state, RunView run, String scope, Map<String, Long> histogram, Verdicts verdicts) {
        Split split = state.splits.of(scope);
        if (split == null) {
            return;
        }
        if (split.phase != run.phase()) {
            split = state.splits.renew(scope);
            split.phase = run.phase();
        }
        if (split.shares.add(histogram, run.lastStep())) {
            judge(state, split, scope, run, verdicts);
        }
    }

    private void judge(State state, Split split, String scope, RunView run, Verdicts verdicts) {
        ClassShares shares = split.shares;
        if (shares.classes() < 2 && !shares.drift.isFull()) {
            return;
        }
        if (shares.classes() >= 2) {
            state.judged = true;
            order(shares, scope + "/order", run, verdicts);
            double psi = shares.psi();
            boolean now = shares.drifted(psi, leastPsi);
            if (!now && !shares.drift.isFull()) {
                return;
            }
            split.driftedWindows = now ? split.driftedWindows + 1 : 0;
            if (!now) {
                split.onset = -1;
            } else if (split.onset < 0) {
                split.onset = shares.drift.windowStart();
            }
            if (split.driftedWindows >= Drift.WINDOWS_IN_A_ROW) {
                long onset = split.onset;
                verdicts.unhealthy(
                        scope, Severity.warning, onset, null, () -> explain(shares, scope, onset, run.lastStep(), psi));
            } else {
                verdicts.healthy(scope);
            }
        }
        shares.nextWindow();
    }

    private static void order(ClassShares shares, String scope, RunView run, Verdicts verdicts) {
        double alike = shares.correlationWithinBatches();
        if (alike <= SORTED) {
            verdicts.healthy(scope);
            return;
        }
        verdicts.unhealthy(
                scope,
                Severity.warning,
                run.firstStep(),
                null,
                () -> new Verdicts.Explanation(
                        "labels come in an order: " + Figures.percent(alike)
                                + " of their variance lies between batches, of shuffled ones none",
                        List.of(Figures.evidence(
                                "labels",
                                run.firstStep(),
                                run.lastStep(),
                                alike,
                                0,
                                Double.NaN,
                                "share of variance"))));
    }

    private static Verdicts.Explanation explain(ClassShares shares, String scope, long onset, long step, double psi) {
        ClassShares.Moved most = shares.moved();
        return new Verdicts.Explanation(
                scope + " labels left their reference since step " + onset + "; most of all class " + most.name() + ": "
                        + Figures.percent(most.before()) + " -> " + Figures.percent(most.now()) + " (PSI "
                        + Figures.text(psi) + ")",
                List.of(Figures.evidence(
                        "labels/" + most.name(), onset, step, most.now(), most.before(), psi, "share of labels")));
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
