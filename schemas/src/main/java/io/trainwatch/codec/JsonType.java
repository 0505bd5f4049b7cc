package io.trainwatch.codec;

import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.exc.InputCoercionException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.avro.Schema;

/** The JSON form of one Avro type, made from its schema. */
interface JsonType {
    /** Reads the value that the parser stands at. */
    Object read(JsonSource in) throws IOException, InvalidEventException;

    void write(Object value, JsonGenerator out) throws IOException;

    /** What a value may be, to follow "must be". */
    String allowed();

    /**
     * The form of a schema that is not a union.
     *
     * @throws IllegalArgumentException if a type has no JSON form
     */
    static JsonType of(Schema schema) {
        return switch (schema.getType()) {
            case DOUBLE -> new Doubles();
            case LONG -> new Longs();
            case INT -> new Ints();
            case BOOLEAN -> new Booleans();
            case STRING -> new Strings();
            case BYTES -> new Bytes();
            case ENUM -> Enums.of(schema);
            case ARRAY -> new Arrays(of(schema.getElementType()));
            case MAP -> new Maps(of(schema.getValueType()));
            case RECORD -> RecordType.of(schema);
            default -> throw new IllegalArgumentException("no JSON form for " + schema);
        };
    }

    /** A number, or one of the three that JSON has no literal for. */
    record Doubles() implements JsonType {
        @Override
        public Object read(JsonSource in) throws IOException, InvalidEventException {
            JsonParser parser = in.parser();
            JsonToken token = parser.currentToken();
            if (token == JsonToken.VALUE_NUMBER_FLOAT || token == JsonToken.VALUE_NUMBER_INT) {
                return parser.getDoubleValue();
            }
            if (token == JsonToken.VALUE_STRING) {
                switch (parser.getText()) {
                    case "NaN" -> {
                        return Double.NaN;
                    }
                    case "Infinity" -> {
                        return Double.POSITIVE_INFINITY;
                    }
                    case "-Infinity" -> {
                        return Double.NEGATIVE_INFINITY;
                    }
                    default -> {}
                }
            }
            throw in.wrong(allowed());
        }

        @Override
        public void write(Object value, JsonGenerator out) throws IOException {
            double number = (Double) value;
            if (Double.isFinite(number)) {
                out.writeNumber(number);
            } else {
                out.writeString(Double.toString(number));
            }
        }

        @Override
        public String allowed() {
            return "a number, \"NaN\", \"Infinity\" or \"-Infinity\"";
        }
    }

    /** A whole number; 5.0 is one, because some writers know no integers. */
    record Longs() implements JsonType {
        private static final double LARGEST_EXACT = 0x1p53;

        @Override
        public Object read(JsonSource in) throws IOException, InvalidEventException {
            JsonParser parser = in.parser();
            if (parser.currentToken() == JsonToken.VALUE_NUMBER_INT) {
                try {
                    return parser.getLongValue();
                } catch (InputCoercionException outOfRange) {
                    throw in.wrong(allowed());
                }
            }
            if (parser.currentToken() == JsonToken.VALUE_NUMBER_FLOAT) {
                double number = parser.getDoubleValue();
                if (Math.rint(number) == number && Math.abs(number) <= LARGEST_EXACT) {
                    return (long) number;
                }
            }
            throw in.wrong(allowed());
        }

        @Override
        public void write(Object value, JsonGenerator out) throws IOException {
            out.writeNumber((Long) value);
        }

        @Override
        public String allowed() {
            return "a whole number of 64 bits";
        }
    }

    /** A whole number that fits 32 bits. */
    record Ints() implements JsonType {
        private static final Longs WIDE = new Longs();

        @Override
        public Object read(JsonSource in) throws IOException, InvalidEventException {
            JsonToken token = in.parser().currentToken();
            if (token == JsonToken.VALUE_NUMBER_INT || token == JsonToken.VALUE_NUMBER_FLOAT) {
                long number = (Long) WIDE.read(in);
                if (number == (int) number) {
                    return (int) number;
                }
            }
            throw in.wrong(allowed());
        }

        @Override
        public void write(Object value, JsonGenerator out) throws IOException {
            out.writeNumber((Integer) value);
        }

        @Override
        public String allowed() {
            return "a whole number of 32 bits";
        }
    }

    /** True or false. */
    record Booleans() implements JsonType {
        @Override
        public Object read(JsonSource in) throws IOException, InvalidEventException {
            return switch (in.parser().currentToken()) {
                case VALUE_TRUE -> true;
                case VALUE_FALSE -> false;
                default -> throw in.wrong(allowed());
            };
        }

