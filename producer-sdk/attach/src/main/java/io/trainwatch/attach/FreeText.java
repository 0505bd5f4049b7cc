package io.trainwatch.attach;

import io.trainwatch.attach.MetricNames.Metric;
import io.trainwatch.attach.MetricNames.Role;
import io.trainwatch.attach.MetricNames.Span;
import io.trainwatch.attach.TextNumbers.Found;
import io.trainwatch.event.FinishStatus;
import io.trainwatch.event.RunFinished;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * What training scripts print: numbers behind words, in any order. The last resort, after every format that has a form.
 *
 * <pre>
 * Epoch 3/10, loss: 0.12 - val_loss: 0.30                     step = epoch; an evaluation at the same step
 * iter 100: loss 3.2345, time 123.45ms                        step 100
 * Epoch: [0][ 10/5005]  Loss 6.91 (6.95)  Acc@1 0.1 (0.2)     the batch counts on from epoch to epoch
 * Epoch 1:  10%|# | 10/100 [00:01&lt;00:09, 9.9it/s, loss=2.3]   the same from a progress bar
 * {'loss': 2.3, 'grad_norm': 1.2, 'epoch': 0.01}              the step of the bar above it, or a count of such lines
 * --&gt; GLOBAL_STEP: 50   and below it   | &gt; loss: 0.06          lines below a counter belong to it, up to a blank one
 * </pre>
 *
 * <p>Only names that {@link MetricNames} knows are taken, and a line only if it has a loss or another measure of quality:
 * text holds many other numbers. A line about a part of an evaluation is passed over, since only its end is one. Of several
 * ranks ({@code 3: loss 2.5}) the lowest speaks for the run. Terminal colours do not count, and each state of a progress bar
 * is a line; of Keras' bars, which show running means, only the last.
 */
final class FreeText implements LogFormat {
    /** Longest line that is looked at, in characters. */
    static final int MAX_LINE_CHARACTERS = 16 * 1024;

    /** Wordings whose meaning is remembered: a log has a few, unless it is no log. */
    private static final int KNOWN_WORDINGS = 1_000;

    /** Wordings by which lines are read: the latest, for a line is worded as one not long before it. */
    private static final int WORDINGS = 8;

    private static final String NO_SPLIT = "";
    private static final int RECORDS_TO_RECOGNISE = 2;
    private static final Pattern TERMINAL =
            Pattern.compile("\u001b\\[[0-9;?]{0,32}[A-Za-z]|\u001b[()][A-Z0-9]|[\\x00-\\x08\\x0e-\\x1f\\x7f]");
    private static final Pattern SETTINGS =
            Pattern.compile("(?i)\\b(?:namespace|config|arguments|args|hparams)\\(|\\barguments:");
    private static final Pattern RANK = Pattern.compile("^(?:\\[rank ?(\\d{1,4})\\]:?|(\\d{1,4}):) (?=\\S)");
    private static final Pattern EVALUATION = Pattern.compile(
            "(?i)(?<![\\w/.\\\\-])(valid(?:ation|ating)?|val|eval(?:uation|uating|uate)?|dev|test(?:ing)?|dict for global step)(?![\\w/.\\\\-])");
    private static final Pattern TRAINING = Pattern.compile("(?i)(?<![\\w/.\\\\-])train(?:ing)?(?![\\w/.\\\\-])");
    private static final Pattern WORD = Pattern.compile("[A-Za-z_][\\w@+.\\-]{0,80}(?:/[\\w@+.\\-]{1,80}){0,3}");
    private static final Pattern FILE = Pattern.compile(
            ".*\\.(?:py|cc|cpp|cu|c|h|hpp|java|js|go|rs|txt|log|json|jsonl|yaml|yml|pt|pth|bin|ckpt|csv|so)",
            Pattern.CASE_INSENSITIVE);
    private static final Pattern TABLE = Pattern.compile("\\.[ct]sv(?:\\.gz)?$", Pattern.CASE_INSENSITIVE);
    private static final Pattern HEADER = Pattern.compile("[\"\\p{L} _/.-]+(?:[,;\\t][\"\\p{L} _/.-]+)+");
    private static final Set<String> NO_MEASUREMENT =
            Set.of("best", "Best", "BEST", "target", "threshold", "max", "Max", "min", "Min");
    private static final Set<String> FILLERS =
            Set.of(("a an the and with of has had have is was at in on to for by got reached finished done"
                            + " completed after its new now this loss info debug warning")
                    .split(" ", -1));
    private static final Set<String> QUALIFIERS =
            Set.of(("train training val valid validation test eval evaluation dev total avg"
                            + " avg. average mean running batch epoch learning cross entropy lm ce kl actor critic policy value generator"
                            + " discriminator gradient grad global current set top-1 top-5 best smoothed reconstruction recon box cls"
                            + " classification regression bbox mask step iter iteration")
                    .split(" ", -1));

