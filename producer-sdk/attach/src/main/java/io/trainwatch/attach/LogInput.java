package io.trainwatch.attach;

import java.io.BufferedInputStream;
import java.io.ByteArrayInputStream;
import java.io.Closeable;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.Reader;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.zip.GZIPInputStream;
import org.jspecify.annotations.Nullable;

/**
 * A log that is to be read: a file, or a stream such as the standard input. What is compressed with gzip is read as what is
 * in it, and UTF-16 with a byte order mark, which is what the {@code >} of PowerShell writes, as UTF-8; places in the log are
 * places in that. Not thread-safe.
 */
public final class LogInput implements Closeable {
    /** Bytes by which a format is recognised: room for what a scheduler and a launcher say before training begins. */
    public static final int HEAD_BYTES = 256 * 1024;

    /** Longest stream that is kept in a temporary file because its format has to be read twice: 1 GiB. */
    static final long MAX_SPOOLED_BYTES = 1L << 30;

    private static final int BUFFER_BYTES = 64 * 1024;

    private final String name;
    private final @Nullable Path path;
    private @Nullable FileChannel file;
    private @Nullable InputStream stream;
    private boolean decoded;
    private byte @Nullable [] headBytes;
    private @Nullable String head;
    private Times times = LogInput::madeUp;

    /** When something happened of which a log does not say it. */
    @FunctionalInterface
    public interface Times {
        /**
         * Epoch milliseconds.
         *
         * @param event which event of the log it is, from 1
         * @param offset byte of the log at which it begins
         */
        long of(long event, long offset);
    }

    private LogInput(String name, @Nullable Path path, @Nullable FileChannel file, @Nullable InputStream stream) {
        this.name = name;
        this.path = path;
        this.file = file;
        this.stream = stream;
    }

    /**
     * A file.
     *
     * @throws IOException if it cannot be opened
     */
    public static LogInput of(Path path) throws IOException {
        if (Files.isDirectory(path)) {
            throw new IOException(path + " is a directory, where a log file should be");
        }
        FileChannel file = FileChannel.open(path, StandardOpenOption.READ);
        try {
            byte[] start = Channels.newInputStream(file).readNBytes(2);
            file.position(0);
            boolean plain = !isGzip(start) && !isUtf16(start);
            return new LogInput(
                    path.toString(), path, plain ? file : null, plain ? null : Channels.newInputStream(file));
        } catch (IOException e) {
            file.close();
            throw e;
        }
    }

    /** A stream; {@code name} stands for it in messages and, where the log carries none, as run id. */
    public static LogInput of(String name, InputStream stream) {
        return new LogInput(name, null, null, stream);
    }

    /**
     * A file that is read while it grows.
     *
     * @param start its first bytes, by which it is recognised
     * @param content all of it, those bytes included; read once
     * @param times when what has no time of its own happened
     */
    public static LogInput growing(Path path, byte[] start, InputStream content, Times times) throws IOException {
        LogInput input = new LogInput(path.toString(), path, null, content);
        input.headBytes = of(path.toString(), new ByteArrayInputStream(start)).headBytes();
        input.times = times;
        return input;
    }

    /** The same file, with other times for what has none of its own. */
    public LogInput with(Times otherTimes) {
        times = otherTimes;
        return this;
    }

    private static boolean isGzip(byte[] start) {
        return start.length > 1 && start[0] == (byte) 0x1f && start[1] == (byte) 0x8b;
    }

    private static boolean isUtf16(byte[] start) {
        return start.length > 1
                && ((start[0] == (byte) 0xff && start[1] == (byte) 0xfe)
                        || (start[0] == (byte) 0xfe && start[1] == (byte) 0xff));
    }

    /** The path, or the name that was given to the stream. */
    public String name() {
        return name;
    }

    /** When an event happened that the log gives no time. */
    long timeOf(long event, long offset) {
        return times.of(event, offset);
    }

    private static long madeUp(long event, long offset) {
        return HuggingFaceTrainerState.FIRST_TIMESTAMP_MS + (event - 1) * HuggingFaceTrainerState.TIMESTAMP_STEP_MS;
    }

    /** Where the file is; null for a stream. */
    public @Nullable Path path() {
        return path;
    }

    /**
     * The first {@value #HEAD_BYTES} bytes as UTF-8, without moving on.
     *
     * @throws IOException if they cannot be read
     */
    public String head() throws IOException {
        if (head == null) {
            String text = new String(headBytes(), StandardCharsets.UTF_8);
            head = text.startsWith("\ufeff") ? text.substring(1) : text;
        }
        return head;
    }

