package io.trainwatch.codec;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.sun.management.ThreadMXBean;
import io.trainwatch.codec.UndecodableException.Reason;
import io.trainwatch.event.Heartbeat;
import io.trainwatch.event.StepCompleted;
import io.trainwatch.event.TensorStats;
import io.trainwatch.event.TensorSummary;
import io.trainwatch.event.TrainingEvent;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericDatumWriter;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.io.BinaryEncoder;
import org.apache.avro.io.DatumReader;
import org.apache.avro.io.DecoderFactory;
import org.apache.avro.io.EncoderFactory;
import org.apache.avro.io.FastReaderBuilder;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class SingleObjectCodecTest {
    private final SingleObjectCodec<TrainingEvent> codec = SingleObjectCodec.events();

    @ParameterizedTest
    @MethodSource("io.trainwatch.codec.RandomEvents#one_of_each_type")
    void every_type_of_event_survives_encoding_and_decoding(TrainingEvent event) throws Exception {
        assertThat(EventJson.write(codec.decode(codec.encode(event)))).isEqualTo(EventJson.write(event));
    }

    @Test
    void a_heartbeat_is_a_header_an_envelope_and_a_body() {
        TrainingEvent event = heartbeat();
        ByteBuffer expected = ByteBuffer.allocate(64)
                .order(ByteOrder.LITTLE_ENDIAN)
                .put(new byte[] {(byte) 0xC3, 0x01})
                .putLong(SchemaVersions.fingerprint(TrainingEvent.getClassSchema()))
                .put(new byte[] {4, 'r', '1'}) // run_id
                .put(new byte[] {0, 0}) // attempt, rank
                .put(new byte[] {0, 0}) // no world_size, no host
                .put(new byte[] {0}) // session
                .put(new byte[] {2, 10}) // seq 5
                .put(new byte[] {(byte) 0x80, 0x02}) // timestamp_ms 128
                .put(new byte[] {0, 0, 0, 0}) // no step, no epoch, no phase_id, not historical
                .put(new byte[] {16}) // the ninth body
                .put(new byte[] {0, 0, 0, 2}) // uptime_seconds alone
                .putDouble(Double.NaN)
                .put(new byte[] {0, 0, 0});

        assertThat(codec.encode(event)).isEqualTo(Arrays.copyOf(expected.array(), expected.position()));
    }

    @Test
    void a_record_of_another_version_is_resolved_to_the_current_one() throws Exception {
        Schema older =
                without(without(TrainingEvent.getClassSchema(), "StepCompleted", "metrics"), "TrainingEvent", "epoch");
        DatumReader<TrainingEvent> reader =
                new FastReaderBuilder(Vocabulary.INSTANCE).createDatumReader(older, TrainingEvent.getClassSchema());
        TrainingEvent event = heartbeat();
        StepCompleted step = new StepCompleted();
        step.setLoss(Double.NaN);
        step.setLosses(Map.of("box", 1.5));
        event.setBody(step);

        TrainingEvent read = reader.read(null, DecoderFactory.get().binaryDecoder(written(older, event), null));

        assertThat(read).isEqualTo(event);
    }

    @Test
    void no_bytes_are_empty() {
        assertRefused(null, Reason.EMPTY, "no bytes, where a TrainingEvent should be");
        assertRefused(new byte[0], Reason.EMPTY, "no bytes, where a TrainingEvent should be");
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 9})
    void a_part_of_a_header_is_no_single_object(int length) {
        assertRefused(
                Arrays.copyOf(codec.encode(heartbeat()), length),
                Reason.NOT_SINGLE_OBJECT,
                length + " bytes that do not begin with C3 01 and a fingerprint");
    }

    @Test
    void json_and_confluent_framing_are_no_single_objects() {
        assertRefused(
                "{\"event_type\":\"heartbeat\"}".getBytes(StandardCharsets.UTF_8),
                Reason.NOT_SINGLE_OBJECT,
                "26 bytes");
        assertRefused(new byte[] {0, 0, 0, 0, 1, 4, 'r', '1', 0, 0, 0}, Reason.NOT_SINGLE_OBJECT, "11 bytes");
    }

    @Test
    void an_unknown_fingerprint_is_named_with_the_remedy() {
        byte[] bytes = codec.encode(heartbeat());
        ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).putLong(2, 0x0123456789abcdefL);

        assertRefused(
                bytes,
                Reason.UNKNOWN_SCHEMA,
                "schema fingerprint 0123456789abcdef is no known version of TrainingEvent (known: 2): the writer is"
                        + " newer than this reader, so upgrade the reader; or the record is of another type");
    }

    @Test
    void an_alert_is_no_event() {
        byte[] status = Golden.of(SchemaVersionsTest.TYPES.get(1), 1).get(0).bytes();

        assertRefused(status, Reason.UNKNOWN_SCHEMA, "schema fingerprint ");
    }

    @Test
    void a_record_cut_short_anywhere_is_corrupt() {
        for (byte[] whole : records()) {
            for (int length = 10; length < whole.length; length++) {
                assertRefused(Arrays.copyOf(whole, length), Reason.CORRUPT, length + " bytes break off");
            }
        }
    }

    @Test
    void a_record_among_others_is_read_alone_and_one_cut_short_takes_nothing_from_the_next() throws Exception {
        byte[] record = codec.encode(heartbeat());
        byte[] among = ByteBuffer.allocate(3 * record.length)
                .put(record)
                .put(record)
                .put(record)
                .array();

        TrainingEvent read = codec.decode(ByteBuffer.wrap(among, record.length, record.length));
        assertThat(EventJson.write(read)).isEqualTo(EventJson.write(heartbeat()));
        for (int length = 10; length < record.length; length++) {
            ByteBuffer cut = ByteBuffer.wrap(among, record.length, length);
            assertThatThrownBy(() -> codec.decode(cut))
                    .isInstanceOfSatisfying(
                            UndecodableException.class,
                            e -> assertThat(e.reason()).isEqualTo(Reason.CORRUPT));
        }
    }

    @Test
    void bytes_behind_the_record_make_it_corrupt() {
        byte[] bytes = codec.encode(heartbeat());

        assertRefused(
                Arrays.copyOf(bytes, bytes.length + 1), Reason.CORRUPT, "bytes are left over behind the TrainingEvent");
    }

    @Test
    void a_flipped_bit_gives_another_record_or_a_refusal_and_nothing_else() {
        int refused = 0;
        for (byte[] whole : records()) {
            for (int bit = 0; bit < whole.length * 8; bit++) {
                byte[] bytes = whole.clone();
                bytes[bit / 8] ^= (byte) (1 << bit % 8);
                try {
                    codec.decode(bytes);
                    assertThat(bit / 8).as("a flipped byte that was read").isGreaterThanOrEqualTo(10);
                } catch (UndecodableException e) {
                    refused++;
                    assertThat(e.reason())
                            .isEqualTo(
                                    bit / 8 < 2
                                            ? Reason.NOT_SINGLE_OBJECT
                                            : bit / 8 < 10 ? Reason.UNKNOWN_SCHEMA : Reason.CORRUPT);
                }
            }
        }
        assertThat(refused).isGreaterThan(80 * records().size());
    }

    @Test
    void random_bytes_behind_a_good_header_are_refused_or_read_and_nothing_else() {
        SplittableRandom random = new SplittableRandom(11);
        byte[] header = Arrays.copyOf(codec.encode(heartbeat()), 10);
        for (int i = 0; i < 20_000; i++) {
            byte[] bytes = Arrays.copyOf(header, 10 + random.nextInt(60));
            for (int k = 10; k < bytes.length; k++) {
                bytes[k] = (byte) random.nextInt();
            }
            try {
                codec.decode(bytes);
            } catch (UndecodableException e) {
                assertThat(e.reason()).isEqualTo(Reason.CORRUPT);
            }
        }
    }

    @Test
    void a_length_of_2_GB_in_a_record_of_50_bytes_allocates_next_to_nothing() throws Exception {
        List<byte[]> hostile = List.of(
                hostile(out -> out.writeLong(Integer.MAX_VALUE)), // run_id
                hostile(out -> out.writeLong(Integer.MAX_VALUE - 8)),
                hostile(out -> out.writeLong(Long.MAX_VALUE)),
                hostile(out -> out.writeLong(-1)),
                hostile(
                        out -> { // losses
                            envelope(out, 0);
                            nulls(out, 3);
                            out.writeIndex(1);
                            out.writeLong(Integer.MAX_VALUE - 8);
                        }),
                hostile(
                        out -> { // a block of negative count
                            envelope(out, 0);
                            nulls(out, 3);
                            out.writeIndex(1);
                            out.writeLong(Integer.MIN_VALUE);
                            out.writeLong(Integer.MAX_VALUE);
                        }),
                hostile(
                        out -> { // tensors
                            envelope(out, 3);
                            out.writeLong(Integer.MAX_VALUE - 8);
                        }),
                hostile(
                        out -> { // the bytes of a sketch
                            envelope(out, 4);
                            nulls(out, 2);
                            out.writeIndex(1);
                            out.writeLong(1);
                            out.writeString("age");
                            nulls(out, 11);
                            out.writeIndex(1);
                            out.writeString("kll");
                            out.writeLong(Integer.MAX_VALUE - 8);
                        }));
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        long thread = Thread.currentThread().getId();
        codec.decode(codec.encode(heartbeat()));
        for (byte[] bytes : hostile) {
            long before = threads.getThreadAllocatedBytes(thread);
            UndecodableException refusal =
                    catchThrowableOfType(UndecodableException.class, () -> codec.decode(Arrays.copyOf(bytes, 50)));
            assertThat(threads.getThreadAllocatedBytes(thread) - before).isLessThan(1_000_000);
            assertThat(refusal.reason()).isEqualTo(Reason.CORRUPT);
        }
    }

    @Test
    void an_event_that_cannot_be_encoded_does_not_spoil_the_next() throws Exception {
        TrainingEvent incomplete = heartbeat();
        TensorSummary nameless = new TensorSummary();
        TensorStats tensors = new TensorStats();
        tensors.setTensors(List.of(nameless));
        incomplete.setBody(tensors);

        assertThatThrownBy(() -> codec.encode(incomplete)).isInstanceOf(RuntimeException.class);

        assertThat(codec.decode(codec.encode(heartbeat()))).isEqualTo(heartbeat());
    }

    private void assertRefused(byte[] bytes, Reason reason, String message) {
        UndecodableException refusal = catchThrowableOfType(UndecodableException.class, () -> codec.decode(bytes));
        assertThat(refusal).as("refusal of %s", Arrays.toString(bytes)).isNotNull();
        assertThat(refusal.reason()).isEqualTo(reason);
        assertThat(refusal).hasMessageStartingWith(message);
    }

    private List<byte[]> records() {
        return Golden.of(TrainingEvent.getClassSchema(), 1).stream()
                .map(Golden::bytes)
                .toList();
    }

    private static TrainingEvent heartbeat() {
        Heartbeat heartbeat = new Heartbeat();
        heartbeat.setUptimeSeconds(Double.NaN);
        TrainingEvent event = new TrainingEvent();
        event.setRunId("r1");
        event.setSession("");
        event.setSeq(5L);
        event.setTimestampMs(128);
        event.setBody(heartbeat);
        return event;
    }

    private interface Body {
        void write(BinaryEncoder out) throws IOException;
    }

    private byte[] hostile(Body body) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        bytes.write(codec.encode(heartbeat()), 0, 10);
        BinaryEncoder out = EncoderFactory.get().directBinaryEncoder(bytes, null);
        body.write(out);
        out.flush();
        return bytes.toByteArray();
    }

    private static void envelope(BinaryEncoder out, int body) throws IOException {
        out.writeString("r1");
        nulls(out, 10);
        out.writeIndex(body);
    }

    private static void nulls(BinaryEncoder out, int count) throws IOException {
        for (int i = 0; i < count; i++) {
            out.writeIndex(0);
        }
    }

    /** The schema without one field, as an older version may have been. */
    private static Schema without(Schema schema, String record, String field) throws IOException {
        JsonNode tree = new ObjectMapper().readTree(schema.toString());
        remove(field, record, tree);
        Schema older = new Schema.Parser().parse(tree.toString());
        assertThat(older).isNotEqualTo(schema);
        return older;
    }

    private static void remove(String field, String record, JsonNode tree) {
        for (Iterator<JsonNode> nodes = tree.elements(); nodes.hasNext(); ) {
            JsonNode node = nodes.next();
            if (record.isEmpty() && node.path("name").asText().equals(field)) {
                nodes.remove();
            } else if (!record.isEmpty()) {
                remove(field, record, node);
            }
        }
        if (!record.isEmpty() && tree.path("name").asText().equals(record)) {
            remove(field, "", tree.get("fields"));
        }
    }

    private static byte[] written(Schema older, TrainingEvent event) throws IOException {
        StepCompleted step = (StepCompleted) event.getBody();
        GenericRecord body = new GenericData.Record(
                older.getField("body").schema().getTypes().get(0));
        body.put("loss", step.getLoss());
        body.put("losses", step.getLosses());
        GenericRecord record = new GenericData.Record(older);
        record.put("run_id", event.getRunId());
        record.put("attempt", event.getAttempt());
        record.put("rank", event.getRank());
        record.put("session", event.getSession());
        record.put("seq", event.getSeq());
        record.put("timestamp_ms", event.getTimestampMs());
        record.put("body", body);
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        BinaryEncoder out = EncoderFactory.get().directBinaryEncoder(bytes, null);
        new GenericDatumWriter<GenericRecord>(older).write(record, out);
        return bytes.toByteArray();
    }
}
