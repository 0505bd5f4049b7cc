package io.trainwatch.monitor.detect;

import io.trainwatch.alert.Evidence;
import io.trainwatch.alert.Severity;
import io.trainwatch.event.StepCompleted;
import io.trainwatch.event.TensorKind;
import io.trainwatch.event.TensorStats;
import io.trainwatch.event.TrainingEvent;
import io.trainwatch.monitor.run.RunView;
import io.trainwatch.monitor.stats.Fingerprint;
import io.trainwatch.monitor.stats.Medians;
import io.trainwatch.monitor.stats.StateReader;
import io.trainwatch.monitor.stats.StateWriter;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Finds gradients that do not reach the layers near the input, while the total norm may look normal (D07).
 *
 * <pre>
 * over the weight matrices that train, in forward order ({@link WeightTensor}):
 * r = largest gradient norm in the first quarter of them / median of the last quarter
 * m = largest mean |gradient| in the first quarter, elements that are 0 left out
 * vanished: r &lt; 1e-3 and m &lt; 1e-6, or mean |gradient| &lt; 1e-9 in the first 30 % of the matrices or more
 * fires if vanished in 3 reports in a row over 20 steps or more            -&gt; warning
 * or if the total gradient norm, once above 0, is 0 for 10 points in a row -&gt; warning
 * </pre>
 *
 * <p>What matters is that no layer near the input gets any: one that does shows that the gradient passes, and those that do
 * not are frozen, unused experts or adapters that begin at 0. A quarter, because the tensor at either end may be an odd one
 * (an embedding that was not declared, a head). Not judged before step 50 nor within twice the warm-up: an output or an adapter that begins at 0 passes no
 * gradient until it has moved. Info at the floor of the loss, where gradients end, and with profiles whose loss need not
 * fall. Where loss scaling is on and the tensors add up to the scaled norm, they are divided by the scale. Matrices whose
 * gradient is exactly 0 since the first report, in a run that learns, are frozen ones that the trainer did not declare.
 * Reports of rank 0 count. A norm that never was other than 0 may be a field that nobody fills in.
 *
 * <p>Measured on small networks: healthy r from 0.07 to 5.6, vanishing at most 4.4e-6 at a total norm of 0.19 to 0.44. A
 * converged run had m = 2e-6 at r = 1, hence the conjunction. Known weakness: two towers whose gradients differ by 1,000
 * on purpose. Siblings: {@link DeadUnits}, {@link SaturatedUnits}, {@link NotLearning}. Sources: AutoTrainer (r &lt; 1e-3),
 * Amazon SageMaker Debugger's VanishingGradient (mean &lt; 1e-7); DETECTION.md D07.
 */
public final class VanishingGradient extends Detector<VanishingGradient.State> {
    static final Setting<Double> LEAST_RATIO = Setting.number(
            "least_ratio",
            1e-3,
            1e-9,
            1,
            "gradient norm near the input by that at the output",
            "Below it the gradient does not reach the layers near the input, where its mean is small "
                    + "too. Healthy networks measured 0.07 to 5.6, vanishing ones at most 4.4e-6. Source: "
                    + "AutoTrainer.");

    static final Setting<Double> SMALL = Setting.number(
            "small",
            1e-6,
            1e-12,
            1,
            "mean |gradient|",
            "What counts as small near the input. A converged run had 2e-6 at a ratio of 1, hence both.");

    static final double NOTHING = 1e-9;
    static final double NOTHING_SHARE = 0.3;
    static final int REPORTS = 3;
    static final int LEAST_SPAN = 20;
    static final int EARLIEST = 50;
    static final int ZERO_POINTS = 10;
    static final int MAX_ZEROS = 1024;
    /** Scope of the total norm, which has verdicts of its own. */
    static final String TOTAL = "grad_norm";

    private final double leastRatio;
    private final double small;

    VanishingGradient(DetectorSettings settings) {
        leastRatio = settings.get(LEAST_RATIO);
        small = settings.get(SMALL);
    }

    /** The stretch of vanished reports, the stretch of zero norms, and what was zero from the start. */
    static final class State implements DetectorState {
        boolean checked;
        int reports;
        long since = -1;
        long latest = -1;
        boolean firstReportSeen;
        final Set<Long> zeroSinceStart = new HashSet<>();
        double lossScale = Double.NaN;
        boolean normSeen;
        int zeroNorms;
        long zeroSince = -1;

