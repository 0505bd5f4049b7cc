package io.trainwatch.monitor.config;

import io.trainwatch.monitor.metrics.MetricsSettings;
import io.trainwatch.monitor.web.BearerToken;
import io.trainwatch.monitor.web.HttpSettings;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * All settings of a monitor. {@code conf/trainwatch.yaml} of the distribution lists every one with its default, its
 * reason and what is allowed; a flag wins over an environment variable ({@code TRAINWATCH_HTTP_PORT} for {@code
 * http.port}), which wins over the file.
 *
 * @param kafka the cluster and the topics
 * @param streams how the topology runs
 * @param http where HTTP is served
 * @param metrics bounds of what is exported per run
 */
public record Configuration(
        KafkaSettings kafka, StreamsSettings streams, HttpSettings http, MetricsSettings metrics) {

    private static final String TOKEN_VARIABLE = "TRAINWATCH_HTTP_TOKEN";

    /**
     * Reads the settings.
     *
     * @param file the YAML file, null for none
     * @param environment environment variables of the process
     * @param flags text by key, for what the command line gave; the origin in messages is the flag
     * @throws ConfigurationException if a key is unknown or a value cannot be used
     */
    public static Configuration read(@Nullable Path file, Map<String, String> environment, Map<String, Flag> flags)
            throws ConfigurationException {
        Map<String, SettingValues.Value> flagValues = new LinkedHashMap<>();
        flags.forEach((key, flag) -> flagValues.put(key, new SettingValues.Value(flag.text(), flag.name())));
        SettingValues values =
                new SettingValues(file == null ? Map.of() : YamlFile.read(file), environment, flagValues);
        Configuration configuration = new Configuration(
                kafka(values), streams(values), http(values, environment), metrics(values));
        values.check();
        return configuration;
    }

    /** The defaults. */
    public static Configuration defaults() {
        try {
            return read(null, Map.of(), Map.of());
        } catch (ConfigurationException e) {
            throw new IllegalStateException("a default is not allowed", e);
        }
    }

    /**
     * A value that the command line gave.
     *
     * @param name the flag, e.g. {@code --http-port}
     * @param text its value
     */
    public record Flag(String name, String text) {}

    private static KafkaSettings kafka(SettingValues values) {
        KafkaSettings defaults = KafkaSettings.DEFAULT;
        String prefix = values.text("kafka.topic_prefix", "letters, digits, '.', '_', '-'", defaults.topicPrefix());
        if (!prefix.matches("[a-zA-Z0-9._-]{1,200}")) {
            values.reject("kafka.topic_prefix", "'" + prefix + "' is not allowed here: 1 to 200 letters, digits, '.', '_', '-'");
        }
        return new KafkaSettings(
                values.text("kafka.bootstrap_servers", "host:port, several with commas", defaults.bootstrapServers()),
                prefix,
                values.integer("kafka.partitions", 1, 10_000, defaults.partitions()),
                values.integer("kafka.replication_factor", 1, 10, defaults.replicationFactor()),
                values.map("kafka.properties", "settings of the Kafka clients"));
    }

    private static StreamsSettings streams(SettingValues values) {
        StreamsSettings defaults = StreamsSettings.DEFAULT;
        String applicationId = values.text(
                "streams.application_id", "letters, digits, '.', '_', '-'", defaults.applicationId());
        if (!applicationId.matches("[a-zA-Z0-9._-]{1,200}")) {
            values.reject(
                    "streams.application_id",
                    "'" + applicationId + "' is not allowed here: 1 to 200 letters, digits, '.', '_', '-'");
        }
        Path stateDir = values.path("streams.state_dir", "a directory");
        return new StreamsSettings(
                applicationId,
                stateDir == null ? defaults.stateDir() : stateDir,
                values.integer("streams.threads", 1, 256, defaults.threads()),
                values.choice("streams.guarantee", StreamsSettings.Guarantee.class, defaults.guarantee()),
                values.duration(
                        "streams.commit_interval",
                        Duration.ofMillis(10),
                        Duration.ofMinutes(1),
                        defaults.commitInterval()));
    }

    private static HttpSettings http(SettingValues values, Map<String, String> environment) {
        String host = values.text("http.host", "an address or name of this machine", HttpSettings.DEFAULT_HOST);
        int port = values.integer("http.port", 0, 65_535, HttpSettings.DEFAULT_PORT);
        BearerToken token = null;
        Path tokenFile = values.path("http.token_file", "a file with the token");
        String secret = environment.get(TOKEN_VARIABLE);
        try {
            if (secret != null) {
                token = new BearerToken(secret.strip());
            } else if (tokenFile != null) {
                token = new BearerToken(Files.readString(tokenFile).strip());
            }
        } catch (IOException e) {
            values.reject("http.token_file", "cannot read " + tokenFile + ": " + reason(e));
            return HttpSettings.DEFAULT;
        } catch (IllegalArgumentException e) {
            values.reject("http.token_file", (secret != null ? TOKEN_VARIABLE + ": " : "") + e.getMessage());
            return HttpSettings.DEFAULT;
        }
        try {
            return new HttpSettings(host, port, token);
        } catch (IllegalArgumentException e) {
            values.reject("http.host", String.valueOf(e.getMessage()));
            return HttpSettings.DEFAULT;
        }
    }

    private static MetricsSettings metrics(SettingValues values) {
        MetricsSettings defaults = MetricsSettings.DEFAULT;
        return new MetricsSettings(
                values.integer("metrics.max_runs", 1, MetricsSettings.MAX_RUNS_LIMIT, defaults.maxRuns()),
                values.duration(
                        "metrics.ended_run_ttl",
                        Duration.ZERO,
                        MetricsSettings.MAX_ENDED_RUN_TTL,
                        defaults.endedRunTtl()));
    }

    private static String reason(IOException e) {
        return e instanceof java.nio.file.NoSuchFileException
                ? "there is no such file"
                : e instanceof java.nio.file.AccessDeniedException ? "no permission" : String.valueOf(e.getMessage());
    }
}
