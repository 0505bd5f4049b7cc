package io.trainwatch.monitor.detect;

import io.trainwatch.alert.Evidence;
import io.trainwatch.alert.Severity;
import io.trainwatch.event.PreflightCompleted;
import io.trainwatch.event.TrainingEvent;
import io.trainwatch.monitor.run.PreflightResult;
import io.trainwatch.monitor.run.RunView;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Judges what the checks before training found (D25). The trainer makes them, as they need raw samples, labels or extra
 * fits; here they are ranked.
 *
 * <pre>
 * failed = the trainer says so ; where it leaves the verdict open: value beyond threshold on the bad side of the check,
 *          or a count of what must not be above 0
 * </pre>
 * <table>
 * <caption>Known checks</caption>
 * <tr><th>check</th><th>bad is</th><th>failed is</th></tr>
 * <tr><td>train_eval_overlap_count, target_leakage_count</td><td>above 0</td><td>critical: every validation metric is
 * too good</td></tr>
 * <tr><td>out_of_range_label_count</td><td>above 0</td><td>critical: it cannot be trained on</td></tr>
 * <tr><td>feature_nan_count, feature_inf_count, label_mismatch_count,
 * trainable_parameters_without_optimizer_count</td><td>above 0</td><td>warning</td></tr>
 * <tr><td>overfit_one_batch_final_loss, gradient_check_relative_error, single_split_auc</td><td>above</td><td>warning</td></tr>
 * <tr><td>synthetic_task_metric, num_label_classes</td><td>below</td><td>warning</td></tr>
 * <tr><td>constant_feature_count, duplicate_sample_count</td><td>above 0</td><td>info</td></tr>
 * <tr><td>dummy_baseline_metric, class_imbalance_ratio, initial_loss_ratio</td><td>above</td><td>info</td></tr>
 * <tr><td>train_num_samples</td><td>below</td><td>info</td></tr>
 * <tr><td>any other</td><td>as the trainer says</td><td>info</td></tr>
 * </table>
 *
 * <p>All failed checks are one episode, the gravest first; it ends when they are told again and pass. An unknown check is
 * info, because nobody here knows what it means. The results stay with the run, so that later alerts can quote them. Known
 * weakness: it believes the trainer. Source: DETECTION.md D25 and section 7.
 */
public final class PreflightFailed extends Detector<NoState> {
    private static final int MAX_TOLD = 5;

    private enum Bad {
        ABOVE_ZERO,
        ABOVE,
        BELOW
    }

    private record Check(Severity severity, Bad bad) {}

    private static final Map<String, Check> KNOWN = Map.ofEntries(
            Map.entry("train_eval_overlap_count", new Check(Severity.critical, Bad.ABOVE_ZERO)),
            Map.entry("target_leakage_count", new Check(Severity.critical, Bad.ABOVE_ZERO)),
            Map.entry("out_of_range_label_count", new Check(Severity.critical, Bad.ABOVE_ZERO)),
            Map.entry("feature_nan_count", new Check(Severity.warning, Bad.ABOVE_ZERO)),
            Map.entry("feature_inf_count", new Check(Severity.warning, Bad.ABOVE_ZERO)),
            Map.entry("label_mismatch_count", new Check(Severity.warning, Bad.ABOVE_ZERO)),
            Map.entry("trainable_parameters_without_optimizer_count", new Check(Severity.warning, Bad.ABOVE_ZERO)),
            Map.entry("overfit_one_batch_final_loss", new Check(Severity.warning, Bad.ABOVE)),
            Map.entry("gradient_check_relative_error", new Check(Severity.warning, Bad.ABOVE)),
            Map.entry("single_split_auc", new Check(Severity.warning, Bad.ABOVE)),
            Map.entry("synthetic_task_metric", new Check(Severity.warning, Bad.BELOW)),
            Map.entry("num_label_classes", new Check(Severity.warning, Bad.BELOW)),
            Map.entry("dummy_baseline_metric", new Check(Severity.info, Bad.ABOVE)),
            Map.entry("constant_feature_count", new Check(Severity.info, Bad.ABOVE_ZERO)),
            Map.entry("duplicate_sample_count", new Check(Severity.info, Bad.ABOVE_ZERO)),
            Map.entry("class_imbalance_ratio", new Check(Severity.info, Bad.ABOVE)),
            Map.entry("initial_loss_ratio", new Check(Severity.info, Bad.ABOVE)),
            Map.entry("train_num_samples", new Check(Severity.info, Bad.BELOW)));

