package io.trainwatch.monitor.detect;

import java.time.Duration;
import java.util.Arrays;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Function;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * One thing about a detector that users may set. Immutable.
 *
 * <p>A value is text wherever it comes from, a file, a variable of the environment or a trainer; the setting alone knows
 * what is allowed. Nothing that the state of a detector depends on may be a setting: a state that was written under one
 * value is read under another.
 *
 * @param <T> what a value is
 */
public final class Setting<T> {
    private static final Pattern NUMBER = Pattern.compile("\\d{1,9}(\\.\\d{1,9})?([eE][+-]?\\d{1,2})?");
    private static final Pattern DURATION = Pattern.compile("(\\d{1,9})(ms|s|m|h|d)");

    private static final Map<String, Boolean> FLAGS = Map.of("true", true, "false", false);
    private static final int MAX_NAMES = 64;

    private final String name;
    private final T standard;
    private final String allowed;
    private final String why;
    private final Function<String, @Nullable T> parser;
    private final Function<T, String> printer;

    private Setting(
            String name,
            T standard,
            String allowed,
            String why,
            Function<String, @Nullable T> parser,
            Function<T, String> printer) {
        this.name = name;
        this.standard = standard;
        this.allowed = allowed;
        this.why = why;
        this.parser = parser;
        this.printer = printer;
    }

    /**
     * A number.
     *
     * @param name lower snake case, without the detector
     * @param standard its default
     * @param least the least that is allowed
     * @param most the most that is allowed
     * @param unit what it counts, e.g. {@code steps}
     * @param why what it does, why the default is what it is, and its source: sentences for the file of settings
     */
    static Setting<Double> number(String name, double standard, double least, double most, String unit, String why) {
        return new Setting<>(
                name,
                standard,
                "a number, %s to %s (%s)".formatted(text(least), text(most), unit),
                why,
                text -> {
                    if (!NUMBER.matcher(text).matches()) {
                        return null;
                    }
                    double number = Double.parseDouble(text);
                    return number >= least && number <= most ? number : null;
                },
                Setting::text);
    }

    /** A whole number, in the same words. */
    static Setting<Long> whole(String name, long standard, long least, long most, String unit, String why) {
        return new Setting<>(
                name,
                standard,
                "a whole number, %d to %d (%s)".formatted(least, most, unit),
                why,
                text -> {
                    if (!text.matches("\\d{1,15}")) {
                        return null;
                    }
                    long number = Long.parseLong(text);
                    return number >= least && number <= most ? number : null;
                },
                number -> Long.toString(number));
    }

    /** A stretch of time, e.g. {@code 30s} or {@code 2h}. */
    public static Setting<Duration> duration(
            String name, Duration standard, Duration least, Duration most, String why) {
        return new Setting<>(
                name,
                standard,
                "a duration, %s to %s, e.g. 500ms, 30s, 5m, 2h, 7d".formatted(text(least), text(most)),
                why,
                text -> {
                    Duration duration = duration(text);
                    return duration != null && duration.compareTo(least) >= 0 && duration.compareTo(most) <= 0
                            ? duration
                            : null;
                },
                Setting::text);
    }

    /** Yes or no. */
    static Setting<Boolean> flag(String name, boolean standard, String why) {
        return new Setting<>(
                name, standard, "true or false", why, text -> FLAGS.get(text), flag -> Boolean.toString(flag));
    }

    /** Names with commas between them, none by default. */
    static Setting<Set<String>> names(String name, String why) {
        return new Setting<>(
                name,
                Set.of(),
                "at most " + MAX_NAMES + " names",
                why,
                text -> {
                    Set<String> names = new TreeSet<>();
                    for (String one : text.split(",", -1)) {
                        if (!one.isBlank()) {
                            names.add(one.strip());
                        }
                    }
                    return names.size() <= MAX_NAMES ? names : null;
                },
                names -> String.join(",", new TreeSet<>(names)));
    }

    /** One of the constants of an enum. */
    static <E extends Enum<E>> Setting<E> choice(String name, Class<E> type, E standard, String why) {
        return new Setting<>(
                name,
                standard,
                Arrays.stream(type.getEnumConstants())
                        .map(constant -> constant.name().toLowerCase(Locale.ROOT))
                        .collect(Collectors.joining(", ")),
                why,
                text -> Arrays.stream(type.getEnumConstants())
                        .filter(constant ->
                                constant.name().toLowerCase(Locale.ROOT).equals(text))
                        .findFirst()
                        .orElse(null),
                constant -> constant.name().toLowerCase(Locale.ROOT));
    }

    public String name() {
        return name;
    }

    /** Its default. */
    public T standard() {
        return standard;
    }

    /** Its default as text. */
    public String standardText() {
        return printer.apply(standard);
    }

    /** What a value may be, with its unit. */
    public String allowed() {
        return allowed;
    }

    /** What it does and why the default is what it is. */
    public String why() {
        return why;
    }

    /** The value of a text; empty if it is not allowed. */
    public Optional<T> parse(String text) {
        return Optional.ofNullable(parser.apply(text.strip()));
    }

    /** The one text of the value that a text has: {@code 60s} and {@code 1m} are one. Empty if it is not allowed. */
    public Optional<String> canonical(String text) {
        return parse(text).map(printer);
    }

    private static @Nullable Duration duration(String text) {
        Matcher matcher = DURATION.matcher(text);
        if (!matcher.matches()) {
            return null;
        }
        long amount = Long.parseLong(matcher.group(1));
        return switch (matcher.group(2)) {
            case "ms" -> Duration.ofMillis(amount);
            case "s" -> Duration.ofSeconds(amount);
            case "m" -> Duration.ofMinutes(amount);
            case "h" -> Duration.ofHours(amount);
            default -> Duration.ofDays(amount);
        };
    }

    private static String text(double number) {
        return number == Math.rint(number) && number < 1e6
                ? Long.toString((long) number)
                : Double.toString(number).replace(".0E", "e").replace("E", "e");
    }

    private static String text(Duration duration) {
        long ms = duration.toMillis();
        if (ms % 86_400_000 == 0 && ms > 0) {
            return ms / 86_400_000 + "d";
        } else if (ms % 3_600_000 == 0 && ms > 0) {
            return ms / 3_600_000 + "h";
        } else if (ms % 60_000 == 0 && ms > 0) {
            return ms / 60_000 + "m";
        }
        return ms % 1000 == 0 ? ms / 1000 + "s" : ms + "ms";
    }
}
