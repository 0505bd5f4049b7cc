package io.trainwatch.monitor.cli;

import io.trainwatch.attach.cli.AttachCommand;
import io.trainwatch.attach.cli.ImportCommand;
import io.trainwatch.attach.cli.Printable;
import io.trainwatch.attach.cli.RunCommand;
import io.trainwatch.monitor.config.ConfigurationException;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.Comparator;
import java.util.Optional;
import java.util.Properties;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.IVersionProvider;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ScopeType;
import picocli.CommandLine.Spec;
import picocli.CommandLine.UnmatchedArgumentException;

/** The program: chooses the command, and turns whatever fails into one line and an exit code. */
@Command(
        name = "trainwatch",
        synopsisSubcommandLabel = "COMMAND",
        subcommands = {
            DemoCommand.class,
            MonitorCommand.class,
            CheckCommand.class,
            EvaluateCommand.class,
            AttachCommand.class,
            RunCommand.class,
            ImportCommand.class,
            TailCommand.class,
            NotifyCommand.class,
            AckCommand.class,
            SilenceCommand.class
        },
        mixinStandardHelpOptions = true,
        versionProvider = Trainwatch.Version.class,
        description = {
            "Watches model training: judges every step of every run and says what went wrong, since when, and why."
        },
        commandListHeading = "%nCommands:%n",
        optionListHeading = "%nOptions:%n",
        footer = {
            "",
            "Where to begin:",
            "  trainwatch demo                      watch tiny real trainings being judged, with faults planted",
            "  trainwatch check train.jsonl         look at a log that you have",
            "  trainwatch monitor --embedded-kafka --data-dir data",
            "                                       watch runs live on this machine alone",
            "  trainwatch COMMAND --help            what a command does, with examples"
        })
public final class Trainwatch implements Runnable {
    /** The command could not do its work; the message says why. */
    static final int COULD_NOT = 2;

    @Spec
    @SuppressWarnings("NullAway.Init") // picocli fills it in
    CommandSpec spec;

    @Option(
            names = "--debug",
            scope = ScopeType.INHERIT,
            description = "Show where an error comes from, with its stack trace.")
    boolean debug;

    public static void main(String[] args) {
        System.exit(commandLine().execute(args));
    }

    static CommandLine commandLine() {
        CommandLine commandLine = new CommandLine(new Trainwatch());
        commandLine.setExecutionExceptionHandler(Trainwatch::failed);
        commandLine.setParameterExceptionHandler(Trainwatch::misused);
        return commandLine;
    }

    @Override
    public void run() {
        throw new ParameterException(
                spec.commandLine(),
                "a command is missing: " + String.join(", ", spec.subcommands().keySet()));
    }

    private static int failed(Exception e, CommandLine command, CommandLine.ParseResult parsed) {
        Trainwatch program = (Trainwatch) command.getCommandSpec().root().userObject();
        if (e instanceof CommandFailedException || e instanceof ConfigurationException) {
            for (String line : String.valueOf(e.getMessage()).split("\n", -1)) {
                command.getErr().println("trainwatch: " + Printable.of(line));
            }
        } else {
            command.getErr()
                    .println("trainwatch: unexpected error: " + Printable.of(e.toString())
                            + (program.debug ? "" : " (--debug shows where)"));
        }
        if (program.debug) {
            e.printStackTrace(command.getErr());
        }
        command.getErr().flush();
        return COULD_NOT;
    }

    private static int misused(ParameterException e, String[] args) {
        CommandLine command = e.getCommandLine();
        command.getErr().println("trainwatch: " + Printable.of(String.valueOf(e.getMessage())));
        Optional<String> meant = meant(e, command);
        if (meant.isPresent()) {
            command.getErr().println("Did you mean " + meant.get() + "?");
        } else {
            command.getErr().println("'" + command.getCommandSpec().qualifiedName() + " --help' says what is allowed");
        }
        command.getErr().flush();
        return COULD_NOT;
    }

    /** The option or command that is one or two letters away from what was typed. */
    private static Optional<String> meant(ParameterException e, CommandLine command) {
        if (!(e instanceof UnmatchedArgumentException unmatched)) {
            return Optional.empty();
        }
        String typed = unmatched.getUnmatched().get(0).replaceFirst("=.*", "");
        return Stream.concat(
                        command.getCommandSpec().optionsMap().keySet().stream(),
                        command.getSubcommands().keySet().stream())
                .filter(name -> distance(typed, name) <= 2)
                .min(Comparator.comparingInt(name -> distance(typed, name)));
    }

    /** Letters to insert, remove or replace to get from one word to the other. */
    private static int distance(String from, String to) {
        int[] before = IntStream.rangeClosed(0, to.length()).toArray();
        for (int i = 1; i <= from.length(); i++) {
            int[] now = new int[to.length() + 1];
            now[0] = i;
            for (int j = 1; j <= to.length(); j++) {
                int replaced = before[j - 1] + (from.charAt(i - 1) == to.charAt(j - 1) ? 0 : 1);
                now[j] = Math.min(replaced, 1 + Math.min(before[j], now[j - 1]));
            }
            before = now;
        }
        return before[to.length()];
    }

    /** The version of the build. */
    static final class Version implements IVersionProvider {
        @Override
        public String[] getVersion() {
            return new String[] {
                "trainwatch " + ofBuild(), "Java " + Runtime.version() + " (" + System.getProperty("java.vendor") + ")"
            };
        }

        static String ofBuild() {
            try (InputStream in = Trainwatch.class.getResourceAsStream("version.properties")) {
                Properties properties = new Properties();
                properties.load(in);
                return properties.getProperty("version", "unknown");
            } catch (IOException e) {
                throw new UncheckedIOException("version.properties of the program cannot be read", e);
            }
        }
    }
}
