package io.trainwatch.monitor.cli;

import io.trainwatch.monitor.demo.Demo;
import io.trainwatch.monitor.demo.Ink;
import io.trainwatch.monitor.embedded.EmbeddedKafkaException;
import io.trainwatch.monitor.web.HttpSettings;
import java.io.IOException;
import java.util.concurrent.Callable;
import org.apache.kafka.common.KafkaException;
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
            "",
            "Exit codes with --once:",
            "  0  every planted fault was raised and the healthy runs stayed quiet",
            "  1  not so; the last lines say what is missing",
            "  2  could not start; the message says why"
        })
final class DemoCommand implements Callable<Integer> {
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

    @Override
    public Integer call() throws Exception {
        Demo demo = new Demo(
                spec.commandLine().getOut(),
                Ansi.AUTO.enabled() ? Ink.ANSI : Ink.PLAIN,
                http(),
                Trainwatch.Version.ofBuild());
        try {
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
