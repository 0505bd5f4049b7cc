package io.trainwatch.attach;

import io.trainwatch.event.EvaluationCompleted;
import io.trainwatch.event.RunFinished;
import io.trainwatch.event.RunStarted;
import io.trainwatch.event.StepCompleted;
import java.io.IOException;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Output of llm.c: what {@code train_gpt2cu} prints, and the {@code main.log} that it writes.
 *
 * <pre>
 * | max_steps | -1 |                                             settings -&gt; run_started
 * val loss 11.007921                                             evaluation at the step before
 * step    1/19560 | loss 11.009662 (+nanz)| norm 15.0789 (+nanz)| lr 8.57e-07 | 4230.95 ms | 31.9% bf16 MFU | 123917 tok/s
 * HellaSwag: 2546/10042 = 0.253535                               evaluation of dataset hellaswag
 * s:100 trl:7.1235 lr:0.000100 norm:1.23                         the same in main.log
 * s:250 tel:6.5432     s:250 eval:0.2543                         evaluations in main.log
 * step 1: train loss 4.36 (took 123.4 ms)                        train_gpt2.c
 * </pre>
 *
 * <p>What a scheduler glued to a half-written line is cut off: a field counts if what follows it is what llm.c writes there.
 * A table of settings or a step back to the first begins a new run, any other step back is a resume.
 */
final class LlmC implements LogFormat {
    private static final String NUMBER = "(-?(?:[0-9.eE+-]+|nan|inf))";
    private static final Pattern STEP =
            Pattern.compile("^step +(\\d{1,15})/(\\d{1,15}) \\| (?:train )?loss +" + NUMBER + " ");
    private static final Pattern NORM = Pattern.compile("\\| norm +" + NUMBER + " ");
    private static final Pattern LEARNING_RATE = Pattern.compile("\\| lr +" + NUMBER + " ");
    private static final Pattern MILLIS = Pattern.compile("\\| +" + NUMBER + " ms");
    private static final Pattern TOKENS = Pattern.compile("\\| +" + NUMBER + " tok/s");
    private static final Pattern MFU = Pattern.compile("\\| +" + NUMBER + "% \\w+ MFU");
    private static final Pattern C_STEP =
            Pattern.compile("^step (\\d{1,15}): train loss " + NUMBER + " \\(took " + NUMBER + " ms\\)");
    private static final Pattern VAL = Pattern.compile("^val loss " + NUMBER + "$");
    private static final Pattern HELLASWAG = Pattern.compile("HellaSwag: (\\d{1,9})/(\\d{1,9}) = " + NUMBER + "$");
    private static final Pattern MAIN = Pattern.compile("^s:(\\d{1,15}) (trl|tel|eval):" + NUMBER + "(?= |$)");
    private static final Pattern MAIN_LR = Pattern.compile(" lr:" + NUMBER + "(?= |$)");
    private static final Pattern MAIN_NORM = Pattern.compile(" norm:" + NUMBER + "(?= |$)");
    private static final Pattern SETTING = Pattern.compile("^\\| (\\S[^|]{0,60}?) +\\| (\\S[^|]{0,200}?) +\\|$");
    private static final Pattern STARTS_LIKE_A_STEP = Pattern.compile("^step +\\d+/\\d+ \\|");
    private static final Pattern RECOGNISED = Pattern.compile("(?m)^(?:step +\\d+/\\d+ \\| (?:train )?loss +" + NUMBER
            + " \\([+-]" + "|s:\\d+ (?:trl|tel):|step \\d+: train loss \\S+ \\(took )");

    @Override
    public String name() {
        return "llm.c";
    }

    @Override
    public String description() {
        return "llm.c, its output or its main.log";
    }

    @Override
    public Optional<String> recognise(LogInput input) throws IOException {
        Matcher line = RECOGNISED.matcher(input.head());
        return line.find() ? Optional.of("lines such as \"" + RunEvents.shown(line.group()) + "\"") : Optional.empty();
    }

    @Override
    public LogReader open(LogInput input) throws IOException {
        return new Reader(input);
    }

    private static final class Reader extends LineReader {
        private final Map<String, String> settings = new HashMap<>();
        private boolean freshTable;
        private long firstStep = -1;
        private long lastStep = -1;

        Reader(LogInput input) throws IOException {
            super(input, Lines.andProgress(input.once(), MAX_LINE_BYTES), new RunEvents(input));
        }

        @Override
        void line(String raw) {
            String text = raw.stripTrailing();
            Matcher setting = text.startsWith("| ") ? SETTING.matcher(text) : null;
            if (setting != null && setting.matches()) {
                setting(setting.group(1), setting.group(2));
                return;
            }
            Matcher step = STEP.matcher(text);
            Matcher main = MAIN.matcher(text);
            Matcher plain = C_STEP.matcher(text);
            Matcher validation = VAL.matcher(text);
            Matcher hellaswag = HELLASWAG.matcher(text);
            if (step.find()) {
                step(text, step);
            } else if (plain.find()) {
                StepCompleted completed = new StepCompleted();
                completed.setLoss(Numbers.parse(plain.group(2)));
                Double millis = Numbers.parse(plain.group(3));
                completed.setStepTimeSeconds(millis != null && millis > 0 ? (Double) (millis / 1000) : null);
                completed(Long.parseLong(plain.group(1)), null, completed);
            } else if (main.find()) {
                main(text, main);
            } else if (validation.find() && (isWhole() || Numbers.named(validation.group(1)) != null)) {
                evaluated(Math.max(0, lastStep), null, "loss", Numbers.parse(validation.group(1)), null);
            } else if (hellaswag.find()) {
                evaluated(
                        Math.max(0, lastStep),
                        "hellaswag",
                        "accuracy",
                        Numbers.parse(hellaswag.group(3)),
                        Long.parseLong(hellaswag.group(2)));
            } else if (STARTS_LIKE_A_STEP.matcher(text).find()) {
                problem("a step without a loss: \"" + RunEvents.shown(text) + "\"");
            }
            RunFinished finished = Endings.of(text);
            if (finished != null) {
                events().add(line(), offset(), lastStep < 0 ? null : (Long) lastStep, null, finished);
            }
        }

