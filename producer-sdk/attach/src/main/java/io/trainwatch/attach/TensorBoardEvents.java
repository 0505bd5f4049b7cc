package io.trainwatch.attach;

import io.trainwatch.attach.MetricNames.Metric;
import io.trainwatch.attach.MetricNames.Span;
import io.trainwatch.attach.ProtoReader.MalformedException;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.zip.CRC32C;
import org.jspecify.annotations.Nullable;

/**
 * Event files of TensorBoard ({@code events.out.tfevents.*}), as PyTorch, TensorFlow and Keras write them.
 *
 * <pre>
 * record   length (8 bytes, little endian) | masked CRC-32C of it (4) | data | masked CRC-32C of it (4)
 * data     Event {double wall_time = 1; int64 step = 2; string file_version = 3; Summary summary = 5}
 * Summary  {repeated Value value = 1};  Value {string tag = 1; float simple_value = 2; Tensor tensor = 8}
 * </pre>
 *
 * <p>Scalars are read, whether simple values or tensors of one number; images, histograms, graphs and texts are passed over.
 * {@link MetricNames} says what a tag is; where Keras or others write one folder for each split, the folder {@code validation}
 * or {@code eval} says it. Numbers of one step are one row, which is complete when another step or the same tag again comes.
 * Timestamps are those of the file.
 *
 * <p>A record that is not finished is where the writer stands: the log ends there. A record whose checksum is wrong is a
 * problem, and the next is read; behind a length whose checksum is wrong nothing can be found again.
 */
final class TensorBoardEvents implements LogFormat {
    /** Largest record that is looked at, in bytes; what is larger holds images or graphs. */
    static final int MAX_RECORD_BYTES = 4 << 20;

    /** Tags that are told apart; those beyond are passed over. */
    static final int MAX_TAGS = 10_000;

    private static final int HEADER_BYTES = 12;
    private static final int MASK = 0xa282ead8;

    private static int masked(byte[] bytes, int start, int length) {
        CRC32C crc = new CRC32C();
        crc.update(bytes, start, length);
        int value = (int) crc.getValue();
        return ((value >>> 15) | (value << 17)) + MASK;
    }

    private static boolean isHeader(byte[] bytes) {
        return bytes.length >= HEADER_BYTES
                && masked(bytes, 0, 8) == littleEndian(bytes).getInt(8);
    }

    private static ByteBuffer littleEndian(byte[] bytes) {
        return ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    }

    @Override
    public String name() {
        return "tfevents";
    }

    @Override
    public String description() {
        return "TensorBoard event file (events.out.tfevents.*)";
    }

    @Override
    public Optional<String> recognise(LogInput input) throws IOException {
        return isHeader(input.headBytes())
                ? Optional.of("a record length with its CRC-32C at the beginning")
                : Optional.empty();
    }

    @Override
    public boolean isText() {
        return false;
    }

    @Override
    public LogReader open(LogInput input) throws IOException {
        return new Reader(input);
    }

    /** One scalar. */
    private record Scalar(String tag, double value) {}

    /** One event with its scalars. */
    private record Moment(double wallTime, long step, List<Scalar> scalars) {}

    /** What is in a record; null if it has no scalar. */
    private static @Nullable Moment moment(byte[] data, int length) throws MalformedException {
        ProtoReader event = new ProtoReader(data, 0, length);
        double wallTime = Double.NaN;
        long step = 0;
        List<Scalar> scalars = List.of();
        while (event.next()) {
            if (event.is(1, ProtoReader.FIXED64)) {
                wallTime = event.doubleNumber();
            } else if (event.is(2, ProtoReader.VARINT)) {
                step = event.number();
            } else if (event.is(5, ProtoReader.BYTES)) {
                scalars = scalars(event.message());
            }
        }
        return scalars.isEmpty() ? null : new Moment(wallTime, step, scalars);
    }

    private static List<Scalar> scalars(ProtoReader summary) throws MalformedException {
        List<Scalar> scalars = new ArrayList<>();
        while (summary.next()) {
            if (summary.is(1, ProtoReader.BYTES) && scalars.size() < MAX_TAGS) {
                Scalar scalar = scalar(summary.message());
                if (scalar != null) {
                    scalars.add(scalar);
                }
            }
        }
        return scalars;
    }

