package io.trainwatch.monitor.config;

import io.trainwatch.monitor.intake.IntakeSettings;
import io.trainwatch.monitor.judge.DetectionSettings;
import io.trainwatch.monitor.metrics.MetricsSettings;
import io.trainwatch.monitor.notify.NotifySettings;
import io.trainwatch.monitor.topology.MonitorSettings;
import io.trainwatch.monitor.web.BearerToken;
import io.trainwatch.monitor.web.HttpSettings;
import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * All settings of a monitor. {@code conf/trainwatch.yaml} of the distribution lists every one with its default, its
 * reason and what is allowed; a flag wins over an environment variable ({@code TRAINWATCH_HTTP_PORT} for {@code
 * http.port}), which wins over the file.
 *
 * @param monitor brokers, topics and how runs are judged
 * @param http where HTTP is served
 * @param metrics bounds of what is exported per run
 * @param intake what is taken over HTTP
 * @param detection what is set of the detectors
 * @param notifySettings who is told of alerts, and what trainers are told to do
 */
public record Configuration(
        MonitorSettings monitor,
        HttpSettings http,
        MetricsSettings metrics,
        IntakeSettings intake,
        DetectionSettings detection,
        NotifySettings notifySettings) {

    private static final Pattern BROKERS = Pattern.compile("[^\\s,:]+:\\d{1,5}(,[^\\s,:]+:\\d{1,5})*|.*\\[.*].*");
    private static final Pattern ADDRESS = Pattern.compile("auto|none|(\\[[0-9a-fA-F:.]+]|[A-Za-z0-9._-]+):\\d{1,5}");
    private static final String HOSTS = "an address or name of this machine";
    private static final Pattern PREFIX = Pattern.compile("[A-Za-z0-9._-]{1,100}");
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
        MonitorSettings monitor = monitor(values);
        HttpSettings http = http(values, environment);
        Configuration configuration = new Configuration(
                monitor.withAddress(address(values, http)),
                http,
                metrics(values),
                IntakeSection.read(values),
                DetectionSection.read(values),
                NotifySection.read(values, environment));
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

    /** Every key that the file may have. */
    static Set<String> keys() {
        SettingValues values = new SettingValues(Map.of(), Map.of(), Map.of());
        var unusedMonitor = monitor(values);
        var unusedAddress = address(values, http(values, Map.of()));
        metrics(values);
        var unusedIntake = IntakeSection.read(values);
        var unused = DetectionSection.read(values);
        var unusedToo = NotifySection.read(values, Map.of());
        return values.allowedByKey().keySet();
    }

    /**
     * A value that the command line gave.
     *
     * @param name the flag, e.g. {@code --http-port}
     * @param text its value
     */
    public record Flag(String name, String text) {}

    private static MonitorSettings monitor(SettingValues values) {
        Path home = Path.of(System.getProperty("user.home"));
        MonitorSettings defaults = MonitorSettings.forBroker(
                "127.0.0.1:9092", home.resolve(".local").resolve("state").resolve("trainwatch"));
        Path stateDir = values.path("monitor.state_dir", "a directory");
        Duration retention = values.duration(
                "monitor.run_retention", Duration.ofSeconds(1), Duration.ofDays(3650), defaults.runRetention());
        return new MonitorSettings(
                values.matching(
                        "kafka.bootstrap_servers",
                        BROKERS,
                        "host:port, several with commas",
                        defaults.bootstrapServers()),
                values.matching(
                        "kafka.topic_prefix",
                        PREFIX,
                        "1 to 100 letters, digits, '.', '_', '-'",
                        defaults.topicPrefix()),
                values.integer("kafka.partitions", 1, 1_000, defaults.partitions()),
                values.integer("kafka.replication", 1, 10, defaults.replication()),
                stateDir == null ? defaults.stateDir() : stateDir,
                values.integerOrAuto("monitor.threads", 1, 64, defaults.threads()),
                values.choice("monitor.guarantee", MonitorSettings.Guarantee.class, defaults.guarantee()),
                values.duration(
                        "monitor.commit_interval",
                        Duration.ofMillis(10),
                        Duration.ofMinutes(1),
                        defaults.commitInterval()),
                values.integerOrAuto("monitor.max_live_runs", 1, Integer.MAX_VALUE, defaults.maxLiveRuns()),
                retention,
                values.duration("monitor.ended_ttl", Duration.ZERO, retention, least(defaults.endedTtl(), retention)),
                values.duration("monitor.idle_ttl", Duration.ZERO, retention, least(defaults.idleTtl(), retention)),
                values.duration("monitor.tick_grace", Duration.ZERO, Duration.ofDays(1), defaults.tickGrace()),
                null,
                values.map("kafka.properties", "settings of the Kafka clients"));
    }

    /** Where other instances reach the HTTP of this one: what the file says, else where it listens if that names one host. */
    private static @Nullable String address(SettingValues values, HttpSettings http) {
        String host = http.host();
        String address = values.matching("http.advertised", ADDRESS, "host:port, auto or none", "auto");
        if (!address.equals("auto")) {
            return address.equals("none") ? null : address;
        }
        boolean oneHost = http.port() != 0 && !host.equals("0.0.0.0") && !host.equals("::");
        return oneHost ? (host.contains(":") ? "[" + host + "]" : host) + ":" + http.port() : null;
    }

    private static Duration least(Duration one, Duration other) {
        return one.compareTo(other) <= 0 ? one : other;
    }

    private static HttpSettings http(SettingValues values, Map<String, String> environment) {
        String host = values.text("http.host", HOSTS, HttpSettings.DEFAULT_HOST);
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
                values.integer(
                        "metrics.max_metrics_per_run",
                        0,
                        MetricsSettings.MAX_METRICS_PER_RUN_LIMIT,
                        defaults.maxMetricsPerRun()),
                values.duration(
                        "metrics.ended_run_ttl",
                        Duration.ZERO,
                        MetricsSettings.MAX_ENDED_RUN_TTL,
                        defaults.endedRunTtl()));
    }

    static String reason(IOException e) {
        return e instanceof NoSuchFileException
                ? "there is no such file"
                : e instanceof AccessDeniedException ? "no permission" : String.valueOf(e.getMessage());
    }
}
