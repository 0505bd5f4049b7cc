package io.trainwatch.attach;

import io.trainwatch.attach.PointRows.Column;
import java.io.Closeable;
import java.io.IOException;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Deque;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.parquet.ParquetReadOptions;
import org.apache.parquet.column.ColumnDescriptor;
import org.apache.parquet.column.ColumnReader;
import org.apache.parquet.column.impl.ColumnReadStoreImpl;
import org.apache.parquet.column.page.PageReadStore;
import org.apache.parquet.conf.PlainParquetConfiguration;
import org.apache.parquet.hadoop.ParquetFileReader;
import org.apache.parquet.hadoop.metadata.BlockMetaData;
import org.apache.parquet.io.LocalInputFile;
import org.apache.parquet.io.api.Binary;
import org.apache.parquet.io.api.Converter;
import org.apache.parquet.io.api.GroupConverter;
import org.apache.parquet.io.api.PrimitiveConverter;
import org.apache.parquet.schema.LogicalTypeAnnotation;
import org.apache.parquet.schema.LogicalTypeAnnotation.DecimalLogicalTypeAnnotation;
import org.apache.parquet.schema.LogicalTypeAnnotation.TimestampLogicalTypeAnnotation;
import org.apache.parquet.schema.PrimitiveType;
import org.jspecify.annotations.Nullable;

/**
 * Tables in Parquet, as two tracking servers hand them out:
 *
 * <ul>
 *   <li>Neptune's exporter, one number a row: {@code run_id, attribute_path, step, timestamp, float_value}, one run in the
 *       files {@code RUN_part_0.parquet}, {@code RUN_part_1.parquet} and so on, which are read together;
 *   <li>the history of a run of Weights &amp; Biases, one step a row: {@code _step, _timestamp, train/loss, ...}.
 * </ul>
 *
 * <p>Any other table, of a dataset for instance, is no log. Numbers are put together as {@link Points} does it; all of the log is
 * read before its first event.
 */
final class ParquetLog implements LogFormat {
    private static final int MAX_COLUMNS = 4_096;

    /** Part of the memory that a group of rows may need, whose columns are there together. */
    private static final int SHARE_OF_MEMORY = 4;

    private static final String MAGIC = "PAR1";
    private static final String STEP_OF_WANDB = "_step";
    private static final String TIME_OF_WANDB = "_timestamp";
    /** How names begin that are not the trainer's. */
    private static final String OWN_OF_WANDB = "_";

    private static final Pattern PART = Pattern.compile("(.+_part_)(\\d{1,6})(\\.parquet)");

    @Override
    public String name() {
        return "parquet";
    }

    @Override
    public String description() {
        return "tables of Neptune's exporter, and histories of W&B (*.parquet)";
    }

    @Override
    public boolean isText() {
        return false;
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
        Path path = input.path();
        if (path == null || !input.head().startsWith(MAGIC) || isLaterPart(path)) {
            return Optional.empty();
        }
        try (Table table = new Table(path)) {
            return table.places().containsKey(Column.VALUE)
                    ? Optional.of("Parquet with a name, a step and a value")
                    : table.isHistory() ? Optional.of("Parquet with " + STEP_OF_WANDB) : Optional.empty();
        } catch (IOException | RuntimeException e) {
            return Optional.empty(); // not whole yet: what tells of its columns comes last
        }
    }

    /** Whether this is read with the first part of the same run. */
    private static boolean isLaterPart(Path path) {
        Matcher part = PART.matcher(String.valueOf(path.getFileName()));
        return part.matches()
                && !part.group(2).equals("0")
                && Files.exists(path.resolveSibling(part.group(1) + "0" + part.group(3)));
    }

    @Override
    public List<Path> parts(Path path) throws IOException {
        List<Path> parts = new ArrayList<>(List.of(path));
        Matcher part = PART.matcher(String.valueOf(path.getFileName()));
        if (part.matches() && part.group(2).equals("0")) {
            for (int i = 1; ; i++) {
                Path next = path.resolveSibling(part.group(1) + i + part.group(3));
                if (!Files.exists(next)) {
                    break;
                }
                parts.add(next);
            }
        }
        return parts;
    }

