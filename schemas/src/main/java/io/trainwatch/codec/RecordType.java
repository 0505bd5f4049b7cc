package io.trainwatch.codec;

import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.avro.Schema;
import org.apache.avro.generic.IndexedRecord;
import org.jspecify.annotations.Nullable;

/** A record as a JSON object. An absent field has its default, a null is not written, an unknown field is passed over. */
final class RecordType implements JsonType {
    /** One field; {@code fallback} is its value where it is absent and {@code optional}. */
    private record Field(
            int position,
            String name,
            Schema schema,
            JsonType type,
            boolean nullable,
            boolean optional,
            @Nullable Object fallback) {}

    private final Schema schema;
    private final List<Field> fields;
    private final Map<String, Field> byName = new HashMap<>();

    private RecordType(Schema schema, List<Field> fields) {
        this.schema = schema;
        this.fields = fields;
        fields.forEach(field -> byName.put(field.name(), field));
    }

    static RecordType of(Schema schema) {
        return new RecordType(
                schema, schema.getFields().stream().map(RecordType::field).toList());
    }

    /** The same without one field, which the caller fills in. */
    static RecordType without(String name, Schema schema) {
        return new RecordType(
                schema,
                schema.getFields().stream()
                        .filter(field -> !field.name().equals(name))
                        .map(RecordType::field)
                        .toList());
    }

    private static Field field(Schema.Field field) {
        Schema schema = field.schema();
        boolean nullable = schema.isNullable();
        if (schema.isUnion()) {
            List<Schema> others = schema.getTypes().stream()
                    .filter(type -> type.getType() != Schema.Type.NULL)
                    .toList();
            if (others.size() != 1) {
                throw new IllegalArgumentException("no JSON form for " + field + " of type " + schema);
            }
            schema = others.get(0);
        }
        boolean optional = field.hasDefaultValue();
        return new Field(
                field.pos(),
                field.name(),
                schema,
                JsonType.of(schema),
                nullable,
                optional,
                optional ? Vocabulary.INSTANCE.getDefaultValue(field) : null);
    }

    /** A record whose fields are arriving. */
    final class Partial {
        private final IndexedRecord record = (IndexedRecord) Vocabulary.INSTANCE.newRecord(null, schema);
        private final boolean[] seen = new boolean[schema.getFields().size()];

        /** Reads the value behind the name that the parser stands at; false, without moving on, if no field is called that. */
        boolean accept(String name, JsonSource in) throws IOException, InvalidEventException {
            Field field = byName.get(name);
            if (field == null) {
                return false;
            }
            if (seen[field.position()]) {
                throw in.repeated();
            }
            if (in.parser().nextToken() != JsonToken.VALUE_NULL) {
                record.put(field.position(), field.type().read(in));
                seen[field.position()] = true;
            } else if (!field.nullable()) {
                throw in.wrong(field.type().allowed());
            }
            return true;
        }

        IndexedRecord complete(JsonSource in) throws InvalidEventException {
            for (Field field : fields) {
                if (!seen[field.position()]) {
                    if (!field.optional()) {
                        throw in.missing(field.name(), field.type().allowed());
                    }
                    if (field.fallback() != null) {
                        record.put(field.position(), Vocabulary.INSTANCE.deepCopy(field.schema(), field.fallback()));
                    }
                }
            }
            return record;
        }
    }

    String name() {
        return schema.getName();
    }

    Partial begin() {
        return new Partial();
    }

    @Override
    public Object read(JsonSource in) throws IOException, InvalidEventException {
        if (in.parser().currentToken() != JsonToken.START_OBJECT) {
            throw in.wrong(allowed());
        }
        Partial partial = begin();
        for (String name = in.parser().nextFieldName();
                name != null;
                name = in.parser().nextFieldName()) {
            if (!partial.accept(name, in)) {
                in.skipUnknown();
            }
        }
        return partial.complete(in);
    }

    @Override
    public void write(Object value, JsonGenerator out) throws IOException {
        out.writeStartObject();
        writeFields((IndexedRecord) value, out);
        out.writeEndObject();
    }

    void writeFields(IndexedRecord record, JsonGenerator out) throws IOException {
        for (Field field : fields) {
            Object value = record.get(field.position());
            if (value != null) {
                out.writeFieldName(field.name());
                field.type().write(value, out);
            }
        }
    }

    @Override
    public String allowed() {
        return "an object";
    }
}
