package io.trainwatch.monitor.cli;

import io.trainwatch.monitor.config.Configuration;
import io.trainwatch.monitor.demo.Demo;
import io.trainwatch.monitor.demo.Ink;
import io.trainwatch.monitor.embedded.EmbeddedKafkaException;
import io.trainwatch.monitor.notify.NotifySettings;
import io.trainwatch.monitor.web.HttpSettings;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.Callable;
import org.apache.kafka.common.KafkaException;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Help.Ansi;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** Shows what the monitor does on trainings of its own. */
@Command(
        name = "demo",
        mixinStandardHelpOptions = true,
        versionProvider = Trainwatch.Version.class,
        description = {
            "Trains tiny real networks, most with a planted fault, and judges them live.",
            "",
            "Everything runs in this process, on 127.0.0.1 and in a temporary directory that is deleted at the end: a"
                    + " Kafka broker, the monitor, the trainings. After a good minute it prints what was planted and what"
                    + " was found; then the healthy trainings go on until you press Ctrl-C.",
            ""
        },
        footer = {
            "",
            "Examples:",
            "  trainwatch demo                      watch, and look at the page that it names",
            "  trainwatch demo --once               end by itself, for a script",
            "  trainwatch demo --once --config trainwatch.yaml",
            "                                       page yourself, by the sinks of the settings",
            "  trainwatch demo --bootstrap-servers kafka:9092",
            "                                       trainings alone, for a monitor elsewhere",
            "",
            "Exit codes with --once:",
            "  0  every planted fault was raised and the healthy runs stayed quiet",
            "  1  not so; the last lines say what is missing",
            "  2  could not start; the message says why"
        })
final class DemoCommand implements Callable<Integer> {
    private static final Duration BROKER_LIMIT = Duration.ofSeconds(10);

    @Spec
    @SuppressWarnings("NullAway.Init") // picocli fills it in
    CommandSpec spec;

    @Option(names = "--once", description = "Play every training once and end.")
    boolean once;

    @Option(
            names = "--http-port",
            paramLabel = "PORT",
            defaultValue = "0",
            description = "Port of the live page on 127.0.0.1, 0 for any free one (default: ${DEFAULT-VALUE}).")
    int httpPort;

    @Option(
            names = "--config",
            paramLabel = "FILE",
            description = "Settings, a YAML file, of which the parts notify and commands are used: the demonstration pages.")
    @Nullable
    Path config;

    @Option(
            names = "--bootstrap-servers",
            paramLabel = "HOST:PORT",
            description = "Only train, for the monitor that judges the runs of this cluster; nothing else is started.")
    @Nullable
    String bootstrapServers;

    @Override
    public Integer call() throws Exception {
        if (bootstrapServers != null && once) {
            throw new ParameterException(
                    spec.commandLine(),
                    "--once tells what was found, and with --bootstrap-servers another monitor finds it");
        }
        Demo demo = new Demo(
                spec.commandLine().getOut(),
                Ansi.AUTO.enabled() ? Ink.ANSI : Ink.PLAIN,
                http(),
                config == null
                        ? NotifySettings.NOBODY
                        : Configuration.read(config, System.getenv(), Map.of()).notifySettings(),
                Trainwatch.Version.ofBuild());
        try {
            if (bootstrapServers != null) {
                Brokers.await(bootstrapServers, Map.of(), BROKER_LIMIT);
                demo.trainFor(bootstrapServers);
                return 0;
            }
            if (once) {
                return demo.once() ? 0 : 1;
            }
            demo.forever();
            return 0;
        } catch (IOException | EmbeddedKafkaException | IllegalStateException | KafkaException e) {
            throw new CommandFailedException(String.valueOf(e.getMessage()), e);
        }
    }

    private HttpSettings http() {
        try {
            return new HttpSettings(HttpSettings.DEFAULT_HOST, httpPort, null);
        } catch (IllegalArgumentException e) {
            throw new ParameterException(spec.commandLine(), "--http-port: " + e.getMessage(), e);
        }
    }
}
