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

    private static final double[] POWERS = {
        1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19,
        1e20, 1e21, 1e22
    };

    /** Digits of which every number is a double. */
    private static final int EXACT_DIGITS = 15;

    private Numbers() {}

    /**
     * The number that a part of a text is, where it is a short one of digits with at most a sign, a point and an exponent; NaN
     * where it is anything else, perhaps a number. Exact: the digits and the power of ten are doubles, and so is rounding once.
     */
    static double plain(String text, int start, int end) {
        int at = start;
        boolean negative = at < end && text.charAt(at) == '-';
        at += negative || (at < end && text.charAt(at) == '+') ? 1 : 0;
        long digits = 0;
        int count = 0;
        int behindPoint = 0;
        boolean point = false;
        for (; at < end; at++) {
            char c = text.charAt(at);
            if (c >= '0' && c <= '9') {
                digits = digits * 10 + (c - '0');
                behindPoint += point ? 1 : 0;
                if (++count > EXACT_DIGITS) {
                    return Double.NaN;
                }
            } else if (c == '.' && !point && count > 0) {
                point = true;
            } else {
                break;
            }
        }
        int exponent = at < end && count > 0 ? exponent(text, at, end) : 0;
        if (count == 0 || exponent == Integer.MIN_VALUE) {
            return Double.NaN;
        }
        int power = exponent - behindPoint;
        if (power < -22 || power > 22) {
            return Double.NaN;
        }
        double value = power < 0 ? digits / POWERS[-power] : digits * POWERS[power];
        return negative ? -value : value;
    }

    /** What stands behind an {@code e}, up to the end; {@link Integer#MIN_VALUE} if it is none. */
    private static int exponent(String text, int start, int end) {
        if ((text.charAt(start) | 0x20) != 'e') {
            return Integer.MIN_VALUE;
        }
        int at = start + 1;
        boolean negative = at < end && text.charAt(at) == '-';
        at += negative || (at < end && text.charAt(at) == '+') ? 1 : 0;
        int digits = end - at;
        if (digits < 1 || digits > 4) {
            return Integer.MIN_VALUE;
        }
        int exponent = 0;
        for (; at < end; at++) {
            char c = text.charAt(at);
            if (c < '0' || c > '9') {
                return Integer.MIN_VALUE;
            }
            exponent = exponent * 10 + (c - '0');
        }
        return negative ? -exponent : exponent;
    }

    /** The number that the text is; null if it is none. */
    static @Nullable Double parse(String text) {
        double plain = plain(text, 0, text.length());
        if (!Double.isNaN(plain)) {
            return plain;
        }
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
