package io.trainwatch.sdk.internal;

import io.trainwatch.codec.EventJson;
import io.trainwatch.codec.SingleObjectCodec;
import io.trainwatch.codec.UndecodableException;
import io.trainwatch.event.TrainingEvent;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Writes events as JSON Lines to a file or to standard output. A line that cannot be written is refused and offered again
 * a second later: what the disk did not take is not lost.
 */
final class LinesTransport implements Transport {
    private static final Logger log = LoggerFactory.getLogger("io.trainwatch.sdk");
    private static final long TROUBLE_PAUSE_NANOS = 1_000_000_000;

    private final SingleObjectCodec<TrainingEvent> codec = SingleObjectCodec.events();
    private final @Nullable Path file;
    private @Nullable OutputStream out;
    private long settled;
    private long rejected;
    private boolean midLine;
    private boolean troubleLogged;
    private long pauseUntilNanos = System.nanoTime();

    private LinesTransport(@Nullable Path file) {
        this.file = file;
    }

    static Transport toConsole() {
        return new LinesTransport(null);
    }

    static Transport toFile(Path file) {
        return new LinesTransport(file);
    }

    @Override
    public boolean offer(byte[] event) {
        if (System.nanoTime() - pauseUntilNanos < 0) {
            return false;
        }
        try {
            byte[] line = (EventJson.write(codec.decode(event)) + "\n").getBytes(StandardCharsets.UTF_8);
            OutputStream open = out();
            if (midLine) {
                open.write('\n');
            }
            midLine = true;
            open.write(line);
            midLine = false;
        } catch (UndecodableException e) {
            rejected++;
        } catch (IOException | SecurityException e) {
            pauseUntilNanos = System.nanoTime() + TROUBLE_PAUSE_NANOS;
            if (!troubleLogged) {
                troubleLogged = true;
                log.warn(
                        "cannot write events to {}: {}; they wait in memory",
                        file == null ? "console" : file,
                        e.toString());
            }
            return false;
        }
        settled++;
        return true;
    }

    private OutputStream out() throws IOException {
        OutputStream open = out;
        if (open == null) {
            if (file == null) {
                open = System.out;
            } else {
                Path parent = file.toAbsolutePath().getParent();
                if (parent != null) {
                    Files.createDirectories(parent);
                }
                open = Files.newOutputStream(file, StandardOpenOption.CREATE, StandardOpenOption.APPEND);
            }
            out = open;
        }
        return open;
    }

    @Override
    public long settled() {
        return settled;
    }

    @Override
    public long rejected() {
        return rejected;
    }

    @Override
    public boolean hasFailed() {
        return false;
    }

    @Override
    public void close() {
        OutputStream open = out;
        if (open != null && file != null) {
            try {
                open.close();
            } catch (IOException e) {
                log.debug("closing {} failed", file, e);
            }
        }
    }
}
