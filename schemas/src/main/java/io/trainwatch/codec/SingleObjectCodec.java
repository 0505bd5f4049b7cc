package io.trainwatch.codec;

import io.trainwatch.alert.Alert;
import io.trainwatch.event.TrainingEvent;
import io.trainwatch.run.RunStatus;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.apache.avro.AvroRuntimeException;
import org.apache.avro.Schema;
import org.apache.avro.SchemaNormalization;
import org.apache.avro.io.BinaryDecoder;
import org.apache.avro.io.BinaryEncoder;
import org.apache.avro.io.DecoderFactory;
import org.apache.avro.io.EncoderFactory;
import org.apache.avro.specific.SpecificDatumReader;
import org.apache.avro.specific.SpecificDatumWriter;
import org.apache.avro.specific.SpecificRecordBase;

/**
 * One record type to bytes and back, in Avro single-object encoding: {@code C3 01}, the CRC-64-AVRO fingerprint of the
 * writer's schema (8 bytes, little endian), the body.
 *
 * <p>Not thread-safe: an instance reuses its buffers. Give each thread its own.
 */
public final class SingleObjectCodec<T extends SpecificRecordBase> {
    private static final int HEADER_BYTES = 10;

    private final byte[] header;
    private final long fingerprint;
    private final SpecificDatumReader<T> reader;
    private final SpecificDatumWriter<T> writer;
    private final ByteArrayOutputStream buffer = new ByteArrayOutputStream(256);
    private BinaryEncoder encoder = EncoderFactory.get().directBinaryEncoder(buffer, null);
    private BinaryDecoder decoder = DecoderFactory.get().binaryDecoder(new byte[0], null);

    private SingleObjectCodec(Schema schema) {
        fingerprint = SchemaNormalization.parsingFingerprint64(schema);
        header = ByteBuffer.allocate(HEADER_BYTES)
                .order(ByteOrder.LITTLE_ENDIAN)
                .put((byte) 0xC3)
                .put((byte) 0x01)
                .putLong(fingerprint)
                .array();
        reader = new SpecificDatumReader<>(schema, schema, Vocabulary.INSTANCE);
        writer = new SpecificDatumWriter<>(schema, Vocabulary.INSTANCE);
    }

    public static SingleObjectCodec<TrainingEvent> events() {
        return new SingleObjectCodec<>(TrainingEvent.getClassSchema());
    }

    public static SingleObjectCodec<Alert> alerts() {
        return new SingleObjectCodec<>(Alert.getClassSchema());
    }

    public static SingleObjectCodec<RunStatus> runStatuses() {
        return new SingleObjectCodec<>(RunStatus.getClassSchema());
    }

    public byte[] encode(T record) {
        try {
            buffer.reset();
            buffer.write(header, 0, HEADER_BYTES);
            encoder = EncoderFactory.get().directBinaryEncoder(buffer, encoder);
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
    public T decode(byte[] bytes) throws UndecodableException {
        if (bytes.length < HEADER_BYTES || bytes[0] != header[0] || bytes[1] != header[1]) {
            throw new UndecodableException(UndecodableException.Reason.NOT_SINGLE_OBJECT, "no single-object header");
        }
        long seen = ByteBuffer.wrap(bytes, 2, 8).order(ByteOrder.LITTLE_ENDIAN).getLong();
        if (seen != fingerprint) {
            throw new UndecodableException(
                    UndecodableException.Reason.UNKNOWN_SCHEMA, "schema fingerprint " + Long.toHexString(seen));
        }
        try {
            decoder = DecoderFactory.get().binaryDecoder(bytes, HEADER_BYTES, bytes.length - HEADER_BYTES, decoder);
            return reader.read(null, decoder);
        } catch (IOException | AvroRuntimeException e) {
            throw new UndecodableException(UndecodableException.Reason.CORRUPT, String.valueOf(e.getMessage()));
        }
    }
}
