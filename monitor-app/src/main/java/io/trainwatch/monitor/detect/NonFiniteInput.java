package io.trainwatch.monitor.detect;

import io.trainwatch.alert.Evidence;
import io.trainwatch.alert.Severity;
import io.trainwatch.event.BatchStats;
import io.trainwatch.event.FeatureSummary;
import io.trainwatch.event.StepCompleted;
import io.trainwatch.event.TrainingEvent;
import io.trainwatch.monitor.run.RunState;
import io.trainwatch.monitor.run.RunView;
import io.trainwatch.monitor.stats.Persistent;
import io.trainwatch.monitor.stats.StateReader;
import io.trainwatch.monitor.stats.StateWriter;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Finds NaN and infinite values in the input (D19, D01): the cause that beats all others of a non-finite loss.
 *
 * <pre>
 * nan_count or inf_count of a feature &gt; 0, the feature not in allow_nan:
 *   the training loss is non-finite, now or within 2 steps                    -&gt; critical
 *   the feature was finite before                                             -&gt; warning
 *   the feature has had them since its first batch and the loss stays finite  -&gt; info
 * </pre>
 *
 * <p>A model that has trained on such a feature from the start handles it (an embedding for missing values, a mask): it is
 * told and not paged. Values that are missing and said to be ({@code missing_count}) are no NaN.
 *
 * <p>Settings: {@code allow_nan}, names of features, none by default. At most 256 features a split are remembered; a
 * feature beyond that counts as finite before. Known weakness: sees only batches that the trainer summarises. Siblings:
 * {@link NonFiniteLoss}, {@link AbnormalInput}. Sources: UMLAUT (NaN in input); DETECTION.md D19.
 */
public final class NonFiniteInput extends Detector<NonFiniteInput.State> {
    static final Setting<Set<String>> ALLOW_NAN = Setting.names(
            "allow_nan",
            "Features that may hold NaN or infinity, by name: the model handles them, by a mask or by trees. None by"
                    + " default, since one such value makes the loss of most models NaN.");

    static final int MAX_FEATURES = 256;
    static final int STEPS_TO_THE_LOSS = 2;

    private final Set<String> allowNan;

    NonFiniteInput(DetectorSettings settings) {
        allowNan = settings.get(ALLOW_NAN);
    }

    /** The splits, and whether any feature was counted. */
    static final class State implements DetectorState {
        final PerScope<Split> splits = new PerScope<>(1, 8, Split::new);
        boolean judged;
        boolean open;

        @Override
        public int version() {
            return 1;
        }

        @Override
        public void write(StateWriter out) {
            splits.write(out);
            out.writeBoolean(judged);
            out.writeBoolean(open);
        }

        @Override
        public void read(StateReader in) {
            splits.read(in);
            judged = in.readBoolean();
            open = in.readBoolean();
        }
    }

    /** Which features had non-finite values in their first batch, and the finding that waits for its loss. */
    static final class Split implements Persistent {
        final Map<String, Boolean> fromTheStart = new LinkedHashMap<>();
        long onset = -1;
        String feature = "";
        long count;
        double share;

        @Override
        public void write(StateWriter out) {
            out.writeInt(fromTheStart.size());
            fromTheStart.forEach((name, was) -> {
                out.writeString(name);
                out.writeBoolean(was);
            });
            out.writeLong(onset);
            out.writeString(feature);
            out.writeLong(count);
            out.writeDouble(share);
        }

        @Override
        public void read(StateReader in) {
            fromTheStart.clear();
            int size = in.readCount(MAX_FEATURES);
            for (int i = 0; i < size; i++) {
                fromTheStart.put(in.readString(), in.readBoolean());
            }
            onset = in.readLong();
            feature = in.readString();
            count = in.readLong();
            share = in.readDouble();
        }
    }

    @Override
    public String name() {
        return "non_finite_input";
    }

    @Override
    public List<Setting<?>> settings() {
        return List.of(ALLOW_NAN);
    }

    @Override
    public Set<Class<?>> reads() {
        return Set.of(BatchStats.class, StepCompleted.class);
    }

