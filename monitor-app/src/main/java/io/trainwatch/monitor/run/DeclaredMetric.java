package io.trainwatch.monitor.run;

import io.trainwatch.event.MetricDeclaration;
import io.trainwatch.monitor.stats.StateReader;
import io.trainwatch.monitor.stats.StateWriter;
import org.jspecify.annotations.Nullable;

/**
 * What a run said of one of its metrics.
 *
 * @param dataset dataset or split that it speaks of; null for all
 * @param direction which way is better; null if it did not say
 * @param primary whether the run is for this metric
 * @param upperBound largest possible value, in the unit of the metric; NaN if it did not say
 * @param expected what a good run reaches, in the unit of the metric; NaN if it did not say
 */
public record DeclaredMetric(
        String name,
        @Nullable String dataset,
        @Nullable MetricDirection direction,
        boolean primary,
        double upperBound,
        double expected) {

    static DeclaredMetric of(MetricDeclaration said) {
        return new DeclaredMetric(
                said.getName(),
                said.getDataset(),
                MetricDirection.declared(said.getMode()),
                said.getPrimary(),
                finite(said.getUpperBound()),
                finite(said.getExpected()));
    }

    private static double finite(@Nullable Double value) {
        return value == null || !Double.isFinite(value) ? Double.NaN : value;
    }

    boolean speaksOf(String itsDataset, String itsName) {
        return name.equals(itsName) && (dataset == null || dataset.equals(itsDataset));
    }

    void write(StateWriter out) {
        out.writeString(name);
        out.writeBoolean(dataset != null);
        if (dataset != null) {
            out.writeString(dataset);
        }
        out.writeEnum(direction);
        out.writeBoolean(primary);
        out.writeDouble(upperBound);
        out.writeDouble(expected);
    }

    static DeclaredMetric read(StateReader in) {
        return new DeclaredMetric(
                in.readString(),
                in.readBoolean() ? in.readString() : null,
                in.readEnum(MetricDirection.class),
                in.readBoolean(),
                in.readDouble(),
                in.readDouble());
    }
}
