package io.trainwatch.attach;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * A stream as lines that end in LF or CR LF, in UTF-8, each with its place. A line over the limit is passed over without
 * being kept.
 */
final class Lines {
    private final InputStream in;
    private final int maxBytes;
    private final int otherEnd;
    private final byte[] chunk = new byte[64 * 1024];
    private int chunkStart;
    private int chunkEnd;
    private byte[] buffer = new byte[1024];
    private long length;
    private long line;
    private long offset;
    private long position;
    private boolean ended = true;
    private boolean endedInCarriageReturn;

    Lines(InputStream in, int maxBytes) {
        this(in, maxBytes, '\n');
    }

    private Lines(InputStream in, int maxBytes, int otherEnd) {
        this.in = in;
        this.maxBytes = maxBytes;
        this.otherEnd = otherEnd;
    }

    /** Lines that also end in a lone CR, as progress bars have it: each state of a bar is one, with the number of its line. */
    static Lines andProgress(InputStream in, int maxBytes) {
        return new Lines(in, maxBytes, '\r');
    }

    /** Moves to the next line, also to a last one without an end; false if there is none. */
    boolean next() throws IOException {
        offset = position;
        length = 0;
        boolean sameLine = endedInCarriageReturn;
        if (sameLine && fill() && chunk[chunkStart] == '\n') {
            chunkStart++;
            offset++;
            sameLine = false;
        }
        while (fill()) {
            int end = chunkStart;
            while (end < chunkEnd && chunk[end] != '\n' && chunk[end] != otherEnd) {
                end++;
            }
            keep(end - chunkStart);
            ended = end < chunkEnd;
            endedInCarriageReturn = ended && chunk[end] == '\r';
            chunkStart = ended ? end + 1 : end;
            if (ended) {
                position = offset + length + 1;
                line += sameLine ? 0 : 1;
                return true;
            }
        }
        endedInCarriageReturn = false;
        position = offset + length;
        line += length > 0 && !sameLine ? 1 : 0;
        return length > 0;
    }

    private boolean fill() throws IOException {
        if (chunkStart == chunkEnd) {
            chunkStart = 0;
            chunkEnd = Math.max(0, in.read(chunk));
        }
        return chunkEnd > 0;
    }

    private void keep(int bytes) {
        if (length + bytes <= maxBytes) {
            if (length + bytes > buffer.length) {
                buffer = Arrays.copyOf(buffer, (int) Math.min(maxBytes, 2 * (length + bytes)));
            }
            System.arraycopy(chunk, chunkStart, buffer, (int) length, bytes);
        }
        length += bytes;
    }

    /** The line without its end and without a byte order mark; null if it is longer than the limit. */
    @Nullable
    String text() {
        if (length > maxBytes) {
            return null;
        }
        int end = (int) length;
        if (end > 0 && buffer[end - 1] == '\r') {
            end--;
        }
        String text = new String(buffer, 0, end, StandardCharsets.UTF_8);
        return line == 1 && text.startsWith("\ufeff") ? text.substring(1) : text;
    }

    /** Number of the line, from 1. */
    long line() {
        return line;
    }

    /** Byte at which the line begins, from 0. */
    long offset() {
        return offset;
    }

    /** Whether the line has an end; only the last one may lack it. */
    boolean ended() {
        return ended;
    }
}
