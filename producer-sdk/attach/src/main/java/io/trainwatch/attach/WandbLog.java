package io.trainwatch.attach;

import io.trainwatch.attach.ProtoReader.MalformedException;
import io.trainwatch.event.FinishStatus;
import io.trainwatch.event.RunFinished;
import io.trainwatch.event.RunStarted;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.zip.CRC32;
import org.jspecify.annotations.Nullable;

/**
 * The transaction log of Weights &amp; Biases, {@code wandb/run-DATE-ID/run-ID.wandb}, which runs write online and offline.
 *
 * <pre>
 * file     ":W&amp;B" | magic 0xBEE1 (2 bytes, little endian) | version 0, then blocks of 32 KiB as LevelDB has them
 * part     CRC-32 of type and data (4) | length (2, little endian) | type (1): 1 full, 2 first, 3 middle, 4 last | data
 * record   Record {History history = 2; Output output = 4; Config config = 5; Run run = 17; Exit exit = 18}
 * History  {repeated Item item = 1};  Item {string key = 1; repeated string nested_key = 2; string value_json = 16}
 * </pre>
 *
 * <p>A row of the history is a moment, as {@link MetricLines} has it; images, tables and other objects are passed over. The run
 * says its name, project and the lengths that are in its configuration; the exit says how it ended. Timestamps are those of
 * the file. A record that is not finished is where the writer stands. One whose checksum is wrong is a problem, and the next
 * block is read.
 */
final class WandbLog implements LogFormat {
    /** Largest record that is looked at, in bytes. */
    static final int MAX_RECORD_BYTES = 4 << 20;

    /** Items of one row that are looked at. */
    static final int MAX_ITEMS = 4096;

    private static final byte[] HEADER = {':', 'W', '&', 'B', (byte) 0xe1, (byte) 0xbe, 0};
    private static final int BLOCK_BYTES = 32 * 1024;
    private static final int PART_HEADER_BYTES = 7;
    private static final int FULL = 1;
    private static final int FIRST = 2;
    private static final int MIDDLE = 3;
    private static final int LAST = 4;
    private static final Pattern NAME = Pattern.compile("run-([A-Za-z0-9_.-]{1,128})\\.wandb");

    @Override
    public String name() {
        return "wandb";
    }

    @Override
    public String description() {
        return "Weights & Biases, online and offline (wandb/run-*/run-ID.wandb)";
    }

    @Override
    public boolean isText() {
        return false;
    }

    @Override
    public Optional<String> recognise(LogInput input) throws IOException {
        byte[] head = input.headBytes();
        return head.length >= HEADER.length && Arrays.equals(head, 0, HEADER.length, HEADER, 0, HEADER.length)
                ? Optional.of("\":W&B\" at the beginning")
                : Optional.empty();
    }

    @Override
    public String runId(LogInput input) {
        Path name = input.path() == null ? null : input.path().getFileName();
        Matcher id = NAME.matcher(name == null ? "" : name.toString());
        return id.matches() ? id.group(1) : RunEvents.runId(input);
    }

    @Override
    public LogReader open(LogInput input) throws IOException {
        return new Reader(input, runId(input));
    }

    private static final class Reader implements LogReader {
        private final LogInput input;
        private final InputStream in;
        private final RunEvents events;
        private final Journal journal;
        private final MetricLines.Keys keys = new MetricLines.Keys();
        private byte[] record = new byte[4096];
        private int length;
        private boolean inRecord;
        private boolean tooLarge;
        private long recordStart;
        private long number;
        private long position;
        private boolean ended;
        private long ignored;

        Reader(LogInput input, String runId) throws IOException {
            this.input = input;
            in = input.once();
            events = new RunEvents(input, runId);
            events.facts().setFramework("wandb");
            journal = new Journal(events);
        }

        @Override
        public @Nullable LogEntry next() throws IOException {
            while (events.isEmpty() && !ended) {
                try {
                    if (position == 0) {
                        begin();
                    } else {
                        readPart();
                    }
                } catch (EOFException unfinished) {
                    ended = true;
                }
            }
            return events.poll();
        }

        private void begin() throws IOException {
            byte[] header = read(HEADER.length);
            if (!Arrays.equals(header, HEADER)) {
                events.problem(1, 0, "the file does not begin with \":W&B\": it is no log of Weights & Biases");
                ended = true;
            }
        }

        private byte[] read(int bytes) throws IOException {
            byte[] read = in.readNBytes(bytes);
            position += read.length;
            if (read.length < bytes) {
                throw new EOFException();
            }
            return read;
        }

        private void readPart() throws IOException {
            int left = BLOCK_BYTES - (int) (position % BLOCK_BYTES);
            if (left < PART_HEADER_BYTES) {
                read(left);
                return;
            }
            long start = position;
            byte[] header = read(PART_HEADER_BYTES);
            ByteBuffer fields = ByteBuffer.wrap(header).order(ByteOrder.LITTLE_ENDIAN);
            int size = fields.getShort(4) & 0xffff;
            int type = header[6];
            int room = left - PART_HEADER_BYTES;
            if (size > room || type < FULL || type > LAST) {
                boolean padding = size == 0 && type == 0;
                if (!padding) {
                    broken(start, "the length or the type of the part at byte " + start + " is wrong");
                }
                read(room);
                return;
            }
            byte[] data = read(size);
            CRC32 crc = new CRC32();
            crc.update(header, 6, 1);
            crc.update(data);
            if ((int) crc.getValue() != fields.getInt(0)) {
                broken(start, "the checksum of the part at byte " + start + " is wrong: it is passed over");
                return;
            }
            part(type, data, start);
        }

