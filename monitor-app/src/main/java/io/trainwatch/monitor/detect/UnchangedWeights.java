package io.trainwatch.monitor.detect;

import io.trainwatch.alert.Evidence;
import io.trainwatch.alert.Severity;
import io.trainwatch.event.StepCompleted;
import io.trainwatch.event.TensorKind;
import io.trainwatch.event.TensorStats;
import io.trainwatch.event.TensorSummary;
import io.trainwatch.event.TrainingEvent;
import io.trainwatch.monitor.run.Layers;
import io.trainwatch.monitor.run.RunView;
import io.trainwatch.monitor.stats.Fingerprint;
import io.trainwatch.monitor.stats.StateReader;
import io.trainwatch.monitor.stats.StateWriter;
import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Finds weights that stay as they are while the optimizer steps: frozen, forgotten by it, or moved by a learning rate of
 * nothing (D10).
 *
 * <pre>
 * unchanged: every statistic of a weight equals the report before, though the optimizer stepped between the two;
 *            where updates are reported, the update is exactly 0
 * fires if 3 times in a row over 50 steps or more
 *     all weights are unchanged, or
 *     some are whose mean |gradient| was at least 1e-9 and 1e-4 of the largest of all each time, or that were declared
 *     trainable and never had a gradient reported
 *                                                                          -&gt; warning
 * or if update_to_weight_ratio is below 1e-8 at 10 points in a row over 50 steps or more
 *                                                                          -&gt; warning
 * </pre>
 *
 * <p>Layers that were declared as not trainable are left out; an undeclared frozen layer has no gradient. Statistics of
 * fewer than six digits cannot tell a small step from none and are not judged. Skipped steps, the warm-up and steps that
 * are redone do not count; a declared change of phase begins anew. Info where the schedule has come to its end or the loss
 * to its floor. 1e-8 of a weight is below the resolution of float32. At most 1,024 tensors are followed, of names only
 * fingerprints; those beyond are counted. Reports of rank 0 count.
 *
 * <p>Known weakness: weights that move within the digits of the log; a head that is trained alone while gradients of the
 * rest are computed for nothing is found, and is meant to be: declare the rest as not trainable. Siblings: {@link
 * LossPlateau}, {@link NotLearning}, {@link LearningRateTooLow}. Sources: Amazon SageMaker Debugger's UnchangedTensor and
 * WeightUpdateRatio (1e-8); DETECTION.md D10.
 */
public final class UnchangedWeights extends Detector<UnchangedWeights.State> {
    static final int MAX_TENSORS = 1024;
    static final int REPORTS = 3;
    static final int LEAST_SPAN = 50;
    static final int LEAST_DIGITS = 6;
    static final double LEAST_GRADIENT = 1e-4;
    static final double SMALLEST_RATIO = 1e-8;
    static final int RATIO_POINTS = 10;
    /** Scope of the ratio that the trainer reports for all weights, which has verdicts of its own. */
    static final String RATIO = "update_to_weight_ratio";

    private static final int NAMED = 3;

    /** One weight: what it was like, since when, and how often in a row it was so again. */
    static final class Weight {
        long print;
        long since;
        int unchanged;
        int unchangedUnderGradient;
        /** Whether a gradient that moves it came since the report before. */
        boolean pulled;

        boolean gradientKnown;
    }

    /** The weights by fingerprint of their name, and the optimizer steps between reports. */
    static final class State implements DetectorState {
        final Map<Long, Weight> weights = new LinkedHashMap<>();
        boolean checked;
        boolean seen;
        int beyond;
        long reportStep = Long.MIN_VALUE;
        long applied;
        long appliedAtReport;
        boolean stepped;
        long phase;
        int smallRatios;
        long smallSince = -1;

        @Override
        public int version() {
            return 1;
        }

        @Override
        public void write(StateWriter out) {
            out.writeInt(weights.size());
            weights.forEach((name, weight) -> {
                out.writeLong(name);
                out.writeLong(weight.print);
                out.writeLong(weight.since);
                out.writeInt(weight.unchanged);
                out.writeInt(weight.unchangedUnderGradient);
                out.writeBoolean(weight.pulled);
                out.writeBoolean(weight.gradientKnown);
            });
            out.writeBoolean(checked);
            out.writeBoolean(seen);
            out.writeInt(beyond);
            out.writeLong(reportStep);
            out.writeLong(applied);
            out.writeLong(appliedAtReport);
            out.writeBoolean(stepped);
            out.writeLong(phase);
            out.writeInt(smallRatios);
            out.writeLong(smallSince);
        }

