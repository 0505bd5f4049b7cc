package io.trainwatch.attach.follow;

import java.io.IOException;
import java.io.InputStream;
import java.io.InterruptedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.Arrays;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * A file that grows, as a stream that waits at its end. It ends when its writer goes on in another file, or wrote it anew.
 *
 * <p>It is asked for more in intervals: notifications of the system say nothing of what other hosts write to a network file
 * system. There, a client keeps what it knows of a file for as long as it is open, so that it is opened anew while nothing
 * comes; and zeros at the end are what has not arrived yet, so that they are read again.
 */
final class FollowedFile extends InputStream {
    /** Why there is no more. */
    enum End {
        /** Nobody wants more. */
        STOPPED,
        /** Another file has its name, and this one has not grown since. */
        REPLACED,
        /** It became shorter. */
        TRUNCATED,
        /** It begins otherwise, or what was read before stands no longer there. */
        REWRITTEN
    }

    /** Who reads. All is called from within a read, on its thread. */
    interface Reader {
        /** Byte at which the reader settled in an earlier life and has to again; {@link Long#MAX_VALUE} if there is none. */
        long nextSettling();

        /** Such a byte is reached, and everything before it was read. */
        void settle() throws IOException, InterruptedException;

        /** Everything up to this byte was read, and there is no more for now; called anew in each interval. */
        void caughtUp(long position) throws IOException, InterruptedException;
    }

    private static final int REMEMBERED_BYTES = 64;
    private static final int LOOKS_BEFORE_REOPENING = 5;
    private static final int LOOKS_BEFORE_LEAVING = 3;

    private final Path path;
    private final Duration interval;
    private final boolean text;
    private final Reader reader;
    private final CountDownLatch stop;
    private FileChannel file;
    private FileIdentity identity;
    private final byte[] remembered = new byte[REMEMBERED_BYTES];
    private int rememberedBytes;
    private long position;
    private int looks;
    private int looksAtReplaced;
    private boolean lastLook;
    private @Nullable End end;

    /**
     * Opens it.
     *
     * @param text whether it is text, in which a zero has no business
     * @param stop reaches 0 when nobody wants more
     */
    FollowedFile(Path path, Duration interval, boolean text, CountDownLatch stop, Reader reader) throws IOException {
        this.path = path;
        this.interval = interval;
        this.text = text;
        this.stop = stop;
        this.reader = reader;
        file = FileChannel.open(path, StandardOpenOption.READ);
        identity = FileIdentity.of(path, file);
    }

    /** Why it ended; null while it has not. */
    @Nullable
    End end() {
        return end;
    }

    /** What makes the file the same one, by what was read of it so far. */
    FileIdentity identity() throws IOException {
        if (identity.length() < FileIdentity.MAX_BYTES && end == null) {
            FileIdentity longer = FileIdentity.of(path, file);
            if (longer.inode() == identity.inode()) {
                identity = longer;
            }
        }
        return identity;
    }

    /** Bytes read. */
    long position() {
        return position;
    }

    @Override
    public int read() throws IOException {
        byte[] one = new byte[1];
        return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
    }

    @Override
    public int read(byte[] target, int start, int length) throws IOException {
        if (length == 0) {
            return 0;
        }
        try {
            while (position >= reader.nextSettling()) {
                reader.settle();
            }
            int most = (int) Math.min(length, reader.nextSettling() - position);
            while (true) {
                int read = readNow(target, start, most);
                int kept = text ? withoutZeros(target, start, read) : read;
                if (kept > 0) {
                    return kept;
                }
                if (read > 0) {
                    most = (int) Math.min(length, reader.nextSettling() - position);
                    continue; // nothing but zeros
                }
                if (end != null) {
                    return -1;
                }
                reader.caughtUp(position);
                if (position >= reader.nextSettling()) {
                    reader.settle();
                }
                look();
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw (IOException) new InterruptedIOException("reading was interrupted").initCause(e);
        }
    }

    private int readNow(byte[] target, int start, int most) throws IOException {
        if (end == End.TRUNCATED || end == End.REWRITTEN || (looks > 0 && !goesOn())) {
            return -1;
        }
        int read = file.read(ByteBuffer.wrap(target, start, most), position);
        if (read > 0 && text && end == null) {
            read = withoutZerosAtTheEnd(target, start, read);
        }
        if (read <= 0) {
            return -1;
        }
        looks = 0;
        position += read;
        int kept = Math.min(REMEMBERED_BYTES, read);
        int keep = Math.min(REMEMBERED_BYTES - kept, rememberedBytes);
        System.arraycopy(remembered, rememberedBytes - keep, remembered, 0, keep);
        System.arraycopy(target, start + read - kept, remembered, keep, kept);
        rememberedBytes = keep + kept;
        return read;
    }

    /** Whether what was read before still stands where it stood, as far as that is remembered. */
    private boolean goesOn() throws IOException {
        if (file.size() < position) {
            end = End.TRUNCATED;
            return false;
        }
        if (file.size() > position && rememberedBytes > 0) {
            byte[] there = new byte[rememberedBytes];
            int read = file.read(ByteBuffer.wrap(there), position - rememberedBytes);
            if ((read == rememberedBytes && !Arrays.equals(there, 0, read, remembered, 0, read))
                    || !identity.hasSameBeginning(file)) {
                end = End.REWRITTEN;
                return false;
            }
        }
        return true;
    }

    /** Takes zeros out: what lies before the place of a writer whose file was cut, and what a crash of the host leaves. */
    private static int withoutZeros(byte[] bytes, int start, int length) {
        int kept = 0;
        for (int i = start; i < start + length; i++) {
            if (bytes[i] != 0) {
                bytes[start + kept++] = bytes[i];
            }
        }
        return length > 0 ? kept : length;
    }

    /** How much of it is left when zeros are taken off that nothing follows. */
    private int withoutZerosAtTheEnd(byte[] bytes, int start, int length) throws IOException {
        int left = length;
        if (position + length == file.size()) {
            while (left > 0 && bytes[start + left - 1] == 0) {
                left--;
            }
        }
        return left;
    }

    /** Waits, and then sees whether there may be more. */
    private void look() throws IOException, InterruptedException {
        if (lastLook || stop.await(interval.toNanos(), TimeUnit.NANOSECONDS)) {
            end = lastLook ? End.STOPPED : end;
            lastLook = true; // what was written before the stop is still read
            return;
        }
        looks++;
        if (isReplaced()) {
            end = ++looksAtReplaced >= LOOKS_BEFORE_LEAVING ? End.REPLACED : null;
            return;
        }
        looksAtReplaced = 0;
        if (looks % LOOKS_BEFORE_REOPENING == 0) {
            reopen();
        }
    }

    private boolean isReplaced() throws IOException {
        try {
            return FileIdentity.inode(path) != identity.inode();
        } catch (NoSuchFileException e) {
            return false; // it may be renamed or gone for good: who has it open may write on
        }
    }

    private void reopen() throws IOException {
        try {
            FileChannel again = FileChannel.open(path, StandardOpenOption.READ);
            file.close();
            file = again;
        } catch (NoSuchFileException e) {
            // what is open stays
        }
    }

    /** Whether the file is there under its name. */
    boolean exists() {
        return Files.exists(path);
    }

    @Override
    public void close() throws IOException {
        file.close();
    }
}