    private static @Nullable Scalar scalar(ProtoReader value) throws MalformedException {
        String tag = "";
        Double number = null;
        while (value.next()) {
            if (value.is(1, ProtoReader.BYTES)) {
                tag = value.length() > 4 * MetricNames.MAX_NAME_CHARACTERS ? "" : value.text();
            } else if (value.is(2, ProtoReader.FIXED32)) {
                number = value.floatNumber();
            } else if (value.is(8, ProtoReader.BYTES)) {
                number = tensor(value.message());
            }
        }
        return tag.isBlank() || number == null ? null : new Scalar(tag, number);
    }

    /** The number of a tensor that holds one float or double; null for any other. */
    private static @Nullable Double tensor(ProtoReader tensor) throws MalformedException {
        long type = 0;
        Double number = null;
        while (tensor.next()) {
            if (tensor.is(1, ProtoReader.VARINT)) {
                type = tensor.number();
            } else if (tensor.is(4, ProtoReader.BYTES) && tensor.length() == 4 && type != 2) {
                number = (double) tensor.floatAt(0);
            } else if (tensor.is(4, ProtoReader.BYTES) && tensor.length() == 8 && type != 1) {
                number = tensor.doubleAt(0);
            } else if (tensor.is(5, ProtoReader.FIXED32)) {
                number = tensor.floatNumber();
            } else if (tensor.is(5, ProtoReader.BYTES) && tensor.length() == 4) {
                number = (double) tensor.floatAt(0);
            } else if (tensor.is(6, ProtoReader.FIXED64)) {
                number = tensor.doubleNumber();
            } else if (tensor.is(6, ProtoReader.BYTES) && tensor.length() == 8) {
                number = tensor.doubleAt(0);
            }
        }
        return type == 1 || type == 2 ? number : null;
    }

    @Override
    public String runId(LogInput input) {
        return runIdOf(input);
    }

    /** All folders of splits are of one run, which is called like the folder above them. */
    private static String runIdOf(LogInput input) {
        String id = RunEvents.runId(input);
        return split(input.path()) != null && id.lastIndexOf('/') > 0 ? id.substring(0, id.lastIndexOf('/')) : id;
    }

    private static @Nullable Split split(@Nullable Path path) {
        return path == null
                ? null
                : Split.ofFolder(path.toAbsolutePath().normalize().getParent());
    }

    private static final class Reader implements LogReader {
        private final LogInput input;
        private final InputStream in;
        private final RunEvents events;
        private final Journal journal;
        private final Map<String, Metric> metrics = new HashMap<>();
        private final Set<String> loggedInSteps = new HashSet<>();
        private final String folderSplit;
        private byte[] buffer = new byte[4096];
        private long record;
        private long offset;
        private boolean ended;
        private long ignored;

        private MetricRow row = new MetricRow();
        private final Set<String> tags = new HashSet<>();
        private long rowStep;
        private long rowRecord = 1;
        private long rowOffset;
        private double rowTime = Double.NaN;

        Reader(LogInput input) throws IOException {
            this.input = input;
            folderSplit = folderSplit(input.path());
            factsFrom(input);
            in = input.once();
            events = new RunEvents(input, runIdOf(input));
            journal = new Journal(events);
        }

        private static String folderSplit(@Nullable Path path) {
            return split(path) == Split.EVALUATION ? "val/" : "";
        }

        /** The tags at the beginning, which say what kind of run it is and what is logged for steps. */
        private void factsFrom(LogInput input) throws IOException {
            byte[] head = input.headBytes();
            int at = 0;
            while (head.length - at >= HEADER_BYTES) {
                long length = littleEndian(head).getLong(at);
                if (length < 0 || length > head.length - at - HEADER_BYTES - 4) {
                    return;
                }
                byte[] data = Arrays.copyOfRange(head, at + HEADER_BYTES, at + HEADER_BYTES + (int) length);
                try {
                    Moment moment = moment(data, data.length);
                    if (moment != null) {
                        moment.scalars().forEach(scalar -> metric(scalar.tag()));
                    }
                } catch (MalformedException saidWhenItIsRead) {
                    return;
                }
                at += HEADER_BYTES + (int) length + 4;
            }
        }

