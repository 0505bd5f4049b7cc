package io.trainwatch.attach.cli;

import io.trainwatch.attach.LogEntry;
import io.trainwatch.attach.LogFormat;
import io.trainwatch.attach.LogFormats;
import io.trainwatch.attach.LogInput;
import io.trainwatch.attach.LogReader;
import io.trainwatch.event.EvaluationCompleted;
import io.trainwatch.event.StepCompleted;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * What would be sent of logs, as a table with tabs: one line per log with its format and by what that is known, the runs in
 * it, how many events, steps, evaluations, numbers, and places that cannot be read.
 */
final class DryRun {
    private final PrintWriter out;
    private boolean failed;

    DryRun(PrintWriter out) {
        this.out = out;
    }

    /** Reads all of it; 2 if something could not be, else 0. */
    int of(List<String> paths, @Nullable LogFormat wanted) {
        out.println("LOG\tFORMAT\tRUNS\tEVENTS\tSTEPS\tEVALUATIONS\tNUMBERS\tPROBLEMS\tWHY");
        for (String path : paths) {
            if (path.equals("-")) {
                log(LogInput.of("-", System.in), wanted);
            } else if (Files.isDirectory(Path.of(path))) {
                directory(Path.of(path), wanted);
            } else {
                file(Path.of(path), wanted);
            }
        }
        out.flush();
        return failed ? 2 : 0;
    }

    private void directory(Path directory, @Nullable LogFormat wanted) {
        try (Stream<Path> walk = Files.walk(directory)) {
            walk.filter(Files::isRegularFile).sorted().forEach(file -> file(file, wanted));
        } catch (IOException | UncheckedIOException e) {
            failed(directory.toString(), e);
        }
    }

    private void file(Path path, @Nullable LogFormat wanted) {
        try {
            log(LogInput.of(path), wanted);
        } catch (IOException e) {
            failed(path.toString(), e);
        }
    }

    private void failed(String name, Exception e) {
        failed = true;
        row(name, "-", 0, 0, 0, 0, 0, 1, String.valueOf(e.getMessage()));
    }

    private void log(LogInput log, @Nullable LogFormat wanted) {
        try (LogInput input = log) {
            Optional<LogFormats.Detection> detection = wanted == null
                    ? LogFormats.detect(input)
                    : Optional.of(new LogFormats.Detection(wanted, "--format"));
            if (detection.isEmpty()) {
                row(input.name(), "-", 0, 0, 0, 0, 0, 0, "no known format");
                return;
            }
            count(input, detection.get());
        } catch (IOException e) {
            failed(log.name(), e);
        }
    }

    private void count(LogInput input, LogFormats.Detection detection) throws IOException {
        TreeSet<String> runs = new TreeSet<>();
        long events = 0;
        long steps = 0;
        long evaluations = 0;
        long numbers = 0;
        long problems = 0;
        try (LogReader reader = detection.format().open(input)) {
            for (LogEntry entry = reader.next(); entry != null; entry = reader.next()) {
                if (entry instanceof LogEntry.Event event) {
                    events++;
                    runs.add(event.event().getRunId());
                    Object body = event.event().getBody();
                    steps += body instanceof StepCompleted ? 1 : 0;
                    evaluations += body instanceof EvaluationCompleted ? 1 : 0;
                    numbers += numbers(body);
                } else {
                    problems++;
                }
            }
        }
        row(
                input.name(),
                detection.format().name(),
                runs.size(),
                events,
                steps,
                evaluations,
                numbers,
                problems,
                detection.why());
    }

    private static long numbers(Object body) {
        if (body instanceof StepCompleted step) {
            return Stream.of(step.getLoss(), step.getGradNorm(), step.getLearningRate(), step.getStepTimeSeconds())
                            .filter(number -> number != null)
                            .count()
                    + (step.getMetrics() == null ? 0 : step.getMetrics().size())
                    + (step.getLosses() == null ? 0 : step.getLosses().size());
        }
        return body instanceof EvaluationCompleted evaluation && evaluation.getMetrics() != null
                ? evaluation.getMetrics().size()
                : 0;
    }

    private void row(
            String name,
            String format,
            int runs,
            long events,
            long steps,
            long evaluations,
            long numbers,
            long problems,
            String why) {
        out.println(String.join(
                "\t",
                printable(name),
                format,
                Integer.toString(runs),
                Long.toString(events),
                Long.toString(steps),
                Long.toString(evaluations),
                Long.toString(numbers),
                Long.toString(problems),
                printable(why)));
        out.flush();
    }

    private static String printable(String text) {
        return text.replaceAll("[\\p{Cc}\\p{Cf}]", "\ufffd");
    }
}
