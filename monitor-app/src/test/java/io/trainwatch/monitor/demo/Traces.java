package io.trainwatch.monitor.demo;

import io.trainwatch.codec.EventJson;
import io.trainwatch.event.TrainingEvent;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** Writes the events of every scenario as JSON Lines, one file a run, into the directory that is its argument. */
final class Traces {

    private Traces() {}

    public static void main(String[] arguments) throws IOException {
        Path directory = Files.createDirectories(Path.of(arguments[0]));
        for (Scenario scenario : Scenarios.all()) {
            Files.write(
                    directory.resolve(scenario.name() + ".jsonl"),
                    RecordedRun.of(scenario, Scenarios.SEED).events(scenario).stream()
                            .map((TrainingEvent event) -> EventJson.write(event))
                            .toList());
        }
    }
}
