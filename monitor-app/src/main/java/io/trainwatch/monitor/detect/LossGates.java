package io.trainwatch.monitor.detect;

import io.trainwatch.monitor.run.RunView;
import io.trainwatch.monitor.run.Series;
import org.jspecify.annotations.Nullable;

/** What makes a finding about a training loss less than it seems; the gates of the run come after these. */
final class LossGates {
    static final String METRIC_PROFILE = "metric_profile";
    static final String AT_FLOOR = "at_floor";
    static final String COMPONENT = "component_of_loss";

    /** A loss below this share of where it began has converged (DETECTION.md 4). */
    static final double FLOOR = 0.01;

    private LossGates() {}

    /** Names the profile gate if the loss of this run need not fall; null otherwise. */
    static @Nullable String profile(RunView run) {
        return run.facts().profile().lossFallsWhenHealthy() ? null : METRIC_PROFILE;
    }

    /** What explains a training loss that rises: it need not fall, the whole says it better, or the run moved on purpose. */
    static @Nullable String rise(RunView run, Series loss) {
        String profile = profile(run);
        if (profile != null) {
            return profile;
        }
        return isComponent(run, loss) ? COMPONENT : run.gates().upwardMove();
    }

    /** Whether it is a part of a loss that is logged itself. */
    static boolean isComponent(RunView run, Series loss) {
        return loss != run.loss() && run.loss().points() > 0;
    }

    /** Whether the loss was at its floor before the latest point. */
    static boolean atFloor(Series loss) {
        return Math.abs(loss.median()) < FLOOR * Math.abs(loss.initial());
    }

    /**
     * Whether the loss is below where it began by 2 % and five standard errors of its median, the measure of {@link
     * NotLearning}. False as long as there is no baseline.
     */
    static boolean learns(Series loss) {
        double gained = loss.initial() - loss.median();
        double error = 1.2533 * loss.scale() / Math.sqrt((double) Math.min(loss.finitePoints(), Series.TRUSTED_POINTS));
        return gained > NotLearning.SIGNIFICANCE * error
                && gained > NotLearning.LEAST_IMPROVEMENT * Math.abs(loss.initial());
    }

    /** Scope of a training loss: the run for the loss itself, the name for a component. */
    static String scope(RunView run, Series loss) {
        return loss == run.loss() ? Verdicts.RUN : loss.name();
    }
}
