package io.trainwatch.monitor.stats;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/** Reads what {@link StateWriter} wrote. Trusts no length: what does not fit is an {@link UnreadableStateException}. */
public final class StateReader {
    private final ByteBuffer buffer;

    public StateReader(byte[] bytes) {
        this(ByteBuffer.wrap(bytes));
    }

    private StateReader(ByteBuffer buffer) {
        this.buffer = buffer;
    }

    public int remaining() {
        return buffer.remaining();
    }

    /** A reader of the next {@code bytes} bytes alone; this reader goes on behind them. */
    public StateReader slice(int bytes) {
        if (bytes < 0 || bytes > buffer.remaining()) {
            throw new UnreadableStateException(
                    "a slot of " + bytes + " bytes where " + buffer.remaining() + " are left");
        }
        ByteBuffer slice = buffer.slice(buffer.position(), bytes);
        buffer.position(buffer.position() + bytes);
        return new StateReader(slice);
    }

    public boolean readBoolean() {
        need(1);
        return buffer.get() != 0;
    }

    public int readInt() {
        need(Integer.BYTES);
        return buffer.getInt();
    }

    /** A number of things, 0 to {@code max}. */
    public int readCount(int max) {
        int count = readInt();
        if (count < 0 || count > max) {
            throw new UnreadableStateException("a count of " + count + " where at most " + max + " is possible");
        }
        return count;
    }

    public long readLong() {
        need(Long.BYTES);
        return buffer.getLong();
    }

    public float readFloat() {
        need(Float.BYTES);
        return buffer.getFloat();
    }

    public double readDouble() {
        need(Double.BYTES);
        return buffer.getDouble();
    }

    /** Fills the first {@code count} places of {@code into}. */
    public void readInts(int[] into, int count) {
        fits(count, into.length);
        need((long) count * Integer.BYTES);
        buffer.asIntBuffer().get(into, 0, count);
        buffer.position(buffer.position() + count * Integer.BYTES);
    }

    /** Fills the first {@code count} places of {@code into}. */
    public void readLongs(long[] into, int count) {
        fits(count, into.length);
        need((long) count * Long.BYTES);
        buffer.asLongBuffer().get(into, 0, count);
        buffer.position(buffer.position() + count * Long.BYTES);
    }

    /** Fills the first {@code count} places of {@code into}. */
    public void readDoubles(double[] into, int count) {
        fits(count, into.length);
        need((long) count * Double.BYTES);
        buffer.asDoubleBuffer().get(into, 0, count);
        buffer.position(buffer.position() + count * Double.BYTES);
    }

    /** Fills the first {@code count} places of {@code into}. */
    public void readFloats(float[] into, int count) {
        fits(count, into.length);
        need((long) count * Float.BYTES);
        buffer.asFloatBuffer().get(into, 0, count);
        buffer.position(buffer.position() + count * Float.BYTES);
    }

    public String readString() {
        return new String(readBytes(), StandardCharsets.UTF_8);
    }

    /** A constant of the enum, or null where null was written. */
    public <E extends Enum<E>> @Nullable E readEnum(Class<E> type) {
        String name = readString();
        if (name.isEmpty()) {
            return null;
        }
        try {
            return Enum.valueOf(type, name);
        } catch (IllegalArgumentException e) {
            throw new UnreadableStateException(name + " is no " + type.getSimpleName());
        }
    }

    public byte[] readBytes() {
        int length = readInt();
        if (length < 0) {
            throw new UnreadableStateException("a length of " + length);
        }
        need(length);
        byte[] bytes = new byte[length];
        buffer.get(bytes);
        return bytes;
    }

    private static void fits(int count, int places) {
        if (count < 0 || count > places) {
            throw new UnreadableStateException(count + " values for " + places + " places");
        }
    }

    private void need(long bytes) {
        if (buffer.remaining() < bytes) {
            throw new UnreadableStateException(bytes + " bytes expected, " + buffer.remaining() + " left");
        }
    }
}
