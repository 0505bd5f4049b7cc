package io.trainwatch.monitor.run;

import java.util.Locale;
import org.jspecify.annotations.Nullable;

/** What the training loss of a run means, and so which rules may read it (DETECTION.md 2.4 and 4). */
public enum MetricProfile {
    /** The loss falls when training goes well. */
    SUPERVISED,
    /** The losses of two networks hold each other in balance: neither falls. */
    GAN,
    /** The loss follows a moving target: the return says how it goes. */
    RL,
    /** The loss depends on batch size and temperature. */
    CONTRASTIVE,
    /** Nothing is assumed. */
    CUSTOM;

    static MetricProfile of(@Nullable String declared, @Nullable String task) {
        String name = declared != null ? declared : task;
        if (name == null) {
            return SUPERVISED;
        }
        return switch (name.toLowerCase(Locale.ROOT)) {
            case "gan", "adversarial" -> GAN;
            case "rl", "reinforcement_learning" -> RL;
            case "contrastive" -> CONTRASTIVE;
            case "custom" -> CUSTOM;
            default -> SUPERVISED;
        };
    }

    /** Whether a falling loss is what training is for. */
    public boolean lossFallsWhenHealthy() {
        return this == SUPERVISED || this == CONTRASTIVE;
    }
}
