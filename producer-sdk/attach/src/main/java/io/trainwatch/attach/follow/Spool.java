package io.trainwatch.attach.follow;

import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;

/**
 * What comes through a pipe, in a file: who writes into the pipe never waits for who reads the file. Beyond {@value #MAX_BYTES}
 * bytes another file takes its name, as with rotation; the one before is gone as soon as it is read.
 */
public final class Spool implements AutoCloseable {
    static final long MAX_BYTES = 1L << 30;

    /** Time between two looks: a file of this host, which costs next to nothing. */
    static final Duration INTERVAL = Duration.ofMillis(200);

    private static final int CHUNK_BYTES = 64 * 1024;

    private final Path directory;
    private final Path path;
    private FileChannel file;
    private long bytes;

    private Spool(Path directory, String name) throws IOException {
        this.directory = directory;
        path = directory.resolve(name);
        file = FileChannel.open(path, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);
    }

    /**
     * An empty one in the directory for temporary files.
     *
     * @param name what the log is to be called
     * @throws IOException if it cannot be made
     */
    public static Spool create(String name) throws IOException {
        return new Spool(Files.createTempDirectory("trainwatch-"), name);
    }

    public Path path() {
        return path;
    }

    /** Adds to it; all of it lies there together. */
    public synchronized void write(byte[] chunk, int start, int length) throws IOException {
        if (bytes > MAX_BYTES) {
            Path next = directory.resolve("next");
            FileChannel opened = FileChannel.open(next, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
            Files.move(next, path, StandardCopyOption.REPLACE_EXISTING);
            file.close();
            file = opened;
            bytes = 0;
        }
        ByteBuffer buffer = ByteBuffer.wrap(chunk, start, length);
        while (buffer.hasRemaining()) {
            file.write(buffer);
        }
        bytes += length;
    }

    /** Takes in all that comes, on a thread of its own; the job that writes it lives until there is no more. */
    public Job fill(InputStream in) {
        CountDownLatch ended = new CountDownLatch(1);
        Thread filling = new Thread(
                () -> {
                    byte[] chunk = new byte[CHUNK_BYTES];
                    try {
                        for (int read = in.read(chunk); read >= 0; read = in.read(chunk)) {
                            write(chunk, 0, read);
                        }
                    } catch (IOException e) {
                        // Closed at its other end: there is no more.
                    } finally {
                        ended.countDown();
                    }
                },
                "attach-input");
        filling.setDaemon(true);
        filling.start();
        return new Job() {
            @Override
            public Life life() {
                return ended.getCount() == 0 ? Life.ENDED : Life.LIVES;
            }

            @Override
            public boolean isOnlyOne() {
                return true;
            }

            @Override
            public String description() {
                return "what writes to the standard input";
            }
        };
    }

    @Override
    public synchronized void close() throws IOException {
        file.close();
        Files.deleteIfExists(path);
        Files.deleteIfExists(directory);
    }
}
