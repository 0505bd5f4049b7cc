package io.trainwatch.monitor.diagnose;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * What speaks for one cause, as data: {@link CauseCatalogue} has them all.
 *
 * @param id stable, lower snake case
 * @param title one line
 * @param explains detectors whose episodes it may explain, each with the score that it has there before any fact is known
 * @param clues facts with what each adds to the score at full strength; what speaks against it is negative
 * @param fixes what to do, first things first; words in braces are filled in from the run, and a line whose word is not
 *     known is left out
 * @param check the measurement that would tell it from others
 */
record CauseRule(
        String id,
        String title,
        Map<String, Double> explains,
        Map<String, Double> clues,
        List<String> fixes,
        String check) {

    static Draft cause(String id, String title) {
        return new Draft(id, title);
    }

    /** A rule that is being written. */
    static final class Draft {
        private final String id;
        private final String title;
        private final Map<String, Double> explains = new LinkedHashMap<>();
        private final Map<String, Double> clues = new LinkedHashMap<>();
        private final List<String> fixes = new ArrayList<>();

        private Draft(String id, String title) {
            this.id = id;
            this.title = title;
        }

        /** It may explain episodes of these detectors, with this score before any fact is known. */
        Draft explains(double prior, String... detectors) {
            for (String detector : detectors) {
                explains.put(detector, prior);
            }
            return this;
        }

        Draft clue(String fact, double weight) {
            clues.put(fact, weight);
            return this;
        }

        Draft fix(String line) {
            fixes.add(line);
            return this;
        }

        CauseRule check(String measurement) {
            return new CauseRule(id, title, Map.copyOf(explains), Map.copyOf(clues), List.copyOf(fixes), measurement);
        }
    }
}
