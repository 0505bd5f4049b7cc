package io.trainwatch.monitor.cli;

/** A command that cannot do its work, for a reason that the message tells the user whole, remedy included. */
final class CommandFailedException extends Exception {
    private static final long serialVersionUID = 1L;

    CommandFailedException(String message) {
        super(message);
    }

    CommandFailedException(String message, Throwable cause) {
        super(message, cause);
    }
}
