package io.trainwatch.monitor.detect;

import io.trainwatch.alert.Evidence;
import io.trainwatch.alert.Severity;
import io.trainwatch.event.StepCompleted;
import io.trainwatch.event.TensorKind;
import io.trainwatch.event.TensorStats;
import io.trainwatch.event.TensorSummary;
import io.trainwatch.event.TrainingEvent;
import io.trainwatch.monitor.run.Layers;
import io.trainwatch.monitor.run.RunFacts;
import io.trainwatch.monitor.run.RunView;
import io.trainwatch.monitor.stats.Persistent;
import io.trainwatch.monitor.stats.StateReader;
import io.trainwatch.monitor.stats.StateWriter;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Finds weights that were not initialised as they should be (D09).
 *
 * <pre>
 * at the first report, if within the first 500 steps, over weight matrices ({@link WeightTensor}):
 * constant:     std = 0 at a value that is not 0, or in all of them        -&gt; warning
 * out of scale: std * sqrt(fan in) outside 0.02 to 4, or |max| &gt; 10         -&gt; info
 * far off:      the first loss &gt; 3 ln C                                     -&gt; info
 * out of scale within the first 500 steps with a loss far off, or with an alarm of not_learning, exploding_gradient
 * or vanishing_gradient                                                    -&gt; warning
 * </pre>
 *
 * <p>Only the first report, because a rate that is too high moves weights out of scale within three steps. One behind step
 * 10 in a run whose loss or gradient had blown up by then shows what that did and not where the weights began, unless the
 * first loss was far off already: it is info.
 *
 * <p>Units that begin alike stay alike. One matrix of zeros among others is a habit (outputs, adapters, residual branches).
 * A fixed limit on std flags large models that follow the book: what matters is std times the root of the inputs per unit,
 * declared or elements of the matrix over those of its bias; where neither is known only |max| is judged. Scale alone is
 * never a warning: two families of healthy GPTs begin at 1.5 and 2.1 ln C. A ratio of activation variances above 10
 * between layers is told beside a finding and is none: healthy networks showed 18 and 6e4.
 *
 * <p>Measured: healthy std * sqrt(fan in) 0.11 to 1.42, too small 0.01, too large 7.1 and 14.4. Known weakness: runs that go
 * on from a checkpoint are judged by what they loaded. Siblings: {@link NotLearning}, {@link VanishingGradient}, {@link
 * ExplodingGradient}. Sources: BigScience (std by width), Amazon SageMaker Debugger's PoorWeightInitialization and
 * TensorVariance; DETECTION.md D09.
 */
public final class AbnormalWeights extends Detector<AbnormalWeights.State> {
    static final long FIRST_STEPS = 10;
    static final long WINDOW = 500;
    static final double SMALLEST = 0.02;
    static final double LARGEST = 4;
    static final double LARGEST_VALUE = 10;
    static final double FAR_OFF = 3;
    static final double VARIANCE_RATIO = 10;
    static final String BLEW_UP = "blew_up_before";
    static final String ACTIVATION_VARIANCE_RATIO = "activation_variance_ratio";
    private static final int NAMED = 3;

    /** A matrix that is out of scale, or constant. */
    static final class Finding implements Persistent {
        String name = "";
        double std;
        double scaled = Double.NaN;
        double largest = Double.NaN;

        @Override
        public void write(StateWriter out) {
            out.writeString(name);
            out.writeDouble(std);
            out.writeDouble(scaled);
            out.writeDouble(largest);
        }

        @Override
        public void read(StateReader in) {
            name = in.readString();
            std = in.readDouble();
            scaled = in.readDouble();
            largest = in.readDouble();
        }

        String told() {
            String told = name + " std " + Figures.text(std);
            if (!Double.isNaN(scaled)) {
                told += ", " + Figures.text(scaled) + " by the root of its inputs";
            }
            return largest > LARGEST_VALUE ? told + ", largest " + Figures.text(largest) : told;
        }
    }

    /** What the first report showed, and what speaks for it since. */
    static final class State implements DetectorState {
        boolean seen;
        boolean judged;
        double firstLoss = Double.NaN;
        long firstLossStep = -1;
        int matrices;
        int found;
        boolean constant;
        boolean blownUp;
        long step = -1;
        final List<Finding> findings = new ArrayList<>();
        double varianceRatio = Double.NaN;
        boolean corroborated;
        boolean said;

