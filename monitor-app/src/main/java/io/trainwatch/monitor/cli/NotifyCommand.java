package io.trainwatch.monitor.cli;

import io.trainwatch.attach.cli.Printable;
import io.trainwatch.monitor.config.Configuration;
import io.trainwatch.monitor.notify.Notifier;
import io.trainwatch.monitor.notify.NotifySettings;
import io.trainwatch.monitor.notify.SinkSettings;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** Tries the ways by which people are told. */
@Command(
        name = "notify",
        mixinStandardHelpOptions = true,
        versionProvider = Trainwatch.Version.class,
        subcommands = NotifyCommand.Test.class,
        description = "Tries the ways by which people are told of alerts.")
final class NotifyCommand implements Runnable {
    @Spec
    @SuppressWarnings("NullAway.Init") // picocli fills it in
    CommandSpec spec;

    @Override
    public void run() {
        throw new ParameterException(spec.commandLine(), "say what to do: test");
    }

    /** Sends one marked message. */
    @Command(
            name = "test",
            mixinStandardHelpOptions = true,
            versionProvider = Trainwatch.Version.class,
            description = {
                "Sends one message, marked as a test, through a sink of the settings, and says what came back. No broker is"
                        + " needed.",
                ""
            },
            footer = {
                "",
                "Example:",
                "  trainwatch notify test --config trainwatch.yaml --sink oncall",
                "",
                "Exit codes:",
                "  0  the receiver took it",
                "  1  it did not; the answer is shown",
                "  2  there is no such sink, or the settings cannot be used"
            })
    static final class Test implements Callable<Integer> {
        @Spec
        @SuppressWarnings("NullAway.Init") // picocli fills it in
        CommandSpec spec;

        @Option(names = "--config", paramLabel = "FILE", required = true, description = "Settings, a YAML file.")
        @SuppressWarnings("NullAway.Init") // picocli fills it in
        Path config;

        @Option(
                names = "--sink",
                paramLabel = "NAME",
                description = "Name of the sink; may be left out where there is one.")
        @Nullable
        String sink;

        @Override
        public Integer call() throws Exception {
            NotifySettings settings =
                    Configuration.read(config, System.getenv(), Map.of()).notifySettings();
            SinkSettings chosen = choose(settings);
            Notifier.Tried tried = Notifier.test(settings, chosen);
            spec.commandLine()
                    .getOut()
                    .printf(
                            Locale.ROOT,
                            "%s (%s): %s%s, after %d ms%n",
                            chosen.name(),
                            chosen.type(),
                            tried.told() ? "told" : "not told",
                            tried.answer().isEmpty() ? "" : ", " + Printable.of(tried.answer()),
                            tried.took().toMillis());
            spec.commandLine().getOut().flush();
            return tried.told() ? 0 : 1;
        }

        private SinkSettings choose(NotifySettings settings) throws CommandFailedException {
            String names = settings.sinks().stream().map(SinkSettings::name).collect(Collectors.joining(", "));
            if (names.isEmpty()) {
                throw new CommandFailedException(config + " has no sinks: add some under notify.sinks");
            }
            if (sink == null && settings.sinks().size() == 1) {
                return settings.sinks().get(0);
            }
            if (sink == null) {
                throw new CommandFailedException("--sink is missing; there are: " + names);
            }
            return settings.sink(sink)
                    .orElseThrow(
                            () -> new CommandFailedException("there is no sink '" + sink + "'; there are: " + names));
        }
    }
}
