package io.trainwatch.attach.follow;

import io.trainwatch.attach.LogEntry;
import io.trainwatch.attach.LogFormat;
import io.trainwatch.attach.LogInput;
import io.trainwatch.attach.LogReader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * A file that is written as a whole each time, as it is at one moment. The Hugging Face Trainer writes its state into each
 * checkpoint: the latest of those beside each other is the file.
 *
 * @param path the file
 * @param bytes its size
 * @param modifiedMs when it was written, epoch milliseconds
 */
record Snapshot(Path path, long bytes, long modifiedMs) {
    private static final Pattern CHECKPOINT = Pattern.compile("checkpoint-(\\d{1,18})");

    /** The latest form of a file; null if there is none now. */
    static @Nullable Snapshot latest(Path path) throws IOException {
        Path folder = path.getParent();
        Path name = folder == null ? null : folder.getFileName();
        Path above = folder == null ? null : folder.getParent();
        if (name == null
                || above == null
                || !CHECKPOINT.matcher(name.toString()).matches()) {
            return of(path);
        }
        List<Path> checkpoints = new ArrayList<>();
        try (Stream<Path> beside = Files.list(above)) {
            beside.filter(one -> step(one) >= 0)
                    .map(one -> one.resolve(path.getFileName()))
                    .forEach(checkpoints::add);
        } catch (NoSuchFileException e) {
            return null;
        } catch (UncheckedIOException e) {
            throw new IOException(e.getMessage(), e);
        }
        checkpoints.sort(
                Comparator.comparingLong((Path one) -> step(one.getParent())).reversed());
        for (Path one : checkpoints) {
            Snapshot snapshot = of(one);
            if (snapshot != null) {
                return snapshot;
            }
        }
        return null;
    }

    private static long step(@Nullable Path folder) {
        Path name = folder == null ? null : folder.getFileName();
        Matcher checkpoint = CHECKPOINT.matcher(name == null ? "" : name.toString());
        return checkpoint.matches() ? Long.parseLong(checkpoint.group(1)) : -1;
    }

    private static @Nullable Snapshot of(Path path) throws IOException {
        try {
            BasicFileAttributes attributes = Files.readAttributes(path, BasicFileAttributes.class);
            return new Snapshot(
                    path, attributes.size(), attributes.lastModifiedTime().toMillis());
        } catch (NoSuchFileException e) {
            return null;
        }
    }

    /** The same with all files that are read with it. */
    Snapshot with(LogFormat format) throws IOException {
        long allBytes = 0;
        long latestMs = modifiedMs;
        for (Path part : format.parts(path)) {
            Snapshot one = of(part);
            allBytes += one == null ? 0 : one.bytes();
            latestMs = one == null ? latestMs : Math.max(latestMs, one.modifiedMs());
        }
        return new Snapshot(path, allBytes, latestMs);
    }

    /** All that it says; a problem if it is not whole, and nothing if it is gone. */
    List<LogEntry> read(LogFormat format, LogInput.Times times) throws IOException {
        List<LogEntry> entries = new ArrayList<>();
        try (LogReader reader = format.open(LogInput.of(path).with(times))) {
            for (LogEntry entry = reader.next(); entry != null; entry = reader.next()) {
                entries.add(entry);
            }
        } catch (NoSuchFileException e) {
            return List.of();
        }
        return entries;
    }

    FileIdentity identity() throws IOException {
        try (FileChannel file = FileChannel.open(path, StandardOpenOption.READ)) {
            return FileIdentity.of(path, file);
        } catch (NoSuchFileException e) {
            return new FileIdentity(-1, 0, 0);
        }
    }
}
