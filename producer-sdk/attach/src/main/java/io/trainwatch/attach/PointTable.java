package io.trainwatch.attach;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.core.json.JsonReadFeature;
import io.trainwatch.attach.PointRows.Column;
import java.io.IOException;
import java.util.Deque;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * What tracking servers export, one number a row or object: the table of metrics of MLflow and its histories in JSON, the
 * export of Neptune as CSV or JSON Lines, a curve that TensorBoard saved.
 *
 * <pre>
 * run_uuid,key,value,timestamp,step                                  MLflow
 * run_id,attribute_path,attribute_type,step,timestamp,float_value    Neptune
 * Wall time,Step,Value                                               TensorBoard; the name is that of the file
 * {"metrics": [{"key": "loss", "value": 2.5, "timestamp": 1795944523982, "step": 0}]}
 * </pre>
 *
 * <p>Numbers are put together as {@link Points} does it. All of the log is read before its first event.
 */
final class PointTable implements LogFormat {
    private static final JsonFactory JSON = JsonFactory.builder()
            .enable(JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS)
            .enable(StreamReadFeature.USE_FAST_DOUBLE_PARSER)
            .disable(JsonFactory.Feature.CHARSET_DETECTION)
            .disable(JsonFactory.Feature.INTERN_FIELD_NAMES)
            .disable(JsonFactory.Feature.FAIL_ON_SYMBOL_HASH_OVERFLOW)
            .build();

    private static final Set<String> NAMELESS = Set.of("wall time", "step", "value");

    @Override
    public String name() {
        return "points";
    }

    @Override
    public String description() {
        return "one number a row: exports of MLflow, Neptune and TensorBoard (*.csv, *.json, *.jsonl)";
    }

    @Override
    public boolean isRewritten() {
        return true;
    }

    @Override
    public boolean namesRuns() {
        return true;
    }

    @Override
    public Optional<String> recognise(LogInput input) throws IOException {
        String head = input.head().stripLeading();
        if (head.startsWith("{") || head.startsWith("[")) {
            boolean named = head.contains("\"key\"") || head.contains("\"attribute_path\"");
            boolean valued = head.contains("\"value\"") || head.contains("\"float_value\"");
            return named && valued && head.contains("\"step\"")
                    ? Optional.of("objects with a name, \"step\" and a value")
                    : Optional.empty();
        }
        List<String> header = header(head.lines().findFirst().orElse(""));
        boolean whole = Header.of(header).isWhole();
        return whole
                ? Optional.of("a header with a step and one value: " + String.join(", ", header))
                : Optional.empty();
    }

    private static List<String> header(String line) {
        List<String> fields = line.length() > 4096 ? null : CsvLog.fields(line, ',');
        return fields == null ? List.of() : fields;
    }

    /** Where the columns are; -1 where there is none. */
    private record Header(int run, int name, int value, int step, int time, int fields) {
        static Header of(List<String> names) {
            Map<Column, Integer> places = new EnumMap<>(Column.class);
            for (int i = 0; i < names.size(); i++) {
                Column column = PointRows.column(names.get(i));
                if (column != null) {
                    places.putIfAbsent(column, i);
                }
            }
            return new Header(
                    places.getOrDefault(Column.RUN, -1),
                    places.getOrDefault(Column.NAME, -1),
                    places.getOrDefault(Column.VALUE, -1),
                    places.getOrDefault(Column.STEP, -1),
                    places.getOrDefault(Column.TIME, -1),
                    names.size());
        }

        /** With a name, or as TensorBoard saves one curve. */
        boolean isWhole() {
            return value >= 0 && step >= 0 && (name >= 0 || (time >= 0 && fields == NAMELESS.size()));
        }
    }

    @Override
    public LogReader open(LogInput input) throws IOException {
        return new Reader(input);
    }

    private static final class Reader implements LogReader {
        private final LogInput input;
        private final PointRows rows;
        private final Deque<LogEntry> entries;

        Reader(LogInput input) throws IOException {
            this.input = input;
            rows = new PointRows(input);
            String head = input.head().stripLeading();
            if (head.startsWith("{") || head.startsWith("[")) {
                json();
            } else {
                table();
            }
            entries = rows.entries();
        }