        private void setting(String name, String value) {
            if (name.equals("Parameter")) {
                settings.clear();
                freshTable = true;
            } else if (settings.size() < 100) {
                settings.put(name, value);
            }
        }

        private void step(String text, Matcher step) {
            StepCompleted completed = new StepCompleted();
            completed.setLoss(Numbers.parse(step.group(3)));
            Double norm = number(NORM, text);
            completed.setGradNorm(norm != null && norm < 0 ? null : norm);
            completed.setLearningRate(positive(number(LEARNING_RATE, text)));
            Double millis = positive(number(MILLIS, text));
            completed.setStepTimeSeconds(millis == null || millis == 0 ? null : (Double) (millis / 1000));
            completed.setTokensPerSecond(positive(number(TOKENS, text)));
            Double mfu = positive(number(MFU, text));
            completed.setMfu(mfu == null || mfu > 100 ? null : (Double) (mfu / 100));
            completed(Long.parseLong(step.group(1)), Long.parseLong(step.group(2)), completed);
        }

        private void main(String text, Matcher main) {
            long step = Long.parseLong(main.group(1));
            Double value = Numbers.parse(main.group(3));
            switch (main.group(2)) {
                case "trl" -> {
                    StepCompleted completed = new StepCompleted();
                    completed.setLoss(value);
                    completed.setLearningRate(positive(number(MAIN_LR, text)));
                    completed.setGradNorm(number(MAIN_NORM, text));
                    completed(step, null, completed);
                }
                case "tel" -> evaluated(step, null, "loss", value, null);
                default -> evaluated(step, "hellaswag", "accuracy", value, null);
            }
        }

        private static @Nullable Double number(Pattern pattern, String text) {
            Matcher matcher = pattern.matcher(text);
            return matcher.find() ? Numbers.parse(matcher.group(1)) : null;
        }

        private static @Nullable Double positive(@Nullable Double value) {
            return value != null && value >= 0 && value < Double.POSITIVE_INFINITY ? value : null;
        }

        private void completed(long step, @Nullable Long maxSteps, StepCompleted completed) {
            if (completed.getLoss() == null) {
                problem("a step whose loss is no number");
                return;
            }
            begin(step);
            if (maxSteps != null && maxSteps > 0 && events().facts().getMaxSteps() == null) {
                events().facts().setMaxSteps(maxSteps);
            }
            firstStep = firstStep < 0 ? step : firstStep;
            lastStep = step;
            events().add(line(), offset(), step, null, completed);
        }

        private void evaluated(
                long step, @Nullable String dataset, String metric, @Nullable Double value, @Nullable Long samples) {
            if (value == null) {
                return;
            }
            if (freshTable && lastStep >= 0 && dataset == null && "0".equals(settings.getOrDefault("resume", "0"))) {
                begin(0);
            }
            EvaluationCompleted evaluation = new EvaluationCompleted();
            evaluation.setSplit("val");
            evaluation.setDataset(dataset);
            evaluation.setNumSamples(samples == null || samples < 1 ? null : samples);
            evaluation.setMetrics(Map.of(metric, value));
            if (!events().started()) {
                freshTable = false;
                facts(events().facts());
            }
            events().add(line(), offset(), lastStep < 0 ? 0 : step, null, evaluation);
        }

        private void begin(long step) {
            if (lastStep > firstStep && step <= firstStep) {
                events().nextRun();
                firstStep = -1;
                lastStep = -1;
            } else if (freshTable && events().started()) {
                RunStarted restart = new RunStarted();
                restart.setResumedFromStep(step);
                events().restarted(restart);
            }
            freshTable = false;
            if (!events().started()) {
                facts(events().facts());
            }
        }

        private void facts(RunStarted facts) {
            facts.setFramework("llm.c");
            facts.setTask("language_modeling");
            Long length = whole("sequence length T");
            Long tokens = whole("total batch size");
            facts.setSequenceLength(small(length));
            facts.setVocabSize(small(whole("vocab_size V")));
            facts.setGlobalBatchSize(
                    tokens != null && length != null && tokens >= length ? (Long) (tokens / length) : null);
            facts.setMaxSteps(whole("train_num_batches"));
            facts.setNumParameters(whole("num_parameters"));
            facts.setEvalSteps(whole("val_loss_every"));
            facts.setSaveSteps(whole("checkpoint_every"));
            facts.setWarmupSteps(whole("warmup iterations"));
            facts.setLearningRatePeak(positive(decimal("learning rate (LR)")));
            facts.setWeightDecay(positive(decimal("weight decay")));
            facts.setLrSchedule(settings.get("LR scheduler"));
            String precision = settings.get("precision");
            facts.setPrecision(precision == null ? null : precision.toLowerCase(Locale.ROOT));
            facts.setOptimizer("adamw");
            facts.setLossFunction("cross_entropy");
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
            String value = settings.get(name);
            return value == null ? null : Numbers.parse(value);
        }
    }
}
