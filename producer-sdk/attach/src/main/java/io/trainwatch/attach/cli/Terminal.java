package io.trainwatch.attach.cli;

import java.io.PrintWriter;

/** What goes to a terminal. */
final class Terminal {
    private Terminal() {}

    /** Prints one line, with every control character replaced: no log can move the cursor or hide a line. */
    static void line(PrintWriter out, String message) {
        StringBuilder printable = new StringBuilder(message.length());
        message.codePoints()
                .forEach(c -> printable.appendCodePoint(
                        Character.isISOControl(c) || Character.getType(c) == Character.FORMAT ? '\uFFFD' : c));
        synchronized (out) {
            out.println("trainwatch: " + printable);
            out.flush();
        }
    }
}
