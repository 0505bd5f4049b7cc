package io.trainwatch.monitor.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.trainwatch.monitor.judge.DetectionRule;
import io.trainwatch.monitor.judge.DetectionSettings;
import io.trainwatch.monitor.judge.Glob;
import io.trainwatch.monitor.metrics.MetricsSettings;
import io.trainwatch.monitor.topology.MonitorSettings.Guarantee;
import io.trainwatch.monitor.web.HttpSettings;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ConfigurationTest {
    private static final Path EXAMPLE = Path.of("src/main/distribution/conf/trainwatch.yaml");

    @TempDir
    Path dir;

    @Test
    void without_a_file_every_setting_has_its_default() {
        Configuration defaults = Configuration.defaults();

        assertThat(defaults.http()).isEqualTo(HttpSettings.DEFAULT);
        assertThat(defaults.metrics()).isEqualTo(MetricsSettings.DEFAULT);
        assertThat(defaults.monitor().bootstrapServers()).isEqualTo("127.0.0.1:9092");
        assertThat(defaults.monitor().guarantee()).isEqualTo(Guarantee.EXACTLY_ONCE);
    }

    @Test
    void the_example_file_equals_the_defaults_and_names_every_setting() throws Exception {
        assertThat(Configuration.read(EXAMPLE, Map.of(), Map.of())).isEqualTo(Configuration.defaults());

        String example = Files.readString(EXAMPLE);
        for (String key : new TreeSet<>(Configuration.keys())) {
            assertThat(example).as(key).containsPattern("(?m)^ +" + key.replaceFirst(".*\\.", "") + ":");
        }
        assertThat(example)
                .as("the part that DetectionSection.document() writes")
                .endsWith("\n\n" + DetectionSection.document());
    }

    @Test
    void a_file_that_is_empty_changes_nothing() throws Exception {
        assertThat(Configuration.read(file(""), Map.of(), Map.of())).isEqualTo(Configuration.defaults());
    }

    @Test
    void a_flag_wins_over_the_environment_which_wins_over_the_file() throws Exception {
        Path file = file("""
                http:
                  port: 1
                metrics:
                  max_runs: 2
                  ended_run_ttl: 3s
                """);
        Configuration configuration = Configuration.read(
                file,
                Map.of("TRAINWATCH_HTTP_PORT", "10", "TRAINWATCH_METRICS_MAX_RUNS", "20"),
                Map.of("http.port", new Configuration.Flag("--http-port", "100")));

        assertThat(configuration.http().port()).isEqualTo(100);
        assertThat(configuration.metrics()).isEqualTo(new MetricsSettings(20, 16, Duration.ofSeconds(3)));
    }

    @Test
    void brokers_may_be_a_list_and_client_settings_are_passed_on() throws Exception {
        Configuration configuration = Configuration.read(file("""
                kafka:
                  bootstrap_servers: [a:1, b:2]
                  properties:
                    security.protocol: SSL
                    ssl.truststore.type: PEM
                """), Map.of(), Map.of());

        assertThat(configuration.monitor().bootstrapServers()).isEqualTo("a:1,b:2");
        assertThat(configuration.monitor().clientProperties())
                .isEqualTo(Map.of("security.protocol", "SSL", "ssl.truststore.type", "PEM"));
    }

    @Test
    void an_unknown_key_is_named_with_its_line_and_what_is_allowed() throws IOException {
        assertRejected("""
                http:
                  prot: 80
                """, "FILE:2: http.prot: unknown key; allowed under http: advertised, host, port, token_file");
        assertRejected(
                "detectors: on\n",
                "FILE:1: detectors: unknown key; allowed at the top: commands, detection, http, intake, kafka, metrics, monitor, notify");
        assertRejected(
                "http: on\n",
                "FILE:1: http: a section, not a value; allowed in it: advertised, host, port, token_file");
        assertRejected(
                "http:\n  port:\n    number: 1\n",
                "FILE:3: http.port.number: unknown key; allowed under http: advertised, host, port, token_file");
    }

    @Test
    void a_bad_value_is_named_with_its_place_and_what_is_allowed() throws IOException {
        assertRejected(
                "\n\nhttp:\n  port: 99999\n",
                "FILE:4: http.port: '99999' is not allowed here: a whole number, 0 to 65535");
        assertRejected(
                "monitor: {guarantee: maybe}\n",
                "FILE:1: monitor.guarantee: 'maybe' is not allowed here: exactly_once, at_least_once");
        assertRejected(
                "monitor: {commit_interval: 5}\n",
                "FILE:1: monitor.commit_interval: '5' is not allowed here: a duration, 10ms to 1m, e.g. 500ms, 30s, 5m, 2h, 7d");
        assertRejected(
                "kafka: {bootstrap_servers: localhost}\n",
                "FILE:1: kafka.bootstrap_servers: 'localhost' is not allowed here: host:port, several with commas");
        assertRejected(
                "kafka: {topic_prefix: \"a b\"}\n",
                "FILE:1: kafka.topic_prefix: 'a b' is not allowed here: 1 to 100 letters, digits, '.', '_', '-'");
        assertRejected(
                "monitor: {threads: many}\n",
                "FILE:1: monitor.threads: 'many' is not allowed here: auto, or a whole number, 1 to 64");
    }

    @Test
    void every_problem_is_told_at_once() throws IOException {
        assertRejected("http:\n  port: x\n  hots: y\n", """
                FILE:2: http.port: 'x' is not allowed here: a whole number, 0 to 65535
                FILE:3: http.hots: unknown key; allowed under http: advertised, host, port, token_file""");
    }

    @Test
    void a_bad_value_of_the_environment_or_a_flag_names_its_variable_or_flag() {
        assertThatThrownBy(() -> Configuration.read(null, Map.of("TRAINWATCH_HTTP_PORT", "x"), Map.of()))
                .hasMessage(
                        "environment TRAINWATCH_HTTP_PORT: http.port: 'x' is not allowed here: a whole number, 0 to 65535");
        assertThatThrownBy(() -> Configuration.read(
                        null, Map.of(), Map.of("http.port", new Configuration.Flag("--http-port", "x"))))
                .hasMessage("--http-port: http.port: 'x' is not allowed here: a whole number, 0 to 65535");
    }

    @Test
    void text_that_is_no_yaml_is_told_with_its_line() throws IOException {
        assertRejected(
                "http:\n\tport: 1\n",
                "FILE:2: not YAML: found character '\\t(TAB)' that cannot start any token."
                        + " (Do not use \\t(TAB) for indentation)");
        assertRejected("just words\n", "FILE:1: expected keys with values, e.g. 'http:', at the top");
        assertRejected("http:\n  port: 1\n  port: 2\n", "FILE:3: http.port: given twice, first at FILE:2");
    }

    @Test
    void a_file_that_is_not_there_is_told() {
        Path missing = dir.resolve("missing.yaml");

        assertThatThrownBy(() -> Configuration.read(missing, Map.of(), Map.of()))
                .hasMessage(missing + ": there is no such file");
    }

    @Test
    void detectors_are_set_for_all_runs_and_by_rules() throws Exception {
        DetectionSettings detection = Configuration.read(
                        file("""
                detection:
                  detectors:
                    loss_spike: {severity: info, sigmas: 8.0}
                    non_finite_input: {allow_nan: [income, age]}
                  rules:
                    - match: {project: "gan-*", labels: {team: vision, cost.center: "4?"}}
                      detectors:
                        loss_plateau: {enabled: false}
                    - match:
                        run_name: "*-debug"
                      detectors:
                        stalled_run:
                          longest: 120m
                """), Map.of("TRAINWATCH_DETECTION_DETECTORS_LOSS_SPIKE_SIGMAS", "9"), Map.of())
                .detection();

        assertThat(detection)
                .isEqualTo(new DetectionSettings(
                        Map.of(
                                "loss_spike.severity", "info",
                                "loss_spike.sigmas", "9",
                                "non_finite_input.allow_nan", "age,income"),
                        List.of(
                                new DetectionRule(
                                        new Glob("gan-*"),
                                        null,
                                        Map.of("team", new Glob("vision"), "cost.center", new Glob("4?")),
                                        Map.of("loss_plateau.enabled", "false")),
                                new DetectionRule(
                                        null, new Glob("*-debug"), Map.of(), Map.of("stalled_run.longest", "2h")))));
    }

    @Test
    void a_mistake_in_the_detectors_is_named_with_its_line_and_what_is_allowed() throws IOException {
        assertRejected(
                """
                detection:
                  detectors:
                    loss_plateau:
                      severity: loud
                """,
                "FILE:4: detection.detectors.loss_plateau.severity: 'loud' is not allowed here: info, warning, critical");
        assertRejected(
                "detection: {detectors: {loss_spike: {sigmas: 2}}}\n",
                "FILE:1: detection.detectors.loss_spike.sigmas: '2' is not allowed here: a number, 5 to 100 (robust standard"
                        + " deviations)");
        assertRejected(
                """
                detection:
                  detectors:
                    loss_plateau:
                      patience: 3
                """,
                "FILE:4: detection.detectors.loss_plateau.patience: unknown key; allowed under"
                        + " detection.detectors.loss_plateau: enabled, least_improvement, severity");
        assertThatThrownBy(() -> Configuration.read(
                        file("detection: {detectors: {los_spike: {enabled: false}}}\n"), Map.of(), Map.of()))
                .hasMessageContaining("trainwatch.yaml:1: detection.detectors.los_spike.enabled: unknown key; allowed"
                        + " under detection.detectors: abnormal_input, abnormal_weights,");
    }

    @Test
    void a_mistake_in_a_rule_is_named_with_its_number() throws IOException {
        assertRejected("""
                detection:
                  rules:
                    - match: {project: a}
                      detectors: {loss_spike: {enabled: false}}
                    - match: {projekt: b}
                      detectors: {loss_spike: {enabled: maybe}}
                """, """
                FILE:6: detection.rules[1].detectors.loss_spike.enabled: 'maybe' is not allowed here: true or false
                FILE:5: detection.rules[1].match.projekt: unknown key; allowed under detection.rules[1].match: labels,\
                 project, run_name""");
        assertRejected(
                "detection: {rules: [{detectors: {loss_spike: {enabled: false}}}]}\n",
                "FILE:1: detection.rules[0]: matches no run: give match project, run_name or labels; what is for all is"
                        + " detection.detectors");
        assertRejected(
                "detection: {rules: [{match: {project: a}}]}\n",
                "FILE:1: detection.rules[0]: sets nothing: give detectors");
        assertRejected(
                "detection: {rules: [{match: {project: [a, b]}, detectors: {loss_spike: {enabled: false}}}]}\n",
                "FILE:1: detection.rules[0].match.project: 'a,b' is not allowed here: a name, or a pattern with * for any"
                        + " text and ? for one character; no comma: one rule for each pattern");
        assertRejected(
                "detection: {rules: gan}\n",
                "FILE:1: detection.rules: 'gan' is not allowed here: a list of rules, each with match and detectors");
        assertThatThrownBy(() ->
                        Configuration.read(file("detection: {rules: {match: {project: a}}}\n"), Map.of(), Map.of()))
                .hasMessageContaining(
                        "trainwatch.yaml:1: detection.rules: a list of rules is expected, each beginning with '- match:'");
    }

    @Test
    void any_host_but_loopback_needs_a_token() throws Exception {
        assertRejected(
                "http: {host: 0.0.0.0}\n",
                "FILE:1: http.host: '0.0.0.0' is reachable from other machines and there is no token: set http.token_file"
                        + " or TRAINWATCH_HTTP_TOKEN, or listen on 127.0.0.1");

        Path token = Files.writeString(dir.resolve("token"), "0123456789abcdef\n");
        Configuration configuration =
                Configuration.read(file("http: {host: 0.0.0.0, token_file: " + token + "}\n"), Map.of(), Map.of());
        assertThat(configuration.http().token()).isNotNull();
    }

    @Test
    void a_token_is_never_printed_and_a_weak_one_is_refused() throws Exception {
        Map<String, String> environment = Map.of("TRAINWATCH_HTTP_TOKEN", "0123456789abcdef");
        assertThat(Configuration.read(null, environment, Map.of()).toString())
                .contains("BearerToken[hidden]")
                .doesNotContain("0123456789abcdef");

        assertThatThrownBy(() -> Configuration.read(null, Map.of("TRAINWATCH_HTTP_TOKEN", "secret"), Map.of()))
                .hasMessageContaining("TRAINWATCH_HTTP_TOKEN: the token has 6 characters, it needs at least 16")
                .hasMessageNotContaining("secret");
    }

    private void assertRejected(String yaml, String message) throws IOException {
        Path file = file(yaml);
        assertThatThrownBy(() -> Configuration.read(file, Map.of(), Map.of()))
                .isInstanceOf(ConfigurationException.class)
                .hasMessage(message.replace("FILE", file.toString()));
    }

    private Path file(String yaml) throws IOException {
        return Files.writeString(dir.resolve("trainwatch.yaml"), yaml);
    }
}
