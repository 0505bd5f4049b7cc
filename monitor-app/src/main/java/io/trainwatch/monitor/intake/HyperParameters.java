package io.trainwatch.monitor.intake;

import io.trainwatch.event.RunStarted;
import java.util.Locale;
import java.util.Map;
import java.util.function.BiConsumer;

/**
 * What the names that trainers give to their settings mean: those of Hugging Face, Lightning, Keras and common scripts. What
 * cannot be read or is out of range says nothing, and is no error: a setting is for people first.
 */
final class HyperParameters {
    private static final int MAX_TEXT = 256;

    private static final Map<String, BiConsumer<RunStarted, String>> KNOWN = Map.ofEntries(
            known("learning_rate", HyperParameters::learningRate),
            known("lr", HyperParameters::learningRate),
            known("base_lr", HyperParameters::learningRate),
            known("opt_learning_rate", HyperParameters::learningRate),
            known("max_steps", (run, text) -> run.setMaxSteps(count(text))),
            known("total_steps", (run, text) -> run.setMaxSteps(count(text))),
            known("max_iters", (run, text) -> run.setMaxSteps(count(text))),
            known("num_train_epochs", HyperParameters::epochs),
            known("max_epochs", HyperParameters::epochs),
            known("num_epochs", HyperParameters::epochs),
            known("epochs", HyperParameters::epochs),
            known("warmup_steps", (run, text) -> run.setWarmupSteps(count(text))),
            known("weight_decay", (run, text) -> run.setWeightDecay(atLeastZero(text))),
            known("max_grad_norm", HyperParameters::clipping),
            known("gradient_clip_val", HyperParameters::clipping),
            known("grad_clip", HyperParameters::clipping),
            known("global_batch_size", (run, text) -> run.setGlobalBatchSize(count(text))),
            known("batch_size", (run, text) -> run.setGlobalBatchSize(count(text))),
            known("gradient_accumulation_steps", (run, text) -> run.setGradientAccumulationSteps(small(text))),
            known("logging_steps", (run, text) -> run.setLoggingSteps(count(text))),
            known("eval_steps", (run, text) -> run.setEvalSteps(count(text))),
            known("save_steps", (run, text) -> run.setSaveSteps(count(text))),
            known("steps_per_epoch", (run, text) -> run.setStepsPerEpoch(count(text))),
            known("vocab_size", (run, text) -> run.setVocabSize(small(text))),
            known("num_labels", (run, text) -> run.setNumClasses(small(text))),
            known("num_classes", (run, text) -> run.setNumClasses(small(text))),
            known("seed", (run, text) -> run.setSeed(count(text))),
            known("optim", HyperParameters::optimizer),
            known("optimizer", HyperParameters::optimizer),
            known("optimizer_name", HyperParameters::optimizer),
            known("opt_name", HyperParameters::optimizer),
            known("lr_scheduler_type", (run, text) -> run.setLrSchedule(bounded(text))),
            known("model_type", (run, text) -> run.setModelName(bounded(text))),
            known("model_name", (run, text) -> run.setModelName(bounded(text))),
            known("fp16", (run, text) -> precision(run, text, "fp16")),
            known("bf16", (run, text) -> precision(run, text, "bf16")));

    private HyperParameters() {}

    private static Map.Entry<String, BiConsumer<RunStarted, String>> known(
            String name, BiConsumer<RunStarted, String> meaning) {
        return Map.entry(name, meaning);
    }

    /** Declares what a setting says; returns whether it says anything. */
    static boolean declare(RunStarted run, String name, String value) {
        BiConsumer<RunStarted, String> meaning = KNOWN.get(name.toLowerCase(Locale.ROOT));
        if (meaning == null || value.isBlank()) {
            return false;
        }
        try {
            meaning.accept(run, value.strip());
            return true;
        } catch (IllegalArgumentException e) {
            return false;
        }
    }

    private static void learningRate(RunStarted run, String text) {
        run.setLearningRatePeak(atLeastZero(text));
    }

    private static void epochs(RunStarted run, String text) {
        run.setMaxEpochs(above(number(text), text));
    }

    private static void clipping(RunStarted run, String text) {
        run.setMaxGradNorm(above(number(text), text));
    }

    private static void optimizer(RunStarted run, String text) {
        run.setOptimizer(bounded(text.toLowerCase(Locale.ROOT)));
    }

    private static void precision(RunStarted run, String text, String precision) {
        if (text.equalsIgnoreCase("true")) {
            run.setPrecision(precision);
        }
    }

    private static String bounded(String text) {
        return text.length() > MAX_TEXT ? text.substring(0, MAX_TEXT) : text;
    }

    private static double number(String text) {
        double number = Double.parseDouble(text);
        if (!Double.isFinite(number)) {
            throw new IllegalArgumentException(text);
        }
        return number;
    }

    private static double above(double number, String text) {
        if (number <= 0) {
            throw new IllegalArgumentException(text);
        }
        return number;
    }

    private static double atLeastZero(String text) {
        double number = number(text);
        if (number < 0) {
            throw new IllegalArgumentException(text);
        }
        return number;
    }

    private static long count(String text) {
        double number = above(number(text), text);
        if (number != Math.rint(number) || number > 1e15) {
            throw new IllegalArgumentException(text);
        }
        return (long) number;
    }

    private static int small(String text) {
        return Math.toIntExact(count(text));
    }
}
