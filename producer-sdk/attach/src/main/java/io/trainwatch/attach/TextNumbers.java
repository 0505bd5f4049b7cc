package io.trainwatch.attach;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * The numbers in a line of free text, each with the words before it: {@code step 100 | loss: 2.5 (2.7)} has 100 after {@code
 * step} and 2.5 after {@code loss:}.
 *
 * <p>A number stands alone or before a unit that is known; what is part of a date, a time, a version, a path or a name is
 * none, and so is one with foreign text glued to it. One in parentheses belongs to the one before it, and is passed over. A
 * number at the end of a line that is not finished may itself not be.
 */
final class TextNumbers {
    /** Numbers in one line that are looked at. */
    static final int MAX_NUMBERS = 256;

    private static final int MAX_KEY_WORDS = 4;
    private static final int MAX_LOOSE_CHARACTERS = 400;
    private static final Pattern NUMBER = Pattern.compile(
            "[+-]?(?:\\d{1,3}(?:,\\d{3})+(?!\\d)(?:\\.\\d+)?|\\d{1,40}(?:\\.\\d{0,40})?|\\.\\d{1,40})(?:[eE][+-]?\\d{1,4})?"
                    + "|[+-]?(?:nan|NaN|NAN|inf|Inf|INF|infinity|Infinity)(?![A-Za-z0-9_])");
    private static final Pattern FRACTION = Pattern.compile(" ?/ ?(\\d{1,15})(?![\\d./:]*[\\d/])");
    private static final int MAX_UNIT_LETTERS = 8;
    private static final Set<String> UNITS = Set.of(
            "s",
            "ms",
            "us",
            "sec",
            "secs",
            "m",
            "min",
            "h",
            "it",
            "k",
            "K",
            "M",
            "G",
            "GB",
            "MB",
            "KB",
            "GiB",
            "MiB",
            "it/s",
            "s/it",
            "ms/it",
            "ms/step",
            "s/step",
            "us/step",
            "samples/s",
            "samples/sec",
            "tok/s",
            "tokens/s",
            "x",
            "z",
            "e");
    private static final String DELIMITERS = "|,;\t{}";

    /** Of each character of ASCII: 1 for a delimiter or a dash, 2 for what a number may begin with. */
    private static final byte[] KIND = new byte[128];

    static {
        (DELIMITERS + "-").chars().forEach(c -> KIND[c] |= 1);
        "0123456789+-.nNiI".chars().forEach(c -> KIND[c] |= 2);
    }

    /**
     * One number.
     *
     * @param key the words before it, at most {@value #MAX_KEY_WORDS}, without what joins them to it
     * @param joined whether a colon or equals sign joins them
     * @param total what it is a part of, as in {@code 10/100}; NaN where nothing is said
     * @param unit what is written behind it, e.g. {@code ms}; empty where there is none
     * @param bracketed whether it stands in square brackets
     * @param first whether nothing but blanks stands before it in the line
     * @param beforeBracket whether an opening square bracket follows
     */
    record Found(
            List<String> key,
            boolean joined,
            double value,
            double total,
            String unit,
            boolean bracketed,
            boolean first,
            boolean beforeBracket) {

        Found with(double otherValue) {
            return new Found(key, joined, otherValue, total, unit, bracketed, first, beforeBracket);
        }
    }

    private final String line;
    private final boolean whole;
    private final List<Found> found = new ArrayList<>();
    private final StringBuilder loose = new StringBuilder();
    private int keyStart;

    /** Where the numbers of digits stand, as pairs of start and end, and which of {@link #found} each is, -1 for none. */
    private final List<int[]> places = new ArrayList<>();

    /** What begins like a number and is none, as pairs of start and end. */
    private final List<int[]> skipped = new ArrayList<>();

    /** Where the words before the numbers stand, as pairs of start and end. */
    private final List<int[]> keys = new ArrayList<>();

    /** Whether all numbers are made of digits. */
    private boolean plain = true;

    private TextNumbers(String line, boolean whole) {
        this.line = line;
        this.whole = whole;
    }

    /** Finds the numbers of a line; {@code whole} says whether it has its end. */
    static TextNumbers in(String line, boolean whole) {
        TextNumbers numbers = new TextNumbers(line, whole);
        numbers.scan();
        return numbers;
    }

    List<Found> found() {
        return found;
    }

    /** What stands between the numbers and their words, and the words before a number in brackets. */
    String loose() {
        return loose.toString();
    }

    /** How the line is worded, by which the numbers of the next line of this wording are found; null where it is too odd. */
    @Nullable
    Wording wording() {
        return plain && whole && found.size() < MAX_NUMBERS && line.length() <= Wording.MAX_CHARACTERS
                ? new Wording(line, places, skipped, keys, found, loose())
                : null;
    }

