package io.trainwatch.monitor.detect;

import io.trainwatch.alert.Severity;
import io.trainwatch.event.TensorKind;
import io.trainwatch.event.TensorStats;
import io.trainwatch.event.TensorSummary;
import io.trainwatch.event.TrainingEvent;
import io.trainwatch.monitor.run.Layers;
import io.trainwatch.monitor.run.RunView;
import io.trainwatch.monitor.stats.StateReader;
import io.trainwatch.monitor.stats.StateWriter;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Finds layers that live in the flat part of their activation, where no gradient passes (D08).
 *
 * <pre>
 * per activation: saturated_fraction &gt; 0.7 in 3 reports in a row
 * fires if any                                                          -&gt; warning
 * </pre>
 *
 * <p>The trainer says what is flat: |tanh| &gt; 0.99, a sigmoid outside 0.01 to 0.99. A layer that was declared as the output
 * is left out, because confident predictions saturate it; where layers are not declared, the last of several may be
 * that output and alone is info. Reports of rank 0 count.
 *
 * <p>Measured: healthy first layers of tanh reach 0.35, of sigmoid 0.50, faulty ones 0.91 to 1. Known weakness: gates of
 * recurrent cells that are open on purpose. Siblings: {@link DeadUnits}, {@link VanishingGradient}. Source: Amazon
 * SageMaker Debugger's SaturatedActivation; DETECTION.md D08.
 */
public final class SaturatedUnits extends Detector<SaturatedUnits.State> {
    static final Setting<Double> SHARE = Setting.number(
            "share",
            0.7,
            0.01,
            1,
            "share of the activations of a layer",
            "A layer with more saturated activations, in three reports in a row, is told. Healthy first "
                    + "layers of tanh reach 0.35, of sigmoid 0.5, faulty ones 0.91 and more.");

    static final String MAY_BE_OUTPUT = "may_be_output";

    private final double mostSaturated;

    SaturatedUnits(DetectorSettings settings) {
        mostSaturated = settings.get(SHARE);
    }

    /** The layers that are saturated. */
    static final class State implements DetectorState {
        final Offenders offenders = new Offenders();
        boolean checked;

        @Override
        public int version() {
            return 1;
        }

        @Override
        public void write(StateWriter out) {
            offenders.write(out);
            out.writeBoolean(checked);
        }

        @Override
        public void read(StateReader in) {
            offenders.read(in);
            checked = in.readBoolean();
        }
    }

    @Override
    public String name() {
        return "saturated_units";
    }

    @Override
    public List<Setting<?>> settings() {
        return List.of(SHARE);
    }

    @Override
    public Set<Class<?>> reads() {
        return Set.of(TensorStats.class);
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
        long step = WeightTensor.step(event, run);
        int layers = 0;
        boolean lastIsDeclared = false;
        for (TensorSummary stats : ((TensorStats) event.getBody()).getTensors()) {
            Double share = stats.getKind() == TensorKind.activation ? stats.getSaturatedFraction() : null;
            Layers.Declared layer = run.facts().layers().of(stats.getName());
            if (share == null || (layer != null && layer.role() == Layers.Role.OUTPUT)) {
                continue;
            }
            if (layers++ == 0) {
                state.offenders.begin();
            }
            lastIsDeclared = layer != null;
            state.offenders.note(stats.getName(), share > mostSaturated, share, step, layers);
        }
        if (layers == 0) {
            return;
        }
        state.checked = true;
        List<Offenders.Offender> saturated = state.offenders.persistent();
        if (saturated.isEmpty()) {
            verdicts.healthy(Verdicts.RUN);
            return;
        }
        boolean mayBeOutput =
                !lastIsDeclared && layers > 1 && saturated.size() == 1 && saturated.get(0).position == layers;
        int of = layers;
        verdicts.unhealthy(
                Verdicts.RUN,
                Severity.warning,
                saturated.get(0).since,
                mayBeOutput ? MAY_BE_OUTPUT : null,
                () -> DeadUnits.explain(
                        "saturated units", saturated, of, state.offenders.beyond(), step, mostSaturated));
    }

    @Override
    public @Nullable String missing(State state, RunView run) {
        return state.checked ? null : "tensor_stats.tensors.saturated_fraction of activations";
    }
}
