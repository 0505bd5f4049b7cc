package io.trainwatch.attach;

import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Numbers as logs write them: {@code 2.5}, {@code -1e-4}, {@code 79,551}, {@code nan}, {@code -inf}, {@code 12.5%} (as 12.5),
 * {@code tensor(2.5)}. What only looks like one, such as a date or {@code 3.6.1}, is none.
 */
final class Numbers {
    /** Longest text that is looked at: 17 digits, a sign, a point and an exponent need 24 characters. */
    static final int MAX_CHARACTERS = 64;

    private static final Pattern NUMBER =
            Pattern.compile("[+-]?(?:\\d{1,3}(?:,\\d{3})+(?:\\.\\d*)?|\\d+\\.?\\d*|\\.\\d+)(?:[eE][+-]?\\d{1,4})?");
    private static final Pattern WRAPPED = Pattern.compile("(?:tensor|np\\.float\\d\\d)\\(([^,()]+)(?:,[^()]*)?\\)");

    private Numbers() {}

    /** The number that the text is; null if it is none. */
    static @Nullable Double parse(String text) {
        String trimmed = text.strip();
        if (trimmed.isEmpty() || trimmed.length() > MAX_CHARACTERS) {
            return null;
        }
        char last = trimmed.charAt(trimmed.length() - 1);
        if (last == ')') {
            Matcher wrapped = WRAPPED.matcher(trimmed);
            return wrapped.matches() ? parse(wrapped.group(1)) : null;
        }
        String number = last == '%' ? trimmed.substring(0, trimmed.length() - 1) : trimmed;
        if (NUMBER.matcher(number).matches()) {
            return Double.valueOf(number.replace(",", ""));
        }
        return named(number);
    }

    /** NaN or an infinity by its name; null if it is none. */
    static @Nullable Double named(String text) {
        return switch (text.toLowerCase(Locale.ROOT)) {
            case "nan", "+nan", "-nan", "-nan(ind)" -> Double.NaN;
            case "inf", "+inf", "infinity", "+infinity" -> Double.POSITIVE_INFINITY;
            case "-inf", "-infinity" -> Double.NEGATIVE_INFINITY;
            default -> null;
        };
    }
}