        @Override
        public int version() {
            return 1;
        }

        @Override
        public void write(StateWriter out) {
            out.writeBoolean(seen);
            out.writeBoolean(judged);
            out.writeDouble(firstLoss);
            out.writeLong(firstLossStep);
            out.writeInt(matrices);
            out.writeInt(found);
            out.writeBoolean(constant);
            out.writeBoolean(blownUp);
            out.writeLong(step);
            out.writeInt(findings.size());
            findings.forEach(finding -> finding.write(out));
            out.writeDouble(varianceRatio);
            out.writeBoolean(corroborated);
            out.writeBoolean(said);
        }

        @Override
        public void read(StateReader in) {
            seen = in.readBoolean();
            judged = in.readBoolean();
            firstLoss = in.readDouble();
            firstLossStep = in.readLong();
            matrices = in.readInt();
            found = in.readInt();
            constant = in.readBoolean();
            blownUp = in.readBoolean();
            step = in.readLong();
            findings.clear();
            int count = in.readCount(NAMED);
            for (int i = 0; i < count; i++) {
                Finding finding = new Finding();
                finding.read(in);
                findings.add(finding);
            }
            varianceRatio = in.readDouble();
            corroborated = in.readBoolean();
            said = in.readBoolean();
        }
    }

    @Override
    public String name() {
        return "abnormal_weights";
    }

    @Override
    public Set<Class<?>> reads() {
        return Set.of(TensorStats.class, StepCompleted.class);
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
        if (event.getRank() != 0) {
            return;
        }
        if (event.getBody() instanceof TensorStats body) {
            long step = WeightTensor.step(event, run);
            state.seen = true;
            if (!state.judged && step <= WINDOW) {
                inspect(state, run, body, step);
                state.blownUp = step > FIRST_STEPS && blewUp(verdicts.episodes());
            }
        } else if (state.firstLossStep < 0 && run.loss().isFresh(run)) {
            state.firstLossStep = run.lastStep();
            state.firstLoss = run.lastStep() <= WINDOW ? run.loss().last() : Double.NaN;
        }
        judge(state, run, event.getBody() instanceof TensorStats, verdicts);
    }

    private static void judge(State state, RunView run, boolean report, Verdicts verdicts) {
        boolean farOff = state.firstLoss > FAR_OFF * run.facts().chanceLoss();
        if (run.lastStep() > WINDOW || (state.found == 0 && !farOff)) {
            if (report || state.said) {
                verdicts.healthy(Verdicts.RUN);
            }
            return;
        }
        boolean corroborated = state.corroborated || (state.found > 0 && (farOff || speaksForIt(verdicts.episodes())));
        if (state.said && !report && corroborated == state.corroborated) {
            return;
        }
        state.corroborated = corroborated;
        state.said = true;
        verdicts.unhealthy(
                Verdicts.RUN,
                state.constant || corroborated ? Severity.warning : Severity.info,
                state.found > 0 ? state.step : state.firstLossStep,
                state.blownUp && !farOff ? BLEW_UP : null,
                () -> explain(state, run, farOff));
    }

    private static boolean blewUp(Episodes episodes) {
        return episodes.alarmsSince("loss_divergence", 0) > 0
                || episodes.alarmsSince("exploding_gradient", 0) > 0
                || episodes.alarmsSince("non_finite_loss", 0) > 0;
    }

    private static boolean speaksForIt(Episodes episodes) {
        return episodes.alarmsSince("not_learning", 0) > 0
                || episodes.alarmsSince("exploding_gradient", 0) > 0
                || episodes.alarmsSince("vanishing_gradient", 0) > 0;
    }

    private static void inspect(State state, RunView run, TensorStats body, long step) {
        List<WeightTensor> weights = WeightTensor.matrices(body, run, TensorKind.weight);
        if (weights.isEmpty()) {
            return;
        }
        int constants = 0;
        boolean constant = false;
        List<Finding> found = new ArrayList<>();
        for (WeightTensor weight : weights) {
            Double std = weight.stats().getStd();
            if (std == null || !Double.isFinite(std)) {
                continue;
            }
            if (std == 0 && isCertain(weight)) {
                constants++;
                constant |= !weight.isZero();
                found.add(finding(weight, std));
            } else if (std > 0 && isOutOfScale(weight, std)) {
                found.add(finding(weight, std));
            }
        }
        boolean all = constants == weights.size() && constants > 1;
        if (!constant && !all) {
            found.removeIf(finding -> finding.std == 0);
        }
        state.judged = true;
        state.step = step;
        state.matrices = weights.size();
        state.constant = constant || all;
        state.found = found.size();
        state.findings.clear();
        state.findings.addAll(found.subList(0, Math.min(NAMED, found.size())));
        state.varianceRatio = varianceRatio(body);
    }