        @Override
        public int version() {
            return 1;
        }

        @Override
        public void write(StateWriter out) {
            out.writeBoolean(checked);
            out.writeInt(reports);
            out.writeLong(since);
            out.writeLong(latest);
            out.writeBoolean(firstReportSeen);
            out.writeInt(zeroSinceStart.size());
            // Sorted: equal states are equal bytes.
            zeroSinceStart.stream().sorted().forEach(out::writeLong);
            out.writeDouble(lossScale);
            out.writeBoolean(normSeen);
            out.writeInt(zeroNorms);
            out.writeLong(zeroSince);
        }

        @Override
        public void read(StateReader in) {
            checked = in.readBoolean();
            reports = in.readInt();
            since = in.readLong();
            latest = in.readLong();
            firstReportSeen = in.readBoolean();
            zeroSinceStart.clear();
            int zeros = in.readCount(MAX_ZEROS);
            for (int i = 0; i < zeros; i++) {
                zeroSinceStart.add(in.readLong());
            }
            lossScale = in.readDouble();
            normSeen = in.readBoolean();
            zeroNorms = in.readInt();
            zeroSince = in.readLong();
        }
    }

    @Override
    public String name() {
        return "vanishing_gradient";
    }

    @Override
    public List<Setting<?>> settings() {
        return List.of(LEAST_RATIO, SMALL);
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
        if (event.getRank() != 0 || run.redoing()) {
            return;
        }
        if (event.getBody() instanceof TensorStats tensors) {
            tensors(state, run, event, tensors, verdicts);
        } else {
            Double scale = ((StepCompleted) event.getBody()).getLossScale();
            state.lossScale = scale == null ? state.lossScale : scale;
            if (run.gradNorm().isFresh(run)) {
                totalNorm(state, run, verdicts);
            }
        }
    }

    private static void totalNorm(State state, RunView run, Verdicts verdicts) {
        double norm = run.gradNorm().last();
        if (norm != 0) {
            state.normSeen |= norm > 0;
            state.zeroNorms = 0;
            verdicts.healthy(TOTAL);
            return;
        }
        if (state.zeroNorms++ == 0) {
            state.zeroSince = run.lastStep();
        }
        if (state.normSeen && state.zeroNorms >= ZERO_POINTS) {
            verdicts.unhealthy(
                    TOTAL,
                    Severity.warning,
                    state.zeroSince,
                    suppressedBy(run),
                    () -> new Verdicts.Explanation(
                            "gradient norm is exactly 0 since step " + state.zeroSince,
                            List.of(Figures.evidence(
                                    "grad_norm", state.zeroSince, run.lastStep(), 0, Double.NaN, Double.NaN, null))));
        }
    }

    private void tensors(State state, RunView run, TrainingEvent event, TensorStats body, Verdicts verdicts) {
        List<WeightTensor> gradients = WeightTensor.matrices(body, run, TensorKind.gradient);
        if (gradients.isEmpty()) {
            return;
        }
        rememberZeros(state, gradients);
        gradients = withoutFrozen(state, run, gradients);
        long step = WeightTensor.step(event, run);
        if (gradients.size() < 2 || tooEarly(run, step)) {
            return;
        }
        Flow flow = Flow.of(gradients, lossScale(state, run, event, gradients));
        if (flow == null) {
            return;
        }
        state.checked = true;
        if (!flow.vanished(leastRatio, small)) {
            state.reports = 0;
            verdicts.healthy(Verdicts.RUN);
            return;
        }
        if (state.reports == 0 || step < state.since) {
            state.since = step;
        }
        if (state.reports == 0 || step > state.latest) {
            state.reports++;
        }
        state.latest = step;
        if (state.reports >= REPORTS && step - state.since >= LEAST_SPAN) {
            long since = state.since;
            verdicts.unhealthy(
                    Verdicts.RUN, Severity.warning, since, suppressedBy(run), () -> flow.explain(since, step, small));
        }
    }

    private static boolean tooEarly(RunView run, long step) {
        long warmup = run.gates().warmupEnd(run.facts());
        return run.gates().learningRateStillRising() || step < Math.max(run.firstStep() + EARLIEST, 2 * warmup);
    }