    @Override
    public int quietVerdicts() {
        return 8;
    }

    @Override
    public State newState() {
        return new State();
    }

    @Override
    public void observe(State state, RunView run, TrainingEvent event, Verdicts verdicts) {
        if (event.getBody() instanceof BatchStats batch) {
            batch(state, run, batch, verdicts);
        } else if (!Double.isFinite(run.loss().last()) && run.loss().isFresh(run) && state.open) {
            state.splits.forEach((scope, split) -> {
                if (split.onset >= 0 && run.lastStep() - split.onset <= STEPS_TO_THE_LOSS) {
                    say(split, run, scope, Severity.critical, List.of(split.feature), verdicts);
                }
            });
        }
    }

    private void batch(State state, RunView run, BatchStats body, Verdicts verdicts) {
        if (body.getFeatures() == null) {
            return;
        }
        String scope = RunState.splitScope(body.getSplit());
        Split split = state.splits.of(scope);
        if (split == null) {
            return;
        }
        List<String> wrong = new ArrayList<>();
        boolean counted = false;
        boolean fresh = false;
        long most = 0;
        for (FeatureSummary feature : body.getFeatures()) {
            long count = positive(feature.getNanCount()) + positive(feature.getInfCount());
            counted |= feature.getNanCount() != null || feature.getInfCount() != null;
            boolean is = count > 0 && !allowNan.contains(feature.getName());
            Boolean was = split.fromTheStart.get(feature.getName());
            if (was == null
                    && split.fromTheStart.size() < MAX_FEATURES
                    && feature.getName().length() <= PerScope.MAX_NAME) {
                split.fromTheStart.put(feature.getName(), is);
                was = is;
            }
            if (!is) {
                continue;
            }
            boolean isFresh = !Boolean.TRUE.equals(was);
            // What is new is named before what was always so.
            if (isFresh && !fresh) {
                wrong.clear();
                most = 0;
            }
            fresh |= isFresh;
            if (isFresh || !fresh) {
                wrong.add(feature.getName());
                if (count > most) {
                    most = count;
                    split.feature = Verdicts.Explanation.oneLine(feature.getName(), PerScope.MAX_NAME);
                    split.count = count;
                    split.share = feature.getCount() == null ? Double.NaN : (double) count / feature.getCount();
                }
            }
        }
        if (!counted) {
            return;
        }
        state.judged = true;
        if (wrong.isEmpty()) {
            split.onset = -1;
            state.open = state.splits.all().stream().anyMatch(s -> s.onset >= 0);
            verdicts.healthy(scope);
            return;
        }
        if (split.onset < 0) {
            split.onset = run.lastStep();
        }
        state.open = true;
        boolean lossToo = run.loss().points() > 0 && !Double.isFinite(run.loss().last());
        say(split, run, scope, lossToo ? Severity.critical : fresh ? Severity.warning : Severity.info, wrong, verdicts);
    }

    private static long positive(@Nullable Long count) {
        return count == null ? 0 : Math.max(0, Math.min(count, Integer.MAX_VALUE));
    }

    private static void say(
            Split split, RunView run, String scope, Severity severity, List<String> wrong, Verdicts verdicts) {
        verdicts.unhealthy(scope, severity, split.onset, null, () -> {
            String others = wrong.size() > 1 ? " and in " + (wrong.size() - 1) + " other features" : "";
            String loss = severity == Severity.critical
                    ? "; the loss is " + run.loss().last()
                    : severity == Severity.info ? ", as from the first batch on; the loss stays finite" : "";
            Evidence evidence = Figures.evidence(
                    "features/" + split.feature,
                    split.onset,
                    run.lastStep(),
                    (double) split.count,
                    0,
                    split.share,
                    "values");
            return new Verdicts.Explanation(
                    split.count + " non-finite values in " + scope + " feature " + split.feature + others + " at step "
                            + run.lastStep() + loss,
                    List.of(evidence));
        });
    }

    @Override
    public @Nullable String missing(State state, RunView run) {
        return state.judged ? null : "batch_stats.features with nan_count or inf_count";
    }
}
