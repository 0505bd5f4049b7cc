package io.trainwatch.attach.cli;

import java.io.PrintWriter;

/** What goes to a terminal. */
final class Terminal {
    private Terminal() {}

    /** Prints one line, {@link Printable}. */
    static void line(PrintWriter out, String message) {
        synchronized (out) {
            out.println("trainwatch: " + Printable.of(message));
            out.flush();
        }
    }
}
