package io.trainwatch.attach;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonLocation;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.core.json.JsonReadFeature;
import io.trainwatch.codec.EventJson;
import io.trainwatch.event.EvaluationCompleted;
import io.trainwatch.event.FinishStatus;
import io.trainwatch.event.RunFinished;
import io.trainwatch.event.RunStarted;
import io.trainwatch.event.StepCompleted;
import io.trainwatch.event.TrainingEvent;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * The {@code trainer_state.json} that the Trainer of Hugging Face transformers leaves in each checkpoint.
 *
 * <table>
 *   <caption>What becomes what</caption>
 *   <tr><td>settings beside the history</td><td>run_started, first of all</td></tr>
 *   <tr><td>entry with loss, grad_norm or learning_rate</td>
 *       <td>step_completed; its other numbers are metrics. window_steps is the distance to the entry before, because the
 *       Trainer logs the mean since then; for the first entry it is logging_steps, if the file has it</td></tr>
 *   <tr><td>entry with eval_...</td>
 *       <td>evaluation_completed of split val, metrics without the prefix; eval_NAME_loss where there is no eval_loss is
 *       dataset NAME</td></tr>
 *   <tr><td>entry with train_runtime</td>
 *       <td>run_finished (completed), last of all, unless training went on after it</td></tr>
 *   <tr><td>any other entry</td><td>nothing: it says nothing about training</td></tr>
 * </table>
 *
 * <p>The file has no clock: the timestamps are made up, {@value #FIRST_TIMESTAMP_MS} (the year 2000) for the first event
 * and {@value #TIMESTAMP_STEP_MS} ms more for each that follows. The run id is the name of the folder above {@code
 * checkpoint-N/trainer_state.json}, of the folder that holds {@code trainer_state.json}, or of the file without its
 * ending. The sequence number counts the events of the file, so that reading it again gives the same events.
 *
 * <p>Non-finite numbers stand as bare words in the file. With {@code logging_nan_inf_filter}, which is on by default, the
 * Trainer logs a NaN loss as the mean of the others or as 0.0: what is left of it is the grad_norm.
 */
final class HuggingFaceTrainerState implements LogFormat {
    /** 2000-01-01T00:00:00Z: plainly not the time of a run, yet a valid one. */
    static final long FIRST_TIMESTAMP_MS = 946_684_800_000L;

    static final long TIMESTAMP_STEP_MS = 1000;

    /** Numbers in one entry; the Trainer writes about five. */
    static final int MAX_NUMBERS = 10_000;

    private static final String HISTORY = "log_history";
    private static final byte[] BYTE_ORDER_MARK = {(byte) 0xEF, (byte) 0xBB, (byte) 0xBF};
    private static final String EVAL = "eval_";
    private static final Set<String> NUMBERS = Set.of("step", "epoch", "loss", "grad_norm", "learning_rate");
    private static final double LARGEST_EXACT = 0x1p53;
    private static final int SHOWN_CHARACTERS = 64;
    private static final Pattern LOG_HISTORY = Pattern.compile("\"log_history\"\\s*:");
    private static final Pattern DATASET = Pattern.compile("eval_(.+)_(?:runtime|loss)");
    private static final Set<String> SPEED = Set.of(
            "runtime", "samples_per_second", "steps_per_second", "model_preparation_time", "jit_compilation_time");

    private static final JsonFactory JSON = JsonFactory.builder()
            .enable(JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS)
            .enable(StreamReadFeature.USE_FAST_DOUBLE_PARSER)
            .disable(StreamReadFeature.AUTO_CLOSE_SOURCE)
            .disable(JsonFactory.Feature.CHARSET_DETECTION)
            .disable(JsonFactory.Feature.INTERN_FIELD_NAMES)
            .disable(JsonFactory.Feature.FAIL_ON_SYMBOL_HASH_OVERFLOW)
            .streamReadConstraints(StreamReadConstraints.builder()
                    .maxNestingDepth(32)
                    .maxStringLength(64 * 1024)
                    .maxNameLength(64 * 1024)
                    .build())
            .build();

    @Override
    public String name() {
        return "hf-trainer-state";
    }

    @Override
    public String description() {
        return "Hugging Face Trainer state (checkpoint-N/trainer_state.json)";
    }

    @Override
    public Optional<String> recognise(LogInput input) throws IOException {
        String head = input.head();
        if (!head.stripLeading().startsWith("{")) {
            return Optional.empty();
        }
        if (LOG_HISTORY.matcher(head).find()) {
            return Optional.of("has \"log_history\"");
        }
        return input.path() != null && input.path().endsWith("trainer_state.json")
                ? Optional.of("is called trainer_state.json")
                : Optional.empty();
    }

    @Override
    public LogReader open(LogInput input) throws IOException {
        return new Reader(input);
    }

    @Override
    public boolean isRewritten() {
        return true;
    }

    @Override
    public String runId(LogInput input) {
        return runIdOf(input);
    }

    static String runIdOf(LogInput input) {
        String id = input.name();
        Path path = input.path() == null ? null : input.path().toAbsolutePath().normalize();
        if (path != null) {
            Path folder = path.getParent();
            if (path.endsWith("trainer_state.json") && folder != null && folder.getFileName() != null) {
                boolean checkpoint = folder.getFileName().toString().matches("checkpoint-\\d+");
                Path run = checkpoint && folder.getParent() != null ? folder.getParent() : folder;
                id = (run.getFileName() == null ? folder : run).getFileName().toString();
            } else {
                id = path.getFileName().toString().replaceFirst("(?<=.)\\.[^.]*$", "");
            }
        }
        return id.length() > EventJson.MAX_RUN_ID_CHARACTERS ? id.substring(0, EventJson.MAX_RUN_ID_CHARACTERS) : id;
    }

    private static final class Reader implements LogReader {
        private final LogInput input;
        private final String runId;
        private final RunStarted settings = new RunStarted();
        private LogEntry.@Nullable Problem damage;
        private final JsonParser parser;
        private boolean inHistory;
        private boolean started;
        private @Nullable Summary summary;
        private long seq;
        private @Nullable Long previousStep;
        private long ignoredFields;

        /** The end of training, kept until it is known that nothing follows. */
        private record Summary(
                long line, long offset, long step, @Nullable Double epoch, RunFinished finished) {}

        Reader(LogInput input) throws IOException {
            this.input = input;
            runId = runIdOf(input);
            damage = readSettings();
            parser = JSON.createParser(content(input));
            inHistory = moveToHistory();
        }

        /** Without the byte order mark that some editors leave. */
        private static InputStream content(LogInput input) throws IOException {
            InputStream in = input.again();
            in.mark(BYTE_ORDER_MARK.length);
            if (!Arrays.equals(in.readNBytes(BYTE_ORDER_MARK.length), BYTE_ORDER_MARK)) {
                in.reset();
            }
            return in;
        }

        /** The settings stand behind the history, so all of it is read once for them, and for what is broken. */
        private LogEntry.@Nullable Problem readSettings() throws IOException {
            settings.setFramework("huggingface");
            boolean history = false;
            try (JsonParser all = JSON.createParser(content(input))) {
                if (all.nextToken() != JsonToken.START_OBJECT) {
                    return problem(all.currentTokenLocation(), "the file is no JSON object, but must be one");
                }
                for (String name = all.nextFieldName(); name != null; name = all.nextFieldName()) {
                    JsonToken value = all.nextToken();
                    if (value.isNumeric()) {
                        set(name, all.getDoubleValue());
                    }
                    history |= name.equals(HISTORY) && value == JsonToken.START_ARRAY;
                    all.skipChildren();
                }
            } catch (JsonProcessingException e) {
                return problem(e.getLocation(), "not valid JSON from here on: " + shown(e.getOriginalMessage(), 200));
            }
            return history ? null : new LogEntry.Problem(1, 0, "log_history is missing, and must be an array");
        }

        private void set(String name, double value) {
            if (name.equals("num_train_epochs") && value > 0 && value < Double.POSITIVE_INFINITY) {
                settings.setMaxEpochs(value);
            } else if (value >= 1 && value == Math.rint(value) && value <= LARGEST_EXACT) {
                switch (name) {
                    case "max_steps" -> settings.setMaxSteps((long) value);
                    case "logging_steps" -> settings.setLoggingSteps((long) value);
                    case "eval_steps" -> settings.setEvalSteps((long) value);
                    case "save_steps" -> settings.setSaveSteps((long) value);
                    default -> {}
                }
            }
        }

        private boolean moveToHistory() throws IOException {
            try {
                if (parser.nextToken() != JsonToken.START_OBJECT) {
                    return false;
                }
                for (String name = parser.nextFieldName(); name != null; name = parser.nextFieldName()) {
                    if (parser.nextToken() == JsonToken.START_ARRAY && name.equals(HISTORY)) {
                        return true;
                    }
                    parser.skipChildren();
                }
                return false;
            } catch (JsonProcessingException alreadyReported) {
                return false;
            }
        }

        @Override
        public @Nullable LogEntry next() throws IOException {
            if (!started) {
                started = true;
                if (inHistory) {
                    return event(1, 0, null, null, settings);
                }
            }
            while (inHistory) {
                LogEntry entry = nextInHistory();
                if (entry != null) {
                    return entry;
                }
            }
            if (summary != null) {
                Summary last = summary;
                summary = null;
                return event(last.line(), last.offset(), last.step(), last.epoch(), last.finished());
            }
            LogEntry.Problem problem = damage;
            damage = null;
            return problem;
        }

        /** The next entry; null if it is one of no interest, or there is none. */
        private @Nullable LogEntry nextInHistory() throws IOException {
            try {
                JsonToken token = parser.nextToken();
                if (token == null || token == JsonToken.END_ARRAY) {
                    inHistory = false;
                    return null;
                }
                JsonLocation start = parser.currentTokenLocation();
                if (token != JsonToken.START_OBJECT) {
                    parser.skipChildren();
                    return problem(start, "an entry of log_history is no object, but must be one");
                }
                return entry(start);
            } catch (JsonProcessingException alreadyReported) {
                inHistory = false;
                return null;
            }
        }

        private @Nullable LogEntry entry(JsonLocation start) throws IOException {
            Map<String, Double> numbers = new LinkedHashMap<>();
            String wrong = null;
            for (String name = parser.nextFieldName(); name != null; name = parser.nextFieldName()) {
                JsonToken value = parser.nextToken();
                if (value.isNumeric()) {
                    if (numbers.size() < MAX_NUMBERS) {
                        numbers.put(name, parser.getDoubleValue());
                    } else {
                        ignoredFields++;
                    }
                } else if (value != JsonToken.VALUE_NULL) {
                    if (NUMBERS.contains(name)) {
                        wrong = name + " is " + shown(parser.getText(), SHOWN_CHARACTERS) + ", but must be a number";
                    } else {
                        ignoredFields++;
                    }
                    parser.skipChildren();
                }
            }
            if (wrong != null) {
                return problem(start, wrong);
            }
            Double step = numbers.remove("step");
            if (step == null) {
                return problem(start, "step is missing, and must be a whole number");
            }
            if (!(step >= 0 && step == Math.rint(step) && step <= LARGEST_EXACT)) {
                return problem(start, "step is " + step + ", but must be a whole number of at least 0");
            }
            Double epoch = numbers.remove("epoch");
            return entry(start, step.longValue(), epoch, numbers);
        }

        private @Nullable LogEntry entry(
                JsonLocation start, long step, @Nullable Double epoch, Map<String, Double> numbers) {
            if (numbers.containsKey("train_runtime")) {
                RunFinished finished = new RunFinished();
                finished.setStatus(FinishStatus.completed);
                if (numbers.containsKey("train_loss")) {
                    finished.setMetrics(Map.of("train_loss", numbers.get("train_loss")));
                }
                summary = new Summary(start.getLineNr(), offset(start), step, epoch, finished);
                return null;
            }
            if (numbers.containsKey("loss")
                    || numbers.containsKey("grad_norm")
                    || numbers.containsKey("learning_rate")) {
                summary = null;
                return event(start.getLineNr(), offset(start), step, epoch, step(step, numbers));
            }
            if (numbers.keySet().stream().anyMatch(name -> name.startsWith(EVAL))) {
                return event(start.getLineNr(), offset(start), step, epoch, evaluation(numbers));
            }
            ignoredFields += numbers.size();
            return null;
        }

        private StepCompleted step(long step, Map<String, Double> numbers) {
            StepCompleted completed = new StepCompleted();
            completed.setLoss(numbers.remove("loss"));
            completed.setGradNorm(numbers.remove("grad_norm"));
            completed.setLearningRate(numbers.remove("learning_rate"));
            Double tokens = numbers.remove("num_input_tokens_seen");
            if (tokens != null && tokens >= 0 && tokens <= LARGEST_EXACT) {
                completed.setNumInputTokensSeen(tokens.longValue());
            }
            Long window = settings.getLoggingSteps();
            if (previousStep != null && step > previousStep) {
                window = step - previousStep;
            } else if (window != null && step > 0) {
                window = Math.min(window, step);
            }
            if (window != null && window <= Integer.MAX_VALUE) {
                completed.setWindowSteps(window.intValue());
            }
            previousStep = step;
            if (!numbers.isEmpty()) {
                completed.setMetrics(numbers);
            }
            return completed;
        }

        private static EvaluationCompleted evaluation(Map<String, Double> numbers) {
            EvaluationCompleted evaluation = new EvaluationCompleted();
            evaluation.setSplit("val");
            String prefix = EVAL;
            if (!numbers.containsKey("eval_loss") && !numbers.containsKey("eval_runtime")) {
                for (String name : numbers.keySet()) {
                    Matcher dataset = DATASET.matcher(name);
                    if (dataset.matches()) {
                        evaluation.setDataset(dataset.group(1));
                        prefix = EVAL + dataset.group(1) + "_";
                        break;
                    }
                }
            }
            Map<String, Double> metrics = new LinkedHashMap<>();
            for (Map.Entry<String, Double> number : numbers.entrySet()) {
                if (number.getKey().startsWith(prefix)) {
                    metrics.put(number.getKey().substring(prefix.length()), number.getValue());
                }
            }
            evaluation.setDurationSeconds(metrics.get("runtime"));
            metrics.keySet().removeAll(SPEED);
            evaluation.setMetrics(metrics);
            return evaluation;
        }

        private LogEntry event(long line, long offset, @Nullable Long step, @Nullable Double epoch, Object body) {
            TrainingEvent event = new TrainingEvent();
            event.setRunId(runId);
            event.setSession("");
            event.setSeq(++seq);
            event.setTimestampMs(input.timeOf(seq, offset));
            event.setStep(step);
            event.setEpoch(epoch);
            event.setBody(body);
            return new LogEntry.Event(line, offset, event);
        }

        @Override
        public long ignoredFields() {
            return ignoredFields;
        }

        @Override
        public void close() throws IOException {
            try (input) {
                parser.close();
            }
        }
    }

    private static LogEntry.Problem problem(JsonLocation location, String message) {
        return new LogEntry.Problem(location.getLineNr(), offset(location), message);
    }

    private static long offset(JsonLocation location) {
        return Math.max(0, location.getByteOffset());
    }

    /** On one line and short, whatever it holds. */
    private static String shown(String text, int characters) {
        String printable = text.replaceAll("[\\p{Cc}\\p{Cf}\\u2028\\u2029]", "\ufffd");
        return printable.length() > characters ? printable.substring(0, characters) + "..." : printable;
    }
}
