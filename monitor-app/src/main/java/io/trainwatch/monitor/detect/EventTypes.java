package io.trainwatch.monitor.detect;

import io.trainwatch.event.TrainingEvent;
import java.util.Set;
import java.util.stream.Collectors;
import org.apache.avro.Schema;
import org.apache.avro.specific.SpecificData;

/** The bodies that an event can have, from the schema. */
final class EventTypes {
    static final Set<Class<?>> ALL = TrainingEvent.getClassSchema().getField("body").schema().getTypes().stream()
            .map(EventTypes::type)
            .collect(Collectors.toUnmodifiableSet());

    private EventTypes() {}

    private static Class<?> type(Schema schema) {
        return SpecificData.get().getClass(schema);
    }
}
