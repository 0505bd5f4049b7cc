package io.trainwatch.monitor.detect;

import io.trainwatch.alert.Severity;
import io.trainwatch.event.StepCompleted;
import io.trainwatch.event.TrainingEvent;
import io.trainwatch.monitor.run.RunView;
import io.trainwatch.monitor.stats.StateReader;
import io.trainwatch.monitor.stats.StateWriter;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Finds a gradient norm that is NaN or infinite, and a loss-scale search that does not end (D01).
 *
 * <pre>
 * gradient norm non-finite, step not skipped                             -&gt; critical
 * skipped steps: rate (mean that forgets over 500 points, from point 100 on) &gt; 5 %,
 *                or more than 16 in a row                                 -&gt; warning
 * loss scale at or below 1, or 5 halvings within 50 steps after step 200 -&gt; critical
 * </pre>
 *
 * <p>A skipped step is how mixed precision works: PyTorch's GradScaler starts at 2^16, doubles every 2,000 good steps and
 * halves on overflow, so a healthy run skips about one step in 2,000 after at most 16 halvings. BLOOM-104B fell from 2^20
 * to 2^15 within six iterations when it diverged. A trainer that does not say whether it skipped (Hugging Face logs) but
 * declares fp16 is given the benefit of a lone overflow: a third one within 50 steps of the one before is a warning, in the
 * first 100 points, where the search begins, a seventeenth.
 *
 * <p>Sibling: {@link NonFiniteLoss}. Sources: PyTorch GradScaler, DeepSpeed's minimum loss scale, the BigScience
 * chronicles; DETECTION.md D01.
 */
public final class NonFiniteGradient extends Detector<NonFiniteGradient.State> {
    static final Setting<Long> SKIPS_IN_A_ROW = Setting.whole(
            "skips_in_a_row",
            16,
            2,
            10_000,
            "steps",
            "More skipped optimizer steps in a row are told. A loss scale that began at 2^16 and far "
                    + "too high is down at 1 after 16 halvings.");

    static final double SKIP_RATE = 0.05;
    static final int SKIP_HORIZON = 500;
    /** The search for the first loss scale skips on purpose. */
    static final int SEARCH_POINTS = 100;

    static final int LONE_OVERFLOWS = 2;
    static final int HALVINGS = 5;
    static final int HALVING_STEPS = 50;

    private final long skipsInARow;

    NonFiniteGradient(DetectorSettings settings) {
        skipsInARow = settings.get(SKIPS_IN_A_ROW);
    }

    /** What it remembers: the latest stretch, the skip rate, the latest halvings of the loss scale. */
    static final class State implements DetectorState {
        boolean checked;
        long onset = -1;
        long points;
        double skipRate;
        int skipsInARow;
        double lossScale = Double.NaN;
        final long[] halvings = new long[HALVINGS];
        long halvingCount;
        long lone = -1;
        int loneCount;

        @Override
        public int version() {
            return 1;
        }

        @Override
        public void write(StateWriter out) {
            out.writeBoolean(checked);
            out.writeLong(onset);
            out.writeLong(points);
            out.writeDouble(skipRate);
            out.writeInt(skipsInARow);
            out.writeDouble(lossScale);
            for (long halving : halvings) {
                out.writeLong(halving);
            }
            out.writeLong(halvingCount);
            out.writeLong(lone);
            out.writeInt(loneCount);
        }

        @Override
        public void read(StateReader in) {
            checked = in.readBoolean();
            onset = in.readLong();
            points = in.readLong();
            skipRate = in.readDouble();
            skipsInARow = in.readInt();
            lossScale = in.readDouble();
            for (int i = 0; i < HALVINGS; i++) {
                halvings[i] = in.readLong();
            }
            halvingCount = in.readLong();
            lone = in.readLong();
            loneCount = in.readInt();
        }
    }

    @Override
    public String name() {
        return "non_finite_gradient";
    }

    @Override
    public List<Setting<?>> settings() {
        return List.of(SKIPS_IN_A_ROW);
    }

    @Override
    public Set<Class<?>> reads() {
        return Set.of(StepCompleted.class);
    }

    @Override
    public State newState() {
        return new State();
    }

