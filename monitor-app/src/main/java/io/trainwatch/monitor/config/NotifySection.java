package io.trainwatch.monitor.config;

import io.trainwatch.alert.Severity;
import io.trainwatch.monitor.detect.DetectorCatalogue;
import io.trainwatch.monitor.judge.Glob;
import io.trainwatch.monitor.notify.CommandSettings;
import io.trainwatch.monitor.notify.CommandSettings.Policy;
import io.trainwatch.monitor.notify.EmailServer;
import io.trainwatch.monitor.notify.Grouping;
import io.trainwatch.monitor.notify.Heartbeat;
import io.trainwatch.monitor.notify.Links;
import io.trainwatch.monitor.notify.NotifySettings;
import io.trainwatch.monitor.notify.QuietHours;
import io.trainwatch.monitor.notify.RateLimit;
import io.trainwatch.monitor.notify.Route;
import io.trainwatch.monitor.notify.Routes;
import io.trainwatch.monitor.notify.Secret;
import io.trainwatch.monitor.notify.SinkSettings;
import io.trainwatch.monitor.notify.SinkSettings.Receiver;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.DateTimeException;
import java.time.Duration;
import java.time.LocalTime;
import java.time.ZoneId;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * The parts {@code notify} and {@code commands} of the settings.
 *
 * <pre>
 * notify:
 *   sinks:
 *     - {name: oncall, type: pagerduty, routing_key_env: PAGERDUTY_ROUTING_KEY}
 *     - {name: team, type: slack, url_file: /run/secrets/slack}
 *   routes:
 *     - {match: {severity: critical}, sinks: [oncall, team]}
 *     - {sinks: [team]}
 * commands:
 *   on: {non_finite_loss: checkpoint_then_stop}
 * </pre>
 */
final class NotifySection {
    private static final String SINKS = "notify.sinks";
    private static final String ROUTES = "notify.routes";
    private static final String TYPES = "alertmanager, pagerduty, slack, webhook, email, log";
    private static final Pattern NAME = Pattern.compile("[a-z0-9_-]{1,40}");
    private static final String URL = "an http or https address";
    private static final String TIME = "a time of day, e.g. 22:00";
    private static final int MAX_SINKS = 20;
    private static final int MAX_ROUTES = 100;
    private static final int MIN_SECRET = 16;

    private final SettingValues values;
    private final Map<String, String> environment;

    private NotifySection(SettingValues values, Map<String, String> environment) {
        this.values = values;
        this.environment = environment;
    }

    /**
     * Reads both parts.
     *
     * @param environment where secrets may be
     */
    static NotifySettings read(SettingValues values, Map<String, String> environment) {
        return new NotifySection(values, environment).read();
    }

    private NotifySettings read() {
        List<SinkSettings> sinks = sinks();
        Set<String> names = sinks.stream().map(SinkSettings::name).collect(Collectors.toCollection(TreeSet::new));
        Grouping grouping = Grouping.DEFAULT;
        RateLimit rate = RateLimit.DEFAULT;
        Links links = new Links(
                url("notify.base_url"),
                url("notify.runbook_url"),
                values.text(
                        "notify.dashboard_url",
                        URL + ", with {run_id}, {from_ms} and {to_ms} where they belong",
                        text -> isUrl(text.replaceAll("\\{(run_id|from_ms|to_ms)}", "1"))
                                ? Optional.of(text)
                                : Optional.empty()));
        return new NotifySettings(
                sinks,
                new Routes(routes(names)),
                new Grouping(
                        values.duration(
                                "notify.grouping.update_interval",
                                Duration.ZERO,
                                Duration.ofDays(1),
                                grouping.updateInterval()),
                        values.integer("notify.grouping.fleet_runs", 2, 1_000, grouping.fleetRuns()),
                        values.duration(
                                "notify.grouping.fleet_window",
                                Duration.ofSeconds(1),
                                Duration.ofHours(1),
                                grouping.fleetWindow())),
                new RateLimit(
                        values.integer("notify.rate.pages", 1, 10_000, rate.pages()),
                        values.duration("notify.rate.per", Duration.ofSeconds(1), Duration.ofDays(1), rate.per())),
                quietHours(),
                links,
                heartbeat(sinks),
                values.duration(
                        "notify.give_up_after",
                        Duration.ofMinutes(1),
                        Duration.ofDays(7),
                        NotifySettings.GIVE_UP_AFTER),
                commands(links));
    }

