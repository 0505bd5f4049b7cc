package io.trainwatch.attach;

import io.trainwatch.event.FinishStatus;
import io.trainwatch.event.RunFinished;
import io.trainwatch.event.RunStarted;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * A run in the file store of MLflow: its {@code meta.yaml}, and beside it a file for each metric.
 *
 * <pre>
 * mlruns/EXPERIMENT/RUN/meta.yaml              run_id: ..., run_name: ..., status: 3, end_time: ...
 * mlruns/EXPERIMENT/RUN/metrics/train/loss     1795944523982 2.5 0        time in milliseconds, value, step; a line each
 * mlruns/EXPERIMENT/RUN/params/max_steps       1000
 * </pre>
 *
 * <p>Numbers are put together as {@link Points} does it. The project is the experiment. Status 3 is the end, 4 a failure, 5 a
 * kill. What is inside of {@code metrics/system} tells of the machine, and is passed over.
 */
final class MlflowRun implements LogFormat {
    /** Metrics of one run that are read. */
    static final int MAX_METRICS = 10_000;

    private static final int MAX_DEPTH = 8;
    private static final int MAX_META_BYTES = 64 * 1024;

    @Override
    public String name() {
        return "mlflow";
    }

    @Override
    public String description() {
        return "a run in the file store of MLflow (mlruns/EXPERIMENT/RUN/meta.yaml)";
    }

    @Override
    public boolean isRewritten() {
        return true;
    }

    @Override
    public Optional<String> recognise(LogInput input) throws IOException {
        Path path = input.path();
        return path != null && path.endsWith("meta.yaml") && meta(input.head()).containsKey("run_id")
                ? Optional.of("is called meta.yaml and has \"run_id\"")
                : Optional.empty();
    }

    @Override
    public String runId(LogInput input) {
        try {
            String id = meta(input.head()).getOrDefault("run_id", "");
            return id.isEmpty() ? RunEvents.runId(input) : id;
        } catch (IOException e) {
            return RunEvents.runId(input);
        }
    }

    @Override
    public List<Path> parts(Path path) throws IOException {
        List<Path> parts = new ArrayList<>(List.of(path));
        parts.addAll(metrics(path));
        return parts;
    }

    private static List<Path> metrics(Path meta) throws IOException {
        Path folder = meta.resolveSibling("metrics");
        if (!Files.isDirectory(folder)) {
            return List.of();
        }
        try (Stream<Path> files = Files.walk(folder, MAX_DEPTH)) {
            return files.filter(Files::isRegularFile)
                    .limit(MAX_METRICS)
                    .sorted()
                    .toList();
        }
    }

    @Override
    public LogReader open(LogInput input) throws IOException {
        return new Reader(input);
    }

    /** The top level of a file in YAML, as far as it has plain values. */
    private static Map<String, String> meta(String yaml) {
        Map<String, String> values = new TreeMap<>();
        for (String line : yaml.split("\n", -1)) {
            int colon = line.indexOf(':');
            if (colon > 0 && !Character.isWhitespace(line.charAt(0))) {
                String value = line.substring(colon + 1).strip();
                boolean quoted = value.length() > 1
                        && (value.startsWith("'") || value.startsWith("\""))
                        && value.charAt(value.length() - 1) == value.charAt(0);
                values.put(line.substring(0, colon), quoted ? value.substring(1, value.length() - 1) : value);
            }
        }
        return values;
    }

    private static final class Reader implements LogReader {
        private final LogInput input;
        private final Points points;
        private final Deque<LogEntry> entries;