    @Override
    public LogReader open(LogInput input) throws IOException {
        Path path = input.path();
        return new Reader(input, path == null ? List.of() : parts(path));
    }

    private static final class Reader implements LogReader {
        private final LogInput input;
        private final PointRows rows;
        private final Deque<LogEntry> entries;

        Reader(LogInput input, List<Path> parts) {
            this.input = input;
            rows = new PointRows(input);
            if (parts.isEmpty()) {
                rows.problem(1, 0, input.name() + " is a stream, but Parquet is read from its end: name the file");
            }
            for (Path part : parts) {
                long row = 0;
                try (Table table = new Table(part)) {
                    while (table.next() && !rows.isFull()) {
                        row++;
                        if (table.isHistory()) {
                            step(table, row);
                        } else {
                            point(table, row);
                        }
                    }
                } catch (IOException | RuntimeException e) {
                    rows.problem(
                            row + 1,
                            0,
                            part.getFileName() + " cannot be read as Parquet from row " + (row + 1) + " on: "
                                    + RunEvents.shown(String.valueOf(e.getMessage()), 200));
                }
            }
            entries = rows.entries();
        }

        private void point(Table table, long row) {
            Map<Column, ColumnDescriptor> places = table.places();
            rows.add(
                    table.text(places.get(Column.RUN)),
                    table.text(places.get(Column.NAME)),
                    table.number(places.get(Column.VALUE)),
                    table.number(places.get(Column.STEP)),
                    table.time(places.get(Column.TIME)),
                    row,
                    0);
        }

