package io.trainwatch.monitor.config;

import io.trainwatch.monitor.detect.Setting;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Function;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * Settings as text, each with the place that it came from. Reading a key declares it: {@link #check} then knows which of
 * the given keys nobody reads. A value that cannot be used is remembered and the default stands in for it, so that one
 * start reports every problem.
 *
 * <p>A flag wins over an environment variable, which wins over the file. The variable of {@code http.port} is
 * {@code TRAINWATCH_HTTP_PORT}.
 */
final class SettingValues {
    /** One value: its text and where it stands, e.g. {@code trainwatch.yaml:12}. */
    record Value(String text, String origin) {}

    private final Map<String, Value> file;
    private final Map<String, Value> environment;
    private final Map<String, Value> flags;
    private final Map<String, String> allowedByKey = new TreeMap<>();
    private final List<String> maps = new ArrayList<>();
    private final List<String> problems = new ArrayList<>();

    SettingValues(Map<String, Value> file, Map<String, String> environment, Map<String, Value> flags) {
        this.file = file;
        this.flags = flags;
        this.environment = new LinkedHashMap<>();
        environment.forEach((name, text) -> this.environment.put(name, new Value(text, "environment " + name)));
    }

    static String environmentName(String key) {
        return "TRAINWATCH_" + key.toUpperCase(Locale.ROOT).replace('.', '_');
    }

    @Nullable
    Value find(String key, String allowed) {
        allowedByKey.put(key, allowed);
        Value value = flags.get(key);
        if (value == null) {
            value = environment.get(environmentName(key));
        }
        return value != null ? value : file.get(key);
    }

    String text(String key, String allowed, String otherwise) {
        return matching(key, Pattern.compile("(?s).*\\S.*"), allowed, otherwise);
    }

    String matching(String key, Pattern pattern, String allowed, String otherwise) {
        Value value = find(key, allowed);
        if (value == null) {
            return otherwise;
        }
        if (!pattern.matcher(value.text().strip()).matches()) {
            reject(key, value, allowed);
            return otherwise;
        }
        return value.text().strip();
    }

    @Nullable
    Path path(String key, String allowed) {
        Value value = find(key, allowed);
        if (value == null) {
            return null;
        }
        try {
            if (value.text().startsWith("~/")) {
                return Path.of(System.getProperty("user.home"))
                        .resolve(value.text().substring(2));
            }
            if (!value.text().isBlank()) {
                return Path.of(value.text());
            }
        } catch (InvalidPathException notAPath) {
            // Told below, with what is allowed.
        }
        reject(key, value, allowed);
        return null;
    }

    int integer(String key, int min, int max, int otherwise) {
        return integer(key, min, max, "a whole number, " + min + " to " + max, otherwise);
    }

    /** A whole number, or {@code auto} for what suits the machine. */
    int integerOrAuto(String key, int min, int max, int auto) {
        String allowed = "auto, or a whole number, " + min + " to " + max;
        Value value = find(key, allowed);
        return value != null && value.text().strip().equals("auto") ? auto : integer(key, min, max, allowed, auto);
    }

    private int integer(String key, int min, int max, String allowed, int otherwise) {
        Value value = find(key, allowed);
        if (value == null) {
            return otherwise;
        }
        try {
            int number = Integer.parseInt(value.text().strip());
            if (number >= min && number <= max) {
                return number;
            }
        } catch (NumberFormatException notANumber) {
            // Told below, with what is allowed.
        }
        reject(key, value, allowed);
        return otherwise;
    }

    Duration duration(String key, Duration min, Duration max, Duration otherwise) {
        Setting<Duration> setting = Setting.duration(key, otherwise, min, max, "");
        Value value = find(key, setting.allowed());
        if (value == null) {
            return otherwise;
        }
        Optional<Duration> duration = setting.parse(value.text());
        if (duration.isEmpty()) {
            reject(key, value, setting.allowed());
        }
        return duration.orElse(otherwise);
    }

    <E extends Enum<E>> E choice(String key, Class<E> type, E otherwise) {
        String allowed = Arrays.stream(type.getEnumConstants())
                .map(constant -> constant.name().toLowerCase(Locale.ROOT))
                .collect(Collectors.joining(", "));
        Value value = find(key, allowed);
        if (value == null) {
            return otherwise;
        }
        for (E constant : type.getEnumConstants()) {
            if (constant.name().toLowerCase(Locale.ROOT).equals(value.text().strip())) {
                return constant;
            }
        }
        reject(key, value, allowed);
        return otherwise;
    }

    /** The text of a value, if it is one that {@code usable} has something for; null if there is none. */
    @Nullable
    String text(String key, String allowed, Function<String, Optional<String>> usable) {
        Value value = find(key, allowed);
        if (value == null) {
            return null;
        }
        Optional<String> text = usable.apply(value.text());
        if (text.isEmpty()) {
            reject(key, value, allowed);
        }
        return text.orElse(null);
    }

    /** How many sections the list of this name has. */
    int sections(String key) {
        Pattern section = Pattern.compile(Pattern.quote(key) + "\\[(\\d{1,6})]\\..*");
        int sections = 0;
        for (String name : file.keySet()) {
            Matcher matcher = section.matcher(name);
            if (matcher.matches()) {
                sections = Math.max(sections, Integer.parseInt(matcher.group(1)) + 1);
            }
        }
        return sections;
    }

    /** Whether the file has nothing under a key. */
    boolean isEmpty(String key) {
        return file.keySet().stream().noneMatch(name -> name.startsWith(key + "."));
    }

    /** Every value under a key, by the rest of its name; the names are not ours to check. Only the file has such. */
    Map<String, String> map(String key, String allowed) {
        allowedByKey.put(key, allowed);
        maps.add(key + ".");
        Map<String, String> found = new TreeMap<>();
        file.forEach((name, value) -> {
            if (name.startsWith(key + ".")) {
                found.put(name.substring(key.length() + 1), value.text());
            }
        });
        return found;
    }

    /** Remembers a problem with a section of the file: what the first of its values stands for. */
    void rejectSection(String key, String why) {
        String origin = file.entrySet().stream()
                .filter(entry -> entry.getKey().startsWith(key + "."))
                .findFirst()
                .map(entry -> entry.getValue().origin() + ": ")
                .orElse("");
        problems.add(origin + key + ": " + why);
    }

    /** Remembers a problem with the value of a key that was read. */
    void reject(String key, String why) {
        Value value = find(key, allowedByKey.getOrDefault(key, ""));
        problems.add((value == null ? "" : value.origin() + ": ") + key + ": " + why);
    }

    private void reject(String key, Value value, String allowed) {
        problems.add("%s: %s: '%s' is not allowed here: %s".formatted(value.origin(), key, value.text(), allowed));
    }

    /** Ends the reading. @throws ConfigurationException if a value could not be used or nobody reads a key of the file */
    void check() throws ConfigurationException {
        file.forEach((key, value) -> {
            if (!allowedByKey.containsKey(key) && maps.stream().noneMatch(key::startsWith)) {
                problems.add(value.origin() + ": " + key + ": " + unknown(key));
            }
        });
        if (!problems.isEmpty()) {
            throw new ConfigurationException(problems);
        }
    }

    /** Keys that were read, each with what is allowed there. */
    Map<String, String> allowedByKey() {
        return allowedByKey;
    }

    private String unknown(String key) {
        String section = allowedByKey.keySet().stream().anyMatch(known -> known.startsWith(key + "."))
                ? key + "."
                : key.substring(0, key.lastIndexOf('.') + 1);
        TreeSet<String> allowed = new TreeSet<>();
        for (String known : allowedByKey.keySet()) {
            if (known.startsWith(section)) {
                allowed.add(known.substring(section.length()).replaceAll("\\..*", ""));
            }
        }
        String where = section.isEmpty() ? "at the top" : "under " + section.substring(0, section.length() - 1);
        if (allowed.isEmpty()) {
            return unknown(key.substring(0, key.lastIndexOf('.')));
        }
        if (section.startsWith(key)) {
            return "a section, not a value; allowed in it: " + String.join(", ", allowed);
        }
        return "unknown key; allowed " + where + ": " + String.join(", ", allowed);
    }
}
