package io.trainwatch.codec;

import io.trainwatch.alert.Alert;
import io.trainwatch.codec.UndecodableException.Reason;
import io.trainwatch.event.TrainingEvent;
import io.trainwatch.run.Command;
import io.trainwatch.run.RunStatus;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.apache.avro.io.BinaryDecoder;
import org.apache.avro.io.BinaryEncoder;
import org.apache.avro.io.DatumReader;
import org.apache.avro.io.DecoderFactory;
import org.apache.avro.io.EncoderFactory;
import org.apache.avro.specific.SpecificDatumWriter;
import org.apache.avro.specific.SpecificRecordBase;
import org.jspecify.annotations.Nullable;

/**
 * One record type to bytes and back, in Avro single-object encoding: {@code C3 01}, the CRC-64-AVRO fingerprint of the
 * writer's schema (8 bytes, little endian), the body. Writes the current version; reads every version that was released.
 *
 * <p>There is no checksum: a flipped bit in a number is a different number. What cannot be a record is refused, and
 * nothing that a length claims is allocated before as many bytes are there.
 *
 * <p>Cheap to make. Not thread-safe: an instance reuses its buffers. Give each thread its own.
 */
public final class SingleObjectCodec<T extends SpecificRecordBase> {
    private static final SchemaVersions<TrainingEvent> EVENTS = new SchemaVersions<>(TrainingEvent.getClassSchema());
    private static final SchemaVersions<Alert> ALERTS = new SchemaVersions<>(Alert.getClassSchema());
    private static final SchemaVersions<RunStatus> RUN_STATUSES = new SchemaVersions<>(RunStatus.getClassSchema());

    private static final SchemaVersions<Command> COMMANDS = new SchemaVersions<>(Command.getClassSchema());

    private static final byte[] NO_BYTES = {};
    private static final int HEADER_BYTES = 10;
    private static final byte MARKER = (byte) 0xC3;
    private static final byte MARKER_VERSION = 0x01;

    private final SchemaVersions<T> versions;
    private final byte[] header;
    private final SpecificDatumWriter<T> writer;
    private final ByteArrayOutputStream buffer = new ByteArrayOutputStream(256);
    private @Nullable BinaryEncoder encoder;
    private @Nullable BinaryDecoder decoder;

    private SingleObjectCodec(SchemaVersions<T> versions) {
        this.versions = versions;
        header = ByteBuffer.allocate(HEADER_BYTES)
                .order(ByteOrder.LITTLE_ENDIAN)
                .put(MARKER)
                .put(MARKER_VERSION)
                .putLong(SchemaVersions.fingerprint(versions.current()))
                .array();
        writer = new SpecificDatumWriter<>(versions.current(), Vocabulary.INSTANCE);
    }

    public static SingleObjectCodec<TrainingEvent> events() {
        return new SingleObjectCodec<>(EVENTS);
    }

    public static SingleObjectCodec<Alert> alerts() {
        return new SingleObjectCodec<>(ALERTS);
    }

    public static SingleObjectCodec<RunStatus> runStatuses() {
        return new SingleObjectCodec<>(RUN_STATUSES);
    }

    public static SingleObjectCodec<Command> commands() {
        return new SingleObjectCodec<>(COMMANDS);
    }

    /**
     * Writes one record.
     *
     * @throws RuntimeException if a field that the schema requires is null; the next record is not affected
     */
    public byte[] encode(T record) {
        try {
            // Before the reset: what a record that failed half-way left in the encoder is flushed here.
            encoder = EncoderFactory.get().binaryEncoder(buffer, encoder);
            buffer.reset();
            buffer.write(header, 0, HEADER_BYTES);
            writer.write(record, encoder);
            encoder.flush();
            return buffer.toByteArray();
        } catch (IOException e) {
            throw new UncheckedIOException("writing to memory failed", e);
        }
    }

    /**
     * Reads one record.
     *
     * @throws UndecodableException if the bytes are not a record of this type that this version can read
     */
    public T decode(byte @Nullable [] bytes) throws UndecodableException {
        return decode(ByteBuffer.wrap(bytes == null ? NO_BYTES : bytes));
    }

    /**
     * Reads a record where it is among other bytes.
     *
     * @param bytes a record from position to limit, backed by an array; they do not move
     * @throws UndecodableException if they are no record of this type that this version can read
     */
    public T decode(ByteBuffer bytes) throws UndecodableException {
        byte[] array = bytes.array();
        int at = bytes.arrayOffset() + bytes.position();
        int length = bytes.remaining();
        if (length == 0) {
            throw new UndecodableException(Reason.EMPTY, "no bytes, where a " + name() + " should be");
        }
        if (length < HEADER_BYTES || array[at] != MARKER || array[at + 1] != MARKER_VERSION) {
            throw new UndecodableException(
                    Reason.NOT_SINGLE_OBJECT,
                    length + " bytes that do not begin with C3 01 and a fingerprint: not written by a trainwatch"
                            + " producer; look for another writer to this topic");
        }
        long fingerprint = ByteBuffer.wrap(array, at + 2, Long.BYTES)
                .order(ByteOrder.LITTLE_ENDIAN)
                .getLong();
        DatumReader<T> reader = versions.reader(fingerprint);
        if (reader == null) {
            throw new UndecodableException(
                    Reason.UNKNOWN_SCHEMA,
                    String.format(
                            "schema fingerprint %016x is no known version of %s (known: %d): the writer is newer than this"
                                    + " reader, so upgrade the reader; or the record is of another type",
                            fingerprint, name(), versions.released().size()));
        }
        try {
            decoder = DecoderFactory.get().binaryDecoder(array, at + HEADER_BYTES, length - HEADER_BYTES, decoder);
            T record = reader.read(null, decoder);
            if (!decoder.isEnd()) {
                throw new UndecodableException(Reason.CORRUPT, "bytes are left over behind the " + name());
            }
            return record;
        } catch (IOException | RuntimeException e) {
            throw new UndecodableException(
                    Reason.CORRUPT, length + " bytes break off or make no " + name() + ": " + e.getMessage());
        }
    }

    private String name() {
        return versions.current().getName();
    }
}
