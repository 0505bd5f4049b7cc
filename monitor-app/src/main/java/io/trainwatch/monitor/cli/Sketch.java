package io.trainwatch.monitor.cli;

import io.trainwatch.attach.cli.Printable;
import io.trainwatch.monitor.detect.Figures;
import io.trainwatch.monitor.run.SeriesSnapshot;
import io.trainwatch.monitor.run.SeriesSnapshot.Bucket;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A small drawing of the loss of a run over its steps, {@value #COLUMNS} columns by {@value #ROWS} rows: every stretch from
 * its smallest to its largest value, joined at the means; evaluations of the same loss as points. The scale is logarithmic
 * where all values are positive and the largest is {@value #DECADE} times the smallest; what is more than {@value #BEYOND}
 * times the median is at the upper edge. On the axis, the number of each
 * episode at its onset.
 */
final class Sketch {
    static final int COLUMNS = 60;
    static final int ROWS = 6;

    private static final int DECADE = 10;

    /** Times the median mean of the stretches beyond which a blow-up would flatten all else. */
    private static final int BEYOND = 1000;

    /** Columns between two points of an evaluation, so that the loss stays visible behind them. */
    private static final int POINT_SPACING = 3;

    /** Series that are no objective. */
    private static final List<String> OTHERS = List.of("learning_rate", "step_time_seconds", "grad_norm");

    /**
     * An episode on the axis.
     *
     * @param step its onset
     * @param label one character, painted or not
     */
    record Mark(long step, String label) {}

    private final Glyphs glyphs;
    private final SeriesSnapshot series;
    private final @Nullable SeriesSnapshot evaluation;
    private final long first;
    private final long last;
    private final double low;
    private final double high;
    private final boolean logarithmic;
    private final boolean blowsUp;

    private Sketch(Glyphs glyphs, SeriesSnapshot series, @Nullable SeriesSnapshot evaluation, long firstStep) {
        this.glyphs = glyphs;
        this.series = series;
        this.evaluation = evaluation;
        List<Bucket> all = new ArrayList<>(finite(series));
        if (evaluation != null) {
            all.addAll(finite(evaluation));
        }
        first = Math.min(
                firstStep, all.stream().mapToLong(Bucket::lastStep).min().orElse(0));
        last = Math.max(
                first + 1,
                Math.max(
                        lastStep(series),
                        all.stream().mapToLong(Bucket::lastStep).max().orElse(0)));
        low = all.stream().mapToDouble(Bucket::min).min().orElse(0);
        double largest = all.stream().mapToDouble(Bucket::max).max().orElse(1);
        logarithmic = low > 0 && largest >= DECADE * low;
        double[] means = all.stream().mapToDouble(Bucket::mean).sorted().toArray();
        double beyond = means.length == 0 ? largest : BEYOND * means[means.length / 2];
        blowsUp = logarithmic && largest > beyond;
        high = blowsUp ? beyond : largest;
    }

    private static long lastStep(SeriesSnapshot series) {
        return series.buckets().get(series.buckets().size() - 1).lastStep();
    }

    /**
     * The drawing of a run, line by line; empty where all that it has is non-finite or the same.
     *
     * @param all its series by name
     * @param firstStep step at which the axis begins
     */
    static List<String> of(Map<String, SeriesSnapshot> all, long firstStep, List<Mark> marks, Glyphs glyphs) {
        SeriesSnapshot series = objective(all);
        if (series == null) {
            return List.of();
        }
        return new Sketch(glyphs, series, evaluation(all, series), firstStep).lines(marks);
    }

    /** The loss; of a run that has none a component of it, else a metric. */
    private static @Nullable SeriesSnapshot objective(Map<String, SeriesSnapshot> all) {
        SeriesSnapshot loss = all.get("loss");
        if (loss != null) {
            return isDrawable(loss) ? loss : null;
        }
        SeriesSnapshot chosen = null;
        for (SeriesSnapshot one : all.values()) {
            boolean better = chosen == null
                    || (one.name().startsWith("losses/") && !chosen.name().startsWith("losses/"));
            if (better && isDrawable(one) && !OTHERS.contains(one.name())) {
                chosen = one;
            }
        }
        return chosen;
    }

    private static @Nullable SeriesSnapshot evaluation(Map<String, SeriesSnapshot> all, SeriesSnapshot series) {
        String name = series.name().substring(series.name().lastIndexOf('/') + 1);
        return all.values().stream()
                .filter(one -> !one.name().equals(series.name()) && one.name().endsWith("/" + name))
                .filter(one -> !one.name().startsWith("losses/") && !one.name().startsWith("metrics/"))
                .filter(one -> !finite(one).isEmpty())
                .findFirst()
                .orElse(null);
    }

    private static boolean isDrawable(SeriesSnapshot series) {
        List<Bucket> finite = finite(series);
        return finite.size() > 1
                && finite.stream()
                        .anyMatch(bucket -> bucket.max() > finite.get(0).min()
                                || bucket.min() < finite.get(0).min());
    }

    private static List<Bucket> finite(SeriesSnapshot series) {
        return series.buckets().stream()
                .filter(bucket -> Double.isFinite(bucket.mean()))
                .toList();
    }

    private List<String> lines(List<Mark> marks) {
        char[][] cells = cells();
        String top = (blowsUp ? ">" : "") + Figures.text(high);
        String bottom = Figures.text(low);
        int gutter = Math.max(top.length(), bottom.length());
        List<String> lines = new ArrayList<>();
        lines.add(" ".repeat(gutter + 3) + legend());
        for (int row = 0; row < ROWS; row++) {
            String label = row == 0 ? top : row == ROWS - 1 ? bottom : "";
            lines.add(padded(label, gutter) + " " + (label.isEmpty() ? glyphs.side : glyphs.tick) + " "
                    + new String(cells[row]).stripTrailing());
        }
        lines.add(" ".repeat(gutter + 1) + glyphs.corner + glyphs.floor + axis(marks));
        String from = String.format(Locale.ROOT, "%,d", first);
        String to = String.format(Locale.ROOT, "step %,d", last);
        lines.add(" ".repeat(gutter + 3) + from + padded(to, COLUMNS - from.length()));
        return lines;
    }

    private String legend() {
        return Printable.of(series.name())
                + (evaluation == null ? "" : "   " + glyphs.point + " " + Printable.of(evaluation.name()))
                + (logarithmic ? "   (log scale)" : "");
    }

    private static String padded(String text, int width) {
        return " ".repeat(Math.max(0, width - text.length())) + text;
    }

    private char[][] cells() {
        boolean[][] dots = new boolean[COLUMNS * glyphs.across][ROWS * glyphs.down];
        int fromX = -1;
        int fromY = 0;
        for (Bucket bucket : series.buckets()) {
            if (!Double.isFinite(bucket.mean())) {
                fromX = -1;
                continue;
            }
            int x = column(bucket.lastStep(), dots.length);
            int y = row(bucket.mean(), dots[0].length);
            for (int i = row(bucket.max(), dots[0].length); i <= row(bucket.min(), dots[0].length); i++) {
                dots[x][i] = true;
            }
            if (fromX >= 0) {
                line(dots, fromX, fromY, x, y);
            }
            fromX = x;
            fromY = y;
        }
        char[][] cells = new char[ROWS][COLUMNS];
        for (int row = 0; row < ROWS; row++) {
            for (int column = 0; column < COLUMNS; column++) {
                cells[row][column] = glyphs.cell(dots, column, row);
            }
        }
        if (evaluation != null) {
            points(cells, finite(evaluation));
        }
        return cells;
    }

    private void points(char[][] cells, List<Bucket> evaluations) {
        int before = -POINT_SPACING;
        for (int i = 0; i < evaluations.size(); i++) {
            Bucket bucket = evaluations.get(i);
            int column = column(bucket.lastStep(), COLUMNS);
            if (column - before >= POINT_SPACING || i == evaluations.size() - 1) {
                cells[row(bucket.mean(), ROWS)][column] = glyphs.point;
                before = column;
            }
        }
    }

    private static void line(boolean[][] dots, int fromX, int fromY, int toX, int toY) {
        int length = Math.max(Math.abs(toX - fromX), Math.abs(toY - fromY));
        for (int i = 1; i < length; i++) {
            double share = (double) i / length;
            dots[(int) Math.round(fromX + share * (toX - fromX))][(int) Math.round(fromY + share * (toY - fromY))] =
                    true;
        }
    }

    private String axis(List<Mark> marks) {
        String[] axis = new String[COLUMNS];
        Arrays.fill(axis, String.valueOf(glyphs.floor));
        boolean[] taken = new boolean[COLUMNS];
        for (Mark mark : marks) {
            int column = column(mark.step(), COLUMNS);
            while (column < COLUMNS && taken[column]) {
                column++;
            }
            if (column < COLUMNS) {
                taken[column] = true;
                axis[column] = mark.label();
            }
        }
        return String.join("", axis);
    }

    private int column(long step, int columns) {
        double share = (step - (double) first) / ((double) last - first);
        return (int) Math.round(Math.max(0, Math.min(share, 1)) * (columns - 1));
    }

    /** Counted from above. */
    private int row(double value, int rows) {
        double share = logarithmic ? Math.log(value / low) / Math.log(high / low) : (value - low) / (high - low);
        return (int) Math.round((1 - (Double.isFinite(share) ? Math.max(0, Math.min(share, 1)) : 0.5)) * (rows - 1));
    }
}