    /** Whether it is a matrix for certain: a vector that begins constant is nothing. */
    private static boolean isCertain(WeightTensor weight) {
        Layers.Declared layer = weight.layer();
        return weight.fanIn() > 1
                || (layer != null && (layer.role() == Layers.Role.MATRIX || layer.role() == Layers.Role.OUTPUT));
    }

    private static boolean isOutOfScale(WeightTensor weight, double std) {
        Double largest = weight.stats().getAbsMax();
        double scaled = std * Math.sqrt((double) weight.fanIn());
        return (weight.fanIn() > 0 && (scaled < SMALLEST || scaled > LARGEST))
                || (largest != null && largest > LARGEST_VALUE);
    }

    private static Finding finding(WeightTensor weight, double std) {
        Finding finding = new Finding();
        finding.name = Verdicts.Explanation.oneLine(weight.name(), PerScope.MAX_NAME);
        finding.std = std;
        finding.scaled = weight.fanIn() > 0 ? std * Math.sqrt((double) weight.fanIn()) : Double.NaN;
        Double largest = weight.stats().getAbsMax();
        finding.largest = largest == null ? Double.NaN : largest;
        return finding;
    }

    private static double varianceRatio(TensorStats body) {
        double smallest = Double.POSITIVE_INFINITY;
        double largest = 0;
        for (TensorSummary stats : body.getTensors()) {
            Double std = stats.getKind() == TensorKind.activation ? stats.getStd() : null;
            if (std != null && std > 0 && Double.isFinite(std)) {
                smallest = Math.min(smallest, std * std);
                largest = Math.max(largest, std * std);
            }
        }
        return largest > 0 && smallest > 0 ? largest / smallest : Double.NaN;
    }

    private static Verdicts.Explanation explain(State state, RunView run, boolean farOff) {
        RunFacts facts = run.facts();
        List<Evidence> evidence = new ArrayList<>();
        List<String> told = new ArrayList<>();
        for (Finding finding : state.findings) {
            boolean byScale = !Double.isNaN(finding.scaled);
            evidence.add(Figures.evidence(
                    finding.name,
                    state.step,
                    state.step,
                    byScale ? finding.scaled : finding.largest,
                    Double.NaN,
                    Double.NaN,
                    byScale ? "std * sqrt(fan in)" : "largest weight"));
            told.add(finding.told());
        }
        if (farOff) {
            evidence.add(Figures.evidence(
                    "loss",
                    state.firstLossStep,
                    state.firstLossStep,
                    state.firstLoss,
                    facts.chanceLoss(),
                    state.firstLoss / facts.chanceLoss(),
                    null));
        }
        if (state.varianceRatio > VARIANCE_RATIO) {
            evidence.add(Figures.evidence(
                    ACTIVATION_VARIANCE_RATIO, state.step, state.step, state.varianceRatio, 1, Double.NaN, null));
        }
        String loss = farOff
                ? "the loss began at " + Figures.text(state.firstLoss) + ", chance is "
                        + Figures.text(facts.chanceLoss())
                : "";
        if (state.found == 0) {
            return new Verdicts.Explanation(loss + ": weights or inputs out of scale", evidence);
        }
        String more = state.found > state.findings.size() ? "; ..." : "";
        return new Verdicts.Explanation(
                state.found + " of " + state.matrices + " weight matrices began "
                        + (state.constant ? "constant" : "out of scale") + ": " + String.join("; ", told) + more
                        + (loss.isEmpty() ? "" : "; " + loss),
                evidence);
    }

    @Override
    public @Nullable String missing(State state, RunView run) {
        if (state.judged) {
            return null;
        }
        return state.seen
                ? "tensor_stats of weight matrices within the first " + WINDOW + " steps"
                : "tensor_stats.tensors of kind weight";
    }
}
