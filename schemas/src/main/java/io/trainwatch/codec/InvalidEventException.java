package io.trainwatch.codec;

/**
 * JSON that is not a training event. The message is one line that names the field, what it holds (shortened) and what is
 * allowed; who knows file and line puts them in front.
 */
public final class InvalidEventException extends Exception {
    private static final long serialVersionUID = 1L;

    public InvalidEventException(String message) {
        super(message);
    }
}
