package io.trainwatch.codec;

import io.trainwatch.alert.Alert;
import io.trainwatch.event.TrainingEvent;
import io.trainwatch.run.Command;
import io.trainwatch.run.RunStatus;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import org.apache.avro.Schema;
import org.apache.avro.SchemaFormatter;
import org.apache.avro.specific.SpecificRecordBase;

/**
 * Makes a version of what changed in {@code src/main/avro}: the schema becomes {@code released/NAME-vN.avsc}, and the
 * golden records of the version before, read with it, become {@code golden/NAME-vN.jsonl} and, as bytes, line by line,
 * {@code golden/NAME-vN.hex}. What did not change is left alone; a released file is never written again.
 *
 * <p>Run it from the root of the checkout, then commit what it wrote:
 *
 * <pre>{@value #COMMAND}</pre>
 *
 * <p>A version that no release of trainwatch ever carried may be deleted first, so that its number is used again.
 */
public final class SchemaRelease {
    static final String COMMAND =
            "mvn -q -pl schemas test-compile exec:java -Dexec.classpathScope=test -Dexec.mainClass=io.trainwatch.codec.SchemaRelease";

    private static final Path RELEASED = Path.of("schemas/src/main/resources/released");
    private static final Path GOLDEN = Path.of("schemas/src/test/resources/golden");

    private SchemaRelease() {}

    public static void main(String[] arguments) throws Exception {
        release(TrainingEvent.class, TrainingEvent.getClassSchema(), SingleObjectCodec.events());
        release(Alert.class, Alert.getClassSchema(), SingleObjectCodec.alerts());
        release(RunStatus.class, RunStatus.getClassSchema(), SingleObjectCodec.runStatuses());
        release(Command.class, Command.getClassSchema(), SingleObjectCodec.commands());
    }

    private static <T extends SpecificRecordBase> void release(
            Class<T> type, Schema current, SingleObjectCodec<T> codec) throws IOException, InvalidEventException {
        int version = 1;
        while (Files.exists(RELEASED.resolve(current.getName() + "-v" + version + ".avsc"))) {
            Schema released = new Schema.Parser()
                    .parse(RELEASED.resolve(current.getName() + "-v" + version + ".avsc")
                            .toFile());
            if (SchemaVersions.fingerprint(released) == SchemaVersions.fingerprint(current)) {
                System.out.println(current.getName() + " is version " + version + " already");
                return;
            }
            version++;
        }
        Path lines = GOLDEN.resolve(current.getName() + "-v" + version + ".jsonl");
        if (!Files.exists(lines)) {
            Files.copy(GOLDEN.resolve(current.getName() + "-v" + (version - 1) + ".jsonl"), lines);
        }
        List<String> bytes = new ArrayList<>();
        for (String line : Files.readAllLines(lines)) {
            bytes.add(HexFormat.of().formatHex(codec.encode(type.cast(Golden.read(current, line)))));
        }
        Files.writeString(
                RELEASED.resolve(current.getName() + "-v" + version + ".avsc"),
                SchemaFormatter.format("json/pretty", current) + "\n");
        Files.write(GOLDEN.resolve(current.getName() + "-v" + version + ".hex"), bytes);
        System.out.println(current.getName() + " is version " + version + " now: commit it");
    }
}
