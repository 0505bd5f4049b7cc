package io.trainwatch.attach.follow;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.zip.CRC32C;

/**
 * What makes a file the same one: its inode, and its first bytes, since inodes are given anew. The number of the device is
 * not part of it: that of a network file system changes with each mount.
 *
 * @param inode number of the inode; -1 where the file system has none
 * @param length how many first bytes are meant, at most {@value #MAX_BYTES}
 * @param checksum CRC-32C of them
 */
record FileIdentity(long inode, int length, long checksum) {
    static final int MAX_BYTES = 1024;

    /** The identity that the open file has by now; longer while it has less than {@value #MAX_BYTES} bytes. */
    static FileIdentity of(Path path, FileChannel file) throws IOException {
        int length = (int) Math.min(MAX_BYTES, file.size());
        return new FileIdentity(inode(path), length, checksum(file, length));
    }

    /** Whether the open file begins as this one did. */
    boolean hasSameBeginning(FileChannel file) throws IOException {
        return file.size() >= length && checksum(file, length) == checksum;
    }

    static long inode(Path path) throws IOException {
        try {
            return Files.getAttribute(path, "unix:ino") instanceof Number inode ? inode.longValue() : -1;
        } catch (UnsupportedOperationException | IllegalArgumentException e) {
            return -1;
        }
    }

    private static long checksum(FileChannel file, int length) throws IOException {
        byte[] start = new byte[length];
        ByteBuffer buffer = ByteBuffer.wrap(start);
        while (buffer.hasRemaining() && file.read(buffer, buffer.position()) > 0) {
            // until it is full or the file ends
        }
        CRC32C crc = new CRC32C();
        crc.update(start, 0, buffer.position());
        return crc.getValue();
    }
}