    @Override
    public String name() {
        return "text";
    }

    @Override
    public String description() {
        return "what scripts print: \"step 100 | loss 2.3\", \"Epoch 3/10 - loss: 0.12\", progress bars (any text)";
    }

    @Override
    public Optional<String> recognise(LogInput input) throws IOException {
        if (input.head().indexOf('\0') >= 0 || isTable(input)) {
            return Optional.empty();
        }
        Records records = records(input);
        if (records.taken < RECORDS_TO_RECOGNISE || !records.counted) {
            return Optional.empty();
        }
        return Optional.of(
                "lines with a counter and a loss or metric, such as \"" + RunEvents.shown(records.example) + "\"");
    }

    /** Whether it is a table whose columns nobody knows: what words in its cells say is of something else. */
    private static boolean isTable(LogInput input) throws IOException {
        String header = input.head().lines().findFirst().orElse("");
        return TABLE.matcher(input.name()).find()
                && header.length() <= MAX_LINE_CHARACTERS
                && HEADER.matcher(header).matches();
    }

    /** Reads the beginning of a log, and what can be known by it. */
    private static Records records(LogInput input) throws IOException {
        Records records = new Records(new RunEvents(input), -1, false);
        for (String line : input.head().split("[\n\r]+", -1)) {
            if (line.length() <= MAX_LINE_CHARACTERS) {
                records.line(line, 1, 0, true);
            }
            records.events.clear();
        }
        records.flush();
        return records;
    }

    @Override
    public LogReader open(LogInput input) throws IOException {
        return new Reader(input, records(input));
    }

    private static final class Reader extends LineReader {
        private final Records records;

        Reader(LogInput input, Records head) throws IOException {
            super(input, Lines.andProgress(input.once(), MAX_LINE_BYTES), new RunEvents(input));
            records = new Records(events(), head.lowestRank, !head.counted);
            MetricFacts.tell(events().facts(), head.seen);
        }

        @Override
        void line(String text) {
            if (text.length() > MAX_LINE_CHARACTERS) {
                tooLong();
            } else {
                records.line(text, line(), offset(), isWhole());
                ignored = records.ignored;
            }
        }

        @Override
        void tooLong() {
            ignored++; // of no use to people either: a dump, not a line
        }

        @Override
        void blank() {
            records.flush();
        }

        @Override
        void end() {
            records.flush();
        }

        @Override
        void settled() {
            if (records.said()) {
                records.flush();
            }
        }
    }

    /** The counters of one line. */
    private static final class Counters {
        @Nullable
        Double step;

        double stepTotal = Double.NaN;
        boolean global;

        @Nullable
        Double inEpoch;

        double inEpochTotal = Double.NaN;

        @Nullable
        Double bar;

        double barTotal = Double.NaN;

        @Nullable
        Double epoch;

        double epochTotal = Double.NaN;

        boolean barUnfinished() {
            return bar != null && bar < barTotal;
        }

        boolean any() {
            return step != null || inEpoch != null || epoch != null;
        }
    }

    /** A number with a meaning. */
    private record Meant(Metric metric, double value) {}

