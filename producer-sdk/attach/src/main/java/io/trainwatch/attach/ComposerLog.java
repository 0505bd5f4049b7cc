package io.trainwatch.attach;

import io.trainwatch.attach.MetricNames.Metric;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Logs of MosaicML Composer and llm-foundry: what its FileLogger writes, and its console.
 *
 * <pre>
 * [hyperparameter]: num_nodes: 1
 * [metric][batch=10]: loss/train/total: 2.3451           file: one number a line
 * [batch=10/1000]:                                       console: a batch, and its numbers below it
 *          Train loss/train/total: 2.3451
 *          Eval metrics/eval/LanguageCrossEntropy: 2.5
 * </pre>
 *
 * <p>The numbers of one batch are one row, which is complete when another batch comes. {@code loss/train/total} is the loss, a
 * cross entropy of the evaluation that of the evaluation; times and settings are passed over.
 */
final class ComposerLog implements LogFormat {
    private static final Pattern FILE_METRIC =
            Pattern.compile("^\\[metric]\\[batch=(\\d{1,15})]: ([^:\\s]{1,256}): (\\S{1,64})\\s*$");
    private static final Pattern BATCH =
            Pattern.compile("^\\[(?:epoch=\\d+(?:/\\d+)?]\\[)?batch=(\\d{1,15})(?:/(\\d{1,15}))?]:\\s*$");
    private static final Pattern CONSOLE_METRIC =
            Pattern.compile("^\\s+(?:Train|Eval) ([^:\\s]{1,256}): (\\S{1,64})\\s*$");

    @Override
    public String name() {
        return "composer";
    }

    @Override
    public String description() {
        return "MosaicML Composer and llm-foundry, file and console (logs-rank0.txt)";
    }

    @Override
    public Optional<String> recognise(LogInput input) throws IOException {
        boolean batch = false;
        for (String line : input.head().lines().toList()) {
            if (FILE_METRIC.matcher(line).matches()) {
                return Optional.of("lines with \"[metric][batch=\"");
            }
            if (batch && CONSOLE_METRIC.matcher(line).matches()) {
                return Optional.of("\"[batch=\" with \"Train\" and \"Eval\" below it");
            }
            batch |= BATCH.matcher(line).matches();
        }
        return Optional.empty();
    }

    @Override
    public LogReader open(LogInput input) throws IOException {
        return new Reader(input);
    }

    private static final class Reader extends LineReader {
        private final Journal journal = new Journal(events());
        private final Map<String, Double> numbers = new LinkedHashMap<>();
        private long batch = -1;
        private @Nullable Double batches;
        private long rowLine;
        private long rowOffset;

        Reader(LogInput input) throws IOException {
            super(input, new Lines(input.once(), MAX_LINE_BYTES), new RunEvents(input));
            events().facts().setFramework("composer");
        }

        @Override
        void line(String text) {
            Matcher file = FILE_METRIC.matcher(text);
            Matcher begins = BATCH.matcher(text);
            Matcher console = CONSOLE_METRIC.matcher(text);
            if (file.matches()) {
                at(Long.parseLong(file.group(1)));
                put(file.group(2), file.group(3));
            } else if (begins.matches()) {
                at(Long.parseLong(begins.group(1)));
                batches = begins.group(2) == null ? batches : Double.valueOf(begins.group(2));
            } else if (console.matches()) {
                put(console.group(1), console.group(2));
            } else {
                ignored++;
            }
        }

        private void at(long number) {
            if (number != batch) {
                flush();
            }
            batch = number;
        }

        private void put(String name, String text) {
            Double value = Numbers.parse(text);
            if (value == null || batch < 0) {
                ignored++;
                return;
            }
            if (numbers.isEmpty()) {
                rowLine = line();
                rowOffset = offset();
            }
            if (numbers.containsKey(name) || numbers.size() == MetricRow.MAX_NAMES) {
                flush();
                rowLine = line();
                rowOffset = offset();
            }
            numbers.put(name, value);
        }

        private void flush() {
            MetricRow row = new MetricRow();
            numbers.forEach((name, value) -> {
                Metric metric = metric(name);
                switch (metric.role()) {
                    case STEP, GLOBAL_STEP, EPOCH, MAX_STEPS, MAX_EPOCHS -> ignored++; // the batch says it
                    default -> row.put(metric, value, false);
                }
            });
            numbers.clear();
            if (row.isEmpty() || !row.saysSomething()) {
                return;
            }
            row.step = (double) batch;
            row.maxSteps = batches;
            ignored += row.left();
            journal.add(row, rowLine, rowOffset, null);
        }

        private static Metric metric(String name) {
            if (name.equals("loss/train/total")) {
                return MetricNames.of("train/loss");
            }
            boolean evaluation = name.startsWith("metrics/eval/") || name.startsWith("eval/");
            if (evaluation && name.endsWith("CrossEntropy")) {
                return MetricNames.of("eval/loss");
            }
            return MetricNames.of(name.startsWith("lr-") ? "lr" : name);
        }

        @Override
        void settled() {
            flush();
        }

        @Override
        void end() {
            flush();
        }
    }
}