        private void table() throws IOException {
            Lines lines = new Lines(input.once(), LineReader.MAX_LINE_BYTES);
            Header header = null;
            while (lines.next() && !rows.isFull()) {
                String text = lines.text();
                if (text == null || text.isBlank()) {
                    continue;
                }
                List<String> fields = CsvLog.fields(text, ',');
                if (header == null) {
                    header = Header.of(fields == null ? List.of() : fields);
                    if (!header.isWhole()) {
                        rows.problem(
                                1,
                                0,
                                "the first line must be a header with a name, a step and a value, but is \""
                                        + RunEvents.shown(text) + "\"");
                        return;
                    }
                } else if (fields == null || fields.size() != header.fields()) {
                    rows.problem(
                            lines.line(),
                            lines.offset(),
                            "the line has "
                                    + (fields == null ? "a quote that is not closed" : fields.size() + " fields")
                                    + ", but the header names " + header.fields());
                } else {
                    rows.add(
                            field(fields, header.run()),
                            header.name() < 0 ? tag() : field(fields, header.name()),
                            Numbers.parse(field(fields, header.value())),
                            Numbers.parse(field(fields, header.step())),
                            PointRows.timestampMs(field(fields, header.time())),
                            lines.line(),
                            lines.offset());
                }
            }
        }

        private static String field(List<String> fields, int place) {
            return place < 0 ? "" : fields.get(place).strip();
        }

        /** TensorBoard calls a curve {@code run-NAME-tag-TAG.csv}. */
        private String tag() {
            String name = input.name().replaceFirst(".*[/\\\\]", "").replaceFirst("\\.csv$", "");
            int at = name.lastIndexOf("-tag-");
            return at < 0 ? name : name.substring(at + "-tag-".length());
        }

        private void json() throws IOException {
            try (JsonParser parser = JSON.createParser(input.once())) {
                for (JsonToken token = parser.nextToken();
                        token != null && !rows.isFull();
                        token = parser.nextToken()) {
                    if (token == JsonToken.START_OBJECT) {
                        object(parser, 0);
                    }
                }
            } catch (JsonProcessingException e) {
                rows.problem(
                        e.getLocation() == null ? 1 : e.getLocation().getLineNr(),
                        e.getLocation() == null
                                ? 0
                                : Math.max(0, e.getLocation().getByteOffset()),
                        "not valid JSON from here on: " + RunEvents.shown(e.getOriginalMessage(), 200));
            }
        }

        /** An object that is a number with its name, or holds others that are. */
        private void object(JsonParser parser, int depth) throws IOException {
            long line = parser.currentTokenLocation().getLineNr();
            long offset = Math.max(0, parser.currentTokenLocation().getByteOffset());
            Map<Column, String> values = new HashMap<>();
            for (String name = parser.nextFieldName(); name != null; name = parser.nextFieldName()) {
                JsonToken value = parser.nextToken();
                Column column = PointRows.column(name);
                if (value == JsonToken.START_OBJECT && depth < 16) {
                    object(parser, depth + 1);
                } else if (value == JsonToken.START_ARRAY && depth < 16) {
                    array(parser, depth + 1);
                } else if (value.isStructStart()) {
                    parser.skipChildren();
                } else if (column != null && value != JsonToken.VALUE_NULL) {
                    values.putIfAbsent(column, parser.getText());
                }
            }
            if (values.containsKey(Column.VALUE) && values.containsKey(Column.NAME)) {
                rows.add(
                        values.getOrDefault(Column.RUN, ""),
                        values.getOrDefault(Column.NAME, ""),
                        Numbers.parse(values.getOrDefault(Column.VALUE, "")),
                        Numbers.parse(values.getOrDefault(Column.STEP, "")),
                        PointRows.timestampMs(values.getOrDefault(Column.TIME, "")),
                        line,
                        offset);
            }
        }

        private void array(JsonParser parser, int depth) throws IOException {
            for (JsonToken token = parser.nextToken();
                    token != null && token != JsonToken.END_ARRAY;
                    token = parser.nextToken()) {
                if (token == JsonToken.START_OBJECT) {
                    object(parser, depth);
                } else if (token == JsonToken.START_ARRAY) {
                    parser.skipChildren();
                }
            }
        }

        @Override
        public @Nullable LogEntry next() {
            return entries.poll();
        }

        @Override
        public long ignoredFields() {
            return rows.ignored();
        }

        @Override
        public void close() throws IOException {
            input.close();
        }
    }
}
