package io.trainwatch.monitor.deploy;

import static io.trainwatch.monitor.deploy.Documents.ROOT;
import static io.trainwatch.monitor.deploy.Documents.elements;
import static io.trainwatch.monitor.deploy.Documents.yaml;
import static io.trainwatch.monitor.deploy.Documents.yamls;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.introspect.Annotated;
import com.fasterxml.jackson.databind.introspect.JacksonAnnotationIntrospector;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.networknt.schema.InputFormat;
import com.networknt.schema.JsonSchema;
import com.networknt.schema.JsonSchemaFactory;
import com.networknt.schema.SpecVersion;
import io.fabric8.kubernetes.api.model.Service;
import io.fabric8.kubernetes.api.model.apps.StatefulSet;
import io.fabric8.kubernetes.api.model.networking.v1.NetworkPolicy;
import io.fabric8.kubernetes.api.model.policy.v1.PodDisruptionBudget;
import io.fabric8.openshift.api.model.monitoring.v1.PodMonitor;
import io.trainwatch.monitor.cli.CommandLines;
import io.trainwatch.monitor.config.Configuration;
import io.trainwatch.monitor.config.EnvironmentNames;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.kafka.common.utils.AppInfoParser;
import org.apache.kafka.server.config.AbstractKafkaConfig;
import org.junit.jupiter.api.Test;

/**
 * The files for containers are what Docker, Compose and Kubernetes take, and agree with the code: every variable is one that is
 * read, every path is there. They are not run here.
 */
class ContainerFilesTest {
    private static final Path DOCKER = ROOT.resolve("docker");
    private static final Path KUBERNETES = DOCKER.resolve("kubernetes");
    private static final Map<String, Class<?>> KINDS = Map.of(
            "StatefulSet", StatefulSet.class,
            "Service", Service.class,
            "PodDisruptionBudget", PodDisruptionBudget.class,
            "NetworkPolicy", NetworkPolicy.class,
            "PodMonitor", PodMonitor.class);

    /** Read by bin/trainwatch and not by the configuration. */
    private static final String LAUNCHER_VARIABLE = "TRAINWATCH_JAVA_OPTS";

    @Test
    void compose_follows_its_specification() throws IOException {
        ObjectNode specification = (ObjectNode)
                Documents.json(Path.of("src/test/resources/io/trainwatch/monitor/deploy/compose-spec.json"));
        // Not absolute, as the validator wants one; nothing refers to it.
        specification.remove("$id");
        JsonSchema schema =
                JsonSchemaFactory.getInstance(SpecVersion.VersionFlag.V202012).getSchema(specification);

        assertThat(schema.validate(compose())).isEmpty();
        assertThat(schema.validate("{\"services\": {\"x\": {\"imagee\": \"y\"}}}", InputFormat.JSON))
                .isNotEmpty();
    }

    @Test
    void compose_pins_every_image_checks_every_service_and_bounds_its_memory() throws IOException {
        assertThat(services()).hasSize(6).allSatisfy((name, service) -> {
            assertThat(service.get("image").textValue()).as(name).matches(".+:v?\\d+\\.\\d+\\.\\d+");
            assertThat(service.has("mem_limit") && service.has("cpus")).as(name).isTrue();
            assertThat(service.get("restart").textValue()).as(name).isEqualTo("unless-stopped");
            assertThat(service.get("cap_drop"))
                    .as(name)
                    .extracting(JsonNode::textValue)
                    .containsExactly("ALL");
            boolean ofImage = service.has("build");
            boolean disabled = service.at("/healthcheck/disable").asBoolean();
            assertThat(ofImage || disabled || service.at("/healthcheck/test").size() > 1)
                    .as("health check of " + name)
                    .isTrue();
        });
        assertThat(services().get("kafka").get("image").textValue())
                .isEqualTo("apache/kafka:" + AppInfoParser.getVersion());
    }

    @Test
    void compose_listens_on_this_host_alone_and_has_no_password_in_it() throws IOException {
        assertThat(ofEveryService("ports"))
                .hasSize(5)
                .allSatisfy(port -> assertThat(port.textValue()).startsWith("127.0.0.1:"));
        services()
                .forEach((name, service) -> service.path("environment")
                        .properties()
                        .forEach(variable -> {
                            if (Pattern.compile("PASSWORD|TOKEN|SECRET")
                                    .matcher(variable.getKey())
                                    .find()) {
                                assertThat(variable.getValue().textValue())
                                        .as(variable.getKey())
                                        .startsWith("/run/secrets/");
                            }
                        }));
        Set<String> declared = names(compose().get("secrets"));
        assertThat(ofEveryService("secrets"))
                .extracting(JsonNode::textValue)
                .isSubsetOf(declared)
                .containsAll(declared);
        assertThat(compose().get("secrets"))
                .allSatisfy(secret -> assertThat(secret.get("file").textValue()).startsWith("./secrets/"));
        assertThat(Files.readString(ROOT.resolve(".gitignore"))).contains("docker/secrets/\n");
        assertThat(Files.readString(ROOT.resolve(".dockerignore"))).contains("docker/secrets\n");
    }

