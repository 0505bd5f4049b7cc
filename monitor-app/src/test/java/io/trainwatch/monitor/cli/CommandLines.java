package io.trainwatch.monitor.cli;

import java.util.List;
import picocli.CommandLine;

/** Command lines that other files give. */
public final class CommandLines {
    private CommandLines() {}

    /** Fails if the program would refuse these arguments. */
    public static void assertAccepted(List<String> arguments) {
        new CommandLine(new Trainwatch()).parseArgs(arguments.toArray(String[]::new));
    }
}
