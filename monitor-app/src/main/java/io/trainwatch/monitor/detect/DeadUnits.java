package io.trainwatch.monitor.detect;

import io.trainwatch.alert.Evidence;
import io.trainwatch.alert.Severity;
import io.trainwatch.event.TensorKind;
import io.trainwatch.event.TensorStats;
import io.trainwatch.event.TensorSummary;
import io.trainwatch.event.TrainingEvent;
import io.trainwatch.monitor.run.RunView;
import io.trainwatch.monitor.stats.StateReader;
import io.trainwatch.monitor.stats.StateWriter;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Finds layers whose units are silent for every sample (D08).
 *
 * <pre>
 * per activation: dead_unit_fraction &gt; 0.5 (0.9 where fewer than 64 samples were looked at) in 3 reports in a row
 * fires if any                                                          -&gt; warning
 *       and &gt; 0.9 in 30 % of the layers that were reported, or more     -&gt; critical
 * </pre>
 *
 * <p>Samples looked at are the declared batch size times dead_window_batches, where the run says so: a living unit that is
 * active in 3 % of the samples is often silent in 32 of them and seldom in 64. A share of zeros among the elements is no
 * substitute: healthy ReLU layers reach 0.79. Reports of rank 0 count.
 *
 * <p>Measured on small ReLU networks: healthy at most 0.31 at any time in a batch of 64, faulty at least 0.83, an Adam rate
 * ten times too high 0.5 to 0.8. Known weakness: units that die in turn, none of them for every sample; layers behind a
 * smooth activation (GELU, SiLU) never are exactly 0. Siblings: {@link SaturatedUnits}, {@link VanishingGradient}.
 * Source: DETECTION.md D08.
 */
public final class DeadUnits extends Detector<DeadUnits.State> {
    static final Setting<Double> SHARE = Setting.number(
            "share",
            0.5,
            0.01,
            1,
            "share of the units of a layer",
            "A layer with more dead units, in three reports in a row, is told; where they were seen on few samples, only"
                    + " beyond 0.9. Healthy layers measured at most 0.31 in a batch of 64, faulty ones 0.83 and more.");

    static final double GRAVE = 0.9;
    static final double GRAVE_LAYERS = 0.3;
    static final long ENOUGH_SAMPLES = 64;
    private static final int NAMED = 3;

    private final double mostDead;

    DeadUnits(DetectorSettings settings) {
        mostDead = settings.get(SHARE);
    }

    /** The layers with too many dead units. */
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
        return "dead_units";
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
        for (TensorSummary stats : ((TensorStats) event.getBody()).getTensors()) {
            Double share = stats.getKind() == TensorKind.activation ? stats.getDeadUnitFraction() : null;
            if (share == null) {
                continue;
            }
            if (layers++ == 0) {
                state.offenders.begin();
            }
            state.offenders.note(stats.getName(), share > limit(stats, run), share, step, layers);
        }
        if (layers == 0) {
            return;
        }
        state.checked = true;
        List<Offenders.Offender> dead = state.offenders.persistent();
        if (dead.isEmpty()) {
            verdicts.healthy(Verdicts.RUN);
            return;
        }
        long grave = dead.stream().filter(layer -> layer.value > GRAVE).count();
        int of = layers;
        verdicts.unhealthy(
                Verdicts.RUN,
                grave >= GRAVE_LAYERS * layers ? Severity.critical : Severity.warning,
                dead.get(0).since,
                null,
                () -> explain("dead units", dead, of, state.offenders.beyond(), step, mostDead));
    }

    private double limit(TensorSummary stats, RunView run) {
        long batches = stats.getDeadWindowBatches() == null ? 1 : Math.max(1, stats.getDeadWindowBatches());
        long batchSize = run.facts().globalBatchSize();
        return batchSize > 0 && batchSize < ENOUGH_SAMPLES && batchSize * batches < ENOUGH_SAMPLES
                ? Math.max(GRAVE, mostDead)
                : mostDead;
    }

    /** Says which layers moved first and which are worst. */
    static Verdicts.Explanation explain(
            String what, List<Offenders.Offender> layers, int of, int beyond, long step, double limit) {
        Offenders.Offender first = layers.get(0);
        Offenders.Offender worst = layers.stream()
                .max(Comparator.comparingDouble(Offenders.Offender::value))
                .orElse(first);
        String more = beyond == 0 ? "" : " and " + beyond + " that are not followed";
        List<Evidence> evidence = new ArrayList<>();
        for (Offenders.Offender layer : layers.subList(0, Math.min(NAMED, layers.size()))) {
            evidence.add(Figures.evidence(layer.name, layer.since, step, layer.value, limit, Double.NaN, what));
        }
        if (layers.indexOf(worst) >= NAMED) {
            evidence.add(Figures.evidence(worst.name, worst.since, step, worst.value, limit, Double.NaN, what));
        }
        return new Verdicts.Explanation(
                layers.size() + " of " + of + " layers" + more + " have too many " + what + " since step " + first.since
                        + ": first " + first.name + " (" + Figures.percent(first.value) + "), worst " + worst.name
                        + " (" + Figures.percent(worst.value) + ")",
                evidence);
    }

    @Override
    public @Nullable String missing(State state, RunView run) {
        return state.checked ? null : "tensor_stats.tensors.dead_unit_fraction of activations";
    }
}
