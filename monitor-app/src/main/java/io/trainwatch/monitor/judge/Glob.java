package io.trainwatch.monitor.judge;

/**
 * A pattern for names: {@code *} stands for any text, {@code ?} for one character, everything else for itself. Names come
 * from trainers, so matching takes time in proportion to the two lengths at worst; a regular expression would not.
 *
 * @param pattern the text of it
 */
public record Glob(String pattern) {

    public boolean matches(String name) {
        int at = 0;
        int star = -1;
        int retry = 0;
        int i = 0;
        while (i < name.length()) {
            if (at < pattern.length() && pattern.charAt(at) == '*') {
                star = at++;
                retry = i;
            } else if (at < pattern.length() && (pattern.charAt(at) == '?' || pattern.charAt(at) == name.charAt(i))) {
                at++;
                i++;
            } else if (star >= 0) {
                // What the last star stands for takes in one character more.
                at = star + 1;
                i = ++retry;
            } else {
                return false;
            }
        }
        while (at < pattern.length() && pattern.charAt(at) == '*') {
            at++;
        }
        return at == pattern.length();
    }
}
