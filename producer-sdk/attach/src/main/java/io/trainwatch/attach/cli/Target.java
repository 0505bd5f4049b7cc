package io.trainwatch.attach.cli;

import io.trainwatch.attach.LogFormat;
import io.trainwatch.attach.PatternLog;
import io.trainwatch.attach.follow.Settings;
import io.trainwatch.sdk.Forwarder;
import io.trainwatch.sdk.TrainingRunBuilder;
import io.trainwatch.sdk.Trainwatch;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** The options that all commands have which send what stands in logs. */
final class Target {
    @Spec(Spec.Target.MIXEE)
    @SuppressWarnings("NullAway.Init") // picocli fills it in
    CommandSpec spec;

    @Option(
            names = "--to",
            paramLabel = "LOCATION",
            description = {
                "Where the events go: kafka:HOST:PORT[,HOST:PORT...][?topic=NAME&config=FILE], http[s]://HOST[:PORT], console:,"
                        + " file:PATH.",
                "Default is the environment variable TRAINWATCH_LOCATION."
            })
    @Nullable
    String location;

    @Mixin
    @SuppressWarnings("NullAway.Init") // picocli fills it in
    FormatOption format;

    @Option(
            names = "--pattern",
            paramLabel = "REGEX",
            description = "A pattern of your own for text: a regular expression (RE2) with named groups, e.g."
                    + " 'it=(?P<step>\\d+) L=(?P<loss>\\S+)'.")
    @Nullable
    String pattern;

    @Option(
            names = "--run-id",
            paramLabel = "ID",
            description = "Id of the run, 1 to 256 characters; default by the name of the log and its folders.")
    @Nullable
    String runId;

    @Option(names = "--project", paramLabel = "NAME", description = "Project of the runs, a label of their metrics.")
    @Nullable
    String project;

    @Option(
            names = "--label",
            paramLabel = "NAME=VALUE",
            description = "A label of the runs, for rules and routing; may be repeated. Those of Slurm and Kubernetes"
                    + " (slurm_job_id, pod) are set by themselves.")
    Map<String, String> labels = new TreeMap<>();

    /** What the options say; nothing is opened by it. */
    Settings settings() {
        String where = location();
        Forwarders forwarders = new Forwarders(where);
        return Settings.to(forwarders::open).withFormat(wantedFormat()).withRun(runId(), project, allLabels());
    }

    private record Forwarders(String location) {
        Forwarder open() {
            return Trainwatch.forward(location);
        }
    }

    private String location() {
        String where = location != null ? location : System.getenv(TrainingRunBuilder.LOCATION_VARIABLE);
        if (where == null || where.isBlank()) {
            throw new ParameterException(
                    spec.commandLine(),
                    "where to send is missing: give --to kafka:HOST:PORT, or set "
                            + TrainingRunBuilder.LOCATION_VARIABLE);
        }
        try {
            Trainwatch.forward(where).close();
            return where;
        } catch (IllegalArgumentException e) {
            throw new ParameterException(spec.commandLine(), "--to: " + e.getMessage(), e);
        }
    }

    @Nullable
    LogFormat wantedFormat() {
        if (pattern != null) {
            try {
                return new PatternLog(pattern);
            } catch (IllegalArgumentException e) {
                throw new ParameterException(spec.commandLine(), "--pattern: " + e.getMessage(), e);
            }
        }
        return format.wanted();
    }

    private @Nullable String runId() {
        if (runId != null && (runId.isBlank() || runId.length() > 240)) {
            throw new ParameterException(
                    spec.commandLine(), "--run-id has " + runId.length() + " characters, allowed are 1 to 240");
        }
        return runId;
    }

    /** The labels of the user, and what the scheduler says of this process: it runs beside the job, or in it. */
    Map<String, String> allLabels() {
        Map<String, String> all = new TreeMap<>();
        Map<String, String> environment = System.getenv();
        putIfSet(all, "slurm_job_id", environment.get("SLURM_JOB_ID"));
        putIfSet(all, "slurm_job_name", environment.get("SLURM_JOB_NAME"));
        if (environment.containsKey("KUBERNETES_SERVICE_HOST")) {
            putIfSet(all, "pod", environment.getOrDefault("POD_NAME", environment.get("HOSTNAME")));
            putIfSet(all, "namespace", environment.get("POD_NAMESPACE"));
        }
        all.putAll(labels);
        return all;
    }

    private static void putIfSet(Map<String, String> all, String name, @Nullable String value) {
        if (value != null && !value.isBlank()) {
            all.put(name, value);
        }
    }

    /** Where positions are kept: {@code trainwatch/attach} in XDG_STATE_HOME or {@code ~/.local/state}. */
    static Path stateDirectory() {
        String state = System.getenv("XDG_STATE_HOME");
        Path base = state != null && !state.isBlank()
                ? Path.of(state)
                : Path.of(System.getProperty("user.home", "."), ".local", "state");
        return base.resolve("trainwatch").resolve("attach");
    }
}