    private int sections(String list, int most, String example) {
        String text = values.text(
                list,
                "a list of sections, each like " + example,
                given -> given.isBlank() ? Optional.of(given) : Optional.empty());
        int count = text == null ? values.sections(list) : 0;
        if (count > most) {
            values.rejectSection(list + "[" + most + "]", "at most " + most);
        }
        if (!values.isEmpty(list)) {
            values.rejectSection(list, "a list of sections is expected, each like " + example);
        }
        return Math.min(count, most);
    }

    private List<SinkSettings> sinks() {
        List<SinkSettings> sinks = new ArrayList<>();
        Set<String> names = new TreeSet<>();
        int count = sections(SINKS, MAX_SINKS, "'- {name: team, type: log}'");
        for (int i = 0; i < count; i++) {
            String key = SINKS + "[" + i + "]";
            String name = values.matching(key + ".name", NAME, "1 to 40 lower-case letters, digits, '-', '_'", "");
            String type = values.text(
                    key + ".type",
                    TYPES,
                    text -> List.of(TYPES.split(", ", -1)).contains(text.strip())
                            ? Optional.of(text.strip())
                            : Optional.empty());
            if (name.isEmpty()) {
                values.rejectSection(key, "needs a name");
            } else if (!names.add(name)) {
                values.reject(key + ".name", "'" + name + "' is the name of two sinks");
            }
            Receiver receiver = type == null ? null : receiver(key, type);
            if (type == null && values.find(key + ".type", TYPES) == null) {
                values.rejectSection(key, "needs a type: " + TYPES);
            }
            if (receiver != null && !name.isEmpty()) {
                sinks.add(new SinkSettings(name, receiver));
            }
        }
        return sinks;
    }

    private @Nullable Receiver receiver(String key, String type) {
        return switch (type) {
            case "alertmanager" -> {
                URI url = url(key + ".url");
                Secret token = secret(key, "token", 1);
                yield url == null
                        ? missing(key, "url, e.g. http://alertmanager:9093")
                        : new SinkSettings.Alertmanager(url, token);
            }
            case "pagerduty" -> {
                URI url = url(key + ".url");
                Secret routingKey = secret(key, "routing_key", 1);
                yield routingKey == null
                        ? missing(key, "routing_key_file or routing_key_env")
                        : new SinkSettings.PagerDuty(url, routingKey);
            }
            case "slack" -> {
                URI url = secretUrl(key);
                yield url == null ? missing(key, "url_file or url_env") : new SinkSettings.Slack(url);
            }
            case "webhook" -> {
                URI url = url(key + ".url");
                URI secretUrl = secretUrl(key);
                Secret secret = secret(key, "secret", MIN_SECRET);
                URI to = url == null ? secretUrl : url;
                yield to == null ? missing(key, "url, url_file or url_env") : new SinkSettings.Webhook(to, secret);
            }
            case "email" -> email(key);
            default -> new SinkSettings.Log();
        };
    }

    private @Nullable Receiver missing(String key, String what) {
        // What was given and refused has been told already.
        List<String> given = List.of("url", "url_file", "url_env", "routing_key_file", "routing_key_env");
        if (given.stream()
                .noneMatch(name -> values.allowedByKey().containsKey(key + "." + name)
                        && values.find(key + "." + name, "") != null)) {
            values.rejectSection(key, "needs " + what);
        }
        return null;
    }