        private void broken(long start, String message) {
            events.problem(number + 1, start, message);
            inRecord = false;
        }

        private void part(int type, byte[] data, long start) {
            boolean begins = type == FULL || type == FIRST;
            if (begins) {
                length = 0;
                tooLarge = false;
                recordStart = start;
            } else if (!inRecord) {
                return; // its beginning was broken
            }
            inRecord = type == FIRST || type == MIDDLE;
            if (length + data.length > MAX_RECORD_BYTES) {
                tooLarge = true;
            } else {
                if (length + data.length > record.length) {
                    record = Arrays.copyOf(record, Math.max(length + data.length, 2 * record.length));
                }
                System.arraycopy(data, 0, record, length, data.length);
                length += data.length;
            }
            if (type == FULL || type == LAST) {
                number++;
                if (tooLarge) {
                    ignored++;
                    return;
                }
                try {
                    take(new ProtoReader(record, 0, length));
                } catch (MalformedException e) {
                    events.problem(number, recordStart, "record " + number + " is none: " + e.getMessage());
                }
            }
        }

        private void take(ProtoReader fields) throws MalformedException {
            while (fields.next()) {
                if (fields.is(2, ProtoReader.BYTES)) {
                    history(fields.message());
                } else if (fields.is(5, ProtoReader.BYTES)) {
                    configuration(fields.message());
                } else if (fields.is(17, ProtoReader.BYTES)) {
                    run(fields.message());
                } else if (fields.is(18, ProtoReader.BYTES)) {
                    exit(fields.message());
                }
            }
        }

        private void run(ProtoReader run) throws MalformedException {
            RunStarted facts = events.facts();
            while (run.next()) {
                if (run.is(3, ProtoReader.BYTES) && run.length() > 0) {
                    facts.setProject(RunEvents.shown(run.text(), 128));
                } else if (run.is(4, ProtoReader.BYTES)) {
                    configuration(run.message());
                } else if (run.is(8, ProtoReader.BYTES) && run.length() > 0) {
                    facts.setRunName(RunEvents.shown(run.text(), 256));
                }
            }
        }

        /** Config {repeated Item update = 1}. */
        private void configuration(ProtoReader configuration) throws MalformedException {
            while (configuration.next()) {
                if (configuration.is(1, ProtoReader.BYTES)) {
                    Item item = item(configuration.message());
                    Double value = item.number();
                    if (value != null && value > 0 && value < 0x1p53) {
                        switch (item.key()) {
                            case "max_steps", "total_steps", "max_iters", "num_iterations" ->
                                events.facts().setMaxSteps(value >= 1 ? (Long) value.longValue() : null);
                            case "epochs", "max_epochs", "num_epochs", "num_train_epochs" ->
                                events.facts().setMaxEpochs(value);
                            default -> {}
                        }
                    }
                }
            }
        }

        private record Item(String key, String json) {
            @Nullable
            Double number() {
                return Numbers.parse(
                        json.length() > 2 && json.startsWith("\"") && json.endsWith("\"")
                                ? json.substring(1, json.length() - 1)
                                : json);
            }
        }

        private Item item(ProtoReader item) throws MalformedException {
            StringBuilder key = new StringBuilder();
            String json = "";
            while (item.next()) {
                if (item.is(1, ProtoReader.BYTES) || item.is(2, ProtoReader.BYTES)) {
                    boolean fits = key.length() + item.length() <= 4 * MetricNames.MAX_NAME_CHARACTERS;
                    if (fits && item.length() > 0) {
                        key.append(key.length() == 0 ? "" : "/").append(item.text());
                    }
                } else if (item.is(16, ProtoReader.BYTES) && item.length() <= Numbers.MAX_CHARACTERS) {
                    json = item.text();
                }
            }
            return new Item(key.toString(), json);
        }

        private void history(ProtoReader history) throws MalformedException {
            Map<String, Double> numbers = new LinkedHashMap<>();
            double seconds = Double.NaN;
            double ownStep = Double.NaN;
            while (history.next()) {
                if (history.is(1, ProtoReader.BYTES) && numbers.size() < MAX_ITEMS) {
                    Item item = item(history.message());
                    Double value = item.number();
                    if (value == null || item.key().isBlank()) {
                        ignored++;
                    } else if (item.key().equals("_timestamp")) {
                        seconds = value;
                    } else if (item.key().equals("_step")) {
                        ownStep = value;
                    } else if (!item.key().equals("_runtime")) {
                        numbers.put(item.key(), value);
                    }
                }
            }
            // Its own step counts the calls of log(); one that the trainer counts says more.
            if (!Double.isNaN(ownStep)) {
                numbers.put("_step", ownStep);
            }
            MetricRow row = keys.row(numbers);
            if (!row.saysSomething()) {
                return;
            }
            if (!events.started()) {
                MetricFacts.tell(events.facts(), keys.latest());
            }
            double ms = seconds * 1000;
            journal.add(row, number, recordStart, ms >= 0 && ms < 1e14 ? (Long) (long) ms : null);
        }

        private void exit(ProtoReader exit) throws MalformedException {
            int code = 0;
            while (exit.next()) {
                if (exit.is(1, ProtoReader.VARINT)) {
                    code = (int) exit.number();
                }
            }
            RunFinished finished =
                    Endings.finished(code == 0 ? FinishStatus.completed : FinishStatus.failed, null, null);
            finished.setExitCode(code);
            events.add(number, recordStart, journal.lastStep() < 0 ? null : (Long) journal.lastStep(), null, finished);
        }

        @Override
        public long ignoredFields() {
            return ignored + keys.ignored();
        }

        @Override
        public void close() throws IOException {
            try (input) {
                in.close();
            }
        }
    }
}
