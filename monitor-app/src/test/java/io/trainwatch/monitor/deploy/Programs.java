package io.trainwatch.monitor.deploy;

import io.trainwatch.monitor.Installed;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Prometheus, Alertmanager and their tools, as Debian packages them. */
final class Programs {
    private Programs() {}

    static Path prometheus() {
        return Installed.program("prometheus", "prometheus");
    }

    static Path promtool() {
        return Installed.program("promtool", "prometheus");
    }

    static Path alertmanager() {
        return Installed.program("prometheus-alertmanager", "prometheus-alertmanager");
    }

    static Path amtool() {
        return Installed.program("amtool", "prometheus-alertmanager");
    }

    /** What a program said, on both streams, and how it ended. */
    record Result(int exitCode, String output) {}

    /** Runs a program to its end. */
    static Result run(Path program, Object... arguments) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>(List.of(program.toString()));
        for (Object argument : arguments) {
            command.add(argument.toString());
        }
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        return new Result(process.waitFor(), output);
    }
}