    @Override
    public String name() {
        return "preflight_failed";
    }

    @Override
    public Set<Class<?>> reads() {
        return Set.of(PreflightCompleted.class);
    }

    @Override
    public int quietVerdicts() {
        return 1;
    }

    @Override
    public NoState newState() {
        return NoState.INSTANCE;
    }

    @Override
    public void observe(NoState state, RunView run, TrainingEvent event, Verdicts verdicts) {
        List<PreflightResult> failed = new ArrayList<>();
        boolean verdict = false;
        for (PreflightResult result : run.facts().preflight()) {
            Boolean failure = failed(result);
            verdict |= failure != null;
            if (Boolean.TRUE.equals(failure)) {
                failed.add(result);
            }
        }
        if (failed.isEmpty()) {
            if (verdict) {
                verdicts.healthy(Verdicts.RUN);
            }
            return;
        }
        failed.sort(Comparator.comparing(PreflightFailed::severity).reversed());
        verdicts.unhealthy(
                Verdicts.RUN, severity(failed.get(0)), Math.max(0, run.lastStep()), null, () -> explain(run, failed));
    }

    private static Severity severity(PreflightResult result) {
        Check check = KNOWN.get(result.name());
        return check == null ? Severity.info : check.severity();
    }

    /** Whether a check failed; null where neither the trainer nor the numbers say. */
    private static @Nullable Boolean failed(PreflightResult result) {
        if (result.passed() != null) {
            return !result.passed();
        }
        Check check = KNOWN.get(result.name());
        if (check == null || result.value() == null) {
            return null;
        }
        double value = result.value();
        double threshold = check.bad() == Bad.ABOVE_ZERO && Double.isNaN(result.threshold()) ? 0 : result.threshold();
        if (Double.isNaN(threshold)) {
            return null;
        }
        // NaN is on no good side.
        return check.bad() == Bad.BELOW ? !(value >= threshold) : !(value <= threshold);
    }

    private static Verdicts.Explanation explain(RunView run, List<PreflightResult> failed) {
        StringBuilder message = new StringBuilder()
                .append(failed.size())
                .append(" of ")
                .append(run.facts().preflight().size())
                .append(" checks before training failed: ");
        List<Evidence> evidence = new ArrayList<>();
        for (PreflightResult result : failed.subList(0, Math.min(failed.size(), MAX_TOLD))) {
            message.append(evidence.isEmpty() ? "" : "; ").append(result.name());
            if (result.value() != null) {
                message.append(" is ").append(Figures.text(result.value()));
            }
            if (!Double.isNaN(result.threshold())) {
                message.append(" (limit ")
                        .append(Figures.text(result.threshold()))
                        .append(")");
            }
            if (result.detail() != null) {
                message.append(", ").append(result.detail());
            }
            long step = Math.max(0, run.lastStep());
            double value = result.value() == null ? Double.NaN : result.value();
            evidence.add(Figures.evidence(result.name(), step, step, value, result.threshold(), Double.NaN, null));
        }
        if (failed.size() > MAX_TOLD) {
            message.append("; and ").append(failed.size() - MAX_TOLD).append(" more");
        }
        return new Verdicts.Explanation(message.toString(), evidence);
    }

    @Override
    public @Nullable String missing(NoState state, RunView run) {
        if (run.facts().preflight().isEmpty()) {
            return "preflight_completed";
        }
        return run.facts().preflight().stream().anyMatch(result -> failed(result) != null)
                ? null
                : "preflight_completed with a verdict: passed, or value and threshold";
    }
}
