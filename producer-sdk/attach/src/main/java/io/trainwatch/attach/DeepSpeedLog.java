package io.trainwatch.attach;

import io.trainwatch.event.EvaluationCompleted;
import io.trainwatch.event.RunFinished;
import io.trainwatch.event.RunStarted;
import io.trainwatch.event.StepCompleted;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Output of DeepSpeed's engines and of DeepSpeed-Chat.
 *
 * <pre>
 * [2023-04-18 01:46:59,142] [INFO] [logging.py:96:log_dist] [Rank 0] step=10, skipped=6, lr=[9.6e-06, 9.6e-06], mom=[...]
 * [deepspeed] OVERFLOW! Rank 0 Skipping step. Attempted loss scale: 65536, reducing to 32768
 * epoch=0/micro_step=10/global_step=10, RunningAvgSamplesPerSec=173.4, CurrSamplesPerSec=171.9, ...
 * steps: 10 loss: 2.3456 iter time (s): 0.512 samples/sec: 500.000                          pipeline engine
 * Epoch: 0, Step: 10, Rank: 0, loss = 2.34                                                  DeepSpeed-Chat, steps 1 and 2
 * ***** Evaluating perplexity, Epoch 4/16 *****   ppl: 1.9, loss: 0.64
 * epoch: 0|step: 42|ppo_ep: 1|act_loss: 0.12|cri_loss: 0.07|unsuper_loss: 0.0               DeepSpeed-Chat, step 3
 * average reward score: 0.43
 * </pre>
 *
 * <p>The engine prints no loss. Its learning rate, loss scale and skipped steps become steps of their own unless the script
 * counts steps: then they go with the script's next one, as each of the two engines of step 3 counts for itself. Of several
 * engines that report the same step the first is taken.
 */
final class DeepSpeedLog implements LogFormat {
    private static final String NUMBER = "(-?(?:\\d+\\.?\\d*(?:[eE][+-]?\\d+)?|nan|inf))";
    private static final Pattern ENGINE =
            Pattern.compile("\\[Rank \\d+\\] step=(\\d{1,15}), skipped=(\\d{1,15}), lr=\\[([^\\]]{0,400})\\]");
    private static final Pattern OVERFLOW =
            Pattern.compile("OVERFLOW! (?:Rank \\d+ )?Skipping step\\. Attempted loss scale: ([0-9.e+]{1,24})"
                    + "(?:, reducing to ([0-9.e+]{1,24}))?");
    private static final Pattern SPEED =
            Pattern.compile("global_step=(\\d{1,15}), RunningAvgSamplesPerSec=[^,]{1,30}, CurrSamplesPerSec=" + NUMBER);
    private static final Pattern PIPELINE = Pattern.compile(
            "steps: (\\d{1,15}) loss: +" + NUMBER + " iter time \\(s\\): " + NUMBER + " samples/sec: " + NUMBER);
    private static final Pattern CHAT =
            Pattern.compile("Epoch: (\\d{1,9}), Step: (\\d{1,15}), Rank: (\\d{1,9}), loss = " + NUMBER + "\\s*$");
    private static final Pattern PPO = Pattern.compile(
            "[Ee]poch: (\\d{1,9}) ?\\| ?[Ss]tep: (\\d{1,15}) ?\\| ?(?:ppo_ep|PPO Epoch): \\d{1,9} ?\\|(.{1,400})$");
    private static final Pattern PPO_LOSS = Pattern.compile("([A-Za-z_ ]{1,40}): " + NUMBER + "(?= ?\\||\\s*$)");
    private static final Pattern REWARD = Pattern.compile("average reward score: " + NUMBER + "\\s*$");
    private static final Pattern PERPLEXITY = Pattern.compile("^ppl: " + NUMBER + "(?:, loss: " + NUMBER + ")?\\s*$");
    private static final Pattern SCORES = Pattern.compile(
            "chosen_last_scores \\(higher is better\\) : " + NUMBER + ",.*?\\bacc \\(higher is better\\) : " + NUMBER);
    private static final Pattern EPOCH = Pattern.compile(
            "^Beginning of Epoch (\\d{1,9})/(\\d{1,9}), Total (?:Micro Batches|Generation Batches) (\\d{1,12})");
    private static final Pattern RECOGNISED = Pattern.compile("(?m)\\[Rank \\d+\\] step=\\d+, skipped=\\d+, lr=\\["
            + "|\\[deepspeed\\] OVERFLOW!|^steps: \\d+ loss: \\S+ iter time \\(s\\): "
            + "|^Epoch: \\d+, Step: \\d+, Rank: \\d+, loss = "
            + "|^[Ee]poch: \\d+ ?\\| ?[Ss]tep: \\d+ ?\\| ?(?:ppo_ep|PPO Epoch): ");

