package io.trainwatch.attach.cli;

import io.trainwatch.attach.follow.Agent;
import io.trainwatch.attach.follow.Attachment;
import io.trainwatch.attach.follow.Job;
import io.trainwatch.attach.follow.Settings;
import io.trainwatch.attach.follow.Spool;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Follows the logs of jobs that run already. */
@Command(
        name = "attach",
        mixinStandardHelpOptions = true,
        description = {
            "Watches a job that runs already, by the logs that it writes: nothing in the job changes.",
            "The past of a log is judged first, at full speed, and pages nobody; then it is followed.",
            ""
        },
        footer = {
            "",
            "Examples:",
            "  trainwatch attach --to kafka:localhost:9092 train.log",
            "  trainwatch attach --to kafka:localhost:9092 runs/        all logs that are and will be there",
            "  trainwatch attach --to kafka:localhost:9092 --pid 4711 slurm-12345.out",
            "  trainwatch attach --to http://monitor:8080 --slurm-job 12345 slurm-12345.out",
            "  python train.py 2>&1 | trainwatch attach --to kafka:localhost:9092 -",
            "  trainwatch attach --dry-run runs/                        what would be read, and sends nothing",
            "",
            "Formats are recognised by content; 'trainwatch check' reads the same ones. Of each log it is remembered how",
            "far it was delivered: after a restart, even a kill, every point has been sent once.",
            "",
            "Exit codes: 0 stopped, or everything was read (--once); 2 a log could not be read or was not recognised"
        })
public final class AttachCommand implements Callable<Integer> {
    private static final int COULD_NOT = 2;
    private static final long LEAVE_SECONDS = 5;
    private static final Duration SEARCH_EVERY = Duration.ofSeconds(10);

    @Spec
    @SuppressWarnings("NullAway.Init") // picocli fills it in
    CommandSpec spec;

    @Mixin
    @SuppressWarnings("NullAway.Init") // picocli fills it in
    Target target;

    @Parameters(
            paramLabel = "PATH",
            arity = "1..*",
            description = "Logs, directories (watched for logs of known formats), or - for the standard input.")
    @SuppressWarnings("NullAway.Init") // picocli fills it in
    List<String> paths;

    @Option(
            names = "--pid",
            paramLabel = "PID",
            description = "The process of the job: its death is told at once, and so is that it hangs. Without it, the"
                    + " process that has the log open is looked for on this host.")
    @Nullable
    Long pid;

    @Option(
            names = "--slurm-job",
            paramLabel = "ID",
            description = "The job of Slurm that writes the log: squeue and sacct are asked whether it lives and how it"
                    + " ended.")
    @Nullable
    String slurmJob;

    @Option(
            names = "--state",
            paramLabel = "DIR",
            description = "Where it is remembered how far each log was delivered; default trainwatch/attach in"
                    + " XDG_STATE_HOME or ~/.local/state.")
    @Nullable
    Path state;

    @Option(
            names = "--once",
            description = "Read what is there, deliver it and leave; the next call goes on from there.")
    boolean once;

    @Option(names = "--dry-run", description = "Read what is there, and say what would have been sent.")
    boolean dryRun;

    @Option(
            names = "--last",
            paramLabel = "DAYS",
            defaultValue = "7",
            description = "In directories, leave logs alone to which nothing was written for so many days (default:"
                    + " ${DEFAULT-VALUE}); 'import' reads those.")
    int lastDays;

    @Option(
            names = "--interval",
            paramLabel = "SECONDS",
            defaultValue = "1",
            description = "Time between two looks at a log, 0.01 to 3600 s (default: ${DEFAULT-VALUE}).")
    double interval;

    @Override
    public Integer call() throws Exception {
        check();
        if (dryRun) {
            return new DryRun(spec.commandLine().getOut()).of(paths, target.wantedFormat());
        }
        Job job = job();
        Settings settings = target.settings()
                .withState(state != null ? state : Target.stateDirectory())
                .withTimes(Duration.ofMillis((long) (interval * 1000)), Settings.SETTLE_AFTER);
        if (once) {
            settings = settings.onlyOnce(false);
        }
        try (Agent agent = new Agent(settings, Duration.ofDays(lastDays), SEARCH_EVERY, this::say);
                Spool input = paths.contains("-") ? Spool.create("stdin.log") : null) {
            CountDownLatch done = new CountDownLatch(1);
            Runtime.getRuntime().addShutdownHook(new Thread(() -> leave(agent, done), "attach-stop"));
            for (String path : paths) {
                if (path.equals("-") && input != null) {
                    agent.attach(input, input.fill(System.in));
                } else {
                    agent.attach(Path.of(path), job != null ? job : Job.writerOf(Path.of(path)));
                }
            }
            agent.run();
            int code = end(agent);
            done.countDown();
            return code;
        }
    }

    /** Asked to end: what is there by now is still delivered, if that is possible soon. */
    private static void leave(Agent agent, CountDownLatch done) {
        agent.stop();
        try {
            var unused = done.await(LEAVE_SECONDS, TimeUnit.SECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private int end(Agent agent) {
        if (once && agent.leftAlone() > 0) {
            say(agent.leftAlone() + " logs were left alone: nothing was written to them for " + lastDays
                    + " days; 'import' reads them");
        }
        long sent = agent.attachments().stream().mapToLong(Attachment::sent).sum();
        say(sent + " events of " + agent.attachments().size() + " logs were sent");
        boolean failed =
                agent.attachments().isEmpty() || agent.attachments().stream().anyMatch(one -> one.failure() != null);
        return failed ? COULD_NOT : 0;
    }

    private void check() {
        if (!(interval >= 0.01 && interval <= 3600)) {
            throw new ParameterException(spec.commandLine(), "--interval is " + interval + ", allowed is 0.01 to 3600");
        }
        if (lastDays < 0 || lastDays > 36_500) {
            throw new ParameterException(spec.commandLine(), "--last is " + lastDays + ", allowed is 0 to 36500");
        }
        if (target.runId != null && (paths.size() > 1 || Files.isDirectory(Path.of(paths.get(0))))) {
            throw new ParameterException(spec.commandLine(), "--run-id is for one log, but there may be several");
        }
    }

    /** The job that the user names; null if that is none. */
    private @Nullable Job job() {
        String slurm = slurmJob;
        if (slurm != null) {
            if (!slurm.matches("\\d{1,12}(?:_\\d{1,9})?")) {
                throw new ParameterException(
                        spec.commandLine(),
                        "--slurm-job is " + slurm + ", but must be a number such as 12345 or 12345_7");
            }
            target.labels.putIfAbsent("slurm_job_id", slurm);
            return Job.slurm(slurm);
        }
        Long id = pid;
        if (id == null) {
            return null;
        }
        return ProcessHandle.of(id)
                .map(Job::process)
                .orElseThrow(() -> new ParameterException(
                        spec.commandLine(), "--pid is " + id + ", but there is no such process on this host"));
    }

    private void say(String message) {
        Terminal.line(spec.commandLine().getErr(), message);
    }
}
