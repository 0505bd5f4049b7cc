package io.trainwatch.attach;

import io.trainwatch.attach.MetricNames.Metric;
import io.trainwatch.event.EvaluationCompleted;
import io.trainwatch.event.RunFinished;
import io.trainwatch.event.RunStarted;
import io.trainwatch.event.StepCompleted;
import java.io.IOException;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Output of Megatron-LM and what descends from it: a line of numbers between bars every log_interval iterations.
 *
 * <pre>
 *  iteration      100/  500000 | consumed samples: 25600 | elapsed time per iteration (ms): 512.3 | learning rate: 1.5E-04 |
 *    lm loss: 3.12E+00 | loss scale: 1.0 | grad norm: 1.234 | number of skipped iterations: 0 | number of nan iterations: 0 |
 *  validation loss at iteration 1000 | lm loss value: 3.0E+00 | lm loss PPL: 2.0E+01 |
 * </pre>
 *
 * <p>Megatron leaves the loss out where it is not above 0, and so where it is NaN. A line without it is a step with a loss of
 * NaN, unless all its iterations were skipped, which fp16 does while it searches its loss scale: that is a skipped step.
 * The arguments that Megatron prints before training are the facts of the run.
 */
final class MegatronLog implements LogFormat {
    private static final Pattern ITERATION = Pattern.compile("\\biteration +(\\d{1,15})/ *(\\d{1,15}) \\|");
    private static final Pattern VALIDATION =
            Pattern.compile("validation loss at (?:iteration (\\d{1,15})|the end of training[^|]{0,40})"
                    + "(?: on (validation|test) set)?[^|]{0,40}\\|");
    private static final Pattern ARGUMENT = Pattern.compile("^(?:\\d+: )? *(\\w{1,60}) \\.{3,} (\\S.{0,200}?)\\s*$");
    private static final Pattern RECOGNISED =
            Pattern.compile("\\biteration +\\d+/ *\\d+ \\|[^\\n]*\\belapsed time per iteration");

    @Override
    public String name() {
        return "megatron";
    }

    @Override
    public String description() {
        return "output of Megatron-LM and its descendants";
    }

    @Override
    public Optional<String> recognise(LogInput input) throws IOException {
        return RECOGNISED.matcher(input.head()).find()
                ? Optional.of("lines with \"iteration N/ M |\" and \"elapsed time per iteration\"")
                : Optional.empty();
    }

    @Override
    public LogReader open(LogInput input) throws IOException {
        return new Reader(input);
    }

    private static final class Reader extends LineReader {
        private final Map<String, String> arguments = new HashMap<>();
        private final KnownNames names = new KnownNames();
        private long firstStep = -1;
        private long lastStep = -1;

        Reader(LogInput input) throws IOException {
            super(input, new Lines(input.once(), MAX_LINE_BYTES), new RunEvents(input));
        }

        @Override
        void line(String text) {
            Matcher iteration = text.contains("iteration") ? ITERATION.matcher(text) : null;
            Matcher validation = text.contains("validation loss at") ? VALIDATION.matcher(text) : null;
            if (validation != null && validation.find()) {
                validation(validation, text.substring(validation.end()));
            } else if (iteration != null && iteration.find()) {
                iteration(
                        Long.parseLong(iteration.group(1)),
                        Long.parseLong(iteration.group(2)),
                        text.substring(iteration.end()));
            } else {
                Matcher argument = ARGUMENT.matcher(text);
                if (argument.matches() && arguments.size() < 2000) {
                    arguments.put(argument.group(1), argument.group(2));
                }
            }
            RunFinished finished = Endings.of(text);
            if (finished != null) {
                events().add(line(), offset(), lastStep < 0 ? null : (Long) lastStep, null, finished);
            }
        }

        private void iteration(long step, long maxSteps, String rest) {
            MetricRow row = new MetricRow();
            long skipped = 0;
            long nan = 0;
            for (Map.Entry<String, Double> number : numbers(rest).entrySet()) {
                String key = number.getKey();
                double value = number.getValue();
                if (key.equals("number of skipped iterations")) {
                    skipped = value > 0 ? (long) value : 0;
                } else if (key.equals("number of nan iterations")) {
                    nan = value > 0 ? (long) value : 0;
                } else if (key.equals("global batch size")) {
                    ignored++;
                } else {
                    Metric metric = names.of(key);
                    row.put(metric.evaluation() ? MetricNames.of("metric") : metric, value, false);
                }
            }
            begin(step, maxSteps);
            StepCompleted completed = row.training();
            long window = lastStep >= 0 && step > lastStep ? step - lastStep : lastStep < 0 ? step : 0;
            if (window > 0 && window < Integer.MAX_VALUE) {
                completed.setWindowSteps((int) window);
            }
            boolean allSkipped = skipped > 0 && (skipped >= window || window == 0);
            completed.setOptimizerStepSkipped(allSkipped);
            if (nan > 0) {
                completed.setNonfiniteCount(nan);
            }
            if (skipped > 0) {
                row.metric("skipped_iterations", (double) skipped);
            }
            boolean finished = rest.contains("number of skipped iterations") || rest.contains("loss scale");
            if (!row.hasLoss() && !allSkipped && finished) {
                completed.setLoss(Double.NaN);
            }
            ignored += row.left();
            firstStep = firstStep < 0 ? step : firstStep;
            lastStep = step;
            StepCompleted whole = row.completed();
            if (whole != null) {
                events().add(line(), offset(), step, null, whole);
            }
        }