        private @Nullable Metric metric(String tag) {
            Metric metric = metrics.get(tag);
            if (metric == null && metrics.size() < MAX_TAGS) {
                metric = MetricNames.of(folderSplit + tag);
                metrics.put(tag, metric);
                if (metric.span() == Span.STEP) {
                    loggedInSteps.add(metric.split() + " " + metric.name());
                }
            }
            return metric;
        }

        @Override
        public @Nullable LogEntry next() throws IOException {
            while (events.isEmpty() && !ended) {
                try {
                    readRecord();
                } catch (EOFException unfinished) {
                    ended = true;
                }
                if (ended) {
                    flush();
                }
            }
            return events.poll();
        }

        @Override
        public List<LogEntry> settle() {
            if (!row.isEmpty()) {
                flush();
            }
            return events.drain();
        }

        private void readRecord() throws IOException {
            long start = offset;
            byte[] header = in.readNBytes(HEADER_BYTES);
            if (header.length < HEADER_BYTES) {
                if (record == 0) {
                    flush();
                    events.problem(1, 0, "the file has no whole record, but must begin with one");
                }
                ended = true;
                return;
            }
            record++;
            long length = littleEndian(header).getLong(0);
            if (!isHeader(header) || length < 0) {
                flush();
                events.problem(
                        record,
                        start,
                        "the checksum of the length of record " + record + " is wrong: nothing behind can be read");
                ended = true;
                return;
            }
            if (length > MAX_RECORD_BYTES) {
                in.skipNBytes(length);
                in.skipNBytes(4);
                ignored++;
                offset = start + HEADER_BYTES + length + 4;
                return;
            }
            int size = (int) length;
            if (size + 4 > buffer.length) {
                buffer = new byte[Math.max(size + 4, Math.min(2 * buffer.length, MAX_RECORD_BYTES + 4))];
            }
            if (in.readNBytes(buffer, 0, size + 4) < size + 4) {
                ended = true;
                return;
            }
            offset = start + HEADER_BYTES + length + 4;
            if (masked(buffer, 0, size) != littleEndian(buffer).getInt(size)) {
                events.problem(record, start, "the checksum of record " + record + " is wrong: it is passed over");
                return;
            }
            try {
                Moment moment = moment(buffer, size);
                if (moment != null) {
                    take(moment, start);
                }
            } catch (MalformedException e) {
                events.problem(record, start, "record " + record + " is no event: " + e.getMessage());
            }
        }

        private void take(Moment moment, long start) {
            if (moment.step() < 0 || moment.step() > 1L << 53) {
                events.problem(record, start, "step is " + moment.step() + ", but must be at least 0");
                return;
            }
            for (Scalar scalar : moment.scalars()) {
                Metric metric = metric(scalar.tag());
                if (metric == null) {
                    ignored++;
                    continue;
                }
                if (tags.isEmpty() || moment.step() != rowStep || tags.contains(scalar.tag())) {
                    flush();
                    rowStep = moment.step();
                    rowRecord = record;
                    rowOffset = start;
                    rowTime = moment.wallTime();
                }
                tags.add(scalar.tag());
                switch (metric.role()) {
                    case STEP, GLOBAL_STEP -> ignored++; // the step of the event says it
                    default ->
                        row.put(
                                metric,
                                scalar.value(),
                                metric.span() == Span.EPOCH
                                        && loggedInSteps.contains(metric.split() + " " + metric.name()));
                }
            }
        }

        private void flush() {
            if (!row.isEmpty()) {
                if (!events.started()) {
                    MetricFacts.tell(events.facts(), metrics.values());
                }
                row.step = (double) rowStep;
                double ms = rowTime * 1000;
                journal.add(row, rowRecord, rowOffset, ms >= 0 && ms < 1e14 ? (Long) (long) ms : null);
            }
            ignored += row.left();
            row = new MetricRow();
            tags.clear();
        }

        @Override
        public long ignoredFields() {
            return ignored;
        }

        @Override
        public void close() throws IOException {
            try (input) {
                in.close();
            }
        }
    }
}
