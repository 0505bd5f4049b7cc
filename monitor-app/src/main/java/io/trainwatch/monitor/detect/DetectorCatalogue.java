package io.trainwatch.monitor.detect;

import java.util.List;

/** Every detector, one line each. */
public final class DetectorCatalogue {
    private DetectorCatalogue() {}

    /** Every detector at its defaults, in the order in which they judge: what explains others comes first. */
    public static List<Detector<?>> defaults() {
        return List.of(
                new NonFiniteLoss(),
                new NonFiniteGradient(),
                new ExplodingGradient(),
                new LossSpike(),
                new LossDivergence(),
                new NotLearning(),
                new LossPlateau(),
                new DeadUnits(),
                new SaturatedUnits(),
                new VanishingGradient(),
                new UnchangedWeights(),
                new AbnormalWeights(),
                new LearningRateTooHigh(),
                new LearningRateTooLow(),
                new TrainValDivergence(),
                new SuspiciousValidation(),
                new NonFiniteInput(),
                new AbnormalInput(),
                new FeatureDrift(),
                new LabelDrift(),
                new PredictionCollapse(),
                new PredictionDrift(),
                new ClassImbalance(),
                new MetricDrift(),
                new MetricMismatch(),
                new PreflightFailed(),
                new RankDesync(),
                new InputBottleneck(),
                new StragglerRank(),
                new ThroughputDrop(),
                new StalledRun(),
                new TelemetryGap());
    }
}
