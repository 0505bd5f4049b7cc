package io.trainwatch.attach;

import java.io.IOException;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;

/** The formats that are known. */
public final class LogFormats {
    private static final List<LogFormat> ALL = List.of(
            new EventLines(),
            new HuggingFaceTrainerState(),
            new TensorBoardEvents(),
            new WandbLog(),
            new MlflowRun(),
            new PointTable(),
            new ParquetLog(),
            new MetricLines(),
            new LlmC(),
            new OlmoLog(),
            new MegatronLog(),
            new DeepSpeedLog(),
            new ComposerLog(),
            new YoloLog(),
            new CsvLog(),
            new FreeText());

    private LogFormats() {}

    /** What a log was recognised as, and by what. */
    public record Detection(LogFormat format, String why) {}

    /** All of them, in the order in which they are tried: what has a form of its own before what has less of one. */
    public static List<LogFormat> all() {
        return ALL;
    }

    /** Their names, for help and messages. */
    public static List<String> names() {
        return ALL.stream().map(LogFormat::name).toList();
    }

    /**
     * The format with this name.
     *
     * @throws IllegalArgumentException if there is none; the message lists those that are
     */
    public static LogFormat named(String name) {
        return ALL.stream()
                .filter(format -> format.name().equals(name))
                .findFirst()
                .orElseThrow(() -> new IllegalArgumentException("format " + name + " is not known; known are "
                        + names().stream().collect(Collectors.joining(", "))));
    }

    /**
     * Recognises a log by its name and beginning, without moving on; empty if no format knows it.
     *
     * @throws IOException if its beginning cannot be read
     */
    public static Optional<Detection> detect(LogInput input) throws IOException {
        for (LogFormat format : ALL) {
            Optional<String> why = format.recognise(input);
            if (why.isPresent()) {
                return Optional.of(new Detection(format, why.get()));
            }
        }
        return Optional.empty();
    }
}
