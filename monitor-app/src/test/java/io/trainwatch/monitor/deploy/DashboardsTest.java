package io.trainwatch.monitor.deploy;

import static io.trainwatch.monitor.deploy.Documents.elements;
import static io.trainwatch.monitor.deploy.Documents.rules;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.trainwatch.monitor.deploy.Dashboard.Query;
import java.awt.Rectangle;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Dashboards are whole, agree with the code, and ask what Prometheus understands. How Grafana draws them is not seen here. */
class DashboardsTest {
    private static final Set<String> KINDS_OF_PANELS =
            Set.of("bargauge", "stat", "state-timeline", "table", "timeseries", "trend");
    private static final Set<String> BUILT_IN =
            Set.of("__all", "__data", "__range", "__rate_interval", "__url_time_range");

    /** What the binders of the JVM, the process and Kafka export, and what Prometheus itself does. */
    private static final Pattern OF_OTHERS = Pattern.compile("(jvm|process|kafka_stream|scrape)_[a-z_]+|up|ALERTS");

    private static final Pattern METRIC = Pattern.compile("(?<![\\w:\"$.])([a-zA-Z_:][\\w:]*)(?=\\{)");

    @TempDir
    Path dir;

    static List<Dashboard> dashboards() throws IOException {
        return Dashboard.all();
    }

    @Test
    void there_are_three_with_addresses_that_stay() throws IOException {
        assertThat(dashboards())
                .extracting(Dashboard::uid)
                .containsExactly("trainwatch-fleet", "trainwatch-monitor", "trainwatch-run");
    }

    @ParameterizedTest
    @MethodSource("dashboards")
    void it_is_in_the_classic_model_found_by_its_tag_and_changed_in_its_file_alone(Dashboard dashboard) {
        JsonNode json = dashboard.json();

        assertThat(json.get("schemaVersion").intValue()).isEqualTo(39);
        assertThat(json.get("title").textValue().toLowerCase(Locale.ROOT)).isEqualTo(dashboard.name());
        assertThat(json.get("description").textValue()).isNotBlank();
        assertThat(json.get("tags")).extracting(JsonNode::textValue).containsExactly("trainwatch");
        assertThat(json.get("editable").booleanValue()).isFalse();
        assertThat(json.has("id")).as("an id is of one Grafana alone").isFalse();
    }

    @ParameterizedTest
    @MethodSource("dashboards")
    void every_panel_has_a_title_a_description_a_unit_and_its_own_place(Dashboard dashboard) {
        Set<Integer> ids = new HashSet<>();
        List<Rectangle> places = new ArrayList<>();
        for (JsonNode panel : dashboard.json().get("panels")) {
            String title = panel.get("title").textValue();
            assertThat(title).isNotBlank();
            assertThat(ids.add(panel.get("id").intValue())).as("id of " + title).isTrue();
            JsonNode grid = panel.get("gridPos");
            Rectangle place = new Rectangle(
                    grid.get("x").intValue(),
                    grid.get("y").intValue(),
                    grid.get("w").intValue(),
                    grid.get("h").intValue());
            assertThat(new Rectangle(0, 0, 24, 1_000).contains(place)).as(title).isTrue();
            assertThat(places).as(title).noneMatch(place::intersects);
            places.add(place);
        }
        assertThat(dashboard.panels()).hasSizeGreaterThan(10).allSatisfy(panel -> {
            assertThat(panel.get("type").textValue()).isIn(KINDS_OF_PANELS);
            assertThat(panel.get("description").textValue()).endsWith(".");
            assertThat(panel.at("/fieldConfig/defaults/unit").textValue()).isNotBlank();
        });
    }

    @ParameterizedTest
    @MethodSource("dashboards")
    void everything_is_asked_of_the_data_source_that_is_chosen(Dashboard dashboard) {
        JsonNode first = dashboard.variables().findFirst().orElseThrow();
        assertThat(first.get("name").textValue()).isEqualTo("datasource");
        assertThat(first.get("type").textValue()).isEqualTo("datasource");

        Stream<JsonNode> askers = Stream.of(
                        dashboard.panels().stream(),
                        dashboard.panels().stream().flatMap(panel -> elements(panel.get("targets"))),
                        dashboard
                                .variables()
                                .filter(variable ->
                                        variable.get("type").textValue().equals("query")),
                        elements(dashboard.json().at("/annotations/list")).filter(annotation -> annotation.has("expr")))
                .flatMap(all -> all);
        assertThat(askers)
                .allSatisfy(asker ->
                        assertThat(asker.at("/datasource/uid").textValue()).isEqualTo("${datasource}"));
    }

    @Test
    void runs_are_chosen_by_project_and_name() throws IOException {
        assertThat(dashboards())
                .filteredOn(dashboard -> !dashboard.name().equals("monitor"))
                .allSatisfy(dashboard -> assertThat(
                                dashboard.variables().map(v -> v.get("name").textValue()))
                        .containsExactly("datasource", "project", "run", "page"));
    }

