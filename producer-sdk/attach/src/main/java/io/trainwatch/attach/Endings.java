package io.trainwatch.attach;

import io.trainwatch.event.FinishStatus;
import io.trainwatch.event.RunFinished;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** What schedulers, launchers and Python write into a log when a training ends before its time. */
final class Endings {
    private static final Pattern CANCELLED = Pattern.compile(
            "slurmstepd: error: \\*\\*\\* (?:JOB|STEP) \\S+ (?:ON \\S+ )?CANCELLED AT \\S+(?: (DUE TO [A-Z ]+))?");
    private static final Pattern SIGNAL = Pattern.compile("SignalException: Process \\d+ got signal: (\\d+)");
    private static final Pattern OUT_OF_MEMORY =
            Pattern.compile("(?:torch\\.(?:cuda\\.)?OutOfMemoryError|RuntimeError): CUDA (?:error: )?out of memory");

    private Endings() {}

    /** How the run ended if the line says so; null if it does not. */
    static @Nullable RunFinished of(String line) {
        Matcher cancelled = line.contains("CANCELLED") ? CANCELLED.matcher(line) : null;
        if (cancelled != null && cancelled.find()) {
            String why = cancelled.group(1);
            return finished(FinishStatus.killed, null, "cancelled by Slurm" + (why == null ? "" : " " + why.strip()));
        }
        Matcher signal = line.contains("got signal") ? SIGNAL.matcher(line) : null;
        if (signal != null && signal.find()) {
            return finished(FinishStatus.killed, "SignalException", "signal " + RunEvents.shown(signal.group(1)));
        }
        if (line.contains("out of memory") && OUT_OF_MEMORY.matcher(line).find()) {
            return finished(FinishStatus.failed, "OutOfMemoryError", "CUDA out of memory");
        }
        return null;
    }

    static RunFinished finished(FinishStatus status, @Nullable String type, @Nullable String message) {
        RunFinished finished = new RunFinished();
        finished.setStatus(status);
        finished.setErrorType(type);
        finished.setErrorMessage(message);
        return finished;
    }
}
