package io.trainwatch.monitor.stats;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/** Writes primitive values into a growing buffer. Reused between records: {@link #reset} keeps the memory. */
public final class StateWriter {
    private ByteBuffer buffer = ByteBuffer.allocate(4096);

    public void reset() {
        buffer.clear();
    }

    public byte[] toByteArray() {
        return Arrays.copyOf(buffer.array(), buffer.position());
    }

    /** Bytes written since the last {@link #reset}. */
    public int position() {
        return buffer.position();
    }

    /** Overwrites the int at {@code position}, for lengths that are known only afterwards. */
    public void writeIntAt(int position, int value) {
        buffer.putInt(position, value);
    }

    public void writeByte(int value) {
        room(1).put((byte) value);
    }

    public void writeBoolean(boolean value) {
        room(1).put((byte) (value ? 1 : 0));
    }

    public void writeInt(int value) {
        room(Integer.BYTES).putInt(value);
    }

    public void writeLong(long value) {
        room(Long.BYTES).putLong(value);
    }

    public void writeFloat(float value) {
        room(Float.BYTES).putFloat(value);
    }

    public void writeDouble(double value) {
        room(Double.BYTES).putDouble(value);
    }

    /** The first {@code count} values, without their number. */
    public void writeInts(int[] values, int count) {
        ByteBuffer out = room(count * Integer.BYTES);
        out.asIntBuffer().put(values, 0, count);
        out.position(out.position() + count * Integer.BYTES);
    }

    /** The first {@code count} values, without their number. */
    public void writeLongs(long[] values, int count) {
        ByteBuffer out = room(count * Long.BYTES);
        out.asLongBuffer().put(values, 0, count);
        out.position(out.position() + count * Long.BYTES);
    }

    /** The first {@code count} values, without their number. */
    public void writeDoubles(double[] values, int count) {
        ByteBuffer out = room(count * Double.BYTES);
        out.asDoubleBuffer().put(values, 0, count);
        out.position(out.position() + count * Double.BYTES);
    }

    /** The first {@code count} values, without their number. */
    public void writeFloats(float[] values, int count) {
        ByteBuffer out = room(count * Float.BYTES);
        out.asFloatBuffer().put(values, 0, count);
        out.position(out.position() + count * Float.BYTES);
    }

    public void writeString(String value) {
        writeBytes(value.getBytes(StandardCharsets.UTF_8));
    }

    /** A constant of an enum by its name, or null. */
    public void writeEnum(@Nullable Enum<?> value) {
        writeString(value == null ? "" : value.name());
    }

    /** The bytes with their number in front. */
    public void writeBytes(byte[] value) {
        writeInt(value.length);
        room(value.length).put(value);
    }

    private ByteBuffer room(int bytes) {
        if (buffer.remaining() < bytes) {
            int capacity = Math.max(buffer.capacity() * 2, buffer.position() + bytes);
            ByteBuffer larger = ByteBuffer.allocate(capacity);
            buffer.flip();
            larger.put(buffer);
            buffer = larger;
        }
        return buffer;
    }
}
