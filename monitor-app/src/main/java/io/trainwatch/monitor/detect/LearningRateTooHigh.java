package io.trainwatch.monitor.detect;

import io.trainwatch.alert.Evidence;
import io.trainwatch.alert.Severity;
import io.trainwatch.event.EvaluationCompleted;
import io.trainwatch.event.StepCompleted;
import io.trainwatch.event.TensorKind;
import io.trainwatch.event.TensorStats;
import io.trainwatch.event.TensorSummary;
import io.trainwatch.event.TrainingEvent;
import io.trainwatch.monitor.run.RunState;
import io.trainwatch.monitor.run.RunView;
import io.trainwatch.monitor.run.Series;
import io.trainwatch.monitor.stats.StateReader;
import io.trainwatch.monitor.stats.StateWriter;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Finds a learning rate that is too high for the run, by facts that each have other explanations too (D11).
 *
 * <pre>
 * (a) 3 alarms of loss_spike within 1,000 steps
 * (b) the scale of the loss is 3 x its smallest so far, at a loss within a factor of 1.5 of the loss then
 * (c) updates are more than 3 % of the weights ({@link UpdateRatio})
 * (d) an alarm of loss_divergence or exploding_gradient within 1,000 steps
 * (e) the share of dead units rose by 0.3 since the first report (largest over layers), or most of the gradient is
 *     exactly 0: zero_fraction &gt;= 0.7 in the median weight matrix
 * (f) an evaluation metric goes up and down by more than its error ({@link ZigZag})
 * fires if 3 of the 6 hold                                                 -&gt; warning
 * </pre>
 *
 * <p>Of metrics only those are read whose standard error is told or follows from the number of samples (rates between 0
 * and 1). Changes of sign of the raw loss are no fact: independent noise has as many. Under a rise of the learning rate, a
 * phase or a resume, and with profiles whose loss need not fall, it is info.
 *
 * <p>Measured: healthy updates 4e-4 to 6e-3 of the weights; healthy gradients are 0 in at most 0.23 of their elements
 * (0.74 in embeddings), of dead networks in all. Known weakness: a rate that is too high by a little makes the loss noisy
 * and the result worse, which no single run shows. Siblings: {@link LossSpike}, {@link LossDivergence}, {@link
 * LearningRateTooLow}. Sources: AutoTrainer (zero gradients, oscillation), Amazon SageMaker Debugger's WeightUpdateRatio;
 * DETECTION.md D11.
 */
public final class LearningRateTooHigh extends Detector<LearningRateTooHigh.State> {
    static final Setting<Double> LARGE_UPDATE = Setting.number(
            "large_update",
            0.03,
            1e-4,
            100,
            "update by weight, per step",
            "Larger updates are one of the facts of which three make an alert. Healthy ones measured "
                    + "4e-4 to 6e-3 of the weights.");

    static final int FACTS = 3;
    static final long HORIZON = 1000;
    static final int SPIKES = 3;
    static final double SCALES = 3;
    static final double COMPARABLE = 1.5;
    static final double DEAD_RISE = 0.3;
    static final double ZERO_GRADIENT = 0.7;
    static final int MAX_METRICS = 8;

    private final double largeUpdate;

    LearningRateTooHigh(DetectorSettings settings) {
        largeUpdate = settings.get(LARGE_UPDATE);
    }

    /** Best scale, dead units, evaluations, size of the updates. */
    static final class State implements DetectorState {
        double bestScale = Double.NaN;
        double lossAtBest = Double.NaN;
        double firstDead = Double.NaN;
        double dead = Double.NaN;
        double zeroGradient = Double.NaN;
        final UpdateRatio updates = new UpdateRatio();
        final PerScope<ZigZag> metrics = new PerScope<>(1, MAX_METRICS, ZigZag::new);
        boolean checked;
        long since = -1;
        long phase;

        @Override
        public int version() {
            return 1;
        }

        @Override
        public void write(StateWriter out) {
            out.writeDouble(bestScale);
            out.writeDouble(lossAtBest);
            out.writeDouble(firstDead);
            out.writeDouble(dead);
            out.writeDouble(zeroGradient);
            updates.write(out);
            metrics.write(out);
            out.writeBoolean(checked);
            out.writeLong(since);
            out.writeLong(phase);
        }