    private @Nullable Receiver email(String key) {
        String host = values.text(key + ".host", "name of an SMTP server", "");
        int port = values.integer(key + ".port", 1, 65_535, 587);
        EmailServer.Security security =
                values.choice(key + ".security", EmailServer.Security.class, EmailServer.Security.STARTTLS);
        String user = values.text(key + ".user", "a name to log in with", Optional::of);
        Secret password = secret(key, "password", 1);
        String from = values.text(key + ".from", "an address, e.g. trainwatch@example.com", "");
        String to = values.text(key + ".to", "addresses, several with commas or as a list", "");
        if (host.isEmpty() || from.isEmpty() || to.isEmpty()) {
            values.rejectSection(key, "needs host, from and to");
            return null;
        }
        if (user != null && password == null) {
            values.rejectSection(key, "has a user: needs password_file or password_env");
            return null;
        }
        try {
            return new SinkSettings.Email(
                    new EmailServer(host, port, security, user, password, from, List.of(to.split("\\s*,\\s*", -1))));
        } catch (IllegalArgumentException e) {
            values.rejectSection(key, String.valueOf(e.getMessage()));
            return null;
        }
    }

    private List<Route> routes(Set<String> sinks) {
        List<Route> routes = new ArrayList<>();
        int count = sections(ROUTES, MAX_ROUTES, "'- {match: {severity: critical}, sinks: [oncall]}'");
        for (int i = 0; i < count; i++) {
            String key = ROUTES + "[" + i + "]";
            Map<String, Glob> labels = new HashMap<>();
            values.map(key + ".match.labels", "patterns by label")
                    .forEach((label, text) -> labels.put(label, new Glob(text)));
            String severity = values.text(
                    key + ".match.severity",
                    "warning, critical",
                    text -> Set.of("warning", "critical").contains(text.strip())
                            ? Optional.of(text.strip())
                            : Optional.empty());
            String to = values.text(key + ".sinks", "names of sinks: " + String.join(", ", sinks), Optional::of);
            Set<String> named = new LinkedHashSet<>();
            if (to == null) {
                values.rejectSection(key, "needs sinks: a list of names, [] to page nobody");
            } else {
                for (String one : to.split(",", -1)) {
                    if (!one.isBlank() && !sinks.contains(one.strip())) {
                        values.reject(
                                key + ".sinks",
                                "'" + one.strip() + "' is no sink; there are: "
                                        + (sinks.isEmpty() ? "none" : String.join(", ", sinks)));
                    } else if (!one.isBlank()) {
                        named.add(one.strip());
                    }
                }
            }
            routes.add(new Route(
                    glob(key + ".match.project"),
                    glob(key + ".match.detector"),
                    severity == null ? null : Severity.valueOf(severity),
                    labels,
                    named));
        }
        return routes;
    }

    private @Nullable Glob glob(String key) {
        String text = values.text(
                key,
                "a name, or a pattern with * for any text and ? for one character",
                given -> given.isBlank() ? Optional.empty() : Optional.of(given));
        return text == null ? null : new Glob(text);
    }

    private @Nullable QuietHours quietHours() {
        LocalTime from = time("notify.quiet_hours.from");
        LocalTime to = time("notify.quiet_hours.to");
        String zone = values.text("notify.quiet_hours.zone", "a time zone, e.g. Europe/Berlin or UTC", "UTC");
        if (from == null && to == null) {
            return null;
        }
        if (from == null || to == null || from.equals(to)) {
            values.rejectSection("notify.quiet_hours", "needs from and to, two times of the day");
            return null;
        }
        try {
            return new QuietHours(from, to, ZoneId.of(zone));
        } catch (DateTimeException e) {
            values.reject("notify.quiet_hours.zone", "'" + zone + "' is no time zone, e.g. Europe/Berlin or UTC");
            return null;
        }
    }

    private @Nullable LocalTime time(String key) {
        String text = values.text(
                key,
                TIME,
                given -> given.strip().matches("([01]\\d|2[0-3]):[0-5]\\d")
                        ? Optional.of(given.strip())
                        : Optional.empty());
        return text == null ? null : LocalTime.parse(text);
    }