    private void scan() {
        Matcher number = NUMBER.matcher(line);
        int at = 0;
        while (at < line.length() && found.size() < MAX_NUMBERS) {
            char c = line.charAt(at);
            int kind = c < KIND.length ? KIND[c] : 0;
            if ((kind & 1) != 0 && (c != '-' || isDash(at))) {
                loosen(keyStart, at);
                at++;
                keyStart = at;
            } else if ((kind & 2) != 0 && beginsNumber(at)) {
                int end = plainEnd(line, at);
                if (end < 0 && mayBeNumber(at)) {
                    end = number.region(at, line.length()).lookingAt() ? number.end() : at;
                    plain &= end <= at;
                }
                at = end > at ? number(at, end) : at + 1;
            } else {
                at++;
            }
        }
        loosen(keyStart, line.length());
    }

    /** Where a number ends that is made of digits, as the pattern would have it; -1 where only the pattern can tell. */
    static int plainEnd(String line, int start) {
        int at = start;
        if (at == line.length()) {
            return -1;
        }
        if (line.charAt(at) == '+' || line.charAt(at) == '-') {
            at++;
        }
        int digits = digits(line, at);
        int end = at + digits;
        if (digits == 0 || digits > 20 || (line.startsWith(",", end) && digits(line, end + 1) > 0)) {
            return -1;
        }
        if (end < line.length() && line.charAt(end) == '.') {
            int decimals = digits(line, end + 1);
            if (decimals > 20) {
                return -1;
            }
            end += 1 + decimals;
        }
        if (end < line.length() && (line.charAt(end) | 0x20) == 'e') {
            int exponent = end + 1;
            boolean signed = exponent < line.length() && (line.charAt(exponent) == '+' || line.charAt(exponent) == '-');
            exponent += signed ? 1 : 0;
            int power = Math.min(4, digits(line, exponent));
            end = power == 0 ? end : exponent + power;
        }
        return end;
    }

    /** What the pattern needs of a word, as "nan" and "inf" have it: looking for it costs less than the pattern. */
    private boolean mayBeNumber(int at) {
        char next = at + 1 < line.length() ? line.charAt(at + 1) : ' ';
        return switch (line.charAt(at) | 0x20) {
            case 'n' -> (next | 0x20) == 'a';
            case 'i' -> (next | 0x20) == 'n';
            default -> true;
        };
    }

    private static int digits(String line, int start) {
        int at = start;
        while (at < line.length() && line.charAt(at) >= '0' && line.charAt(at) <= '9') {
            at++;
        }
        return at - start;
    }

    private boolean isDash(int at) {
        return line.charAt(at) == '-'
                && at > 0
                && at + 1 < line.length()
                && Character.isWhitespace(line.charAt(at - 1))
                && Character.isWhitespace(line.charAt(at + 1));
    }

    private boolean beginsNumber(int at) {
        char c = line.charAt(at);
        if (!(c >= '0' && c <= '9') && "+-.nNiI".indexOf(c) < 0) {
            return false;
        }
        if (at == 0) {
            return true;
        }
        char before = line.charAt(at - 1);
        return Character.isWhitespace(before) || ":=([{'\"|,<>#".indexOf(before) >= 0;
    }

    /** Takes the number that ends at {@code end}, if it is one; returns where to go on. */
    private int number(int start, int end) {
        double plain = Numbers.plain(line, start, end);
        Double value = Double.isNaN(plain) ? Numbers.parse(line.substring(start, end)) : (Double) plain;
        double total = Double.NaN;
        int after = end;
        if (line.startsWith("/", after) || line.startsWith(" /", after)) {
            Matcher fraction = FRACTION.matcher(line).region(after, line.length());
            if (fraction.lookingAt()) {
                total = Double.parseDouble(fraction.group(1));
                after = fraction.end();
            }
        }
        String unit = "";
        if (after < line.length() && Character.isLetter(line.charAt(after))) {
            unit = unitAt(after);
            if (!UNITS.contains(unit)) {
                return skip(start, after);
            }
            after += unit.length();
        } else if (after < line.length() && line.charAt(after) == '%') {
            unit = "%";
            after++;
        }
        boolean named = value != null && !Double.isFinite(value);
        if (value == null || !endsAt(after, named)) {
            return skip(start, after);
        }
        int before = found.size();
        add(start, after, value, total, unit);
        places.add(new int[] {start, end, found.size() > before ? before : -1});
        return after;
    }

