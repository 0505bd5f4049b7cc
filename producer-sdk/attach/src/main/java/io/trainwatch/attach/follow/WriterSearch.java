package io.trainwatch.attach.follow;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * The process that has a log open for writing, found by looking through {@code /proc}: a job whose death can be told without
 * being told its number. Many writers open a log only for the moment in which they write; then there is none to be found.
 */
final class WriterSearch implements Job {
    private static final Path PROC = Path.of("/proc");
    private static final long SEARCH_EVERY_NANOS = TimeUnit.SECONDS.toNanos(30);

    private final Path log;
    private @Nullable Job writer;
    private long searchedNanos = System.nanoTime() - SEARCH_EVERY_NANOS;

    private WriterSearch(Path log) {
        this.log = log;
    }

    /** The writer of a log, whoever it is; one that cannot be seen where there is no {@code /proc}. */
    static Job of(Path log) {
        return Files.isDirectory(PROC.resolve("self/fd")) ? new WriterSearch(log) : Job.UNSEEN;
    }

    @Override
    public Life life() {
        Job known = writer;
        if (known == null && System.nanoTime() - searchedNanos >= SEARCH_EVERY_NANOS) {
            searchedNanos = System.nanoTime();
            known = find();
            writer = known;
        }
        if (known == null) {
            return Life.UNSEEN;
        }
        Life life = known.life();
        if (life == Life.ENDED) {
            writer = null; // another one may go on with it
        }
        return life;
    }

    @Override
    public String description() {
        return writer == null ? UNSEEN.description() : writer.description();
    }

    private @Nullable Job find() {
        Path real;
        try (DirectoryStream<Path> processes = Files.newDirectoryStream(PROC, "[0-9]*")) {
            real = log.toRealPath();
            for (Path process : processes) {
                long pid = Long.parseLong(String.valueOf(process.getFileName()));
                if (pid != ProcessHandle.current().pid() && writes(process, real)) {
                    return ProcessHandle.of(pid).map(Job::process).orElse(null);
                }
            }
        } catch (IOException | NumberFormatException e) {
            return null;
        }
        return null;
    }

    private static boolean writes(Path process, Path log) {
        try (DirectoryStream<Path> open = Files.newDirectoryStream(process.resolve("fd"))) {
            for (Path descriptor : open) {
                if (Files.readSymbolicLink(descriptor).equals(log) && isForWriting(process, descriptor)) {
                    return true;
                }
            }
        } catch (IOException e) {
            return false; // it is gone, or belongs to another user
        }
        return false;
    }

    /** The flags of an open file are octal, and its last two bits say what it is open for. */
    private static boolean isForWriting(Path process, Path descriptor) throws IOException {
        for (String line : Files.readAllLines(process.resolve("fdinfo").resolve(descriptor.getFileName()))) {
            if (line.startsWith("flags:")) {
                return (Integer.parseInt(line.substring("flags:".length()).strip(), 8) & 3) != 0;
            }
        }
        return false;
    }
}
