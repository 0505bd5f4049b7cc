package io.trainwatch.monitor.detect;

import io.trainwatch.alert.Severity;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;

/** Every detector, one line each, and all that users may set of them. */
public final class DetectorCatalogue {
    /** Whether a detector judges at all; every detector has it. */
    public static final Setting<Boolean> ENABLED = Setting.flag(
            "enabled", true, "Whether it judges. Switched off, it is listed under 'not checked' and explains nothing.");

    /** The highest severity that alerts of a detector may have; every detector has it. */
    public static final Setting<Severity> SEVERITY = Setting.choice(
            "severity",
            Severity.class,
            Severity.critical,
            "The highest severity that its alerts may have. It still explains what follows from it.");

    /** In the order in which they judge: what explains others comes first. */
    private static final List<Function<DetectorSettings, Detector<?>>> ALL = List.of(
            settings -> new NonFiniteLoss(),
            NonFiniteGradient::new,
            ExplodingGradient::new,
            LossSpike::new,
            LossDivergence::new,
            settings -> new WorseThanReference(),
            NotLearning::new,
            LossPlateau::new,
            DeadUnits::new,
            SaturatedUnits::new,
            VanishingGradient::new,
            settings -> new UnchangedWeights(),
            settings -> new AbnormalWeights(),
            LearningRateTooHigh::new,
            LearningRateTooLow::new,
            TrainValDivergence::new,
            SuspiciousValidation::new,
            NonFiniteInput::new,
            AbnormalInput::new,
            FeatureDrift::new,
            LabelDrift::new,
            PredictionCollapse::new,
            PredictionDrift::new,
            ClassImbalance::new,
            MetricDrift::new,
            settings -> new MetricMismatch(),
            settings -> new PreflightFailed(),
            settings -> new RankDesync(),
            InputBottleneck::new,
            StragglerRank::new,
            ThroughputDrop::new,
            StalledRun::new,
            TelemetryGap::new);

    private static final List<Detector<?>> DEFAULTS = with(DetectorSettings.DEFAULT);
    private static final Map<String, Setting<?>> SETTINGS = settingsOf(DEFAULTS);

    private DetectorCatalogue() {}

    /** Every detector at its defaults, in the order in which they judge. */
    public static List<Detector<?>> defaults() {
        return DEFAULTS;
    }

    /** All that may be set, by detector and name, e.g. {@code loss_plateau.severity}, in the order of the detectors. */
    public static Map<String, Setting<?>> settings() {
        return SETTINGS;
    }

    /**
     * Every detector, in the same order.
     *
     * @param values what is not at its default, allowed text by the keys of {@link #settings}
     */
    public static List<Detector<?>> with(Map<String, String> values) {
        List<Detector<?>> detectors = new ArrayList<>(DEFAULTS.size());
        for (int i = 0; i < DEFAULTS.size(); i++) {
            Detector<?> standard = DEFAULTS.get(i);
            Map<String, String> own = new LinkedHashMap<>();
            for (Setting<?> setting : standard.settings()) {
                String value = values.get(standard.name() + "." + setting.name());
                if (value != null) {
                    own.put(setting.name(), value);
                }
            }
            detectors.add(own.isEmpty() ? standard : ALL.get(i).apply(new DetectorSettings(own)));
        }
        return detectors;
    }

    private static List<Detector<?>> with(DetectorSettings settings) {
        List<Detector<?>> detectors = new ArrayList<>(ALL.size());
        ALL.forEach(maker -> detectors.add(maker.apply(settings)));
        return Collections.unmodifiableList(detectors);
    }

    private static Map<String, Setting<?>> settingsOf(List<Detector<?>> detectors) {
        Map<String, Setting<?>> settings = new LinkedHashMap<>();
        for (Detector<?> detector : detectors) {
            settings.put(detector.name() + "." + ENABLED.name(), ENABLED);
            settings.put(detector.name() + "." + SEVERITY.name(), SEVERITY);
            for (Setting<?> setting : detector.settings()) {
                settings.put(detector.name() + "." + setting.name(), setting);
            }
        }
        return Collections.unmodifiableMap(settings);
    }
}