        @Override
        public void read(StateReader in) {
            weights.clear();
            int count = in.readCount(MAX_TENSORS);
            for (int i = 0; i < count; i++) {
                long name = in.readLong();
                Weight weight = new Weight();
                weight.print = in.readLong();
                weight.since = in.readLong();
                weight.unchanged = in.readInt();
                weight.unchangedUnderGradient = in.readInt();
                weight.pulled = in.readBoolean();
                weight.gradientKnown = in.readBoolean();
                weights.put(name, weight);
            }
            checked = in.readBoolean();
            seen = in.readBoolean();
            beyond = in.readInt();
            reportStep = in.readLong();
            applied = in.readLong();
            appliedAtReport = in.readLong();
            stepped = in.readBoolean();
            phase = in.readLong();
            smallRatios = in.readInt();
            smallSince = in.readLong();
        }
    }

    @Override
    public String name() {
        return "unchanged_weights";
    }

    @Override
    public Set<Class<?>> reads() {
        return Set.of(TensorStats.class, StepCompleted.class);
    }

    @Override
    public int quietVerdicts() {
        return 2;
    }

    @Override
    public State newState() {
        return new State();
    }

    @Override
    public void observe(State state, RunView run, TrainingEvent event, Verdicts verdicts) {
        if (event.getRank() != 0) {
            return;
        }
        if (event.getBody() instanceof StepCompleted body) {
            stepped(state, run, body, verdicts);
        } else {
            tensors(state, run, event, ((TensorStats) event.getBody()).getTensors(), verdicts);
        }
    }

    private static void stepped(State state, RunView run, StepCompleted body, Verdicts verdicts) {
        Double norm = body.getGradNorm();
        boolean applied =
                !Boolean.TRUE.equals(body.getOptimizerStepSkipped()) && (norm == null || Double.isFinite(norm));
        if (!applied || run.redoing() || warmsUp(run)) {
            return;
        }
        state.applied++;
        Double ratio = body.getUpdateToWeightRatio();
        if (ratio == null) {
            return;
        }
        state.checked = true;
        if (!(ratio < SMALLEST_RATIO)) {
            state.smallRatios = 0;
            verdicts.healthy(RATIO);
            return;
        }
        if (state.smallRatios++ == 0) {
            state.smallSince = run.lastStep();
        }
        long since = state.smallSince;
        if (state.smallRatios >= RATIO_POINTS && run.lastStep() - since >= LEAST_SPAN) {
            verdicts.unhealthy(
                    RATIO,
                    Severity.warning,
                    since,
                    suppressedBy(run),
                    () -> new Verdicts.Explanation(
                            "updates are " + Figures.text(ratio) + " of the weights since step " + since
                                    + ": nothing is trained",
                            List.of(Figures.evidence(
                                    RATIO, since, run.lastStep(), ratio, SMALLEST_RATIO, Double.NaN, null))));
        }
    }

    private static boolean warmsUp(RunView run) {
        return run.gates().learningRateStillRising()
                || run.lastStep() <= run.gates().warmupEnd(run.facts());
    }

