package io.trainwatch.attach.follow;

import io.trainwatch.event.FinishStatus;
import io.trainwatch.event.RunFinished;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * How a job that has ended says in its log that it failed: the traceback of Python at its end.
 *
 * <pre>
 * Traceback (most recent call last):
 *   File "train.py", line 10, in &lt;module&gt;
 * RuntimeError: CUDA error: an illegal memory access was encountered
 * </pre>
 */
final class LastWords {
    private static final int TAIL_BYTES = 64 * 1024;
    private static final int MAX_MESSAGE = 1_000;

    /** Lines behind an error that launchers and cleaning up still print. */
    private static final int MAX_LINES_BEHIND = 40;

    private static final Pattern ERROR =
            Pattern.compile("(?:\\[rank\\d+\\]: ?)?((?:[A-Za-z_]\\w*\\.)*[A-Z]\\w*)(?:: (.*))?");
    private static final Pattern TRACEBACK =
            Pattern.compile("^(?:\\[rank\\d+\\]: ?)?Traceback \\(most recent call last\\):");

    private LastWords() {}

    /** Nothing is known of how it ended. */
    static RunFinished unknown() {
        RunFinished finished = new RunFinished();
        finished.setStatus(FinishStatus.unknown);
        return finished;
    }

    /** An ending with what the log says of its reason. */
    static RunFinished with(RunFinished finished, Path log) {
        if (finished.getStatus() != FinishStatus.completed) {
            String[] error = error(tail(log));
            if (error.length > 0) {
                finished.setStatus(
                        finished.getStatus() == FinishStatus.unknown ? FinishStatus.failed : finished.getStatus());
                finished.setErrorType(error[0]);
                finished.setErrorMessage(error[1]);
            }
        }
        return finished;
    }

    private static String[] error(String tail) {
        List<String> lines = tail.lines().filter(line -> !line.isBlank()).toList();
        int traceback = -1;
        for (int i = 0; i < lines.size(); i++) {
            traceback = TRACEBACK.matcher(lines.get(i)).find() ? i : traceback;
        }
        for (int i = traceback + 1; traceback >= 0 && i < lines.size(); i++) {
            Matcher error = ERROR.matcher(lines.get(i));
            if (error.matches()) {
                if (lines.size() - i > MAX_LINES_BEHIND) {
                    break;
                }
                String type = error.group(1);
                String message = error.group(2) == null ? "" : error.group(2);
                return new String[] {
                    type.substring(type.lastIndexOf('.') + 1),
                    message.length() > MAX_MESSAGE ? message.substring(0, MAX_MESSAGE) : message
                };
            }
        }
        return new String[0];
    }

    private static String tail(Path log) {
        try (FileChannel file = FileChannel.open(log, StandardOpenOption.READ)) {
            long start = Math.max(0, file.size() - TAIL_BYTES);
            ByteBuffer bytes = ByteBuffer.allocate((int) (file.size() - start));
            while (bytes.hasRemaining() && file.read(bytes, start + bytes.position()) > 0) {
                // until all is read
            }
            return new String(bytes.array(), 0, bytes.position(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            return "";
        }
    }
}
