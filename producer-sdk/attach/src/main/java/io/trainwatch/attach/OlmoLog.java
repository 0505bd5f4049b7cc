package io.trainwatch.attach;

import io.trainwatch.attach.MetricNames.Metric;
import io.trainwatch.attach.MetricNames.Role;
import io.trainwatch.event.EvaluationCompleted;
import io.trainwatch.event.FinishStatus;
import io.trainwatch.event.RunFinished;
import io.trainwatch.event.RunStarted;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Console logs of OLMo and OLMo-core: a line that ends in {@code [step=29/7630,epoch=0]}, and below it one indented line for
 * each number.
 *
 * <pre>
 * 2025-12-07 17:32:17.270  host:0  olmo.train:979  INFO  [step=29/7630,epoch=0]
 *     optim/total_grad_norm=1.325
 *     train/CrossEntropyLoss=8.049
 *     throughput/total_tokens=3,801,088
 * </pre>
 *
 * <p>Indented numbers that begin with {@code eval/} are an evaluation at the step before: {@code eval/downstream/piqa_acc} of
 * dataset piqa, {@code eval/c4-validation/CrossEntropyLoss} of dataset c4-validation. A block without its end, which a killed
 * job leaves, is taken as far as it goes.
 */
final class OlmoLog implements LogFormat {
    private static final Pattern HEADER =
            Pattern.compile("\\[step=(\\d{1,15})(?:/(\\d{1,15}))?(?:,epoch=(\\d{1,9}))?(?:,[^\\]]{0,100})?\\]\\s*$");
    private static final Pattern NUMBER = Pattern.compile("^ {4,}([A-Za-z][^=]{0,200})=(\\S{1,40})\\s*$");
    private static final Pattern RECOGNISED = Pattern.compile(
            "(?m)\\[step=\\d+(?:/\\d+)?,epoch=\\d+[^\\]\\n]{0,100}\\]\\s*\\n {4,}[A-Za-z][^=\\n]{0,200}=\\S");
    private static final Pattern RUN_NAME = Pattern.compile("\\brun_name='([^']{1,200})'");
    private static final Pattern PRECISION = Pattern.compile("\\bprecision='(?:amp_)?(bf16|fp16|fp32)'");
    private static final Pattern OPTIMIZER = Pattern.compile("OptimizerConfig\\(name='(\\w{1,40})'");
    private static final Pattern VOCABULARY = Pattern.compile("\\bvocab_size=(\\d{1,9})\\b");
    private static final Pattern CLIP = Pattern.compile("\\bmax_grad_norm=([0-9.]{1,12})");
    private static final Pattern PEAK = Pattern.compile("OptimizerConfig\\([^()]*?\\blearning_rate=([0-9.e-]{1,20})");
    private static final Pattern WARMUP = Pattern.compile("\\bunits='steps', t_warmup=(\\d{1,12})\\b");
    private static final Pattern PARAMETERS = Pattern.compile("Total number of parameters: ([0-9,]{1,24})\\s*$");

    @Override
    public String name() {
        return "olmo";
    }

    @Override
    public String description() {
        return "console log of OLMo or OLMo-core";
    }

    @Override
    public Optional<String> recognise(LogInput input) throws IOException {
        Matcher block = RECOGNISED.matcher(input.head());
        return block.find()
                ? Optional.of("numbers below \""
                        + RunEvents.shown(
                                block.group().lines().findFirst().orElse("").strip()) + "\"")
                : Optional.empty();
    }

    @Override
    public LogReader open(LogInput input) throws IOException {
        return new Reader(input);
    }

    private static final class Reader extends LineReader {
        private final Journal journal = new Journal(events());
        private final KnownNames names = new KnownNames();
        private @Nullable MetricRow row;
        private final Map<String, Map<String, Double>> evaluations = new LinkedHashMap<>();
        private long blockLine = 1;
        private long blockOffset;

        Reader(LogInput input) throws IOException {
            super(input, new Lines(input.once(), MAX_LINE_BYTES), new RunEvents(input));
            RunStarted facts = events().facts();
            facts.setFramework("olmo");
            facts.setTask("language_modeling");
            facts.setLossFunction("cross_entropy");
        }

