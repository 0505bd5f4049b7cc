package io.trainwatch.attach.follow;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.AtomicMoveNotSupportedException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * How far a log was read and delivered, and all that it takes to read it again in the very same way. A log is read from its
 * start each time, and what was delivered is passed over: what a reader knows by then (the epoch that was announced an hour
 * ago) is not in the file at any one place. Since reading is deterministic, each event has the same session and number in
 * every life of the agent, by which the monitor drops what an agent that was killed had sent and not yet written down.
 *
 * <p>Kept as a properties file that is replaced as a whole, written only after the events have arrived.
 */
final class Position {
    /** Settlings that are remembered; after that many, rows of several lines wait for their next line. */
    static final int MAX_SETTLINGS = 100_000;

    private final @Nullable Path file;

    /** Which of the files that had this name, from 0. */
    int generation;

    FileIdentity identity = new FileIdentity(-1, 0, 0);
    String session = "";
    String format = "";

    /** First bytes by which the format was recognised, and what can be known by them. */
    int headBytes;

    /** Bytes that were there when it was attached: the past. */
    long historicalBytes;

    /** When those were written, epoch milliseconds. */
    long historicalFromMs;

    long historicalToMs;

    /** Run id as the log has it, empty before the first event. */
    String loggedRunId = "";

    /** Run id of it in the monitor. */
    String runId = "";

    /** Trainings that the log had from the beginning, over all files of its name. */
    int runs;

    /** What is to be added to the number that a training has in this file; -1 while that is not known. */
    int runsBefore;

    /** Of the latest training. */
    long firstStep = -1;

    long lastStep = -1;

    /** Events that were delivered. */
    long delivered;

    /** What they were, in short: the first, the first two, four, eight and so on, and last all of them. */
    final List<Long> digests = new ArrayList<>();

    /** Bytes that were read by then. */
    long bytes;

    /** Bytes at which the reader settled. */
    final List<Long> settlings = new ArrayList<>();

    /** Whether it was said that the run has ended. */
    boolean finished;

    private Position(@Nullable Path file) {
        this.file = file;
    }

    /** One that nothing remembers. */
    static Position inMemory() {
        return new Position(null);
    }

    /**
     * The one in a file, or a new one if there is none.
     *
     * @throws IOException if it cannot be read or is none; the message names the file and the remedy
     */
    static Position load(Path file) throws IOException {
        Position position = new Position(file);
        Properties p = new Properties();
        try (InputStream in = Files.newInputStream(file)) {
            p.load(in);
            position.read(p);
        } catch (NoSuchFileException e) {
            return position;
        } catch (IllegalArgumentException e) {
            throw new IOException(
                    file + " is no position of a log (" + e.getMessage()
                            + "): remove it, and the log is sent again from its start",
                    e);
        }
        return position;
    }

    /** Whether the log was read before. */
    boolean isKnown() {
        return !session.isEmpty();
    }

    /** Another file has the name: from its start, as a part of the same run until more is known. */
    void nextGeneration() {
        generation++;
        identity = new FileIdentity(-1, 0, 0);
        session = "";
        headBytes = 0;
        historicalBytes = 0;
        runsBefore = -1;
        delivered = 0;
        digests.clear();
        bytes = 0;
        settlings.clear();
    }

    private void read(Properties p) {
        generation = (int) number(p, "generation");
        identity =
                new FileIdentity(number(p, "inode"), (int) number(p, "identity.bytes"), number(p, "identity.crc32c"));
        session = text(p, "session");
        format = text(p, "format");
        headBytes = (int) number(p, "head.bytes");
        historicalBytes = number(p, "historical.bytes");
        historicalFromMs = number(p, "historical.from_ms");
        historicalToMs = number(p, "historical.to_ms");
        loggedRunId = text(p, "run_id.logged");
        runId = text(p, "run_id");
        runsBefore = (int) number(p, "runs.before");
        runs = (int) number(p, "runs");
        firstStep = number(p, "step.first");
        lastStep = number(p, "step.last");
        delivered = number(p, "delivered");
        bytes = number(p, "bytes");
        finished = Boolean.parseBoolean(text(p, "finished"));
        numbers(p, "digests", digests);
        numbers(p, "settlings", settlings);
    }

    private static void numbers(Properties p, String name, List<Long> into) {
        String all = text(p, name);
        if (!all.isEmpty()) {
            for (String one : all.split(",", -1)) {
                into.add(Long.valueOf(one));
            }
        }
    }

    private static String joined(List<Long> numbers) {
        return numbers.stream().map(String::valueOf).collect(Collectors.joining(","));
    }

    private static long number(Properties p, String name) {
        String value = text(p, name);
        try {
            return Long.parseLong(value);
        } catch (NumberFormatException e) {
            throw new IllegalArgumentException(name + " is \"" + value + "\", but must be a whole number", e);
        }
    }

    private static String text(Properties p, String name) {
        String value = p.getProperty(name);
        if (value == null) {
            throw new IllegalArgumentException(name + " is missing");
        }
        return value;
    }

    /**
     * Writes it down.
     *
     * @throws IOException if that is not possible: then the next life sends again what this one has
     */
    void save(Path log) throws IOException {
        Path target = file;
        if (target == null) {
            return;
        }
        Properties p = new Properties();
        p.setProperty("log", log.toString());
        p.setProperty("generation", Integer.toString(generation));
        p.setProperty("inode", Long.toString(identity.inode()));
        p.setProperty("identity.bytes", Integer.toString(identity.length()));
        p.setProperty("identity.crc32c", Long.toString(identity.checksum()));
        p.setProperty("session", session);
        p.setProperty("format", format);
        p.setProperty("head.bytes", Integer.toString(headBytes));
        p.setProperty("historical.bytes", Long.toString(historicalBytes));
        p.setProperty("historical.from_ms", Long.toString(historicalFromMs));
        p.setProperty("historical.to_ms", Long.toString(historicalToMs));
        p.setProperty("run_id.logged", loggedRunId);
        p.setProperty("run_id", runId);
        p.setProperty("runs.before", Integer.toString(runsBefore));
        p.setProperty("runs", Integer.toString(runs));
        p.setProperty("step.first", Long.toString(firstStep));
        p.setProperty("step.last", Long.toString(lastStep));
        p.setProperty("delivered", Long.toString(delivered));
        p.setProperty("digests", joined(digests));
        p.setProperty("bytes", Long.toString(bytes));
        p.setProperty("finished", Boolean.toString(finished));
        p.setProperty("settlings", joined(settlings));
        Path next = target.resolveSibling(target.getFileName() + ".next");
        try (OutputStream out = Files.newOutputStream(next)) {
            p.store(out, "how far trainwatch has read this log");
        }
        try {
            Files.move(next, target, StandardCopyOption.ATOMIC_MOVE);
        } catch (AtomicMoveNotSupportedException e) {
            Files.move(next, target, StandardCopyOption.REPLACE_EXISTING);
        }
    }
}
