package io.trainwatch.attach;

import io.trainwatch.attach.TextNumbers.Found;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A line of free text without its numbers. A log says the same words again and again: what the numbers of one line are said to
 * be, those of the next line in these words are, too, and need not be looked for.
 *
 * <p>The words of a line must be equal. Where digits stand that are no numbers, as in a date, other digits may stand.
 */
final class Wording {
    /** Longest line whose wording is kept, in characters. */
    static final int MAX_CHARACTERS = 1_024;

    private final String line;
    private final int[] starts;
    private final int[] ends;
    private final int[] indices;
    private final boolean[] skipped;
    private final List<Found> found;
    private final String loose;

    /**
     * @param places start, end and index in {@code found} of each number that is made of digits; all of them are
     * @param skipped start and end of what is no number
     * @param keys start and end of the words before each number
     */
    Wording(String line, List<int[]> places, List<int[]> skipped, List<int[]> keys, List<Found> found, String loose) {
        this.line = line;
        this.found = List.copyOf(found);
        this.loose = loose;
        starts = places.stream().mapToInt(place -> place[0]).toArray();
        ends = places.stream().mapToInt(place -> place[1]).toArray();
        indices = places.stream().mapToInt(place -> place[2]).toArray();
        this.skipped = new boolean[line.length()];
        skipped.forEach(part -> Arrays.fill(this.skipped, part[0], part[1], true));
        keys.forEach(part -> Arrays.fill(this.skipped, part[0], part[1], false));
    }

    /** What stands between the numbers and their words, as {@link TextNumbers#loose()}. */
    String loose() {
        return loose;
    }

    /** The numbers of another line, as {@link TextNumbers} would find them; null if its words are others. */
    @Nullable
    List<Found> in(String other) {
        List<Found> numbers = new ArrayList<>(found.size());
        int here = 0;
        int there = 0;
        for (int i = 0; i < starts.length; i++) {
            if (!isSame(here, starts[i], other, there)) {
                return null;
            }
            there += starts[i] - here;
            here = ends[i];
            int end = TextNumbers.plainEnd(other, there);
            if (end < 0) {
                return null;
            }
            if (indices[i] >= 0) {
                double plain = Numbers.plain(other, there, end);
                Double value = Double.isNaN(plain) ? Numbers.parse(other.substring(there, end)) : (Double) plain;
                if (value == null || !Double.isFinite(value)) {
                    return null;
                }
                numbers.add(found.get(indices[i]).with(value));
            }
            there = end;
        }
        boolean ends = other.length() - there == line.length() - here;
        return ends && isSame(here, line.length(), other, there) ? numbers : null;
    }

    private boolean isSame(int start, int end, String other, int otherStart) {
        if (otherStart + end - start > other.length()) {
            return false;
        }
        for (int at = start; at < end; at++) {
            char mine = line.charAt(at);
            char others = other.charAt(otherStart + at - start);
            if (mine != others && !(skipped[at] && isDigit(mine) && isDigit(others))) {
                return false;
            }
        }
        return true;
    }

    private static boolean isDigit(char c) {
        return c >= '0' && c <= '9';
    }
}