    private @Nullable Heartbeat heartbeat(List<SinkSettings> sinks) {
        String sink =
                values.text("notify.heartbeat.sink", "name of a sink of type alertmanager or webhook", Optional::of);
        Duration every = values.duration(
                "notify.heartbeat.every", Duration.ofSeconds(5), Duration.ofHours(1), Heartbeat.DEFAULT_EVERY);
        if (sink == null) {
            return null;
        }
        boolean carries = sinks.stream()
                .anyMatch(one -> one.name().equals(sink)
                        && (one.receiver() instanceof SinkSettings.Alertmanager
                                || one.receiver() instanceof SinkSettings.Webhook));
        if (!carries) {
            values.reject("notify.heartbeat.sink", "'" + sink + "' is no sink of type alertmanager or webhook");
            return null;
        }
        return new Heartbeat(sink, every);
    }

    private CommandSettings commands(Links links) {
        Set<String> detectors = DetectorCatalogue.settings().keySet().stream()
                .map(name -> name.substring(0, name.indexOf('.')))
                .collect(Collectors.toCollection(TreeSet::new));
        String policies = List.of(Policy.values()).stream()
                .map(policy -> policy.name().toLowerCase(Locale.ROOT))
                .collect(Collectors.joining(", "));
        Map<String, Policy> on = new LinkedHashMap<>();
        values.map("commands.on", policies + " by detector").forEach((detector, text) -> {
            Optional<Policy> policy = List.of(Policy.values()).stream()
                    .filter(one -> one.name().toLowerCase(Locale.ROOT).equals(text.strip()))
                    .findFirst();
            if (!detectors.contains(detector)) {
                values.reject("commands.on." + detector, "no detector has this name; 'detection' lists them");
            } else if (policy.isEmpty()) {
                values.reject("commands.on." + detector, "'" + text + "' is not allowed here: " + policies);
            } else {
                on.put(detector, policy.get());
            }
        });
        Duration expiry = values.duration(
                "commands.expiry", Duration.ofMinutes(1), Duration.ofHours(24), CommandSettings.DEFAULT_EXPIRY);
        Secret secret = secret("commands", "approval_secret", MIN_SECRET);
        if (on.containsValue(Policy.ASK) && (secret == null || links.monitor() == null)) {
            values.rejectSection(
                    "commands.on",
                    "'ask' needs commands.approval_secret_file or approval_secret_env, and notify.base_url for its links");
        }
        return new CommandSettings(on, expiry, secret);
    }

    private @Nullable URI url(String key) {
        String text =
                values.text(key, URL, given -> isUrl(given.strip()) ? Optional.of(given.strip()) : Optional.empty());
        return text == null ? null : URI.create(text);
    }

    private static boolean isUrl(String text) {
        try {
            URI uri = URI.create(text);
            return uri.getHost() != null && ("http".equals(uri.getScheme()) || "https".equals(uri.getScheme()));
        } catch (IllegalArgumentException e) {
            return false;
        }
    }

    private @Nullable URI secretUrl(String key) {
        Secret url = secret(key, "url", 1);
        if (url == null) {
            return null;
        }
        if (!isUrl(url.value())) {
            values.rejectSection(key, "what url_file or url_env holds is not " + URL);
            return null;
        }
        return URI.create(url.value());
    }

    /** A secret from {@code <name>_file} or the variable that {@code <name>_env} names; null if there is none. */
    private @Nullable Secret secret(String section, String name, int least) {
        Path file = values.path(section + "." + name + "_file", "a file that holds it");
        String variable = values.text(
                section + "." + name + "_env", "name of a variable of the environment that holds it", Optional::of);
        String text;
        String key;
        if (file != null) {
            key = section + "." + name + "_file";
            try {
                text = Files.readString(file).strip();
            } catch (IOException e) {
                values.reject(key, "cannot read " + file + ": " + Configuration.reason(e));
                return null;
            }
        } else if (variable != null) {
            key = section + "." + name + "_env";
            String held = environment.get(variable.strip());
            if (held == null) {
                values.reject(key, "the environment has no variable " + variable.strip());
                return null;
            }
            text = held.strip();
        } else {
            return null;
        }
        if (text.length() < least || text.chars().anyMatch(c -> c < ' ')) {
            values.reject(
                    key,
                    least > 1
                            ? "holds no line of at least " + least + " characters ('openssl rand -hex 24' makes one)"
                            : "holds no line of text");
            return null;
        }
        return new Secret(text);
    }
}
