package io.trainwatch.codec;

import io.trainwatch.alert.Alert;
import io.trainwatch.event.TrainingEvent;
import io.trainwatch.run.Command;
import io.trainwatch.run.RunStatus;
import java.util.HashMap;
import java.util.Map;
import org.apache.avro.Schema;
import org.apache.avro.specific.SpecificData;
import org.jspecify.annotations.Nullable;

/**
 * The generated classes by the name of their schema, and no others: whatever a schema from outside names, no other class
 * is loaded. Avro by itself would look for any class, and so wants each one allowed by a system property.
 */
final class Vocabulary extends SpecificData {
    static final Vocabulary INSTANCE = new Vocabulary();

    private final Map<String, Class<?>> classes = new HashMap<>();

    private Vocabulary() {
        super(Vocabulary.class.getClassLoader());
        admit(TrainingEvent.getClassSchema());
        admit(Alert.getClassSchema());
        admit(RunStatus.getClassSchema());
        admit(Command.getClassSchema());
        setCustomCoders(true);
    }

    private void admit(Schema schema) {
        switch (schema.getType()) {
            case RECORD -> {
                if (classes.put(schema.getFullName(), load(schema)) == null) {
                    schema.getFields().forEach(field -> admit(field.schema()));
                }
            }
            case ENUM -> classes.put(schema.getFullName(), load(schema));
            case ARRAY -> admit(schema.getElementType());
            case MAP -> admit(schema.getValueType());
            case UNION -> schema.getTypes().forEach(this::admit);
            default -> {}
        }
    }

    private Class<?> load(Schema schema) {
        try {
            return Class.forName(getClassName(schema), true, getClassLoader());
        } catch (ClassNotFoundException e) {
            throw new IllegalStateException(
                    "no generated class for " + schema.getFullName() + ": build the schemas anew", e);
        }
    }

    @Override
    @SuppressWarnings("rawtypes") // as it is declared
    public @Nullable Class getClass(Schema schema) {
        return switch (schema.getType()) {
            case RECORD, ENUM, FIXED -> classes.get(schema.getFullName());
            default -> super.getClass(schema);
        };
    }
}
