package io.trainwatch.monitor.deploy;

import static io.trainwatch.monitor.deploy.Documents.ROOT;
import static io.trainwatch.monitor.deploy.Documents.alerts;
import static io.trainwatch.monitor.deploy.Documents.elements;
import static io.trainwatch.monitor.deploy.Documents.rules;
import static io.trainwatch.monitor.deploy.Documents.yaml;
import static io.trainwatch.monitor.deploy.Programs.amtool;
import static io.trainwatch.monitor.deploy.Programs.promtool;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.trainwatch.monitor.deploy.Programs.Result;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The rules, as Prometheus's own tools judge them: docker/prometheus/tests says when each fires and when it does not. */
class PrometheusRulesTest {
    private static final Path PROMETHEUS = ROOT.resolve("docker/prometheus");
    private static final Path ALERTMANAGER = ROOT.resolve("docker/alertmanager/alertmanager.yml");

    @TempDir
    Path dir;

    @Test
    void every_rule_fires_stays_quiet_and_resolves_as_its_tests_say() throws Exception {
        assertSucceeds(Programs.run(
                promtool(),
                "test",
                "rules",
                PROMETHEUS.resolve("tests/alerting.yml"),
                PROMETHEUS.resolve("tests/recording.yml")));
    }

    @Test
    void every_alerting_rule_has_a_case_in_which_it_fires_and_one_in_which_it_does_not() throws IOException {
        Map<Boolean, Set<String>> alertsByQuiet = elements(
                        yaml(PROMETHEUS.resolve("tests/alerting.yml")).get("tests"))
                .flatMap(test -> elements(test.get("alert_rule_test")))
                .collect(Collectors.partitioningBy(
                        check -> check.get("exp_alerts").isEmpty(),
                        Collectors.mapping(check -> check.get("alertname").textValue(), Collectors.toSet())));

        assertThat(alertsByQuiet.get(true)).containsExactlyInAnyOrderElementsOf(alerts());
        assertThat(alertsByQuiet.get(false)).containsExactlyInAnyOrderElementsOf(alerts());
    }

    @Test
    void the_configuration_of_prometheus_is_valid_and_takes_in_every_rule() throws Exception {
        Path token = Files.writeString(dir.resolve("token"), "0123456789abcdef");
        Path config = Files.writeString(
                dir.resolve("prometheus.yml"),
                Files.readString(PROMETHEUS.resolve("prometheus.yml"))
                        .replace("/run/secrets/http_token", token.toString()));
        Documents.copy(PROMETHEUS.resolve("rules"), dir.resolve("rules"));

        Result checked = Programs.run(promtool(), "check", "config", config);

        assertSucceeds(checked);
        assertThat(checked.output()).contains("SUCCESS: 2 rule files found");
    }

    @Test
    void the_configuration_of_alertmanager_is_valid_and_routes_by_severity() throws Exception {
        assertSucceeds(Programs.run(amtool(), "check-config", ALERTMANAGER));
        assertSucceeds(routed("severity=critical", "on-call"));
        assertSucceeds(routed("severity=warning", "team"));
        assertSucceeds(routed("alertname=other", "team"));
        assertThat(routed("severity=critical", "team").exitCode()).isNotZero();
    }

    @Test
    void rules_read_metrics_that_there_are() throws IOException {
        assertThat(rules())
                .flatExtracting(rule -> Queries.metricsOf(rule.get("expr").textValue()))
                .contains("trainwatch_alert_active", "trainwatch_monitor_ready")
                .isSubsetOf(Queries.KNOWN_METRICS);
    }

    @Test
    void every_alert_has_a_severity_a_summary_a_description_and_a_place_in_the_runbook() throws IOException {
        for (JsonNode rule : rules()) {
            if (!rule.has("alert")) {
                continue;
            }
            String name = rule.get("alert").textValue();
            assertThat(rule.get("annotations").fieldNames())
                    .toIterable()
                    .as(name)
                    .contains("summary", "description", "runbook_url");
            boolean relay = name.equals("TrainwatchRunUnhealthy");
            assertThat(rule.at("/annotations/runbook_url").textValue())
                    .endsWith("/runbook/" + (relay ? "{{ $labels.detector }}" : name));
            if (relay) {
                assertThat(rule.get("expr").textValue()).contains("severity=~\"warning|critical\"");
            } else {
                assertThat(rule.at("/labels/severity").textValue()).as(name).isIn("warning", "critical");
            }
        }
    }

    private static void assertSucceeds(Result result) {
        assertThat(result.exitCode()).as(result.output()).isZero();
    }

    private static Result routed(String label, String receiver) throws Exception {
        return Programs.run(
                amtool(),
                "config",
                "routes",
                "test",
                "--config.file=" + ALERTMANAGER,
                "--verify.receivers=" + receiver,
                label);
    }
}