    /** What the lines so far said. */
    private static final class Records {
        private final RunEvents events;
        private final Journal journal;
        private final int speaker;
        private final boolean uncounted;
        private final KnownNames names = new KnownNames();
        private final Set<String> known = new HashSet<>();
        private final Set<String> loggedInSteps = new HashSet<>();
        private final Set<Meant> onTheBar = new HashSet<>();
        private final Map<String, String> splits = new HashMap<>();
        private final Map<List<String>, Optional<Metric>> meantJoined = new HashMap<>();
        private final Map<List<String>, Optional<Metric>> meantLoose = new HashMap<>();
        private final @Nullable Wording[] wordings = new Wording[WORDINGS];
        private int latestWording;
        private int nextWording;
        final List<Metric> seen = new ArrayList<>();
        int lowestRank = -1;
        int taken;
        boolean counted;
        String example = "";
        long ignored;

        private Counters context = new Counters();
        private @Nullable String contextSplit;
        private @Nullable Double barStep;
        private double barTotal;

        private @Nullable MetricRow pending;
        private final Set<String> pendingNames = new HashSet<>();
        private Counters pendingCounters = new Counters();
        private long pendingLine;
        private long pendingOffset;

        Records(RunEvents events, int speaker, boolean uncounted) {
            this.events = events;
            this.speaker = speaker;
            this.uncounted = uncounted;
            journal = new Journal(events);
        }

        void line(String raw, long line, long offset, boolean whole) {
            String text = raw.indexOf('\u001b') >= 0 || raw.indexOf('\b') >= 0
                    ? TERMINAL.matcher(raw).replaceAll("")
                    : raw;
            RunFinished finished = Endings.of(text);
            int of = -1;
            char first = text.isEmpty() ? ' ' : text.charAt(0);
            Matcher rank = first == '[' || (first >= '0' && first <= '9') ? RANK.matcher(text) : null;
            if (rank != null && rank.find()) {
                of = Integer.parseInt(rank.group(rank.group(1) == null ? 2 : 1));
                text = text.substring(rank.end());
            }
            if (text.isBlank()) {
                flush();
                return;
            }
            if (mayBeSettings(text) && SETTINGS.matcher(text).find()) {
                ignored++;
                return;
            }
            if (speaker >= 0 && of >= 0 && of != speaker) {
                ignored++;
                return;
            }
            Counters counters = new Counters();
            List<Meant> values = new ArrayList<>();
            StringBuilder loose = new StringBuilder();
            for (Found found : numbers(text, whole, loose)) {
                sort(found, counters, values, loose);
            }
            understood(text, loose.toString(), counters, values, line, offset, of);
            if (finished != null) {
                flush();
                ended(finished, line, offset);
            }
        }

        /** The numbers of a line, and in {@code loose} what stands between them. */
        private List<Found> numbers(String text, boolean whole, StringBuilder loose) {
            for (int i = 0; whole && i < WORDINGS; i++) {
                int at = (latestWording + i) % WORDINGS;
                Wording known = wordings[at];
                if (known == null) {
                    continue;
                }
                List<Found> found = known.in(text);
                if (found != null) {
                    latestWording = at;
                    loose.append(known.loose());
                    return found;
                }
            }
            TextNumbers numbers = TextNumbers.in(text, whole);
            Wording wording = numbers.wording();
            if (wording != null) {
                nextWording = (nextWording + 1) % WORDINGS;
                wordings[nextWording] = wording;
                latestWording = nextWording;
            }
            loose.append(numbers.loose());
            return numbers.found();
        }

        /** What the pattern needs: looking for it costs less than the pattern. */
        private static boolean mayBeSettings(String text) {
            if (text.indexOf('(') >= 0) {
                return true;
            }
            for (int colon = text.indexOf(':'); colon >= 0; colon = text.indexOf(':', colon + 1)) {
                if (colon > 0 && (text.charAt(colon - 1) | 0x20) == 's') {
                    return true;
                }
            }
            return false;
        }

        private void ended(RunFinished finished, long line, long offset) {
            if (events.started()) {
                events.add(line, offset, journal.lastStep() < 0 ? null : (Long) journal.lastStep(), null, finished);
            }
        }

