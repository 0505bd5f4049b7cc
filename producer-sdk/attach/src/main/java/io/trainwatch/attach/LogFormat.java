package io.trainwatch.attach;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/** One way in which training jobs write down what happens. Stateless: what a log needs to remember is in its reader. */
public interface LogFormat {
    /** Stable name for command lines and messages, lower case with hyphens. */
    String name();

    /** One line for people: what writes it, and under which file name. */
    String description();

    /**
     * Says by what a log is recognised as this format, e.g. {@code has "log_history"}; empty if it is not.
     *
     * @throws IOException if its beginning cannot be read
     */
    Optional<String> recognise(LogInput input) throws IOException;

    /** The run id of a log that carries none: by its path. */
    default String runId(LogInput input) {
        return RunEvents.runId(input);
    }

    /** Whether the log itself names its runs, wherever it lies. */
    default boolean namesRuns() {
        return false;
    }

    /** Whether it is text, line by line. */
    default boolean isText() {
        return true;
    }

    /** Whether its writer writes all of it anew each time, with more in it. */
    default boolean isRewritten() {
        return false;
    }

    /**
     * The files that are read with the one at a path, that one first.
     *
     * @throws IOException if they cannot be listed
     */
    default List<Path> parts(Path path) throws IOException {
        return List.of(path);
    }

    /**
     * Reads a log from its start; closing the reader closes the input.
     *
     * @throws IOException if it cannot be read
     */
    LogReader open(LogInput input) throws IOException;
}
