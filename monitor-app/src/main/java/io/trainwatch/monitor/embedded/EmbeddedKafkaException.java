package io.trainwatch.monitor.embedded;

/** The embedded broker could not start: the message names the data directory, what is wrong and the remedy. */
public final class EmbeddedKafkaException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    public EmbeddedKafkaException(String message) {
        super(message);
    }

    public EmbeddedKafkaException(String message, Throwable cause) {
        super(message, cause);
    }
}
