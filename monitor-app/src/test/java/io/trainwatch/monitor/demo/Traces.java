package io.trainwatch.monitor.demo;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.trainwatch.event.FinishStatus;
import io.trainwatch.event.RunFinished;
import io.trainwatch.event.RunStarted;
import io.trainwatch.monitor.demo.Scenario.Ending;
import java.io.BufferedWriter;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collection;
import java.util.Map;
import org.apache.avro.Schema;
import org.apache.avro.generic.IndexedRecord;
import org.apache.avro.specific.SpecificRecordBase;

/** Writes the events of every scenario as JSON Lines, one file a run, into the directory that is its argument. */
final class Traces {
    private static final ObjectMapper JSON = new ObjectMapper(new JsonFactory());

    private Traces() {}

    public static void main(String[] arguments) throws IOException {
        Path directory = Files.createDirectories(Path.of(arguments[0]));
        for (Scenario scenario : Scenarios.all()) {
            Training training = scenario.training().apply(Scenarios.SEED);
            RecordedRun run = new RecordedRun();
            training.run(run, Double.POSITIVE_INFINITY, step -> !scenario.leavesAfter(step));
            try (BufferedWriter out = Files.newBufferedWriter(directory.resolve(scenario.name() + ".jsonl"))) {
                Writer writer = new Writer(out, scenario);
                writer.write(0, training.declaration());
                for (RecordedRun.Entry entry : run.entries()) {
                    writer.write(entry.step(), entry.body());
                }
                if (scenario.ending() == Ending.FINISHES) {
                    RunFinished finished = new RunFinished();
                    finished.setStatus(FinishStatus.completed);
                    writer.write(training.steps(), finished);
                }
            }
        }
    }

    private static final class Writer {
        private final BufferedWriter out;
        private final Scenario scenario;
        private long seq;

        Writer(BufferedWriter out, Scenario scenario) {
            this.out = out;
            this.scenario = scenario;
        }

        void write(long step, SpecificRecordBase body) throws IOException {
            ObjectNode event = JSON.createObjectNode();
            event.put("event_type", snakeCase(body.getSchema().getName()));
            event.put("run_id", scenario.name());
            event.put("attempt", 0);
            event.put("rank", 0);
            event.put("seq", ++seq);
            event.put("timestamp_ms", 1_700_000_000_000L + (long) (1000 * step / scenario.stepsPerSecond()));
            if (!(body instanceof RunStarted)) {
                event.put("step", step);
            }
            fields(body, event);
            out.write(JSON.writeValueAsString(event));
            out.write('\n');
        }

        private static void fields(IndexedRecord body, ObjectNode into) {
            for (Schema.Field field : body.getSchema().getFields()) {
                Object value = body.get(field.pos());
                if (value != null) {
                    into.set(field.name(), json(value));
                }
            }
        }

        private static com.fasterxml.jackson.databind.JsonNode json(Object value) {
            JsonNodeFactory nodes = JsonNodeFactory.instance;
            if (value instanceof Double number) {
                return Double.isFinite(number) ? nodes.numberNode(number) : nodes.textNode(number.toString());
            }
            if (value instanceof IndexedRecord part) {
                ObjectNode node = nodes.objectNode();
                fields(part, node);
                return node;
            }
            if (value instanceof Collection<?> many) {
                var array = nodes.arrayNode();
                many.forEach(one -> array.add(json(one)));
                return array;
            }
            if (value instanceof Map<?, ?> map) {
                ObjectNode node = nodes.objectNode();
                map.forEach((key, one) -> node.set(key.toString(), json(one)));
                return node;
            }
            return value instanceof Number number
                    ? nodes.numberNode(number.longValue())
                    : nodes.textNode(value.toString());
        }

        private static String snakeCase(String name) {
            return name.replaceAll("([a-z])([A-Z])", "$1_$2").toLowerCase(java.util.Locale.ROOT);
        }
    }
}