    private static void rememberZeros(State state, List<WeightTensor> gradients) {
        for (WeightTensor gradient : gradients) {
            long name = Fingerprint.of(gradient.name());
            if (!gradient.isZero()) {
                state.zeroSinceStart.remove(name);
            } else if (!state.firstReportSeen && state.zeroSinceStart.size() < MAX_ZEROS) {
                state.zeroSinceStart.add(name);
            }
        }
        state.firstReportSeen = true;
    }

    private static List<WeightTensor> withoutFrozen(State state, RunView run, List<WeightTensor> gradients) {
        if (state.zeroSinceStart.isEmpty() || !LossGates.learns(run.loss())) {
            return gradients;
        }
        return gradients.stream()
                .filter(gradient -> !state.zeroSinceStart.contains(Fingerprint.of(gradient.name())))
                .toList();
    }

    /** The loss scale if the tensors still carry it, which shows where they add up to more than the unscaled norm. */
    private static double lossScale(State state, RunView run, TrainingEvent event, List<WeightTensor> gradients) {
        double scale = state.lossScale;
        double norm = run.gradNorm().last();
        boolean sameStep = event.getStep() == null || event.getStep() == run.lastStep();
        if (!(scale > 1) || !(norm > 0) || !sameStep) {
            return 1;
        }
        double squares = 0;
        for (WeightTensor gradient : gradients) {
            squares += gradient.norm() * gradient.norm();
        }
        return Math.sqrt(squares) > Math.sqrt(scale) * norm ? scale : 1;
    }

    private static @Nullable String suppressedBy(RunView run) {
        String profile = LossGates.profile(run);
        if (profile != null) {
            return profile;
        }
        return LossGates.atFloor(run.loss()) ? LossGates.AT_FLOOR : null;
    }

    /**
     * How much of the gradient arrives.
     *
     * @param first largest norm near the input
     * @param last median norm near the output
     * @param mean largest mean |gradient| near the input
     * @param starved how many layers, counted from the input, get nothing
     */
    private record Flow(List<WeightTensor> gradients, double first, double last, double mean, int starved) {

        static @Nullable Flow of(List<WeightTensor> gradients, double scale) {
            double[] norms = new double[gradients.size()];
            double[] means = new double[gradients.size()];
            for (int i = 0; i < norms.length; i++) {
                norms[i] = gradients.get(i).norm() / scale;
                means[i] = gradients.get(i).meanOfNonZero() / scale;
                if (!Double.isFinite(norms[i]) || !Double.isFinite(means[i])) {
                    return null;
                }
            }
            int starved = 0;
            while (starved < means.length && means[starved] < NOTHING) {
                starved++;
            }
            int quarter = (norms.length + 3) / 4;
            return new Flow(
                    gradients,
                    Arrays.stream(norms, 0, quarter).max().orElse(0),
                    Medians.of(norms, norms.length - quarter, norms.length),
                    Arrays.stream(means, 0, quarter).max().orElse(0),
                    starved);
        }

        boolean vanished(double leastRatio, double small) {
            return (first < leastRatio * last && mean < small) || starved >= NOTHING_SHARE * gradients.size();
        }

        Verdicts.Explanation explain(long since, long step, double small) {
            WeightTensor input = gradients.get(0);
            WeightTensor output = gradients.get(gradients.size() - 1);
            String starve = starved == 0
                    ? ""
                    : "; less than " + Figures.text(NOTHING) + " in " + starved + " of " + gradients.size()
                            + " layers, " + gradients.get(starved - 1).name() + " the last of them";
            List<Evidence> evidence = new ArrayList<>();
            evidence.add(Figures.evidence(
                    input.name(), since, step, input.norm(), output.norm(), first / last, "gradient norm"));
            evidence.add(Figures.evidence(
                    output.name(), since, step, output.norm(), Double.NaN, Double.NaN, "gradient norm"));
            evidence.add(
                    Figures.evidence("mean |gradient| near the input", since, step, mean, small, Double.NaN, null));
            return new Verdicts.Explanation(
                    "gradients do not reach the layers near the input since step " + since + ": norm "
                            + Figures.text(first) + " there (" + input.name() + "), " + Figures.text(last)
                            + " at the output (" + output.name() + ")" + starve,
                    evidence);
        }
    }

    @Override
    public @Nullable String missing(State state, RunView run) {
        if (state.checked) {
            return null;
        }
        return state.firstReportSeen
                ? "tensor_stats of two weight matrices that train, behind step " + EARLIEST + " and twice the warm-up"
                : "tensor_stats.tensors of kind gradient";
    }
}
