package io.trainwatch.monitor.cli;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.trainwatch.attach.cli.Printable;
import java.io.PrintWriter;
import java.time.Instant;
import java.time.ZoneId;
import java.time.format.DateTimeFormatter;
import java.util.Locale;
import java.util.function.Function;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;

/** How commands show what a monitor answered. */
final class Answer {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final DateTimeFormatter TIME = DateTimeFormatter.ofPattern("yyyy-MM-dd HH:mm z", Locale.ROOT);

    /** For whom. */
    enum Output {
        text,
        json
    }

    @Option(
            names = "--output",
            paramLabel = "OUTPUT",
            defaultValue = "text",
            description = "text for people, or json as the monitor answers (default: ${DEFAULT-VALUE}).")
    @SuppressWarnings("NullAway.Init") // picocli fills it in
    Output output;

    /** Prints an answer as it came, or what it says in words. */
    void print(CommandSpec spec, String answer, Function<JsonNode, String> words) throws CommandFailedException {
        PrintWriter out = spec.commandLine().getOut();
        if (output == Output.json) {
            out.println(Printable.of(answer));
        } else {
            words.apply(read(answer)).lines().map(Printable::of).forEach(out::println);
        }
        out.flush();
    }

    static JsonNode read(String answer) throws CommandFailedException {
        try {
            return JSON.readTree(answer);
        } catch (JsonProcessingException e) {
            throw new CommandFailedException("what answers is no monitor: " + e.getOriginalMessage(), e);
        }
    }

    /** A time as people here read it. */
    static String time(JsonNode epochMs) {
        return TIME.format(Instant.ofEpochMilli(epochMs.asLong()).atZone(ZoneId.systemDefault()));
    }
}
