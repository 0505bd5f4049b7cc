package io.trainwatch.attach;

import java.io.BufferedInputStream;
import java.io.Closeable;
import java.io.IOException;
import java.io.InputStream;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.jspecify.annotations.Nullable;

/** A log that is to be read: a file, or a stream such as the standard input. Not thread-safe. */
public final class LogInput implements Closeable {
    /** Bytes by which a format is recognised: room for a first line with a model's layers in it. */
    public static final int HEAD_BYTES = 64 * 1024;

    /** Longest stream that is kept in a temporary file because its format has to be read twice: 1 GiB. */
    static final long MAX_SPOOLED_BYTES = 1L << 30;

    private final String name;
    private final @Nullable Path path;
    private @Nullable FileChannel file;
    private final @Nullable InputStream stream;

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
        return new LogInput(path.toString(), path, FileChannel.open(path, StandardOpenOption.READ), null);
    }

    /** A stream; {@code name} stands for it in messages and, where the log carries none, as run id. */
    public static LogInput of(String name, InputStream stream) {
        return new LogInput(name, null, null, new BufferedInputStream(stream, HEAD_BYTES));
    }

    /** The path, or the name that was given to the stream. */
    public String name() {
        return name;
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
        byte[] head;
        if (file != null) {
            file.position(0);
            head = Channels.newInputStream(file).readNBytes(HEAD_BYTES);
            file.position(0);
        } else {
            InputStream open = live();
            open.mark(HEAD_BYTES);
            head = open.readNBytes(HEAD_BYTES);
            open.reset();
        }
        String text = new String(head, StandardCharsets.UTF_8);
        return text.startsWith("\ufeff") ? text.substring(1) : text;
    }

    /** What is to be read, as it arrives. */
    InputStream once() {
        return file == null ? live() : new BufferedInputStream(Channels.newInputStream(file), HEAD_BYTES);
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
        return new BufferedInputStream(Channels.newInputStream(file), HEAD_BYTES);
    }

    private InputStream live() {
        if (stream == null) {
            throw new IllegalStateException(name + " is a file, not a stream");
        }
        return stream;
    }

    private FileChannel spool(InputStream in) throws IOException {
        Path copy = Files.createTempFile("trainwatch-", ".log");
        FileChannel channel = FileChannel.open(
                copy, StandardOpenOption.READ, StandardOpenOption.WRITE, StandardOpenOption.DELETE_ON_CLOSE);
        try {
            byte[] chunk = new byte[HEAD_BYTES];
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