    /** What may be a unit: letters, perhaps by other letters. */
    private String unitAt(int start) {
        int end = letters(start);
        if (end > start && line.startsWith("/", end) && letters(end + 1) > end + 1) {
            end = letters(end + 1);
        }
        return line.substring(start, end);
    }

    private int letters(int start) {
        int at = start;
        while (at < line.length() && at < start + MAX_UNIT_LETTERS && isLetter(line.charAt(at))) {
            at++;
        }
        return at;
    }

    private static boolean isLetter(char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    }

    private boolean endsAt(int at, boolean named) {
        if (at >= line.length()) {
            return whole || named;
        }
        char c = line.charAt(at);
        char next = at + 1 < line.length() ? line.charAt(at + 1) : ' ';
        if (c == ':' || c == '.') {
            return !Character.isLetterOrDigit(next) && next != '/' && next != '\\';
        }
        return Character.isWhitespace(c) || ",;|)]}'\"<>(".indexOf(c) >= 0;
    }

    private int skip(int start, int from) {
        int at = from;
        while (at < line.length()
                && !Character.isWhitespace(line.charAt(at))
                && DELIMITERS.indexOf(line.charAt(at)) < 0) {
            at++;
        }
        skipped.add(new int[] {start, at});
        return at;
    }

    private void add(int start, int end, double value, double total, String unit) {
        int keyEnd = trimmed(keyStart, start, " '\"#");
        boolean bracketed = false;
        boolean parenthesised = false;
        while (keyEnd > keyStart && "[(".indexOf(line.charAt(keyEnd - 1)) >= 0) {
            bracketed |= line.charAt(keyEnd - 1) == '[';
            parenthesised |= line.charAt(keyEnd - 1) == '(';
            keyEnd = trimmed(keyStart, keyEnd - 1, " '\"#");
        }
        boolean joined = false;
        while (keyEnd > keyStart && ":=".indexOf(line.charAt(keyEnd - 1)) >= 0) {
            joined = true;
            keyEnd = trimmed(keyStart, keyEnd - 1, " '\"");
        }
        int begin = keyEnd;
        while (begin > keyStart
                && (":=)]([\"'>*<".indexOf(line.charAt(begin - 1)) < 0 || line.startsWith("'s ", begin - 1))) {
            begin--;
        }
        List<String> key = words(line.substring(begin, keyEnd).strip());
        keys.add(new int[] {begin, keyEnd});
        int next = behindBlanks(end, end + 3);
        boolean opens = next < end + 3 && line.startsWith("[", next);
        boolean closes = next < end + 3 && line.startsWith("]", next);
        int nextButOne = behindBlanks(next + 1, end + 3);
        loosen(keyStart, begin);
        if (bracketed || opens) {
            loosen(begin, keyEnd);
        }
        keyStart = end;
        if (!parenthesised) {
            found.add(new Found(
                    key,
                    joined,
                    value,
                    total,
                    unit,
                    bracketed,
                    start == trimmedStart(),
                    opens || (closes && nextButOne < end + 3 && line.startsWith("[", nextButOne))));
        }
    }

    /** The last words of a text, at most {@value #MAX_KEY_WORDS}. */
    private static List<String> words(String text) {
        if (text.isEmpty()) {
            return List.of();
        }
        List<String> words = new ArrayList<>(MAX_KEY_WORDS);
        int end = text.length();
        while (end > 0 && words.size() < MAX_KEY_WORDS) {
            int start = end;
            while (start > 0 && !isBlank(text.charAt(start - 1))) {
                start--;
            }
            words.add(text.substring(start, end));
            end = start;
            while (end > 0 && isBlank(text.charAt(end - 1))) {
                end--;
            }
        }
        Collections.reverse(words);
        return words;
    }

    private static boolean isBlank(char c) {
        return c == ' ' || (c >= '\t' && c <= '\r');
    }

    private int behindBlanks(int start, int limit) {
        int at = start;
        while (at < limit && at < line.length() && line.charAt(at) == ' ') {
            at++;
        }
        return at;
    }

    private int trimmed(int start, int end, String blanks) {
        int at = end;
        while (at > start
                && (blanks.indexOf(line.charAt(at - 1)) >= 0 || Character.isWhitespace(line.charAt(at - 1)))) {
            at--;
        }
        return at;
    }

    private int trimmedStart() {
        int at = 0;
        while (at < line.length() && (Character.isWhitespace(line.charAt(at)) || line.charAt(at) == '[')) {
            at++;
        }
        return at;
    }

    private void loosen(int start, int end) {
        if (start < end && loose.length() < MAX_LOOSE_CHARACTERS) {
            loose.append(line, start, Math.min(end, start + MAX_LOOSE_CHARACTERS))
                    .append(' ');
        }
    }
}
