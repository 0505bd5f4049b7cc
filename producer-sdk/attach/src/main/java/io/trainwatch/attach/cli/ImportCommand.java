package io.trainwatch.attach.cli;

import io.trainwatch.attach.follow.Agent;
import io.trainwatch.attach.follow.Attachment;
import io.trainwatch.attach.follow.Job;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Makes history of runs that are over. */
@Command(
        name = "import",
        mixinStandardHelpOptions = true,
        description = {
            "Reads runs that are over and sends them as history: judged and kept, and they page nobody. A later run can name",
            "one as its reference run. What is imported again is known, and changes nothing.",
            ""
        },
        footer = {
            "",
            "What it reads, each also as whole directories:",
            "  Weights & Biases   wandb/ with online and offline runs; exported CSV, JSON Lines and Parquet",
            "  MLflow             mlruns/ (file store); metrics as CSV, histories as JSON",
            "  Neptune            Parquet of its exporter; CSV and JSON Lines, one number a row",
            "  TensorBoard        runs/ with event files; saved curves as CSV",
            "  and every log that 'check' and 'attach' read",
            "",
            "Examples:",
            "  trainwatch import --to kafka:localhost:9092 --project vision mlruns/",
            "  trainwatch import --to kafka:localhost:9092 wandb/offline-run-20261129_091955-abc123",
            "",
            "Exit codes: 0 everything was read and has arrived; 2 a log could not be read, or none was found"
        })
public final class ImportCommand implements Callable<Integer> {
    private static final int COULD_NOT = 2;
    private static final Duration OF_ALL_TIME = Duration.ofDays(36_500);

    @Spec
    @SuppressWarnings("NullAway.Init") // picocli fills it in
    CommandSpec spec;

    @Mixin
    @SuppressWarnings("NullAway.Init") // picocli fills it in
    Target target;

    @Parameters(paramLabel = "PATH", arity = "1..*", description = "Logs and directories of runs that are over.")
    @SuppressWarnings("NullAway.Init") // picocli fills it in
    List<String> paths;

    @Override
    public Integer call() throws Exception {
        if (target.runId != null && (paths.size() > 1 || Files.isDirectory(Path.of(paths.get(0))))) {
            throw new ParameterException(spec.commandLine(), "--run-id is for one log, but there may be several");
        }
        long begun = System.nanoTime();
        try (Agent agent = new Agent(target.settings().onlyOnce(true), OF_ALL_TIME, Duration.ofDays(1), this::say)) {
            for (String path : paths) {
                agent.attach(Path.of(path), Job.UNSEEN);
            }
            agent.run();
            List<Attachment> logs = agent.attachments();
            long events = logs.stream().mapToLong(Attachment::sent).sum();
            say("%,d events of %,d logs in %.1f s".formatted(events, logs.size(), (System.nanoTime() - begun) / 1e9));
            if (logs.isEmpty()) {
                say("no log of a known format was found in " + String.join(", ", paths));
            }
            return logs.isEmpty() || logs.stream().anyMatch(log -> log.failure() != null) ? COULD_NOT : 0;
        }
    }

    private void say(String message) {
        Terminal.line(spec.commandLine().getErr(), message);
    }
}
