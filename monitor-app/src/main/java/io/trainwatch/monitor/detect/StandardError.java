package io.trainwatch.monitor.detect;

import io.trainwatch.event.EvaluationCompleted;
import io.trainwatch.monitor.run.DeclaredMetric;
import io.trainwatch.monitor.run.MetricDirection;
import io.trainwatch.monitor.run.RunView;

/** How far the metric of an evaluation may be from its value on endless data. */
final class StandardError {
    private StandardError() {}

    /**
     * The standard error of a metric, in its unit: as the trainer says, else of a proportion where the metric is a rate and
     * the number of samples is known; NaN where neither is.
     */
    static double of(RunView run, EvaluationCompleted body, String metric, double value) {
        Double said = body.getMetricStdError() == null
                ? null
                : body.getMetricStdError().get(metric);
        if (said != null && Double.isFinite(said) && said >= 0) {
            return said;
        }
        double samples = body.getNumSamples() != null
                ? (double) body.getNumSamples()
                : (double) run.facts().evaluationSamples();
        return samples < 1 ? Double.NaN : ofRate(run, dataset(body), metric, value, samples);
    }

    /** The standard error of a rate over so many samples; NaN if the metric is none. */
    static double ofRate(RunView run, String dataset, String metric, double value, double samples) {
        DeclaredMetric declared = run.facts().metric(dataset, metric);
        double whole = declared != null && declared.upperBound() == 100 ? 100 : 1;
        double share = value / whole;
        if (!MetricDirection.isRate(metric) || !(share >= 0 && share <= 1)) {
            return Double.NaN;
        }
        // Laplace's rule: of 100 right out of 100 nobody concludes that the 101st cannot be wrong.
        double likely = (samples * share + 1) / (samples + 2);
        return whole * Math.sqrt(likely * (1 - likely) / samples);
    }

    /** What a declaration calls the data of an evaluation: its dataset, else its split. */
    static String dataset(EvaluationCompleted body) {
        return body.getDataset() != null ? body.getDataset() : body.getSplit() != null ? body.getSplit() : "val";
    }
}
