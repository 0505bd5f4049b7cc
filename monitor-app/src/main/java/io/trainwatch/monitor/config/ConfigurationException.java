package io.trainwatch.monitor.config;

import java.util.List;

/** Settings that cannot be used; the message has a line per problem, each naming where, which, and what is allowed. */
public final class ConfigurationException extends Exception {
    private static final long serialVersionUID = 1L;

    ConfigurationException(List<String> problems) {
        super(String.join("\n", problems));
    }
}