    @Override
    public void observe(State state, RunView run, TrainingEvent event, Verdicts verdicts) {
        StepCompleted body = (StepCompleted) event.getBody();
        Double norm = body.getGradNorm();
        if (norm == null && body.getLossScale() == null && body.getOptimizerStepSkipped() == null) {
            return;
        }
        state.checked = true;
        state.points++;
        boolean skipped = Boolean.TRUE.equals(body.getOptimizerStepSkipped());
        boolean finite = norm == null || Double.isFinite(norm);
        long step = run.lastStep();
        lossScale(state, body, step);
        if (state.points > SEARCH_POINTS) {
            state.skipRate += ((skipped ? 1 : 0) - state.skipRate) / SKIP_HORIZON;
        }
        state.skipsInARow = skipped ? state.skipsInARow + 1 : 0;

        if (!finite && !skipped) {
            unskipped(state, run, body, verdicts);
        } else if (state.halvingCount >= HALVINGS
                && step > 200
                && step - state.halvings[(int) (state.halvingCount % HALVINGS)] <= HALVING_STEPS) {
            amp(
                    state,
                    run,
                    Severity.critical,
                    verdicts,
                    "loss scale halved " + HALVINGS + " times within " + HALVING_STEPS + " steps, to "
                            + Figures.text(state.lossScale));
        } else if (state.lossScale <= 1 && skipped) {
            amp(
                    state,
                    run,
                    Severity.critical,
                    verdicts,
                    "loss scale is down to " + Figures.text(state.lossScale) + " and steps are still skipped");
        } else if (state.skipsInARow > skipsInARow || state.skipRate > SKIP_RATE) {
            amp(
                    state,
                    run,
                    Severity.warning,
                    verdicts,
                    "optimizer steps are being skipped: "
                            + Figures.percent(state.skipRate) + " of the latest " + SKIP_HORIZON
                            + ", " + state.skipsInARow + " in a row");
        } else {
            state.onset = -1;
            verdicts.healthy(Verdicts.RUN);
        }
    }

    private static void lossScale(State state, StepCompleted body, long step) {
        Double scale = body.getLossScale();
        if (scale == null) {
            return;
        }
        if (state.halvingCount > 0 && step < state.halvings[(int) ((state.halvingCount - 1) % HALVINGS)]) {
            state.halvingCount = 0;
        }
        if (scale < state.lossScale) {
            state.halvings[(int) (state.halvingCount++ % HALVINGS)] = step;
        }
        state.lossScale = scale;
    }

    private void unskipped(State state, RunView run, StepCompleted body, Verdicts verdicts) {
        long step = run.lastStep();
        Severity severity = Severity.critical;
        if (run.facts().fp16() && body.getOptimizerStepSkipped() == null) {
            state.loneCount = state.lone >= 0 && step - state.lone <= HALVING_STEPS ? state.loneCount + 1 : 1;
            state.lone = step;
            long usual = state.points <= SEARCH_POINTS ? skipsInARow : LONE_OVERFLOWS;
            severity = state.loneCount > usual ? Severity.warning : Severity.info;
        }
        if (state.onset < 0) {
            state.onset = step;
        }
        long from = state.onset;
        verdicts.unhealthy(
                Verdicts.RUN,
                severity,
                from,
                null,
                () -> new Verdicts.Explanation(
                        "gradient norm is " + body.getGradNorm() + " since step " + from,
                        List.of(Figures.evidence(
                                "grad_norm",
                                from,
                                step,
                                body.getGradNorm(),
                                run.gradNorm().median(),
                                Double.NaN,
                                null))));
    }

    private static void amp(State state, RunView run, Severity severity, Verdicts verdicts, String message) {
        if (state.onset < 0) {
            state.onset = run.lastStep();
        }
        long from = state.onset;
        verdicts.unhealthy(
                Verdicts.RUN,
                severity,
                from,
                null,
                () -> new Verdicts.Explanation(
                        message,
                        List.of(Figures.evidence(
                                "optimizer_step_skipped",
                                from,
                                run.lastStep(),
                                state.skipRate,
                                0.0005,
                                Double.NaN,
                                "share of steps"))));
    }

    @Override
    public @Nullable String missing(State state, RunView run) {
        return state.checked ? null : "step_completed.grad_norm";
    }
}
