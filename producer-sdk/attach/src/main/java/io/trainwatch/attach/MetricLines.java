package io.trainwatch.attach;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.core.json.JsonReadFeature;
import io.trainwatch.attach.MetricNames.Metric;
import io.trainwatch.attach.MetricNames.Role;
import io.trainwatch.attach.MetricNames.Span;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Numbers as JSON Lines, one object a line: {@code trainer_log.jsonl} of LLaMA-Factory, the history of Weights &amp; Biases,
 * {@code result.json} of Ray Tune, and what many scripts write, e.g. {@code {"step": 10, "train_loss": 2.5}}.
 *
 * <p>{@link MetricNames} says what a key is; objects within are paths ({@code {"train": {"loss": 1}}} is {@code train/loss}),
 * those that hold settings ({@code config, args, hparams, params}) are passed over, and so are arrays and texts that are no
 * number. Non-finite numbers may be bare words or in quotes. A line without a step that a trainer could have counted, an
 * epoch or a number of training says nothing and is passed over.
 */
final class MetricLines implements LogFormat {
    /** Keys of one line that are looked at. */
    static final int MAX_KEYS = 4096;

    private static final int MAX_DEPTH = 32;
    private static final int LINES_LOOKED_AT = 20;
    private static final Set<String> SETTINGS =
            Set.of("config", "args", "hparams", "params", "settings", "hyperparameters");

    private static final JsonFactory JSON = JsonFactory.builder()
            .enable(JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS)
            .enable(StreamReadFeature.USE_FAST_DOUBLE_PARSER)
            .disable(JsonFactory.Feature.INTERN_FIELD_NAMES)
            .disable(JsonFactory.Feature.FAIL_ON_SYMBOL_HASH_OVERFLOW)
            .streamReadConstraints(StreamReadConstraints.builder()
                    .maxNestingDepth(MAX_DEPTH)
                    .maxStringLength(LineReader.MAX_LINE_BYTES)
                    .maxNameLength(64 * 1024)
                    .build())
            .build();

    @Override
    public String name() {
        return "jsonl";
    }

    @Override
    public String description() {
        return "numbers as JSON Lines: LLaMA-Factory trainer_log.jsonl, W&B history, Ray result.json (*.jsonl)";
    }

    @Override
    public Optional<String> recognise(LogInput input) throws IOException {
        String head = input.head();
        if (!head.stripLeading().startsWith("{")) {
            return Optional.empty();
        }
        Keys keys = new Keys();
        boolean first = true;
        for (String line :
                head.lines().filter(l -> !l.isBlank()).limit(LINES_LOOKED_AT).toList()) {
            try {
                MetricRow row = keys.read(line);
                if (row.saysSomething() && (row.step != null || row.epoch != null || row.hasLoss())) {
                    return Optional.of("JSON lines with \"" + RunEvents.shown(keys.telling()) + "\"");
                }
            } catch (JsonProcessingException e) {
                if (first) {
                    return Optional.empty();
                }
            }
            first = false;
        }
        return Optional.empty();
    }

    /** Reads lines, and remembers what their keys mean. */
    static final class Keys {
        private final KnownNames known = new KnownNames();
        private final Set<String> loggedInSteps = new HashSet<>();
        private @Nullable String stepKey;
        private String telling = "";
        private final List<Metric> latest = new ArrayList<>();
        private long ignored;

        /** The row of numbers that are known by their keys, in order. */
        MetricRow row(Map<String, Double> numbers) {
            MetricRow row = new MetricRow();
            latest.clear();
            numbers.forEach((key, value) -> put(row, key, value));
            ignored += row.left();
            return row;
        }

        /** What the keys of the latest row mean. */
        List<Metric> latest() {
            return latest;
        }

        /** Fields that were passed over. */
        long ignored() {
            return ignored;
        }

