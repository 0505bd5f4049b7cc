package io.trainwatch.attach;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;

/**
 * Protocol buffer messages, field by field, in the memory of the bytes they are read from. Never reads beyond its message;
 * what breaks its rules ends it with {@link MalformedException}.
 */
final class ProtoReader {
    static final int VARINT = 0;
    static final int FIXED64 = 1;
    static final int BYTES = 2;
    static final int FIXED32 = 5;

    private final ByteBuffer bytes;
    private int field;
    private int wireType;
    private long number;
    private int start;
    private int end;

    /** The bytes are no message. */
    static final class MalformedException extends Exception {
        private static final long serialVersionUID = 1L;

        MalformedException(String message) {
            super(message, null, false, false);
        }
    }

    ProtoReader(byte[] bytes, int start, int end) {
        this.bytes = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
        this.bytes.position(start).limit(end);
    }

    /** Moves to the next field; false at the end. */
    boolean next() throws MalformedException {
        if (!bytes.hasRemaining()) {
            return false;
        }
        long key = varint();
        field = (int) Math.min(key >>> 3, Integer.MAX_VALUE);
        wireType = (int) (key & 7);
        switch (wireType) {
            case VARINT -> number = varint();
            case FIXED64 -> {
                need(8);
                number = bytes.getLong();
            }
            case FIXED32 -> {
                need(4);
                number = bytes.getInt();
            }
            case BYTES -> {
                long length = varint();
                if (length < 0 || length > bytes.remaining()) {
                    throw new MalformedException(
                            "a field of " + length + " bytes where " + bytes.remaining() + " are left");
                }
                start = bytes.position();
                end = start + (int) length;
                bytes.position(end);
            }
            default -> throw new MalformedException("wire type " + wireType);
        }
        return true;
    }

    private long varint() throws MalformedException {
        long value = 0;
        for (int shift = 0; shift < 64; shift += 7) {
            need(1);
            byte part = bytes.get();
            value |= (long) (part & 0x7f) << shift;
            if (part >= 0) {
                return value;
            }
        }
        throw new MalformedException("a number of more than 10 bytes");
    }

    private void need(int count) throws MalformedException {
        if (bytes.remaining() < count) {
            throw new MalformedException("the message ends in the middle of a field");
        }
    }

    boolean is(int wantedField, int wantedType) {
        return field == wantedField && wireType == wantedType;
    }

    long number() {
        return number;
    }

    double doubleNumber() {
        return Double.longBitsToDouble(number);
    }

    double floatNumber() {
        return Float.intBitsToFloat((int) number);
    }

    /** The message within. */
    ProtoReader message() {
        return new ProtoReader(bytes.array(), start, end);
    }

    String text() {
        return new String(bytes.array(), start, end - start, StandardCharsets.UTF_8);
    }

    int length() {
        return end - start;
    }

    /** A little-endian float at an offset within the bytes of this field. */
    float floatAt(int offset) {
        return bytes.getFloat(start + offset);
    }

    double doubleAt(int offset) {
        return bytes.getDouble(start + offset);
    }
}
