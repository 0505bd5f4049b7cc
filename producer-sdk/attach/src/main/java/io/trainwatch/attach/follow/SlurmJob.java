package io.trainwatch.attach.follow;

import io.trainwatch.event.FinishStatus;
import io.trainwatch.event.RunFinished;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * A job of Slurm, asked for by its number: {@code squeue} says whether it lives, and {@code sacct}, where accounting is kept,
 * how it ended. Asked every 30 s, since each question goes to the controller of the cluster.
 *
 * <pre>
 * squeue -h -j 12345 -o %T                              RUNNING; nothing, or "Invalid job id specified", when it is over
 * sacct -X -n -P -j 12345 -o State,ExitCode             TIMEOUT|0:0, CANCELLED by 1000|0:0, FAILED|1:0
 * </pre>
 */
final class SlurmJob implements Job {
    private static final long ASK_EVERY_NANOS = TimeUnit.SECONDS.toNanos(30);
    private static final long ANSWER_LIMIT_SECONDS = 20;

    /** What a program answered: its exit code, and what it printed. */
    record Answer(int code, String text) {}

    private final String id;
    private final Function<List<String>, Optional<Answer>> programs;
    private Life life = Life.UNSEEN;
    private boolean began;
    private long askedNanos = System.nanoTime() - ASK_EVERY_NANOS;

    SlurmJob(String id, Function<List<String>, Optional<Answer>> programs) {
        this.id = id;
        this.programs = programs;
    }

    /** By the programs of this host. */
    static Job of(String id) {
        return new SlurmJob(id, SlurmJob::ask);
    }

    @Override
    public Life life() {
        if (life != Life.ENDED && System.nanoTime() - askedNanos >= ASK_EVERY_NANOS) {
            askedNanos = System.nanoTime();
            life = programs.apply(List.of("squeue", "-h", "-j", id, "-o", "%T"))
                    .map(this::lifeBy)
                    .orElse(Life.UNSEEN);
        }
        return life;
    }

    private Life lifeBy(Answer squeue) {
        boolean gone =
                squeue.code() == 0 ? squeue.text().isBlank() : squeue.text().contains("Invalid job id");
        if (gone) {
            return Life.ENDED;
        }
        began |= squeue.code() == 0 && !squeue.text().strip().equals("PENDING");
        return squeue.code() == 0 && began ? Life.LIVES : Life.UNSEEN;
    }

    @Override
    public @Nullable RunFinished ending() {
        return programs.apply(List.of("sacct", "-X", "-n", "-P", "-j", id, "-o", "State,ExitCode"))
                .filter(answer -> answer.code() == 0 && !answer.text().isBlank())
                .map(SlurmJob::endingBy)
                .orElse(null);
    }

    private static RunFinished endingBy(Answer sacct) {
        String[] fields = sacct.text().strip().lines().findFirst().orElse("").split("\\|", -1);
        String state = fields[0].replaceFirst(" .*", "");
        RunFinished finished = new RunFinished();
        finished.setStatus(
                switch (state) {
                    case "COMPLETED" -> FinishStatus.completed;
                    case "FAILED", "OUT_OF_MEMORY", "BOOT_FAIL" -> FinishStatus.failed;
                    case "CANCELLED", "TIMEOUT", "NODE_FAIL", "PREEMPTED", "DEADLINE", "REVOKED" -> FinishStatus.killed;
                    default -> FinishStatus.unknown;
                });
        if (fields.length > 1 && fields[1].matches("\\d{1,3}:\\d{1,3}")) {
            finished.setExitCode(Integer.valueOf(fields[1].replaceFirst(":.*", "")));
        }
        if (finished.getStatus() != FinishStatus.completed) {
            finished.setErrorMessage("Slurm says " + state);
        }
        return finished;
    }

    @Override
    public boolean isOnlyOne() {
        return true;
    }

    @Override
    public String description() {
        return "Slurm job " + id;
    }

    private static Optional<Answer> ask(List<String> command) {
        try {
            Process process =
                    new ProcessBuilder(command).redirectErrorStream(true).start();
            process.getOutputStream().close();
            if (!process.waitFor(ANSWER_LIMIT_SECONDS, TimeUnit.SECONDS)) {
                process.destroyForcibly();
                return Optional.empty();
            }
            byte[] text = process.getInputStream().readNBytes(16 * 1024);
            return Optional.of(new Answer(process.exitValue(), new String(text, StandardCharsets.UTF_8)));
        } catch (IOException e) {
            return Optional.empty(); // no Slurm on this host
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return Optional.empty();
        }
    }
}
