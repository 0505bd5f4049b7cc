package io.trainwatch.attach.cli;

import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.IVersionProvider;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** The agent on its own, for hosts on which jobs run: follows, wraps and imports, and does not judge. */
@Command(
        name = "trainwatch-agent",
        synopsisSubcommandLabel = "COMMAND",
        subcommands = {AttachCommand.class, RunCommand.class, ImportCommand.class},
        mixinStandardHelpOptions = true,
        versionProvider = AgentProgram.Version.class,
        description = "Sends what training jobs write in their logs to a trainwatch monitor.",
        commandListHeading = "%nCommands:%n",
        optionListHeading = "%nOptions:%n")
public final class AgentProgram implements Runnable {
    @Spec
    @SuppressWarnings("NullAway.Init") // picocli fills it in
    CommandSpec spec;

    public static void main(String[] args) {
        System.exit(commandLine().execute(args));
    }

    static CommandLine commandLine() {
        CommandLine commandLine = new CommandLine(new AgentProgram());
        commandLine.setExecutionExceptionHandler((e, command, parsed) -> {
            Terminal.line(command.getErr(), e.toString());
            return 2;
        });
        commandLine.setParameterExceptionHandler((e, args) -> {
            CommandLine command = e.getCommandLine();
            Terminal.line(command.getErr(), String.valueOf(e.getMessage()));
            Terminal.line(
                    command.getErr(), "'" + command.getCommandSpec().qualifiedName() + " --help' says what is allowed");
            return 2;
        });
        return commandLine;
    }

    @Override
    public void run() {
        throw new ParameterException(
                spec.commandLine(),
                "a command is missing: " + String.join(", ", spec.subcommands().keySet()));
    }

    /** The version of the build. */
    static final class Version implements IVersionProvider {
        @Override
        public String[] getVersion() {
            String version = AgentProgram.class.getPackage().getImplementationVersion();
            return new String[] {
                "trainwatch-agent " + (version == null ? "of a build" : version), "Java " + Runtime.version()
            };
        }
    }
}