    @Test
    void every_file_that_compose_mounts_is_in_the_repository_and_where_its_reader_looks() throws IOException {
        Map<String, String> mounted = new HashMap<>();
        Set<String> volumes = names(compose().get("volumes"));
        ofEveryService("volumes").stream()
                .map(volume -> volume.textValue().split(":", -1))
                .forEach(volume -> {
                    if (volume[0].startsWith(".")) {
                        assertThat(DOCKER.resolve(volume[0])).exists();
                        assertThat(volume).as(volume[0]).endsWith("ro");
                        mounted.put(volume[1], volume[0]);
                    } else {
                        assertThat(volumes).contains(volume[0]);
                    }
                });

        assertThat(mounted)
                .containsEntry("/etc/prometheus/prometheus.yml", "./prometheus/prometheus.yml")
                .containsEntry("/etc/prometheus/rules", "./prometheus/rules")
                .containsEntry("/etc/alertmanager/alertmanager.yml", "./alertmanager/alertmanager.yml")
                .containsEntry("/etc/grafana/provisioning", "../grafana/provisioning")
                .containsEntry(
                        yaml(ROOT.resolve("grafana/provisioning/dashboards/trainwatch.yaml"))
                                .at("/providers/0/options/path")
                                .textValue(),
                        "../grafana/dashboards");
        assertThat(arguments("prometheus")).contains("--config.file=/etc/prometheus/prometheus.yml");
        assertThat(arguments("alertmanager")).contains("--config.file=/etc/alertmanager/alertmanager.yml");
        assertThat(services()
                        .get("grafana")
                        .at("/environment/GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH")
                        .textValue())
                .isEqualTo("/etc/grafana/dashboards/fleet.json");
    }

    @Test
    void what_calls_another_service_calls_it_by_its_name_and_port() throws IOException {
        Set<String> services = services().keySet();
        Map<String, Integer> ports =
                Map.of("kafka", 19092, "monitor", 8280, "prometheus", 9090, "alertmanager", 9093, "grafana", 3000);
        String configurations = Files.readString(DOCKER.resolve("compose.yaml"))
                + Files.readString(DOCKER.resolve("prometheus/prometheus.yml"))
                + Files.readString(ROOT.resolve("grafana/provisioning/datasources/prometheus.yaml"));

        List<MatchResult> calls = Pattern.compile("\\b(" + String.join("|", services) + "):(\\d{4,5})\\b")
                .matcher(configurations.replace("1@kafka:19093", ""))
                .results()
                .toList();
        assertThat(calls)
                .hasSizeGreaterThan(6)
                .allSatisfy(call -> assertThat(ports).containsEntry(call.group(1), Integer.parseInt(call.group(2))));
        services()
                .forEach((name, service) ->
                        assertThat(names(service.path("depends_on"))).as(name).isSubsetOf(services));
    }

    @Test
    void every_variable_of_kafka_is_a_setting_of_its_broker() throws IOException {
        Set<String> known = new HashSet<>(AbstractKafkaConfig.CONFIG_DEF.names());
        known.add("heap.opts");

        assertThat(names(services().get("kafka").get("environment")))
                .hasSizeGreaterThan(10)
                .allSatisfy(name -> assertThat(known)
                        .contains(name.replaceFirst("KAFKA_", "")
                                .toLowerCase(Locale.ROOT)
                                .replace('_', '.')));
    }

    @Test
    void every_variable_of_ours_is_read_and_its_value_is_allowed() throws Exception {
        Map<String, Map<String, String>> environments = new HashMap<>();
        services().forEach((name, service) -> environments.put(name, ours(service.path("environment"))));
        environments.put("statefulset", ours(environmentOf(monitorContainer())));
        environments.put("Dockerfile", dockerfileEnvironment());

        Path token = Files.createTempFile("token", "");
        Files.writeString(token, "0123456789abcdef");
        for (Map.Entry<String, Map<String, String>> environment : environments.entrySet()) {
            Map<String, String> variables = new HashMap<>(environment.getValue());
            variables.remove(LAUNCHER_VARIABLE);
            assertThat(EnvironmentNames.all()).as(environment.getKey()).containsAll(variables.keySet());
            variables.computeIfPresent("TRAINWATCH_HTTP_TOKEN_FILE", (name, file) -> token.toString());
            variables.replaceAll((name, value) -> value.replace("$(POD_NAME)", "trainwatch-0"));
            var unused = Configuration.read(null, variables, Map.of());
        }
        assertThat(environments.get("monitor")).hasSize(5);
        assertThat(environments.get("statefulset")).hasSize(7);
        assertThat(Files.readString(ROOT.resolve("monitor-app/src/main/distribution/bin/trainwatch")))
                .contains("${" + LAUNCHER_VARIABLE + ":-}");
    }

