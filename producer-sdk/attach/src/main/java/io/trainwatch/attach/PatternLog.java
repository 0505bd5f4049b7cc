package io.trainwatch.attach;

import com.google.re2j.Matcher;
import com.google.re2j.Pattern;
import com.google.re2j.PatternSyntaxException;
import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Text by a pattern of the user: a regular expression whose named groups say what is a step, an epoch, or which metric.
 *
 * <pre>
 * it=(?P&lt;step&gt;\d+) .*? L=(?P&lt;loss&gt;\S+) vL=(?P&lt;val_loss&gt;\S+)
 * </pre>
 *
 * <p>Names mean what {@link MetricNames} says; a group that does not match, or holds no number, says nothing. Each match in a
 * line is a row. The engine takes time linear in the line, whatever the pattern and the line.
 */
public final class PatternLog implements LogFormat {
    /** Longest pattern, in characters. */
    static final int MAX_PATTERN = 4096;

    private static final int MAX_MATCHES = 64;

    private final Pattern pattern;
    private final List<String> names;

    /**
     * A format for one pattern.
     *
     * @throws IllegalArgumentException if it is none, or has no named group; the message says what is wrong and what is allowed
     */
    public PatternLog(String regex) {
        if (regex.length() > MAX_PATTERN) {
            throw new IllegalArgumentException(
                    "the pattern has " + regex.length() + " characters, allowed are " + MAX_PATTERN);
        }
        try {
            pattern = Pattern.compile(regex.replaceAll("\\(\\?<([A-Za-z_])", "(?P<$1"));
        } catch (PatternSyntaxException e) {
            throw new IllegalArgumentException(
                    "the pattern is no regular expression of RE2: " + e.getMessage()
                            + "; see https://github.com/google/re2/wiki/Syntax",
                    e);
        }
        names = new ArrayList<>(pattern.namedGroups().keySet());
        if (names.isEmpty()) {
            throw new IllegalArgumentException(
                    "the pattern has no named group, such as (?P<step>\\d+) or (?P<loss>\\S+)");
        }
    }

    @Override
    public String name() {
        return "pattern";
    }

    @Override
    public String description() {
        return "text by a pattern of your own";
    }

    @Override
    public Optional<String> recognise(LogInput input) throws IOException {
        Matcher first = pattern.matcher(input.head());
        return first.find()
                ? Optional.of("the pattern, as in \"" + RunEvents.shown(first.group()) + "\"")
                : Optional.empty();
    }

    @Override
    public LogReader open(LogInput input) throws IOException {
        return new Reader(input);
    }

    private final class Reader extends LineReader {
        private final Journal journal = new Journal(events());
        private final MetricLines.Keys keys = new MetricLines.Keys();

        Reader(LogInput input) throws IOException {
            super(input, Lines.andProgress(input.once(), MAX_LINE_BYTES), new RunEvents(input));
        }

        @Override
        void line(String text) {
            if (text.length() > FreeText.MAX_LINE_CHARACTERS) {
                tooLong();
                return;
            }
            Matcher match = pattern.matcher(text);
            for (int matches = 0; matches < MAX_MATCHES && match.find(); matches++) {
                Map<String, Double> numbers = new LinkedHashMap<>();
                for (String name : names) {
                    String group = match.group(name);
                    boolean cut = group != null && !isWhole() && match.end(name) == text.length();
                    Double value = group == null || cut ? null : Numbers.parse(group);
                    if (value == null) {
                        ignored += group == null ? 0 : 1;
                    } else {
                        numbers.put(name, value);
                    }
                }
                row(numbers);
            }
        }

        private void row(Map<String, Double> numbers) {
            MetricRow row = keys.row(numbers);
            if (!row.saysSomething() && (row.isEmpty() || row.step == null)) {
                return;
            }
            if (!events().started()) {
                MetricFacts.tell(events().facts(), keys.latest());
            }
            journal.add(row, line(), offset(), null);
        }
    }
}