        private void sort(Found found, Counters counters, List<Meant> values, StringBuilder loose) {
            boolean fraction = !Double.isNaN(found.total());
            Metric metric = meant(found);
            if (metric == null) {
                boolean count = found.value() == Math.rint(found.value()) && found.value() >= 0;
                if (count && found.bracketed() && fraction && found.beforeBracket() && counters.epoch == null) {
                    counters.epoch = found.value();
                    counters.epochTotal = found.total();
                } else if (count && found.bracketed() && fraction) {
                    counters.inEpoch = found.value();
                    counters.inEpochTotal = found.total();
                } else if (count && found.key().isEmpty() && !found.joined() && fraction) {
                    counters.bar = found.value();
                    counters.barTotal = found.total();
                } else if (count
                        && counters.epoch == null
                        && found.beforeBracket()
                        && (found.bracketed() || isTraining(found.key()))) {
                    counters.epoch = found.value();
                } else if (count
                        && found.bracketed()
                        && found.first()
                        && found.key().isEmpty()
                        && found.unit().isEmpty()) {
                    counters.step = counters.step == null ? (Double) found.value() : counters.step;
                } else if (count && !found.key().isEmpty() && isBatch(found.key())) {
                    counters.inEpoch = found.value();
                    counters.inEpochTotal = found.total();
                } else {
                    timed(found, values);
                }
                return;
            }
            switch (metric.role()) {
                case STEP, GLOBAL_STEP -> {
                    loose.append(String.join(" ", found.key())).append(' ');
                    loose.append(String.join(" ", found.key())).append(' ');
                    boolean global = metric.role() == Role.GLOBAL_STEP;
                    boolean count = found.value() == Math.rint(found.value()) && found.value() >= 0;
                    if (count && !metric.evaluation() && (counters.step == null || (global && !counters.global))) {
                        counters.step = found.value();
                        counters.stepTotal = found.total();
                        counters.global = global;
                    }
                }
                case EPOCH -> {
                    loose.append(String.join(" ", found.key())).append(' ');
                    loose.append(String.join(" ", found.key())).append(' ');
                    if (counters.epoch == null && found.value() >= 0) {
                        counters.epoch = found.value();
                        counters.epochTotal = found.total();
                    }
                }
                case MAX_EPOCHS -> counters.epochTotal = found.value();
                default -> {
                    double value = fraction && found.total() > 0 ? found.value() / found.total() : found.value();
                    values.add(new Meant(metric, value));
                }
            }
        }

        private static boolean isTraining(List<String> key) {
            return !key.isEmpty() && key.get(key.size() - 1).equalsIgnoreCase("train");
        }

        private static boolean isBatch(List<String> key) {
            String last = key.get(key.size() - 1).toLowerCase(Locale.ROOT);
            return last.equals("batch") || last.equals("minibatch");
        }

        /** A time per step, which only its unit gives away. */
        private static void timed(Found found, List<Meant> values) {
            String last = found.key().isEmpty()
                    ? ""
                    : found.key().get(found.key().size() - 1).toLowerCase(Locale.ROOT);
            boolean named = last.equals("dt") || last.equals("time") || last.equals("step_avg");
            String role = switch (found.unit()) {
                case "ms" -> named ? "step_time_ms" : "";
                case "ms/step", "ms/it" -> "step_time_ms";
                case "s/step", "s/it" -> "step_time";
                default -> "";
            };
            if (!role.isEmpty()) {
                values.add(new Meant(MetricNames.of(role), found.value()));
            }
        }

        /** What the words before a number say of it; null if nothing that is known. */
        /** Without what a name of a data set has behind it, as {@code valid_1's} of LightGBM. */
        private static String plain(String word) {
            return word.endsWith("'s") ? word.replaceFirst("(?:_\\d+)?'s$", "") : word;
        }

        private @Nullable Metric meant(Found found) {
            Map<List<String>, Optional<Metric>> known = found.joined() ? meantJoined : meantLoose;
            Optional<Metric> metric = known.get(found.key());
            if (metric == null) {
                metric = Optional.ofNullable(meaning(found));
                if (known.size() < KNOWN_WORDINGS) {
                    known.put(found.key(), metric);
                }
            }
            return metric.orElse(null);
        }