    private static void tensors(
            State state, RunView run, TrainingEvent event, List<TensorSummary> tensors, Verdicts verdicts) {
        long step = WeightTensor.step(event, run);
        gradients(state, tensors);
        Map<String, Boolean> updates = updates(tensors);
        Set<String> weights = names(tensors);
        boolean any = false;
        List<String> stuck = new ArrayList<>();
        List<Weight> stuckWeights = new ArrayList<>();
        int beyond = 0;
        for (TensorSummary stats : tensors) {
            Layers.Declared layer = run.facts().layers().of(stats.getName());
            boolean alone = stats.getKind() == TensorKind.update && !weights.contains(stats.getName());
            if ((stats.getKind() != TensorKind.weight && !alone)
                    || (layer != null && Boolean.FALSE.equals(layer.trainable()))
                    || !(updates.containsKey(stats.getName()) || isPrecise(stats))) {
                continue;
            }
            if (!any) {
                any = true;
                begin(state, run, step);
            }
            Weight weight = weight(state, stats, step);
            if (weight == null) {
                beyond++;
                continue;
            }
            compare(state, weight, stats, updates.get(stats.getName()), step);
            boolean declared = layer != null && Boolean.TRUE.equals(layer.trainable());
            boolean forgotten = weight.unchangedUnderGradient >= REPORTS
                    || (declared && !weight.gradientKnown && weight.unchanged >= REPORTS);
            if (forgotten && step - weight.since >= LEAST_SPAN) {
                stuck.add(stats.getName());
                stuckWeights.add(weight);
            }
        }
        state.seen |= !tensors.isEmpty();
        if (!any) {
            return;
        }
        state.beyond = beyond;
        judge(state, run, step, stuck, stuckWeights, verdicts);
    }

    private static void judge(
            State state, RunView run, long step, List<String> stuck, List<Weight> stuckWeights, Verdicts verdicts) {
        long since = Long.MAX_VALUE;
        boolean all = !state.weights.isEmpty();
        for (Weight weight : state.weights.values()) {
            all &= weight.unchanged >= REPORTS && step - weight.since >= LEAST_SPAN;
            since = Math.min(since, weight.since);
        }
        state.checked |= state.stepped;
        if (!all && stuck.isEmpty()) {
            if (state.stepped) {
                verdicts.healthy(Verdicts.RUN);
            }
            return;
        }
        if (!all) {
            since = stuckWeights.stream()
                    .mapToLong(weight -> weight.since)
                    .min()
                    .orElse(step);
        }
        long onset = since;
        boolean everything = all;
        verdicts.unhealthy(
                Verdicts.RUN,
                Severity.warning,
                onset,
                suppressedBy(run),
                () -> explain(state, run, everything, onset, step, stuck));
    }

    private static void begin(State state, RunView run, long step) {
        if (state.phase != run.phase() || step < state.reportStep) {
            // Another phase may freeze, and a checkpoint brings back other weights.
            state.phase = run.phase();
            state.weights.values().forEach(weight -> {
                weight.unchanged = 0;
                weight.unchangedUnderGradient = 0;
                weight.since = step;
                weight.print = 0;
            });
            state.reportStep = Long.MIN_VALUE;
        }
        if (step > state.reportStep) {
            state.stepped = state.reportStep != Long.MIN_VALUE && state.applied > state.appliedAtReport;
            state.reportStep = step;
            state.appliedAtReport = state.applied;
        }
    }

    private static void gradients(State state, List<TensorSummary> tensors) {
        double largest = 0;
        for (TensorSummary stats : tensors) {
            if (stats.getKind() == TensorKind.gradient) {
                largest = Math.max(largest, size(stats));
            }
        }
        double least = Math.max(VanishingGradient.NOTHING, LEAST_GRADIENT * largest);
        for (TensorSummary stats : tensors) {
            if (stats.getKind() == TensorKind.gradient) {
                Weight weight = state.weights.get(Fingerprint.of(stats.getName()));
                if (weight != null) {
                    weight.gradientKnown = true;
                    weight.pulled |= size(stats) >= least;
                }
            }
        }
    }

    /** Mean absolute value of a gradient or its root mean square; 0 where it is neither known nor finite. */
    private static double size(TensorSummary gradient) {
        Double mean = gradient.getAbsMean();
        if (mean == null && gradient.getL2Norm() != null && gradient.getCount() != null) {
            mean = gradient.getL2Norm() / Math.sqrt((double) gradient.getCount());
        }
        return mean != null && Double.isFinite(mean) ? mean : 0;
    }

    /** Whether an update that is not 0 was reported, by name. */
    private static Map<String, Boolean> updates(List<TensorSummary> tensors) {
        Map<String, Boolean> updates = new LinkedHashMap<>();
        for (TensorSummary stats : tensors) {
            if (stats.getKind() == TensorKind.update) {
                updates.put(stats.getName(), !WeightTensor.isZero(stats));
            }
        }
        return updates;
    }

