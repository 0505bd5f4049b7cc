package io.trainwatch.attach;

import java.time.DateTimeException;
import java.time.Instant;
import java.time.LocalDateTime;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.util.Deque;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Rows that hold one number each, as tracking servers export them, in whatever they are written: what their columns are
 * called, and what becomes of a row. Rows that hold no number, such as texts, files and settings, are passed over.
 */
final class PointRows {
    private static final Map<String, Column> COLUMNS = new HashMap<>();

    /** What a column says. */
    enum Column {
        RUN,
        NAME,
        VALUE,
        STEP,
        TIME
    }

    static {
        name(Column.RUN, "run_id", "run_uuid", "run", "sys/id", "custom_run_id");
        name(Column.NAME, "key", "metric", "name", "attribute_path", "metric_name", "tag");
        name(Column.VALUE, "value", "float_value", "metric_value");
        name(Column.STEP, "step");
        name(Column.TIME, "timestamp", "wall time", "wall_time", "time");
    }

    private static void name(Column column, String... names) {
        for (String name : names) {
            COLUMNS.put(name, column);
        }
    }

    private final Points points;
    private final String ownRun;
    private boolean full;
    private long ignored;

    PointRows(LogInput input) {
        points = new Points(input);
        ownRun = RunEvents.runId(input);
    }

    /** What a column of this name says; null if it is none of them. */
    static @Nullable Column column(String name) {
        return COLUMNS.get(name.strip().toLowerCase(Locale.ROOT));
    }

    /**
     * Takes in a row.
     *
     * @param run empty where there is one run, that of the log
     * @param timestampMs epoch milliseconds; -1 where it is not known
     */
    void add(
            String run,
            String name,
            @Nullable Double value,
            @Nullable Double step,
            long timestampMs,
            long line,
            long offset) {
        boolean counted = step != null && step >= 0 && step <= 0x1p53;
        if (value == null || step == null || !counted || name.isBlank() || full) {
            ignored++;
            return;
        }
        full = !points.add(run.isBlank() ? ownRun : run, name, value, step.longValue(), timestampMs, line, offset);
        if (full) {
            points.problem(
                    line,
                    offset,
                    "the log has more than " + Points.MAX_POINTS + " numbers or " + Points.MAX_RUNS
                            + " runs: the others are left out");
        }
    }

    void problem(long line, long offset, String message) {
        points.problem(line, offset, message);
    }

    /** Whether more rows would be left out. */
    boolean isFull() {
        return full;
    }

    /** The events of all rows. */
    Deque<LogEntry> entries() {
        return points.entries(Long.MAX_VALUE);
    }

    /** Rows and fields that were passed over. */
    long ignored() {
        return ignored + points.ignored();
    }

    /** Seconds or milliseconds since 1970 as epoch milliseconds; -1 for what is neither. */
    static long timestampMs(double time) {
        return time >= 0 && time <= 1e14 ? (long) (time < 1e11 ? time * 1000 : time) : -1;
    }

    /** Seconds or milliseconds since 1970, or a date with a time, as epoch milliseconds; -1 for what is none of them. */
    static long timestampMs(String time) {
        Double number = Numbers.parse(time);
        if (number != null) {
            return timestampMs((double) number);
        }
        String text = time.replace(' ', 'T');
        try {
            if (text.length() < 10 || text.length() > 40) {
                return -1;
            }
            boolean zoned = text.endsWith("Z") || text.substring(10).matches(".*[+-]\\d\\d:?\\d\\d");
            return zoned
                    ? (text.endsWith("Z")
                            ? Instant.parse(text).toEpochMilli()
                            : OffsetDateTime.parse(text).toInstant().toEpochMilli())
                    : LocalDateTime.parse(text).toInstant(ZoneOffset.UTC).toEpochMilli();
        } catch (DateTimeException e) {
            return -1;
        }
    }
}