        Reader(LogInput input) throws IOException {
            this.input = input;
            points = new Points(input);
            Path path = input.path();
            if (path == null) {
                points.problem(1, 0, "a run of MLflow is a folder: name its meta.yaml");
                entries = new ArrayDeque<>(points.entries(0));
                return;
            }
            Map<String, String> meta = meta(new String(input.headBytes(), StandardCharsets.UTF_8));
            String id = meta.getOrDefault("run_id", RunEvents.runId(input));
            RunEvents run = points.run(id);
            if (run == null) {
                throw new IllegalStateException("the first run is one too many");
            }
            facts(run.facts(), meta, path);
            Path folder = path.resolveSibling("metrics");
            for (Path file : metrics(path)) {
                metric(id, folder.relativize(file).toString().replace('\\', '/'), file);
            }
            RunFinished finished = finished(meta);
            entries = points.entries(finished == null ? System.currentTimeMillis() : Long.MAX_VALUE);
            if (finished != null) {
                Double end = Numbers.parse(meta.getOrDefault("end_time", ""));
                run.add(1, 0, end == null ? null : (Long) end.longValue(), null, null, finished);
            }
        }

        private static void facts(RunStarted facts, Map<String, String> meta, Path path) {
            facts.setFramework("mlflow");
            String name = meta.getOrDefault("run_name", "");
            facts.setRunName(name.isEmpty() ? null : RunEvents.shown(name, 256));
            Path experiment = path.getParent() == null ? null : path.getParent().getParent();
            if (experiment != null) {
                String project = meta(text(experiment.resolve("meta.yaml"))).getOrDefault("name", "");
                facts.setProject(project.isEmpty() ? null : RunEvents.shown(project, 128));
            }
            Path params = path.resolveSibling("params");
            for (String param : List.of("max_steps", "total_steps")) {
                Double steps = Numbers.parse(text(params.resolve(param)));
                facts.setMaxSteps(
                        steps != null && steps >= 1 && steps < 0x1p53 ? (Long) steps.longValue() : facts.getMaxSteps());
            }
            for (String param : List.of("epochs", "max_epochs", "num_train_epochs")) {
                Double epochs = Numbers.parse(text(params.resolve(param)));
                facts.setMaxEpochs(epochs != null && epochs > 0 && epochs < 0x1p53 ? epochs : facts.getMaxEpochs());
            }
        }

        private static String text(Path file) {
            try (LogInput small = LogInput.of(file)) {
                String text = small.head();
                return text.length() > MAX_META_BYTES ? "" : text;
            } catch (IOException e) {
                return ""; // it need not be there
            }
        }

        private void metric(String run, String name, Path file) throws IOException {
            try (LogInput log = LogInput.of(file)) {
                Lines lines = new Lines(log.once(), 1024);
                while (lines.next()) {
                    String text = lines.text();
                    if (!lines.ended()) {
                        return; // its writer is at it
                    }
                    String[] fields =
                            text == null ? new String[0] : text.strip().split(" ", -1);
                    Double time = fields.length < 3 ? null : Numbers.parse(fields[0]);
                    Double value = fields.length < 3 ? null : Numbers.parse(fields[1]);
                    Double step = fields.length < 3 ? null : Numbers.parse(fields[2]);
                    if (time == null || value == null || step == null || !(step <= 0x1p53)) {
                        points.problem(
                                lines.line(),
                                lines.offset(),
                                "metrics/" + RunEvents.shown(name)
                                        + ": the line must be a time, a value and a step, but is \""
                                        + RunEvents.shown(String.valueOf(text)) + "\"");
                    } else if (!points.add(run, name, value, step.longValue(), time.longValue(), 1, 0)) {
                        points.problem(
                                1,
                                0,
                                "the run has more than " + Points.MAX_POINTS + " numbers: the others are left out");
                        return;
                    }
                }
            } catch (NoSuchFileException e) {
                // deleted meanwhile
            }
        }

        private static @Nullable RunFinished finished(Map<String, String> meta) {
            return switch (meta.getOrDefault("status", "")) {
                case "3", "FINISHED" -> Endings.finished(FinishStatus.completed, null, null);
                case "4", "FAILED" -> Endings.finished(FinishStatus.failed, null, null);
                case "5", "KILLED" -> Endings.finished(FinishStatus.killed, null, null);
                default -> null;
            };
        }

        @Override
        public @Nullable LogEntry next() {
            return entries.poll();
        }

        @Override
        public long ignoredFields() {
            return points.ignored();
        }

        @Override
        public void close() throws IOException {
            input.close();
        }
    }
}