        @Override
        public void read(StateReader in) {
            bestScale = in.readDouble();
            lossAtBest = in.readDouble();
            firstDead = in.readDouble();
            dead = in.readDouble();
            zeroGradient = in.readDouble();
            updates.read(in);
            metrics.read(in);
            checked = in.readBoolean();
            since = in.readLong();
            phase = in.readLong();
        }
    }

    /** One of the six. */
    private record Fact(String told, Evidence evidence) {}

    @Override
    public String name() {
        return "learning_rate_too_high";
    }

    @Override
    public List<Setting<?>> settings() {
        return List.of(LARGE_UPDATE);
    }

    @Override
    public Set<Class<?>> reads() {
        return Set.of(StepCompleted.class, TensorStats.class, EvaluationCompleted.class);
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
        state.updates.observe(run, event);
        if (event.getBody() instanceof EvaluationCompleted body) {
            evaluation(state, run, body);
        } else if (event.getBody() instanceof TensorStats body) {
            tensors(state, run, body);
        } else if (run.loss().isFresh(run) && Double.isFinite(run.loss().last())) {
            scale(state, run);
            judge(state, run, verdicts);
        }
    }

    private static void scale(State state, RunView run) {
        Series loss = run.loss();
        if (state.phase != run.phase()) {
            state.phase = run.phase();
            state.bestScale = Double.NaN;
        }
        if (loss.trusted() && !(loss.scale() >= state.bestScale)) {
            state.bestScale = loss.scale();
            state.lossAtBest = loss.median();
        }
    }

    private static void tensors(State state, RunView run, TensorStats body) {
        double dead = Double.NaN;
        for (TensorSummary stats : body.getTensors()) {
            Double share = stats.getKind() == TensorKind.activation ? stats.getDeadUnitFraction() : null;
            if (share != null && !(share <= dead)) {
                dead = share;
            }
        }
        if (!Double.isNaN(dead)) {
            state.dead = dead;
            state.firstDead = Double.isNaN(state.firstDead) ? dead : state.firstDead;
        }
        double[] zeros = WeightTensor.matrices(body, run, TensorKind.gradient).stream()
                .map(gradient -> gradient.stats().getZeroFraction())
                .filter(share -> share != null)
                .mapToDouble(Double::doubleValue)
                .sorted()
                .toArray();
        if (zeros.length > 0) {
            state.zeroGradient = zeros[(zeros.length - 1) / 2];
        }
    }

    private static void evaluation(State state, RunView run, EvaluationCompleted body) {
        if (body.getMetrics() == null) {
            return;
        }
        String dataset = RunState.evaluationScope(body);
        for (Map.Entry<String, Double> metric : body.getMetrics().entrySet()) {
            double value = metric.getValue();
            double error = StandardError.of(run, body, metric.getKey(), value);
            if (Double.isFinite(value) && error > 0) {
                ZigZag zigZag = state.metrics.of(dataset + "/" + metric.getKey());
                if (zigZag != null) {
                    zigZag.add(value, error);
                }
            }
        }
    }

    private void judge(State state, RunView run, Verdicts verdicts) {
        int score = score(state, run, verdicts.episodes());
        if (score < FACTS) {
            state.since = -1;
            state.checked |= run.loss().trusted();
            verdicts.healthy(Verdicts.RUN);
            return;
        }
        state.checked = true;
        if (state.since < 0) {
            state.since = run.lastStep();
        }
        String profile = LossGates.profile(run);
        verdicts.unhealthy(
                Verdicts.RUN,
                Severity.warning,
                state.since,
                profile != null ? profile : run.gates().upwardMove(),
                () -> explain(state, run, verdicts.episodes()));
    }

    private int score(State state, RunView run, Episodes episodes) {
        int score = 0;
        score += spikes(run, episodes) >= SPIKES ? 1 : 0;
        score += noisy(state, run) ? 1 : 0;
        score += state.updates.low(run) > largeUpdate ? 1 : 0;
        score += blewUp(run, episodes) ? 1 : 0;
        score += dies(state) || hardlyAnyGradient(state) ? 1 : 0;
        score += zigZag(state) ? 1 : 0;
        return score;
    }

