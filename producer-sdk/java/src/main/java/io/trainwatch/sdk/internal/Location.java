package io.trainwatch.sdk.internal;

import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.net.URISyntaxException;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Properties;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Where events go, as users write it: {@code kafka:HOST:PORT[,HOST:PORT...][?topic=NAME][&config=FILE]}, {@code
 * http[s]://HOST[:PORT][?token_file=FILE]}, {@code console:}, {@code file:PATH}, {@code memory:NAME} or {@code noop:}.
 */
public sealed interface Location {
    /** What may stand in a location, for messages. */
    String ALLOWED = "kafka:HOST:PORT[,HOST:PORT...][?topic=NAME&config=FILE], http[s]://HOST[:PORT][?token_file=FILE],"
            + " console:, file:PATH, memory:NAME, noop:";

    /** Topic of events where the location names none. */
    String DEFAULT_TOPIC = "trainwatch.events";

    /** Nowhere. */
    record Noop() implements Location {}

    /** Standard output, JSON Lines. */
    record Console() implements Location {}

    /** Appended to a file, JSON Lines. */
    record File(Path path) implements Location {}

    /** Kept in this JVM under a name, for tests. */
    record Memory(String name) implements Location {}

    /**
     * A Kafka cluster.
     *
     * @param bootstrapServers brokers to ask first
     * @param topic topic of the events
     * @param client further settings of the Kafka client, e.g. security
     */
    record Kafka(String bootstrapServers, String topic, Map<String, String> client) implements Location {}

    /**
     * A monitor.
     *
     * @param events where it takes events
     * @param tokenFile file with what it wants to see as {@code Authorization: Bearer ...}, read for each request; null for
     *     none
     */
    record Http(URI events, @Nullable Path tokenFile) implements Location {}

    /**
     * Reads a location.
     *
     * @throws IllegalArgumentException if it is none: the message lists what is allowed
     */
    static Location parse(String text) {
        int colon = text.indexOf(':');
        String scheme = colon < 0 ? text : text.substring(0, colon);
        String rest = colon < 0 ? "" : text.substring(colon + 1);
        return switch (scheme) {
            case "noop" -> new Noop();
            case "console" -> new Console();
            case "file" -> new File(path(text, rest));
            case "memory" -> new Memory(required(text, rest, "a name"));
            case "kafka" -> kafka(text, rest);
            case "http", "https" -> http(text);
            default -> throw illegal(text, "scheme \"" + scheme + "\" is unknown");
        };
    }

    /** Whether what is sent there can wait on disk while nobody listens. */
    default boolean isSpooled() {
        return this instanceof Kafka || this instanceof Http;
    }

    private static Location kafka(String text, String rest) {
        String[] parts = rest.split("\\?", 2);
        String servers = required(text, parts[0], "HOST:PORT");
        Pattern server = Pattern.compile("(\\[[0-9a-fA-F:.]+]|[A-Za-z0-9._-]+):(\\d{1,5})");
        for (String one : servers.split(",", -1)) {
            var match = server.matcher(one);
            if (!match.matches() || Integer.parseInt(match.group(2)) < 1 || Integer.parseInt(match.group(2)) > 65_535) {
                throw illegal(text, "\"" + one + "\" is not HOST:PORT with a port of 1 to 65535");
            }
        }
        Map<String, String> parameters = parameters(text, parts.length == 2 ? parts[1] : "");
        String topic = parameters.getOrDefault("topic", DEFAULT_TOPIC);
        parameters.remove("topic");
        if (!topic.matches("[A-Za-z0-9._-]{1,249}") || topic.equals(".") || topic.equals("..")) {
            throw illegal(text, "topic \"" + topic + "\" is not 1 to 249 characters of A-Z a-z 0-9 . _ -");
        }
        String config = parameters.remove("config");
        if (!parameters.isEmpty()) {
            throw illegal(text, "parameter \"" + parameters.keySet().iterator().next() + "\" is unknown");
        }
        return new Kafka(servers, topic, config == null ? Map.of() : properties(text, config));
    }

    private static Location http(String text) {
        String[] parts = text.split("\\?", 2);
        URI uri;
        try {
            uri = new URI(parts[0].endsWith("/") ? parts[0] : parts[0] + "/");
        } catch (URISyntaxException e) {
            throw illegal(text, "it is no URL: " + e.getReason());
        }
        if (uri.getHost() == null || uri.getPort() > 65_535 || uri.getPort() == 0) {
            throw illegal(text, "HOST[:PORT] is missing or has no port of 1 to 65535");
        }
        if (uri.getUserInfo() != null) {
            throw new IllegalArgumentException(
                    "a location holds no user and password: set TRAINWATCH_TOKEN or token_file=FILE");
        }
        if (uri.getFragment() != null) {
            throw illegal(text, "a fragment means nothing here");
        }
        Map<String, String> parameters = parameters(text, parts.length == 2 ? parts[1] : "");
        String tokenFile = parameters.remove("token_file");
        if (!parameters.isEmpty()) {
            throw illegal(text, "parameter \"" + parameters.keySet().iterator().next() + "\" is unknown");
        }
        return new Http(uri.resolve("api/v1/events"), tokenFile == null ? null : path(text, tokenFile));
    }

    private static Map<String, String> parameters(String text, String query) {
        Map<String, String> parameters = new LinkedHashMap<>();
        for (String pair : query.isEmpty() ? new String[0] : query.split("&", -1)) {
            String[] keyValue = pair.split("=", 2);
            String value = keyValue.length < 2 ? "" : URLDecoder.decode(keyValue[1], StandardCharsets.UTF_8);
            parameters.put(keyValue[0], required(text, value, "a value for \"" + keyValue[0] + "\""));
        }
        return parameters;
    }

    private static Map<String, String> properties(String text, String file) {
        Properties properties = new Properties();
        try (InputStream in = Files.newInputStream(path(text, file))) {
            properties.load(in);
        } catch (IOException e) {
            throw new IllegalArgumentException("location \"" + text + "\": cannot read config: " + e, e);
        }
        Map<String, String> client = new LinkedHashMap<>();
        properties.stringPropertyNames().forEach(name -> client.put(name, properties.getProperty(name)));
        return client;
    }

    private static Path path(String text, String path) {
        try {
            return Path.of(required(text, path, "a path"));
        } catch (InvalidPathException e) {
            throw illegal(text, "the path is none: " + e.getReason());
        }
    }

    private static String required(String text, String value, String what) {
        if (value.isBlank()) {
            throw illegal(text, what + " is missing");
        }
        return value;
    }

    private static IllegalArgumentException illegal(String text, String why) {
        return new IllegalArgumentException("location \"" + text + "\": " + why + "; allowed are " + ALLOWED);
    }
}
