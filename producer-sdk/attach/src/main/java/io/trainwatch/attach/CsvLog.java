package io.trainwatch.attach;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.dataformat.csv.CsvFactory;
import com.fasterxml.jackson.dataformat.csv.CsvParser;
import com.fasterxml.jackson.dataformat.csv.CsvSchema;
import io.trainwatch.attach.MetricNames.Metric;
import io.trainwatch.attach.MetricNames.Role;
import io.trainwatch.attach.MetricNames.Span;
import io.trainwatch.event.MetricDeclaration;
import io.trainwatch.event.RunStarted;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Tables with a header: CSV with comma or semicolon, TSV. Lightning's {@code metrics.csv}, Keras' CSVLogger, {@code
 * results.csv} of YOLO, {@code progress.csv} and {@code monitor.csv} of Stable-Baselines, Flair's {@code loss.tsv}, what
 * Weights &amp; Biases exports.
 *
 * <p>One row is one moment, as {@link MetricRow} and {@link Journal} have it; {@link MetricNames} says what a column is.
 * Rows may be sparse. A header in the middle is taken as the new one: a training that starts anew or goes on.
 *
 * <ul>
 *   <li>{@code #{"t_start": ..., "env_id": ...}} before a header {@code r,l,t}: episodes of Stable-Baselines, return, length and
 *       seconds since the start. Steps are those of the environment.
 *   <li>Columns {@code RUN - NAME} of Weights &amp; Biases: where there are several runs, each is a run of its own; their {@code
 *       __MIN} and {@code __MAX} are passed over.
 * </ul>
 */
final class CsvLog implements LogFormat {
    /** Columns that are looked at. */
    static final int MAX_COLUMNS = 4096;

    /** Runs beside each other in one table. */
    static final int MAX_RUNS = 64;

    private static final String SEPARATORS = ",\t;";
    private static final CsvFactory CSV =
            CsvFactory.builder().enable(CsvParser.Feature.TRIM_SPACES).build();
    private static final Set<String> MISSING = Set.of("", "na", "n/a", "none", "null", "-", "--");
    private static final Pattern T_START = Pattern.compile("\"t_start\"\\s*:\\s*(\\d{1,11}(?:\\.\\d{1,9})?)\\b");
    private static final Pattern ENV_ID = Pattern.compile("\"env_id\"\\s*:\\s*\"([^\"]{1,128})\"");

    @Override
    public String name() {
        return "csv";
    }

    @Override
    public String description() {
        return "CSV or TSV with a header: Lightning, Keras, YOLO, Stable-Baselines, Flair, W&B exports (*.csv, *.tsv)";
    }

    @Override
    public Optional<String> recognise(LogInput input) throws IOException {
        String head = input.head();
        boolean monitor = head.startsWith("#{");
        List<String> lines = head.lines()
                .filter(line -> !line.isBlank() && !line.startsWith("#"))
                .limit(2)
                .toList();
        if (lines.isEmpty() || lines.get(0).length() == head.length()) {
            return Optional.empty();
        }
        char separator = separator(lines.get(0));
        List<String> header = fields(lines.get(0), separator);
        if (header == null || !isHeader(header, monitor)) {
            return Optional.empty();
        }
        if (lines.size() > 1) {
            List<String> row = fields(lines.get(1), separator);
            boolean fits = row != null
                    && (row.size() == header.size()
                            || head.indexOf(lines.get(1)) + lines.get(1).length() == head.length())
                    && row.stream().anyMatch(field -> Numbers.parse(field.replace(',', '.')) != null);
            if (!fits) {
                return Optional.empty();
            }
        }
        return Optional.of("a header of " + header.size() + " columns, " + RunEvents.shown(telling(header, monitor))
                + " among them");
    }

    private static char separator(String header) {
        char best = ',';
        long most = 0;
        for (int i = 0; i < SEPARATORS.length(); i++) {
            char separator = SEPARATORS.charAt(i);
            long count = header.chars().filter(c -> c == separator).count();
            if (count > most) {
                most = count;
                best = separator;
            }
        }
        return best;
    }

    private static boolean isHeader(List<String> fields, boolean monitor) {
        return fields.size() > 1
                && fields.stream().allMatch(field -> field.isEmpty() || isName(field))
                && !telling(fields, monitor).isEmpty();
    }

    private static boolean isName(String field) {
        char first = field.charAt(0);
        boolean word = (!Character.isDigit(first) && "+-.[{(".indexOf(first) < 0) || field.contains(" - ");
        return word && Numbers.parse(field) == null;
    }

    /** The first name that says that this is a training; empty if there is none. */
    private static String telling(List<String> names, boolean monitor) {
        if (monitor && names.contains("r")) {
            return "r";
        }
        return names.stream()
                .filter(name -> {
                    Role role = column(name).metric().role();
                    return role == Role.LOSS
                            || role == Role.COMPONENT_LOSS
                            || role == Role.QUALITY
                            || role == Role.REWARD
                            || role == Role.GRAD_NORM;
                })
                .findFirst()
                .orElse("");
    }

    /** The fields of one line; null if its quotes do not close. */
    static @Nullable List<String> fields(String line, char separator) {
        return line.indexOf('"') < 0 ? plainFields(line, separator) : quotedFields(line, separator);
    }

    private static @Nullable List<String> plainFields(String line, char separator) {
        List<String> fields = new ArrayList<>();
        int start = 0;
        while (start <= line.length()) {
            int next = line.indexOf(separator, start);
            int end = next < 0 ? line.length() : next;
            if (fields.size() > MAX_COLUMNS) {
                return null;
            }
            fields.add(trimmed(line, start, end));
            start = end + 1;
        }
        return fields;
    }

    private static String trimmed(String line, int start, int end) {
        int from = start;
        int to = end;
        while (from < to && line.charAt(from) <= ' ') {
            from++;
        }
        while (to > from && line.charAt(to - 1) <= ' ') {
            to--;
        }
        return line.substring(from, to);
    }

    private static @Nullable List<String> quotedFields(String line, char separator) {
        List<String> fields = new ArrayList<>();
        try (CsvParser parser = CSV.createParser(line)) {
            parser.setSchema(CsvSchema.emptySchema().withColumnSeparator(separator));
            for (JsonToken token = parser.nextToken(); token != null; token = parser.nextToken()) {
                if (token.isScalarValue()) {
                    if (fields.size() > MAX_COLUMNS) {
                        return null;
                    }
                    fields.add(parser.getText());
                }
            }
        } catch (JsonProcessingException e) {
            return null;
        } catch (IOException e) {
            throw new UncheckedIOException("reading from memory failed", e);
        }
        return fields;
    }

    /**
     * One column.
     *
     * @param run which of several runs it is of, empty where the table has one
     * @param stepsLogged whether the table has it for steps, and this is its mean over an epoch
     * @param counter whether it counts steps beside the column that is taken for them
     */
    private record Column(String run, Metric metric, boolean stepsLogged, boolean counter) {}

    private static Column column(String name) {
        int at = name.lastIndexOf(" - ");
        String run = at < 0 ? "" : name.substring(0, at).strip();
        String key = at < 0 ? name : name.substring(at + 3);
        boolean extreme = key.endsWith("__MIN") || key.endsWith("__MAX");
        Metric metric = MetricNames.of(extreme ? "time" : key);
        return new Column(run, metric, false, false);
    }

    @Override
    public LogReader open(LogInput input) throws IOException {
        return new Reader(input);
    }

    private static final class Reader extends LineReader {
        private final LogInput input;
        private final Map<String, Journal> journals = new LinkedHashMap<>();
        private @Nullable List<String> header;
        private List<Column> columns = List.of();
        private char separator;
        private boolean severalRuns;

        /** Of Stable-Baselines: when the first episode began, epoch milliseconds; NaN elsewhere. */
        private double episodesStartMs = Double.NaN;

        private boolean episodes;
        private double environmentSteps;

        Reader(LogInput input) throws IOException {
            super(input, new Lines(input.once(), MAX_LINE_BYTES), new RunEvents(input));
            this.input = input;
        }

        @Override
        void line(String text) {
            if (text.startsWith("#")) {
                comment(text);
                return;
            }
            if (header == null) {
                separator = separator(text);
            }
            List<String> fields = fields(text, separator);
            if (fields == null) {
                problem("a quote is not closed, or the line has more than " + MAX_COLUMNS + " fields");
            } else if (isHeader(fields, episodes)) {
                header(fields);
            } else if (header == null) {
                problem("the first line is \"" + RunEvents.shown(text)
                        + "\", but must be a header that names a loss, a metric or a reward");
                header = List.of();
            } else if (!header.isEmpty()) {
                row(fields);
            }
        }

        private void comment(String text) {
            if (text.startsWith("#{")) {
                episodes = true;
                Matcher start = T_START.matcher(text);
                episodesStartMs = start.find() ? Double.parseDouble(start.group(1)) * 1000 : Double.NaN;
                RunStarted facts = events().facts();
                facts.setTask("rl");
                facts.setMetricProfile("rl");
                facts.setFramework("stable-baselines");
                Matcher environment = ENV_ID.matcher(text);
                if (environment.find()) {
                    facts.setLabels(Map.of("env_id", RunEvents.shown(environment.group(1))));
                }
            }
        }

        private void header(List<String> names) {
            header = names;
            List<Column> named = names.stream().map(CsvLog::column).toList();
            severalRuns = named.stream()
                            .map(Column::run)
                            .filter(run -> !run.isEmpty())
                            .distinct()
                            .count()
                    > 1;
            Set<String> loggedInSteps = new HashSet<>();
            Metric stepColumn = null;
            for (Column column : named) {
                Metric metric = column.metric();
                if (metric.span() == Span.STEP) {
                    loggedInSteps.add(metric.split() + " " + metric.name());
                }
                boolean counts = !metric.evaluation() && isCounter(metric);
                if (counts
                        && (stepColumn == null
                                || (stepColumn.role() == Role.STEP && metric.role() == Role.GLOBAL_STEP))) {
                    stepColumn = metric;
                }
            }
            Metric taken = stepColumn;
            columns = named.stream()
                    .map(column -> new Column(
                            column.run(),
                            column.metric(),
                            column.metric().span() == Span.EPOCH
                                    && loggedInSteps.contains(column.metric().split() + " "
                                            + column.metric().name()),
                            isCounter(column.metric()) && !column.metric().equals(taken)))
                    .toList();
            if (!severalRuns && !events().started()) {
                facts(events().facts(), columns.stream().map(Column::metric).toList());
                if (stepColumn == null
                        && named.stream().anyMatch(column -> column.metric().role() == Role.EPOCH)) {
                    // A row per epoch: an epoch is what the run has for a step.
                    events().facts().setStepsPerEpoch(1L);
                }
            }
        }

        private static void facts(RunStarted facts, List<Metric> metrics) {
            if (facts.getMetricProfile() == null) {
                facts.setMetricProfile(MetricNames.profile(metrics));
            }
            List<MetricDeclaration> declared = MetricFacts.declared(metrics);
            if (!declared.isEmpty()) {
                facts.setMetrics(declared);
            }
        }

        private void row(List<String> fields) {
            if (fields.size() != columns.size()) {
                problem("the line has " + fields.size() + " fields, but the header names " + columns.size()
                        + (isWhole() ? "" : "; it is not finished"));
                return;
            }
            Map<String, MetricRow> rows = new LinkedHashMap<>();
            MetricRow shared = new MetricRow();
            Double seconds = null;
            for (int i = 0; i < fields.size(); i++) {
                Column column = columns.get(i);
                String field = fields.get(i);
                if (isMissing(field)) {
                    continue;
                }
                Double value = Numbers.parse(separator == ';' ? field.replace(',', '.') : field);
                if (value == null) {
                    if (column.metric().role() == Role.OTHER || column.metric().role() == Role.NOTHING) {
                        ignored++;
                        continue;
                    }
                    problem(RunEvents.shown(column.metric().written()) + " is \"" + RunEvents.shown(field)
                            + "\", but must be a number or empty; the line is passed over");
                    return;
                }
                if (episodes
                        && column.run().isEmpty()
                        && column.metric().written().length() == 1) {
                    seconds = episode(column.metric().written(), value, shared, seconds);
                } else if (severalRuns && !column.run().isEmpty()) {
                    put(rows.computeIfAbsent(column.run(), run -> new MetricRow()), column, value);
                } else {
                    put(shared, column, value);
                }
            }
            if (severalRuns) {
                rows.forEach((run, row) -> {
                    row.step = shared.step;
                    row.epoch = shared.epoch;
                    journal(run, row, null);
                });
                ignored += shared.left();
            } else {
                journal("", shared, seconds);
            }
        }

        private static boolean isMissing(String field) {
            return field.isEmpty() || (field.length() <= 4 && MISSING.contains(field.toLowerCase(Locale.ROOT)));
        }

        private static boolean isCounter(Metric metric) {
            return metric.role() == Role.STEP || metric.role() == Role.GLOBAL_STEP;
        }

        private static void put(MetricRow row, Column column, double value) {
            if (column.counter()) {
                row.metric(column.metric().written(), value);
            } else {
                row.put(column.metric(), value, column.stepsLogged());
            }
        }

        private @Nullable Double episode(String name, double value, MetricRow row, @Nullable Double seconds) {
            switch (name) {
                case "r" -> row.put(MetricNames.of("train/episode_return"), value, false);
                case "l" -> {
                    row.put(MetricNames.of("train/episode_length"), value, false);
                    environmentSteps += value >= 0 && value < 1e9 ? Math.rint(value) : 0;
                }
                default -> {
                    return value;
                }
            }
            row.step = environmentSteps;
            return seconds;
        }

        private void journal(String run, MetricRow row, @Nullable Double seconds) {
            ignored += row.left();
            if (row.isEmpty()) {
                return;
            }
            Journal journal = journals.get(run);
            if (journal == null) {
                if (journals.size() == MAX_RUNS) {
                    ignored++;
                    return;
                }
                journal = new Journal(run.isEmpty() ? events() : events().beside(run));
                journals.put(run, journal);
                if (severalRuns) {
                    facts(
                            journal.events().facts(),
                            columns.stream()
                                    .filter(column -> column.run().equals(run))
                                    .map(Column::metric)
                                    .toList());
                }
            }
            double ms = seconds == null ? Double.NaN : episodesStartMs + seconds * 1000;
            journal.add(row, line(), offset(), ms >= 0 && ms < 1e14 ? (Long) (long) ms : null);
        }

        @Override
        void end() {
            if (header == null) {
                events().problem(1, 0, "no header was found: the log is empty, or holds only blank lines and comments");
            }
        }

        @Override
        public void close() throws IOException {
            input.close();
        }
    }
}
