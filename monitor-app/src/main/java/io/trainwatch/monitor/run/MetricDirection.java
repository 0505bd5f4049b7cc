package io.trainwatch.monitor.run;

import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.function.Predicate;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Which way a metric gets better, and what else its name says. The one table of well-known metric names: a name is split
 * into its words ({@code eval/f1_macro}: eval, f1, macro) and says something only if its words agree. A metric that is
 * neither declared nor well known is not judged: better that than the wrong way round.
 */
public enum MetricDirection {
    MAX,
    MIN;

    private static final Pattern BETWEEN_WORDS = Pattern.compile("[^a-z0-9]+");

    /** Shares of samples: 0 to 1, with the standard error of a proportion. */
    private static final Set<String> RATES = Set.of(
            "acc", "f1", "auc", "auroc", "auprc", "em", "iou", "miou", "dice", "jaccard", "top1", "top5", "map",
            "map50");

    private static final List<String> RATE_ENDINGS = List.of("accuracy", "f1score", "auroc");

    /** Rates of which a threshold trades one kind for the other. */
    private static final List<String> PRECISION_ENDINGS = List.of("precision", "specificity");

    private static final List<String> RECALL_ENDINGS = List.of("recall", "sensitivity");

    /** What a policy earns: noisy, and worth nothing if it stays lost. */
    private static final Set<String> RETURNS = Set.of("rew", "return", "returns");

    private static final List<String> RETURN_ENDINGS = List.of("reward", "rewards");

    /** How varied the samples of a generator are. */
    private static final Set<String> DIVERSITIES =
            Set.of("diversity", "distinct", "distinct1", "distinct2", "unique", "modes");

    private static final Set<String> LARGER_IS_BETTER = Set.of(
            "bleu",
            "sacrebleu",
            "rouge",
            "rouge1",
            "rouge2",
            "rougel",
            "rougelsum",
            "meteor",
            "chrf",
            "cider",
            "spice",
            "bertscore",
            "psnr",
            "ssim",
            "r2",
            "kappa",
            "mcc",
            "ndcg",
            "mrr",
            "pearson",
            "spearman",
            "elo",
            "success",
            "win");

    /** The loss itself, a part of it or a function of it. */
    private static final Set<String> LOSSES = Set.of("nll", "ppl", "bpb", "bpc");

    private static final List<String> LOSS_ENDINGS = List.of("loss", "perplexity");

    private static final Set<String> SMALLER_IS_BETTER = Set.of(
            "mae", "mse", "rmse", "rmsle", "mape", "smape", "wer", "cer", "ter", "eer", "fid", "kid", "lpips", "ece",
            "brier", "regret", "err");

    private static final List<String> SMALLER_ENDINGS = List.of("error", "divergence");

    /** What a trainer declares: "min" or "max"; null for anything else. */
    static @Nullable MetricDirection declared(@Nullable String mode) {
        if (mode == null) {
            return null;
        }
        return switch (mode.toLowerCase(Locale.ROOT)) {
            case "max" -> MAX;
            case "min" -> MIN;
            default -> null;
        };
    }

    /** What a well-known name says; null if it says nothing or contradicts itself ("accuracy_loss"). */
    public static @Nullable MetricDirection ofName(String name) {
        boolean larger = false;
        boolean smaller = false;
        for (String word : words(name)) {
            larger |= isRateWord(word)
                    || isReturnWord(word)
                    || DIVERSITIES.contains(word)
                    || LARGER_IS_BETTER.contains(word);
            smaller |= isLossWord(word) || SMALLER_IS_BETTER.contains(word) || endsWithOneOf(word, SMALLER_ENDINGS);
        }
        return larger == smaller ? null : larger ? MAX : MIN;
    }

    /** Whether the metric is a share of samples, so that their number gives its standard error. */
    public static boolean isRate(String name) {
        return ofName(name) == MAX && any(name, MetricDirection::isRateWord);
    }

    /** Whether the metric is precision or recall by itself: a threshold trades one for the other. */
    public static boolean isTraded(String name) {
        return any(name, MetricDirection::isTradedWord);
    }

    /** Whether both precision and recall are among the names, and another rate that holds them together, as F1 or mAP does. */
    public static boolean holdTogether(Collection<String> names) {
        boolean precision = false;
        boolean recall = false;
        boolean other = false;
        for (String name : names) {
            precision |= any(name, word -> endsWithOneOf(word, PRECISION_ENDINGS));
            recall |= any(name, word -> endsWithOneOf(word, RECALL_ENDINGS));
            other |= isRate(name) && !isTraded(name);
        }
        return precision && recall && other;
    }

    /** Whether the metric is the return of a policy. */
    public static boolean isReturn(String name) {
        return ofName(name) == MAX && any(name, MetricDirection::isReturnWord);
    }

    /** Whether the metric says how varied generated samples are. */
    public static boolean isDiversity(String name) {
        return ofName(name) == MAX && any(name, DIVERSITIES::contains);
    }

    /** Whether the metric is a loss or a function of it, like the perplexity. */
    public static boolean isLoss(String name) {
        return ofName(name) == MIN && any(name, MetricDirection::isLossWord);
    }

    /** The value turned so that more is better. */
    public double gain(double value) {
        return this == MAX ? value : -value;
    }

    private static boolean any(String name, Predicate<String> says) {
        return words(name).stream().anyMatch(says);
    }

    private static boolean isRateWord(String word) {
        return RATES.contains(word) || endsWithOneOf(word, RATE_ENDINGS) || isTradedWord(word);
    }

    private static boolean isTradedWord(String word) {
        return endsWithOneOf(word, PRECISION_ENDINGS) || endsWithOneOf(word, RECALL_ENDINGS);
    }

    private static boolean isReturnWord(String word) {
        return RETURNS.contains(word) || endsWithOneOf(word, RETURN_ENDINGS);
    }

    private static boolean isLossWord(String word) {
        return LOSSES.contains(word) || endsWithOneOf(word, LOSS_ENDINGS);
    }

    private static boolean endsWithOneOf(String word, List<String> endings) {
        return endings.stream().anyMatch(word::endsWith);
    }

    private static List<String> words(String name) {
        List<String> words = new ArrayList<>();
        for (String word : BETWEEN_WORDS.split(name.toLowerCase(Locale.ROOT), 16)) {
            if (!word.isEmpty()) {
                words.add(word);
            }
        }
        return words;
    }
}
