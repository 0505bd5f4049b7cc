package io.trainwatch.codec;

import static org.assertj.core.api.Assertions.assertThat;

import io.trainwatch.alert.Alert;
import io.trainwatch.event.TrainingEvent;
import io.trainwatch.run.Command;
import io.trainwatch.run.RunStatus;
import java.util.List;
import java.util.SortedMap;
import java.util.stream.Stream;
import org.apache.avro.Schema;
import org.apache.avro.SchemaCompatibility;
import org.apache.avro.SchemaCompatibility.SchemaCompatibilityType;
import org.apache.avro.specific.SpecificRecordBase;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.FieldSource;
import org.junit.jupiter.params.provider.MethodSource;

class SchemaVersionsTest {
    static final List<Schema> TYPES = List.of(
            TrainingEvent.getClassSchema(),
            Alert.getClassSchema(),
            RunStatus.getClassSchema(),
            Command.getClassSchema());

    private final SingleObjectCodec<TrainingEvent> events = SingleObjectCodec.events();
    private final SingleObjectCodec<Alert> alerts = SingleObjectCodec.alerts();
    private final SingleObjectCodec<RunStatus> runStatuses = SingleObjectCodec.runStatuses();
    private final SingleObjectCodec<Command> commands = SingleObjectCodec.commands();

    @ParameterizedTest
    @FieldSource("TYPES")
    void the_current_schema_is_the_latest_released_one(Schema current) {
        SortedMap<Integer, Schema> released = new SchemaVersions<>(current).released();
        int latest = released.isEmpty() ? 0 : released.lastKey();

        assertThat(released.values())
                .extracting(SchemaVersions::fingerprint)
                .as(
                        "%s is not its released version %d: make it a version of its own with%n    %s%nand commit what it wrote",
                        current.getName(), latest, SchemaRelease.COMMAND)
                .endsWith(SchemaVersions.fingerprint(current));
    }

    @ParameterizedTest
    @FieldSource("TYPES")
    void the_current_schema_reads_every_released_one(Schema current) {
        new SchemaVersions<>(current).released().forEach((version, writer) -> {
            var compatibility = SchemaCompatibility.checkReaderWriterCompatibility(current, writer);
            assertThat(compatibility.getType())
                    .as(
                            "%s cannot read its version %d (%s): give a new field a default, and never rename or retype one",
                            current.getName(),
                            version,
                            compatibility.getResult().getIncompatibilities())
                    .isEqualTo(SchemaCompatibilityType.COMPATIBLE);
        });
    }

    @ParameterizedTest
    @MethodSource("golden")
    void golden_bytes_mean_what_their_json_means(Golden golden) throws Exception {
        assertThat(RecordJson.write(decode(golden))).isEqualTo(RecordJson.write(golden.read()));
    }

    @ParameterizedTest
    @MethodSource("latest")
    void the_latest_version_is_written_byte_by_byte(Golden golden) throws Exception {
        assertThat(encode(golden)).isEqualTo(golden.bytes());
    }

    @ParameterizedTest
    @MethodSource("latest")
    void the_json_of_the_latest_version_is_written_character_by_character(Golden golden) throws Exception {
        assertThat(RecordJson.write(decode(golden))).isEqualTo(golden.json());
    }

    @Test
    void the_golden_events_have_every_type_among_them() {
        assertThat(latest().filter(golden -> golden.type().equals(TrainingEvent.getClassSchema())))
                .extracting(golden -> EventJson.eventType(events.decode(golden.bytes())))
                .containsAll(EventJson.eventTypes());
    }

    private static Stream<Golden> golden() {
        return TYPES.stream()
                .flatMap(type -> new SchemaVersions<>(type)
                        .released().keySet().stream().flatMap(version -> Golden.of(type, version).stream()));
    }

    private static Stream<Golden> latest() {
        return TYPES.stream()
                .flatMap(type ->
                        Golden.of(type, new SchemaVersions<>(type).released().lastKey()).stream());
    }

    private SpecificRecordBase decode(Golden golden) throws UndecodableException {
        return switch (golden.type().getName()) {
            case "TrainingEvent" -> events.decode(golden.bytes());
            case "Alert" -> alerts.decode(golden.bytes());
            case "Command" -> commands.decode(golden.bytes());
            default -> runStatuses.decode(golden.bytes());
        };
    }

    private byte[] encode(Golden golden) throws Exception {
        return switch (golden.type().getName()) {
            case "TrainingEvent" -> events.encode((TrainingEvent) golden.read());
            case "Alert" -> alerts.encode((Alert) golden.read());
            case "Command" -> commands.encode((Command) golden.read());
            default -> runStatuses.encode((RunStatus) golden.read());
        };
    }
}