    private static Set<String> names(List<TensorSummary> tensors) {
        Set<String> names = new HashSet<>();
        for (TensorSummary stats : tensors) {
            if (stats.getKind() == TensorKind.weight) {
                names.add(stats.getName());
            }
        }
        return names;
    }

    private static @Nullable Weight weight(State state, TensorSummary stats, long step) {
        long name = Fingerprint.of(stats.getName());
        Weight weight = state.weights.get(name);
        if (weight == null && state.weights.size() < MAX_TENSORS) {
            weight = new Weight();
            weight.since = step;
            state.weights.put(name, weight);
        }
        return weight;
    }

    private static void compare(State state, Weight weight, TensorSummary stats, @Nullable Boolean updated, long step) {
        long print = print(stats);
        boolean same = updated == null ? print == weight.print : !updated;
        if (!same) {
            weight.unchanged = 0;
            weight.unchangedUnderGradient = 0;
            weight.since = step;
        } else if (state.stepped) {
            weight.unchanged++;
            weight.unchangedUnderGradient = weight.pulled ? weight.unchangedUnderGradient + 1 : 0;
        }
        weight.print = print;
        if (state.stepped || !same) {
            weight.pulled = false;
        }
    }

    private static long print(TensorSummary stats) {
        long print = Fingerprint.EMPTY;
        for (Double value : new @Nullable Double[] {
            stats.getMean(),
            stats.getStd(),
            stats.getAbsMean(),
            stats.getAbsMax(),
            stats.getL2Norm(),
            stats.getZeroFraction(),
            stats.getP05(),
            stats.getP50(),
            stats.getP95()
        }) {
            print = Fingerprint.with(print, value == null ? Double.NaN : value);
        }
        return print;
    }

    /** Whether one of the statistics has the digits that show a small step. */
    private static boolean isPrecise(TensorSummary stats) {
        return hasDigits(stats.getL2Norm())
                || hasDigits(stats.getStd())
                || hasDigits(stats.getAbsMean())
                || hasDigits(stats.getMean());
    }

    private static boolean hasDigits(@Nullable Double value) {
        return value != null
                && Double.isFinite(value)
                && BigDecimal.valueOf(value).stripTrailingZeros().precision() >= LEAST_DIGITS;
    }

    private static @Nullable String suppressedBy(RunView run) {
        return LossGates.atFloor(run.loss()) ? LossGates.AT_FLOOR : run.gates().flatLoss(run);
    }

    private static Verdicts.Explanation explain(
            State state, RunView run, boolean all, long since, long step, List<String> stuck) {
        int count = state.weights.size();
        String beyond = state.beyond == 0 ? "" : " (" + state.beyond + " more are not followed)";
        List<Evidence> evidence = new ArrayList<>();
        for (String name : stuck.subList(0, Math.min(NAMED, stuck.size()))) {
            evidence.add(Figures.evidence(name, since, step, 0, Double.NaN, Double.NaN, "update"));
        }
        if (all) {
            double rate = run.gates().learningRate();
            if (!Double.isNaN(rate)) {
                evidence.add(Figures.evidence(
                        "learning_rate", since, step, rate, run.gates().peakLearningRate(), Double.NaN, null));
            }
            return new Verdicts.Explanation(
                    "all " + count + " weights" + beyond + " are unchanged since step " + since
                            + " though the optimizer steps"
                            + (Double.isNaN(rate) ? "" : " (learning rate " + Figures.text(rate) + ")"),
                    evidence);
        }
        return new Verdicts.Explanation(
                stuck.size() + " of " + count + " weights" + beyond + " are unchanged since step " + since
                        + " though they should train: "
                        + String.join(", ", stuck.subList(0, Math.min(NAMED, stuck.size())))
                        + (stuck.size() > NAMED ? ", ..." : ""),
                evidence);
    }

    @Override
    public @Nullable String missing(State state, RunView run) {
        if (state.checked) {
            return null;
        }
        return state.seen
                ? "two reports of weights with " + LEAST_DIGITS + " digits and optimizer steps between them"
                : "tensor_stats.tensors of kind weight, or step_completed.update_to_weight_ratio";
    }
}
