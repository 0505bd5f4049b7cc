package io.trainwatch.codec;

import io.trainwatch.event.TrainingEvent;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.apache.avro.Schema;
import org.apache.avro.generic.IndexedRecord;

/** Records of any schema with values drawn from a seed: whatever the schema allows, non-finite numbers among it. */
final class RandomEvents {
    private static final double[] NUMBERS = {
        0.0,
        -0.0,
        1.5,
        -2.25e-9,
        Double.MIN_VALUE,
        Double.MAX_VALUE,
        Double.NaN,
        Double.POSITIVE_INFINITY,
        Double.NEGATIVE_INFINITY
    };
    private static final String[] TEXTS = {"", "a", "loss/box", "\"quoted\"\n", "\u00e9\u4e16\ud83d\ude00", "\u0000"};

    private final SplittableRandom random;

    RandomEvents(long seed) {
        random = new SplittableRandom(seed);
    }

    /** Twenty events of every type. */
    static Stream<TrainingEvent> one_of_each_type() {
        RandomEvents events = new RandomEvents(20);
        return TrainingEvent.getClassSchema().getField("body").schema().getTypes().stream()
                .flatMap(body -> Stream.generate(() -> events.with(body)).limit(20));
    }

    private TrainingEvent with(Schema body) {
        TrainingEvent event = (TrainingEvent) value(TrainingEvent.getClassSchema());
        event.setRunId("run-" + random.nextInt(1000));
        event.setBody(value(body));
        return event;
    }

    Object value(Schema schema) {
        return switch (schema.getType()) {
            case NULL -> null;
            case BOOLEAN -> random.nextBoolean();
            case INT -> random.nextInt();
            case LONG -> random.nextLong();
            case DOUBLE -> random.nextBoolean() ? random.nextDouble() : NUMBERS[random.nextInt(NUMBERS.length)];
            case STRING -> TEXTS[random.nextInt(TEXTS.length)];
            case BYTES -> ByteBuffer.wrap(new byte[] {(byte) random.nextInt(), (byte) random.nextInt()});
            case ENUM ->
                Vocabulary.INSTANCE.createEnum(
                        schema.getEnumSymbols()
                                .get(random.nextInt(schema.getEnumSymbols().size())),
                        schema);
            case ARRAY -> {
                List<Object> values = new ArrayList<>();
                for (int i = random.nextInt(4); i > 0; i--) {
                    values.add(value(schema.getElementType()));
                }
                yield values;
            }
            case MAP -> {
                Map<String, Object> values = new HashMap<>();
                for (int i = random.nextInt(4); i > 0; i--) {
                    values.put("name " + i, value(schema.getValueType()));
                }
                yield values;
            }
            case UNION ->
                value(schema.getTypes().get(random.nextInt(schema.getTypes().size())));
            case RECORD -> {
                IndexedRecord record = (IndexedRecord) Vocabulary.INSTANCE.newRecord(null, schema);
                for (Schema.Field field : schema.getFields()) {
                    record.put(field.pos(), value(field.schema()));
                }
                yield record;
            }
            default -> throw new AssertionError("no value for " + schema);
        };
    }
}
