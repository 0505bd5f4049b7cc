package io.trainwatch.attach;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * What the names that trainers give to their numbers mean: one table for columns, keys, tags and words in a line.
 *
 * <p>A name is cut into words at {@code / . _ - : @} and blanks and where a capital follows a small letter. Words for a split
 * ({@code train}, {@code val}, {@code eval}, {@code dev}, {@code test}, ...) say where the number was measured, {@code step}
 * and {@code epoch} at the end over what it was averaged (Lightning's {@code train_loss_step} and {@code _epoch}), and what is
 * left is looked up here. {@code train/loss}, {@code loss_train}, {@code Training Loss} and {@code epoch_loss} are the
 * training loss, {@code DEV_LOSS} and {@code eval/loss} the one of evaluation, {@code train/box_loss} a component of it.
 */
final class MetricNames {
    /** What a number is. */
    enum Role {
        STEP,
        GLOBAL_STEP,
        MAX_STEPS,
        EPOCH,
        MAX_EPOCHS,
        LOSS,
        COMPONENT_LOSS,
        GRAD_NORM,
        GRAD_NORM_CLIPPED,
        LEARNING_RATE,
        LOSS_SCALE,
        PARAM_NORM,
        SAMPLES_SEEN,
        TOKENS_SEEN,
        STEP_TIME_SECONDS,
        STEP_TIME_MILLIS,
        DATA_TIME_SECONDS,
        TOKENS_PER_SECOND,
        SAMPLES_PER_SECOND,
        /** A return or reward of reinforcement learning. */
        REWARD,
        /** A measure of quality that the table knows, such as an accuracy. */
        QUALITY,
        /** A number that the table does not know. */
        OTHER,
        /** Wall clock, remaining time and the like: nothing about the training. */
        NOTHING
    }

    /** Over what a number was averaged, as far as its name says. */
    enum Span {
        UNSAID,
        STEP,
        EPOCH
    }

    /**
     * What one name means.
     *
     * @param split where it was measured: {@code train}, {@code val}, {@code test}, or null where the name does not say
     * @param name the name in metrics maps: as written, without split and span
     * @param written the name as written
     */
    record Metric(Role role, @Nullable String split, Span span, String name, String written) {
        boolean evaluation() {
            return split != null && !split.equals("train");
        }
    }

    /** Longest name that is kept in a metrics map, in characters: the limit of the SDK. */
    static final int MAX_NAME_CHARACTERS = 256;

    private static final Map<String, String> SPLITS = Map.ofEntries(
            Map.entry("train", "train"),
            Map.entry("training", "train"),
            Map.entry("tr", "train"),
            Map.entry("val", "val"),
            Map.entry("valid", "val"),
            Map.entry("validation", "val"),
            Map.entry("eval", "val"),
            Map.entry("evaluation", "val"),
            Map.entry("dev", "val"),
            Map.entry("test", "test"),
            Map.entry("testing", "test"));

    /** Words that say how a loss was summed up, not which loss it is. */
    private static final Set<String> NEUTRAL = words(
            "total mean avg average running batch epoch step overall smoothed lm per token tok smooth sum objective mini");

    private static final Map<String, Role> WHOLE = table(
            entry(
                    Role.LOSS,
                    "loss",
                    "losses",
                    "cross entropy loss",
                    "cross entropy",
                    "ce loss",
                    "nll",
                    "nll loss",
                    "xent"),
            entry(Role.LOSS, "trl", "xent loss", "softmax loss", "language modeling loss"),
            entry(Role.GLOBAL_STEP, "global step", "global steps", "trainer global step", "train global step"),
            entry(Role.GLOBAL_STEP, "current steps", "num updates", "optimizer step", "optimizer steps"),
            entry(Role.STEP, "step", "steps", "iteration", "iterations", "iter", "iters", "it", "update", "updates"),
            entry(
                    Role.STEP,
                    "training iteration",
                    "timesteps",
                    "total timesteps",
                    "time total timesteps",
                    "itr",
                    "nb step"),
            entry(
                    Role.MAX_STEPS,
                    "total steps",
                    "max steps",
                    "total iters",
                    "max iters",
                    "num steps",
                    "num training steps"),
            entry(Role.EPOCH, "epoch", "epochs", "current epoch", "epoch number", "epoch num", "ep", "trainer epoch"),
            entry(
                    Role.MAX_EPOCHS,
                    "max epoch",
                    "max epochs",
                    "total epochs",
                    "num epochs",
                    "n epochs",
                    "num train epochs"),
            entry(Role.LOSS_SCALE, "loss scale", "loss scaler", "grad scale", "amp scale", "scaler scale"),
            entry(Role.PARAM_NORM, "param norm", "params norm", "parameter norm", "weight norm"),
            entry(Role.SAMPLES_SEEN, "samples seen", "consumed samples", "seen samples", "num samples seen"),
            entry(
                    Role.TOKENS_SEEN,
                    "tokens seen",
                    "total tokens",
                    "consumed tokens",
                    "num input tokens seen",
                    "seen tokens"),
            entry(Role.TOKENS_SEEN, "throughput total tokens"),
            entry(
                    Role.STEP_TIME_SECONDS,
                    "step time",
                    "iter time",
                    "time per step",
                    "time per iteration",
                    "iteration time"),
            entry(Role.STEP_TIME_SECONDS, "step time seconds", "seconds per step", "sec per step"),
            entry(
                    Role.STEP_TIME_MILLIS,
                    "step time ms",
                    "iter time ms",
                    "elapsed time per iteration ms",
                    "step ms",
                    "dt ms"),
            entry(Role.DATA_TIME_SECONDS, "data time", "data time seconds", "loader time", "data loading time"),
            entry(
                    Role.TOKENS_PER_SECOND,
                    "tokens per second",
                    "tokens per sec",
                    "tok s",
                    "tok sec",
                    "tokens sec",
                    "tokens s"),
            entry(Role.SAMPLES_PER_SECOND, "samples per second", "samples per sec", "samples sec", "samples s"),
            entry(
                    Role.SAMPLES_PER_SECOND,
                    "images per second",
                    "images sec",
                    "imgs s",
                    "img s",
                    "img sec",
                    "img per sec"),
            entry(
                    Role.NOTHING,
                    "time",
                    "timestamp",
                    "wall time",
                    "walltime",
                    "elapsed",
                    "elapsed time",
                    "remaining time"),
            entry(
                    Role.NOTHING,
                    "eta",
                    "runtime",
                    "duration",
                    "date",
                    "datetime",
                    "percentage",
                    "time elapsed",
                    "hp metric"),
            entry(Role.NOTHING, "total time", "time total s", "time this iter s", "pid", "time total"),
            entry(
                    Role.NOTHING,
                    "index",
                    "id",
                    "unnamed 0",
                    "memory",
                    "mem",
                    "bad epochs",
                    "samples per second per gpu"));

    /** Words of which one anywhere in a name says what it is, with the better direction. */
    private static final Set<String> LARGER_IS_BETTER =
            words("accuracy acc top1 top5 map map50 map75 ap ap50 ap75 iou miou"
                    + " dice jaccard f1 fscore precision recall auc auroc auprc roc bleu sacrebleu rouge rouge1 rouge2 rougel meteor"
                    + " cider chrf psnr ssim r2 mcc ndcg mrr spearman pearson exact em win winrate hits score");

    private static final Set<String> SMALLER_IS_BETTER =
            words("perplexity ppl bpb bpc wer cer ter fid kid lpips mae mse rmse"
                    + " mape msle error err nll ece eer brier logloss merror rmsle");

    private static final Set<String> REWARDS =
            words("reward rewards return returns rew rewmean episodereward eprewmean episodereturn");

    private static final Set<String> GENERATOR = words("g gen generator lossg gloss");
    private static final Set<String> DISCRIMINATOR = words("d dis disc discriminator critic lossd dloss");
    /** What only a policy has: a loss beside it is that of a value or a policy, and need not fall. */
    private static final Set<String> EPISODES = Set.of("ep", "episode", "episodes", "rollout", "exploration");

    private static final Set<String> REINFORCEMENT =
            words("policy entropy actor kl approx clip fraction rollout ep value act cri ppo advantage explained qf q");
    private static final Set<String> SPEED = words("runtime");

    /** Words of settings and of what was best or is wanted: no measurement of now. */
    private static final Set<String> SETTINGS = words("scale scaler weight weights coef coeff coefficient smoothing"
            + " type alpha lambda eps reduction window ratio target threshold goal best patience");

    private static final Pattern SEPARATORS = Pattern.compile("[\\s/._\\-:@|()\\[\\]#%]+");
    private static final Pattern CAMEL = Pattern.compile("(?<=[a-z])(?=[A-Z][a-z])|(?<=[a-z])(?=[A-Z]+$)");

    private MetricNames() {}

    private static Set<String> words(String text) {
        return Set.of(text.split(" ", -1));
    }

    private record Names(Role role, List<String> names) {}

    private static Names entry(Role role, String... names) {
        return new Names(role, List.of(names));
    }

    private static Map<String, Role> table(Names... entries) {
        return Stream.of(entries)
                .flatMap(entry -> entry.names().stream().map(name -> Map.entry(name, entry.role())))
                .collect(Collectors.toUnmodifiableMap(Map.Entry::getKey, Map.Entry::getValue));
    }

    /** What a name means; never null, a name that says nothing is {@link Role#OTHER}. */
    static Metric of(String written) {
        String shown = written.strip();
        if (shown.length() > MAX_NAME_CHARACTERS) {
            shown = shown.substring(0, MAX_NAME_CHARACTERS);
        }
        List<String> words = new ArrayList<>(split(shown));
        String all = String.join(" ", words);
        Role direct = WHOLE.get(all);
        if ((direct != null && direct != Role.LOSS) || words.isEmpty()) {
            return new Metric(
                    direct == null ? Role.OTHER : direct,
                    null,
                    Span.UNSAID,
                    shown.isEmpty() ? "unnamed" : shown,
                    shown);
        }
        String split = null;
        String key = shown;
        List<String> segments = List.of(shown.toLowerCase(Locale.ROOT).split("/", -1));
        for (int i = 0; i < words.size() && split == null && words.size() > 1; i++) {
            boolean apart = i == 0 || i == words.size() - 1 || segments.contains(words.get(i));
            String meant = apart ? SPLITS.get(words.get(i)) : null;
            if (meant != null) {
                split = meant;
                key = without(key, words.get(i), i == 0);
                words.remove(i);
            }
        }
        Span span = Span.UNSAID;
        String last = words.get(words.size() - 1);
        if (words.size() > 1 && (last.equals("step") || last.equals("epoch"))) {
            span = last.equals("step") ? Span.STEP : Span.EPOCH;
            words.remove(words.size() - 1);
            key = without(key, last, false);
        } else if (words.size() > 1
                && words.get(0).equals("epoch")
                && !words.get(1).equals("epoch")) {
            span = Span.EPOCH;
            words.remove(0);
            key = without(key, "epoch", true);
        } else if (words.size() > 1 && words.get(0).equals("batch")) {
            span = Span.STEP;
            words.remove(0);
            key = without(key, "batch", true);
        }
        Role role = role(words);
        if (span != Span.UNSAID && (role == Role.STEP || role == Role.EPOCH || role == Role.GLOBAL_STEP)) {
            role = Role.OTHER;
        }
        if (split == null && role == Role.QUALITY && shown.startsWith("metrics/")) {
            split = "val"; // results.csv of YOLO: measured on the validation set
            key = shown.substring("metrics/".length());
        }
        return new Metric(role, split, span, role == Role.LOSS ? "loss" : key, shown);
    }

    private static Role role(List<String> words) {
        String text = String.join(" ", words);
        Role whole = WHOLE.get(text);
        if (whole != null) {
            return whole;
        }
        Set<String> set = Set.copyOf(words);
        boolean loss = set.contains("loss") || set.contains("losses");
        if (set.stream().anyMatch(SETTINGS::contains)) {
            return Role.OTHER;
        }
        if (loss) {
            Stream<String> kind = words.stream().filter(word -> !NEUTRAL.contains(word));
            String rest = kind.collect(Collectors.joining(" "));
            return rest.equals("loss") || rest.equals("losses") || WHOLE.get(rest) == Role.LOSS
                    ? Role.LOSS
                    : Role.COMPONENT_LOSS;
        }
        if (isGradNorm(words)) {
            return set.contains("clipped") && !set.contains("unclipped") ? Role.GRAD_NORM_CLIPPED : Role.GRAD_NORM;
        }
        if (isLearningRate(words)) {
            return Role.LEARNING_RATE;
        }
        if (set.stream().anyMatch(REWARDS::contains)) {
            return Role.REWARD;
        }
        if (set.stream().anyMatch(SPEED::contains)) {
            return Role.NOTHING;
        }
        if (set.stream().anyMatch(word -> direction(word) != null) && !set.contains("grad")) {
            return Role.QUALITY;
        }
        if (text.endsWith("time") || text.endsWith("per second") || text.startsWith("time ")) {
            return Role.NOTHING;
        }
        return Role.OTHER;
    }

    private static final Set<String> NORM_WORDS = words(
            "grad gradient gradients norm gnorm total optim global l2 2 0 avg mean unclipped pre clip clipped preclip model all");

    private static boolean isGradNorm(List<String> words) {
        boolean names = words.contains("gnorm")
                || words.contains("gradnorm")
                || (words.contains("norm")
                        && (words.contains("grad") || words.contains("gradient") || words.contains("gradients")));
        return names && words.stream().allMatch(word -> NORM_WORDS.contains(word) || word.equals("gradnorm"));
    }

    private static final Pattern LEARNING_RATE_WORD = Pattern.compile("lr\\d{0,3}|lrs");
    private static final Pattern GROUP = Pattern.compile(
            "pg\\d{1,3}|group\\d{0,3}|param|params|x|optim|optimizer|current|base|head|learner|new|group|main|\\d{1,3}");
    private static final Set<String> OPTIMIZERS =
            words("adam adamw sgd rmsprop adagrad lion lamb adafactor nadam radam adamax muon sophia w scheduler");

    private static boolean isLearningRate(List<String> words) {
        List<String> rest = new ArrayList<>(words);
        int learning = rest.indexOf("learning");
        if (learning >= 0
                && learning + 1 < rest.size()
                && rest.get(learning + 1).startsWith("rate")) {
            rest.remove(learning + 1);
            rest.remove(learning);
        } else {
            int lr = -1;
            for (int i = 0; i < rest.size() && lr < 0; i++) {
                lr = LEARNING_RATE_WORD.matcher(rest.get(i)).matches() ? i : -1;
            }
            if (lr < 0) {
                return false;
            }
            rest.remove(lr);
        }
        return rest.stream().allMatch(word -> GROUP.matcher(word).matches() || OPTIMIZERS.contains(word));
    }

    /** Whether a number of this name is better when larger ({@code max}) or smaller ({@code min}); null if not known. */
    static @Nullable String direction(String name) {
        List<String> words = split(name);
        if (words.contains("loss")) {
            return "min";
        }
        for (String word : words) {
            if (SMALLER_IS_BETTER.contains(word)) {
                return "min";
            }
        }
        for (String word : words) {
            if (LARGER_IS_BETTER.contains(word) || REWARDS.contains(word)) {
                return "max";
            }
        }
        return String.join(" ", words).endsWith("len norm") ? "max" : null;
    }

    /** What the loss of a run with these names means: {@code gan} or {@code rl}; null where they do not say. */
    static @Nullable String profile(Iterable<Metric> metrics) {
        boolean generator = false;
        boolean discriminator = false;
        boolean reward = false;
        boolean reinforced = false;
        boolean episodes = false;
        boolean supervised = false;
        for (Metric metric : metrics) {
            List<String> words = split(metric.written());
            if (metric.role() == Role.COMPONENT_LOSS) {
                generator |= words.stream().anyMatch(GENERATOR::contains);
                discriminator |= words.stream().anyMatch(DISCRIMINATOR::contains);
                reinforced |= words.stream().anyMatch(REINFORCEMENT::contains);
            }
            reward |= metric.role() == Role.REWARD;
            episodes |= words.stream().anyMatch(EPISODES::contains);
            supervised |= metric.role() == Role.LOSS;
        }
        if (generator && discriminator) {
            return "gan";
        }
        return reward && (reinforced || episodes || !supervised) ? "rl" : null;
    }

    /** A name in small words. */
    static List<String> split(String name) {
        String separated = CAMEL.matcher(name).replaceAll(" ");
        return Stream.of(SEPARATORS.split(separated.toLowerCase(Locale.ROOT)))
                .filter(word -> !word.isEmpty())
                .toList();
    }

    /** The name without one of its words and what joined it to the rest. */
    private static String without(String name, String word, boolean first) {
        String lower = name.toLowerCase(Locale.ROOT);
        int at = first ? lower.indexOf(word) : lower.lastIndexOf(word);
        if (at < 0) {
            return name;
        }
        int from = at;
        int to = at + word.length();
        if (to < name.length() && isJoint(name.charAt(to))) {
            to++;
        } else if (from > 0 && isJoint(name.charAt(from - 1))) {
            from--;
        }
        String rest = (name.substring(0, from) + name.substring(to)).strip();
        return rest.isEmpty() ? name : rest;
    }

    private static boolean isJoint(char c) {
        return " /._-:".indexOf(c) >= 0;
    }
}