        @Override
        void line(String text) {
            Matcher number = text.startsWith("    ") ? NUMBER.matcher(text) : null;
            if (number != null
                    && number.matches()
                    && (row != null || number.group(1).startsWith("eval/"))) {
                number(number.group(1), number.group(2));
                return;
            }
            flush();
            Matcher header = text.contains("[step=") ? HEADER.matcher(text) : null;
            if (header != null && header.find()) {
                row = new MetricRow();
                row.step = Double.valueOf(header.group(1));
                row.maxSteps = header.group(2) == null ? null : Double.valueOf(header.group(2));
                row.epoch = header.group(3) == null ? null : Double.valueOf(header.group(3));
                blockLine = line();
                blockOffset = offset();
            } else if (text.contains("TrainConfig(")) {
                settings(text);
            } else {
                said(text);
            }
        }

        private void number(String name, String written) {
            boolean cut = !isWhole() && Numbers.named(written) == null;
            Double value = cut ? null : Numbers.parse(written);
            if (value == null) {
                problem(RunEvents.shown(name) + " is " + RunEvents.shown(written)
                        + (cut ? ", and not finished" : ", but must be a number"));
            } else if (name.startsWith("eval/")) {
                if (evaluations.isEmpty()) {
                    blockLine = line();
                    blockOffset = offset();
                }
                evaluated(name.substring("eval/".length()), value);
            } else if (row != null) {
                row.put(names.of(name), value, false);
            }
        }

        private void evaluated(String name, double value) {
            int slash = name.lastIndexOf('/');
            String dataset = slash < 0 ? "val" : name.substring(0, slash);
            Metric metric = names.of(slash < 0 ? name : name.substring(slash + 1));
            String key = metric.role() == Role.LOSS ? "loss" : metric.written();
            if (dataset.equals("downstream")) {
                int end = key.indexOf('_');
                dataset = end < 0 ? key : key.substring(0, end);
            }
            Map<String, Double> metrics = evaluations.get(dataset);
            if (metrics == null && evaluations.size() < MetricRow.MAX_NAMES) {
                metrics = new LinkedHashMap<>();
                evaluations.put(dataset, metrics);
            }
            if (metrics == null || metrics.size() == MetricRow.MAX_NAMES) {
                ignored++;
            } else {
                metrics.put(key, value);
            }
        }

        private void flush() {
            if (row != null) {
                ignored += row.left();
                if (!row.isEmpty()) {
                    journal.add(row, blockLine, blockOffset, null);
                }
                row = null;
            }
            evaluations.forEach((dataset, metrics) -> {
                EvaluationCompleted evaluation = new EvaluationCompleted();
                evaluation.setSplit("val");
                evaluation.setDataset(dataset);
                evaluation.setMetrics(metrics);
                events().add(blockLine, blockOffset, Math.max(0, journal.lastStep()), null, evaluation);
            });
            evaluations.clear();
        }

        private void settings(String text) {
            RunStarted facts = events().facts();
            if (events().started()) {
                return; // of a resume: what the run is was said
            }
            facts.setRunName(first(RUN_NAME, text));
            facts.setPrecision(first(PRECISION, text));
            facts.setOptimizer(first(OPTIMIZER, text));
            Double vocabulary = decimal(VOCABULARY, text);
            facts.setVocabSize(vocabulary == null ? null : (Integer) vocabulary.intValue());
            facts.setLearningRatePeak(decimal(PEAK, text));
            Double clip = decimal(CLIP, text);
            facts.setMaxGradNorm(clip == null || clip <= 0 ? null : clip);
            Double warmup = decimal(WARMUP, text);
            facts.setWarmupSteps(warmup == null ? null : (Long) warmup.longValue());
        }

        private void said(String text) {
            RunFinished finished = Endings.of(text);
            if (finished == null && text.endsWith("Training complete")) {
                finished = Endings.finished(FinishStatus.completed, null, null);
            }
            if (finished != null) {
                events().add(
                                line(),
                                offset(),
                                journal.lastStep() < 0 ? null : (Long) journal.lastStep(),
                                null,
                                finished);
            } else if (!events().started() && text.contains("Total number of parameters")) {
                Double parameters = decimal(PARAMETERS, text);
                events().facts().setNumParameters(parameters == null ? null : (Long) parameters.longValue());
            }
        }

        private static @Nullable String first(Pattern pattern, String text) {
            Matcher matcher = pattern.matcher(text);
            return matcher.find() ? matcher.group(1) : null;
        }

        private static @Nullable Double decimal(Pattern pattern, String text) {
            String number = first(pattern, text);
            return number == null ? null : Numbers.parse(number);
        }

        @Override
        void end() {
            flush();
        }

        @Override
        void settled() {
            if ((row != null && !row.isEmpty()) || !evaluations.isEmpty()) {
                flush();
            }
        }
    }
}