        private void step(Table table, long row) {
            Map<String, Double> numbers = table.numbers();
            Double step = numbers.get(STEP_OF_WANDB);
            Double time = numbers.get(TIME_OF_WANDB);
            long timestampMs = time == null ? -1 : PointRows.timestampMs((double) time);
            numbers.forEach((name, value) -> {
                if (!name.startsWith(OWN_OF_WANDB)) {
                    rows.add("", name, value, step, timestampMs, row, 0);
                }
            });
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

    /** The rows of a file: of those columns that have one number or text in each row. */
    private static final class Table implements Closeable {
        private final ParquetFileReader file;
        private final Map<String, ColumnDescriptor> columns = new LinkedHashMap<>();
        private final Map<Column, ColumnDescriptor> places = new EnumMap<>(Column.class);
        private final Map<ColumnDescriptor, ColumnReader> readers = new LinkedHashMap<>();
        private final Map<ColumnDescriptor, Object> row = new LinkedHashMap<>();
        private final boolean history;
        private int group;
        private long left;

        Table(Path path) throws IOException {
            file = ParquetFileReader.open(
                    new LocalInputFile(path),
                    ParquetReadOptions.builder(new PlainParquetConfiguration()).build());
            for (ColumnDescriptor column : file.getFileMetaData().getSchema().getColumns()) {
                if (column.getPath().length == 1 && column.getMaxRepetitionLevel() == 0) {
                    columns.put(column.getPath()[0], column);
                    Column place = PointRows.column(column.getPath()[0]);
                    if (place != null) {
                        places.putIfAbsent(place, column);
                    }
                }
            }
            history = columns.containsKey(STEP_OF_WANDB) && columns.size() <= MAX_COLUMNS;
            if (history || !places.keySet().containsAll(List.of(Column.NAME, Column.STEP, Column.VALUE))) {
                places.clear();
            }
            file.setRequestedSchema(wanted());
        }

        private List<ColumnDescriptor> wanted() {
            return List.copyOf(history ? columns.values() : places.values());
        }

        /** Whether it is a history of Weights &amp; Biases. */
        boolean isHistory() {
            return history;
        }

        /** Which column says what, where each row is one number; nothing where it is not. */
        Map<Column, ColumnDescriptor> places() {
            return places;
        }

        /** Goes to the next row; false at the end. */
        boolean next() throws IOException {
            while (left == 0) {
                if (group == file.getRowGroups().size()) {
                    return false;
                }
                readGroup(file.getRowGroups().get(group++));
            }
            left--;
            row.clear();
            readers.forEach((column, reader) -> {
                Object value = reader.getCurrentDefinitionLevel() == column.getMaxDefinitionLevel()
                        ? value(column.getPrimitiveType(), reader)
                        : null;
                if (value != null) {
                    row.put(column, value);
                }
                reader.consume();
            });
            return true;
        }

        private void readGroup(BlockMetaData rows) throws IOException {
            long room = Runtime.getRuntime().maxMemory() / SHARE_OF_MEMORY;
            if (rows.getTotalByteSize() > room) {
                throw new IOException(
                        "a group of rows has " + rows.getTotalByteSize() + " bytes, and there is room for " + room
                                + ": give the program four times as much memory, e.g. TRAINWATCH_JAVA_OPTS=-Xmx4g");
            }
            PageReadStore pages = file.readNextRowGroup();
            ColumnReadStoreImpl store = new ColumnReadStoreImpl(
                    pages,
                    new Unconverted(),
                    file.getFileMetaData().getSchema(),
                    file.getFileMetaData().getCreatedBy());
            readers.clear();
            wanted().forEach(column -> readers.put(column, store.getColumnReader(column)));
            left = pages.getRowCount();
        }

        /** A number, a text, or nothing where it is neither. Times are epoch milliseconds. */
        private static @Nullable Object value(PrimitiveType type, ColumnReader reader) {
            LogicalTypeAnnotation meaning = type.getLogicalTypeAnnotation();
            Object plain = switch (type.getPrimitiveTypeName()) {
                case DOUBLE -> reader.getDouble();
                case FLOAT -> (double) reader.getFloat();
                case INT64 -> reader.getLong();
                case INT32 -> (long) reader.getInteger();
                case BINARY, FIXED_LEN_BYTE_ARRAY -> reader.getBinary();
                case BOOLEAN, INT96 -> null;
            };
            if (meaning instanceof DecimalLogicalTypeAnnotation decimal && plain != null) {
                BigInteger digits = plain instanceof Binary bytes
                        ? new BigInteger(bytes.getBytes())
                        : BigInteger.valueOf((Long) plain);
                return new BigDecimal(digits, decimal.getScale()).doubleValue();
            }
            if (meaning instanceof TimestampLogicalTypeAnnotation time && plain instanceof Long count) {
                return switch (time.getUnit()) {
                    case MILLIS -> (double) count;
                    case MICROS -> count / 1e3;
                    case NANOS -> count / 1e6;
                };
            }
            return plain instanceof Binary bytes
                    ? bytes.toStringUsingUTF8()
                    : plain instanceof Long count ? (Object) (double) count : plain;
        }

        /** The number in a column of this row, also where it is a text that is one; null if there is none. */
        @Nullable
        Double number(@Nullable ColumnDescriptor column) {
            Object value = column == null ? null : row.get(column);
            return value instanceof String text ? Numbers.parse(text) : (Double) value;
        }

        /** The text in a column of this row, empty if there is none. */
        String text(@Nullable ColumnDescriptor column) {
            return column != null && row.get(column) instanceof String text ? text : "";
        }

        /** The time in a column of this row, epoch milliseconds; -1 if there is none. */
        long time(@Nullable ColumnDescriptor column) {
            Object value = column == null ? null : row.get(column);
            return value instanceof String text
                    ? PointRows.timestampMs(text)
                    : value == null ? -1 : PointRows.timestampMs((double) (Double) value);
        }

        /** All numbers of this row by the names of their columns. */
        Map<String, Double> numbers() {
            Map<String, Double> numbers = new LinkedHashMap<>();
            row.forEach((column, value) -> {
                if (value instanceof Double number) {
                    numbers.put(column.getPath()[0], number);
                }
            });
            return numbers;
        }

        @Override
        public void close() throws IOException {
            file.close();
        }
    }

    /** Where rows would become objects, if they were not read column by column. */
    private static final class Unconverted extends GroupConverter {
        @Override
        public Converter getConverter(int field) {
            return new PrimitiveConverter() {};
        }

        @Override
        public void start() {}

        @Override
        public void end() {}
    }
}