    /** The same as bytes. */
    byte[] headBytes() throws IOException {
        if (headBytes == null) {
            if (file != null) {
                file.position(0);
                headBytes = Channels.newInputStream(file).readNBytes(HEAD_BYTES);
                file.position(0);
            } else {
                InputStream open = live();
                open.mark(HEAD_BYTES);
                headBytes = open.readNBytes(HEAD_BYTES);
                open.reset();
            }
        }
        return headBytes;
    }

    /**
     * What is to be read, as it arrives.
     *
     * @throws IOException if its beginning cannot be read
     */
    InputStream once() throws IOException {
        return file == null ? live() : new BufferedInputStream(Channels.newInputStream(file), BUFFER_BYTES);
    }

    /**
     * What is to be read, from its start at each call. A stream is read to its end first, into a temporary file.
     *
     * @throws IOException if it is a stream of more than 1 GiB, or cannot be read or kept
     */
    InputStream again() throws IOException {
        if (file == null) {
            file = spool(live());
        }
        file.position(0);
        return new BufferedInputStream(Channels.newInputStream(file), BUFFER_BYTES);
    }

    private InputStream live() throws IOException {
        if (stream == null) {
            throw new IllegalStateException(name + " is a file, not a stream");
        }
        if (!decoded) {
            decoded = true;
            InputStream start = buffered(stream);
            stream = start;
            if (isGzip(peek(start))) {
                start = buffered(new GZIPInputStream(start, BUFFER_BYTES));
                stream = start;
            }
            if (isUtf16(peek(start))) {
                stream = buffered(new Utf8(new InputStreamReader(start, StandardCharsets.UTF_16)));
            }
        }
        return stream;
    }

    private static InputStream buffered(InputStream in) {
        return new BufferedInputStream(in, BUFFER_BYTES);
    }

    private static byte[] peek(InputStream in) throws IOException {
        in.mark(2);
        byte[] start = in.readNBytes(2);
        in.reset();
        return start;
    }

    /** Text as UTF-8. */
    private static final class Utf8 extends InputStream {
        private final Reader text;
        private final char[] characters = new char[8192];
        private InputStream bytes = new ByteArrayInputStream(new byte[0]);
        private int kept;

        Utf8(Reader text) {
            this.text = text;
        }

        @Override
        public int read() throws IOException {
            byte[] one = new byte[1];
            return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
        }

        @Override
        public int read(byte[] target, int start, int length) throws IOException {
            int read = bytes.read(target, start, length);
            while (read < 0) {
                int more = text.read(characters, kept, characters.length - kept);
                if (more < 0 && kept == 0) {
                    return -1;
                }
                int count = kept + Math.max(0, more);
                boolean half = more > 0 && Character.isHighSurrogate(characters[count - 1]);
                int whole = half ? count - 1 : count;
                bytes = new ByteArrayInputStream(new String(characters, 0, whole).getBytes(StandardCharsets.UTF_8));
                kept = count - whole;
                characters[0] = half ? characters[whole] : characters[0];
                read = bytes.read(target, start, length);
            }
            return read;
        }

        @Override
        public void close() throws IOException {
            text.close();
        }
    }

    private FileChannel spool(InputStream in) throws IOException {
        Path copy = Files.createTempFile("trainwatch-", ".log");
        FileChannel channel = FileChannel.open(
                copy, StandardOpenOption.READ, StandardOpenOption.WRITE, StandardOpenOption.DELETE_ON_CLOSE);
        try {
            byte[] chunk = new byte[BUFFER_BYTES];
            long total = 0;
            var out = Channels.newOutputStream(channel);
            for (int read = in.read(chunk); read >= 0; read = in.read(chunk)) {
                total += read;
                if (total > MAX_SPOOLED_BYTES) {
                    throw new IOException(name + " has more than " + MAX_SPOOLED_BYTES
                            + " bytes, the most that is kept of a stream: read it from a file");
                }
                out.write(chunk, 0, read);
            }
            return channel;
        } catch (IOException e) {
            channel.close();
            throw e;
        }
    }

    @Override
    public void close() throws IOException {
        try {
            if (file != null) {
                file.close();
            }
        } finally {
            if (stream != null) {
                stream.close();
            }
        }
    }
}
