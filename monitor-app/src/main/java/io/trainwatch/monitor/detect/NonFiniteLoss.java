package io.trainwatch.monitor.detect;

import io.trainwatch.alert.Severity;
import io.trainwatch.event.EvaluationCompleted;
import io.trainwatch.event.StepCompleted;
import io.trainwatch.event.TensorKind;
import io.trainwatch.event.TensorStats;
import io.trainwatch.event.TensorSummary;
import io.trainwatch.event.TrainingEvent;
import io.trainwatch.monitor.run.Checkpoints.Checkpoint;
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
 * Finds a loss that is NaN or infinite, at the step itself (D01).
 *
 * <pre>
 * loss or a component of it non-finite, or nonfinite_count &gt; 0 on a step that was not skipped,
 * or loss exactly 0 while the gradient norm is non-finite      -&gt; critical
 * weights or activations of tensor_stats non-finite            -&gt; critical
 * evaluation loss non-finite while the training loss is finite -&gt; warning, in the scope of the evaluation set
 * </pre>
 *
 * <p>The third form is what Hugging Face's {@code logging_nan_inf_filter} leaves of a NaN: {@code "loss": 0.0,
 * "grad_norm": NaN}.
 *
 * <p>Known weakness: a trainer that filters both loss and gradient norm hides from it. Siblings: {@link
 * NonFiniteGradient}. Source: SageMaker ExplodingTensor; DETECTION.md D01.
 */
public final class NonFiniteLoss extends Detector<PerScope<NonFiniteLoss.Onset>> {

    /** Where the present stretch of non-finite values began. */
    static final class Onset implements Persistent {
        long step = -1;
        boolean checked;

        @Override
        public void write(StateWriter out) {
            out.writeLong(step);
            out.writeBoolean(checked);
        }

        @Override
        public void read(StateReader in) {
            step = in.readLong();
            checked = in.readBoolean();
        }
    }

    @Override
    public String name() {
        return "non_finite_loss";
    }

    @Override
    public Set<Class<?>> reads() {
        return Set.of(StepCompleted.class, EvaluationCompleted.class, TensorStats.class);
    }

    @Override
    public PerScope<Onset> newState() {
        return new PerScope<>(1, 32, Onset::new);
    }

    @Override
    public void observe(PerScope<Onset> state, RunView run, TrainingEvent event, Verdicts verdicts) {
        Object body = event.getBody();
        if (body instanceof StepCompleted step) {
            step(state, run, event, step, verdicts);
        } else if (body instanceof EvaluationCompleted evaluation) {
            evaluation(state, run, evaluation, verdicts);
        } else if (body instanceof TensorStats stats) {
            tensors(state, run, stats, verdicts);
        }
    }

    private void step(PerScope<Onset> state, RunView run, TrainingEvent event, StepCompleted body, Verdicts verdicts) {
        Onset onset = state.of(Verdicts.RUN);
        if (onset == null) {
            return;
        }
        String what = whatIsWrong(body);
        if (what == null) {
            if (body.getLoss() != null || body.getLosses() != null) {
                onset.checked = true;
                onset.step = -1;
                verdicts.healthy(Verdicts.RUN);
            }
            return;
        }
        onset.checked = true;
        if (onset.step < 0) {
            onset.step = run.lastStep();
        }
        long from = onset.step;
        verdicts.unhealthy(Verdicts.RUN, Severity.critical, from, null, () -> {
            String rank = event.getRank() > 0 ? " on rank " + event.getRank() : "";
            Checkpoint before = run.checkpoints().before(from);
            String checkpoint = before == null ? "" : "; last checkpoint before it: step " + before.step();
            return new Verdicts.Explanation(
                    what + rank + " since step " + from + checkpoint,
                    List.of(Figures.evidence(
                            "loss",
                            from,
                            run.lastStep(),
                            body.getLoss() == null ? Double.NaN : body.getLoss(),
                            run.loss().finitePoints() > 0 ? run.loss().median() : Double.NaN,
                            Double.NaN,
                            null)));
        });
    }

    private static @Nullable String whatIsWrong(StepCompleted body) {
        Double loss = body.getLoss();
        if (loss != null && !Double.isFinite(loss)) {
            return "loss is " + loss;
        }
        if (loss != null && loss == 0 && body.getGradNorm() != null && !Double.isFinite(body.getGradNorm())) {
            return "loss is exactly 0 while the gradient norm is " + body.getGradNorm()
                    + " (the trainer filters non-finite losses)";
        }
        Map<String, Double> losses = body.getLosses();
        if (losses != null) {
            for (Map.Entry<String, Double> component : losses.entrySet()) {
                if (!Double.isFinite(component.getValue())) {
                    return "loss component " + component.getKey() + " is " + component.getValue();
                }
            }
        }
        Long nonfinite = body.getNonfiniteCount();
        if (nonfinite != null && nonfinite > 0 && !Boolean.TRUE.equals(body.getOptimizerStepSkipped())) {
            return nonfinite + " non-finite values in loss, weights or activations";
        }
        return null;
    }

    private void evaluation(PerScope<Onset> state, RunView run, EvaluationCompleted body, Verdicts verdicts) {
        Double loss = body.getMetrics() == null ? null : body.getMetrics().get("loss");
        if (loss == null) {
            return;
        }
        String scope = RunState.evaluationScope(body);
        Onset onset = state.of(scope);
        if (onset == null) {
            return;
        }
        onset.checked = true;
        if (Double.isFinite(loss)) {
            onset.step = -1;
            verdicts.healthy(scope);
            return;
        }
        if (onset.step < 0) {
            onset.step = run.lastStep();
        }
        long from = onset.step;
        verdicts.unhealthy(
                scope,
                Severity.warning,
                from,
                null,
                () -> new Verdicts.Explanation(
                        "evaluation loss on " + scope + " is " + loss + " since step " + from,
                        List.of(Figures.evidence(
                                scope + "/loss", from, run.lastStep(), loss, Double.NaN, Double.NaN, null))));
    }

    private void tensors(PerScope<Onset> state, RunView run, TensorStats body, Verdicts verdicts) {
        for (TensorSummary tensor : body.getTensors()) {
            boolean model = tensor.getKind() == TensorKind.weight || tensor.getKind() == TensorKind.activation;
            if (model && tensor.getNonfiniteCount() != null && tensor.getNonfiniteCount() > 0) {
                Onset onset = state.of(Verdicts.RUN);
                if (onset == null) {
                    return;
                }
                onset.checked = true;
                if (onset.step < 0) {
                    onset.step = run.lastStep();
                }
                long from = onset.step;
                String irrecoverable = tensor.getKind() == TensorKind.weight ? ": the weights do not recover" : "";
                verdicts.unhealthy(
                        Verdicts.RUN,
                        Severity.critical,
                        from,
                        null,
                        () -> new Verdicts.Explanation(
                                tensor.getNonfiniteCount() + " non-finite values in " + tensor.getKind() + " "
                                        + tensor.getName() + " at step " + run.lastStep() + irrecoverable,
                                List.of(Figures.evidence(
                                        tensor.getKind() + "/" + tensor.getName(),
                                        from,
                                        run.lastStep(),
                                        tensor.getNonfiniteCount(),
                                        0,
                                        Double.NaN,
                                        "elements"))));
                return;
            }
        }
    }

    @Override
    public @Nullable String missing(PerScope<Onset> state, RunView run) {
        return state.all().stream().anyMatch(onset -> onset.checked) ? null : "step_completed.loss";
    }
}