        MetricRow read(String line) throws JsonProcessingException {
            MetricRow row = new MetricRow();
            latest.clear();
            try (JsonParser parser = JSON.createParser(line)) {
                if (parser.nextToken() != JsonToken.START_OBJECT) {
                    throw new NoObjectException(parser);
                }
                object(parser, "", row, new int[1]);
                if (parser.nextToken() != null) {
                    throw new NoObjectException(parser);
                }
            } catch (JsonProcessingException e) {
                throw e;
            } catch (IOException e) {
                throw new UncheckedIOException("reading from memory failed", e);
            }
            ignored += row.left();
            return row;
        }

        private void object(JsonParser parser, String path, MetricRow row, int[] keys) throws IOException {
            for (String name = parser.nextFieldName(); name != null; name = parser.nextFieldName()) {
                JsonToken value = parser.nextToken();
                String key = path.isEmpty() ? name : path + "/" + name;
                if (value == JsonToken.START_OBJECT && !SETTINGS.contains(name)) {
                    object(parser, key, row, keys);
                } else if (value.isStructStart()) {
                    ignored++;
                    parser.skipChildren();
                } else if (++keys[0] > MAX_KEYS) {
                    ignored++;
                } else if (value.isNumeric()) {
                    put(row, key, parser.getDoubleValue());
                } else if (value == JsonToken.VALUE_STRING) {
                    Double number = Numbers.parse(parser.getText());
                    if (number == null) {
                        ignored++;
                    } else {
                        put(row, key, number);
                    }
                } else if (value != JsonToken.VALUE_NULL) {
                    ignored++;
                }
            }
        }

        private void put(MetricRow row, String key, double value) {
            Metric metric = known.of(key);
            if (metric.span() == Span.STEP && loggedInSteps.size() < KnownNames.MAX_NAMES) {
                loggedInSteps.add(metric.split() + " " + metric.name());
            }
            latest.add(metric);
            switch (metric.role()) {
                case LOSS, COMPONENT_LOSS, QUALITY, REWARD, GRAD_NORM -> telling = telling.isEmpty() ? key : telling;
                default -> {}
            }
            if (isCounter(metric) && !metric.evaluation() && !counts(key, metric)) {
                row.metric(metric.written(), value);
                return;
            }
            row.put(
                    metric,
                    value,
                    metric.span() == Span.EPOCH && loggedInSteps.contains(metric.split() + " " + metric.name()));
        }

        private static boolean isCounter(Metric metric) {
            return metric.role() == Role.STEP || metric.role() == Role.GLOBAL_STEP;
        }

        /** The first counter of steps is the one, unless one that counts steps of the optimizer comes with it. */
        private boolean counts(String key, Metric metric) {
            boolean better = stepKey != null
                    && metric.role() == Role.GLOBAL_STEP
                    && MetricNames.of(stepKey).role() == Role.STEP;
            if (stepKey == null || better) {
                stepKey = key;
            }
            return key.equals(stepKey);
        }

        String telling() {
            return telling;
        }
    }

    private static final class NoObjectException extends JsonProcessingException {
        private static final long serialVersionUID = 1L;

        NoObjectException(JsonParser parser) {
            super("the line is no single JSON object, but must be one", parser.currentTokenLocation());
        }
    }

    @Override
    public LogReader open(LogInput input) throws IOException {
        return new Reader(input);
    }

    private static final class Reader extends LineReader {
        private final Keys keys = new Keys();
        private final Journal journal = new Journal(events());

        Reader(LogInput input) throws IOException {
            super(input, new Lines(input.once(), MAX_LINE_BYTES), new RunEvents(input));
        }

        @Override
        void line(String text) {
            MetricRow row;
            try {
                row = keys.read(text);
            } catch (JsonProcessingException e) {
                String message = e instanceof NoObjectException
                        ? e.getOriginalMessage()
                        : "not valid JSON: " + e.getOriginalMessage();
                problem(RunEvents.shown(message, 200) + (isWhole() ? "" : "; the line is not finished"));
                return;
            } finally {
                ignored = keys.ignored;
            }
            if (!row.saysSomething() && (row.isEmpty() || row.step == null)) {
                return;
            }
            if (!events().started()) {
                MetricFacts.tell(events().facts(), keys.latest);
            }
            journal.add(row, line(), offset(), null);
        }
    }
}