    @Test
    void commands_are_commands_of_the_program() throws IOException {
        List<String> dockerfile = Files.readAllLines(DOCKER.resolve("Dockerfile"));
        assertThat(dockerfile).contains("ENTRYPOINT [\"/opt/trainwatch/bin/trainwatch\"]", "CMD [\"monitor\"]");

        assertThat(List.of(
                        arguments("monitor"),
                        arguments("trainers"),
                        texts(monitorContainer().get("args"))))
                .allSatisfy(CommandLines::assertAccepted);
    }

    @Test
    void the_image_is_built_of_files_that_there_are_and_runs_as_nobody_in_particular() throws IOException {
        List<String> lines = Files.readAllLines(DOCKER.resolve("Dockerfile"));

        assertThat(lines.stream().filter(line -> line.startsWith("FROM ")))
                .hasSize(2)
                .allSatisfy(line -> assertThat(line).matches("FROM \\S+:\\d+\\.\\d+\\.\\d+_\\d+-\\S+( AS build)?"));
        assertThat(lines.stream().filter(line -> line.startsWith("COPY ")))
                .containsExactly(
                        "COPY . .",
                        "COPY --from=build /source/monitor-app/target/trainwatch /opt/trainwatch",
                        "COPY docker/healthy /usr/local/bin/healthy");
        assertThat(lines).contains("USER 10001:10001", "EXPOSE 8280");
        assertThat(lines).anyMatch(line -> line.startsWith("HEALTHCHECK ") && line.endsWith("CMD [\"healthy\"]"));
        assertThat(DOCKER.resolve("healthy")).isExecutable();
        assertThat(Files.readString(ROOT.resolve("monitor-app/pom.xml"))).contains("<finalName>trainwatch</finalName>");
        assertThat(monitorContainer().at("/image").textValue())
                .isEqualTo(services().get("monitor").get("image").textValue());
    }

    @Test
    void manifests_have_no_field_that_kubernetes_does_not_know() throws IOException {
        ObjectMapper strict = strict();
        for (JsonNode manifest : manifests()) {
            Class<?> kind = KINDS.get(manifest.get("kind").textValue());
            assertThat(kind).as(manifest.get("kind").textValue()).isNotNull();
            assertThat(strict.treeToValue(manifest, kind)).isNotNull();
        }
        assertThat(yaml(KUBERNETES.resolve("kustomization.yaml")).get("resources"))
                .extracting(JsonNode::textValue)
                .containsExactlyInAnyOrderElementsOf(Documents.files(KUBERNETES, ".yaml").stream()
                        .map(file -> file.getFileName().toString())
                        .filter(name -> !name.equals("kustomization.yaml"))
                        .toList());
    }

    @Test
    void a_misspelt_field_of_a_manifest_is_noticed_however_deep_it_is() throws IOException {
        String text = Files.readString(KUBERNETES.resolve("statefulset.yaml"))
                .replace("readOnlyRootFilesystem", "readOnlyRootFileSystem");

        assertThat(catchThrowable(
                        () -> strict().treeToValue(Documents.yamls(text).get(0), StatefulSet.class)))
                .isInstanceOf(JsonProcessingException.class)
                .hasMessageContaining("readOnlyRootFileSystem");
    }

