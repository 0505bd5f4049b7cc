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
 * Finds predicted classes whose frequencies left those that the model had settled at (D17).
 *
 * <pre>
 * PSI over the predicted classes between reference and window ({@link Drift}), as for {@link LabelDrift}
 * the reference is taken anew until two windows in a row agree with it: predictions move while a model learns
 * fires if PSI &gt; floor and p &lt; 0.001 in two windows in a row, and the predictions moved away from the labels -&gt; warning
 * </pre>
 *
 * <p>What moves towards the frequencies of the labels (of the same samples, else of {@code batch_stats} of the split) is
 * learning. Where predictions follow labels that drift, {@link LabelDrift} inhibits this.
 *
 * <p>Known weakness: regressions have no classes; a model that never settles has no reference. Siblings: {@link
 * PredictionCollapse} for the loss of all variety. Source: DETECTION.md D17.
 */
public final class PredictionDrift extends Detector<PredictionDrift.State> {
    static final int WINDOWS_OF_AGREEMENT = 2;

    private final double leastPsi;

    PredictionDrift(DetectorSettings settings) {
        leastPsi = settings.get(Drift.PSI);
    }

    /** The clock and the classes of each split. */
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
        ClassShares shares = new ClassShares();
        final ClassCensus referenceLabels = new ClassCensus();
        final ClassCensus windowLabels = new ClassCensus();
        boolean labelled;
        long phase;
        int agreed;
        int driftedWindows;
        long onset = -1;

        @Override
        public void write(StateWriter out) {
            shares.write(out);
            referenceLabels.write(out);
            windowLabels.write(out);
            out.writeBoolean(labelled);
            out.writeLong(phase);
            out.writeInt(agreed);
            out.writeInt(driftedWindows);
            out.writeLong(onset);
        }

        @Override
        public void read(StateReader in) {
            shares.read(in);
            referenceLabels.read(in);
            windowLabels.read(in);
            labelled = in.readBoolean();
            phase = in.readLong();
            agreed = in.readInt();
            driftedWindows = in.readInt();
            onset = in.readLong();
        }

        void addLabels(Map<String, Long> histogram) {
            (shares.drift.learning() ? referenceLabels : windowLabels).add(histogram);
        }

        /** Whether the window is farther from its labels than the reference was from its own; true without labels. */
        boolean awayFromLabels() {
            return referenceLabels.total() == 0
                    || windowLabels.total() == 0
                    || shares.psiOfWindow(windowLabels.counts()) > shares.psiOfReference(referenceLabels.counts());
        }
    }

    @Override
    public String name() {
        return "prediction_drift";
    }

    @Override
    public List<Setting<?>> settings() {
        return List.of(Drift.PSI);
    }

    @Override
    public Set<Class<?>> reads() {
        return Set.of(PredictionStats.class, BatchStats.class);
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
        if (event.getBody() instanceof BatchStats batch) {
            Split split = state.splits.find(RunState.splitScope(batch.getSplit()));
            if (split != null && !split.labelled && batch.getLabelHistogram() != null) {
                split.addLabels(batch.getLabelHistogram());
            }
            return;
        }
        PredictionStats body = (PredictionStats) event.getBody();
        Map<String, Long> histogram = body.getPredictedClassHistogram();
        if (histogram == null || histogram.isEmpty()) {
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
        if (body.getLabelHistogram() != null) {
            if (!split.labelled) {
                split.labelled = true;
                split.referenceLabels.reset();
                split.windowLabels.reset();
            }
            split.addLabels(body.getLabelHistogram());
        }
        if (split.shares.add(histogram, run.lastStep())) {
            judge(state, split, scope, run, verdicts);
        }
    }

    private void judge(State state, Split split, String scope, RunView run, Verdicts verdicts) {
        ClassShares shares = split.shares;
        if (!shares.drift.isFull() && (shares.classes() < 2 || split.agreed < WINDOWS_OF_AGREEMENT)) {
            return;
        }
        if (shares.classes() < 2) {
            shares.nextWindow();
            split.windowLabels.reset();
            return;
        }
        double psi = shares.psi();
        boolean left = shares.drifted(psi, leastPsi);
        if (split.agreed < WINDOWS_OF_AGREEMENT) {
            split.agreed++;
            if (left) {
                // Still learning: what comes now is the reference.
                split.shares = new ClassShares();
                split.referenceLabels.reset();
                split.agreed = 0;
            } else {
                shares.nextWindow();
            }
            split.windowLabels.reset();
            return;
        }
        state.judged = true;
        boolean now = left && split.awayFromLabels();
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
                    scope,
                    Severity.warning,
                    onset,
                    run.gates().upwardMove(),
                    () -> explain(shares, scope, onset, run.lastStep(), psi));
        } else {
            verdicts.healthy(scope);
        }
        shares.nextWindow();
        split.windowLabels.reset();
    }

    private static Verdicts.Explanation explain(ClassShares shares, String scope, long onset, long step, double psi) {
        ClassShares.Moved most = shares.moved();
        return new Verdicts.Explanation(
                scope + " predictions left their reference since step " + onset + "; most of all class " + most.name()
                        + ": " + Figures.percent(most.before()) + " -> " + Figures.percent(most.now()) + " (PSI "
                        + Figures.text(psi) + ")",
                List.of(Figures.evidence(
                        "predictions/" + most.name(),
                        onset,
                        step,
                        most.now(),
                        most.before(),
                        psi,
                        "share of predictions")));
    }

    @Override
    public @Nullable String missing(State state, RunView run) {
        if (state.judged) {
            return null;
        }
        return !state.seen
                ? "prediction_stats.predicted_class_histogram"
                : (int) Drift.REFERENCE_SAMPLES + " predictions that stay alike, and " + (WINDOWS_OF_AGREEMENT + 1)
                        + " windows of " + (int) Drift.WINDOW_SAMPLES;
    }
}
