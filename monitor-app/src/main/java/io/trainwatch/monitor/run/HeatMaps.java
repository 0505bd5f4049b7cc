package io.trainwatch.monitor.run;

import io.trainwatch.event.BatchStats;
import io.trainwatch.event.FeatureSummary;
import io.trainwatch.event.TensorKind;
import io.trainwatch.event.TensorStats;
import io.trainwatch.event.TensorSummary;
import io.trainwatch.monitor.stats.Persistent;
import io.trainwatch.monitor.stats.StateReader;
import io.trainwatch.monitor.stats.StateWriter;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.ToDoubleFunction;
import org.jspecify.annotations.Nullable;

/**
 * What layers and features did over the whole run, for people: a row for each of at most {@value #ROWS} of them, at most
 * {@value #COLUMNS} stretches of steps. Which rows is decided by the first event that has a measure: all of its layers, or
 * every second, third ... where there are more. Nothing is kept of what a run does not send; a measure takes at most 17 kB.
 */
final class HeatMaps implements Persistent {
    static final int ROWS = 24;
    static final int COLUMNS = 32;

    /** What the colours stand for. */
    private enum Measure {
        GRADIENT_NORM("gradient norm by layer", "log10"),
        DEAD_UNITS("dead units by layer", "share"),
        SATURATED_UNITS("saturated units by layer", "share"),
        UPDATE_NORM("update norm by layer", "log10"),
        WEIGHT_NORM("weight norm by layer", "log10"),
        /** From the mean that the feature had at first, in the standard deviations that it had then. */
        FEATURE_SHIFT("shift of features", "standard deviations");

        private final String title;
        private final String unit;

        Measure(String title, String unit) {
            this.title = title;
            this.unit = unit;
        }
    }

    /** One layer or feature: its curve, and where it began, as far as the measure counts from there. */
    private static final class Row {
        private final Curve curve = new Curve(COLUMNS);
        private double firstMean = Double.NaN;
        private double firstStd = Double.NaN;
    }

    private final Map<Measure, Map<String, Row>> maps = new EnumMap<>(Measure.class);
    private @Nullable List<HeatMap> shown;

    /** Statistics of tensors at a step. */
    void add(long step, TensorStats stats) {
        List<TensorSummary> tensors = stats.getTensors();
        add(Measure.GRADIENT_NORM, step, tensors, TensorKind.gradient, tensor -> log(tensor.getL2Norm()));
        add(Measure.DEAD_UNITS, step, tensors, TensorKind.activation, tensor -> of(tensor.getDeadUnitFraction()));
        add(Measure.SATURATED_UNITS, step, tensors, TensorKind.activation, tensor -> of(tensor.getSaturatedFraction()));
        add(Measure.UPDATE_NORM, step, tensors, TensorKind.update, tensor -> log(tensor.getL2Norm()));
        add(Measure.WEIGHT_NORM, step, tensors, TensorKind.weight, tensor -> log(tensor.getL2Norm()));
    }

    private void add(
            Measure measure,
            long step,
            List<TensorSummary> tensors,
            TensorKind kind,
            ToDoubleFunction<TensorSummary> value) {
        Map<String, Row> rows = maps.get(measure);
        if (rows == null) {
            Set<String> names = new LinkedHashSet<>();
            for (TensorSummary tensor : tensors) {
                if (tensor.getKind() == kind && !Double.isNaN(value.applyAsDouble(tensor))) {
                    names.add(tensor.getName());
                }
            }
            rows = open(measure, names);
        }
        for (TensorSummary tensor : tensors) {
            Row row = tensor.getKind() == kind ? rows.get(tensor.getName()) : null;
            if (row != null) {
                row.curve.add(step, value.applyAsDouble(tensor));
                shown = null;
            }
        }
    }

    /** Statistics of a batch at a step; those of evaluation data are of other inputs and left out. */
    void add(long step, BatchStats stats) {
        if (stats.getFeatures() == null
                || !RunState.splitScope(stats.getSplit()).equals("train")) {
            return;
        }
        Map<String, Row> rows = maps.get(Measure.FEATURE_SHIFT);
        if (rows == null) {
            Set<String> names = new LinkedHashSet<>();
            for (FeatureSummary feature : stats.getFeatures()) {
                if (of(feature.getStd()) > 0 && Double.isFinite(of(feature.getMean()))) {
                    names.add(feature.getName());
                }
            }
            rows = open(Measure.FEATURE_SHIFT, names);
        }
        for (FeatureSummary feature : stats.getFeatures()) {
            Row row = rows.get(feature.getName());
            if (row != null) {
                if (Double.isNaN(row.firstMean)) {
                    row.firstMean = of(feature.getMean());
                    row.firstStd = of(feature.getStd());
                }
                row.curve.add(step, (of(feature.getMean()) - row.firstMean) / row.firstStd);
                shown = null;
            }
        }
    }

    private Map<String, Row> open(Measure measure, Set<String> names) {
        List<String> all = names.stream()
                .filter(name -> name.length() <= RunState.MAX_NAME)
                .toList();
        Map<String, Row> rows = new LinkedHashMap<>();
        int stride = (all.size() + ROWS - 1) / ROWS;
        for (int i = 0; i < all.size(); i += stride) {
            rows.put(all.get(i), new Row());
        }
        if (!rows.isEmpty()) {
            maps.put(measure, rows);
        }
        return rows;
    }

    private static double of(@Nullable Double value) {
        return value == null ? Double.NaN : value;
    }

    private static double log(@Nullable Double norm) {
        return norm == null || !(norm > 0) ? Double.NaN : Math.log10(norm);
    }

    /** All that there are. */
    List<HeatMap> snapshot() {
        if (shown == null) {
            List<HeatMap> all = new ArrayList<>();
            maps.forEach((measure, rows) -> {
                List<HeatMap.Row> lines = new ArrayList<>();
                rows.forEach((name, row) -> lines.add(new HeatMap.Row(name, row.curve.snapshot())));
                all.add(new HeatMap(measure.title, measure.unit, List.copyOf(lines)));
            });
            shown = List.copyOf(all);
        }
        return shown;
    }

    @Override
    public void write(StateWriter out) {
        out.writeInt(maps.size());
        maps.forEach((measure, rows) -> {
            out.writeEnum(measure);
            out.writeInt(rows.size());
            rows.forEach((name, row) -> {
                out.writeString(name);
                out.writeDouble(row.firstMean);
                out.writeDouble(row.firstStd);
                row.curve.write(out);
            });
        });
    }

    @Override
    public void read(StateReader in) {
        maps.clear();
        shown = null;
        int count = in.readCount(Measure.values().length);
        for (int i = 0; i < count; i++) {
            Measure measure = in.readEnum(Measure.class);
            Map<String, Row> rows = new LinkedHashMap<>();
            int size = in.readCount(ROWS);
            for (int j = 0; j < size; j++) {
                Row row = new Row();
                String name = in.readString();
                row.firstMean = in.readDouble();
                row.firstStd = in.readDouble();
                row.curve.read(in);
                rows.put(name, row);
            }
            if (measure != null) {
                maps.put(measure, rows);
            }
        }
    }
}