    @Test
    void manifests_agree_on_labels_ports_secrets_and_probes() throws IOException {
        Map<String, JsonNode> byName = manifests().stream()
                .collect(Collectors.toMap(
                        manifest -> manifest.get("kind").textValue() + " "
                                + manifest.at("/metadata/name").textValue(),
                        manifest -> manifest));
        JsonNode set = byName.get("StatefulSet trainwatch");
        JsonNode labels = set.at("/spec/template/metadata/labels");
        JsonNode container = monitorContainer();

        assertThat(Stream.of(
                        set.at("/spec/selector/matchLabels"),
                        byName.get("Service trainwatch").at("/spec/selector"),
                        byName.get("Service trainwatch-instances").at("/spec/selector"),
                        byName.get("PodDisruptionBudget trainwatch").at("/spec/selector/matchLabels"),
                        byName.get("NetworkPolicy trainwatch").at("/spec/podSelector/matchLabels"),
                        byName.get("PodMonitor trainwatch").at("/spec/selector/matchLabels")))
                .allMatch(labels::equals);
        assertThat(byName).containsKey("Service " + set.at("/spec/serviceName").textValue());
        assertThat(container.at("/ports/0/name").textValue()).isEqualTo("http");
        assertThat(container.at("/ports/0/containerPort").intValue())
                .isEqualTo(Configuration.defaults().http().port());
        assertThat(List.of("startupProbe", "livenessProbe", "readinessProbe"))
                .extracting(probe -> container.at("/" + probe + "/httpGet/path").textValue())
                .containsExactly("/health/live", "/health/live", "/health/ready");

        String secret =
                set.at("/spec/template/spec/volumes/0/secret/secretName").textValue();
        JsonNode credentials =
                byName.get("PodMonitor trainwatch").at("/spec/podMetricsEndpoints/0/authorization/credentials");
        assertThat(credentials.get("name").textValue()).isEqualTo(secret);
        assertThat(ours(environmentOf(container)).get("TRAINWATCH_HTTP_TOKEN_FILE"))
                .isEqualTo(container.at("/volumeMounts/1/mountPath").textValue() + "/"
                        + credentials.get("key").textValue());
        assertThat(Files.readString(KUBERNETES.resolve("kustomization.yaml")))
                .contains("create secret generic " + secret + " --from-literal="
                        + credentials.get("key").textValue() + "=");
        Set<String> volumes = new HashSet<>();
        elements(set.at("/spec/template/spec/volumes"))
                .forEach(v -> volumes.add(v.get("name").textValue()));
        elements(set.at("/spec/volumeClaimTemplates"))
                .forEach(v -> volumes.add(v.at("/metadata/name").textValue()));
        assertThat(elements(container.get("volumeMounts"))
                        .map(mount -> mount.get("name").textValue()))
                .containsExactlyInAnyOrderElementsOf(volumes);
    }

    /** Takes fields that the models do not name for errors; they would keep them for later. */
    private static ObjectMapper strict() {
        ObjectMapper mapper = new ObjectMapper();
        mapper.enable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES);
        mapper.setAnnotationIntrospector(new JacksonAnnotationIntrospector() {
            @Override
            public Boolean hasAnySetter(Annotated member) {
                return false;
            }
        });
        return mapper;
    }

    private static JsonNode compose() throws IOException {
        return yaml(DOCKER.resolve("compose.yaml"));
    }

    private static Map<String, JsonNode> services() throws IOException {
        Map<String, JsonNode> services = new HashMap<>();
        compose().get("services").properties().forEach(one -> services.put(one.getKey(), one.getValue()));
        return services;
    }

    private static List<JsonNode> ofEveryService(String field) throws IOException {
        return services().values().stream()
                .flatMap(service -> elements(service.path(field)))
                .toList();
    }

    private static List<String> arguments(String service) throws IOException {
        return texts(services().get(service).get("command"));
    }

    private static List<JsonNode> manifests() throws IOException {
        List<JsonNode> manifests = new ArrayList<>();
        for (Path file : Documents.files(KUBERNETES, ".yaml")) {
            if (!file.endsWith("kustomization.yaml")) {
                manifests.addAll(yamls(Files.readString(file)));
            }
        }
        return manifests;
    }

    private static JsonNode monitorContainer() throws IOException {
        return yaml(KUBERNETES.resolve("statefulset.yaml")).at("/spec/template/spec/containers/0");
    }

    private static JsonNode environmentOf(JsonNode container) {
        ObjectNode environment = new ObjectMapper().createObjectNode();
        container
                .get("env")
                .forEach(variable -> environment.set(variable.get("name").textValue(), variable.path("value")));
        return environment;
    }

    private static Map<String, String> dockerfileEnvironment() throws IOException {
        return Files.readAllLines(DOCKER.resolve("Dockerfile")).stream()
                .filter(line -> line.startsWith("ENV "))
                .map(line -> line.substring(4).split("=", 2))
                .collect(Collectors.toMap(variable -> variable[0], variable -> variable[1]));
    }

    private static Map<String, String> ours(JsonNode environment) {
        Map<String, String> ours = new HashMap<>();
        environment.properties().forEach(variable -> {
            if (variable.getKey().startsWith("TRAINWATCH_")) {
                ours.put(variable.getKey(), variable.getValue().asText());
            }
        });
        return ours;
    }

    private static Set<String> names(JsonNode object) {
        Set<String> names = new HashSet<>();
        object.fieldNames().forEachRemaining(names::add);
        return names;
    }

    private static List<String> texts(JsonNode array) {
        return elements(array).map(JsonNode::textValue).toList();
    }
}
