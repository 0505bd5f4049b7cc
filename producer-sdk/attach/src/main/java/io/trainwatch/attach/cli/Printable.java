package io.trainwatch.attach.cli;

/** Text from outside that goes to a terminal. */
public final class Printable {
    private Printable() {}

    /** The text with every control character replaced, so that no log can move the cursor or hide a line. */
    public static String of(String text) {
        StringBuilder printable = new StringBuilder(text.length());
        text.codePoints()
                .forEach(c -> printable.appendCodePoint(
                        Character.isISOControl(c) || Character.getType(c) == Character.FORMAT ? '\uFFFD' : c));
        return printable.toString();
    }
}