        private @Nullable Metric meaning(Found found) {
            List<String> key = found.key().stream().map(Records::plain).toList();
            if (key.stream().anyMatch(NO_MEASUREMENT::contains)) {
                return null;
            }
            for (int words = key.size(); words > 0; words--) {
                List<String> phrase = key.subList(key.size() - words, key.size());
                String last = phrase.get(words - 1);
                if (!WORD.matcher(last).matches() || FILE.matcher(last).matches()) {
                    return null;
                }
                boolean qualified = phrase.subList(0, words - 1).stream()
                        .allMatch(word -> QUALIFIERS.contains(word.toLowerCase(Locale.ROOT)));
                Metric metric = qualified ? names.of(String.join(" ", phrase)) : null;
                if (metric != null && isTaken(metric, words)) {
                    return metric.role() == Role.LOSS && found.joined() ? whichLoss(metric, key, words) : metric;
                }
            }
            return null;
        }

        private static boolean isTaken(Metric metric, int words) {
            String written = metric.written().toLowerCase(Locale.ROOT);
            return switch (metric.role()) {
                case OTHER, NOTHING, MAX_STEPS -> false;
                case STEP, GLOBAL_STEP, EPOCH ->
                    words == 1 || written.startsWith("train") || written.startsWith("global");
                default -> true;
            };
        }

        /** {@code Surrogate loss:} is a component; {@code finished with loss:} is the loss. */
        private Metric whichLoss(Metric loss, List<String> key, int words) {
            int from = key.size() - words;
            while (from > 0
                    && WORD.matcher(key.get(from - 1)).matches()
                    && !FILLERS.contains(key.get(from - 1).toLowerCase(Locale.ROOT))) {
                from--;
            }
            if (from == key.size() - words) {
                return loss;
            }
            Metric component = names.of(String.join(" ", key.subList(from, key.size())));
            return component.role() == Role.COMPONENT_LOSS ? component : loss;
        }

        private void understood(
                String text, String loose, Counters counters, List<Meant> values, long line, long offset, int of) {
            boolean kerasBar = counters.bar != null && (text.contains("/step") || text.contains("ETA:"));
            if (kerasBar) {
                if (counters.barUnfinished()) {
                    return;
                }
                counters.bar = null;
            }
            String split = split(loose);
            boolean evaluating = split != null;
            if (text.contains("train_runtime")) {
                flush();
                ended(Endings.finished(FinishStatus.completed, null, null), line, offset);
                return;
            }
            if (values.isEmpty()) {
                onlyCounters(text, counters, split, loose);
                return;
            }
            boolean partial = split != null && (counters.inEpoch != null || counters.barUnfinished());
            if (partial) {
                contextSplit = split;
                return;
            }
            if (counters.bar != null && !evaluating) {
                bar(counters);
                values.removeIf(value -> value.metric().evaluation() && !changed(value));
            }
            if (counters.any() || counters.bar != null) {
                flush();
                contextSplit = null;
                if (counters.step == null
                        && counters.inEpoch == null
                        && counters.epoch == null
                        && context.epoch != null) {
                    counters.epoch = context.epoch;
                    counters.epochTotal = context.epochTotal;
                } else if (counters.epoch == null) {
                    counters.epoch = context.epoch;
                }
                context = counters;
                counted = true;
                open(counters, line, offset);
                put(values, split);
                if (of >= 0 && said()) {
                    lowestRank = lowestRank < 0 ? of : Math.min(lowestRank, of);
                }
                if (said()) {
                    example(text);
                    flush();
                }
                return;
            }
            if (!counted && !uncounted) {
                ignored++;
                return;
            }
            boolean again = pendingNames.size() >= MetricRow.MAX_NAMES
                    || values.stream()
                            .anyMatch(value ->
                                    pendingNames.contains(value.metric().written()));
            if (again || (split != null && !split.equals(contextSplit))) {
                flush();
            }
            contextSplit = split != null ? split : contextSplit;
            if (pending == null) {
                open(context, line, offset);
            }
            put(values, contextSplit);
            if (said()) {
                example(text);
            }
        }

        /** The split of an evaluation that the words of a line tell of; null for none. Lines of a log have few wordings. */
        private @Nullable String split(String loose) {
            String known = splits.get(loose);
            if (known == null) {
                Matcher evaluation = EVALUATION.matcher(loose);
                boolean evaluating =
                        evaluation.find() && !TRAINING.matcher(loose).find();
                known = !evaluating
                        ? NO_SPLIT
                        : evaluation.group(1).toLowerCase(Locale.ROOT).startsWith("test") ? "test" : "val";
                if (splits.size() < KNOWN_WORDINGS) {
                    splits.put(loose, known);
                }
            }
            return known.equals(NO_SPLIT) ? null : known;
        }