    @ParameterizedTest
    @MethodSource("dashboards")
    void every_variable_that_is_used_is_declared(Dashboard dashboard) {
        Set<String> declared = dashboard
                .variables()
                .map(variable -> variable.get("name").textValue())
                .collect(Collectors.toSet());
        declared.addAll(BUILT_IN);

        assertThat(Pattern.compile("\\$\\{?(\\w+)")
                        .matcher(dashboard.json().toString())
                        .results()
                        .map(used -> used.group(1))
                        .collect(Collectors.toSet()))
                .isSubsetOf(declared);
    }

    @ParameterizedTest
    @MethodSource("dashboards")
    void every_metric_is_in_the_catalogue_or_of_a_rule_that_records_it(Dashboard dashboard) throws IOException {
        Set<String> known = new HashSet<>(Queries.KNOWN_METRICS);
        rules().stream()
                .filter(rule -> rule.has("record"))
                .forEach(rule -> known.add(rule.get("record").textValue()));

        Set<String> read = queries(dashboard)
                .flatMap(query -> METRIC.matcher(query.expr()).results().map(MatchResult::group))
                .collect(Collectors.toSet());
        Set<String> ours = queries(dashboard)
                .flatMap(query -> Queries.metricsOf(query.expr()).stream())
                .collect(Collectors.toSet());

        assertThat(read)
                .hasSizeGreaterThan(5)
                .allMatch(metric ->
                        known.contains(metric) || OF_OTHERS.matcher(metric).matches());
        assertThat(ours).isSubsetOf(known);
    }

    @ParameterizedTest
    @MethodSource("dashboards")
    void every_query_is_promql(Dashboard dashboard) throws Exception {
        List<Map<String, Object>> recorded = queries(dashboard)
                .map(query -> Map.<String, Object>of(
                        "record",
                        "query",
                        "labels",
                        Map.of("place", query.place()),
                        "expr",
                        query.with(Map.of("__rate_interval", "1m", "__range", "1h"))))
                .toList();
        Path file = dir.resolve("queries.json");
        new ObjectMapper()
                .writeValue(
                        file.toFile(), Map.of("groups", List.of(Map.of("name", dashboard.name(), "rules", recorded))));

        Programs.Result checked = Programs.run(Programs.promtool(), "check", "rules", file);

        assertThat(checked.exitCode()).as(checked.output()).isZero();
        assertThat(checked.output()).contains("SUCCESS: " + recorded.size() + " rules found");
    }

    @ParameterizedTest
    @MethodSource("dashboards")
    void links_lead_to_the_live_page_the_runbook_and_dashboards_that_there_are(Dashboard dashboard) throws IOException {
        Set<String> uids = dashboards().stream().map(Dashboard::uid).collect(Collectors.toSet());
        String text = dashboard.json().toString();

        assertThat(Pattern.compile("\"url\":\"/d/([^?\"]+)")
                        .matcher(text)
                        .results()
                        .map(link -> link.group(1)))
                .allMatch(uids::contains);
        assertThat(Pattern.compile("\\$\\{page}/#([^$]+)")
                        .matcher(text)
                        .results()
                        .map(link -> link.group(1)))
                .allMatch("/run/"::equals);
        assertThat(text).contains("\"url\":\"${page}/runbook\"", "\"url\":\"${page}/");
    }

    private static Stream<Query> queries(Dashboard dashboard) {
        return Stream.of(
                        dashboard.panelQueries().stream(),
                        dashboard.annotationQueries().stream(),
                        dashboard.variableQueries().stream().map(Dashboard.LabelValues::selector))
                .flatMap(all -> all);
    }

    @Test
    void provisioning_names_a_folder_and_a_data_source() throws IOException {
        Path provisioning = Documents.ROOT.resolve("grafana/provisioning");

        assertThat(Documents.yaml(provisioning.resolve("dashboards/trainwatch.yaml"))
                        .at("/providers/0/folderUid")
                        .textValue())
                .isEqualTo("trainwatch");
        JsonNode sources = Documents.yaml(provisioning.resolve("datasources/prometheus.yaml"))
                .get("datasources");
        assertThat(sources.at("/0/type").textValue()).isEqualTo("prometheus");
        assertThat(sources.at("/0/jsonData/alertmanagerUid").textValue())
                .isEqualTo(sources.at("/1/uid").textValue());
        assertThat(sources.at("/0/jsonData/timeInterval").textValue())
                .isEqualTo(Documents.yaml(Documents.ROOT.resolve("docker/prometheus/prometheus.yml"))
                        .at("/global/scrape_interval")
                        .textValue());
        assertThat(Files.readString(provisioning.resolve("datasources/prometheus.yaml")))
                .doesNotContain("password", "secureJsonData");
    }
}
