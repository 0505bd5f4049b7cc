package io.trainwatch.attach.cli;

import io.trainwatch.attach.LogFormat;
import io.trainwatch.attach.LogFormats;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** The option {@code --format} of all commands that read logs. */
public final class FormatOption {
    /** Names for {@code --format}. */
    static final class Names implements Iterable<String> {
        @Override
        public Iterator<String> iterator() {
            List<String> names = new ArrayList<>(List.of("auto"));
            names.addAll(LogFormats.names());
            return names.iterator();
        }
    }

    @Spec(Spec.Target.MIXEE)
    @SuppressWarnings("NullAway.Init") // picocli fills it in
    CommandSpec spec;

    @Option(
            names = "--format",
            paramLabel = "FORMAT",
            defaultValue = "auto",
            completionCandidates = Names.class,
            description = "What wrote the log: ${COMPLETION-CANDIDATES} (default: ${DEFAULT-VALUE}, by its content).")
    @SuppressWarnings("NullAway.Init") // picocli fills it in
    String format;

    /**
     * The format that is wanted; null if the content decides.
     *
     * @throws ParameterException if there is none of that name
     */
    public @Nullable LogFormat wanted() {
        if (format.equals("auto")) {
            return null;
        }
        try {
            return LogFormats.named(format);
        } catch (IllegalArgumentException e) {
            throw new ParameterException(spec.commandLine(), "--format: " + e.getMessage() + ", or auto", e);
        }
    }
}
