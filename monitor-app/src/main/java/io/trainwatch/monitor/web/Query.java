package io.trainwatch.monitor.web;

import io.javalin.http.Context;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/** The query of a request; a parameter that nobody reads is an error, so that a misspelt filter does not pass as one. */
final class Query {
    /** The one parameter that may be given several times: names may hold any character that could part them. */
    static final String REPEATED = "name";

    private static final int MAX_SHOWN_CHARACTERS = 100;

    private final Map<String, List<String>> given;

    private Query(Map<String, List<String>> given) {
        this.given = given;
    }

    static Query of(Context context, String... allowed) throws Problem {
        Map<String, List<String>> given = context.queryParamMap();
        Set<String> known = new TreeSet<>(List.of(allowed));
        for (Map.Entry<String, List<String>> parameter : given.entrySet()) {
            if (!known.contains(parameter.getKey())) {
                throw Problem.badRequest("unknown parameter '" + shown(parameter.getKey()) + "'; "
                        + (known.isEmpty() ? "none is allowed here" : "allowed: " + String.join(", ", known)));
            }
            if (parameter.getValue().size() > 1 && !parameter.getKey().equals(REPEATED)) {
                throw Problem.badRequest("parameter '" + parameter.getKey() + "' is given more than once");
            }
        }
        return new Query(given);
    }

    @Nullable
    String text(String name) {
        List<String> values = given.get(name);
        return values == null || values.isEmpty() || values.get(0).isEmpty() ? null : values.get(0);
    }

    /** The values of {@value #REPEATED}, in the order given. */
    List<String> repeated() {
        return given.getOrDefault(REPEATED, List.of());
    }

    int integer(String name, int min, int max, int otherwise) throws Problem {
        String text = text(name);
        if (text == null) {
            return otherwise;
        }
        try {
            int number = Integer.parseInt(text);
            if (number >= min && number <= max) {
                return number;
            }
        } catch (NumberFormatException notANumber) {
            // Told below, with what is allowed.
        }
        throw Problem.badRequest(name + " is '" + shown(text) + "', allowed is a whole number, " + min + " to " + max);
    }

    /** Comma-separated names; empty if not given. */
    Set<String> names(String name, Set<String> allowed) throws Problem {
        String text = text(name);
        if (text == null) {
            return Set.of();
        }
        Set<String> names = new TreeSet<>(List.of(text.split(",", -1)));
        for (String one : names) {
            if (!allowed.contains(one)) {
                throw Problem.badRequest(name + " is '" + shown(one) + "', allowed are "
                        + String.join(", ", new TreeSet<>(allowed)) + ", several with commas");
            }
        }
        return names;
    }

    static String shown(String text) {
        return text.length() <= MAX_SHOWN_CHARACTERS ? text : text.substring(0, MAX_SHOWN_CHARACTERS) + "…";
    }
}