    @Override
    public String name() {
        return "deepspeed";
    }

    @Override
    public String description() {
        return "output of DeepSpeed and DeepSpeed-Chat";
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
        private final Journal journal = new Journal(events());
        private boolean scriptCounts;
        private long engineStep = -1;
        private long engineSkipped;
        private @Nullable Double lossScale;
        private @Nullable Double learningRate;
        private @Nullable Double epoch;

        /** A step of step 3, which waits for its reward. */
        private @Nullable StepCompleted ppo;

        private long ppoStep;
        private long ppoLine;
        private long ppoOffset;

        Reader(LogInput input) throws IOException {
            super(input, new Lines(input.once(), MAX_LINE_BYTES), new RunEvents(input));
            events().facts().setFramework("deepspeed");
        }

        @Override
        void line(String text) {
            Matcher engine = ENGINE.matcher(text);
            Matcher overflow = OVERFLOW.matcher(text);
            Matcher pipeline = PIPELINE.matcher(text);
            Matcher chat = CHAT.matcher(text);
            Matcher rlhf = PPO.matcher(text);
            Matcher reward = REWARD.matcher(text);
            Matcher perplexity = PERPLEXITY.matcher(text);
            Matcher scores = SCORES.matcher(text);
            Matcher beginning = EPOCH.matcher(text);
            if (engine.find()) {
                engine(Long.parseLong(engine.group(1)), Long.parseLong(engine.group(2)), engine.group(3));
            } else if (overflow.find()) {
                Double scale = Numbers.parse(overflow.group(overflow.group(2) == null ? 1 : 2));
                lossScale = above0(scale) == null ? lossScale : scale;
                events().facts().setPrecision("fp16");
            } else if (pipeline.find()) {
                StepCompleted completed = new StepCompleted();
                completed.setLoss(Numbers.parse(pipeline.group(2)));
                completed.setStepTimeSeconds(above0(Numbers.parse(pipeline.group(3))));
                completed.setSamplesPerSecond(above0(Numbers.parse(pipeline.group(4))));
                script(Long.parseLong(pipeline.group(1)), completed);
            } else if (chat.find()) {
                chat(chat);
            } else if (rlhf.find()) {
                rlhf(rlhf);
            } else if (reward.find()) {
                Double value = Numbers.parse(reward.group(1));
                if (ppo != null && value != null) {
                    ppo.setMetrics(Map.of("reward", value));
                    flush();
                }
            } else if (perplexity.find()) {
                Map<String, Double> metrics = new LinkedHashMap<>();
                put(metrics, "perplexity", perplexity.group(1));
                put(metrics, "loss", perplexity.group(2));
                evaluated(metrics);
            } else if (scores.find()) {
                Map<String, Double> metrics = new LinkedHashMap<>();
                put(metrics, "chosen_last_scores", scores.group(1));
                put(metrics, "accuracy", scores.group(2));
                evaluated(metrics);
            } else if (beginning.find()) {
                beginning(beginning);
            } else {
                said(text);
            }
        }

        private static @Nullable Double above0(@Nullable Double value) {
            return value != null && value > 0 && value < Double.POSITIVE_INFINITY ? value : null;
        }

        private static void put(Map<String, Double> metrics, String name, @Nullable String written) {
            Double value = written == null ? null : Numbers.parse(written);
            if (value != null) {
                metrics.put(name, value);
            }
        }

        private void engine(long step, long skipped, String rates) {
            if (step == engineStep) {
                ignored++;
                return;
            }
            Double largest = null;
            for (String rate : rates.split(",", 64)) {
                Double value = Numbers.parse(rate);
                if (value != null && value >= 0 && value < Double.POSITIVE_INFINITY) {
                    largest = largest == null ? value : Math.max(largest, value);
                }
            }
            long window = engineStep >= 0 && step > engineStep ? step - engineStep : engineStep < 0 ? step : 0;
            long skippedHere = skipped >= engineSkipped ? skipped - engineSkipped : skipped;
            engineStep = step;
            engineSkipped = skipped;
            learningRate = largest;
            if (scriptCounts) {
                return;
            }
            StepCompleted completed = new StepCompleted();
            if (window > 0 && window < Integer.MAX_VALUE) {
                completed.setWindowSteps((int) window);
            }
            completed.setOptimizerStepSkipped(skippedHere > 0 && skippedHere >= window);
            completed.setMetrics(Map.of("skipped_steps", (double) skippedHere));
            completed(step, line(), offset(), completed);
        }

        private void completed(long step, long line, long offset, StepCompleted completed) {
            MetricRow row = new MetricRow();
            row.step = (double) step;
            row.epoch = epoch;
            completed.setLearningRate(learningRate);
            completed.setLossScale(lossScale);
            row.training(completed);
            journal.add(row, line, offset, null);
        }

        private void script(long step, StepCompleted completed) {
            scriptCounts = true;
            completed(step, line(), offset(), completed);
        }

        private void chat(Matcher chat) {
            if (!chat.group(3).equals("0")) {
                ignored++;
                return;
            }
            epoch = Double.valueOf(chat.group(1));
            StepCompleted completed = new StepCompleted();
            completed.setLoss(Numbers.parse(chat.group(4)));
            script(Long.parseLong(chat.group(2)), completed);
        }

        private void rlhf(Matcher rlhf) {
            flush();
            scriptCounts = true;
            RunStarted facts = events().facts();
            facts.setTask("rl");
            facts.setMetricProfile("rl");
            epoch = Double.valueOf(rlhf.group(1));
            Map<String, Double> losses = new LinkedHashMap<>();
            Matcher loss = PPO_LOSS.matcher(rlhf.group(3));
            while (loss.find() && losses.size() < 32) {
                put(losses, loss.group(1).strip(), loss.group(2));
            }
            StepCompleted completed = new StepCompleted();
            completed.setLosses(losses);
            ppo = completed;
            ppoStep = Long.parseLong(rlhf.group(2));
            ppoLine = line();
            ppoOffset = offset();
        }

        private void flush() {
            if (ppo != null) {
                StepCompleted completed = ppo;
                ppo = null;
                completed(ppoStep, ppoLine, ppoOffset, completed);
            }
        }

        private void evaluated(Map<String, Double> metrics) {
            EvaluationCompleted evaluation = new EvaluationCompleted();
            evaluation.setSplit("val");
            evaluation.setMetrics(metrics);
            events().add(line(), offset(), Math.max(0, journal.lastStep()), epoch, evaluation);
        }

        private void beginning(Matcher beginning) {
            double number = Double.parseDouble(beginning.group(1));
            epoch = number > 0 ? number - 1 : 0;
            if (!events().started()) {
                events().facts().setMaxEpochs(Math.max(1, Double.parseDouble(beginning.group(2))));
            }
        }

        private void said(String text) {
            Matcher speed = text.contains("CurrSamplesPerSec") ? SPEED.matcher(text) : null;
            if (speed != null && speed.find()) {
                ignored++;
                return;
            }
            RunFinished finished = Endings.of(text);
            if (finished != null) {
                flush();
                events().add(
                                line(),
                                offset(),
                                journal.lastStep() < 0 ? null : (Long) journal.lastStep(),
                                null,
                                finished);
            }
        }

        @Override
        void end() {
            flush();
        }

        @Override
        void settled() {
            flush();
        }
    }
}