        private void onlyCounters(String text, Counters counters, @Nullable String split, String loose) {
            if (split != null && text.length() <= 80) {
                flush();
                contextSplit = split;
                return;
            }
            if (TRAINING.matcher(loose).find() && text.length() <= 80) {
                flush();
                contextSplit = null;
            }
            if (counters.bar != null) {
                bar(counters);
            }
            if (counters.any()) {
                flush();
                if (counters.step != null || counters.inEpoch != null) {
                    contextSplit = null;
                }
                if (counters.epoch == null) {
                    counters.epoch = context.epoch;
                }
                context = counters;
                counted = true;
            }
        }

        /** Whether a bar shows a number of an evaluation for the first time: it goes on to show it until the next. */
        private boolean changed(Meant value) {
            boolean shown = onTheBar.contains(value);
            onTheBar.removeIf(before -> before.metric().equals(value.metric()));
            if (onTheBar.size() < TextNumbers.MAX_NUMBERS) {
                onTheBar.add(value);
            }
            return !shown;
        }

        /** The bar of the training is the one that goes furthest. */
        private void bar(Counters counters) {
            if (counters.barTotal >= barTotal) {
                barStep = counters.bar;
                barTotal = counters.barTotal;
            }
        }

        private void open(Counters counters, long line, long offset) {
            pending = new MetricRow();
            pendingNames.clear();
            pendingCounters = counters;
            pendingLine = line;
            pendingOffset = offset;
        }

        private void put(List<Meant> values, @Nullable String split) {
            MetricRow row = pending;
            if (row == null) {
                return;
            }
            for (Meant value : values) {
                Metric metric = value.metric();
                if (split != null && metric.split() == null) {
                    metric = new Metric(metric.role(), split, metric.span(), metric.name(), metric.written());
                }
                String logged = metric.split() + " " + metric.name();
                if (metric.span() != Span.EPOCH && loggedInSteps.size() < KnownNames.MAX_NAMES) {
                    loggedInSteps.add(logged);
                }
                row.put(metric, value.value(), metric.span() == Span.EPOCH && loggedInSteps.contains(logged));
                pendingNames.add(metric.written());
                if (seen.size() < 1000 && known.add(metric.written())) {
                    seen.add(metric);
                }
            }
        }

        private static long whole(double total) {
            return total >= 1 && total < 0x1p53 ? (long) total : 0;
        }

        private boolean said() {
            return pending != null && (pending.hasLoss() || pending.hasEvaluation() || pending.hasQuality());
        }

        private void example(String text) {
            taken++;
            if (example.isEmpty()) {
                example = text.strip();
            }
        }

        void flush() {
            MetricRow row = pending;
            if (row == null) {
                return;
            }
            pending = null;
            pendingNames.clear();
            ignored += row.left();
            if (!row.hasLoss() && !row.hasEvaluation() && !row.hasQuality()) {
                return;
            }
            Counters counters = pendingCounters;
            row.epoch = counters.epoch;
            row.maxEpochs = Double.isNaN(counters.epochTotal) ? null : (Double) counters.epochTotal;
            if (counters.step != null) {
                row.step = counters.step;
                row.epochLength = whole(counters.stepTotal);
                row.maxSteps = counters.epoch == null && row.epochLength > 0 ? (Double) counters.stepTotal : null;
            } else if (counters.inEpoch != null) {
                row.step = counters.inEpoch;
                row.epochLength = whole(counters.inEpochTotal);
                row.countsInEpoch = true;
            } else if (counters.bar != null) {
                row.step = counters.bar;
                row.epochLength = whole(counters.barTotal);
                row.countsInEpoch = true;
            } else if (barStep != null && counters.epoch != null && counters.epoch != Math.rint(counters.epoch)) {
                row.step = barStep;
                row.maxSteps = barTotal;
            }
            journal.add(row, pendingLine, pendingOffset, null);
        }
    }
}