        private void begin(long step, long maxSteps) {
            if (lastStep > firstStep && step <= firstStep) {
                events().nextRun();
                firstStep = -1;
                lastStep = -1;
            }
            if (!events().started()) {
                facts(events().facts(), maxSteps);
            }
        }

        private void validation(Matcher at, String rest) {
            Map<String, Double> metrics = new LinkedHashMap<>();
            numbers(rest).forEach((key, value) -> {
                if (key.equals("lm loss value")) {
                    metrics.put("loss", value);
                } else if (key.equals("lm loss PPL")) {
                    metrics.put("perplexity", value);
                } else if (key.endsWith(" value")) {
                    metrics.put(key.substring(0, key.length() - " value".length()), value);
                } else {
                    metrics.put(key, value);
                }
            });
            if (!metrics.isEmpty()) {
                EvaluationCompleted evaluation = new EvaluationCompleted();
                evaluation.setSplit("test".equals(at.group(2)) ? "test" : "val");
                evaluation.setMetrics(metrics);
                long step = at.group(1) != null ? Long.parseLong(at.group(1)) : Math.max(0, lastStep);
                events().add(line(), offset(), step, null, evaluation);
            }
        }

        /** {@code name: number} between bars; one that no bar ends is not finished. */
        private Map<String, Double> numbers(String text) {
            Map<String, Double> numbers = new LinkedHashMap<>();
            int start = 0;
            for (int end = text.indexOf('|');
                    end >= 0 && numbers.size() < MetricRow.MAX_NAMES;
                    end = text.indexOf('|', start)) {
                String field = text.substring(start, end);
                int colon = field.lastIndexOf(':');
                if (colon > 0) {
                    String key = field.substring(0, colon).strip();
                    Double value = Numbers.parse(field.substring(colon + 1));
                    if (value == null) {
                        problem(RunEvents.shown(key) + " is \""
                                + RunEvents.shown(field.substring(colon + 1).strip()) + "\", but must be a number");
                    } else if (!key.isEmpty() && key.length() <= MetricNames.MAX_NAME_CHARACTERS) {
                        numbers.put(key, value);
                    }
                }
                start = end + 1;
            }
            return numbers;
        }

        private void facts(RunStarted facts, long maxSteps) {
            facts.setFramework("megatron");
            facts.setTask("language_modeling");
            facts.setLossFunction("cross_entropy");
            facts.setMaxSteps(maxSteps > 0 ? (Long) maxSteps : null);
            facts.setPrecision(
                    "True".equals(arguments.get("fp16"))
                            ? "fp16"
                            : "True".equals(arguments.get("bf16")) ? "bf16" : null);
            String optimizer = arguments.get("optimizer");
            facts.setOptimizer(optimizer == null ? null : RunEvents.shown(optimizer.toLowerCase(Locale.ROOT)));
            String schedule = arguments.get("lr_decay_style");
            facts.setLrSchedule(schedule == null ? null : RunEvents.shown(schedule.toLowerCase(Locale.ROOT)));
            facts.setLearningRatePeak(decimal("lr"));
            facts.setWeightDecay(decimal("weight_decay"));
            Double clip = decimal("clip_grad");
            facts.setMaxGradNorm(clip == null || clip == 0 ? null : clip);
            facts.setWarmupSteps(whole("lr_warmup_iters"));
            facts.setGlobalBatchSize(whole("global_batch_size"));
            facts.setLoggingSteps(whole("log_interval"));
            facts.setEvalSteps(whole("eval_interval"));
            facts.setSaveSteps(whole("save_interval"));
            facts.setSequenceLength(small(whole("seq_length")));
            facts.setVocabSize(small(whole("padded_vocab_size")));
        }

        private static @Nullable Integer small(@Nullable Long number) {
            return number == null || number > Integer.MAX_VALUE ? null : (Integer) number.intValue();
        }

        private @Nullable Long whole(String name) {
            Double number = decimal(name);
            return number != null && number >= 1 && number == Math.rint(number) && number < 0x1p53
                    ? (Long) number.longValue()
                    : null;
        }

        private @Nullable Double decimal(String name) {
            String value = arguments.get(name);
            Double number = value == null ? null : Numbers.parse(value);
            return number != null && number >= 0 && number < Double.POSITIVE_INFINITY ? number : null;
        }
    }
}
