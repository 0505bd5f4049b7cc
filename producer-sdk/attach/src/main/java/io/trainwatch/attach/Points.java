package io.trainwatch.attach;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.Deque;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Numbers that a tracking server keeps one by one, each with its name, step and time, and the rows that they make: those of one
 * run and step that were logged together, in the order of their times. In memory, all of them.
 */
final class Points {
    /** Numbers in one log: 80 MB. */
    static final int MAX_POINTS = 1_000_000;

    /** Runs in one log. */
    static final int MAX_RUNS = 10_000;

    /** Numbers of one step that are further apart in time are two rows: a trainer logs a row at once. */
    static final long TOGETHER_MS = 5_000;

    private record Point(int run, long timestampMs, long step, Metric metric, double value, long line, long offset) {}

    /** A name, told apart once. */
    private record Metric(String name) {}

    private final LogInput input;
    private final Deque<LogEntry> entries = new ArrayDeque<>();
    private final List<Point> points = new ArrayList<>();
    private final Map<String, Integer> runs = new LinkedHashMap<>();
    private final List<RunEvents> events = new ArrayList<>();
    private final Map<String, Metric> names = new LinkedHashMap<>();
    private long ignored;

    Points(LogInput input) {
        this.input = input;
    }

    /** The run, for what is known of it beside its numbers; null if there are too many. */
    @Nullable
    RunEvents run(String id) {
        Integer known = runs.get(id);
        if (known == null) {
            if (runs.size() == MAX_RUNS) {
                return null;
            }
            known = runs.size();
            runs.put(id, known);
            events.add(RunEvents.of(input, id, entries));
        }
        return events.get(known);
    }

    /**
     * Takes in a number.
     *
     * @param timestampMs epoch milliseconds; -1 where it is not known
     * @return false if there are too many
     */
    boolean add(String run, String name, double value, long step, long timestampMs, long line, long offset) {
        RunEvents of = run(run);
        Integer number = runs.get(run);
        if (points.size() == MAX_POINTS || of == null || number == null) {
            return false;
        }
        if (step < 0 || name.startsWith("system/") || name.startsWith("monitoring/") || name.startsWith("sys/")) {
            ignored++; // of the machine, with a count of their own
            return true;
        }
        String plain = name.startsWith("metrics/") ? name.substring("metrics/".length()) : name;
        Metric metric = names.size() < KnownNames.MAX_NAMES
                ? names.computeIfAbsent(plain, Metric::new)
                : names.getOrDefault(plain, new Metric(plain));
        points.add(new Point(number, timestampMs, step, metric, value, line, offset));
        return true;
    }

    /** Fields that were passed over. */
    long ignored() {
        return ignored;
    }

    void problem(long line, long offset, String message) {
        entries.add(new LogEntry.Problem(line, offset, message));
    }

    /**
     * The events of all of it.
     *
     * @param untilMs rows that are not over by then are left out, since more may come to them, epoch milliseconds
     */
    Deque<LogEntry> entries(long untilMs) {
        points.sort(Comparator.comparingInt(Point::run)
                .thenComparingLong(Point::timestampMs)
                .thenComparingLong(Point::step)); // stable: in the order of the log
        int start = 0;
        Rows rows = new Rows(-1);
        for (int i = 1; i <= points.size(); i++) {
            Point before = points.get(i - 1);
            boolean ends = i == points.size()
                    || points.get(i).run() != before.run()
                    || points.get(i).step() != before.step()
                    || points.get(i).timestampMs() - before.timestampMs() > TOGETHER_MS;
            if (ends) {
                rows = rows.run == before.run() ? rows : new Rows(before.run());
                if (before.timestampMs() + TOGETHER_MS < untilMs) {
                    rows.add(points.subList(start, i));
                }
                start = i;
            }
        }
        points.clear();
        return entries;
    }

    /** The rows of one run. */
    private final class Rows {
        final int run;
        private final MetricLines.Keys keys = new MetricLines.Keys();
        private final @Nullable Journal journal;

        Rows(int run) {
            this.run = run;
            journal = run < 0 ? null : new Journal(events.get(run));
        }

        void add(List<Point> together) {
            Map<String, Double> numbers = new LinkedHashMap<>();
            for (Point point : together) {
                numbers.put(point.metric().name(), point.value());
            }
            Point first = together.get(0);
            MetricRow row = keys.row(numbers);
            if (journal == null || (!row.saysSomething() && row.isEmpty())) {
                return;
            }
            row.step = (double) first.step();
            RunEvents of = journal.events();
            if (!of.started()) {
                MetricFacts.tell(of.facts(), keys.latest());
            }
            journal.add(row, first.line(), first.offset(), first.timestampMs() < 0 ? null : (Long) first.timestampMs());
        }
    }
}