    private static int spikes(RunView run, Episodes episodes) {
        return episodes.alarmsSince("loss_spike", run.lastStep() - HORIZON);
    }

    private static boolean noisy(State state, RunView run) {
        Series loss = run.loss();
        return loss.trusted()
                && loss.scale() >= SCALES * state.bestScale
                && loss.median() <= COMPARABLE * state.lossAtBest
                && state.lossAtBest <= COMPARABLE * loss.median();
    }

    private static boolean blewUp(RunView run, Episodes episodes) {
        long since = run.lastStep() - HORIZON;
        return episodes.isAlarming("loss_divergence")
                || episodes.isAlarming("exploding_gradient")
                || episodes.alarmsSince("loss_divergence", since) > 0
                || episodes.alarmsSince("exploding_gradient", since) > 0;
    }

    private static boolean dies(State state) {
        return state.dead - state.firstDead > DEAD_RISE;
    }

    private static boolean hardlyAnyGradient(State state) {
        return state.zeroGradient >= ZERO_GRADIENT;
    }

    private static boolean zigZag(State state) {
        // Asked at every step: without evaluations not even an iterator.
        if (state.metrics.isEmpty()) {
            return false;
        }
        for (ZigZag metric : state.metrics.all()) {
            if (metric.is()) {
                return true;
            }
        }
        return false;
    }

    private Verdicts.Explanation explain(State state, RunView run, Episodes episodes) {
        long step = run.lastStep();
        long from = Math.max(run.firstStep(), step - HORIZON);
        List<Fact> facts = new ArrayList<>();
        int spikes = spikes(run, episodes);
        if (spikes >= SPIKES) {
            facts.add(fact(spikes + " loss spikes", "loss_spike", from, step, spikes, Double.NaN));
        }
        if (noisy(state, run)) {
            double times = run.loss().scale() / state.bestScale;
            facts.add(fact(
                    "loss " + Figures.text(times) + " times as noisy as at its best",
                    "scale of loss",
                    from,
                    step,
                    run.loss().scale(),
                    state.bestScale));
        }
        double update = state.updates.low(run);
        if (update > largeUpdate) {
            facts.add(fact(
                    "updates of " + Figures.percent(update) + " of the weights or more",
                    "update_to_weight_ratio",
                    from,
                    step,
                    update,
                    largeUpdate));
        }
        if (blewUp(run, episodes)) {
            facts.add(fact(
                    "loss or gradient blew up",
                    "grad_norm",
                    from,
                    step,
                    run.gradNorm().last(),
                    Double.NaN));
        }
        if (dies(state)) {
            facts.add(fact("units die", "dead_unit_fraction", from, step, state.dead, state.firstDead));
        } else if (hardlyAnyGradient(state)) {
            facts.add(fact(
                    "most of the gradient is exactly 0",
                    "zero_fraction of gradients",
                    from,
                    step,
                    state.zeroGradient,
                    ZERO_GRADIENT));
        }
        if (zigZag(state)) {
            double largest = state.metrics.all().stream()
                    .filter(ZigZag::is)
                    .mapToDouble(ZigZag::step)
                    .max()
                    .orElse(Double.NaN);
            facts.add(fact("evaluations go up and down", "step of evaluations", from, step, largest, Double.NaN));
        }
        return new Verdicts.Explanation(
                "learning rate " + Figures.text(run.gates().learningRate()) + " is too high: "
                        + String.join(", ", facts.stream().map(Fact::told).toList()),
                facts.stream().map(Fact::evidence).toList());
    }

    private static Fact fact(String told, String signal, long from, long to, double value, double baseline) {
        return new Fact(told, Figures.evidence(signal, from, to, value, baseline, Double.NaN, null));
    }

    @Override
    public @Nullable String missing(State state, RunView run) {
        if (state.checked) {
            return null;
        }
        return run.loss().points() == 0
                ? "step_completed.loss"
                : Series.TRUSTED_POINTS + " points of loss, " + run.loss().finitePoints() + " came";
    }
}
