package io.trainwatch.monitor.evaluate;

import io.trainwatch.attach.LogEntry;
import io.trainwatch.attach.LogFormat;
import io.trainwatch.attach.LogFormats;
import io.trainwatch.attach.LogInput;
import io.trainwatch.attach.LogReader;
import io.trainwatch.event.TrainingEvent;
import io.trainwatch.monitor.evaluate.Labels.Label;
import io.trainwatch.monitor.judge.RunJudge;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** Labelled logs on disk, and their evaluation. */
public final class LabelledCorpus {
    private final Labels labels;
    private final Map<String, Path> logs;
    private final List<String> problems = new ArrayList<>();

    private LabelledCorpus(Labels labels, Map<String, Path> logs) {
        this.labels = labels;
        this.logs = logs;
    }

    /**
     * Finds the labelled logs.
     *
     * @param labels the labels, by file name
     * @param causes right causes by the beginning of file names, or null
     * @param paths logs, and directories that are searched for them
     * @throws IOException if the labels or a directory cannot be read
     */
    public static LabelledCorpus find(Path labels, @Nullable Path causes, List<Path> paths) throws IOException {
        Map<String, Path> logs = new LinkedHashMap<>();
        for (Path path : paths) {
            try (Stream<Path> walk = Files.walk(path)) {
                walk.filter(Files::isRegularFile)
                        .sorted()
                        .forEach(file -> logs.putIfAbsent(String.valueOf(file.getFileName()), file));
            }
        }
        return new LabelledCorpus(Labels.read(labels, causes), logs);
    }

    /** What kept a log from being judged, one line each; filled by {@link #evaluate}. */
    public List<String> problems() {
        return problems;
    }

    /**
     * Judges them all and writes what came of it.
     *
     * @param progress a line for each log as it is judged
     * @param json one JSON object instead of tables
     * @return the number of logs that were judged
     */
    public int evaluate(RunJudge judge, PrintWriter out, PrintWriter progress, boolean json) throws IOException {
        Evaluation evaluation = new Evaluation(judge);
        int judged = 0;
        Set<String> names = new LinkedHashSet<>(labels.files());
        for (String name : names) {
            Path log = logs.get(name);
            Label label = labels.of(name);
            if (log == null || label == null) {
                problems.add(name + ": labelled, and not among the logs");
                continue;
            }
            progress.printf("%d of %d: %s%n", ++judged, names.size(), name);
            progress.flush();
            try (LogInput input = LogInput.of(log)) {
                Optional<LogFormats.Detection> format = LogFormats.detect(input);
                if (format.isEmpty()) {
                    problems.add(name + ": of no known format");
                    evaluation.add(name, "unknown", label, List.of());
                    continue;
                }
                evaluation.add(
                        name,
                        format.get().format().name(),
                        label,
                        events(format.get().format(), input));
            }
        }
        EvaluationReport report = new EvaluationReport(evaluation);
        if (json) {
            report.json(out);
        } else {
            report.text(out);
        }
        out.flush();
        return judged;
    }

    private static List<TrainingEvent> events(LogFormat format, LogInput input) throws IOException {
        List<TrainingEvent> events = new ArrayList<>();
        try (LogReader reader = format.open(input)) {
            for (LogEntry entry = reader.next(); entry != null; entry = reader.next()) {
                if (entry instanceof LogEntry.Event event) {
                    events.add(event.event());
                }
            }
        }
        return events;
    }
}
