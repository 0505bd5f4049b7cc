package io.trainwatch.monitor.detect;

import static org.assertj.core.api.Assertions.assertThat;

import io.trainwatch.event.TrainingEvent;
import org.apache.avro.Schema;
import org.junit.jupiter.api.Test;

class EventTypesTest {

    @Test
    void every_body_of_the_schema_is_among_them_and_no_other() {
        assertThat(EventTypes.ALL)
                .extracting(Class::getName)
                .containsExactlyInAnyOrderElementsOf(
                        TrainingEvent.getClassSchema().getField("body").schema().getTypes().stream()
                                .map(Schema::getFullName)
                                .toList());
    }
}
