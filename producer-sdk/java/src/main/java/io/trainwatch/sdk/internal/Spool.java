package io.trainwatch.sdk.internal;

import java.io.BufferedInputStream;
import java.io.DataInputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.HexFormat;
import java.util.List;
import java.util.zip.CRC32C;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Events on disk that the broker has not acknowledged, in order, within a bound of bytes.
 *
 * <p>{@code DIRECTORY/RUN/SESSION/00000000000000000001.events} and on: segments of frames, each {@code length (4 bytes),
 * CRC-32C (4 bytes), importance (1 byte), event}. A session keeps {@code SESSION/lock} locked while it lives; sessions of
 * the same run that nobody locks any more were killed, and are read first. A segment is deleted once all of it is
 * acknowledged, so a kill costs at most the repetition of one segment, which the monitor recognises by session and seq. A
 * torn or corrupt frame ends its segment: what follows in it is given up and counted.
 *
 * <p>A spool that is full gives up the oldest events of the lowest {@link Importance} first. Trouble with the disk never
 * throws: the event is refused, and writing is tried again after {@value #RETRY_SECONDS} seconds. Nothing is forced to the
 * device: events survive a killed process, not a power failure.
 *
 * <p>Not thread-safe: belongs to the sender.
 */
final class Spool {
    /** What became of an event that was to be kept. */
    enum Outcome {
        KEPT,
        /** Given up: the spool is full of events at least as important, or the event is larger than the spool. */
        DROPPED,
        /** The disk does not take it. */
        FAILED
    }

    static final long RETRY_SECONDS = 5;

    private static final Logger log = LoggerFactory.getLogger("io.trainwatch.sdk");
    private static final int FRAME_BYTES = 9;
    private static final String SUFFIX = ".events";

    private final @Nullable Path directory;
    private final Path runDirectory;
    private final String session;
    private final long maxBytes;
    private final long segmentBytes;

    private final Deque<Segment> segments = new ArrayDeque<>();
    private final List<FileChannel> locks = new ArrayList<>();
    private final List<Path> lockedDirectories = new ArrayList<>();

    private ByteBuffer frame = ByteBuffer.allocate(512);
    private @Nullable Path ownDirectory;
    private @Nullable FileChannel writer;
    private @Nullable Segment writing;
    private @Nullable DataInputStream reader;
    private @Nullable Segment reading;
    private long lastSegment;
    private long retryAtNanos = Long.MIN_VALUE;
    private boolean troubleLogged;
    private long ownWaiting;
    private long ownDropped;
    private long corruptSegments;

    private Spool(@Nullable Path directory, Path runDirectory, String session, long maxBytes) {
        this.directory = directory;
        this.runDirectory = runDirectory;
        this.session = session;
        this.maxBytes = maxBytes;
        segmentBytes = Math.min(Math.max(maxBytes / 32, 4_096), 4 << 20);
    }

    /** Returns a spool that keeps nothing. */
    static Spool none() {
        return new Spool(null, Path.of(""), "", 0);
    }

    /** Opens the spool of a session and finds what killed sessions of the same run have left. */
    static Spool open(Path directory, String runId, String session, long maxBytes) {
        Spool spool = new Spool(directory, directory.resolve(fileName(runId)), session, maxBytes);
        spool.adopt();
        return spool;
    }

    /** Whether it pays to offer events: false where there is no spool and for a while after trouble with the disk. */
    boolean isWritable() {
        return directory != null && (retryAtNanos == Long.MIN_VALUE || System.nanoTime() - retryAtNanos >= 0);
    }

    /** Keeps an event behind all others, to be read later. */
    Outcome append(Outgoing event) {
        return write(event, false);
    }

    /** Keeps a copy of an event that is on its way already and needs no reading. Nothing may be unread. */
    Outcome appendHandedOut(Outgoing event) {
        return write(event, true);
    }

    boolean hasUnread() {
        return firstUnread() != null;
    }

    /** Returns the next event, to be acknowledged later; null if there is none. */
    @Nullable
    Outgoing next() {
        for (Segment segment = firstUnread(); segment != null; segment = firstUnread()) {
            try {
                DataInputStream in = readerOf(segment);
                Outgoing event = readFrame(in, segment.bytes - segment.readBytes);
                if (event != null) {
                    segment.readBytes += FRAME_BYTES + event.bytes.length;
                    segment.readEvents++;
                    segment.handedOut++;
                    event.segment = segment;
                    return event;
                }
                cut(segment, "a frame is torn or corrupt");
            } catch (IOException e) {
                cut(segment, e.toString());
            }
        }
        return null;
    }

    /** Forgets an event that has arrived. */
    void acknowledge(Segment segment) {
        segment.handedOut--;
        if (segment.own) {
            ownWaiting--;
        }
        retire(segment);
    }

    /** Events of this session on disk. */
    long waiting() {
        return ownWaiting;
    }

    /** Events of this session that were given up. */
    long dropped() {
        return ownDropped;
    }

    /** Segments of which a part could not be read. */
    long corruptSegments() {
        return corruptSegments;
    }

    /** Where the events of this run lie, for messages. */
    Path location() {
        return runDirectory;
    }

    /** Lets go of the disk; what is not acknowledged stays there for the next start of the run. */
    void close() {
        closeReader();
        closeWriter();
        for (int i = 0; i < locks.size(); i++) {
            deleteIfEmpty(lockedDirectories.get(i));
            closeQuietly(locks.get(i));
        }
        try {
            if (!locks.isEmpty()) {
                Files.deleteIfExists(runDirectory);
            }
        } catch (IOException e) {
            log.trace("{} stays: it is not empty", runDirectory);
        }
        locks.clear();
        lockedDirectories.clear();
    }

    // --- writing

    private Outcome write(Outgoing event, boolean handedOut) {
        long frameBytes = FRAME_BYTES + (long) event.bytes.length;
        if (!isWritable()) {
            return Outcome.FAILED;
        }
        if (frameBytes > maxBytes || !makeRoom(frameBytes, event.importance)) {
            if (!handedOut) {
                ownDropped++;
            }
            return Outcome.DROPPED;
        }
        Segment segment;
        try {
            segment = segmentFor(frameBytes);
            FileChannel channel = writer;
            if (channel == null) {
                throw new IOException("no segment is open");
            }
            ByteBuffer bytes = frame(event);
            long position = segment.bytes;
            while (bytes.hasRemaining()) {
                position += channel.write(bytes, position);
            }
        } catch (IOException | UncheckedIOException | SecurityException e) {
            retryAtNanos = System.nanoTime() + RETRY_SECONDS * 1_000_000_000L;
            closeWriter();
            if (!troubleLogged) {
                troubleLogged = true;
                log.warn(
                        "cannot spool events in {}: {}; they stay in memory. Free or name another spool directory",
                        runDirectory,
                        e.toString());
            }
            return Outcome.FAILED;
        }
        retryAtNanos = Long.MIN_VALUE;
        segment.bytes += frameBytes;
        segment.events++;
        ownWaiting++;
        if (handedOut) {
            segment.readBytes = segment.bytes;
            segment.readEvents = segment.events;
            segment.handedOut++;
            event.segment = segment;
            if (segment == reading) {
                closeReader();
            }
        }
        return Outcome.KEPT;
    }

    /** Returns the frame of an event, in a buffer that the next call uses again. */
    private ByteBuffer frame(Outgoing event) {
        int length = FRAME_BYTES + event.bytes.length;
        if (frame.capacity() < length) {
            frame = ByteBuffer.allocate(2 * length);
        }
        frame.clear().putInt(event.bytes.length).putInt(0).put(event.importance.code);
        return frame.put(event.bytes).putInt(4, checksum(frame.array(), length)).flip();
    }

    private static int checksum(byte[] frame, int length) {
        CRC32C crc = new CRC32C();
        crc.update(frame, 8, length - 8);
        return (int) crc.getValue();
    }

    private Segment segmentFor(long frameBytes) throws IOException {
        if (writing != null && writer != null && (writing.bytes == 0 || writing.bytes + frameBytes <= segmentBytes)) {
            return writing;
        }
        closeWriter();
        Path path = ownDirectory().resolve(String.format("%020d%s", ++lastSegment, SUFFIX));
        writer = FileChannel.open(path, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);
        Segment segment = new Segment(path, true, 0);
        writing = segment;
        segments.add(segment);
        return segment;
    }

    private Path ownDirectory() throws IOException {
        if (ownDirectory == null && directory != null) {
            createPrivate(directory);
            createPrivate(runDirectory);
            Path path = runDirectory.resolve(session);
            createPrivate(path);
            if (!lock(path)) {
                throw new IOException(path + " is locked by another process");
            }
            ownDirectory = path;
        }
        if (ownDirectory == null) {
            throw new IOException("there is no spool directory");
        }
        return ownDirectory;
    }

    private void closeWriter() {
        if (writer != null) {
            closeQuietly(writer);
            writer = null;
        }
        Segment last = writing;
        writing = null;
        if (last != null) {
            retire(last);
        }
    }

    // --- bound

    /** Gives up events no more important than the new one until it fits. */
    private boolean makeRoom(long frameBytes, Importance newcomer) {
        for (Importance level : Importance.values()) {
            while (used() + frameBytes > maxBytes) {
                Segment oldest = oldestWith(level);
                if (oldest == null) {
                    break;
                }
                giveUp(oldest, level);
            }
            if (level == newcomer) {
                break;
            }
        }
        return used() + frameBytes <= maxBytes;
    }

    private long used() {
        long used = 0;
        for (Segment segment : segments) {
            // Small files cost too: this bounds their number.
            used += Math.max(segment.bytes, segmentBytes / 64);
        }
        return used;
    }

    private @Nullable Segment oldestWith(Importance level) {
        for (Segment segment : segments) {
            if (segment != writing && segment.isUntouched() && segment.mayHold(level)) {
                return segment;
            }
        }
        return null;
    }

    /** Rewrites a segment without its events of {@code level} and below. */
    private void giveUp(Segment segment, Importance level) {
        if (segment == reading) {
            closeReader();
        }
        Path rewritten = segment.path.resolveSibling(segment.path.getFileName() + ".rewritten");
        long keptBytes = 0;
        long keptEvents = 0;
        try {
            try (DataInputStream in = open(segment, 0);
                    FileChannel out = FileChannel.open(
                            rewritten,
                            StandardOpenOption.CREATE,
                            StandardOpenOption.TRUNCATE_EXISTING,
                            StandardOpenOption.WRITE)) {
                long left = segment.bytes;
                for (Outgoing event = readFrame(in, left); event != null; event = readFrame(in, left)) {
                    left -= FRAME_BYTES + event.bytes.length;
                    if (event.importance.isAbove(level)) {
                        ByteBuffer bytes = frame(event);
                        while (bytes.hasRemaining()) {
                            keptBytes += out.write(bytes);
                        }
                        keptEvents++;
                    }
                }
            }
            Files.move(rewritten, segment.path, StandardCopyOption.REPLACE_EXISTING);
        } catch (IOException e) {
            log.debug("giving up all of {}: it cannot be rewritten", segment.path, e);
            keptBytes = 0;
            keptEvents = 0;
            deleteQuietly(rewritten);
        }
        if (segment.own) {
            ownDropped += segment.events - keptEvents;
            ownWaiting -= segment.events - keptEvents;
        }
        segment.bytes = keptBytes;
        segment.events = keptEvents;
        segment.givenUp = level;
        retire(segment);
    }

    // --- reading

    private @Nullable Segment firstUnread() {
        for (Segment segment : segments) {
            if (!segment.isRead()) {
                return segment;
            }
        }
        return null;
    }

    private DataInputStream readerOf(Segment segment) throws IOException {
        DataInputStream open = reader;
        if (open == null || segment != reading) {
            closeReader();
            open = open(segment, segment.readBytes);
            reader = open;
            reading = segment;
        }
        return open;
    }

    private static DataInputStream open(Segment segment, long skip) throws IOException {
        DataInputStream in = new DataInputStream(new BufferedInputStream(Files.newInputStream(segment.path), 1 << 16));
        try {
            in.skipNBytes(skip);
        } catch (IOException e) {
            in.close();
            throw e;
        }
        return in;
    }

    /** Reads one frame of at most {@code left} bytes; null if it is not whole. */
    private static @Nullable Outgoing readFrame(DataInputStream in, long left) throws IOException {
        if (left < FRAME_BYTES) {
            return null;
        }
        int length = in.readInt();
        int checksum = in.readInt();
        if (length < 0 || length > left - FRAME_BYTES) {
            return null;
        }
        byte[] checked = new byte[8 + 1 + length];
        in.readFully(checked, 8, 1 + length);
        Importance importance = Importance.of(checked[8]);
        if (checksum(checked, checked.length) != checksum || importance == null) {
            return null;
        }
        return new Outgoing(Arrays.copyOfRange(checked, FRAME_BYTES, checked.length), importance, System.nanoTime());
    }

    /** Ends a segment at what was read of it. */
    private void cut(Segment segment, String why) {
        corruptSegments++;
        log.warn(
                "gives up the last {} bytes of spool segment {}: {}",
                segment.bytes - segment.readBytes,
                segment.path,
                why);
        closeReader();
        if (segment == writing) {
            closeWriter();
        }
        if (segment.own) {
            long lost = segment.events - segment.readEvents;
            ownDropped += lost;
            ownWaiting -= lost;
        }
        segment.events = segment.readEvents;
        segment.bytes = segment.readBytes;
        retire(segment);
    }

    /** Deletes a segment of which nothing is needed any more. */
    private void retire(Segment segment) {
        if (!segment.isRead() || segment.handedOut > 0) {
            return;
        }
        if (segment == writing) {
            if (!segment.isUntouched() && segments.size() == 1) {
                closeWriter();
            }
            return;
        }
        if (segment == reading) {
            closeReader();
        }
        if (segments.remove(segment)) {
            deleteQuietly(segment.path);
        }
    }

    private void closeReader() {
        if (reader != null) {
            closeQuietly(reader);
        }
        reader = null;
        reading = null;
    }

    // --- sessions

    private void adopt() {
        List<Path> sessions = list(runDirectory, "*");
        for (Path path : sessions) {
            if (!Files.isDirectory(path, LinkOption.NOFOLLOW_LINKS)) {
                continue;
            }
            try {
                if (lock(path)) {
                    for (Path file : list(path, "*" + SUFFIX)) {
                        segments.add(new Segment(file, false, Files.size(file)));
                    }
                }
            } catch (IOException | SecurityException e) {
                log.warn("cannot read what an earlier session left in {}: {}", path, e.toString());
            }
        }
        // Empty files hold nothing to read and nothing to acknowledge.
        List.copyOf(segments).forEach(this::retire);
        if (!segments.isEmpty()) {
            log.info("{} segments of an earlier session in {} are sent first", segments.size(), runDirectory);
        }
    }

    private static List<Path> list(Path directory, String glob) {
        List<Path> paths = new ArrayList<>();
        try (DirectoryStream<Path> entries = Files.newDirectoryStream(directory, glob)) {
            entries.forEach(paths::add);
        } catch (NoSuchFileException e) {
            return List.of();
        } catch (IOException | java.nio.file.DirectoryIteratorException | SecurityException e) {
            log.warn("cannot look for earlier sessions in {}: {}", directory, e.toString());
        }
        paths.sort(null);
        return paths;
    }

    private boolean lock(Path sessionDirectory) throws IOException {
        FileChannel channel =
                FileChannel.open(sessionDirectory.resolve("lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
        try {
            FileLock lock = channel.tryLock();
            if (lock != null) {
                locks.add(channel);
                lockedDirectories.add(sessionDirectory);
                return true;
            }
        } catch (OverlappingFileLockException e) {
            log.trace("another run of this process holds {}", sessionDirectory);
        } catch (IOException e) {
            closeQuietly(channel);
            throw e;
        }
        closeQuietly(channel);
        return false;
    }

    private static void deleteIfEmpty(Path sessionDirectory) {
        if (list(sessionDirectory, "*" + SUFFIX).isEmpty()) {
            deleteQuietly(sessionDirectory.resolve("lock"));
            deleteQuietly(sessionDirectory);
        }
    }

    private static void createPrivate(Path path) throws IOException {
        if (Files.isDirectory(path)) {
            return;
        }
        boolean posix = path.getFileSystem().supportedFileAttributeViews().contains("posix");
        FileAttribute<?>[] attributes = posix
                ? new FileAttribute<?>[] {
                    PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------"))
                }
                : new FileAttribute<?>[0];
        Files.createDirectories(path, attributes);
    }

    /** Returns a name that is safe as a file name and different for different runs. */
    private static String fileName(String runId) {
        String readable = runId.replaceAll("[^A-Za-z0-9_-]", "_");
        try {
            byte[] hash = MessageDigest.getInstance("SHA-256").digest(runId.getBytes(StandardCharsets.UTF_8));
            return readable.substring(0, Math.min(40, readable.length()))
                    + "-"
                    + HexFormat.of().formatHex(hash, 0, 8);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every JDK has SHA-256", e);
        }
    }

    private static void deleteQuietly(Path path) {
        try {
            Files.deleteIfExists(path);
        } catch (IOException | SecurityException e) {
            log.debug("cannot delete {}", path, e);
        }
    }

    private static void closeQuietly(AutoCloseable closeable) {
        try {
            closeable.close();
        } catch (Exception e) {
            log.debug("closing failed", e);
        }
    }
}