        @Override
        public void write(Object value, JsonGenerator out) throws IOException {
            out.writeBoolean((Boolean) value);
        }

        @Override
        public String allowed() {
            return "true or false";
        }
    }

    /** Text. */
    record Strings() implements JsonType {
        @Override
        public Object read(JsonSource in) throws IOException, InvalidEventException {
            if (in.parser().currentToken() != JsonToken.VALUE_STRING) {
                throw in.wrong(allowed());
            }
            return in.parser().getText();
        }

        @Override
        public void write(Object value, JsonGenerator out) throws IOException {
            out.writeString(value.toString());
        }

        @Override
        public String allowed() {
            return "text";
        }
    }

    /** Bytes, as base64 of RFC 4648 with padding. */
    record Bytes() implements JsonType {
        @Override
        public Object read(JsonSource in) throws IOException, InvalidEventException {
            if (in.parser().currentToken() == JsonToken.VALUE_STRING) {
                try {
                    return ByteBuffer.wrap(
                            Base64.getDecoder().decode(in.parser().getText()));
                } catch (IllegalArgumentException notBase64) {
                    throw in.wrong(allowed());
                }
            }
            throw in.wrong(allowed());
        }

        @Override
        public void write(Object value, JsonGenerator out) throws IOException {
            ByteBuffer bytes = ((ByteBuffer) value).duplicate();
            byte[] copy = new byte[bytes.remaining()];
            bytes.get(copy);
            out.writeString(Base64.getEncoder().encodeToString(copy));
        }

        @Override
        public String allowed() {
            return "bytes in base64";
        }
    }

    /** One of a few names. */
    record Enums(Map<String, Object> symbols, String allowed) implements JsonType {
        static Enums of(Schema schema) {
            Map<String, Object> symbols = new HashMap<>();
            for (String symbol : schema.getEnumSymbols()) {
                symbols.put(symbol, Vocabulary.INSTANCE.createEnum(symbol, schema));
            }
            return new Enums(symbols, "one of " + String.join(", ", schema.getEnumSymbols()));
        }

        @Override
        public Object read(JsonSource in) throws IOException, InvalidEventException {
            Object symbol = in.parser().currentToken() == JsonToken.VALUE_STRING
                    ? symbols.get(in.parser().getText())
                    : null;
            if (symbol == null) {
                throw in.wrong(allowed);
            }
            return symbol;
        }

        @Override
        public void write(Object value, JsonGenerator out) throws IOException {
            out.writeString(value.toString());
        }
    }

    /** A sequence of values of one type. */
    record Arrays(JsonType element) implements JsonType {
        @Override
        public Object read(JsonSource in) throws IOException, InvalidEventException {
            if (in.parser().currentToken() != JsonToken.START_ARRAY) {
                throw in.wrong(allowed());
            }
            List<Object> values = new ArrayList<>();
            while (in.parser().nextToken() != JsonToken.END_ARRAY) {
                if (values.size() == JsonSource.MAX_ENTRIES) {
                    throw in.tooMany();
                }
                values.add(element.read(in));
            }
            return values;
        }

        @Override
        public void write(Object value, JsonGenerator out) throws IOException {
            out.writeStartArray();
            for (Object one : (List<?>) value) {
                element.write(one, out);
            }
            out.writeEndArray();
        }

        @Override
        public String allowed() {
            return "an array";
        }
    }

    /** Values of one type by name. */
    record Maps(JsonType element) implements JsonType {
        @Override
        public Object read(JsonSource in) throws IOException, InvalidEventException {
            if (in.parser().currentToken() != JsonToken.START_OBJECT) {
                throw in.wrong(allowed());
            }
            Map<String, Object> values = new HashMap<>();
            for (String name = in.parser().nextFieldName();
                    name != null;
                    name = in.parser().nextFieldName()) {
                in.parser().nextToken();
                if (values.size() == JsonSource.MAX_ENTRIES) {
                    throw in.tooMany();
                }
                if (values.put(name, element.read(in)) != null) {
                    throw in.repeated();
                }
            }
            return values;
        }

        @Override
        public void write(Object value, JsonGenerator out) throws IOException {
            out.writeStartObject();
            for (Map.Entry<?, ?> entry : ((Map<?, ?>) value).entrySet()) {
                out.writeFieldName((String) entry.getKey());
                element.write(entry.getValue(), out);
            }
            out.writeEndObject();
        }

        @Override
        public String allowed() {
            return "an object";
        }
    }
}
